"""All contents whose PDQ hash is within 31 bits of one, exactly: multi-index hashing over a mapped file.

Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index Hashing" (CVPR 2012). A hash is cut into 16 pieces of
16 bits, each piece in a table of its own, and each piece of the query is looked up with up to one bit turned: two hashes within
31 bits differ by at most one bit in some piece, else 16 x 2 = 32 would differ. Where the tables point at a good part of all, as
in a dataset of one picture, everything is compared.

`pdq.bin`: 8 bytes of a name, the number n of hashes (8 bytes, big-endian); n hashes of 32 bytes; n places of the contents among
the leaves (4 bytes, little-endian, as all that follows); then for each table 65,537 places where the rows of a piece's value
begin, and n rows. Opening it reads nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from governance.errors import DatasetChangedError, DatasetError, StorageError
from governance.files import sync

PDQ_FILE: Final = "pdq.bin"
PDQ_BYTES: Final = 32
LIMIT: Final = 31
_MAGIC: Final = b"dg-pdq-1"
_HEADER: Final = len(_MAGIC) + 8
_TABLES: Final = 16
_VALUES: Final = 1 << 16
_MASKS: Final = np.array([0, *(1 << bit for bit in range(16))], np.uint16)
_SHARE: Final = 4
_CHUNK: Final = 1 << 18
_REMEDY: Final = "Restore the audit's folder from its backup, or audit the dataset again."


def write_hashes(folder: Path, hashes: NDArray[np.uint8], places: NDArray[np.uint32]) -> None:
    """Write the hashes, shape (n, 32), and the places of their contents among the leaves, shape (n,).

    Raises:
        DatasetError: there are not as many places as hashes.
        StorageError: the disk refuses.
    """
    if hashes.shape != (len(places), PDQ_BYTES):
        raise DatasetError(f"{len(places)} places are not those of {hashes.shape} hashes.", remedy=_REMEDY)
    part = folder / f"{PDQ_FILE}.part"
    try:
        with part.open("wb") as file:
            file.write(_MAGIC + len(hashes).to_bytes(8, "big"))
            for start in range(0, len(hashes), _CHUNK):
                file.write(np.ascontiguousarray(hashes[start : start + _CHUNK]).data)
            file.write(np.ascontiguousarray(places, "<u4").data)
            for table in range(_TABLES):
                pieces = (
                    np.ascontiguousarray(hashes[:, 2 * table : 2 * table + 2]).view(">u2").ravel().astype(np.uint16)
                )
                starts = np.concatenate([[0], np.cumsum(np.bincount(pieces, minlength=_VALUES))])
                file.write(starts.astype("<u4").data)
                file.write(np.argsort(pieces, kind="stable").astype("<u4").data)
        sync(part)
        part.replace(folder / PDQ_FILE)
        sync(folder)
    except OSError as error:
        raise StorageError(
            f"{part} cannot be written: {error.strerror or error}.", remedy="Check that the disk has room."
        ) from error


class OpenHashes:
    """The hashes of a folder. Never changes; safe to use from any thread.

    Raises:
        DatasetChangedError: the file is another or was cut.
        StorageError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            content: NDArray[np.uint8] = np.memmap(path, np.uint8, mode="r")
        except (OSError, ValueError) as error:  # numpy cannot map an empty file, and says so by a ValueError
            raise StorageError(f"{path} cannot be read: {error}.", remedy=_REMEDY) from error
        header = content[:_HEADER].tobytes()
        count = int.from_bytes(header[len(_MAGIC) :], "big")
        table = 4 * (_VALUES + 1 + count)
        if not header.startswith(_MAGIC) or len(content) != _HEADER + count * (PDQ_BYTES + 4) + _TABLES * table:
            raise DatasetChangedError(f"{path} is no file of hashes.", remedy=_REMEDY)
        behind = _HEADER + count * PDQ_BYTES
        self._words = content[_HEADER:behind].reshape(count, PDQ_BYTES).view("<u8")
        self._places = content[behind : behind + 4 * count].view("<u4")
        tables = content[behind + 4 * count :].view("<u4").reshape(_TABLES, _VALUES + 1 + count)
        self._starts, self._rows = tables[:, : _VALUES + 1], tables[:, _VALUES + 1 :]

    def __len__(self) -> int:
        return len(self._places)

    def within(self, seen: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The places among the leaves of all contents within 31 bits of the hash `seen`, and the distances; nearest first.

        Raises:
            DatasetError: it does not have 32 bytes.
        """
        if len(seen) != PDQ_BYTES:
            raise DatasetError(f"A PDQ hash has {PDQ_BYTES} bytes, not {len(seen)}.", remedy="Hash the picture again.")
        query = np.frombuffer(seen, "<u8")
        rows = self._candidates(np.frombuffer(seen, ">u2").astype(np.uint16))
        distances = self._distances(rows, query)
        near = distances <= LIMIT
        found = self._places[near] if rows is None else self._places[rows[near]]
        order = np.lexsort((found, distances[near]))
        return found[order].astype(np.int64), distances[near][order]

    def _candidates(self, pieces: NDArray[np.uint16]) -> NDArray[np.uint32] | None:
        """The rows that some table points at; None where that is no shortcut."""
        values = (pieces[:, np.newaxis] ^ _MASKS).astype(np.int64)
        tables = np.arange(_TABLES)[:, np.newaxis]
        begin, end = self._starts[tables, values], self._starts[tables, values + 1]
        if int((end.astype(np.int64) - begin).sum()) * _SHARE > len(self):
            return None
        spans = zip(np.nonzero(end > begin)[0], begin[end > begin], end[end > begin], strict=True)
        pieces_found = [self._rows[table, first:last] for table, first, last in spans]
        rows: NDArray[np.uint32] = np.unique(np.concatenate(pieces_found or [np.zeros(0, np.uint32)]))
        return rows

    def _distances(self, rows: NDArray[np.uint32] | None, query: NDArray[np.uint64]) -> NDArray[np.int64]:
        if rows is not None:
            return _apart(self._words[rows], query)
        chunks = [_apart(self._words[at : at + _CHUNK], query) for at in range(0, len(self), _CHUNK)]
        return np.concatenate(chunks) if chunks else np.zeros(0, np.int64)


def _apart(words: NDArray[np.uint64], query: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The Hamming distances of hashes, shape (n, 4), to one."""
    distances: NDArray[np.int64] = np.bitwise_count(words ^ query).sum(axis=1, dtype=np.int64)
    return distances
