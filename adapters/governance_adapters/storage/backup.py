"""A backup of a ledger, whatever database it is in: one SQLite file, as everything stood at one moment.

So a backup of PostgreSQL can be read, searched and verified without a server, and a ledger moves from one database to the
other by being restored there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Table, insert, select

from governance.checkpoint import Checkpoint, parse_checkpoint
from governance.errors import LedgerError
from governance.files import sync
from governance_adapters.storage.schema import upgrade_schema
from governance_adapters.storage.sqlite import SqliteDatabase, create_file, make_whole
from governance_adapters.storage.tables import ENTRY, METADATA
from governance_adapters.storage.tree import newest_note

_ROWS: Final = 2000
"""Rows that are on their way at once."""


@contextmanager
def new_backup(path: Path) -> Iterator[Path]:
    """A file to write a backup into, that becomes `path` once it is whole and on disk.

    Raises:
        LedgerError: there is something already, or the folder cannot be written.
    """
    if path.exists():
        raise LedgerError(f"{path} exists.", remedy="Name a file that does not: a backup overwrites nothing.")
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        create_file(partial)  # readable for this user only: it holds personal data
        yield partial
        sync(partial)
        os.link(partial, path)  # never over another one
        sync(path.parent)
    except OSError as error:
        raise LedgerError(
            f"{path} cannot be written: {error.strerror or error}.", remedy="Check the folder and its free space."
        ) from error
    finally:
        for leftover in (partial, *(partial.with_name(partial.name + end) for end in ("-wal", "-shm"))):
            with suppress(OSError):
                leftover.unlink(missing_ok=True)


def copy_into_file(source: Connection, path: Path) -> None:
    """Copy a snapshot, all of whose entries have their index, into the empty SQLite file `path`."""
    with closing(SqliteDatabase(path)) as database, database.writing() as target:
        upgrade_schema(target, database.name)
        copy_tables(source, target)
    make_whole(path)


def copy_tables(source: Connection, target: Connection) -> None:
    """Copy every row of every table of the ledger; both have this code's schema, and `target` no rows."""
    for table in METADATA.sorted_tables:
        rows = select(table) if table is not ENTRY else select(table).order_by(ENTRY.c.seq)
        streamed = source.execute(rows.execution_options(yield_per=_ROWS))
        for batch in streamed.mappings().partitions(_ROWS):
            target.execute(insert(table), [dict(row) for row in batch])


def is_empty(connection: Connection, tables: Sequence[Table] = METADATA.sorted_tables) -> bool:
    """Whether a schema that is up to date holds no row at all."""
    return not any(connection.execute(select(1).select_from(table).limit(1)).first() for table in tables)


def checkpoint_of(path: Path) -> Checkpoint:
    """The newest checkpoint in a backup, unverified.

    Raises:
        LedgerError: the file cannot be read as a ledger.
    """
    with closing(SqliteDatabase(path, read_only=True)) as database, database.reading() as connection:
        return parse_checkpoint(newest_note(connection))
