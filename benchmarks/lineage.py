"""Lineage and recall on a large ledger: from a file to its licences, and from a licence to a hundred thousand files.

    python benchmarks/lineage.py [--entries 1000000] [--descendants 100000] [--database sqlite]

The ledger is filled through the code that appends, many records a transaction: `--descendants` files that were made with a LoRA,
which a governed run made from an audited dataset; as many that were made without it; and denied requests. Each descendant is read from the
ledger and named by an entry with its proof. Beside it stands what is commonly done instead: every entry is read and compared.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from ledger import PAGE_MS, milliseconds, opened, places, record

from governance.canonical import digest
from governance.checkpoint import parse_checkpoint
from governance.entries import Entry, EntryKind, Record
from governance.lineage.descent import descendants
from governance.lineage.drawn import svg
from governance.lineage.matching import NoFiles
from governance.lineage.recall_entries import Cause, Recall, RecallBy
from governance.lineage.recalled import recalled
from governance.lineage.recalling import recall
from governance.lineage.tracing import lineage_of
from governance.merkle import leaf_hash
from governance.testing.examples import EXAMPLE_MODEL
from governance.testing.search_records import Told
from governance.types import ModelFacts, Stage, new_id, utc_now
from governance_adapters.storage.ledger import SqlLedger
from governance_adapters.storage.transaction import Prepared, Transaction
from support.lineages import COUNSEL, World, lora

LINEAGE_MS, RECALL_S = 50, 5
QUESTIONS = 300
BATCH = 5_000
FILES = 4
"""Of one call."""
LORA = lora("ink")
LICENCE = "CC-BY-4.0"


def made(model: ModelFacts, count: int) -> Iterator[Record]:
    """So many releases of one model, four of one intent. Only what differs between files is made anew."""
    intent = Told(subject="generation", model=model).record()
    told = Told(EntryKind.RELEASED, subject="generation", model=model, stage=Stage.RELEASE, scores=(0.1, 0.2))
    released = replace(told, intent=intent, content=b"content").record()
    for number in range(count):
        if number % FILES == 0:
            generation = new_id()
            asked = replace(intent, entry=replace(intent.entry, id=new_id(), subject=generation, time=utc_now()))
            named = {"id": asked.entry.id, "leaf": leaf_hash(asked.entry.leaf()).hex()}
            yield asked
        name = new_id()
        asset = {"id": name, "digest": digest(name.encode()), "media_type": "image/png", "bytes": 300_000}
        body = {**released.entry.body, "intent": named, "asset": asset, "item": number % FILES, "fields": {}}
        entry = replace(released.entry, id=new_id(), subject=generation, time=utc_now(), body=body)
        yield replace(released, entry=entry, fields=())


def fill(ledger: SqlLedger, records: Iterator[Record]) -> None:
    """Append all of them, many in a transaction."""
    waiting: list[Prepared] = []

    def write() -> None:
        batch = tuple(waiting)
        waiting.clear()

        def add(transaction: Transaction) -> None:
            for each in batch:
                transaction.add(each)

        ledger._held().writer().do(add)  # noqa: SLF001 - the writer itself, for many records in one transaction

    for each in records:
        waiting.append(Prepared.of(each))
        if len(waiting) == BATCH:
            write()
    if waiting:
        write()


def timed(question: Callable[[int], object], count: int = QUESTIONS) -> list[float]:
    """Seconds of each answer, after a few that are not counted."""
    taken = []
    for number in range(count + 5):
        start = time.perf_counter()
        question(number)
        if number >= 5:
            taken.append(time.perf_counter() - start)
    return taken


def by_reading(ledger: SqlLedger, seconds: float) -> float:
    """Entries a second, where each is read, parsed and looked at: the recall that needs no index."""
    after, count, start = -1, 0, time.perf_counter()
    while time.perf_counter() - start < seconds and (page := ledger.entries(after=after, limit=1_000)):
        after, count = page[-1][0], count + len(page)
        sum(LORA.digest in str(entry.body) for _, entry in page)
    return count / (time.perf_counter() - start)


def measure(name: str, where: str, entries: int, wanted: int) -> None:
    """Fill a ledger, and ask."""
    with opened(where) as ledger:
        world = World(ledger)
        world.model()
        audited = world.audited()
        world.adapter(LORA, world.run(audited, LORA))
        start = time.perf_counter()
        rest = max(entries - 2 * (wanted + wanted // FILES), 0)
        for share in range(10):  # the descendants lie all over the log, among as many other files, and other entries
            fill(ledger, (record(number) for number in range(rest * share // 10, rest * (share + 1) // 10)))
            for model in (EXAMPLE_MODEL, replace(EXAMPLE_MODEL, adapters=(LORA,))):
                fill(ledger, made(model, wanted * (share + 1) // 10 - wanted * share // 10))
        if "://" in where:
            ledger._held().writer().do(  # noqa: SLF001 - what the server's own housekeeping does by and by
                lambda transaction: transaction.connection.exec_driver_sql("ANALYZE")
            )
        size = parse_checkpoint(ledger.checkpoint()).size
        print(f"\n{name}: {size:,} entries, filled in {time.perf_counter() - start:.0f} s", flush=True)
    with opened(where) as ledger:
        files = some_releases(ledger)
        print(f"{'':<52}{'p50 ms':>9}{'p99 ms':>9}{'target':>9}")
        questions: dict[str, Callable[[int], object]] = {
            "lineage of a file, graph": lambda number: lineage_of(ledger, files[number % len(files)]),
            "lineage of a file, graph and picture": lambda n: svg(lineage_of(ledger, files[n % len(files)])),
            "whether a file was recalled": lambda number: recalled(ledger, files[number % len(files)]),
        }
        for what, question in questions.items():
            limit = PAGE_MS if what.startswith("whether") else LINEAGE_MS
            print(f"{what:<52}{milliseconds(timed(question))}{limit:>9}", flush=True)
        recall_all(ledger, size, wanted)
        taken = milliseconds(timed(questions["lineage of a file, graph"]))
        print(f"{'lineage of a file after the recall':<52}{taken}{LINEAGE_MS:>9}", flush=True)
        taken = milliseconds(timed(questions["whether a file was recalled"]))
        print(f"{'whether a file was recalled, after it':<52}{taken}{PAGE_MS:>9}", flush=True)


def some_releases(ledger: SqlLedger) -> list[Entry]:
    """Files all over the log, some of them descendants."""
    size = parse_checkpoint(ledger.checkpoint()).size
    places_in_it = np.linspace(0, size - 2, QUESTIONS, dtype=int)
    pages = [ledger.entries(after=int(place), limit=2, kind=EntryKind.RELEASED) for place in places_in_it]
    return [page[0][1] for page in pages if page]


def recall_all(ledger: SqlLedger, size: int, wanted: int) -> None:
    """Find the descendants of the licence, and recall them; then once more."""
    cause = Cause(RecallBy.LICENCE, LICENCE)
    start = time.perf_counter()
    found = descendants(ledger, cause, NoFiles())
    looked = time.perf_counter()
    done = recall(ledger, Recall(cause, COUNSEL, "the licence ended"), found)
    ended = time.perf_counter()
    if len(found.targets.assets) != wanted or len(done.targets.assets) != wanted:
        sys.exit(f"{len(found.targets.assets)} descendants were found, not {wanted}")
    print(f"{'recall of':<12}{wanted:>10,} files: found in {looked - start:6.2f} s, recorded in {ended - looked:6.2f} s by "
          f"{len(done.entries)} entries; {ended - start:6.2f} s together, target {RECALL_S} s")  # fmt: skip
    start = time.perf_counter()
    again = recall(ledger, Recall(cause, COUNSEL), descendants(ledger, cause, NoFiles()))
    if again.entries:
        sys.exit("a second recall of the same recorded something")
    print(f"the same again: {time.perf_counter() - start:.2f} s, nothing recorded")
    rate = by_reading(ledger, 5)
    print(
        f"the same by reading every entry: {rate:,.0f} entries a second, {size / rate:.0f} s for all, nothing recorded"
    )


def main() -> None:
    """Print the table of both databases, or of one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the ledger")
    parser.add_argument("--descendants", type=int, default=100_000, help="files that are recalled")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="this one only")
    chosen = parser.parse_args()
    print(
        f"target: lineage < {LINEAGE_MS} ms, recall of 100,000 files < {RECALL_S} s on 1,000,000 entries; {utc_now()}"
    )
    for name in (chosen.database,) if chosen.database else ("sqlite", "postgresql"):
        with places(name) as place:
            measure(name, place(), chosen.entries, chosen.descendants)


if __name__ == "__main__":
    main()
