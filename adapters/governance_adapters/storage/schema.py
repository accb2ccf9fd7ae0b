"""The ledger's schema in whichever database: brought up to date by whoever writes, checked by whoever reads."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect

from governance.errors import EmptyLedgerError, LedgerError, LedgerTooNewError
from governance_adapters.storage import postings
from governance_adapters.storage.tables import METADATA, READABLE_REVISIONS, SCHEMA_REVISION

_MIGRATIONS = Path(__file__).parent / "migrations"
_SEARCHED = "0005"
"""The first schema with an index: of an older ledger it is made from the entries."""


def upgrade_schema(connection: Connection, name: str, *, create: bool = True) -> None:
    """Bring the schema up to this code's, inside the caller's transaction, which nobody else's may overtake.

    With `create` an empty database gets all of it. `name` is what messages call the ledger.

    Raises:
        LedgerTooNewError: the schema is newer than this code.
        EmptyLedgerError: the database is empty and not to be filled.
        LedgerError: the database is some other program's.
    """
    found = _revision(connection, name)
    if not found and not create:
        raise _empty(name)
    if found == SCHEMA_REVISION:
        return
    # Imported where used: a ledger that is up to date, the common case, opens without it.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes.update(connection=connection, metadata=METADATA)
    if found:
        try:
            ScriptDirectory.from_config(config).get_revision(found)
        except CommandError as error:
            raise _too_new(name, found) from error
    command.upgrade(config, "head")
    if found < _SEARCHED:
        postings.rebuild(connection)


def check_schema(connection: Connection, name: str) -> None:
    """For readers, who change nothing: the schema must be one that this code can read.

    Raises:
        LedgerTooNewError: the schema is not known to this code.
        EmptyLedgerError: there is nothing in this database.
        LedgerError: there is no ledger in this database.
    """
    found = _revision(connection, name)
    if not found:
        raise _empty(name)
    if found not in READABLE_REVISIONS:
        raise _too_new(name, found)


def _revision(connection: Connection, name: str) -> str:
    """The schema's revision; an empty string for an empty database."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return ""
    if "alembic_version" not in tables:
        raise LedgerError(
            f"{name} is a database, but not a ledger.",
            remedy="Name the ledger's database, or one that does not exist or is empty.",
        )
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none())


def _empty(name: str) -> EmptyLedgerError:
    return EmptyLedgerError(
        f"The ledger {name} is empty.",
        remedy="Restore it from a backup; if it never held anything, remove it and run `governance init`.",
    )


def _too_new(name: str, revision: str) -> LedgerTooNewError:
    return LedgerTooNewError(
        f"The ledger {name} has schema {revision}; this program knows {SCHEMA_REVISION}.",
        remedy="Upgrade diffusion-governance.",
    )
