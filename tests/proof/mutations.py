"""Every single alteration of a ledger is found by `verify`, and named.

    python -m proof.mutations [--mutations 1000] [--seed N] [--database sqlite] [--small]

Real work fills a ledger on each database: a few hundred entries, with holds, erasures and legal holds. Then one thing is
altered at random inside a transaction, as anybody could who has the database, the whole ledger is verified inside that
transaction, and it is rolled back. Each alteration must be found, and some line must name what was altered. What no entry
commits to, by design, is altered too, a few times, and counted apart.

At last the operator goes back to an older copy of the ledger and signs another tail on top of it. `verify` cannot know;
whoever holds a receipt or a checkpoint from before finds it.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.pool import NullPool

from governance.checkpoint import LogKey, LogSigner, parse_checkpoint, verify_receipt
from governance.errors import SplitViewError
from governance.log_client import LedgerSource, follow
from governance.testing.example_records import intent_record
from governance.types import new_id
from governance_adapters.marking.keys import KeyFolder
from governance_adapters.settings import Settings
from governance_adapters.storage.audit import Audit
from governance_adapters.storage.audit_parts import Told
from governance_adapters.storage.ledger import SqliteLedger, SqlLedger
from governance_adapters.storage.postgres_ledger import PostgresLedger
from governance_adapters.storage.tables import METADATA
from proof.alterations import ALTERATIONS, UNCOVERED, Act, Altering
from proof.kills import DATABASES, Database, installation, opened
from proof.population import erase_and_hold, shadow, work
from support.workers import parts_at

ENTRIES = 300
"""How many entries the ledger has at least: more than one tile of them."""
ROLLED_BACK = 40
"""How many entries stand behind the copy that the operator goes back to."""
UNCOVERED_EACH = 3
LIMIT_S = 900
"""How long the alterations of one database may take."""


@dataclass
class Prepared:
    """A ledger that was filled, an engine to alter it through, and its log's key."""

    engine: Engine
    ledger: Callable[[str], SqlLedger]
    older: str
    """Where the copy is that was made before the last entries."""
    where: str
    signer: LogSigner


def engine_of(where: str) -> Engine:
    """Connections to a ledger that check no foreign key, as anybody has them who can do what they like."""
    if "://" not in where:
        engine = create_engine(f"sqlite:///{where}", poolclass=NullPool)
        event.listen(engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine
    engine = create_engine(where)
    event.listen(
        engine, "begin", lambda connection: connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
    )
    return engine


def problems(connection: Connection, key: LogKey) -> list[str]:
    """What a verification inside this connection's transaction finds."""
    return list(Audit(connection, key, Told(lambda _: iter(()))).problems())


def snapshot(connection: Connection) -> Mapping[str, Sequence[Mapping[str, object]]]:
    """All rows of all tables."""
    return {
        name: [dict(row) for row in connection.execute(select(table)).mappings()]
        for name, table in METADATA.tables.items()
    }


def alter(
    prepared: Prepared, acts: Mapping[str, Act], count: int, chance: random.Random
) -> Iterator[tuple[str, bool, bool, str]]:
    """Do `count` alterations, each kind in turn; says of each its kind, whether it was found and named, and what was said."""
    with prepared.engine.connect() as connection:
        with connection.begin():
            rows = snapshot(connection)
            assert problems(connection, prepared.signer.key) == []
        for number in range(count):
            kind = list(acts)[number % len(acts)]
            with connection.begin() as transaction:
                expected = acts[kind](Altering(connection, rows, chance))
                found = problems(connection, prepared.signer.key)
                transaction.rollback()
            wanted = (expected,) if isinstance(expected, str) else expected
            named = any(name in line for line in found for name in wanted)
            yield kind, bool(found), named, f"expected {' or '.join(wanted)!r}, found {found[:5]}"
        with connection.begin():
            assert problems(connection, prepared.signer.key) == [], "an alteration was not rolled back"


def table(title: str, done: Counter[str], found: Counter[str], named: Counter[str]) -> None:
    """Print one line a kind."""
    print(f"  {title:<44}{'done':>6}{'found':>7}{'named':>7}")
    for kind in sorted(done):
        print(f"  {kind:<44}{done[kind]:>6}{found[kind]:>7}{named[kind]:>7}")
    print(f"  {'in all':<44}{done.total():>6}{found.total():>7}{named.total():>7}", flush=True)


def prove(name: str, prepared: Prepared, count: int, seed: int) -> bool:
    """Alter the ledger on one database; whether everything was found and named."""
    done, found, named = Counter[str](), Counter[str](), Counter[str]()
    start, missed = time.monotonic(), []
    for kind, was_found, was_named, said in alter(prepared, ALTERATIONS, count, random.Random(f"{seed}/{name}")):
        assert time.monotonic() - start < LIMIT_S, f"only {done.total()} alterations in {LIMIT_S} s"
        done[kind] += 1
        found[kind] += was_found
        named[kind] += was_named
        if not was_named:
            missed.append(f"{kind}: {said}")
    print(f"{name}: {count} alterations in {time.monotonic() - start:.0f} s, seed {seed}")
    table("what entries commit to, or follows from it", done, found, named)
    for line in missed:
        print(f"  NOT NAMED - {line}")
    uncovered = alter(prepared, UNCOVERED, UNCOVERED_EACH * len(UNCOVERED), random.Random(f"{seed}/{name}/uncovered"))
    other, seen, said_so = Counter[str](), Counter[str](), Counter[str]()
    for kind, was_found, was_named, _ in uncovered:
        other[kind] += 1
        seen[kind] += was_found
        said_so[kind] += was_named
    table("not covered by any commitment", other, seen, said_so)
    return not missed


def roll_back(prepared: Prepared) -> Iterator[str]:
    """The operator goes back to the older copy and signs another tail; says who finds it."""
    with prepared.ledger(prepared.where) as ledger:
        known = ledger.checkpoint()
        size = parse_checkpoint(known).size
        ((_, last),) = ledger.entries(after=size - 2, limit=1)
        receipt = ledger.receipt(last.id)
    with prepared.ledger(prepared.older) as forged:
        cut = size - parse_checkpoint(forged.checkpoint()).size
        for number in range(cut + 5):
            forged.append(intent_record(f"forged-{number}-{new_id()}"))
        assert list(forged.verify()) == [], "the forged ledger is not even consistent in itself"
        yield f"the last {cut} entries replaced by {cut + 5} others, signed with the log's key: verify alone finds nothing"
        assert verify_receipt(receipt, prepared.signer.key) == last
        for what, note in (("an earlier checkpoint", known), ("a receipt", receipt.checkpoint)):
            try:
                follow(LedgerSource(forged), prepared.signer.key, note)
            except SplitViewError as error:
                yield f"with {what} that somebody kept: found ({type(error).__name__})"
            else:
                raise AssertionError(f"the forged tail was not found with {what}")


def filled(settings: Settings, database: Database, copy: Callable[[], str]) -> str:
    """Fill the installation's ledger; returns where the older copy of it is."""
    parts = parts_at(str(settings.home), database.url)
    try:
        work(parts, ENTRIES, "first")
        shadow(parts)
        erase_and_hold(parts)
    finally:
        parts.ledger.close()
    older = copy()
    parts = parts_at(str(settings.home), database.url)
    try:
        work(parts, parse_checkpoint(parts.ledger.checkpoint()).size + ROLLED_BACK, "second")
    finally:
        parts.ledger.close()
    return older


@contextmanager
def prepared_on(name: str) -> Iterator[Prepared]:
    """A filled ledger on one database, and an older copy of it."""
    with tempfile.TemporaryDirectory(prefix="governance-proof-") as temporary, opened(name) as database:
        folder = Path(temporary)
        settings = installation(folder, database)
        signer = KeyFolder(settings.keys_path).log()

        def copy() -> str:
            if database.server is None:
                return shutil.copy(settings.ledger_path, folder / "older.sqlite3")
            return database.server.fresh_database(like=database.name)

        older = filled(settings, database, copy)
        where = database.url or str(settings.ledger_path)
        opener = PostgresLedger.open if database.url else SqliteLedger.open
        engine = engine_of(where)
        yield Prepared(engine, lambda place: opener(place, signer), older, where, signer)
        engine.dispose()


def main() -> None:
    """Prove it on both databases, or on one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--mutations", type=int, default=1000, help="on each database")
    parser.add_argument("--seed", type=int, default=20261130, help="of the random alterations")
    parser.add_argument("--database", choices=DATABASES, help="this one only")
    parser.add_argument("--small", action="store_true", help="each kind once")
    options = parser.parse_args()
    count = len(ALTERATIONS) if options.small else options.mutations
    warnings.simplefilter("ignore")
    sound = True
    for name in (options.database,) if options.database else DATABASES:
        with prepared_on(name) as prepared:
            sound = prove(name, prepared, count, options.seed) and sound
            for line in roll_back(prepared):
                print(f"  {line}")
    if not sound:
        raise SystemExit("an alteration was not found, or not named")
    print("  every alteration was found and named", flush=True)


if __name__ == "__main__":
    main()
