"""Answers a query from the index: posting lists, walked side by side in the order of the log.

Each filter is a list of indices, or a union of such lists. They are intersected by leapfrog: each list in turn is asked for
its next index from where the last one stands, until all agree. What they agree on is read and compared with the query
itself, so answers are exact whatever a term stands for. A list is read in chunks, so memory stays flat, and a page ends
early once it has looked at `MAX_STEPS` rows: two long lists with nothing in common take several short pages, not seconds.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Protocol

from sqlalchemy import Connection, TextClause, bindparam, func, select, text

from governance.alike import nearest
from governance.canonical import Digest
from governance.entries import Entry, MarkRecord
from governance.search import Query, Rollup, SearchPage, check_days, check_page
from governance.terms import Union, alike_terms, wanted
from governance.traits import matches, traits_of
from governance.types import Fingerprint
from governance_adapters.storage.postings import documents_of, fields_of
from governance_adapters.storage.tables import ENTRY, MARK, POSTING, ROLLUP

MAX_STEPS: Final = 20_000
"""How many rows of the index and entries a page looks at before it ends short."""
_SHORTEST, _LONGEST = 32, 1024
_TOGETHER: Final = 64
"""Lists that are read by one statement."""
_READ: Final = 64
"""Entries that are read together."""
_ENTRY_STEPS: Final = 8
"""What reading an entry counts for."""

# Built once: building a statement takes longer than running it.
_CHUNK = (
    select(POSTING.c.seq)
    .where(POSTING.c.term == bindparam("of_term"), POSTING.c.seq >= bindparam("first"))
    .order_by(POSTING.c.seq)
    .limit(bindparam("most"))
)
_ALL = select(ENTRY.c.seq).where(ENTRY.c.seq >= bindparam("first")).order_by(ENTRY.c.seq).limit(bindparam("most"))
_ONE_OF_MANY: Final = (
    "SELECT @ AS place, seq FROM (SELECT seq FROM posting WHERE term = :term_@ AND seq >= :first "
    "ORDER BY seq LIMIT :most_@) AS list_@"
)
_ALIKE = (
    select(MARK)
    .select_from(
        POSTING.join(ENTRY, ENTRY.c.seq == POSTING.c.seq).join(MARK, MARK.c.asset_digest == ENTRY.c.asset_digest)
    )
    .where(POSTING.c.term.in_(bindparam("terms", expanding=True)))
)


@dataclass(slots=True)
class Effort:
    """How many rows were looked at so far, and how many may be."""

    most: int
    spent: int = 0

    @property
    def over(self) -> bool:
        """Whether that is enough for one page."""
        return self.spent >= self.most


class Walk(Protocol):
    """Indices in rising order."""

    def seek(self, target: int) -> int | None:
        """The first index from `target` on, None where there is none. `target` never falls."""


@dataclass(slots=True)
class Postings:
    """One posting list, or with `term` None the whole log, read in chunks: longer ones while they are read through."""

    connection: Connection
    term: bytes | None
    effort: Effort
    chunk: list[int] = field(default_factory=list)
    at: int = 0
    length: int = _SHORTEST
    leapt: bool = False
    ended: bool = False

    def seek(self, target: int) -> int | None:
        """See `Walk.seek`."""
        if self.lacks(target):
            query, of_term = (_ALL, {}) if self.term is None else (_CHUNK, {"of_term": self.term})
            rows = self.connection.execute(query, {**of_term, "first": target, "most": self.grown()})
            self.fill(list(rows.scalars().all()))
        return self.chunk[self.at] if self.at < len(self.chunk) else None

    def lacks(self, target: int) -> bool:
        """Whether what was read does not say what comes from `target` on."""
        before = self.at
        self.at = bisect_left(self.chunk, target, before)
        self.leapt = 2 * (self.at - before) > len(self.chunk)
        return self.at == len(self.chunk) and not self.ended

    def grown(self) -> int:
        """How much to read next: more where what was read before was used, little after a leap."""
        self.length = _SHORTEST if self.leapt or not self.chunk else min(2 * self.length, _LONGEST)
        return self.length

    def fill(self, chunk: list[int]) -> None:
        """Go on with what was read."""
        self.chunk, self.at, self.ended = chunk, 0, len(chunk) < self.length
        self.effort.spent += max(len(chunk), 1)


class Merged:
    """The union of posting lists: a heap of what comes next in each. Lists to be read on are read by few statements."""

    def __init__(self, connection: Connection, union: Union, effort: Effort) -> None:
        self._connection = connection
        self._lists = [Postings(connection, term, effort) for term in union]
        self._heap = [(-1, number) for number in range(len(self._lists))]

    def seek(self, target: int) -> int | None:
        """See `Walk.seek`."""
        behind: list[int] = []
        while self._heap and self._heap[0][0] < target:
            behind.append(heapq.heappop(self._heap)[1])
        self._read([number for number in behind if self._lists[number].lacks(target)], target)
        for number in behind:
            found = self._lists[number].seek(target)
            if found is not None:
                heapq.heappush(self._heap, (found, number))
        return self._heap[0][0] if self._heap else None

    def _read(self, numbers: Sequence[int], target: int) -> None:
        for start in range(0, len(numbers), _TOGETHER):
            together = numbers[start : start + _TOGETHER]
            asked: dict[str, Any] = {"first": target}
            for place, number in enumerate(together):
                asked |= {f"term_{place}": self._lists[number].term, f"most_{place}": self._lists[number].grown()}
            chunks: list[list[int]] = [[] for _ in together]
            for place, seq in self._connection.execute(_side_by_side(len(together)), asked).all():
                chunks[place].append(seq)
            for number, chunk in zip(together, chunks, strict=True):
                self._lists[number].fill(sorted(chunk))


def search(connection: Connection, query: Query, after: int, limit: int, *, most: int = MAX_STEPS) -> SearchPage:
    """One page; see `Ledger.search`. It ends short where it has looked at `most` rows.

    Raises:
        QueryError: `limit` is below 1.
        ProofError: an entry was altered.
    """
    check_page(limit)
    effort = Effort(most)
    unions = wanted(query, _years(connection) if (query.since or query.until) is not None else ())
    if not all(unions):
        return SearchPage(())
    walks: list[Walk] = [
        Postings(connection, union[0], effort) if len(union) == 1 else Merged(connection, union, effort)
        for union in unions
    ] or [Postings(connection, None, effort)]
    found: list[tuple[int, Entry]] = []
    seen = after
    while True:
        together, place = _agreed(walks, seen + 1, min(_READ, limit + 1 - len(found)), effort)
        for seq, entry in _answers(connection, query, together):
            if len(found) == limit:
                return SearchPage(tuple(found), found[-1][0])
            found.append((seq, entry))
        effort.spent += _ENTRY_STEPS * len(together)
        if place is None:
            return SearchPage(tuple(found))
        seen = place
        if effort.over and seen > after:
            return SearchPage(tuple(found), seen)


def alike(connection: Connection, fingerprint: Fingerprint, limit: int) -> Sequence[MarkRecord]:
    """See `Ledger.alike`: band by band; what is near in none is not alike.

    Raises:
        QueryError: `limit` is below 1.
    """
    check_page(limit)
    return nearest(_candidates(connection, fingerprint), fingerprint.pdq, limit)


def rollups(connection: Connection, since: str, until: str) -> Sequence[Rollup]:
    """See `Ledger.rollups`.

    Raises:
        QueryError: one of them is no day, or they are in no order.
    """
    check_days(since, until)
    query = select(ROLLUP).where(ROLLUP.c.day >= since, ROLLUP.c.day < until)
    rows = [Rollup(row.day, row.name, row.value, row.entries) for row in connection.execute(query)]
    return sorted(rows, key=lambda each: (each.day, each.name, each.value))  # databases differ in how they order text


def _agreed(walks: Sequence[Walk], target: int, most: int, effort: Effort) -> tuple[list[int], int | None]:
    """Indices from `target` on that all walks have, at most `most`; and up to where was looked, None for to the end."""
    found: list[int] = []
    place = target - 1
    while len(found) < most:
        agreed = _leap(walks, place + 1, effort)
        if agreed is None:
            return found, None
        index, all_have = agreed
        if all_have:
            found.append(index)
            place = index
        else:
            place = index - 1
        if effort.over:
            break
    return found, place


def _leap(walks: Sequence[Walk], target: int, effort: Effort) -> tuple[int, bool] | None:
    """The next index that all walks have; or, with False, where looking ended early. None where a walk has ended."""
    first, agreeing = target, 0
    while agreeing < len(walks):
        for walk in walks:
            found = walk.seek(target)
            if found is None:
                return None
            agreeing = agreeing + 1 if found == target else 1
            target = found
            if agreeing == len(walks):
                break
        if effort.over and target > first:
            return target, agreeing == len(walks)
    return target, True


def _answers(connection: Connection, query: Query, seqs: Sequence[int]) -> Iterator[tuple[int, Entry]]:
    """Those of these entries that hold every filter."""
    if not seqs:
        return
    rows = connection.execute(select(ENTRY.c.seq, ENTRY.c.leaf).where(ENTRY.c.seq.in_(seqs)))
    entries = sorted((int(row.seq), Entry.from_leaf(row.leaf)) for row in rows)
    fields = fields_of(connection, [entry.id for _, entry in entries]) if query.personal else {}
    documents = documents_of(connection, (entry for _, entry in entries)) if _needs_documents(query) else {}
    for seq, entry in entries:
        if matches(query, traits_of(entry, fields.get(entry.id, ()), documents)):
            yield seq, entry


def _needs_documents(query: Query) -> bool:
    return any(value is not None for value in (query.model, query.adapter, query.purpose))


def _years(connection: Connection) -> list[str]:
    """The years that any entry is of."""
    found: list[str] = []
    query = select(func.min(ROLLUP.c.day)).where(ROLLUP.c.day >= bindparam("beyond"))
    while day := connection.execute(query, {"beyond": f"{int(found[-1]) + 1:04}" if found else ""}).scalar():
        found.append(day[:4])
    return found


def _candidates(connection: Connection, fingerprint: Fingerprint) -> Iterator[MarkRecord]:
    for terms in alike_terms(fingerprint.pdq):
        for row in connection.execute(_ALIKE, {"terms": terms}, execution_options={"yield_per": _LONGEST}):
            yield _mark(row)


def _mark(row: Any) -> MarkRecord:
    fingerprint = Fingerprint(bytes(row.pdq), row.quality, bytes(row.grid))
    return MarkRecord(row.algorithm, row.key_id, row.mark_id, row.asset_id, Digest(row.asset_digest), fingerprint)


@cache
def _side_by_side(count: int) -> TextClause:
    """The next chunks of so many lists, each row with its list's place: written out, for building it piecemeal is slow."""
    return text(" UNION ALL ".join(_ONE_OF_MANY.replace("@", str(place)) for place in range(count)))
