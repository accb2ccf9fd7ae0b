"""What is read from each image of a dataset: real files, and everything that can be wrong with one."""

from __future__ import annotations

import hashlib
import os
import pickle
import socket

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from governance.datasets.records import NOT_LOOKED
from governance.errors import DetectorError
from governance.manifest import manifest_definition
from governance.ports import ManifestReport, ManifestState
from governance.testing.certificates import FakeAuthority
from governance.testing.detector import FakeDetector
from governance.testing.manifest import example_statement
from governance.types import Finding
from governance_adapters.datasets.content import decoding, scores
from governance_adapters.datasets.content.eyes import Eyes, OpenEyes
from governance_adapters.datasets.content.looking import CONTENT_COLUMNS, content_schema, look, not_looked
from governance_adapters.datasets.sources.opening import open_source
from governance_adapters.marking.c2pa import C2paReader
from governance_adapters.marking.credentials import TrustRoots
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.fingerprint import PdqFingerprinter
from support.planted import (
    MINING,
    TRAINED,
    altered,
    bomb,
    image_file,
    picture,
    signer_of,
    with_chunk,
    with_exif,
    with_iptc,
    with_manifest,
    with_xmp,
    xmp,
)

AUTHORITY = FakeAuthority()
SIGNER = signer_of(AUTHORITY)


def bare_eyes():
    return OpenEyes(PdqFingerprinter())


def reading_eyes():
    return OpenEyes(PdqFingerprinter(), manifests=C2paReader(TrustRoots(AUTHORITY.root)))


def stranger_eyes():
    return OpenEyes(PdqFingerprinter(), manifests=C2paReader(TrustRoots(FakeAuthority().root)))


def seen(tmp_path, files, opener=reading_eyes, **stated):
    """What `look` finds, by the id of each record."""
    folder = tmp_path / "images"
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    source = open_source(str(folder), **stated)
    found = {}
    for part in source.parts():
        rows = source.read(part)
        looked = look(rows, Eyes(opener), source.root)
        assert looked.schema == content_schema() == not_looked(rows).schema
        found |= dict(zip(rows["id"].to_pylist(), looked.to_pylist(), strict=True))
    return found


def one(tmp_path, content, opener=reading_eyes, name="a.png", **stated):
    return seen(tmp_path, {name: content}, opener, **stated)[name]


def test_a_plain_picture_has_a_digest_a_size_a_hash_and_nothing_against_it(tmp_path):
    content = image_file(picture(1, 96)[:64])
    found = one(tmp_path, content)
    assert list(found) == list(CONTENT_COLUMNS)
    assert found["content"] == hashlib.sha256(content).hexdigest()
    assert (found["basis"], found["media_type"], found["size"]) == ("computed", "image/png", len(content))
    assert (found["width"], found["height"]) == (96, 64)
    expected = PdqFingerprinter().fingerprint(ImageEncoder().decode(content))
    assert (found["pdq"], found["pdq_quality"]) == (expected.pdq, expected.quality)
    assert found["synthetic"] == "unknown"
    assert (found["opt_outs"], found["personal"], found["problems"]) == ([], [], [])
    assert (found["nsfw"], found["similar"], found["embedding"]) == (NOT_LOOKED, NOT_LOOKED, None)


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("WEBP", "image/webp"),
        ("GIF", "image/gif"),
        ("BMP", "image/bmp"),
        ("TIFF", "image/tiff"),
    ],
)
def test_each_format_is_decoded_whatever_the_file_is_called(tmp_path, kind, media_type):
    found = one(tmp_path, image_file(picture(2), kind))
    assert (found["media_type"], found["width"], found["problems"]) == (media_type, 96, [])
    assert found["pdq"] is not None


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "I;16", "1"])
def test_every_kind_of_pixel_is_hashed(tmp_path, mode):
    if mode == "I;16":
        image = Image.fromarray(picture(3)[:, :, 0].astype(np.uint16) << 8)
    else:
        image = Image.fromarray(picture(3)).convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    image.save(tmp_path / "saved", kind)
    found = one(tmp_path, (tmp_path / "saved").read_bytes())
    assert (found["problems"], found["pdq"] is not None) == ([], True)


def test_a_picture_is_hashed_upright(tmp_path):
    upright, turned = picture(4, 96)[:64], np.rot90(picture(4, 96)[:64])
    lying = with_exif(np.ascontiguousarray(turned), orientation=6, kind="PNG")
    found = seen(tmp_path, {"a.png": image_file(upright), "b.png": lying})
    assert (found["b.png"]["width"], found["b.png"]["height"]) == (96, 64)
    assert found["b.png"]["pdq"] == found["a.png"]["pdq"]


BROKEN = {
    "nothing": (b"", "unreadable"),
    "a text": (b"no picture at all", "unreadable"),
    "a head": (image_file(picture(5))[:20], "unreadable"),
    "cut short": (image_file(picture(5))[:-2000], "unreadable"),
    "JPEG cut short": (image_file(picture(5), "JPEG")[:-500], "unreadable"),
    "WebP cut short": (image_file(picture(5), "WEBP")[:-500], "unreadable"),
    "a flipped bit": (image_file(picture(5)).replace(b"IDAT", b"IDAT\xff", 1), "unreadable"),
    "a bomb": (bomb(), "too_large"),
    "a bomb that Pillow lets through": (bomb(9000, 9000), "too_large"),
    "no side": (bomb(0, 10), "unreadable"),
    "a bomb of text": (
        with_chunk(
            image_file(picture(5)),
            b"zTXt",
            b"a\0\0" + __import__("zlib").compress(b"\0" * (8 << 20)),
            before=b"IDAT",
        ),
        "unreadable",
    ),
}


@pytest.mark.parametrize("which", BROKEN)
def test_what_is_broken_is_a_finding_and_its_bytes_have_a_digest_all_the_same(tmp_path, which):
    content, problem = BROKEN[which]
    found = one(tmp_path, content)
    assert found["problems"] == [problem]
    assert (found["content"], found["basis"]) == (hashlib.sha256(content).hexdigest(), "computed")
    assert (found["pdq"], found["nsfw"]) == (None, NOT_LOOKED)


def test_a_broken_image_leaves_its_neighbours_alone(tmp_path):
    files = {f"{number}.png": image_file(picture(number)) for number in range(4)} | {"2.png": bomb()}
    found = seen(tmp_path, files)
    assert {name: each["problems"] for name, each in found.items() if each["problems"]} == {"2.png": ["too_large"]}
    assert sum(each["pdq"] is not None for each in found.values()) == 3


def test_the_size_of_a_bomb_that_is_just_too_large_is_known(tmp_path):
    found = one(tmp_path, bomb(9000, 9000))
    assert (found["width"], found["height"]) == (9000, 9000)


def test_a_few_pixels_are_no_problem_and_have_no_hash(tmp_path):
    found = one(tmp_path, image_file(picture(6)[:4, :4]))
    assert (found["problems"], found["pdq"], found["pdq_quality"], found["width"]) == ([], None, None, 4)


PEOPLE = {
    "exif_gps": with_exif(picture(7), gps=True),
    "exif_artist": with_exif(picture(7), artist="Example Photographer", kind="TIFF"),
    "exif_owner": with_exif(picture(7), owner="Example Owner", kind="WEBP"),
    "exif_serial": with_exif(picture(7), serial="1234", kind="PNG"),
    "iptc_byline": with_iptc(picture(7), _80="Example Photographer"),
    "iptc_contact": with_iptc(picture(7), _118="someone@example.org"),
    "iptc_writer": with_iptc(picture(7), _122="Example Writer"),
    "xmp_gps": with_xmp(picture(7), xmp(exif__GPSLatitude="0,0.1N")),
    "xmp_owner": with_xmp(picture(7), xmp(aux__OwnerName="Example Owner"), "WEBP"),
    "xmp_serial": with_xmp(picture(7), xmp(aux__SerialNumber="1234"), "PNG"),
    "xmp_creator": with_xmp(
        picture(7), xmp("<dc:creator><rdf:Seq><rdf:li>Example Photographer</rdf:li></rdf:Seq></dc:creator>")
    ),
    "xmp_contact": with_xmp(
        picture(7), xmp('<Iptc4xmpCore:CreatorContactInfo Iptc4xmpCore:CiEmailWork="someone@example.org"/>')
    ),
    "xmp_person": with_xmp(
        picture(7),
        xmp(
            "<Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Example Person</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImage>"
        ),
        "PNG",
    ),
    "xmp_face": with_xmp(
        picture(7),
        xmp(
            '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag><rdf:li>'
            '<rdf:Description mwg-rs:Type="Face"/></rdf:li></rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>'
        ),
    ),
}


@pytest.mark.parametrize("kind", PEOPLE)
def test_personal_data_in_a_file_are_named_by_their_kind_and_by_no_more(tmp_path, kind):
    found = one(tmp_path, PEOPLE[kind])
    assert (found["personal"], found["problems"]) == ([kind], [])
    assert "Example" not in str(found)


def test_tags_that_say_nothing_are_about_nobody(tmp_path):
    files = {
        "a.jpg": with_exif(picture(8), artist=" ", owner="\0\0"),
        "b.jpg": with_xmp(picture(8), xmp("<dc:creator><rdf:Seq><rdf:li/></rdf:Seq></dc:creator>")),
        "c.jpg": with_iptc(picture(8), _80=" ", _5="A title"),
    }
    assert [each["personal"] for each in seen(tmp_path, files).values()] == [[], [], []]


@pytest.mark.parametrize(
    ("caption", "kinds"),
    [
        ("write to someone@mail.example.org, please", ["caption_email"]),
        ("call +49 30 1234567", ["caption_phone"]),
        ("someone@example.org, +1 (202) 555 0100", ["caption_email", "caption_phone"]),
        ("a dog at 10 @ night, 2024-01-01, ISO 100, 1/250", []),
        ("the number 1234567890", []),
    ],
)
def test_captions_are_searched_for_addresses_and_numbers(tmp_path, caption, kinds):
    files = {"a.png": image_file(picture(9)), "a.txt": caption.encode()}
    assert seen(tmp_path, files)["a.png"]["personal"] == kinds


def mining(value):
    return with_xmp(picture(10), xmp(plus__DataMining=value))


@pytest.mark.parametrize(
    ("content", "signals"),
    [
        (mining(f"{MINING}DMI-PROHIBITED"), ["iptc_data_mining"]),
        (mining(f"{MINING}DMI-PROHIBITED-GENAIMLTRAINING"), ["iptc_data_mining"]),
        (mining(f"{MINING}DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING"), ["iptc_data_mining"]),
        (mining(f"{MINING}DMI-OF-TOMORROW"), ["iptc_data_mining"]),
        (mining(f"{MINING}DMI-ALLOWED"), []),
        (mining(f"{MINING}DMI-UNSPECIFIED"), []),
        (
            with_xmp(picture(10), xmp(f'<plus:DataMining rdf:resource="{MINING}DMI-PROHIBITED"/>'), "PNG"),
            ["iptc_data_mining"],
        ),
        (with_xmp(picture(10), xmp(tdm__reservation="1")), ["tdmrep"]),
        (with_xmp(picture(10), xmp("<tdm:reservation>1</tdm:reservation>"), "WEBP"), ["tdmrep"]),
        (with_xmp(picture(10), xmp(tdm__reservation="0")), []),
    ],
    ids=lambda value: (
        value if isinstance(value, str) else ("+".join(map(str, value)) if isinstance(value, list) else "file")
    ),
)
def test_signals_in_xmp(tmp_path, content, signals):
    found = one(tmp_path, content)
    assert (found["opt_outs"], found["problems"]) == (signals, [])


def test_a_signal_behind_the_pixels_is_found(tmp_path):
    packet = xmp(plus__DataMining=f"{MINING}DMI-PROHIBITED")
    content = with_chunk(image_file(picture(11)), b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet, before=b"IEND")
    assert one(tmp_path, content)["opt_outs"] == ["iptc_data_mining"]


def test_a_signal_in_a_picture_that_is_cut_short_counts(tmp_path):
    content = mining(f"{MINING}DMI-PROHIBITED")[:-500]
    found = one(tmp_path, content)
    assert (found["opt_outs"], found["problems"]) == (["iptc_data_mining"], ["unreadable"])


@pytest.mark.parametrize(
    "packet",
    [
        b"<x:xmpmeta",
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
        b"<x/>" + b" " * (1 << 20),
    ],
    ids=["torn", "entities", "too long"],
)
def test_metadata_that_cannot_be_read_are_a_finding(tmp_path, packet):
    found = one(tmp_path, with_xmp(picture(12), packet, "PNG" if len(packet) < 60_000 else "WEBP"))
    assert found["problems"] == ["bad_value"]
    assert found["pdq"] is not None


def trained(**options):
    return with_manifest(image_file(picture(13, 300)), SIGNER, source_type=TRAINED, **options)


NOT_ALLOWED = {"use": "notAllowed"}


@pytest.mark.parametrize(
    ("label", "uses", "signals"),
    [
        ("cawg.training-mining", {"cawg.ai_training": NOT_ALLOWED}, ["c2pa_training_mining"]),
        ("cawg.training-mining", {"cawg.data_mining": NOT_ALLOWED}, ["c2pa_training_mining"]),
        ("c2pa.training-mining", {"c2pa.ai_generative_training": NOT_ALLOWED}, ["c2pa_training_mining"]),
        (
            "cawg.training-mining",
            {"cawg.ai_training": {"use": "constrained", "constraint_info": "ask"}},
            ["c2pa_training_mining"],
        ),
        ("cawg.training-mining", {"cawg.ai_inference": NOT_ALLOWED, "cawg.ai_training": {"use": "allowed"}}, []),
        ("", None, []),
    ],
    ids=["cawg", "mining", "c2pa", "constrained", "only inference", "no assertion"],
)
def test_what_a_manifest_says_of_training(tmp_path, label, uses, signals):
    found = one(tmp_path, with_manifest(image_file(picture(14)), SIGNER, label=label, uses=uses))
    assert (found["opt_outs"], found["problems"], found["synthetic"]) == (signals, [], "unknown")


def test_a_picture_whose_manifest_says_so_was_made_by_a_model_whoever_signed_it(tmp_path):
    content = trained()
    assert one(tmp_path, content)["synthetic"] == "yes"
    assert one(tmp_path, content, stranger_eyes)["synthetic"] == "yes"
    assert one(tmp_path, content, bare_eyes)["synthetic"] == "unknown"  # nobody looked at manifests


def test_our_own_released_files_reserve_training_and_say_that_a_model_made_them(tmp_path):
    content = image_file(picture(15, 300))
    signed = SIGNER.sign(content, "image/png", manifest_definition(example_statement())).content
    found = one(tmp_path, signed)
    assert (found["synthetic"], found["opt_outs"], found["problems"]) == ("yes", ["c2pa_training_mining"], [])


def test_a_manifest_that_does_not_hold_is_a_finding_and_proves_nothing(tmp_path):
    content = trained(label="cawg.training-mining", uses={"cawg.ai_training": NOT_ALLOWED})
    broken = altered(content)
    assert broken != content
    found = one(tmp_path, broken)
    assert "manifest_invalid" in found["problems"]
    assert (found["synthetic"], found["opt_outs"]) == ("stated", ["c2pa_training_mining"])


@pytest.mark.parametrize(
    ("content", "stated", "synthetic"),
    [
        (image_file(picture(16)), "yes", "stated"),
        (image_file(picture(16)), "no", "no"),
        (image_file(picture(16)), "unknown", "unknown"),
        (with_xmp(picture(16), xmp(Iptc4xmpExt__DigitalSourceType=TRAINED)), "no", "stated"),
        (with_xmp(picture(16), xmp('<TC260:AIGC>{"Label":"1"}</TC260:AIGC>')), "no", "stated"),
        (with_xmp(picture(16), xmp("<TC260:AIGC>no JSON</TC260:AIGC>")), "no", "no"),
        (trained(), "no", "yes"),
    ],
    ids=["stated", "stated not", "nothing stated", "IPTC", "TC260", "TC260 torn", "manifest"],
)
def test_what_the_image_says_weighs_more_than_what_the_dataset_states(tmp_path, content, stated, synthetic):
    assert one(tmp_path, content, defaults={"synthetic": stated})["synthetic"] == synthetic


def rows_of(root, **columns):
    source = root / "rows.jsonl"
    import json

    count = len(next(iter(columns.values())))
    source.write_text("".join(json.dumps({k: v[i] for k, v in columns.items()}) + "\n" for i in range(count)))
    opened = open_source(str(source))
    (part,) = opened.parts()
    return opened.read(part)


def test_a_stated_digest_is_compared_with_the_computed_one(tmp_path):
    content = image_file(picture(17))
    (tmp_path / "a.png").write_bytes(content)
    right, other = hashlib.sha256(content).hexdigest(), hashlib.sha256(b"other").hexdigest()
    rows = rows_of(
        tmp_path,
        file_name=["a.png", "a.png", "gone.png", None, None],
        sha256=[f"SHA256:{right.upper()}", other, other, other, None],
    )
    looked, unlooked = look(rows, Eyes(bare_eyes), str(tmp_path)).to_pylist(), not_looked(rows).to_pylist()
    assert [(each["content"], each["basis"], each["problems"]) for each in looked] == [
        (right, "computed", []),
        (right, "computed", ["hash_differs"]),
        (other, "stated", ["missing"]),
        (other, "stated", []),
        ("", "none", []),
    ]
    assert [(each["content"], each["basis"]) for each in unlooked] == [
        (right, "stated"),
        *[(other, "stated")] * 3,
        ("", "none"),
    ]
    assert all(each["nsfw"] == each["similar"] == NOT_LOOKED and each["pdq"] is None for each in unlooked)


def test_what_is_no_regular_file_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.png"))
        rows = rows_of(tmp_path, file_name=["pipe.png", "folder.png", "s.png", "https://example.org/a.png"])
        found = look(rows, Eyes(bare_eyes), str(tmp_path)).to_pylist()
    assert [each["problems"] for each in found] == [["unreadable"]] * 3 + [["missing"]]


def by_brightness():
    """Scores that follow from the pixels, so that a mixed-up order would show."""
    return OpenEyes(
        PdqFingerprinter(),
        detectors=(FakeDetector(lambda pixels: {"nsfw": float(pixels.mean()) / 255}),),
        embed=lambda pixels: np.array([pixels.mean()], np.float32),
    )


def test_scores_and_vectors_belong_to_their_images_across_batches(tmp_path):
    levels = [(7 * number) % 250 for number in range(2 * scores.BATCH + 3)]
    files = {
        f"{number:03}.png": image_file(np.full((64, 64, 3), level, np.uint8)) for number, level in enumerate(levels)
    } | {"005.png": b"broken"}
    found = seen(tmp_path, files, by_brightness)
    for number, level in enumerate(levels):
        each = found[f"{number:03}.png"]
        if number == 5:
            assert (each["nsfw"], each["embedding"]) == (NOT_LOOKED, None)
        else:
            assert (each["nsfw"], each["embedding"]) == (-(-level * 100 // 255), [level])


def unworking():
    return OpenEyes(PdqFingerprinter(), detectors=(FakeDetector(failing=DetectorError("It is gone.", remedy="None.")),))


def test_a_detector_that_does_not_work_stops_the_audit(tmp_path):
    with pytest.raises(DetectorError, match="It is gone"):
        one(tmp_path, image_file(picture(18)), unworking)


def refusing(pixels):
    if pixels.shape[0] == 77:
        raise DetectorError("Not this one.", remedy="None.")
    return {"nsfw": 0.5}


def choosy():
    return OpenEyes(PdqFingerprinter(), detectors=(FakeDetector(refusing),))


def test_an_image_that_a_working_detector_refuses_was_not_looked_at(tmp_path):
    files = {"a.png": image_file(picture(19)), "b.png": image_file(picture(19, 77)), "c.png": image_file(picture(20))}
    assert [each["nsfw"] for each in seen(tmp_path, files, choosy).values()] == [50, NOT_LOOKED, 50]


def similar():
    class Detector(FakeDetector):
        def detect(self, images):
            named = [
                ("copy", 0.5, "w1", "allow"),
                ("derivative", 0.9123, "w3", "allow"),
                ("derivative", 0.9101, "w2", "deny"),
                ("low_quality_hash", 0.99, "", ""),
            ]
            finding = [Finding("similarity", self.digest, label, score, work, act) for label, score, work, act in named]
            return [tuple(finding)] * len(images)

    return OpenEyes(PdqFingerprinter(), detectors=(Detector(name="similarity"),))


def test_the_most_similar_work_is_named_and_of_equal_ones_the_strictest(tmp_path):
    found = one(tmp_path, image_file(picture(21)), similar)
    assert (found["similar"], found["work"], found["work_action"]) == (92, "w2", "deny")


@pytest.mark.parametrize(("score", "expected"), [(0.0, 0), (0.07, 7), (0.29, 29), (0.2900001, 30), (1.0, 100)])
def test_scores_are_rounded_up(score, expected):
    assert scores.hundredths(Finding("nsfw", "0" * 64, "nsfw", score)) == expected


class Marks:
    def finds(self, pixels):
        return pixels.shape[0] == 64


def marked():
    return OpenEyes(PdqFingerprinter(), marks=Marks())


def test_a_watermark_of_ours_says_that_a_model_made_it(tmp_path):
    files = {"a.png": image_file(picture(22, 64)), "b.png": image_file(picture(22, 65))}
    found = seen(tmp_path, files, marked, defaults={"synthetic": "no"})
    assert [each["synthetic"] for each in found.values()] == ["yes", "no"]


OPENED = []


def counting(name):
    OPENED.append(name)
    return bare_eyes()


def test_eyes_are_opened_once_and_travel():
    eyes = pickle.loads(pickle.dumps(Eyes(counting, ("one",))))
    assert eyes.open() is eyes.open()
    assert OPENED == ["one"]
    Eyes(counting, ("two",)).open()
    assert OPENED == ["one", "two"]


class Untold:
    """A reader for which every manifest is invalid without a word."""

    def read_store(self, _):
        return ManifestReport(ManifestState.INVALID), {}


def untold():
    return OpenEyes(PdqFingerprinter(), manifests=Untold())


def test_a_manifest_nobody_can_parse_is_a_finding_and_only_files_that_have_one_are_asked(tmp_path):
    files = {"a.png": trained(), "b.png": image_file(picture(23))}
    found = seen(tmp_path, files, untold)
    assert [each["problems"] for each in found.values()] == [["manifest_invalid"], []]


def test_our_limit_is_the_one_of_the_other_decoder():
    from governance_adapters.marking import encoding

    assert decoding.MAX_PIXELS == encoding.MAX_PIXELS


def test_nothing_to_look_at_is_nothing_found():
    from governance_adapters.datasets.sources.source import raw_schema

    empty = raw_schema().empty_table()
    assert look(empty, Eyes(bare_eyes), ".").num_rows == not_looked(empty).num_rows == 0
    assert isinstance(look(empty, Eyes(bare_eyes), "."), pa.Table)
