"""Recalls what descends from something: entries for all that no earlier recall of the same names, and the list of notices.

A recall that was interrupted is done by doing it again: what is recorded stays, what is missing is added, nothing twice. So
is one after which something was still released. Datasets, models and LoRAs are recorded first, one entry after the other:
from then on nothing more is made with them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TextIO

from governance.canonical import Json
from governance.checkpoint import parse_checkpoint
from governance.entries import Entry, EntryKind, Receipt, Record
from governance.errors import LedgerError
from governance.lineage.descent import Descendants
from governance.lineage.recall_entries import Cause, Recall, Targets, targets_of
from governance.ports import Ledger

NOTICE_FIELDS: Final = ("kind", "key", "name", "entry", "generation", "time", "digest", "media_type", "why")
"""What a notice says, in the order of the columns of a CSV."""

_PAGE: Final = 100
_THREADS: Final = 8
"""Appends that wait together share a transaction."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a recall did: the ids of the entries it wrote, what they name, and what earlier ones had named already."""

    entries: tuple[str, ...]
    targets: Targets
    before: Targets


def recall(
    ledger: Ledger, run: Recall, found: Descendants, progress: Callable[[int, int], None] = lambda *_: None
) -> Recalled:
    """Write the entries that recall `found`. `progress` is told how many are written, of how many.

    Raises:
        LedgerError: the ledger cannot be read or written; what was written until then stands.
    """
    before = recalled_before(ledger, found.cause)
    records = run.records(found.targets.without(before))
    named = [record for record in records if not targets_of(record.entry).assets]
    files = records[len(named) :]
    written = 0
    for record in named:
        _append(ledger, record)
        written += 1
        progress(written, len(records))
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(lambda record: _append(ledger, record), files):
            written += 1
            progress(written, len(records))
    return Recalled(tuple(record.entry.id for record in records), found.targets.without(before), before)


def recall_all(
    ledger: Ledger, run: Recall, look: Callable[[], Descendants], progress: Callable[[int, int], None] = lambda *_: None
) -> tuple[Descendants, Recalled]:
    """Look for descendants and recall them until nothing is new: what others made meanwhile is found the next time.

    Returns what was found last, and what was recalled altogether.

    Raises:
        LedgerError: the ledger cannot be read or written; what was written until then stands.
    """
    before = recalled_before(ledger, run.cause)
    entries: tuple[str, ...] = ()
    while True:
        size = _size(ledger)
        found = look()
        done = recall(ledger, run, found, progress)
        entries += done.entries
        others = _size(ledger) - size - len(done.entries)
        if not done.entries or not others:
            return found, Recalled(entries, found.targets.without(before), before)


def _size(ledger: Ledger) -> int:
    return parse_checkpoint(ledger.checkpoint()).size


def recalled_before(ledger: Ledger, cause: Cause) -> Targets:
    """What earlier recalls of the same cause name, each thing once.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    parts = [targets_of(entry) for entry in _entries(ledger, cause)]
    return Targets(
        tuple(dict.fromkeys(each for part in parts for each in part.datasets)),
        tuple(dict.fromkeys(each for part in parts for each in part.models)),
        tuple(dict.fromkeys(each for part in parts for each in part.adapters)),
        tuple(dict.fromkeys(each for part in parts for each in part.assets)),
    )


def notices(found: Descendants, names: Mapping[str, str] | None = None) -> Iterator[dict[str, Json]]:
    """One notice for each descendant, with `NOTICE_FIELDS`: datasets, models, LoRAs, then files in the order of their release.

    `names` are what the register calls models and LoRAs. Nothing in a notice is personal: who asked for a file stands beside
    the intent of its `generation`.
    """
    called = names or {}
    for audit, why in found.datasets:
        yield _notice("dataset", audit.entry.id, name=audit.name, entry=audit.entry.id, time=audit.entry.time, why=why)
    for key, why in found.models.items():
        yield _notice("model", key, name=called.get(key, ""), why=why)
    for key, why in found.adapters.items():
        yield _notice("adapter", key, name=called.get(key, ""), why=why)
    reasons = {through: found.why(through) for through in {through for _, through in found.releases}}
    for release, through in found.releases:
        yield _notice(
            "asset",
            release.asset,
            entry=release.entry,
            generation=release.generation,
            time=release.time,
            digest=release.digest,
            media_type=release.media_type,
            why=reasons[through],
        )


def write_lines(listed: Iterable[Mapping[str, Json]], file: TextIO) -> int:
    """Notices as JSON Lines; returns how many."""
    count = 0
    for count, notice in enumerate(listed, 1):  # noqa: B007 - the last number is the answer
        file.write(json.dumps(notice, ensure_ascii=False, sort_keys=True) + "\n")
    return count


def write_table(listed: Iterable[Mapping[str, Json]], file: TextIO) -> int:
    """Notices as CSV (RFC 4180) with a line of names; returns how many. Open `file` with `newline=""`.

    A value that a spreadsheet would take for a formula has an apostrophe before it.
    """
    table = csv.DictWriter(file, NOTICE_FIELDS)
    table.writeheader()
    count = 0
    for count, notice in enumerate(listed, 1):  # noqa: B007 - the last number is the answer
        table.writerow({name: _plain(str(value)) for name, value in notice.items()})
    return count


def _plain(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _notice(kind: str, key: str, **said: str) -> dict[str, Json]:
    return {**dict.fromkeys(NOTICE_FIELDS, ""), "kind": kind, "key": key, **said}


def _append(ledger: Ledger, record: Record) -> Receipt:
    receipt = ledger.append(record)
    if receipt.leaf != record.entry.leaf():
        raise LedgerError(
            f"The ledger answered with a receipt for another entry than {record.entry.id}.",
            remedy="Run `governance ledger verify`.",
        )
    return receipt


def _entries(ledger: Ledger, cause: Cause) -> Iterator[Entry]:
    after = -1
    page: Sequence[tuple[int, Entry]]
    while page := ledger.entries(after=after, limit=_PAGE, subject=cause.subject, kind=EntryKind.RECALLED):
        after = page[-1][0]
        yield from (entry for _, entry in page)
