"""Processes that share an audit, from the host's side: started, brought to one snapshot, and given its parts.

On PostgreSQL the audit's own connection hands out its snapshot. SQLite has no such thing: there each process begins a
snapshot, again and again until all see the same newest checkpoint. Every entry brings a new one, so then they see the same
entries, and what was written with them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

import governance
from governance.checkpoint import LogKey
from governance_adapters.child import Child, Fault, NoAnswerError, signal_name
from governance_adapters.storage.audit_parts import Found, Part
from governance_adapters.storage.database import Database
from governance_adapters.storage.tables import CHECKPOINT

MAX_PROCESSES: Final = 64
_COMMAND: Final = (sys.executable, "-P", "-m", "governance_adapters.storage.audit_worker")
_ANSWER_BYTES: Final = 1 << 30
_START_S, _PART_S = 60.0, 7 * 86_400.0
"""How long a process may take to start, and for one part: a database's own check of its files may take hours."""
_SNAPSHOTS: Final = 200
"""How often a common snapshot is tried before a ledger is too busy for one."""
_NEWEST: Final = select(CHECKPOINT.c.note).order_by(CHECKPOINT.c.size.desc()).limit(1)

Elsewhere = Callable[[tuple[int, int] | None], "Crew"]
"""Makes the crew of an audit, from the keys of its sums; see `Audit`."""


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def several(
    database: Database, connection: Connection, key: LogKey | None, processes: int
) -> Iterator[Elsewhere | None]:
    """For an audit on `connection`: so many processes for its parts; None where one is asked for, or no more can be had.

    However it ends, by an interrupt too, the processes are gone afterwards.
    """
    count = min(processes, MAX_PROCESSES)
    children = _started(count) if count > 1 else []
    try:
        if not children or not _common_snapshot(children, database, connection, key):
            yield None
        else:
            with ThreadPoolExecutor(count, thread_name_prefix="governance-ledger-audit") as threads:
                try:
                    yield lambda keys: Crew(children, threads, keys)
                finally:
                    for child in children:  # whoever waits for an answer hears that there is none
                        child.end()
                    threads.shutdown(cancel_futures=True)
    finally:
        for child in children:
            child.end()


class Crew:
    """Does the parts of an audit in processes; see `audit.Doing`."""

    def __init__(self, children: Iterable[Child], threads: ThreadPoolExecutor, keys: tuple[int, int] | None) -> None:
        self._free: SimpleQueue[Child] = SimpleQueue()
        self._ahead = 0
        for child in children:
            self._free.put(child)
            self._ahead += 2
        self._threads = threads
        self._keys = keys

    def each(self, parts: Iterable[Part]) -> Iterator[Found]:
        """See `Doing.each`. Few parts are done ahead of the one that is waited for, so that memory stays flat."""
        waiting: deque[Future[Found]] = deque()
        for part in parts:
            waiting.append(self._threads.submit(self._do, part))
            if len(waiting) > self._ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def soon(self, part: Part) -> Callable[[], Found]:
        """See `Doing.soon`."""
        return self._threads.submit(self._do, part).result

    def _do(self, part: Part) -> Found:
        child = self._free.get()
        try:
            question = json.dumps({"part": part, "keys": self._keys}).encode()
            return Found.from_bytes(child.ask(question, _PART_S))
        except NoAnswerError as error:
            return Found(part, [f"The check stopped here: {_ended(error)}."], stopped=True)
        finally:
            self._free.put(child)


def _started(count: int) -> list[Child]:
    """So many processes; none where not all can be started."""
    children: list[Child] = []
    try:
        while len(children) < count:
            children.append(Child(_COMMAND, answer_bytes=_ANSWER_BYTES, environment=_environment()))
    except (OSError, subprocess.SubprocessError):
        _end(children)
        return []
    except BaseException:  # an interrupt: nobody else would end them; raised again
        _end(children)
        raise
    return children


def _environment() -> dict[str, str]:
    """Ours, and where our own code is: a process of another version would check something else."""
    ours = [str(Path(__file__).parents[2]), str(Path(str(governance.__file__)).parents[1])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*ours, *filter(None, [os.environ.get("PYTHONPATH")])])}


def _end(children: Iterable[Child]) -> None:
    for child in children:
        child.end()


def _common_snapshot(children: Iterable[Child], database: Database, connection: Connection, key: LogKey | None) -> bool:
    """Bring everybody to one snapshot, `connection` too; whether that worked."""
    job = {"address": database.address, "key": str(key) if key else None}
    try:
        for child in children:
            child.ask(json.dumps(job).encode(), _START_S)
        for _ in range(_SNAPSHOTS):
            handed_out = _handed_out(connection)
            begin = json.dumps({"begin": handed_out}).encode()
            seen = {child.ask(begin, _START_S) for child in children}
            if seen == {json.dumps(connection.execute(_NEWEST).scalar()).encode()}:
                return True
            connection.rollback()
    except (NoAnswerError, SQLAlchemyError):
        connection.rollback()  # whatever is wrong with the database, the one process that is left will say
    return False


def _handed_out(connection: Connection) -> str:
    """The name of the connection's snapshot, where it can be handed out."""
    if connection.dialect.name != "postgresql":
        return ""
    return str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())


def _ended(error: NoAnswerError) -> str:
    """What became of a process, and so of what it was to check."""
    if error.fault is Fault.DIED and error.code is not None:
        how = f"ended by {signal_name(-error.code)}" if error.code < 0 else f"ended with exit status {error.code}"
        return f"a process that shared the work was {how}, so not everything was looked at"
    return "a process that shared the work gave no answer, so not everything was looked at"
