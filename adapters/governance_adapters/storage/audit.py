"""Recomputes the whole ledger from its leaves, one tile of 256 entries at a time, within one snapshot.

What it can show: that the stored entries are those that the log's key signed, whole and in order, and that everything
beside them that an entry commits to is unaltered. What it cannot: that the newest checkpoints were not cut off (only
receipts and checkpoints kept elsewhere show that), and what no entry commits to (claims, counters, usage, perceptual hashes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from sqlalchemy import Connection, func, select

from governance.checkpoint import LogKey
from governance_adapters.storage.audit_erasures import ErasureAudit
from governance_adapters.storage.audit_parts import BESIDE, DATABASE, SPAN, Auditor, Found, Part, Told, shares, spans
from governance_adapters.storage.audit_postings import PostingAudit, new_keys
from governance_adapters.storage.audit_tree import Doubt, TreeAudit, newest_size
from governance_adapters.storage.tables import ENTRY


class Doing(Protocol):
    """Does the parts of an audit: here, or in several processes."""

    def each(self, parts: Iterable[Part]) -> Iterator[Found]:
        """What each part comes to, in their order, whichever is done first."""

    def soon(self, part: Part) -> Callable[[], Found]:
        """Begin with a part that takes long, where that can be; returns what it came to once it is asked."""


class Here:
    """Does one part after the other, in this process."""

    def __init__(self, auditor: Auditor) -> None:
        self._auditor = auditor

    def each(self, parts: Iterable[Part]) -> Iterator[Found]:
        """See `Doing.each`."""
        return map(self._auditor.do, parts)

    def soon(self, part: Part) -> Callable[[], Found]:
        """See `Doing.soon`: done when it is asked."""
        return lambda: self._auditor.do(part)


class Audit:
    """One audit. `key` is the log's public key, from somewhere other than the database.

    With `index` the index of searches and the counts by day are worked out anew and compared too, which takes several times
    as long as everything that a proof rests on. `elsewhere` does its parts on other connections, in the snapshot of this
    one; it is given the keys of the index's sums. `span` entries are one part: as many as a power of two, whole tiles.
    """

    def __init__(
        self,
        connection: Connection,
        key: LogKey | None,
        told: Told,
        *,
        index: bool = True,
        span: int = SPAN,
        elsewhere: Callable[[tuple[int, int] | None], Doing] | None = None,
    ) -> None:
        self._connection = connection
        self._key = key
        self._span = span
        keys = new_keys() if index else None
        self._postings = PostingAudit(connection, keys) if keys else None
        self._doing: Doing = elsewhere(keys) if elsewhere else Here(Auditor(connection, key, told, keys))
        self._tree = TreeAudit(connection)
        self._longer: set[str] = set()

    def problems(self) -> Iterator[str]:
        """One line per problem; nothing when all holds."""
        try:
            yield from self._problems()
        except _StoppedError:
            return  # the line before says why

    def _problems(self) -> Iterator[str]:
        damage = self._doing.soon(DATABASE)
        if self._key is None:
            yield "The checkpoints' signatures were not checked: no log key was given."
        size = newest_size(self._connection, self._key)
        if size is None:
            yield "No newest checkpoint that verifies: nothing shows that the entries are complete."
            size = int(self._connection.execute(select(func.count(ENTRY.c.seq))).scalar_one())
        uncovered = select(ENTRY.c.seq, ENTRY.c.id).where((ENTRY.c.seq < 0) | (ENTRY.c.seq >= size))
        for row in self._connection.execute(uncovered.order_by(ENTRY.c.seq)):
            yield f"Entry {row.seq} ({row.id}) is not covered by the newest checkpoint."
        for found in self._doing.each(spans(size, self._span)):
            if found.stopped or self._tree.bears_out(found.before):
                yield from self._span_of(found)
            else:  # what stands before this span is not what is stored: its checkpoints are in doubt, every one
                yield from self._span_of(next(self._doing.each([("doubted", *found.part[1:])])))
        yield from self._tree.finish(size)
        for found in self._doing.each(BESIDE):
            yield from self._lines(found)
        yield from ErasureAudit(self._connection).longer(self._longer)
        if self._postings is not None:
            seen = []
            for found in self._doing.each(shares(self._postings.pages)):
                yield from self._lines(found)
                seen += [found.seen] if found.seen else []
            yield from self._postings.problems(seen)
        yield from self._lines(damage())

    def _span_of(self, found: Found) -> Iterator[str]:
        yield from self._lines(found)
        yield from self._tree.push(found.roots)
        self._longer.update(found.longer)
        if self._postings is not None and found.expected is not None:
            self._postings.expect(found.expected)

    def _lines(self, found: Found) -> Iterator[str]:
        for finding in found.findings:
            if isinstance(finding, Doubt):
                yield from self._tree.settled(finding)
            else:
                yield finding
        if found.stopped:
            raise _StoppedError


class _StoppedError(Exception):
    """A part could not be done to its end, and said why."""
