"""Which released files an audit replays: a sample that anybody draws again from the same ledger with the same seed."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import groupby

from governance.canonical import digest
from governance.entries import Entry, EntryKind
from governance.errors import QueryError
from governance.ports import Ledger
from governance.records import asset_digest
from governance.replays import Sampled
from governance.search import instant

_PAGE = 1000


def sampled_releases(ledger: Ledger, sampled: Sampled) -> tuple[tuple[Entry, ...], ...]:
    """The `released` entries of a sample in the order of the log, those of one generation together.

    They are those with the smallest SHA-256 of `<seed>/<entry id>`: nobody chooses them, whoever knows the seed finds the
    same ones, and each release is as likely as every other one. Fewer where there are not as many.

    Raises:
        QueryError: a sample of less than one, or a `since` that is no time.
        LedgerError: the ledger cannot be read.
    """
    if sampled.number < 1:
        raise QueryError(f"There is no sample of {sampled.number} files.", remedy="Ask for at least one.")
    drawn = heapq.nsmallest(
        sampled.number,
        _releases(ledger, sampled.since),
        key=lambda each: digest(f"{sampled.seed}/{each[1].id}".encode()),
    )
    first: dict[str, int] = {}
    for index, entry in sorted(drawn, key=lambda each: each[0]):
        first.setdefault(entry.subject, index)
    in_order = sorted(drawn, key=lambda each: (first[each[1].subject], each[0]))
    return tuple(
        tuple(entry for _, entry in of_one) for _, of_one in groupby(in_order, key=lambda each: each[1].subject)
    )


def _releases(ledger: Ledger, since: str) -> Iterator[tuple[int, Entry]]:
    begin, after = instant(since) if since else None, -1
    while page := _page(ledger, after):
        after = page[-1][0]
        for index, entry in page:
            if asset_digest(entry) is not None and (begin is None or begin <= instant(entry.time)):
                yield index, entry


def _page(ledger: Ledger, after: int) -> Sequence[tuple[int, Entry]]:
    return ledger.entries(after=after, limit=_PAGE, kind=EntryKind.RELEASED)
