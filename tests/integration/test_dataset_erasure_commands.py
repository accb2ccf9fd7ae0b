"""`governance dataset erase` from outside: over a real audit, with the ledger, the erasure log and a restored backup."""

from __future__ import annotations

import io
import json
import shutil

import pytest
from PIL import Image
from skimage import data

from governance.canonical import digest
from governance.entries import EntryKind
from governance.lineage.audits import audits
from governance.lineage.matching import Match
from governance.lineage.recall_entries import Cause, RecallBy
from governance_adapters.audit_files import FolderAuditFiles
from governance_adapters.datasets.store.leaves import LEAVES_FILE
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_ledger
from support.command import Shell

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")

REQUEST = ("--reference", "file 17", "--yes", "--json")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two audits of five photographs, two of which are Ada's."""
    folder = tmp_path_factory.mktemp("erasing")
    pictures = folder / "pictures"
    pictures.mkdir()
    rows = []
    for number, name in enumerate(("astronaut", "coffee", "rocket", "chelsea", "retina")):
        Image.fromarray(getattr(data, name)()).resize((64, 64)).save(pictures / f"{name}.png")
        owner = "Ada Example" if number < 2 else "Bob Example"
        rows.append({"file_name": f"{name}.png", "caption": f"{owner}'s {name}", "owner": owner})
    (pictures / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shell = Shell(folder, folder / "home", {"GOVERNANCE_PRINCIPAL": "privacy@example.org"})
    shell("init").succeeded()
    stated = ("--default", "licence=CC0-1.0", "--default", "source_kind=own", "--no-detectors")
    for _ in range(2):
        shell("dataset", "audit", pictures, "--name", "photographs", *stated, "--purpose", "marketing").succeeded()
    return shell


@pytest.fixture
def shell(made, tmp_path):
    """A copy of it, to be changed at will."""
    shutil.copytree(made.home, tmp_path / "home")
    return Shell(tmp_path, tmp_path / "home", made.variables)


def folders(shell):
    return [path.parent for path in (shell.home / "datasets").rglob(LEAVES_FILE)]


def picture(made, name):
    return made.home.parent / "pictures" / f"{name}.png"


def checks(shell):
    ran = shell("dataset", "verify", "photographs", "--json")
    return ran.code, {each["name"]: each["detail"] for each in ran.json["checks"]}


def owners(shell):
    from pyarrow import parquet

    return sorted(
        o for each in folders(shell) for o in parquet.read_table(each / "records.parquet")["owner"].to_pylist()
    )


def test_a_person_is_forgotten_in_every_audit_and_everything_verifies(made, shell):
    proof = shell.home.parent / "proof.json"
    coffee = picture(made, "coffee")
    shell("dataset", "prove", "photographs", coffee, "--out", proof).succeeded()
    tried = shell("dataset", "erase", "photographs", "--owner", "Ada Example", "--dry-run", "--json").succeeded().json
    assert (tried["erased"]["records"], tried["entries"]) == (4, [])
    assert owners(shell).count("Ada Example") == 4
    done = shell("dataset", "erase", "photographs", "--owner", "Ada Example", *REQUEST).succeeded().json
    assert (done["erased"]["records"], done["kept"]) == (4, [])
    assert owners(shell) == [""] * 4 + ["Bob Example"] * 6
    assert not list((shell.home / "datasets").rglob("salts.key"))
    assert not [path for path in shell.home.rglob("*") if path.is_file() and b"Ada Example" in path.read_bytes()]
    code, details = checks(shell)
    assert code == 0
    assert "what is personal of 2 was erased" in details["records"]
    shell("dataset", "verify", "--proof", proof, "--file", coffee).succeeded()
    found = shell("dataset", "contains", "photographs", coffee, "--json").succeeded().json
    assert (found["present"], found["records"][0]["id"]) == (True, "coffee.png")
    shell("dataset", "prove", "photographs", coffee, "--disclose", "owner").failed(1, "was erased")
    shell("ledger", "verify").succeeded()
    with open_ledger(Settings.load(home=shell.home)) as ledger:
        (entry,) = [entry for _, entry in ledger.entries(kind=EntryKind.ERASED)]
        assert [entry.id] == done["entries"]
        assert {field.value for field in ledger.fields(entry.id)} == {"privacy@example.org", "file 17"}
    again = shell("dataset", "erase", "photographs", "--owner", "Ada Example", *REQUEST).succeeded().json
    assert (again["erased"]["records"], again["entries"]) == (0, [])


def test_one_record_is_forgotten_by_its_id(made, shell):
    done = shell("dataset", "erase", "photographs", "--record", "rocket.png", "--basis", "order", *REQUEST)
    assert done.succeeded().json["erased"]["records"] == 2
    assert owners(shell) == ["", ""] + ["Ada Example"] * 4 + ["Bob Example"] * 4
    content = digest(picture(made, "rocket").read_bytes())
    assert shell("dataset", "contains", "photographs", content, "--json").succeeded().json["present"]


def test_it_asks_first_and_takes_no_for_an_answer(shell, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    refused = shell("dataset", "erase", "photographs", "--record", "rocket.png")
    assert (refused.code, owners(shell).count("")) == (1, 0)
    assert "would be erased" in refused.out
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    shell("dataset", "erase", "photographs", "--record", "rocket.png").succeeded()
    assert owners(shell).count("") == 2


def test_a_legal_hold_keeps_an_owner(shell):
    placed = shell("ledger", "legal-hold", "place", "--principal", "Ada Example", "--json").succeeded().json
    ran = shell("dataset", "erase", "photographs", "--owner", "Ada Example", *REQUEST)
    assert (ran.code, ran.json["kept"][0]["legal_hold"]) == (1, placed["id"])
    assert owners(shell).count("Ada Example") == 4
    shell("ledger", "legal-hold", "lift", placed["id"]).succeeded()
    assert shell("dataset", "erase", "photographs", "--owner", "Ada Example", *REQUEST).succeeded()


def test_a_restored_folder_is_refused_until_it_is_erased_again(shell, tmp_path):
    shutil.copytree(shell.home / "datasets", tmp_path / "backup")
    shell("dataset", "erase", "photographs", "--owner", "Ada Example", *REQUEST).succeeded()
    shutil.rmtree(shell.home / "datasets")
    shutil.copytree(tmp_path / "backup", shell.home / "datasets")
    code, details = checks(shell)
    assert (code, "--again" in details["records"]) == (1, True)
    shell("dataset", "erase", "photographs", "--again").succeeded()
    assert owners(shell).count("Ada Example") == 0
    assert checks(shell)[0] == 0


def test_a_restored_ledger_is_erased_again_with_its_folders(shell, tmp_path):
    backup = tmp_path / "backup.sqlite3"
    shell("ledger", "backup", backup).succeeded()
    shutil.copytree(shell.home / "datasets", tmp_path / "backup")
    shell("dataset", "erase", "photographs", "--owner", "Ada Example", *REQUEST).succeeded()
    for path in shell.home.glob("ledger.sqlite3*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(shell.home / "datasets")
    shutil.copytree(tmp_path / "backup", shell.home / "datasets")
    shell("ledger", "restore", backup, "--check", "--json")
    assert owners(shell).count("Ada Example") == 4
    shell("ledger", "restore", backup, "--accept-loss").succeeded()
    assert owners(shell).count("Ada Example") == 0
    assert checks(shell)[0] == 0


def test_documents_and_recalls_go_on_over_what_is_left(shell):
    shell("dataset", "erase", "photographs", "--owner", "Ada Example", *REQUEST).succeeded()
    shell("documents", "croissant", "photographs", "--out", shell.folder / "croissant.json").succeeded()
    assert b"Ada" not in (shell.folder / "croissant.json").read_bytes()
    settings = Settings.load(home=shell.home)
    with open_ledger(settings) as ledger:
        files, match = FolderAuditFiles(settings, ledger), Match(Cause(RecallBy.DATASET, "photographs"))
        assert [files.leaves(audit, match) for audit in audits(ledger, "photographs")] == [frozenset(range(5))] * 2


def test_an_audit_that_is_not_finished_is_named(shell):
    begun = shell.home / "datasets" / "photographs" / "begun"
    begun.mkdir()
    journal = {"version": 1, "name": "photographs", "audit": "begun", "as_of": "", "plan": "", "kind": "folder"}
    more = {"fingerprint": "", "root": "", "location": "", "contracts": {}}
    (begun / "journal.json").write_text(json.dumps(journal | more))
    ran = shell("dataset", "erase", "photographs", "--owner", "Ada Example", *REQUEST)
    assert ran.code == 1
    assert ran.json["erased"]["records"] == 4
    assert "not finished" in ran.json["kept"][0]["why"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "one of --owner"),
        (("--owner", "a", "--record", "b"), "one of --owner"),
        (("--owner", ""), "nobody's"),
        (("--again", "--dry-run"), "nothing new"),
        (("--owner", "a", "--json"), "--yes"),
        (("--owner", "privacy@example.org", "--yes"), "themselves"),
    ],
)
def test_what_is_asked_wrongly_is_an_error(made, options, says):
    made("dataset", "erase", "photographs", *options).failed(1, says)
    made("dataset", "erase", "dogs", "--owner", "a", "--yes").failed(1, "no audit")
