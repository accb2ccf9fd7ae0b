"""An RFC 9162 Merkle tree over tiles: roots, inclusion proofs, consistency proofs, and their verification.

Tiles follow C2SP tlog-tiles: tile (L, N) holds the hashes of the complete subtrees of height 8L with the numbers
256N .. 256N+255, concatenated; it is partial while it holds fewer than 256. A tree only grows, so a tile only grows,
and the tree of any earlier size reads from the same tiles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NoReturn, TypeAlias

from governance.errors import ProofError

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
EMPTY_ROOT = hashlib.sha256(b"").digest()
_TILES_KEPT = 512

TileId: TypeAlias = tuple[int, int]
"""Level and number of a tile, each from 0."""

TileReader: TypeAlias = Callable[[int, int], bytes]
"""Reads tile (level, number): its concatenated hashes, as many as are known."""


def leaf_hash(leaf: bytes) -> bytes:
    """`SHA-256(0x00 || leaf)`, RFC 9162 section 2.1.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """`SHA-256(0x01 || left || right)`, RFC 9162 section 2.1.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree of `size` leaves whose tiles are read on demand and kept; `extend` grows it in memory.

    Raises (every method):
        ProofError: an argument is out of range, or a tile that is read holds fewer hashes than the size demands.
    """

    def __init__(self, size: int, read: TileReader) -> None:
        if not _is_count(size):
            _refuse(f"{size!r} is not a tree size")
        self._size = size
        self._read = read
        self._tiles: dict[TileId, bytes] = {}
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._changed: set[TileId] = set()

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    @property
    def changed(self) -> Mapping[TileId, bytes]:
        """The tiles that `extend` made or grew since the last `settle`: what must be stored."""
        return {tile: self._tiles[tile] for tile in sorted(self._changed)}

    def extend(self, hashes: Iterable[bytes]) -> None:
        """Append leaf hashes (32 bytes each), in order."""
        fresh = list(hashes)
        if not all(_is_hash(node) for node in fresh):
            _refuse(f"a leaf hash has {HASH_BYTES} bytes")
        grown, level = self._size + len(fresh), 0
        while fresh:
            fresh = self._extend_level(level, fresh)
            level += 1
        self._size = grown

    def _extend_level(self, level: int, fresh: Sequence[bytes]) -> list[bytes]:
        """Append to one level; returns the roots of the tiles that became full, which belong to the next."""
        completed: list[bytes] = []
        position, taken = self._size >> (TILE_HEIGHT * level), 0
        while taken < len(fresh):
            number, offset = divmod(position, TILE_WIDTH)
            held = self._tile(level, number)[: offset * HASH_BYTES] if offset else b""
            added = fresh[taken : taken + TILE_WIDTH - offset]
            tile = held + b"".join(added)
            self._tiles[level, number] = tile
            self._changed.add((level, number))
            taken += len(added)
            position += len(added)
            if position % TILE_WIDTH == 0:
                completed.append(_tile_root(tile))
        return completed

    def settle(self) -> None:
        """Forget what was changed, and all but the right edge, so that a long-lived tree stays small."""
        self._changed.clear()
        if len(self._nodes) + len(self._tiles) < 2 * TILE_WIDTH:
            return
        self._nodes.clear()
        self._tiles = {
            (level, number): tile
            for (level, number), tile in self._tiles.items()
            if number == self._size >> (TILE_HEIGHT * (level + 1))
        }

    def load_edge(self) -> None:
        """Read the tiles of the right edge now: all that `extend`, `root` and proofs of new leaves will need."""
        level = 0
        while hashes := self._size >> (TILE_HEIGHT * level):
            if hashes % TILE_WIDTH:
                self._tile(level, hashes // TILE_WIDTH)
            level += 1

    def root(self, size: int | None = None) -> bytes:
        """The root of the first `size` leaves (all by default), RFC 9162 section 2.1.1."""
        size = self._within(size)
        return self._range(0, size) if size else EMPTY_ROOT

    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the complete subtrees that the leaves make up, from the left: what a `Frontier` behind them needs."""
        found: list[bytes] = []
        start = 0
        for height in reversed(range(self._size.bit_length())):
            if self._size >> height & 1:
                found.append(self._node(height, start >> height))
                start += 1 << height
        return tuple(found)

    def inclusion_proof(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """The proof that leaf `index` is in the tree of the first `size` leaves, RFC 9162 section 2.1.3.1."""
        size = self._within(size)
        if not _is_count(index) or index >= size:
            _refuse(f"leaf {index!r} is not in a tree of {size}")
        path: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._range(middle, end))
                end = middle
            else:
                path.append(self._range(start, middle))
                start = middle
        return tuple(reversed(path))

    def consistency_proof(self, old: int, size: int | None = None) -> tuple[bytes, ...]:
        """The proof that the first `old` leaves are a prefix of the first `size`, RFC 9162 section 2.1.4.1.

        `old` is at least 1: the empty tree is a prefix of every tree, and that proves nothing. For `old` = `size` the
        proof is empty.
        """
        size = self._within(size)
        if not _is_count(old) or not 1 <= old <= size:
            _refuse(f"there is nothing to prove between a tree of {old!r} and a tree of {size}")
        path: list[bytes] = []
        start, end = 0, size
        while end != old:
            middle = start + _split(end - start)
            if old <= middle:
                path.append(self._range(middle, end))
                end = middle
            else:
                path.append(self._range(start, middle))
                start = middle
        if start:
            path.append(self._range(start, end))
        return tuple(reversed(path))

    def _within(self, size: int | None) -> int:
        if size is None:
            return self._size
        if not _is_count(size) or size > self._size:
            _refuse(f"size {size!r} is not within a tree of {self._size}")
        return size

    def _range(self, start: int, end: int) -> bytes:
        """The hash of leaves start..end-1, where `start` is a multiple of the next power of two of the span."""
        span = end - start
        if span & (span - 1) == 0:
            height = span.bit_length() - 1
            return self._node(height, start >> height)
        middle = start + _split(span)
        return node_hash(self._range(start, middle), self._range(middle, end))

    def _node(self, height: int, number: int) -> bytes:
        """The root of the complete subtree of 2^height leaves with this number."""
        level, inside = divmod(height, TILE_HEIGHT)
        if inside == 0:
            offset = (number % TILE_WIDTH) * HASH_BYTES
            return self._tile(level, number // TILE_WIDTH)[offset : offset + HASH_BYTES]
        known = self._nodes.get((height, number))
        if known is None:
            holder, offset = divmod(number << inside, TILE_WIDTH)
            tile = self._tile(level, holder)
            if len(tile) == TILE_WIDTH * HASH_BYTES:
                place = (offset >> inside) * HASH_BYTES
                return _rows(tile)[inside][place : place + HASH_BYTES]
            known = node_hash(self._node(height - 1, 2 * number), self._node(height - 1, 2 * number + 1))
            self._nodes[height, number] = known
        return known

    def _tile(self, level: int, number: int) -> bytes:
        known = self._tiles.get((level, number))
        if known is not None:
            return known
        width = min(TILE_WIDTH, (self._size >> (TILE_HEIGHT * level)) - TILE_WIDTH * number)
        tile = self._read(level, number)
        if len(tile) < width * HASH_BYTES:
            _refuse(f"tile {level}/{number} holds {len(tile) // HASH_BYTES} hashes instead of {width}")
        self._tiles[level, number] = tile
        return tile


class Frontier:
    """The roots of the complete subtrees along the right edge: enough to compute each root while leaves stream by."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, node: bytes) -> None:
        """Add one leaf hash."""
        carry = self.size
        while carry & 1:
            node = node_hash(self._peaks.pop(), node)
            carry >>= 1
        self._peaks.append(node)
        self.size += 1

    def append_tile(self, hashes: Sequence[bytes]) -> bytes:
        """Add the leaf hashes of a whole tile, where `size` is that of whole tiles; returns the tile's root.

        Raises:
            ProofError: it is no whole tile, or does not begin where one begins.
        """
        if len(hashes) != TILE_WIDTH or self.size % TILE_WIDTH:
            _refuse(f"{len(hashes)} leaves behind {self.size} are no whole tile")
        root = root_of(hashes)
        self.append_root(root)
        return root

    def append_root(self, root: bytes) -> None:
        """Add a whole tile by its root, where `size` is that of whole tiles.

        Raises:
            ProofError: it does not begin where a tile begins.
        """
        if self.size % TILE_WIDTH:
            _refuse(f"no tile begins behind {self.size} leaves")
        node, carry = root, self.size >> TILE_HEIGHT
        while carry & 1:
            node = node_hash(self._peaks.pop(), node)
            carry >>= 1
        self._peaks.append(node)
        self.size += TILE_WIDTH

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the complete subtrees, from the left."""
        return tuple(self._peaks)

    def root(self, before: Sequence[bytes] = ()) -> bytes:
        """The root of what was appended so far; behind other complete subtrees, none smaller, with the roots `before`."""
        return folded((*before, *self._peaks))


def folded(peaks: Sequence[bytes]) -> bytes:
    """The root over complete subtrees with these roots, from the left, none larger than the one before it."""
    if not peaks:
        return EMPTY_ROOT
    node = peaks[-1]
    for peak in reversed(peaks[:-1]):
        node = node_hash(peak, node)
    return node


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf hash `leaf` stands at `index` in the tree of `size` leaves with this `root`.

    RFC 9162 section 2.1.3.2.

    Raises:
        ProofError: it does not, or an argument is malformed.
    """
    if not _is_count(size) or not _is_count(index) or index >= size:
        _refuse(f"leaf {index!r} is not in a tree of {size!r}")
    if not all(_is_hash(node) for node in (leaf, root, *proof)):
        _refuse(f"every hash has {HASH_BYTES} bytes")
    position, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            _refuse("the inclusion proof is too long")
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    if last:
        _refuse("the inclusion proof is too short")
    if node != root:
        _refuse("the inclusion proof leads to another root")


def verify_consistency(old: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes) -> None:
    """Check that the tree of `old` leaves with `old_root` is a prefix of the tree of `size` leaves with `root`.

    RFC 9162 section 2.1.4.2. Two trees of one size must have one root, by an empty proof. An empty tree proves nothing
    about any tree, and is refused.

    Raises:
        ProofError: it is not, or an argument is malformed.
    """
    if not _is_count(size) or not _is_count(old) or not 1 <= old <= size:
        _refuse(f"a tree of {old!r} proves nothing about a tree of {size!r}")
    if old == size:
        if proof or old_root != root:
            _refuse("trees of one size have one root and an empty proof")
        return
    if not all(_is_hash(node) for node in (old_root, root, *proof)):
        _refuse(f"every hash has {HASH_BYTES} bytes")
    if old & (old - 1) == 0:
        proof = (old_root, *proof)
    if not proof:
        _refuse("the consistency proof is too short")
    _fold_consistency(old, size, proof, old_root, root)


def _fold_consistency(old: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes) -> None:
    """Rebuild both roots; `proof` begins with the largest subtree that both trees end in."""
    position, last = old - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_node = node = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            _refuse("the consistency proof is too long")
        if position & 1 or position == last:
            old_node, node = node_hash(sibling, old_node), node_hash(sibling, node)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    if last:
        _refuse("the consistency proof is too short")
    if old_node != old_root or node != root:
        _refuse("the consistency proof leads to other roots")


@lru_cache(maxsize=_TILES_KEPT)
def _rows(tile: bytes) -> tuple[bytes, ...]:
    """The hashes inside a full tile, row by row from its own to the two below its root: what each proof through it needs.

    A full tile never changes, so neither do these; together they take as much memory as the tile.
    """
    rows = [tile]
    while len(rows[-1]) > 2 * HASH_BYTES:
        row = rows[-1]
        pairs = range(0, len(row), 2 * HASH_BYTES)
        rows.append(b"".join([hashlib.sha256(b"\x01" + row[at : at + 2 * HASH_BYTES]).digest() for at in pairs]))
    return tuple(rows)


def _split(span: int) -> int:
    """The largest power of two smaller than `span` >= 2."""
    return 1 << ((span - 1).bit_length() - 1)


def _tile_root(tile: bytes) -> bytes:
    return root_of([tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)])


def root_of(nodes: Sequence[bytes]) -> bytes:
    """The root over these nodes, as many as a power of two."""
    sha256 = hashlib.sha256
    while len(nodes) > 1:
        left = iter(nodes)
        nodes = [sha256(b"\x01" + each + next(left)).digest() for each in left]
    return nodes[0]


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_hash(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == HASH_BYTES


def _refuse(what: str) -> NoReturn:
    raise ProofError(f"The proof does not hold: {what}.", remedy="Ask the log for a fresh proof.")
