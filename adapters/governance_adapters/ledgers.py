"""The ledger that the settings name: a SQLite file, or a PostgreSQL database where `database_url` is set."""

from __future__ import annotations

from typing import Final

from governance.checkpoint import LogKey, LogSigner
from governance.errors import ConfigurationError, EmptyLedgerError
from governance_adapters.settings import Settings
from governance_adapters.storage.ledger import SqliteLedger, SqlLedger

MOVE_REMEDY: Final = (
    "To move it, run `governance ledger backup` with the settings of the old one, then `governance ledger restore`."
)


def ledger_name(settings: Settings) -> str:
    """What to call the ledger; no password."""
    if settings.database_url is None:
        return str(settings.ledger_path)
    from governance_adapters.storage.postgres import PostgresDatabase, parsed_url

    return PostgresDatabase(parsed_url(settings.database_url)).name


def open_for_appending(settings: Settings, signer: LogSigner, *, create: bool = False) -> SqlLedger:
    """The ledger, for whoever has the log's key; with `create` a new one where there is none.

    Raises:
        ConfigurationError: the URL is none, or the extra `postgres` is missing.
        LedgerError: it cannot be opened.
    """
    if settings.database_url is None:
        return SqliteLedger.open(settings.ledger_path, signer, create=create)
    from governance_adapters.storage.postgres_ledger import PostgresLedger

    return PostgresLedger.open(settings.database_url, signer, create=create)


def open_for_reading(settings: Settings, key: LogKey | None) -> SqlLedger:
    """The ledger, for whoever reads it; `key` verifies its checkpoints.

    Raises:
        ConfigurationError: the URL is none, or the extra `postgres` is missing.
        LedgerError: there is none, or it cannot be read.
    """
    if settings.database_url is None:
        return SqliteLedger.open_read_only(settings.ledger_path, key)
    from governance_adapters.storage.postgres_ledger import PostgresLedger

    return PostgresLedger.open_read_only(settings.database_url, key)


def make_database_ledger(settings: Settings, signer: LogSigner, *, fresh: bool) -> bool:
    """Fill the empty database that `database_url` names with a new ledger; whether that was done.

    An installation that is not `fresh` had a ledger before, and its key signed what that held: a second log under the same
    name and key would be a second story.

    Raises:
        ConfigurationError: it would be one.
        LedgerError: the database cannot be used.
    """
    try:
        open_for_appending(settings, signer).close()
    except EmptyLedgerError as error:
        if not fresh:
            raise _second_log(settings) from error
        open_for_appending(settings, signer, create=True).close()
        return True
    return False


def _second_log(settings: Settings) -> ConfigurationError:
    return ConfigurationError(
        f"The database {ledger_name(settings)} is empty, and this installation has keys that signed a log already.",
        remedy=f"{MOVE_REMEDY} To begin a new log instead, set GOVERNANCE_HOME to a new folder.",
    )
