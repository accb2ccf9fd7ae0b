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
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from governance.checkpoint import LogSigner
from governance.errors import LedgerError, LedgerTooNewError
from governance.testing.example_records import intent_record
from governance_adapters.storage import database
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.tables import METADATA, SCHEMA_REVISION

SIGNER = LogSigner.generate("log.example.org/test")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger.open(path, SIGNER) as ledger:
        ledger.append(intent_record("g"))
    return path


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
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
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
