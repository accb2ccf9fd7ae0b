"""`governance dataset contains`, `prove` and `verify` from outside: over a real audit of photographs that a package ships."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from governance.canonical import digest
from governance.datasets.membership import verify_proof
from governance.datasets.proof import ABSENT, PRESENT, DatasetProof
from governance.errors import DatasetError
from governance_adapters.dataset_opening import open_dataset, picture_prints
from governance_adapters.datasets.store.leaves import LEAVES_FILE
from governance_adapters.datasets.store.opened import SALTS_FILE
from governance_adapters.datasets.store.records import RECORDS_FILE, RecordsFile
from governance_adapters.installation import existing_keys
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_work_maker
from support.audited import write_records
from support.command import Shell

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")

BY = ("--principal", "counsel@example.org")
DAMAGED = 1
CANNOT_CHECK = 2


@dataclass(frozen=True)
class Audited:
    """An installation with one audit, and the photographs that it was of."""

    shell: Shell
    pictures: Path

    @property
    def settings(self) -> Settings:
        return Settings.load(home=self.shell.home)

    @property
    def folder(self) -> Path:
        (folder,) = (path.parent for path in (self.shell.home / "datasets" / "photographs").rglob(LEAVES_FILE))
        return folder

    @property
    def key(self):
        return existing_keys(self.settings).log_public()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Everything once: six photographs, one of them twice, and a caption that names somebody."""
    folder = tmp_path_factory.mktemp("audited")
    pictures = folder / "pictures"
    pictures.mkdir()
    for name in ("astronaut", "coffee", "rocket", "chelsea", "retina"):
        Image.fromarray(getattr(data, name)()).resize((320, 256)).save(pictures / f"{name}.png")
    shutil.copy(pictures / "coffee.png", pictures / "again.png")
    rows = [{"file_name": path.name, "caption": f"Ada's {path.stem}"} for path in sorted(pictures.glob("*.png"))]
    (pictures / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shell = Shell(folder, folder / "home")
    shell("init").succeeded()
    open_work_maker(Settings.load(home=shell.home))
    stated = ("--default", "licence=CC0-1.0", "--default", "source_kind=own")
    shell("dataset", "audit", pictures, "--name", "photographs", *stated, *BY).succeeded()
    return Audited(shell, pictures)


@pytest.fixture
def audited(made, tmp_path):
    """A copy of it, to be changed at will."""
    home = tmp_path / "home"
    shutil.copytree(made.shell.home, home)
    return Audited(Shell(tmp_path, home), made.pictures)


def checks(ran):
    return {each["name"]: each["status"] for each in ran.json["checks"]}


def test_a_picture_of_the_dataset_is_in_it_exactly_nearly_and_alike(made):
    picture = made.pictures / "coffee.png"
    found = made.shell("dataset", "contains", "photographs", picture, "--json").succeeded().json
    content = digest(picture.read_bytes())
    assert (found["present"], found["statement"], found["content"], found["size"]) == (True, PRESENT, content, 5)
    assert [each["id"] for each in found["records"]] == ["again.png", "coffee.png"]
    assert found["near"][0] == {"content": content, "distance": 0}
    assert found["alike"][0] == {"content": content, "thousandths": 1000}
    shown = made.shell("dataset", "contains", "photographs", picture).succeeded().out
    assert PRESENT in shown
    assert "coffee.png" in shown


def test_a_copy_that_was_saved_again_is_not_in_it_but_near(made, tmp_path):
    copy = tmp_path / "copy.jpg"
    with Image.open(made.pictures / "rocket.png") as picture:
        picture.resize((200, 160)).save(copy, quality=80)
    found = made.shell("dataset", "contains", "photographs", copy, "--json").succeeded().json
    original = digest((made.pictures / "rocket.png").read_bytes())
    assert (found["present"], found["statement"], found["records"]) == (False, ABSENT, [])
    assert found["near"][0]["content"] == original
    assert 0 < found["near"][0]["distance"] <= 31
    assert found["alike"][0]["content"] == original
    shown = made.shell("dataset", "contains", "photographs", copy).succeeded().out
    assert "these exact bytes are not in the signed list, if it is sorted" in shown


def test_another_picture_is_neither_and_a_digest_is_asked_for_exactly(made, tmp_path):
    other = tmp_path / "other.png"
    Image.fromarray(data.camera()).save(other)
    found = made.shell("dataset", "contains", "photographs", other, "--json").succeeded().json
    assert (found["present"], found["near"]) == (False, [])
    assert found["alike"][0]["thousandths"] < 900
    content = digest((made.pictures / "astronaut.png").read_bytes())
    by_digest = made.shell("dataset", "contains", "photographs", content.upper(), "--json").succeeded().json
    assert (by_digest["present"], by_digest["near"], by_digest["alike"]) == (True, None, None)
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    found = made.shell("dataset", "contains", "photographs", text, "--json").succeeded().json
    assert (found["present"], found["near"], found["alike"]) == (False, None, None)
    assert "not asked" in made.shell("dataset", "contains", "photographs", text).succeeded().out


def test_what_is_asked_wrongly_is_an_error(made):
    made.shell("dataset", "contains", "photographs", "nowhere.png").failed(1, "no file and no SHA-256")
    made.shell("dataset", "contains", "nothing", made.pictures / "coffee.png").failed(1, "no audit of a dataset")
    made.shell("dataset", "prove", "photographs", made.pictures / "coffee.png", "--disclose", "licence").failed(
        1, "no personal field"
    )
    made.shell("dataset", "verify").failed(1, "name, or --proof")
    made.shell("dataset", "verify", "photographs", "--proof", "x").failed(1, "name, or --proof")
    made.shell("dataset", "verify", "photographs", "--log-key", "x").failed(1, "go with --proof")
    made.shell("dataset", "verify", "--proof", "x", "--contents").failed(1, "dataset's name")
    made.shell("dataset", "verify", "--proof", "nowhere.json").failed(1, "cannot be read")


def test_a_proof_goes_to_somebody_who_has_the_log_key_and_nothing_else(made, tmp_path):
    outside = Shell(tmp_path, tmp_path / "nobody")
    key = tmp_path / "log.pub"
    key.write_text(str(made.key))
    for name, here in (("coffee", made.pictures / "coffee.png"), ("cat", tmp_path / "cat.png")):
        if not here.exists():
            Image.fromarray(data.camera()).save(here)
        proof = tmp_path / f"{name}.json"
        made.shell("dataset", "prove", "photographs", here, "--out", proof).succeeded()
        ran = outside("dataset", "verify", "--proof", proof, "--file", here, "--log-key", key, "--json").succeeded()
        assert ran.json["present"] is (name == "coffee")
        assert checks(ran) == {"proof": "holds", "order": "not checked"}
        sorted_too = outside(
            "dataset", "verify", "--proof", proof, "--log-key", str(made.key), "--leaves", made.folder / LEAVES_FILE
        ).succeeded()
        assert "absence that is proved is absence" in sorted_too.out
    wrong_file = outside("dataset", "verify", "--proof", proof, "--file", key, "--log-key", key)
    assert wrong_file.code == DAMAGED
    assert "these bytes have" in wrong_file.out


def test_a_proof_that_was_tampered_with_does_not_hold(made, tmp_path):
    written = made.shell("dataset", "prove", "photographs", made.pictures / "coffee.png").succeeded().out
    assert verify_proof(DatasetProof.from_json(written), made.key).present
    proof = tmp_path / "proof.json"
    for old, new in (
        ('"allow"', '"deny"'),
        ('"review"', '"allow"'),
        ('"coffee.png"', '"tea.png"'),
        ("CC0-1.0", "MIT"),
        (PRESENT, ABSENT),
    ):
        if old not in written:
            continue
        proof.write_text(written.replace(old, new))
        ran = made.shell("dataset", "verify", "--proof", proof, "--json")
        assert (ran.code, checks(ran)["proof"]) == (DAMAGED, "fails")
    proof.write_text(written)
    made.shell("dataset", "verify", "--proof", proof).succeeded()
    leaves = tmp_path / LEAVES_FILE
    rows = (made.folder / LEAVES_FILE).read_bytes()
    leaves.write_bytes(rows[64:128] + rows[:64] + rows[128:])
    ran = made.shell("dataset", "verify", "--proof", proof, "--leaves", leaves, "--json")
    assert checks(ran) == {"proof": "holds", "order": "fails", "root": "fails"}
    leaves.write_bytes(rows[:-64])
    ran = made.shell("dataset", "verify", "--proof", proof, "--leaves", leaves, "--json")
    assert checks(ran) == {"proof": "holds", "order": "holds", "root": "fails"}
    leaves.unlink()
    ran = made.shell("dataset", "verify", "--proof", proof, "--leaves", leaves, "--json")
    assert (ran.code, checks(ran)["order"]) == (CANNOT_CHECK, "could not check")


def test_nothing_personal_is_in_a_proof_unless_it_is_disclosed(made):
    picture = made.pictures / "astronaut.png"
    silent = made.shell("dataset", "prove", "photographs", picture).succeeded().out
    assert "Ada" not in silent
    told = made.shell("dataset", "prove", "photographs", picture, "--disclose", "caption").succeeded().out
    (shown,) = verify_proof(DatasetProof.from_json(told), made.key).disclosed
    assert (shown.name, shown.value) == ("caption", "Ada's astronaut")


def test_a_whole_audit_verifies(made):
    ran = made.shell("dataset", "verify", "photographs", "--json").succeeded()
    holds = ("entry", "order", "root", "records", "report")
    assert checks(ran) == {**dict.fromkeys(holds, "holds"), "content": "not checked"}
    ran = made.shell("dataset", "verify", "photographs", "--contents", "--json").succeeded()
    assert checks(ran)["content"] == "holds"
    assert "could not" not in made.shell("dataset", "verify", "photographs").succeeded().out


def change_record(audited, **said):
    path = audited.folder / RECORDS_FILE
    records = list(RecordsFile(path))
    write_records(path, [replace(records[0], **said), *records[1:]])


def flip(path):
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


CHANGES = {
    "a record": (lambda audited: change_record(audited, licence="MIT"), {"records": "fails"}),
    "a record's owner": (lambda audited: change_record(audited, owner="Bob"), {"records": "fails"}),
    "the salts": (lambda audited: flip(audited.folder / SALTS_FILE), {"records": "fails"}),
    "the last leaf": (lambda audited: flip(audited.folder / LEAVES_FILE), {"root": "fails", "records": "fails"}),
    "the report": (lambda audited: flip(audited.folder / "report.json"), {"report": "fails"}),
    "the combinations": (lambda audited: flip(audited.folder / "combinations.json"), {"report": "fails"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_in_an_audits_folder_is_found(audited, change):
    make, expected = CHANGES[change]
    make(audited)
    ran = audited.shell("dataset", "verify", "photographs", "--json")
    assert ran.code == DAMAGED
    assert {name: status for name, status in checks(ran).items() if status == "fails"} == expected


def test_what_is_missing_could_not_be_checked(audited):
    folder = audited.folder
    (folder / "report.json").unlink()
    ran = audited.shell("dataset", "verify", "photographs", "--json")
    assert (ran.code, checks(ran)["report"]) == (CANNOT_CHECK, "could not check")
    (folder / LEAVES_FILE).unlink()
    audited.shell("dataset", "verify", "photographs").failed(1, "cannot be read")
    shutil.rmtree(folder)
    audited.shell("dataset", "verify", "photographs").failed(1, "has no folder")


def test_files_that_changed_since_the_audit_are_named(made, tmp_path):
    """The dataset's own files, of which the audit keeps nothing but the digests."""
    original = (made.pictures / "retina.png").read_bytes()
    try:
        (made.pictures / "retina.png").write_bytes(original + b"\0")
        ran = made.shell("dataset", "verify", "photographs", "--contents", "--json")
        assert (ran.code, checks(ran)["content"]) == (DAMAGED, "fails")
        assert "retina.png" in ran.out
    finally:
        (made.pictures / "retina.png").write_bytes(original)


def test_pictures_are_not_compared_by_another_model_than_the_audits(made):
    dataset = open_dataset(made.settings, "photographs")
    prints = picture_prints(made.settings, (made.pictures / "coffee.png").read_bytes(), embedding=True)
    assert dataset.alike(prints.embedding, 1, model=prints.model)[0].thousandths == 1000
    with pytest.raises(DatasetError, match="embedded by another model"):
        dataset.alike(prints.embedding, 1, model=digest(b"another model"))
