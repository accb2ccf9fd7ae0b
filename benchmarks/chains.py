"""What is commonly built instead of a ledger: a hash chain, each row naming the hash of the row before it, a row a transaction."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

_TABLE = "CREATE TABLE chain (seq INTEGER PRIMARY KEY, hash {bytes} NOT NULL, content {bytes} NOT NULL)"
_NEWEST = "SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1"
_INSERT = "INSERT INTO chain VALUES ({0}, {0}, {0})"


def together(threads: int, seconds: float, worker: Callable[[], Callable[[], object]]) -> list[float]:
    """Let `threads` workers, each made by `worker` in its own thread, act one time after the other; seconds of each act."""
    ready = threading.Barrier(threads)
    taken: list[list[float]] = [[] for _ in range(threads)]
    failed: list[BaseException] = []

    def run(mine: list[float]) -> None:
        try:
            act = worker()
            ready.wait()
            end = time.perf_counter() + seconds
            while (start := time.perf_counter()) < end:
                act()
                mine.append(time.perf_counter() - start)
        except BaseException as error:  # whatever it is, the others must not wait for this one; raised again
            failed.append(error)
            ready.abort()
            raise

    running = [threading.Thread(target=run, args=(mine,)) for mine in taken]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failed:
        raise failed[0]
    return [each for mine in taken for each in mine]


def sqlite_chain(path: Path, threads: int, seconds: float, content: Callable[[], bytes]) -> list[float]:
    """A chain in a SQLite file, as durable as ours; seconds of each append."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(_TABLE.format(bytes="BLOB"))
    turn = threading.Lock()

    def worker() -> Callable[[], object]:
        connection = sqlite3.connect(path, isolation_level=None, timeout=60)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA secure_delete=ON")

        def append() -> None:
            with turn:  # kinder to it than SQLite's own lock, which sleeps
                connection.execute("BEGIN IMMEDIATE")
                _link(connection, "?", content())
                connection.execute("COMMIT")

        return append

    return together(threads, seconds, worker)


def postgres_chain(url: str, clients: int, seconds: float, content: Callable[[], bytes]) -> list[float]:
    """A chain in a PostgreSQL database, under a lock, each client on a connection of its own; seconds of each append."""
    import psycopg

    address = url.replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        connection.execute("DROP TABLE IF EXISTS chain")
        connection.execute(_TABLE.format(bytes="BYTEA"))

    def worker() -> Callable[[], object]:
        connection = psycopg.connect(address)

        def append() -> None:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(1)")
                _link(connection, "%s", content())

        return append

    return together(clients, seconds, worker)


def _link(connection: Any, place: str, content: bytes) -> None:
    """Add one row behind the newest."""
    newest = connection.execute(_NEWEST).fetchone()
    seq, before = (newest[0], bytes(newest[1])) if newest else (-1, bytes(32))
    row = (seq + 1, hashlib.sha256(before + content).digest(), content)
    connection.execute(_INSERT.format(place), row)
