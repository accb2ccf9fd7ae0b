"""A dataset with one violation of each kind, among records without any: each is found, none besides, and they are counted."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from skimage import data

from governance.canonical import digest
from governance.datasets.records import Consent, OptOut, Problem, Synthetic
from governance_adapters.installation import existing_keys, ledger_for_appending
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.tiled import TiledWatermarker
from governance_adapters.settings import Settings
from support.audits import KNOWN, by_id
from support.command import Shell
from support.marked import real_marks, release
from support.planted import (
    MINING,
    TRAINED,
    altered,
    bomb,
    image_file,
    picture,
    signer_of,
    with_exif,
    with_manifest,
    with_xmp,
    xmp,
)

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")

CLEAN = 12
PEOPLE = ("--principal", "counsel@example.org")


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """An installation that protects one work."""
    shell = Shell(tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("made") / "home")
    shell("init").succeeded()
    work = shell.folder / "work.png"
    work.write_bytes(image_file(data.coffee()))
    said = ("--title", "Coffee", "--owner", "Example house", "--licence", "LicenseRef-ours", "--action", "deny")
    shell("works", "add", work, *said, *PEOPLE).succeeded()
    return shell


def marked(settings):
    """A picture that was released here, without its manifest and its metadata: its pixels alone say what it is."""
    keys = existing_keys(settings)
    key = keys.mark()
    with ledger_for_appending(settings) as ledger:
        ours = {"ledger": ledger, "log_key": keys.log_public(), "mark_key": key, "watermarker": TiledWatermarker(key)}
        parts = replace(real_marks(), **ours)
        return image_file(ImageEncoder().decode(release(parts, data.astronaut()).content))


def planted(settings):
    """Files and what is said of them, by the violation that each is."""
    signer = signer_of(_authority())
    signed = with_manifest(image_file(picture(30)), signer)
    reserved = {"c2pa.ai_training": {"use": "notAllowed"}}
    whole = image_file(picture(31))
    return {
        OptOut.TDMREP: (image_file(picture(1)), {"source": "https://tdm.example.org/1"}),
        OptOut.ROBOTS: (image_file(picture(2)), {"source": "https://robots.example.org/2"}),
        OptOut.X_ROBOTS_TAG: (image_file(picture(3)), {"source": "https://headers.example.org/3"}),
        OptOut.IPTC: (with_xmp(picture(4), xmp(plus__DataMining=f"{MINING}DMI-PROHIBITED")), {}),
        OptOut.C2PA: (
            with_manifest(image_file(picture(5)), signer, label="c2pa.training-mining", uses=reserved),
            {},
        ),
        OptOut.LIST_ID: (image_file(picture(6)), {}),
        OptOut.LIST_DOMAIN: (image_file(picture(7)), {"source": "https://a.listed.example.org/7"}),
        OptOut.LIST_HASH: (image_file(picture(8)), {}),
        Problem.MISSING: (None, {}),
        Problem.UNREADABLE: (whole[: len(whole) // 2], {}),
        Problem.TOO_LARGE: (bomb(), {}),
        Problem.HASH_DIFFERS: (image_file(picture(9)), {"content": "ab" * 32}),
        Problem.DUPLICATE_ID: (image_file(picture(10)), {}),
        Problem.BAD_URL: (image_file(picture(11)), {"source": "somewhere else"}),
        Problem.BAD_VALUE: (image_file(picture(12)), {"collected": "some day"}),
        Problem.FUTURE_TIME: (image_file(picture(13)), {"collected": "2199-01-01T00:00:00Z"}),
        Problem.UNKNOWN_LICENCE: (image_file(picture(14)), {"licence": "ask us"}),
        Problem.MANIFEST_INVALID: (altered(signed), {}),
        Consent.REFUSED: (image_file(picture(15)), {"consent": "refused"}),
        "licence": (image_file(picture(16)), {"licence": "GPL-3.0-only"}),
        "contract": (image_file(picture(17)), {"contract": "nobody-knows"}),
        "personal": (with_exif(picture(18), artist="Somebody", gps=True), {"consent": "unknown"}),
        "similar": (image_file(data.coffee()[::-1].copy()), {}),
        "near_duplicate": (image_file(picture(19)), {}),
        "synthetic_c2pa": (with_manifest(image_file(picture(20)), signer, source_type=TRAINED), {}),
        "synthetic_mark": (marked(settings), {}),
    }


def _authority():
    from governance.testing.certificates import FakeAuthority

    return FakeAuthority("Camera root")


@pytest.fixture(scope="module")
def found(shell):
    """The records of the audit by their places in the manifest, and its report."""
    settings = Settings.load(home=shell.home)
    violations = planted(settings)
    folder = shell.folder / "set"
    folder.mkdir()
    rows = []
    for number in range(CLEAN):
        (folder / f"clean-{number}.png").write_bytes(image_file(picture(100 + number)))
        rows.append({"id": f"clean-{number}", "location": f"clean-{number}.png"})
    for kind, (content, said) in violations.items():
        if content is not None:
            (folder / f"{kind}.bin").write_bytes(content)
        rows.append({"id": str(kind), "location": f"{kind}.bin", **said})
    (folder / "twin.png").write_bytes(image_file(picture(19, side=120)))
    (folder / "again.png").write_bytes(image_file(picture(50)))
    rows += [{"id": "twin", "location": "twin.png"}, {"id": str(Problem.DUPLICATE_ID), "location": "again.png"}]
    (folder / "manifest.jsonl").write_text("\n".join(json.dumps({**KNOWN, **row}) for row in rows))
    hashed = digest(violations[OptOut.LIST_HASH][0])
    (folder / "no.csv").write_text(f"kind,value\nid,{OptOut.LIST_ID}\ndomain,listed.example.org\nhash,{hashed}\n")
    _snapshots(shell.folder / "sites")
    options = ("--name", "planted", "--opt-outs", folder / "no.csv", "--signals", shell.folder / "sites")
    words = ("dataset", "audit", folder / "manifest.jsonl", *options, "--purpose", "marketing", *PEOPLE, "--json")
    said = shell(*words).succeeded().json
    return by_id(settings.datasets_path / "planted" / said["audit"]), said, len(rows)


def _snapshots(folder):
    said = {
        "tdm.example.org/tdmrep.json": '[{"location": "/", "tdm-reservation": 1}]',
        "robots.example.org/robots.txt": "User-agent: GPTBot\nDisallow: /\n",
        "headers.example.org/headers.jsonl": '{"url": "https://headers.example.org/3", "x-robots-tag": "noai"}',
    }
    for name, text in said.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)


def violations_of(row):
    """Everything that a record says against itself."""
    said = {*row["opt_outs"], *row["problems"]}
    said |= {"refused"} if row["consent"] == Consent.REFUSED else set()
    said |= {"licence"} if row["licence"] == "GPL-3.0-only" else set()
    said |= {"contract"} if "training.contract" in row["reasons"] else set()
    said |= {"personal"} if row["personal"] else set()
    said |= {"similar"} if row["work"] and row["similar"] >= 88 else set()
    said |= {"near_duplicate"} if row["near_duplicate"] else set()
    return said | ({"synthetic"} if row["synthetic"] == Synthetic.YES else set())


def expected_of(name):
    """What was planted in a record of this id."""
    if name.startswith("clean"):
        return set()
    if name.startswith("synthetic"):
        return {"synthetic"}
    return {"near_duplicate"} if name == "twin" else {name}


def test_each_planted_violation_is_found_and_none_besides(found):
    records, said, rows = found
    assert said["records"] == rows
    wrong = {
        name: (violations_of(row), expected_of(name))
        for name, row in records.items()
        if violations_of(row) != expected_of(name)
    }
    assert wrong == {}


def test_they_are_counted(found, capsys):
    records, said, _ = found
    counted = Counter(each for row in records.values() for each in violations_of(row))
    with capsys.disabled():
        print(f"\nplanted violations found: {dict(sorted(counted.items()))}")
    report = said["report"]
    assert report["opt_outs"] == dict.fromkeys(sorted(OptOut), 1)
    assert report["problems"] == dict.fromkeys(sorted(Problem), 1) | {"duplicate_id": 2}
    assert report["near_duplicates"] == 2
    assert report["synthetic"][Synthetic.YES] == 2
    assert len(report["works"]) == 1


def test_what_was_planted_is_not_handed_out_and_the_rest_is(found):
    records, _, _ = found
    outcomes = {name: row["outcome"] for name, row in records.items()}
    assert {outcomes[name] for name in outcomes if name.startswith("clean")} == {"allow"}
    harmless = {"near_duplicate", "twin", "synthetic_c2pa", "synthetic_mark", str(Problem.FUTURE_TIME)}
    let_through = {name for name, outcome in outcomes.items() if outcome == "allow" and not name.startswith("clean")}
    assert let_through <= harmless | {str(Problem.UNKNOWN_LICENCE)}
