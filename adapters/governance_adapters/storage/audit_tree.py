"""Follows the tree while an audit streams the leaves, a span of whole tiles at a time: every checkpoint, every tile above.

A span starts from what the stored tiles say stands before it, so that spans need not wait for each other. Whoever has all
spans compares that, in their order, with what the leaves come to; where it differs, the span is done again, with every
checkpoint in doubt, and these are settled by the leaves alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from governance.checkpoint import Checkpoint, LogKey, parse_checkpoint, verify_checkpoint
from governance.errors import LedgerError, ProofError
from governance.merkle import TILE_HEIGHT, TILE_WIDTH, Frontier, folded, root_of
from governance_adapters.storage.tables import CHECKPOINT, TILE
from governance_adapters.storage.tree import read_tile, read_tree

_NEWEST = select(CHECKPOINT).order_by(CHECKPOINT.c.size.desc()).limit(1)
_OF_SPAN = (
    select(CHECKPOINT)
    .where(CHECKPOINT.c.size > bindparam("after"), CHECKPOINT.c.size <= bindparam("end"))
    .order_by(CHECKPOINT.c.size)
    .limit(TILE_WIDTH)
)
_BEYOND = select(CHECKPOINT.c.size).where(CHECKPOINT.c.size > bindparam("end")).order_by(CHECKPOINT.c.size).limit(1)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A checkpoint that the tiles stored before a span do not bear out: its size, the root that it says, and the roots of
    the complete subtrees from the start of the span up to that size.
    """

    size: int
    root: bytes
    peaks: tuple[bytes, ...]


def newest_size(connection: Connection, key: LogKey | None) -> int | None:
    """How many entries the newest checkpoint covers; None if there is none, it does not verify, or its row says another
    size: then an older one may have been put in its place.
    """
    row = connection.execute(_NEWEST).first()
    try:
        size = None if row is None else _read(row.note, key).size
    except LedgerError:
        return None
    return size if row is not None and size == row.size else None


class SpanTree:
    """The tree over one span of leaves, from `first`, where a tile begins, to `end`; yields one finding per problem.

    `before` are the roots of the complete subtrees that the stored tiles say stand before it, None where they do not; or
    where they are not asked, for the span is `doubted`. `roots` are those of the whole tiles that were pushed so far.
    """

    def __init__(self, connection: Connection, key: LogKey | None, first: int, end: int, *, doubted: bool) -> None:
        self._connection = connection
        self._key = key
        self._frontier = Frontier()
        self._first = first
        self.before = None if doubted else _peaks(connection, first)
        self._checkpoints = self._checkpoint_rows(first or -1, end)
        self._checkpoint = next(self._checkpoints, None)
        self.roots: list[bytes] = []

    def start(self) -> Iterator[str | Doubt]:
        """Check the checkpoint of the empty tree."""
        yield from self._due_checkpoints()

    def push(self, nodes: Sequence[bytes]) -> Iterator[str | Doubt]:
        """Add the leaf hashes of one tile, from its first; checks the checkpoints of every size on the way."""
        end = self._first + self._frontier.size + len(nodes)
        if len(nodes) == TILE_WIDTH and (self._checkpoint is None or self._checkpoint.size >= end):
            self.roots.append(self._frontier.append_tile(nodes))
        else:
            for node in nodes:
                self._frontier.append(node)
                yield from self._due_checkpoints()
            if len(nodes) == TILE_WIDTH:
                self.roots.append(root_of(nodes))
        yield from self._due_checkpoints()

    def _checkpoint_rows(self, after: int, end: int) -> Iterator[Row[Any]]:
        while page := self._connection.execute(_OF_SPAN, {"after": after, "end": end}).all():
            yield from page
            after = page[-1].size

    def _due_checkpoints(self) -> Iterator[str | Doubt]:
        while self._checkpoint is not None and self._checkpoint.size <= self._first + self._frontier.size:
            yield from self._check_checkpoint(self._checkpoint)
            self._checkpoint = next(self._checkpoints, None)

    def _check_checkpoint(self, row: Row[Any]) -> Iterator[str | Doubt]:
        name = f"The checkpoint of size {row.size}"
        try:
            read = _read(row.note, self._key)
        except LedgerError as error:
            yield f"{name} does not verify: {error}"
            return
        if (read.size, read.root) != (row.size, row.root):
            yield f"{name} says something else than its columns."
        if self.before is None or read.root != self._frontier.root(self.before):
            yield Doubt(row.size, read.root, self._frontier.peaks)


class TreeAudit:
    """The whole tree, from the roots of its tiles of leaves, span by span."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._frontier = Frontier()
        self._levels: list[list[bytes]] = []
        self._mismatched = 0

    def bears_out(self, before: Sequence[bytes] | None) -> bool:
        """Whether the tiles that were pushed so far come to these roots of complete subtrees."""
        return before is not None and tuple(before) == self._frontier.peaks

    def settled(self, doubt: Doubt) -> Iterator[str]:
        """Whether a checkpoint of the span behind the tiles that were pushed so far matches them."""
        if doubt.root != folded((*self._frontier.peaks, *doubt.peaks)):
            self._mismatched += 1
            if self._mismatched == 1:
                yield (
                    f"The checkpoint of size {doubt.size} does not match the tree:"
                    f" an entry up to {doubt.size - 1} was altered after it was signed."
                )

    def push(self, roots: Sequence[bytes]) -> Iterator[str]:
        """Add the roots of the whole tiles of one span; checks the tiles above them that are complete then."""
        for root in roots:
            self._frontier.append_root(root)
            self._grow(1, root)
            yield from self._completed_tiles()

    def finish(self, size: int) -> Iterator[str]:
        """After the last of `size` leaves: growing tiles, tiles and checkpoints that lie beyond it."""
        beyond = self._connection.execute(_BEYOND, {"end": size}).scalar()
        if beyond is not None:
            yield f"The checkpoint of size {beyond} covers more entries than there are."
        if self._mismatched > 1:
            yield f"{self._mismatched} checkpoints in all do not match the tree."
        for level in range(1, len(self._levels)):
            if self._levels[level]:
                yield from self._check_tile(level, size >> (TILE_HEIGHT * (level + 1)), self._levels[level])
        for row in self._connection.execute(select(TILE.c.level, TILE.c.number)):
            if row.level < 0 or row.number < 0 or row.number * TILE_WIDTH >= size >> (TILE_HEIGHT * row.level):
                yield f"Tile {row.level}/{row.number} lies beyond the tree."

    def _grow(self, level: int, node: bytes) -> None:
        """Add the root of a tile to the level above it; leaves themselves, at level 0, are the spans'."""
        while level >= len(self._levels):
            self._levels.append([])
        self._levels[level].append(node)

    def _completed_tiles(self) -> Iterator[str]:
        level = 1
        while level < len(self._levels) and len(self._levels[level]) == TILE_WIDTH:
            number = (self._frontier.size >> (TILE_HEIGHT * (level + 1))) - 1
            yield from self._check_tile(level, number, self._levels[level])
            nodes, self._levels[level] = self._levels[level], []
            level += 1
            self._grow(level, root_of(nodes))

    def _check_tile(self, level: int, number: int, nodes: Sequence[bytes]) -> Iterator[str]:
        if read_tile(self._connection, level, number) != b"".join(nodes):
            yield f"Tile {level}/{number} was altered: it does not follow from the entries."


def _read(note: str, key: LogKey | None) -> Checkpoint:
    return verify_checkpoint(note, key) if key else parse_checkpoint(note)


def _peaks(connection: Connection, first: int) -> tuple[bytes, ...] | None:
    """What the stored tiles say stands before `first`; None where they do not."""
    try:
        return read_tree(connection, first).peaks()
    except ProofError:
        return None
