"""A file of leaves as rows of 64 bytes: whether it is sorted, and which root it has. All that it takes is the file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from governance.datasets.leaves import LEAF_BYTES
from governance.errors import DatasetChangedError, StorageError
from governance.merkle import HASH_BYTES, TILE_WIDTH, Frontier, leaf_hash

AUDIT_AGAIN: Final = "Restore the audit's folder from its backup, or audit the dataset again."
_CHUNK: Final = 1 << 16


def mapped(path: Path) -> NDArray[np.uint8]:
    """The bytes of a file, mapped and read-only.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        if path.stat().st_size == 0:  # which cannot be mapped
            return np.zeros(0, np.uint8)
        return np.memmap(path, np.uint8, mode="r")
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}.", remedy=AUDIT_AGAIN) from error


def mapped_rows(path: Path) -> NDArray[np.uint8]:
    """The leaves of a file, shape (n, 64).

    Raises:
        DatasetChangedError: it ends within a leaf.
        StorageError: it cannot be read.
    """
    content = mapped(path)
    if len(content) % LEAF_BYTES:
        raise DatasetChangedError(f"{path} ends within a leaf.", remedy=AUDIT_AGAIN)
    return content.reshape(-1, LEAF_BYTES)


def leaf_hashes(rows: NDArray[np.uint8]) -> list[bytes]:
    """The hash of each leaf, RFC 9162 section 2.1.1."""
    content = rows.tobytes()
    return [leaf_hash(content[at : at + LEAF_BYTES]) for at in range(0, len(content), LEAF_BYTES)]


def computed_root(rows: NDArray[np.uint8]) -> bytes:
    """The root (32 bytes) of the tree of these leaves: about 1.5 s a million."""
    frontier = Frontier()
    for start in range(0, len(rows), TILE_WIDTH):
        tile = leaf_hashes(rows[start : start + TILE_WIDTH])
        if len(tile) == TILE_WIDTH:
            frontier.append_tile(tile)
        else:
            for node in tile:
                frontier.append(node)
    return frontier.root()


def disorder(rows: NDArray[np.uint8]) -> int | None:
    """The first index whose content does not stand behind the one before; None where all are in strict order."""
    for start in range(0, len(rows) - 1, _CHUNK):
        words = np.ascontiguousarray(rows[start : start + _CHUNK + 1, :HASH_BYTES]).view(">u8")
        before, after = words[:-1], words[1:]
        larger, equal = np.zeros(len(before), bool), np.ones(len(before), bool)
        for column in range(words.shape[1]):
            larger |= equal & (after[:, column] > before[:, column])
            equal &= after[:, column] == before[:, column]
        if not larger.all():
            return start + int(np.argmin(larger)) + 1
    return None
