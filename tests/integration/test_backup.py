"""A backup and what becomes of it: tried, restored into either database, erased again, and never a quiet loss."""

from __future__ import annotations

import shutil
import sqlite3
import warnings
from contextlib import closing

import pytest

from governance.entries import EntryKind
from governance.erasure import Basis, ErasureOrder
from governance.errors import ConfigurationError, StorageError
from governance.forgetting import Eraser
from governance.testing import EXAMPLE_MODEL, FakeDetector, FakePipeline, example_request
from governance_adapters.installation import initialise, ledger_for_appending
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.marking.keys import KeyFolder
from governance_adapters.restoring import restore, try_backup
from governance_adapters.settings import Settings
from governance_adapters.storage.erasure_log import FileErasureLog
from governance_adapters.storage.quarantine import FileQuarantine
from governance_adapters.storage.vault import FsspecVault
from governance_adapters.wiring import open_governor, open_ledger
from support.allowed import allowed
from support.command import Shell

DETECTORS = (FakeDetector(), FakeDetector({"copy": 0.0}, name="similarity"))
PROMPT = "a red seven on a blue background"


@pytest.fixture(params=["sqlite", "postgresql"])
def made(request, tmp_path):
    """An installation on each database, with one picture released to "ann"."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    settings = Settings.load(home=tmp_path / "home", database_url=url, principal="ann", roles=("designer",))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        initialise(settings)
    allowed(settings, EXAMPLE_MODEL, name="painted", licence="CC0-1.0")
    generate(settings, "first")
    return settings


def generate(settings, request_id):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        governor = open_governor(settings, detectors=DETECTORS)
    try:
        return governor.generate(example_request(id=request_id), FakePipeline())
    finally:
        governor.parts.ledger.close()


def backed_up(settings, path):
    with ledger_for_appending(settings) as ledger:
        return ledger.back_up(path)


def elsewhere(settings, tmp_path, **changes):
    """The same installation whose ledger is gone: everything else is as it was."""
    return settings.model_copy(update={"ledger": tmp_path / "elsewhere" / "ledger.sqlite3", **changes})


def erase(settings, person):
    keys = KeyFolder(settings.keys_path)
    with ledger_for_appending(settings) as ledger:
        eraser = Eraser(
            ledger,
            FsspecVault(settings.vault_url),
            FileQuarantine(settings.quarantine_path, keys.quarantine()),
            FileErasureLog(settings.erasure_log_path),
            keys.log_public(),
        )
        return eraser.person(person, ErasureOrder(Basis.REQUEST))


def kinds(settings):
    with open_ledger(settings) as ledger:
        assert list(ledger.verify()) == []
        return [entry.kind for _, entry in ledger.entries() if entry.kind is not EntryKind.REGISTER]


def test_a_backup_restores_into_either_database_and_goes_on_as_the_same_log(made, tmp_path, postgres_cluster):
    backup = tmp_path / "backup.sqlite3"
    checkpoint = backed_up(made, backup)
    receipt = generate(made, "first").items[0].asset.receipt  # recorded: the same result again
    before = kinds(made)
    url = postgres_cluster.fresh_database()
    for name, address in (("file", None), ("server", url)):
        vault = shutil.copytree(made.vault_url, tmp_path / name)
        target = elsewhere(made, tmp_path, database_url=address, vault=str(vault))
        trial = try_backup(target, backup)
        assert (trial.backup, trial.problems, trial.lost, trial.newer) == (checkpoint, (), (), None)
        restore(target, backup, trial)
        assert kinds(target) == [*before, EntryKind.RESTORED]
        with open_ledger(target) as ledger:
            assert ledger.receipt(receipt.entry.id).leaf == receipt.leaf
        assert generate(target, "first").items[0].entry == receipt.entry
        generate(target, "second")
        with pytest.raises(ConfigurationError, match="already"):
            restore(target, backup, trial)
    postgres_cluster.drop(url)


def test_what_was_erased_since_is_erased_again(made, tmp_path):
    backup = tmp_path / "backup.sqlite3"
    backed_up(made, backup)
    assert erase(made, "designer@example.org").fields > 0
    assert PROMPT.encode() in backup.read_bytes()
    target = elsewhere(made, tmp_path, database_url=None)
    trial = try_backup(target, backup)
    assert trial.problems == ()
    assert trial.erased.fields > 0
    assert "receipts" in trial.lost[0]  # the erased entry itself came after the backup
    assert trial.newer > trial.backup.size
    restore(target, backup, trial)
    raw = b"".join(path.read_bytes() for path in target.ledger_path.parent.glob("ledger.sqlite3*") if path.is_file())
    assert PROMPT.encode() not in raw
    assert b"designer@example.org" not in raw
    assert kinds(target)[-2:] == [EntryKind.RESTORED, EntryKind.ERASED]
    with open_ledger(target) as ledger:
        (_, restored), (_, erased) = ledger.entries()[-2:]
    assert restored.body["newer"] == trial.newer
    assert erased.body["basis"] == "replay"


def test_a_restore_that_is_interrupted_leaves_nothing_and_runs_again(made, tmp_path):
    backup = tmp_path / "backup.sqlite3"
    backed_up(made, backup)
    erase(made, "designer@example.org")
    target = elsewhere(
        made, tmp_path, database_url=None, quarantine=tmp_path / "no" / "such", vault=str(tmp_path / "vault")
    )
    shutil.copytree(made.vault_url, tmp_path / "vault")
    trial = try_backup(target, backup)
    (tmp_path / "no").write_text("a file where the quarantine's folder should be")
    with pytest.raises(StorageError):
        restore(target, backup, trial)
    assert not target.ledger_path.exists()
    (tmp_path / "no").unlink()
    assert restore(target, backup, trial).fields > 0
    assert kinds(target)[-2:] == [EntryKind.RESTORED, EntryKind.ERASED]


def test_what_a_killed_program_left_in_a_log_beside_the_file_is_restored_too(tmp_path, settings):
    allowed(settings, EXAMPLE_MODEL, name="painted", licence="CC0-1.0")
    generate(settings, "first")
    with closing(sqlite3.connect(settings.ledger_path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM entry").fetchone()  # whoever reads keeps the log from being brought home
        generate(settings, "second")
        copies = tmp_path / "copies"
        copies.mkdir()
        for path in settings.home.glob("ledger.sqlite3*"):
            if path.is_file():
                shutil.copyfile(path, copies / path.name)
    assert (copies / "ledger.sqlite3-wal").stat().st_size > 0
    target = elsewhere(settings, tmp_path)
    trial = try_backup(target, copies / "ledger.sqlite3")
    assert trial.sound
    restore(target, copies / "ledger.sqlite3", trial)
    assert kinds(target) == [*kinds(settings), EntryKind.RESTORED]


def test_releases_after_the_backup_are_named_as_lost(made, tmp_path):
    backup = tmp_path / "backup.sqlite3"
    backed_up(made, backup)
    released = generate(made, "second").items[0].asset
    target = elsewhere(made, tmp_path, database_url=None)
    (lost,) = try_backup(target, backup).lost
    assert released.digest in lost
    assert not try_backup(target, backup).sound


def test_a_damaged_backup_is_named(made, tmp_path):
    backup, damaged = tmp_path / "backup.sqlite3", tmp_path / "damaged.sqlite3"
    backed_up(made, backup)
    content = bytearray(backup.read_bytes())
    content[content.find(PROMPT.encode())] ^= 1
    damaged.write_bytes(content)
    problems = try_backup(elsewhere(made, tmp_path, database_url=None), damaged).problems
    assert any("altered" in problem for problem in problems)


def test_the_commands(made, tmp_path):
    backup, new = tmp_path / "backup.sqlite3", tmp_path / "new.sqlite3"
    place = {} if made.database_url is None else {"GOVERNANCE_DATABASE_URL": made.database_url}
    shell = Shell(tmp_path, made.home, place)
    moved = Shell(tmp_path, made.home, {"GOVERNANCE_LEDGER": str(new)})
    shell("ledger", "backup", str(backup)).succeeded()
    shell("ledger", "backup", str(backup)).failed(1, "exists")
    receipt = generate(made, "first").items[0].asset.receipt
    kept = tmp_path / "kept.receipt.json"
    kept.write_text(receipt.to_json())
    checked = shell("ledger", "restore", str(backup), "--check", "--since", str(kept), "--json").succeeded()
    assert (checked.json["sound"], checked.json["restored"]) == (True, False)
    shell("ledger", "restore", str(backup)).failed(1, "already")
    generate(made, "second")
    refused = moved("ledger", "restore", str(backup))
    assert (refused.code, "lost" in refused.out, new.exists()) == (1, True, False)
    assert "restored as" in moved("ledger", "restore", str(backup), "--accept-loss").succeeded().out
    moved("ledger", "verify").succeeded()
    said = {part["part"]: part for part in moved("doctor", "--json").json}
    assert not said["vault"]["sound"]  # the second release lies there, and no entry of this log released it
    assert "no entry released it" in said["vault"]["detail"]
