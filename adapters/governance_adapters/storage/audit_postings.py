"""Do the index and the counts by day say what the entries, and what is left beside them, make of them? A part of the audit.

Nothing leads from an entry to its postings, so postings are compared by sums: each is hashed with its entry's index, by a
hash that is drawn anew for each audit, and the hashes are added up for each page of entries, once as they should be and
once as they are, in one pass over the index. Only pages whose sums differ are looked at term by term.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, select

from governance.entries import Entry
from governance.terms import TERM_BYTES
from governance_adapters.storage.postings import PAGE, kept, load, load_entries, readable
from governance_adapters.storage.tables import ENTRY, POSTING, ROLLUP

MAX_PAGES: Final = 64
"""Pages of entries that are looked at term by term; of more the audit says how many."""
_TOGETHER: Final = 16
"""Pages that one pass over the index is for."""
_CHUNK: Final = 8192
_REMEDY: Final = "`governance ledger reindex` makes it anew"

Sums = NDArray[np.uint64]


SHARES: Final = 16
"""Into how many shares the index is divided, by the first four bits of the terms."""


def new_keys() -> tuple[int, int]:
    """What the hash of one audit is drawn by: all its processes need the same."""
    return secrets.randbits(64), secrets.randbits(64)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a span of entries should have in the index: the sums of its pages, from page `first` on, and its counts."""

    first: int
    sums: Sums
    counts: Counter[tuple[str, str, str]]


class PostingAudit:
    """Compares index and counts with the entries, which it is given a page at a time."""

    def __init__(self, connection: Connection, keys: tuple[int, int] | None = None) -> None:
        self._connection = connection
        self._kept = kept(connection)
        self._keys = np.array(keys or new_keys(), dtype=np.uint64)
        self._expected: Sums = np.zeros(0, dtype=np.uint64)
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def of_entries(self, entries: Sequence[tuple[int, Entry]]) -> None:
        """Take entries with their indices into account."""
        if not self._kept or not entries:
            return
        found = load_entries(self._connection, entries)
        pairs = [(term, seq) for seq, indexed in found for term in indexed.terms]
        pages = max(seq for seq, _ in entries) // PAGE + 1
        self._expected = _grown(self._expected, pages)
        self._add(self._expected, pairs)
        for _, indexed in found:
            self._counts.update(indexed.counts)

    def taken(self, first: int, end: int) -> Expected:
        """What was taken into account since this was asked last: the pages from `first` to `end`; forgotten here."""
        expected = Expected(first, self._expected[first:end], self._counts)
        self._expected, self._counts = np.zeros(0, dtype=np.uint64), Counter()
        return expected

    def expect(self, expected: Expected) -> None:
        """Take into account what another audit, with the same keys, has taken."""
        exactly = max(self.pages, expected.first + len(expected.sums))
        self._expected = _grown(self._expected, exactly)[:exactly]
        self._expected[expected.first : expected.first + len(expected.sums)] += expected.sums
        self._counts.update(expected.counts)

    @property
    def pages(self) -> int:
        """How many pages of entries there are."""
        return len(self._expected)

    def seen(self, share: int, pages: int) -> tuple[Sums, int]:
        """The sums of so many pages over one share of the index, and how many of its postings cannot be any."""
        sums, strays = np.zeros(pages, dtype=np.uint64), 0
        if self._kept:
            query = select(POSTING.c.term, POSTING.c.seq).where(*_of_share(share))
            rows = self._connection.execute(query, execution_options={"yield_per": _CHUNK})
            for chunk in rows.partitions():
                strays += self._add(sums, chunk)
        return sums, strays

    def problems(self, shares: Iterable[tuple[Sums, int]] | None = None) -> Iterator[str]:
        """One line per entry that the index is wrong about, and per count that is wrong; after all entries.

        `shares` are what `seen` returns of each share.
        """
        if self._kept:
            mine = (self.seen(share, self.pages) for share in range(SHARES))
            yield from self._postings(mine if shares is None else shares)
            yield from self._rollups()

    def _postings(self, shares: Iterable[tuple[Sums, int]]) -> Iterator[str]:
        seen, strays = np.zeros_like(self._expected), 0
        for sums, others in shares:
            seen += sums
            strays += others
        if strays:
            yield f"The index: {strays} postings lead to no entry, or have no term; {_REMEDY}."
        wrong = [int(page) for page in np.flatnonzero(seen != self._expected)]
        for start in range(0, min(len(wrong), MAX_PAGES), _TOGETHER):
            yield from self._named(wrong[start : min(start + _TOGETHER, MAX_PAGES)])
        if len(wrong) > MAX_PAGES:
            yield f"The index is wrong about {len(wrong) - MAX_PAGES} more pages of {PAGE} entries; {_REMEDY}."

    def _named(self, pages: Sequence[int]) -> Iterator[str]:
        """The entries of these pages that the index is wrong about."""
        found: dict[int, set[bytes]] = {}
        query = select(POSTING.c.term, POSTING.c.seq).where((POSTING.c.seq // PAGE).in_(pages))
        for row in self._connection.execute(query):
            found.setdefault(row.seq, set()).add(bytes(row.term))
        for page in pages:
            rows = self._connection.execute(
                select(ENTRY.c.seq, ENTRY.c.leaf, ENTRY.c.id)
                .where(ENTRY.c.seq >= page * PAGE, ENTRY.c.seq < (page + 1) * PAGE)
                .order_by(ENTRY.c.seq)
            ).all()
            expected = {seq: indexed.terms for seq, indexed in load(self._connection, [row[:2] for row in rows])}
            names = {row.seq: f"Entry {row.seq} ({row.id})" for row in rows}
            for seq in sorted(expected.keys() | {seq for seq in found if seq // PAGE == page}):
                yield from _difference(
                    names.get(seq, f"Entry {seq}"), expected.get(seq, frozenset()), found.get(seq, ())
                )

    def _rollups(self) -> Iterator[str]:
        for row in self._connection.execute(select(ROLLUP), execution_options={"yield_per": _CHUNK}):
            counted = self._counts.pop((row.day, row.name, row.value), 0)
            if counted != row.entries:
                yield _miscount(row.day, row.name, row.value, row.entries, counted)
        for (day, name, value), counted in sorted(self._counts.items()):
            yield _miscount(day, name, value, 0, counted)

    def _add(self, sums: Sums, postings: Sequence[Any]) -> int:
        """Add the hash of each posting to the sum of its entry's page, modulo 2^64; returns how many cannot be any."""
        sound = [each for each in postings if len(each[0]) == TERM_BYTES]
        if not sound:
            return len(postings)
        halves = np.frombuffer(b"".join([term for term, _ in sound]), dtype="<u8").reshape(-1, 2)
        places = np.fromiter((seq for _, seq in sound), dtype=np.int64, count=len(sound))
        known = (places >= 0) & (places < len(sums) * PAGE)
        halves, places = halves[known], places[known]
        # A product of sums, so that two postings that trade their terms or their entries add up to something else.
        hashed = (halves[:, 0] + self._keys[0]) * (halves[:, 1] ^ (places.astype(np.uint64) * _ODD + self._keys[1]))
        hashed ^= hashed >> _HALF
        hashed *= _ODD
        pages = places // PAGE
        for shift in (0, 32):  # half by half, for weights are floats, which are exact up to 2^53
            half = np.bincount(pages, weights=(hashed >> np.uint64(shift)) & _MASK, minlength=len(sums))
            sums += half.astype(np.uint64) << np.uint64(shift)
        return len(postings) - len(places)


_ODD: Final = np.array([0x9E3779B97F4A7C15], dtype=np.uint64)
_HALF: Final = np.array([32], dtype=np.uint64)
_MASK: Final = np.array([0xFFFFFFFF], dtype=np.uint64)


def compare(connection: Connection) -> Iterator[str]:
    """One line per entry that the index is wrong about, and per count that is wrong. Memory stays flat."""
    audit, after = PostingAudit(connection), -1
    query = select(ENTRY.c.seq, ENTRY.c.leaf).order_by(ENTRY.c.seq).limit(PAGE)
    while rows := connection.execute(query.where(ENTRY.c.seq > after)).all():
        audit.of_entries(readable([(row.seq, row.leaf) for row in rows]))
        after = rows[-1].seq
    yield from audit.problems()


def _of_share(share: int) -> Sequence[ColumnElement[bool]]:
    """Where a posting is of this share; the first and the last take whatever sorts before or behind all terms."""
    above = [POSTING.c.term >= bytes([share << 4])] if share else []
    return [*above, POSTING.c.term < bytes([(share + 1) << 4])] if share < SHARES - 1 else above


def _difference(name: str, expected: frozenset[bytes], found: Collection[bytes]) -> Iterator[str]:
    missing, extra = len(expected - set(found)), len(set(found) - expected)
    if missing or extra:
        yield f"{name}: the index lacks {missing} of its terms, and has {extra} that are not its own; {_REMEDY}."


def _miscount(day: str, name: str, value: str, found: int, counted: int) -> str:
    return f"The count of {name} {value!r} on {day} is {found}, the entries come to {counted}; {_REMEDY}."


def _grown(sums: Sums, pages: int) -> Sums:
    """The sums, with room for so many pages."""
    if pages <= len(sums):
        return sums
    grown = np.zeros(max(pages, 2 * len(sums)), dtype=np.uint64)
    grown[: len(sums)] = sums
    return grown
