"""The leaves of a dataset on disk, and their tree: written in one pass, read through a map.

`leaves.bin` is nothing but the leaves, 64 bytes each, in strictly increasing order of the content digest. `tree.bin` is 8 bytes
of a name, the size (8 bytes, big-endian), the root (32 bytes) and the hashes of the tree's tiles above the leaves, level by
level: of each full tile of 256 hashes its root. It can be made again of the leaves and is never believed: every proof that is
made with it is verified before it is given.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from governance.canonical import Digest, Json
from governance.datasets.leaves import LEAF_BYTES, content_bytes, leaf_of
from governance.errors import DatasetChangedError, DatasetError, ProofError, StorageError
from governance.files import sync
from governance.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Frontier,
    Tree,
    leaf_hash,
    root_of,
    verify_inclusion,
)
from governance_adapters.datasets.store.leaf_rows import (
    AUDIT_AGAIN,
    computed_root,
    disorder,
    leaf_hashes,
    mapped,
    mapped_rows,
)

LEAVES_FILE: Final = "leaves.bin"
TREE_FILE: Final = "tree.bin"
_MAGIC: Final = b"dg-tree1"
_HEADER: Final = len(_MAGIC) + 8 + HASH_BYTES
_CHUNK: Final = 1 << 16
_TILES_KEPT: Final = 64
"""Of hashes: the right edge is in every proof, and two neighbours mostly stand in one tile."""


@dataclass(frozen=True, slots=True)
class TreeHead:
    """The root (32 bytes) and the size of a tree: what the ledger's entry of an audit signs."""

    root: bytes
    size: int


class LeavesWriter:
    """Writes the leaves of a folder and their tree in one pass, whatever their number, in little memory.

    Nothing stands under the files' names before `finish`. A context manager: what is not finished is taken away.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._last = folder, b""
        self._frontier, self._tile = Frontier(), list[bytes]()
        self._levels: list[bytearray] = []
        self._parts = folder / f"{LEAVES_FILE}.part", folder / f"{TREE_FILE}.part"
        try:
            self._file = self._parts[0].open("wb", buffering=_CHUNK)
        except OSError as error:
            raise _refused(self._parts[0], error) from error

    def add(self, content: Digest | str, records: Sequence[Mapping[str, Json]]) -> bytes:
        """Add the next content with its committed records (`governance.datasets.leaves.committed_record`); returns its leaf.

        Raises:
            DatasetError: it does not stand behind the content before, is no digest, or its records are none or another's.
            StorageError: the disk refuses.
        """
        leaf = leaf_of(content, records)
        self.add_leaf(leaf)
        return leaf

    def add_leaf(self, leaf: bytes) -> None:
        """Add the next leaf as `governance.datasets.leaves.leaf_of` made it.

        Raises:
            DatasetError: it does not stand behind the one before, or is no leaf.
            StorageError: the disk refuses.
        """
        content = leaf[:HASH_BYTES]
        if len(leaf) != LEAF_BYTES or content <= self._last:
            raise DatasetError(
                f"The content {content.hex()} does not stand behind {self._last.hex() or 'nothing'}.",
                remedy="Add each content once, in increasing order of its digest.",
            )
        self._last = content
        self._tile.append(leaf_hash(leaf))
        if len(self._tile) == TILE_WIDTH:
            self._complete(self._frontier.append_tile(self._tile))
            self._tile.clear()
        try:
            self._file.write(leaf)
        except OSError as error:
            raise _refused(self._parts[0], error) from error

    def finish(self) -> TreeHead:
        """Make both files durable under their names.

        Raises:
            StorageError: the disk refuses.
        """
        for node in self._tile:
            self._frontier.append(node)
        head = TreeHead(self._frontier.root(), self._frontier.size)
        header = _MAGIC + head.size.to_bytes(8, "big") + head.root
        try:
            self._file.close()
            self._parts[1].write_bytes(header + b"".join(self._levels))
            for part, name in zip(self._parts, (LEAVES_FILE, TREE_FILE), strict=True):
                sync(part)
                part.replace(self._folder / name)
            sync(self._folder)
        except OSError as error:
            raise _refused(self._folder, error) from error
        return head

    def close(self) -> None:
        """Take away what was not finished."""
        self._file.close()
        for part in self._parts:
            part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _complete(self, root: bytes, level: int = 0) -> None:
        """Note the root of a tile of this level that became full, and those above that it completes."""
        if level == len(self._levels):
            self._levels.append(bytearray())
        held = self._levels[level]
        held += root
        if len(held) % (TILE_WIDTH * HASH_BYTES) == 0:
            tile = bytes(held[-TILE_WIDTH * HASH_BYTES :])
            nodes = [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]
            self._complete(root_of(nodes), level + 1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a content stands among the leaves, from 0; where it would stand, if it is not `there`."""

    index: int
    there: bool


class OpenLeaves:
    """The leaves of a folder and their tree. Never changes; may be used by several threads, each proof by one at a time.

    Raises:
        DatasetChangedError: the files do not fit each other, or are no such files.
        StorageError: they cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows = mapped_rows(folder / LEAVES_FILE)
        self._nodes = mapped(folder / TREE_FILE)
        self.head = self._read_head()
        self._tile = lru_cache(maxsize=_TILES_KEPT)(self._read_tile)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return len(self._rows)

    def root(self) -> bytes:
        """The root that was written, 32 bytes; `computed_root` says what it is."""
        return self.head.root

    @property
    def rows(self) -> NDArray[np.uint8]:
        """All leaves, shape (n, 64), mapped and read-only."""
        return self._rows

    def leaf(self, index: int) -> bytes:
        """The leaf (64 bytes) at `index`.

        Raises:
            DatasetError: there is none.
        """
        if not 0 <= index < self.size:
            raise DatasetError(f"There is no leaf {index} among {self.size}.", remedy="Count from 0.")
        return bytes(self._rows[index].tobytes())

    def content(self, index: int) -> Digest:
        """The digest of the content at `index`.

        Raises:
            DatasetError: there is none.
        """
        return Digest(self.leaf(index)[:HASH_BYTES].hex())

    def records_digest(self, index: int) -> Digest:
        """The digest of the records of the content at `index`.

        Raises:
            DatasetError: there is none.
        """
        return Digest(self.leaf(index)[HASH_BYTES:].hex())

    def find(self, content: Digest | str) -> Place:
        """Where a content stands, or would stand: some 20 looks at a million leaves. Right only if they are in order.

        Raises:
            DatasetError: it is no digest.
        """
        sought = content_bytes(content)
        index = bisect_left(range(self.size), sought, key=lambda at: self._rows[at, :HASH_BYTES].tobytes())
        return Place(index, index < self.size and self._rows[index, :HASH_BYTES].tobytes() == sought)

    def prove(self, index: int) -> tuple[bytes, ...]:
        """The inclusion proof of the leaf at `index`, RFC 9162 section 2.1.3.1, verified before it is given.

        Raises:
            DatasetError: there is no such leaf.
            DatasetChangedError: leaves and tree do not fit each other.
        """
        leaf = self.leaf(index)
        try:
            proof = Tree(self.size, self._tile).inclusion_proof(index)
            verify_inclusion(leaf_hash(leaf), index, self.size, proof, self.head.root)
        except ProofError as error:
            raise DatasetChangedError(
                f"{self._folder / LEAVES_FILE} does not fit the tree beside it: one of them was changed.",
                remedy=AUDIT_AGAIN,
            ) from error
        return proof

    def computed_root(self) -> bytes:
        """The root of the leaves as they are, without a look at `tree.bin`: about 1.5 s a million."""
        return computed_root(self._rows)

    def disorder(self) -> int | None:
        """The first index whose content does not stand behind the one before; None where all are in strict order."""
        return disorder(self._rows)

    def _read_tile(self, level: int, number: int) -> bytes:
        """Tile (level, number) of C2SP tlog-tiles: hashes of leaves are made of them, the others read from `tree.bin`."""
        if level == 0:
            return b"".join(leaf_hashes(self._rows[number * TILE_WIDTH : (number + 1) * TILE_WIDTH]))
        start, width = 0, self.size
        for above in range(level):
            width >>= TILE_HEIGHT
            start += width if above < level - 1 else 0
        first, last = number * TILE_WIDTH, min((number + 1) * TILE_WIDTH, width)
        return self._nodes[_HEADER + (start + first) * HASH_BYTES : _HEADER + (start + last) * HASH_BYTES].tobytes()

    def _read_head(self) -> TreeHead:
        header = self._nodes[:_HEADER].tobytes()
        size = int.from_bytes(header[len(_MAGIC) : len(_MAGIC) + 8], "big")
        above, width = 0, self.size
        while width:
            width >>= TILE_HEIGHT
            above += width
        fits = len(header) == _HEADER and header.startswith(_MAGIC) and size == self.size
        root = header[-HASH_BYTES:]
        if not fits or len(self._nodes) != _HEADER + above * HASH_BYTES or (not size and root != EMPTY_ROOT):
            raise DatasetChangedError(
                f"{self._folder / TREE_FILE} is no tree of {self.size} leaves.", remedy=AUDIT_AGAIN
            )
        return TreeHead(root, size)


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be written: {error.strerror or error}.",
        remedy="Check that the folder exists, is writable and that the disk has room.",
    )
