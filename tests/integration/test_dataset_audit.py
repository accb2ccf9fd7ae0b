"""Audits from outside and from inside: what is found, what is recorded, what goes on after an interruption, what is refused."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import stat
import time
from dataclasses import replace

import pytest

from governance.canonical import canonical_bytes, digest
from governance.datasets.records import DatasetRecord
from governance.datasets.standing import DatasetState, dataset_standing
from governance.entries import EntryKind
from governance.errors import DatasetChangedError, DatasetError, LedgerError, PolicyError
from governance.registers.item_checks import moment
from governance.registers.items import Contract, Vendor
from governance.registers.register import Registers
from governance.types import Principal
from governance_adapters.dataset_audits import Asked, approve, audit_dataset, withdraw
from governance_adapters.datasets.audit.folders import locked
from governance_adapters.engines import open_policy
from governance_adapters.installation import ledger_for_appending
from governance_adapters.settings import Settings
from support.audits import by_id, left, manifest
from support.command import Shell

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")

AUDITOR = Principal("auditor@example.org", ("counsel",))
BY = ("--principal", "auditor@example.org", "--purpose", "marketing")
AS_OF = "2026-06-01T12:00:00.000Z"
ROWS = 60


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """An installation that every test starts with a copy of."""
    shell = Shell(tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("made") / "home")
    shell("init").succeeded()
    return shell.home


@pytest.fixture
def shell(tmp_path, installed):
    """A fresh installation, and a folder to work in."""
    shutil.copytree(installed, tmp_path / "home")
    return Shell(tmp_path, tmp_path / "home")


@pytest.fixture
def settings(shell):
    """The settings of that installation."""
    return Settings.load(home=shell.home)


@pytest.fixture
def ledger(settings):
    """Its ledger."""
    with ledger_for_appending(settings) as ledger:
        yield ledger


@pytest.fixture(scope="module")
def policy(installed):
    """The engine over the shipped bundle, kept: starting one takes longer than an audit."""
    engine = open_policy(Settings.load(home=installed))
    yield engine
    engine.close()


def rows():
    """Records of several combinations of facts, some of one content, some without any."""
    licences = ("CC-BY-4.0", "cc0", "all rights reserved", "")
    for number in range(ROWS):
        row = {"licence": licences[number % 4], "consent": ("given", "refused", "not_needed")[number % 3]}
        if number % 10 == 7:
            row["content"] = digest(b"content 0")
        if number % 10 == 9:
            row["content"] = None
        yield row


def asked(place, **said):
    return Asked(str(place), "words", look=False, as_of=AS_OF, rows=10, purpose="marketing", **said)


def folder_of(settings, standing):
    return settings.datasets_path / standing.name / standing.audit


def test_what_was_crawled_nobody_says_where_is_not_simply_allowed(shell, settings, ledger, policy):
    """No site and no list of domains can be asked about it: leaving out the source must not be a way to be allowed."""
    said = ({"source_kind": "crawled"}, {"source_kind": "crawled", "source": None}, {"source": None})
    audit = asked(manifest(shell.folder / "words.jsonl", said))
    standing = audit_dataset(settings, audit, AUDITOR, ledger, policy=policy)
    found = by_id(folder_of(settings, standing))
    assert [found[f"r{number:05}"]["problems"] for number in range(3)] == [[], ["bad_url"], []]
    assert "training.problem" in found["r00001"]["reasons"]


def test_an_audit_is_recorded_shown_approved_and_withdrawn(shell, settings):
    place = manifest(shell.folder / "words.jsonl", rows())
    ran = shell("dataset", "audit", place, "--name", "words", "--no-look", *BY, "--json")
    said = ran.succeeded().json
    assert (said["records"], said["contents"], said["state"]) == (ROWS, ROWS - 6 - 6, "audited")
    report = said["report"]
    assert report["outcomes"] == said["outcomes"]
    assert sum(report["outcomes"].values()) == ROWS
    assert report["outcomes"]["deny"] > report["outcomes"]["review"] > 0
    assert report["licences"]["CC0-1.0"]["records"] == ROWS // 4
    assert report["problems"] == {"unknown_licence": ROWS // 4}
    assert (report["without_content"], report["duplicates"], report["bases"]) == (6, 6, {"none": 6, "stated": 54})
    assert report["nsfw"] == {"not_looked": ROWS}
    assert shell("dataset", "show", "words", "--json").succeeded().json == said
    assert "training.licence" in shell("dataset", "show", "words").succeeded().out
    counsel = ("--principal", "counsel@example.org", "--role", "counsel", "--comment", "read it", "--json")
    approved = shell("dataset", "approve", "words", "--audited", said["audited"], *counsel).succeeded().json
    assert (approved["state"], len(approved["approvals"])) == ("approved", 1)
    assert shell("dataset", "list", "--json").succeeded().json == [approved]
    withdrawn = shell("dataset", "withdraw", "words", *counsel).succeeded().json
    assert (withdrawn["state"], withdrawn["approvals"]) == ("withdrawn", [])
    shell("dataset", "withdraw", "words", *counsel[:-1]).failed(1, "No approval of words stands")
    assert "withdrawn" in shell("dataset", "list").succeeded().out
    assert "verified" in shell("ledger", "verify").succeeded().out
    leaf = json.dumps(shell("ledger", "list", "--json").succeeded().json)
    assert "counsel@example.org" not in leaf
    assert "read it" not in leaf


def test_the_records_say_everything_that_was_found(settings, ledger, policy, tmp_path):
    place = manifest(tmp_path / "words.jsonl", rows())
    standing = audit_dataset(settings, asked(place), AUDITOR, ledger, policy=policy)
    folder = folder_of(settings, standing)
    found = by_id(folder)
    assert set(DatasetRecord.__dataclass_fields__) <= set(found["r00000"])
    first, second = found["r00000"], found["r00002"]
    assert (first["licence"], first["domain"], first["basis"]) == ("CC-BY-4.0", "pictures.example.org", "stated")
    assert first["reasons"]
    assert first["collected"] == "2024-05-01T10:00:00Z"
    assert (second["licence"], second["licence_stated"]) == ("", "all rights reserved")
    assert (second["outcome"], second["problems"]) == ("deny", ["unknown_licence"])
    assert found["r00009"]["content"] == ""
    contents = [(row["content"], row["id"]) for row in left(folder)[0]]
    assert contents == sorted(contents)
    assert stat.S_IMODE((folder / "salts.key").stat().st_mode) == 0o600
    assert sorted(each.name for each in folder.iterdir() if each.is_dir()) == []
    assert not (folder / "journal.json").exists()
    assert ledger.document(standing.report) == (folder / "report.json").read_bytes()
    assert ledger.document(standing.combinations) == (folder / "combinations.json").read_bytes()


class Interrupted(BaseException):
    """Stands for whatever ends a process."""


def interrupted_at(settings, ledger, policy, what, step, after):
    """Begin an audit and end it when `step` has come so far; returns the steps that were reached."""
    reached = []

    def progress(name, done, total):
        reached.append(name)
        if name == step and done >= after:
            raise Interrupted

    with pytest.raises(Interrupted):
        audit_dataset(settings, what, AUDITOR, ledger, policy=policy, progress=progress)
    return reached


@pytest.mark.parametrize(("step", "after"), [("read", 20), ("join", 1), ("sort", 1), ("prove", 1)])
def test_a_resumed_audit_equals_an_uninterrupted_one(settings, ledger, policy, tmp_path, step, after):
    place = manifest(tmp_path / "words.jsonl", rows())
    first = audit_dataset(settings, asked(place), AUDITOR, ledger, policy=policy)
    whole = folder_of(settings, first)
    interrupted_at(settings, ledger, policy, asked(place), step, after)
    (begun_one,) = (each.parent for each in (settings.datasets_path / "words").glob("*/journal.json"))
    # Two audits have two keys of salts; here they get the same one, so that what is committed can be compared.
    shutil.copy(whole / "salts.key", begun_one / "salts.key")
    kept = {path: path.stat().st_mtime_ns for path in begun_one.glob("parts/*.parquet")}
    second = audit_dataset(settings, asked(place), AUDITOR, ledger, policy=policy)
    assert second.audit == begun_one.name
    assert second.audited.body["previous"] == first.audited.id
    assert left(folder_of(settings, second)) == left(whole)
    assert second.root == first.root
    assert len(kept) >= (2 if step == "read" else 6)


def test_parts_that_were_read_are_not_read_again(settings, ledger, policy, tmp_path):
    place = manifest(tmp_path / "words.jsonl", rows())
    interrupted_at(settings, ledger, policy, asked(place), "join", 1)
    (folder,) = (each.parent for each in (settings.datasets_path / "words").glob("*/journal.json"))
    before = {path.name: path.stat().st_ino for path in folder.glob("parts/*.parquet")}
    reached = interrupted_at(settings, ledger, policy, asked(place), "join", 1)
    assert reached.count("read") == 1
    assert {path.name: path.stat().st_ino for path in folder.glob("parts/*.parquet")} == before
    assert len(before) == ROWS // 10


def test_a_killed_audit_goes_on(shell, settings):
    place = manifest(shell.folder / "words.jsonl", (row for _ in range(50) for row in rows()))
    words = ("dataset", "audit", place, "--name", "words", "--no-look", *BY)
    process = shell.start(*words)
    folder = settings.datasets_path / "words"
    while not list(folder.glob("*/journal.json")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (journal,) = folder.glob("*/journal.json")
    said = shell(*words, "--json").succeeded().json
    assert said["audit"] == journal.parent.name
    assert said["records"] == 50 * ROWS
    assert said["report"]["duplicate_ids"] == 0


def test_a_dataset_that_changed_is_not_gone_on_with(settings, ledger, policy, tmp_path):
    place = manifest(tmp_path / "words.jsonl", rows())
    interrupted_at(settings, ledger, policy, asked(place), "read", 20)
    manifest(place, [*rows(), {}])
    with pytest.raises(DatasetChangedError, match="the dataset has changed since"):
        audit_dataset(settings, asked(place), AUDITOR, ledger, policy=policy)
    standing = audit_dataset(settings, asked(place, afresh=True), AUDITOR, ledger, policy=policy)
    assert standing.records == ROWS + 1
    assert [each.name for each in (settings.datasets_path / "words").glob("*") if each.is_dir()] == [standing.audit]


def test_an_audit_that_is_asked_otherwise_is_not_gone_on_with(settings, ledger, policy, tmp_path):
    place = manifest(tmp_path / "words.jsonl", rows())
    interrupted_at(settings, ledger, policy, asked(place), "read", 20)
    (tmp_path / "no.csv").write_text("kind,value\nid,r00001\n")
    with pytest.raises(DatasetChangedError, match="what the audit was asked has changed"):
        audit_dataset(settings, asked(place, opt_outs=(tmp_path / "no.csv",)), AUDITOR, ledger, policy=policy)


def test_a_dataset_that_changes_while_it_is_read_is_an_error(settings, ledger, policy, tmp_path):
    place = manifest(tmp_path / "words.jsonl", rows())

    def progress(step, done, total):
        if step == "read" and done == total:
            os.utime(place, ns=(1, 1))

    with pytest.raises(DatasetChangedError, match="was changed while it was read"):
        audit_dataset(settings, asked(place), AUDITOR, ledger, policy=policy, progress=progress)
    assert ledger.entries(kind=EntryKind.DATASET) == []


def test_two_audits_of_one_dataset_do_not_run_at_once(settings, ledger, policy, tmp_path):
    place = manifest(tmp_path / "words.jsonl", rows())
    with locked(settings.datasets_path, "words") as folder:
        with (folder / ".lock").open("ab") as file, pytest.raises(OSError, match="unavailable"):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(DatasetError, match="being audited by another process"):
            audit_dataset(settings, asked(place), AUDITOR, ledger, policy=policy)


class _FailingLedger:
    """A ledger that writes one kind of entry no more."""

    def __init__(self, ledger):
        self._ledger = ledger

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def append(self, record):
        if record.entry.kind is EntryKind.DATASET:
            raise LedgerError("The disk is full.", remedy="Make room.")
        return self._ledger.append(record)


def test_an_audit_that_cannot_be_recorded_goes_on_from_there(settings, ledger, policy, tmp_path):
    place = manifest(tmp_path / "words.jsonl", rows())
    with pytest.raises(LedgerError, match="disk is full"):
        audit_dataset(settings, asked(place), AUDITOR, _FailingLedger(ledger), policy=policy)
    (journal,) = (settings.datasets_path / "words").glob("*/journal.json")
    assert audit_dataset(settings, asked(place), AUDITOR, ledger, policy=policy).audit == journal.parent.name
    assert len(ledger.entries(kind=EntryKind.DATASET)) == 1


def test_an_audit_that_was_recorded_is_not_recorded_twice(settings, ledger, policy, tmp_path):
    place = manifest(tmp_path / "words.jsonl", rows())
    first = audit_dataset(settings, asked(place), AUDITOR, ledger, policy=policy)
    folder = folder_of(settings, first)
    journal = json.loads((folder / "source.json").read_bytes())
    for extra in ("options", "ignored"):
        journal.pop(extra)
    (folder / "journal.json").write_bytes(canonical_bytes(journal))
    again = audit_dataset(settings, asked(place), AUDITOR, ledger, policy=policy)
    assert again.audited.id == first.audited.id
    assert not (folder / "journal.json").exists()
    assert len(ledger.entries(kind=EntryKind.DATASET)) == 1


def test_contracts_count_as_the_register_knows_them(settings, ledger, policy, tmp_path):
    registers = Registers(ledger)
    vendor = _vendor()
    registers.add(vendor, AUDITOR)
    for key, ends in (("stock-2024", "2027-01-01"), ("stock-2020", "2021-01-01")):
        registers.add(_contract(key, vendor.key, ends), AUDITOR)
    for key, covered in (("of-these", ("words",)), ("of-others", ("scans",))):
        registers.add(replace(_contract(key, vendor.key, "2027-01-01"), datasets=covered), AUDITOR)
    keys = ("stock-2024", "stock-2020", "nobody-knows", "of-these", "of-others", "")
    said = [{"contract": key, "licence": ""} for key in keys]
    place = manifest(tmp_path / "words.jsonl", said)
    standing = audit_dataset(settings, asked(place), AUDITOR, ledger, policy=policy)
    report = json.loads((folder_of(settings, standing) / "report.json").read_bytes())
    assert {key: each["state"] for key, each in report["contracts"].items()} == {
        "stock-2024": "active",
        "stock-2020": "expired",
        "nobody-knows": "unknown",
        "of-these": "active",
        "of-others": "unknown",
    }
    outcomes = {row["contract"]: row["outcome"] for row in by_id(folder_of(settings, standing)).values()}
    assert {key for key, outcome in outcomes.items() if outcome == "review"} == {"stock-2024", "of-these"}
    assert {outcomes[key] for key in ("stock-2020", "nobody-knows", "of-others", "")} == {"deny"}


def _vendor():
    return Vendor("stock", "Stock house", "EU", "desk@example.org", "https://stock.example.org")


def _contract(key, vendor, ends):
    return Contract(key, vendor, "Pictures", "LicenseRef-stock", moment("2020-01-01"), moment(ends))


def test_what_is_empty_or_not_there_is_refused_and_leaves_no_entry(shell):
    (shell.folder / "empty.jsonl").write_text("")
    by = ("--no-look", *BY)
    shell("dataset", "audit", shell.folder / "empty.jsonl", "--name", "words", *by).failed(1, "no JSON object")
    shell("dataset", "audit", shell.folder / "nothing", "--name", "words", *by).failed(1, "nothing")
    shell("dataset", "audit", shell.folder / "empty.jsonl", "--name", "Words", *by).failed(1, "no name for a dataset")
    shell("dataset", "audit", shell.folder / "empty.jsonl", "--name", "w", "--column", "licence", *by).failed(
        1, "--column"
    )
    words = ("dataset", "audit", manifest(shell.folder / "words.jsonl", rows()), "--name", "words", "--no-look")
    shell(*words, "--principal", "auditor@example.org").failed(1, "for a purpose")
    shell("dataset", "show", "words").failed(1, "no audit of a dataset 'words'")
    shell("dataset", "approve", "words", "--principal", "counsel@example.org").failed(1, "no audit of a dataset")
    assert shell("dataset", "list", "--json").succeeded().json == []


def test_approvals_name_the_audit_that_was_seen(settings, ledger, policy, tmp_path):
    place = manifest(tmp_path / "words.jsonl", rows())
    first = audit_dataset(settings, asked(place), AUDITOR, ledger, policy=policy)
    second = audit_dataset(settings, asked(place), AUDITOR, ledger, policy=policy)
    with pytest.raises(DatasetError, match="not "):
        approve(ledger, "words", AUDITOR, audited=first.audited.id)
    assert approve(ledger, "words", AUDITOR, audited=second.audited.id).state is DatasetState.APPROVED
    assert withdraw(ledger, "words", AUDITOR).state is DatasetState.WITHDRAWN
    assert dataset_standing(ledger, "words").approvals == ()


def test_an_engine_that_fails_leaves_no_entry(settings, ledger, tmp_path):
    class Broken:
        bundle_revision = digest(b"1")

        def decide(self, stage, facts):
            raise PolicyError("The engine is down.", remedy="Start it.")

    place = manifest(tmp_path / "words.jsonl", rows())
    with pytest.raises(PolicyError, match="engine is down"):
        audit_dataset(settings, asked(place), AUDITOR, ledger, policy=Broken())
    assert ledger.entries(kind=EntryKind.DATASET) == []
