"""All hashes within a Hamming distance, exactly, by multi-index hashing.

Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index Hashing" (CVPR 2012). A hash is cut into 16 pieces
of 16 bits, each in a table of its own, and each piece of the query is looked up with up to one bit turned. Two hashes
within 31 differ by one bit at most in some piece (else 16 x 2 = 32 bits would differ), so nothing within 31 is missed.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from governance.errors import DetectorError
from governance_adapters.detectors.similarity.pdq import BITS, HASH_BYTES

LIMIT: Final = 31
_TABLES: Final = 16
_PIECE_BITS: Final = BITS // _TABLES
_TURNED: Final = 1


TAIL_ROWS: Final = 32_768
"""Up to so many hashes that were added since the tables were built are compared one by one: about 860 works, 1 MB."""


class HashIndex:
    """Finds hashes by distance. Never changes; safe to use from any thread."""

    def __init__(self, index: Any, tail: Any | None = None) -> None:
        self._index = index
        self._tail = tail or faiss.IndexBinaryFlat(BITS)

    @classmethod
    def build(cls, hashes: NDArray[np.uint8]) -> HashIndex:
        """Index `hashes`, shape (n, 32), n from 0: about 4 s a million."""
        index = faiss.IndexBinaryMultiHash(BITS, _TABLES, _PIECE_BITS)
        index.nflip = _TURNED
        if len(hashes):
            index.add(np.ascontiguousarray(hashes))
        return cls(index)

    def extended(self, hashes: NDArray[np.uint8]) -> HashIndex:
        """An index of `hashes`, whose first `built` rows are those that this one was built of."""
        tail = faiss.IndexBinaryFlat(BITS)
        tail.add(np.ascontiguousarray(hashes[self.built :]))
        return HashIndex(self._index, tail)

    def __len__(self) -> int:
        return self.built + int(self._tail.ntotal)

    @property
    def built(self) -> int:
        """How many rows its tables have; those beyond are compared one by one."""
        return int(self._index.ntotal)

    def within(self, seen: NDArray[np.uint8]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """For each hash of `seen`, shape (q, 32): the rows within distance 31 and their distances, in no order."""
        first, then = _within(self._index, seen), _within(self._tail, seen)
        return [
            (np.concatenate([rows, more + self.built]), np.concatenate([distances, others]))
            for (rows, distances), (more, others) in zip(first, then, strict=True)
        ]

    def to_bytes(self) -> bytes:
        """The tables as faiss writes them."""
        return bytes(faiss.serialize_index_binary(self._index))

    @classmethod
    def from_bytes(cls, content: bytes | NDArray[np.uint8], rows: int) -> HashIndex:
        """Read what `to_bytes` wrote. Only for bytes whose digest was checked: faiss believes what it reads.

        Raises:
            DetectorError: it is no such index, or not of so many rows.
        """
        try:
            index = faiss.deserialize_index_binary(np.frombuffer(content, np.uint8))
        except RuntimeError as error:
            raise DetectorError(f"The index of hashes cannot be read: {error}.", remedy="Delete it.") from error
        if not isinstance(index, faiss.IndexBinaryMultiHash) or index.ntotal != rows or index.d != BITS:
            raise DetectorError("The index of hashes is another one.", remedy="Delete it.")
        return cls(index)


def _within(index: Any, seen: NDArray[np.uint8]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    if not index.ntotal:
        return [(np.empty(0, np.int64), np.empty(0, np.int64)) for _ in seen]
    limits, distances, rows = index.range_search(np.ascontiguousarray(seen), LIMIT + 1)
    found = []
    for start, end in pairwise(limits):
        near = distances[start:end] <= LIMIT
        found.append((rows[start:end][near].astype(np.int64), distances[start:end][near].astype(np.int64)))
    return found


def packed(values: list[bytes]) -> NDArray[np.uint8]:
    """Hashes of 32 bytes as an array of shape (n, 32)."""
    return np.frombuffer(b"".join(values), np.uint8).reshape(-1, HASH_BYTES)
