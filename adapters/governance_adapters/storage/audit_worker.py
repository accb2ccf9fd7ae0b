"""A process that shares an audit: it is asked over its standard input, in the frames of `governance_adapters.child`.

The first question says which database and which log key, each later one to begin a snapshot, or to do one part. The process
ends when its input does. Whatever it says is JSON.
"""

from __future__ import annotations

import gc
import json
import os
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

from sqlalchemy import Connection, select

from governance.checkpoint import LogKey
from governance_adapters.storage.audit_parts import Auditor, Told
from governance_adapters.storage.database import Database
from governance_adapters.storage.sqlite import SqliteDatabase
from governance_adapters.storage.tables import CHECKPOINT

_HEADER: Final = struct.Struct(">QQ")
_NEWEST: Final = select(CHECKPOINT.c.note).order_by(CHECKPOINT.c.size.desc()).limit(1)


class Shift:
    """What one process has open: its database, a snapshot of it, and what does the parts on that."""

    def __init__(self, address: str, key: str | None) -> None:
        self._database = _database(address)
        self._key = None if key is None else LogKey.parse(key)
        self._open = ExitStack()
        self._connection: Connection | None = None
        self._auditor: Auditor | None = None

    def begin(self, handed_out: str) -> str:
        """Begin a snapshot, the one that was `handed_out` if any; returns the newest checkpoint that it sees, as JSON."""
        self._open.close()
        self._auditor = None
        self._connection = self._open.enter_context(self._database.reading())
        if handed_out:
            name = handed_out.replace("'", "''")
            self._connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{name}'")
        return json.dumps(self._connection.execute(_NEWEST).scalar())

    def do(self, part: tuple[str, *tuple[int, ...]], keys: tuple[int, int] | None) -> bytes:
        """Do one part of the audit; `keys` are the same for all."""
        assert self._connection is not None
        if self._auditor is None:
            told = Told(self._database.damage, self._database.translated)
            self._auditor = Auditor(self._connection, self._key, told, keys)
        found = self._auditor.do(part).to_bytes()
        gc.collect()  # only here: looking for garbage while rows are read takes a tenth of the time, and finds none
        return found


def answer_all(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer every question until there are no more."""
    shift: Shift | None = None
    while len(header := source.read(_HEADER.size)) == _HEADER.size:
        length, serial = _HEADER.unpack(header)
        question = json.loads(source.read(length))
        if shift is None:
            shift, answer = Shift(question["address"], question["key"]), b""
        elif "begin" in question:
            answer = shift.begin(question["begin"]).encode()
        else:
            keys = question["keys"]
            answer = shift.do(tuple(question["part"]), keys and tuple(keys))
        sink.write(_HEADER.pack(len(answer), serial) + answer)
        sink.flush()


def _database(address: str) -> Database:
    """The ledger's database, for a reader."""
    if "://" not in address:
        return SqliteDatabase(Path(address), read_only=True)
    from governance_adapters.storage.postgres import PostgresDatabase, parsed_url

    return PostgresDatabase(parsed_url(address))


def main() -> None:
    """Speak over the pipes that this process was started with; whatever else prints, prints nowhere."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    gc.freeze()
    gc.disable()
    answer_all(source, sink)


if __name__ == "__main__":
    main()
