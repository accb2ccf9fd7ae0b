"""The ledger's schema: what the migrations build, what the code expects, and what a version gap means."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from governance.canonical import digest
from governance.checkpoint import LogSigner, verify_receipt
from governance.entries import Attempt, EntryKind, HoldState, Recorded
from governance.errors import LedgerError, LedgerTooNewError
from governance.testing.example_records import ALGORITHM, KEY_ID, hold_record, intent_record
from governance.testing.ledger_budgets import DAY, spending_record
from governance.types import Stage, Usage
from governance_adapters.storage import schema
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.tables import METADATA, SCHEMA_REVISION

SIGNER = LogSigner.generate("log.example.org/test")
OLD_SIGNER = LogSigner("log.example.org/test", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
OLD_LEDGER = Path(__file__).resolve().parents[1] / "fixtures" / "ledger_0001.sql"
"""What the program of schema 0001 wrote: a released generation of "ann", and an intent whose process vanished."""
UNHELD_LEDGER = OLD_LEDGER.with_name("ledger_0002.sql")
"""What the program of schema 0002 wrote: a release, a held draft in quarantine, and a request held at admission."""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger.open(path, SIGNER) as ledger:
        ledger.append(intent_record("g"))
    return path


@pytest.fixture
def old_path(tmp_path):
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD_LEDGER.read_text())
    return path


def revision_of(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def set_revision(path, revision):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def test_the_migrations_build_what_the_code_expects(path):
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []
        assert context.get_current_revision() == SCHEMA_REVISION
    engine.dispose()


def test_the_code_knows_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA_REVISION]


def test_a_hosts_own_tables_are_not_ours():
    assert not set(METADATA.tables) & set(SQLModel.metadata.tables)


@pytest.mark.parametrize(
    "opening",
    [lambda path: SqliteLedger.open(path, SIGNER), lambda path: SqliteLedger.open_read_only(path, SIGNER.key)],
)
def test_a_newer_ledger_is_left_alone(path, opening):
    set_revision(path, "9999")
    before = path.read_bytes()
    with pytest.raises(LedgerTooNewError, match="9999") as caught:
        opening(path)
    assert "Upgrade" in caught.value.remedy
    assert path.read_bytes() == before
    set_revision(path, SCHEMA_REVISION)
    with opening(path) as ledger:
        assert list(ledger.verify()) == []


def test_a_schema_that_was_half_made_is_an_error(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM alembic_version")
    with pytest.raises(LedgerError):
        SqliteLedger.open(path, SIGNER)


def test_the_file_runs_as_durably_as_promised(path):
    with SqliteLedger.open(path, SIGNER) as ledger, ledger._held().database.writing() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_ledger_of_the_first_schema_is_brought_up_to_date_and_goes_on(old_path):
    assert revision_of(old_path) == "0001"
    with SqliteLedger.open(old_path, OLD_SIGNER) as ledger:
        assert revision_of(old_path) == SCHEMA_REVISION
        assert [entry.kind for _, entry in ledger.entries()] == [EntryKind.INTENT, EntryKind.RELEASED, EntryKind.INTENT]
        assert list(ledger.verify()) == []
        assert ledger.usage("ann", DAY) == Usage()  # nothing was counted then
        assert ledger.begin("ann", "finished", digest(b"facts"), "g3") == Recorded(1, "g1")
        assert ledger.begin("ann", "left open", digest(b"facts"), "g3") == Attempt(2, "g3")
        assert ledger.find_mark(ALGORITHM, KEY_ID, 0).asset_digest == digest(b"signed bytes")
        assert ledger.next_mark(ALGORITHM, KEY_ID, 20) == 64
        receipt = ledger.append(spending_record(budget={"images": 1}))
        verify_receipt(receipt, OLD_SIGNER.key)
        assert receipt.index == 4  # after the `abandoned` entry of the vanished process
        assert ledger.usage("ann", DAY).images == 1
        assert list(ledger.verify()) == []
    engine = create_engine(f"sqlite:///{old_path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_a_ledger_of_the_first_schema_can_be_audited_as_it_is(old_path):
    before = old_path.read_bytes()
    with SqliteLedger.open_read_only(old_path, OLD_SIGNER.key) as reader:
        assert list(reader.verify()) == []
        assert [index for index, _ in reader.entries()] == [0, 1, 2]
        assert reader.usage("ann", DAY) == Usage()
    assert old_path.read_bytes() == before
    assert revision_of(old_path) == "0001"
    with SqliteLedger.open(old_path, OLD_SIGNER) as ledger, SqliteLedger.open_read_only(old_path) as reader:
        ledger.append(spending_record())
        assert reader.usage("ann", DAY).images == 1


@pytest.fixture
def unheld_path(tmp_path):
    path = tmp_path / "unheld.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(UNHELD_LEDGER.read_text())
    return path


def test_a_draft_that_was_held_before_there_were_holds_is_open(unheld_path):
    assert revision_of(unheld_path) == "0002"
    with SqliteLedger.open(unheld_path, OLD_SIGNER) as ledger:
        assert revision_of(unheld_path) == SCHEMA_REVISION
        held = next(entry for _, entry in ledger.entries(kind=EntryKind.HELD) if entry.body.get("hold"))
        (record,) = ledger.holds()
        assert (record.id, record.entry_id, record.subject) == (held.body["hold"]["id"], held.id, held.subject)
        assert (record.state, record.stage, record.item) == (HoldState.OPEN, Stage.RELEASE, 0)
        assert (record.queue, record.opened, record.due, record.expires) == ("", held.time, "", "")
        assert list(ledger.verify()) == []
        ledger.append(hold_record(EntryKind.REJECTED, record, HoldState.REJECTED))
        assert ledger.holds(state=HoldState.OPEN) == []
        assert list(ledger.verify()) == []
    engine = create_engine(f"sqlite:///{unheld_path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_a_ledger_without_holds_can_be_audited_as_it_is(unheld_path):
    before = unheld_path.read_bytes()
    with SqliteLedger.open_read_only(unheld_path, OLD_SIGNER.key) as reader:
        assert list(reader.verify()) == []
        assert reader.holds() == ()
        assert reader.hold("any") is None
        assert reader.approved_hold(digest(b"facts")) is None
    assert unheld_path.read_bytes() == before
