"""Reads a second of the review API: `governance serve` on a ledger of many records, asked by 16 clients on this machine.

    python benchmarks/api.py [--records 100000] [--seconds 8] [--clients 16]

The baseline in the same run is a bare FastAPI route that returns a constant, served the same way and asked by the same
clients: what is left of it is what a key, a policy, a ledger and a proof cost.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from governance.canonical import digest
from governance.entries import Record
from governance.governor import Governor
from governance.review_facts import Act
from governance.testing import FakeLedger, FakePipeline, example_request, fake_parts
from governance.types import new_id
from governance_adapters.installation import initialise
from governance_adapters.marking.keys import KeyFolder
from governance_adapters.settings import Settings
from governance_adapters.storage.api_keys import ApiKeyFile
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.numbering import AtOnce
from governance_adapters.storage.sqlite import SqliteDatabase
from governance_adapters.storage.transaction import Prepared, Transaction
from governance_adapters.storage.tree import Log
from governance_adapters.web.keys import create_key

TARGET = 300
BATCH = 5_000
PAGE = 20


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--bare", type=int, default=0, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.bare:
        serve_bare(chosen.bare)
        return
    with tempfile.TemporaryDirectory() as folder:
        settings = installation(Path(folder) / "home")
        ids, key = filled(settings, chosen.records)
        print(f"{len(ids)} records, {chosen.clients} clients on this machine, {chosen.seconds:g} s each")
        print(f"{'':44}{'reads/s':>9}{'p50 ms':>9}{'p99 ms':>9}")
        with process(__file__, "--bare", "{port}") as port:
            bare = measured("a bare FastAPI route, a constant", chosen, port, key, lambda: "/constant")
        words = "-m", "governance_adapters.cli", "serve", "--port", "{port}"
        with process(*words, GOVERNANCE_HOME=str(settings.home)) as port:
            paths: dict[str, Callable[[], str]] = {
                "GET /entries/{id}": lambda: f"/v1/entries/{random.choice(ids)}",
                "GET /entries/{id}/receipt": lambda: f"/v1/entries/{random.choice(ids)}/receipt",
            }
            rates = [measured(name, chosen, port, key, path) for name, path in paths.items()]
            rates.append(paging(f"GET /entries?limit={PAGE}, page after page", chosen, port, key))
    print(f"slowest {min(rates):.0f}/s (target {TARGET}), {min(rates) / bare:.2f} of the bare route")
    sys.exit(min(rates) < TARGET)


def installation(home: Path) -> Settings:
    """A fresh installation."""
    settings = Settings(home=home)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the development keys are insecure: here they may be
        initialise(settings)
    return settings


def filled(settings: Settings, count: int) -> tuple[list[str], str]:
    """Fill the ledger with copies of what a real call records; returns the ids, and a key that may read."""
    signer = KeyFolder(settings.keys_path).log()
    with SqliteLedger.open(settings.ledger_path, signer, create=False) as ledger:
        keys = ApiKeyFile(settings.api_keys_path)
        key = create_key(keys, ledger, "auditor@example.org", ["auditor"], [Act.LEDGER_READ], 1).text
    templates = recorded()
    ids: list[str] = []
    database, log = SqliteDatabase(settings.ledger_path), Log(signer)
    for first in range(0, count, BATCH):
        with database.writing() as connection:
            transaction = Transaction(connection, log, AtOnce())
            for number in range(first, min(first + BATCH, count)):
                record = another(templates[number % len(templates)])
                ids.append(record.entry.id)
                transaction.add(Prepared.of(record))
            transaction.seal()
    database.close()
    return ids, key


def recorded() -> list[Record]:
    """What one call records: an intent and a release."""
    ledger = FakeLedger()
    Governor(fake_parts(ledger=ledger, log_key=ledger.key)).generate(example_request(), FakePipeline())
    return list(ledger.records)


def another(record: Record) -> Record:
    """The same record under other ids, about another file."""
    body: dict[str, Any] = dict(record.entry.body)
    if "asset" in body:
        body |= {"asset": {**body["asset"], "digest": digest(new_id().encode())}, "watermark": None}
    entry = replace(record.entry, id=new_id(), subject=new_id(), body=body)
    return replace(record, entry=entry, mark=None, spending=None)


@contextmanager
def process(*words: str, **variables: str) -> Iterator[int]:
    """Run Python with `words`, `{port}` in them replaced by a free port, until it answers and for the length of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [sys.executable, *(word.format(port=port) for word in words)]
    server = subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        server.wait()


def serve_bare(port: int) -> None:
    """The baseline."""
    app = FastAPI()

    @app.get("/constant")
    def constant() -> dict[str, str]:
        return {"status": "ok"}

    uvicorn.run(app, port=port, log_config=None, access_log=False)


class Client:
    """One connection, kept alive. Plain `http.client`: what the clients cost is taken from the same two cores."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str) -> bytes:
        """The body of an answer of 200."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {content.decode()[:300]}")
        return content


def measured(name: str, chosen: argparse.Namespace, port: int, key: str, path: Callable[[], str]) -> float:
    """Reads a second of paths that are drawn one after the other."""

    def drawing() -> Callable[[], object]:
        client = Client(port, key)
        return lambda: client.get(path())

    return timed(name, chosen, drawing)


def paging(name: str, chosen: argparse.Namespace, port: int, key: str) -> float:
    """Reads a second where each client turns the pages of the ledger from the first on."""

    def turning() -> Callable[[], object]:
        client, first = Client(port, key), f"/v1/entries?limit={PAGE}"
        place = [first]

        def turn() -> None:
            following = json.loads(client.get(place[0]))["next"]
            place[0] = first if following is None else f"{first}&cursor={following}"

        return turn

    return timed(name, chosen, turning)


def timed(name: str, chosen: argparse.Namespace, make: Callable[[], Callable[[], object]]) -> float:
    """Let every client do what `make` makes, for a while after a warm-up; prints and returns how often a second."""
    taken: list[float] = []
    begin = time.perf_counter() + 1.0
    end = begin + chosen.seconds

    def ask() -> None:
        once = make()
        while (started := time.perf_counter()) < end:
            once()
            if started >= begin:
                taken.append(time.perf_counter() - started)

    threads = [threading.Thread(target=ask) for _ in range(chosen.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate, cuts = len(taken) / chosen.seconds, statistics.quantiles(taken, n=100)
    print(f"{name:44}{rate:9.0f}{statistics.median(taken) * 1000:9.1f}{cuts[98] * 1000:9.1f}")
    return rate


if __name__ == "__main__":
    main()
