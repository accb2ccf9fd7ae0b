"""`PostgresLedger`: the port `Ledger` on PostgreSQL, for any number of machines that write."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from governance.checkpoint import LogKey, LogSigner
from governance.errors import LedgerError
from governance_adapters.storage.backup import copy_tables, is_empty
from governance_adapters.storage.ledger import SqlLedger
from governance_adapters.storage.postgres import PostgresDatabase, parsed_url
from governance_adapters.storage.schema import upgrade_schema
from governance_adapters.storage.sqlite import SqliteDatabase
from governance_adapters.storage.tree import Log


class PostgresLedger(SqlLedger):
    """A ledger in one PostgreSQL database (13 or newer), in the schema that the connection's user finds first."""

    @classmethod
    def open(
        cls, address: str, signer: LogSigner, *, create: bool = True, busy_timeout_s: float = 10.0
    ) -> PostgresLedger:
        """Open for appending; brings an older schema up to date, and fills an empty database if `create`.

        `address` is a URL such as `postgresql://ledger@db.example.org/governance`; what it leaves out, libpq's own
        variables and files say. `busy_timeout_s` is how long to wait for a lock that another session holds.

        Raises:
            ConfigurationError: the URL is none.
            LedgerTooNewError: the schema is newer than this code.
            LedgerError: the database cannot be used, is something else, or its newest checkpoint was not signed by
                `signer` or does not match its entries.
        """
        url = parsed_url(address)
        ledger = cls(lambda: PostgresDatabase(url, busy_timeout_s=busy_timeout_s), signer, signer.key)
        ledger._start(create=create)
        return ledger

    @classmethod
    def open_read_only(cls, address: str, key: LogKey | None = None) -> PostgresLedger:
        """Open for an auditor, who has no private key. Whatever writes raises LedgerError; see `SqliteLedger.open_read_only`.

        Raises:
            ConfigurationError: the URL is none.
            LedgerTooNewError: the schema is newer than this code.
            LedgerError: there is no ledger here, or it cannot be read.
        """
        url = parsed_url(address)
        ledger = cls(lambda: PostgresDatabase(url), None, key)
        ledger._start_reading()
        return ledger

    @classmethod
    def load(cls, address: str, signer: LogSigner, backup: Path) -> PostgresLedger:
        """Fill an empty database with what the SQLite file `backup` holds, in one transaction, and open it for appending.

        The file has this code's schema: `SqliteLedger.open` brings it there.

        Raises:
            ConfigurationError: the URL is none.
            LedgerError: the backup cannot be read or was not signed by `signer`, or the database is not empty.
        """
        url = parsed_url(address)
        ledger = cls(lambda: PostgresDatabase(url), signer, signer.key)
        database = ledger._held().database
        try:
            with (
                closing(SqliteDatabase(backup, read_only=True)) as file,
                file.reading() as source,
                database.writing() as target,
            ):
                database.lock(target)
                upgrade_schema(target, database.name)
                if not is_empty(target):
                    raise LedgerError(
                        f"The database {database.name} holds a ledger already.", remedy="Name an empty one."
                    )
                copy_tables(source, target)
                Log(signer).start(target)
        except SQLAlchemyError as error:
            ledger.close()
            raise database.translated(error) from error
        except BaseException:  # Ctrl-C too: whatever ends it, what is held is let go of; raised again
            ledger.close()
            raise
        ledger._start(create=False)
        return ledger
