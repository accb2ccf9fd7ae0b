"""Every mark in every format, read back by tools that are not ours; and the profiles on real files, mark by mark."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime

import encypher_c2pa
import numpy as np
import pytest
from PIL import Image

from governance.errors import MarkError
from governance.manifest import manifest_definition
from governance.metadata import AIGC, PNG_AIGC, PROMPT
from governance.profiles import PROFILES, FieldState, judge_profile
from governance.testing.manifest import example_statement
from governance.types import Prompt
from governance_adapters.marking.containers import media_type_of
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.label import TextLabeller
from governance_adapters.marking.tiled import TiledWatermarker
from governance_adapters.marking.xmp import XmpWriter
from support.marked import CLAIMS, LABEL, MARK_KEY, STAMPS, real_marks, release, verifier
from support.real import require
from support.time_stamps import time_stamp_authority
from tests.integration.marking_pictures import flat_art, photographs

os.environ["ENCYPHER_C2PA_TELEMETRY"] = "off"  # it would send failure codes home

EU, US, CN = PROFILES
FORMATS = ImageEncoder.media_types
EXIFTOOL_GROUPS = {
    "Iptc4xmpExt": "XMP-iptcExt",
    "TC260": "XMP-TC260",
    "dc": "XMP-dc",
    "xmp": "XMP-xmp",
    "xmpMM": "XMP-xmpMM",
    "governance": "XMP-governance",
    "PNG": "PNG",
}
OBLIGED = {"visible_label": LABEL, "label_position": "top-left", "label_language": "zh-Hans", "disclose": ["prompt"]}
PROMPT_TEXT = 'a "red" kite & <b>seven</b> 生'


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    with time_stamp_authority(tmp_path_factory.mktemp("authority"), STAMPS) as url:
        yield url


@pytest.fixture(scope="module")
def files(authority):
    """One released file of each format, and the parts that made it."""
    made = {}
    for kind in FORMATS:
        parts = real_marks(authority, output_formats=[kind], **OBLIGED)
        made[kind] = parts, release(parts, photographs(512)[0], text=PROMPT_TEXT).content
    return made


def by_exiftool(content, folder, kind):
    """Every property that exiftool finds, by our names; dates as XMP writes them."""
    tool = shutil.which("exiftool")
    require("exiftool", tool, "metadata were read by no other program")
    path = folder / f"file.{kind.partition('/')[2]}"
    path.write_bytes(content)
    command = [tool, "-j", "-struct", "-G1", "-a", "-d", "%s", "-XMP:all", "-PNG:AIGC", path]
    (found,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    groups = {group: prefix for prefix, group in EXIFTOOL_GROUPS.items()}
    return {
        f"{groups[key.partition(':')[0]]}:{key.partition(':')[2]}".lower(): value
        for key, value in found.items()
        if key.partition(":")[0] in groups
    }


def trusted(content, kind):
    """What the other C2PA engine says."""
    report = encypher_c2pa.verify(
        content, kind, trust_pem=CLAIMS.root.decode(), tsa_trust_pem=STAMPS.root.decode(), no_default_trust=True
    )
    codes = [item["code"] for item in report["validation_results"]["success"]]
    return report["validation_state"] == "Trusted", "timeStamp.trusted" in codes


def by_pillow(content):
    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture.format, np.asarray(picture.convert("RGB"))


def test_every_mark_in_every_format_is_read_back_by_other_tools(files, tmp_path, capsys):
    rows = []
    for kind, (parts, content) in files.items():
        ours = parts.metadata.read(content)
        theirs = by_exiftool(content, tmp_path, kind)
        same = {name: _same(theirs.get(name.lower()), value) for name, value in ours.items()}
        assert all(same.values()), [name for name, ok in same.items() if not ok]
        assert ours[PROMPT] == PROMPT_TEXT

        format_, pixels = by_pillow(content)
        assert format_ == kind.partition("/")[2].upper()
        payloads = TiledWatermarker(MARK_KEY).extract(pixels)
        mark = any(MARK_KEY.id_of(payload, 64, parts.watermarker.algorithm) is not None for payload in payloads)
        label = TextLabeller().label(np.full_like(pixels, 128), LABEL, position="top-left", language="zh-Hans")
        apart = np.abs(pixels.astype(int) - label)[(label != 128).any(axis=2)].mean()
        assert mark
        assert apart < 12, "the label is in the pixels"

        signed, stamped = trusted(content, kind)
        assert (signed, stamped) == (True, True)
        tc260 = json.loads(theirs["tc260:aigc"])["ProduceID"] == ours["dc:identifier"]
        chunk = theirs.get("png:aigc") == ours[AIGC] if kind == "image/png" else "none in this format"
        assert tc260
        assert chunk
        rows.append(
            (
                kind,
                len(content) // 1024,
                f"{len(same)} of {len(same)}",
                tc260,
                chunk,
                signed,
                stamped,
                mark,
                f"{apart:.1f}",
            )
        )

    names = ("format", "KB", "XMP", "TC260", "PNG chunk", "C2PA Trusted", "time-stamp", "watermark", "label apart")
    with capsys.disabled():
        print("\nEach format with each mark, read back by exiftool (XMP), encypher-c2pa and Pillow")
        print("".join(f"{name:<21}" for name in names))
        for row in rows:
            print("".join(f"{value!s:<21}" for value in row))


def _same(theirs, ours):
    """Whether exiftool's value is ours: it gives arrays as lists, texts that are numbers as numbers, dates as seconds."""
    value = theirs[0] if isinstance(theirs, list) else theirs
    try:
        return str(value) == ours or int(value) == int(datetime.fromisoformat(ours).timestamp())
    except (TypeError, ValueError):
        return False


@pytest.mark.parametrize("kind", FORMATS)
def test_every_profile_holds_for_a_file_of_every_format(files, kind):
    parts, content = files[kind]
    verification = verifier(parts).verify(content)
    assert verification.exit_code == 0
    for name in PROFILES:
        report = judge_profile(name, verification, content)
        assert report.holds, [field for field in report.fields if field.state is not FieldState.THERE]


def saved_again(content):
    """Encoded again by Pillow: no manifest, no metadata, the watermark of the pixels."""
    kind, pixels = by_pillow(content)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **({"quality": 95} if kind == "JPEG" else {"lossless": True}))
    return file.getvalue()


def without_manifest(parts, content):
    """The file without its manifest, everything else as it was."""
    kind = media_type_of(content)
    return XmpWriter().write(saved_again(content), kind, parts.metadata.read(content))


def re_signed(parts, content, *, properties=None, pixels=None):
    """The file with other properties or pixels, signed as the installation would have signed it."""
    kind = media_type_of(content)
    said = dict(parts.metadata.read(content)) if properties is None else properties
    picture = by_pillow(content)[1] if pixels is None else pixels
    plain = parts.encoder.encode(picture, kind)
    return parts.signer.sign(XmpWriter().write(plain, kind, said), kind, manifest_of(parts)).content


def manifest_of(parts):
    """A definition about the released asset: what the line would write."""
    (entry,) = [entry for _, entry in parts.ledger.entries() if entry.kind.value == "released"]
    disclosed = {"prompt": PROMPT_TEXT}
    asset = entry.body["asset"]
    statement = replace(example_statement(asset["id"]), media_type=asset["media_type"], disclosed=disclosed)
    return manifest_definition(statement)


def clauses(name, parts, content):
    """The clauses whose field is missing or wrong."""
    report = judge_profile(name, verifier(parts).verify(content), content)
    return {
        field.clause.removeprefix("Art. 50(2); Code of Practice, ")
        for field in report.fields
        if field.required and field.state is not FieldState.THERE
    }


@pytest.mark.parametrize("kind", FORMATS)
class TestOneMarkRemoved:
    def test_the_manifest(self, files, kind):
        parts, content = files[kind]
        bare = without_manifest(parts, content)
        assert "sub-measure 1.1.1" in clauses(EU, parts, bare)
        assert clauses(US, parts, bare) == {"Bus. & Prof. Code 22757.3(b)(3)"}
        assert clauses(CN, parts, bare) == set()

    def test_the_metadata(self, files, kind):
        parts, content = files[kind]
        bare = re_signed(parts, content, properties={"xmp:CreatorTool": "x"})
        assert "sub-measure 1.1.1" in clauses(EU, parts, bare)
        assert {f"Bus. & Prof. Code 22757.3(b)(1)({letter})" for letter in "ABCD"} <= clauses(US, parts, bare)
        assert {f"GB 45438-2025, annex E {letter})" for letter in "acdefghij"} <= clauses(CN, parts, bare)

    def test_the_aigc_text(self, files, kind):
        parts, content = files[kind]
        said = {name: value for name, value in parts.metadata.read(content).items() if name not in {AIGC, PNG_AIGC}}
        bare = re_signed(parts, content, properties=said)
        chunk = {"GB 45438-2025, 6.1"} if kind == "image/png" else set()
        assert clauses(CN, parts, bare) == {f"GB 45438-2025, annex E {letter})" for letter in "acdefghij"} | chunk
        assert clauses(US, parts, bare) == set()

    def test_the_watermark(self, files, kind):
        parts, content = files[kind]
        bare = re_signed(parts, content, pixels=photographs(512)[0])
        assert "sub-measure 1.1.2" in clauses(EU, parts, bare)
        assert "Bus. & Prof. Code 22757.3(b)(4)" in clauses(US, parts, bare)

    def test_the_label(self, authority, kind):
        parts = real_marks(authority, output_formats=[kind])
        bare = release(parts, photographs(512)[0]).content
        assert clauses(CN, parts, bare) == {"GB 45438-2025, 5.2"}
        assert clauses(EU, parts, bare) == clauses(US, parts, bare) == set()

    def test_the_time_stamp(self, kind):
        parts = real_marks(output_formats=[kind], **OBLIGED)
        bare = release(parts, photographs(512)[0]).content
        assert clauses(EU, parts, bare) == {"sub-measure 1.1.1"}
        assert clauses(US, parts, bare) == clauses(CN, parts, bare) == set()


def test_the_png_chunk_alone():
    parts = real_marks(output_formats=["image/png"], **OBLIGED)
    content = release(parts, photographs(512)[0]).content
    said = {name: value for name, value in parts.metadata.read(content).items() if name != PNG_AIGC}
    assert clauses(CN, parts, re_signed(parts, content, properties=said)) == {"GB 45438-2025, 6.1"}


@pytest.mark.parametrize("kind", FORMATS)
def test_flat_drawings_carry_every_mark_too(kind):
    parts = real_marks(output_formats=[kind])
    for number, picture in enumerate(flat_art(256)[:4]):
        content = release(parts, picture, id=f"drawing-{number}").content
        assert verifier(parts).verify(content).exit_code == 0


def test_a_prompt_too_long_for_jpeg_releases_nothing():
    parts = real_marks(output_formats=["image/jpeg"], disclose=["prompt"])
    many = tuple(Prompt(chr(0x4E00 + number) * 4000, parameter=f"prompt_{number}") for number in range(6))
    with pytest.raises(MarkError, match="JPEG file carries"):
        release(parts, photographs(512)[0], prompts=many)
    assert not parts.vault.staged()
