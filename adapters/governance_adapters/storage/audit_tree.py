"""Follows the tree while an audit streams the leaves: tiles above the leaves, and every checkpoint on its way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from governance.checkpoint import Checkpoint, LogKey, parse_checkpoint, verify_checkpoint
from governance.errors import LedgerError
from governance.merkle import TILE_HEIGHT, TILE_WIDTH, Frontier, root_of
from governance_adapters.storage.tables import CHECKPOINT, TILE


class TreeAudit:
    """The tree as it must be after the leaves that were pushed so far; yields one line per problem."""

    def __init__(self, connection: Connection, key: LogKey | None) -> None:
        self._connection = connection
        self._key = key
        self._frontier = Frontier()
        self._levels: list[list[bytes]] = []
        self._mismatched = 0
        self._checkpoints = self._checkpoint_rows()
        self._checkpoint = next(self._checkpoints, None)

    def newest_size(self) -> int | None:
        """How many entries the newest checkpoint covers; None if there is none, it does not verify, or its row says
        another size: then an older one may have been put in its place.
        """
        row = self._connection.execute(select(CHECKPOINT).order_by(CHECKPOINT.c.size.desc()).limit(1)).first()
        try:
            size = None if row is None else self._read(row.note).size
        except LedgerError:
            return None
        return size if row is not None and size == row.size else None

    def _read(self, note: str) -> Checkpoint:
        return verify_checkpoint(note, self._key) if self._key else parse_checkpoint(note)

    def start(self) -> Iterator[str]:
        """Check the checkpoint of the empty tree."""
        yield from self._due_checkpoints()

    def push(self, nodes: Sequence[bytes]) -> Iterator[str]:
        """Add the leaf hashes of one tile, from its first; checks the tiles that are complete then, and the checkpoints
        of every size on the way.
        """
        end = self._frontier.size + len(nodes)
        if len(nodes) == TILE_WIDTH and (self._checkpoint is None or self._checkpoint.size >= end):
            self._grow(1, self._frontier.append_tile(nodes))
        else:
            for node in nodes:
                self._frontier.append(node)
                yield from self._due_checkpoints()
            if len(nodes) == TILE_WIDTH:
                self._grow(1, root_of(nodes))
        yield from self._completed_tiles()
        yield from self._due_checkpoints()

    def finish(self) -> Iterator[str]:
        """After the last leaf: growing tiles, tiles and checkpoints that lie beyond it."""
        if self._checkpoint is not None:
            yield f"The checkpoint of size {self._checkpoint.size} covers more entries than there are."
        if self._mismatched > 1:
            yield f"{self._mismatched} checkpoints in all do not match the tree."
        size = self._frontier.size
        for level in range(1, len(self._levels)):
            if self._levels[level]:
                yield from self._check_tile(level, size >> (TILE_HEIGHT * (level + 1)), self._levels[level])
        for row in self._connection.execute(select(TILE.c.level, TILE.c.number)):
            if row.level < 0 or row.number < 0 or row.number * TILE_WIDTH >= size >> (TILE_HEIGHT * row.level):
                yield f"Tile {row.level}/{row.number} lies beyond the tree."

    def tile(self, level: int, number: int) -> bytes:
        """A stored tile; empty if there is none."""
        where = (TILE.c.level == level) & (TILE.c.number == number)
        return self._connection.execute(select(TILE.c.hashes).where(where)).scalar() or b""

    def _grow(self, level: int, node: bytes) -> None:
        """Add the root of a tile to the level above it; leaves themselves, at level 0, are the caller's."""
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
        if self.tile(level, number) != b"".join(nodes):
            yield f"Tile {level}/{number} was altered: it does not follow from the entries."

    def _checkpoint_rows(self) -> Iterator[Row[Any]]:
        after = -1
        query = select(CHECKPOINT).order_by(CHECKPOINT.c.size).limit(TILE_WIDTH)
        while page := self._connection.execute(query.where(CHECKPOINT.c.size > after)).all():
            yield from page
            after = page[-1].size

    def _due_checkpoints(self) -> Iterator[str]:
        while self._checkpoint is not None and self._checkpoint.size <= self._frontier.size:
            yield from self._check_checkpoint(self._checkpoint)
            self._checkpoint = next(self._checkpoints, None)

    def _check_checkpoint(self, row: Row[Any]) -> Iterator[str]:
        name = f"The checkpoint of size {row.size}"
        try:
            read = self._read(row.note)
        except LedgerError as error:
            yield f"{name} does not verify: {error}"
            return
        if (read.size, read.root) != (row.size, row.root):
            yield f"{name} says something else than its columns."
        if read.root != self._frontier.root():
            self._mismatched += 1
            if self._mismatched == 1:
                yield f"{name} does not match the tree: an entry up to {row.size - 1} was altered after it was signed."
