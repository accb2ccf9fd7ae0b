"""The ledger beside a naive hash chain in the same run, and how it grows: appends, proofs, pages, full verification, memory.

    python benchmarks/ledger.py [--entries 100000] [--seconds 8] [--database sqlite] [--checkpoint-every 5000]

The chain is what is commonly built: each row names the hash of the row before it, a row a transaction; both get what the
line writes, an intent and a release in turn. How much quicker the ledger is depends on the disk: it saves flushes, and the
first line says what one costs. So both are measured once more with flushes that take 3 ms (slow_flush.c, if there is a C
compiler). The growing ledger is filled in large
transactions through the same code that appends; how many entries share a checkpoint decides how long a verification takes,
for a signature costs as much as several entries. `--entries 10000000` takes an hour or two and some twenty gigabytes.
PostgreSQL is a server of our own in a temporary folder, or the one that GOVERNANCE_DATABASE_URL names.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from chains import postgres_chain, sqlite_chain, together
from line_records import appending, payload

from governance.canonical import canonical_bytes, commitment, digest, new_salt
from governance.checkpoint import LogSigner, parse_checkpoint
from governance.entries import Document, Entry, EntryKind, PersonalField, Record
from governance.merkle import Tree
from governance.search import Query
from governance.types import Outcome, utc_now
from governance_adapters.storage.audit_processes import cores
from governance_adapters.storage.ledger import SqliteLedger, SqlLedger
from governance_adapters.storage.postgres_ledger import PostgresLedger
from governance_adapters.storage.transaction import Prepared, Transaction
from support import postgres

THREADS = 16
PROCESSES = 4
VERIFIERS = max(2, min(4, cores()))
STARTING_S = 12
"""How long the processes are given to start."""
SLOW_MS = 3
"""What a flush takes on the slower disk that is measured too."""
READY = 1500
"""Pairs of records a second that are made before the time is taken."""
TARGETS = {"sqlite": 5, "postgresql": 10}
PROOF_MS, PAGE_MS, VERIFIED = 5, 20, 100_000
PAGE = 100
QUESTIONS = 400
PRINCIPALS = 1_000
CODES = tuple(f"prompt.rule_{number}" for number in range(7))
_CALL = canonical_bytes({"version": 1, "steps": 30})
_CALL_DOCUMENT = Document(digest(_CALL), _CALL)


def signer() -> LogSigner:
    """The same log key in every process of a run."""
    return LogSigner("log.example.org/benchmark", Ed25519PrivateKey.from_private_bytes(b"benchmark".ljust(32)))


def record(number: int) -> Record:
    """An intent with two personal fields, or, every other one, a denial with its reason."""
    if number % 2:
        decision = {"stage": "admission", "outcome": "deny", "reasons": [{"code": CODES[number // 2 % len(CODES)]}]}
        body = {"version": 1, "item": None, "decision": {**decision, "bundle_revision": _CALL_DOCUMENT.digest}}
        return Record(Entry(EntryKind.DENIED, f"generation-{number // 2}", body))
    values = {
        "/principal/id": f"principal-{number // 2 % PRINCIPALS}@example.org",
        "/prompts/0": f"a red seven {number}",
    }
    fields = tuple(PersonalField(name, new_salt(), value) for name, value in values.items())
    committed = {field.name: commitment(field.name, field.value, field.salt) for field in fields}
    body = {"version": 1, "items": 1, "call": _CALL_DOCUMENT.digest, "fields": committed}
    return Record(Entry(EntryKind.INTENT, f"generation-{number // 2}", body), fields, (_CALL_DOCUMENT,))


def opened(where: str) -> SqlLedger:
    """The ledger in this file, or behind this URL."""
    return PostgresLedger.open(where, signer()) if "://" in where else SqliteLedger.open(where, signer())


def milliseconds(seconds: Sequence[float]) -> str:
    """Median and 99th percentile."""
    p50, p99 = np.percentile(np.array(seconds) * 1000, (50, 99))
    return f"{p50:>9.2f}{p99:>9.2f}"


# Appends.


def appended(where: str, threads: int, seconds: float, start: float = 0) -> list[float]:
    """Append from so many threads of this process, from the time `start` on; seconds of each append."""
    ready = round(seconds * READY / threads)
    with opened(where) as ledger:
        acts = [appending(f"{os.getpid()}/{number}", ready, ledger.append) for number in range(threads)]
        if start:
            left = start - time.time()
            assert left > 0, "the processes do not start at once: this machine is too busy"
            time.sleep(left)
        return together(threads, seconds, acts.pop)


def chained(where: str, threads: int, seconds: float) -> list[float]:
    """The same records, in bytes, to a chain from so many clients; seconds of each."""
    contents: list[bytes] = []
    act = appending("chain", round(seconds * READY), lambda record: contents.append(payload(record)))
    for _ in range(round(2 * seconds * READY)):
        act()

    def content() -> bytes:
        if not contents:
            act()
        return contents.pop()

    if "://" in where:
        return postgres_chain(where, threads, seconds, content)
    return sqlite_chain(Path(where), threads, seconds, content)


def appended_by_processes(
    where: str, processes: int, threads: int, seconds: float, slow: Mapping[str, str]
) -> list[float]:
    """Appends from so many processes."""
    start = time.time() + STARTING_S
    words = ("append", where, str(threads), str(seconds), str(start))
    return numbers_of([child(*words, slow=slow) for _ in range(processes)])


def numbers_of(children: Sequence[subprocess.Popen[str]]) -> list[float]:
    """What these processes of ours say."""
    said = [each.communicate()[0] for each in children]
    if any(each.returncode for each in children):
        sys.exit("a process of this measurement failed")
    return [float(word) for text in said for word in text.split()]


def child(*words: str, slow: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """This program, doing one thing by itself."""
    environment = {**os.environ, **(slow or {})}
    command = [sys.executable, __file__, "--child", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@contextmanager
def slow_flushes() -> Iterator[Mapping[str, str] | None]:
    """The environment in which a program's flushes take SLOW_MS; None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server of PostgreSQL is another user's
        library = Path(folder) / "slow_flush.so"
        source = Path(__file__).with_name("slow_flush.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
        yield {"LD_PRELOAD": str(library), "FLUSH_MS": str(SLOW_MS)}


def appends(name: str, places: Callable[[], str], seconds: float, slow: Mapping[str, str], flushes: str) -> None:
    """The table of durable appends on one database. `slow` is the environment of our processes, `flushes` says what for."""
    alone = (THREADS,) if name == "sqlite" else (THREADS // 2, THREADS)
    each = THREADS // PROCESSES
    runs = {
        f"hash chain, {clients} clients": partial(
            lambda clients: numbers_of([child("chain", places(), str(clients), str(seconds), slow=slow)]), clients
        )
        for clients in alone
    }
    chains = len(runs)
    runs |= {
        f"ledger, {THREADS} threads": lambda: appended_by_processes(places(), 1, THREADS, seconds, slow),
        f"ledger, {PROCESSES} processes x {each} threads": lambda: appended_by_processes(
            places(), PROCESSES, each, seconds, slow
        ),
    }
    print(f"\n{name}, {flushes}: durable appends, {seconds:g} s each")
    print(f"{'':<44}{'a second':>10}{'p50 ms':>9}{'p99 ms':>9}{'of the chain':>14}")
    best = 0.0
    for position, (what, run) in enumerate(runs.items()):
        taken = run()
        rate = len(taken) / seconds
        if position < chains:
            best = max(best, rate)
        print(f"{what:<44}{rate:>10.0f}{milliseconds(taken)}{rate / best:>13.1f}x", flush=True)
    print(f"target, where a flush takes {SLOW_MS} ms: the ledger >= {TARGETS[name]} x the chain", flush=True)


# Growth.


def fill(ledger: SqlLedger, first: int, end: int, batch: int) -> float:
    """Append the records of these numbers, `batch` in a transaction; seconds."""
    start = time.perf_counter()
    for at in range(first, end, batch):
        prepared = [Prepared.of(record(number)) for number in range(at, min(at + batch, end))]

        def add(transaction: Transaction, prepared: Sequence[Prepared] = prepared) -> None:
            for each in prepared:
                transaction.add(each)

        ledger._held().writer().do(add)  # noqa: SLF001 - the writer itself, for many records in one transaction
    seconds = time.perf_counter() - start
    ledger._held().writer().do(gather_statistics)  # noqa: SLF001
    return seconds


def gather_statistics(transaction: Transaction) -> None:
    """What a PostgreSQL server's own housekeeping does a minute after so much was written."""
    if transaction.connection.dialect.name == "postgresql":
        transaction.connection.exec_driver_sql("ANALYZE")


def questions(ledger: SqlLedger, size: int) -> dict[str, Callable[[], object]]:
    """What is asked, each time about something else."""
    chance = random.Random(size)
    ids = [
        entry.id for _ in range(QUESTIONS) for _, entry in ledger.entries(after=chance.randrange(-1, size - 1), limit=1)
    ]
    tree = partial(Tree, size, ledger.tile)

    def principal() -> Query:
        return Query(principal=f"principal-{chance.randrange(PRINCIPALS)}@example.org")

    def reason() -> Query:
        return Query(reason=chance.choice(CODES), outcome=Outcome.DENY)

    def after() -> int:
        return chance.randrange(-1, size)

    return {
        "receipt with inclusion proof": lambda: ledger.receipt(chance.choice(ids)),
        "consistency proof, from tiles": lambda: tree().consistency_proof(chance.randrange(1, size)),
        f"page of {PAGE} entries": lambda: ledger.entries(after=after(), limit=PAGE),
        f"page of {PAGE} of one kind": lambda: ledger.entries(after=after(), limit=PAGE, kind=EntryKind.DENIED),
        f"page of {PAGE} by principal": lambda: ledger.search(principal(), after=after(), limit=PAGE),
        f"page of {PAGE} by reason and outcome": lambda: ledger.search(reason(), after=after(), limit=PAGE),
    }


def timed(question: Callable[[], object]) -> list[float]:
    """Seconds of each answer, after a few that are not counted."""
    taken = []
    for number in range(QUESTIONS + 10):
        start = time.perf_counter()
        question()
        if number >= 10:
            taken.append(time.perf_counter() - start)
    return taken


def grow(name: str, where: str, sizes: Sequence[int], batch: int) -> None:
    """Fill a ledger to each of the sizes, and ask it the same at each."""
    size = 0
    for wanted in sizes:
        with opened(where) as ledger:
            seconds = fill(ledger, size, wanted, batch)
            added, size = wanted - size, parse_checkpoint(ledger.checkpoint()).size
            print(f"\n{name}: {size:,} entries, {batch:,} a checkpoint", flush=True)
            print(f"filled by {added:,} in {seconds:.0f} s, {added / seconds:,.0f} a second")
            print(f"{'':<44}{'p50 ms':>9}{'p99 ms':>9}{'target p99':>12}")
            for what, question in questions(ledger, size).items():
                target = PROOF_MS if "proof" in what else PAGE_MS
                print(f"{what:<44}{milliseconds(timed(question))}{target:>12}", flush=True)
        measurements = {
            "verification of the record, one process": ("record", where, "1"),
            f"the same, {VERIFIERS} processes": ("record", where, str(VERIFIERS)),
            f"and the index of searches, {VERIFIERS} processes": ("verify", where, str(VERIFIERS)),
            f"appends, {THREADS} threads": ("append", where, str(THREADS), "2"),
        }
        for what, words in measurements.items():
            out = child("measure", *words).communicate()[0].split()
            print(f"{what:<44}{float(out[0]):>12,.0f} a second, peak memory {float(out[1]):,.0f} MB", flush=True)
        size = recounted(where)
    print(f"target: verification of the record >= {VERIFIED:,} entries a second; memory flat")


def recounted(where: str) -> int:
    """How many entries there are by now."""
    with opened(where) as ledger:
        return parse_checkpoint(ledger.checkpoint()).size


def verified(where: str, processes: int, *, index: bool) -> float:
    """Entries a second of a verification, which must find nothing; with the index of searches, or of the record alone."""
    with opened(where) as ledger:
        size = parse_checkpoint(ledger.checkpoint()).size
        start = time.perf_counter()
        problems = list(ledger.verify(processes=processes, index=index))
        seconds = time.perf_counter() - start
    if problems:
        sys.exit(f"the ledger does not verify: {problems[:3]}")
    return size / seconds


def be_child(words: Sequence[str]) -> None:
    """One measurement in a process of its own; what it says is numbers."""
    match words:
        case ["chain", where, threads, seconds]:
            print(*chained(where, int(threads), float(seconds)))
            return
        case ["append", where, threads, seconds, start]:
            print(*appended(where, int(threads), float(seconds), float(start)))
            return
        case ["measure", "append", where, threads, seconds]:
            rate = len(appended(where, int(threads), float(seconds))) / float(seconds)
        case ["measure", "verify", where, processes]:
            rate = verified(where, int(processes), index=True)
        case ["measure", "record", where, processes]:
            rate = verified(where, int(processes), index=False)
        case _:
            sys.exit(f"no such measurement: {words}")
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(rate, most / 1024)


@contextmanager
def places(name: str, environment: Mapping[str, str] | None = None) -> Iterator[Callable[[], str]]:
    """Says where the next fresh ledger can be; `environment` is that of a server of our own."""
    if name == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            numbers = count()
            yield lambda: str(Path(folder) / f"ledger-{next(numbers)}.sqlite3")
    else:
        with postgres.cluster(environment) as server:
            yield server.fresh_database


def flush_seconds() -> float:
    """What one flush of a small write to the disk of temporary files takes, the median of a hundred."""
    taken = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(100):
            file.write(bytes(4096))
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def main() -> None:
    """Print the tables of both databases, or of one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--entries",
        type=int,
        default=100_000,
        help="the largest size; each tenth of it from 10,000 is one too; 0 for none",
    )
    parser.add_argument("--seconds", type=float, default=8, help="of each run of appends")
    parser.add_argument("--database", choices=tuple(TARGETS), help="this one only")
    parser.add_argument(
        "--checkpoint-every", type=int, default=5_000, help="entries a transaction of the growing ledger"
    )
    parser.add_argument("--child", nargs="+", default=None, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        be_child(chosen.child)
        return
    sizes = [size for power in range(4, 12) if (size := 10**power) < chosen.entries] + [chosen.entries] * (
        chosen.entries > 0
    )
    print(f"{os.cpu_count()} processors; a flush to disk takes {1000 * flush_seconds():.2f} ms; {utc_now()}")
    for name in (chosen.database,) if chosen.database else TARGETS:
        with places(name) as place:
            appends(name, place, chosen.seconds, {}, "flushes as they are")
        with slow_flushes() as slow:
            if slow is None:
                print(f"\n{name}, flushes of {SLOW_MS} ms: not measured, there is no C compiler (cc)")
            elif name != "sqlite" and postgres.named_server():
                print(f"\n{name}, flushes of {SLOW_MS} ms: not measured, the server is not our own")
            else:
                ours = slow if name == "sqlite" else {}
                with places(name, slow) as place:
                    appends(name, place, chosen.seconds, ours, f"flushes of {SLOW_MS} ms")
        if sizes:
            with places(name) as place:
                grow(name, place(), sizes, chosen.checkpoint_every)


if __name__ == "__main__":
    main()
