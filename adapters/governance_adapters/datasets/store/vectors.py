"""The contents whose embeddings are nearest by cosine: all compared where there are few, else the best of a coarse pass.

`embeddings.bin`: 8 bytes of a name, the number n and the width d (8 bytes each, big-endian), the digest of the model that made
them (32 bytes, zero where it is not said), the SHA-256 of the coarse index (32 bytes, zero without one); n vectors of d halves; n places of the contents among the leaves (4 bytes, little-endian).
`embeddings.faiss` is the coarse index, 128 principal components in 8 bits each, in lists: its best are compared again by the
exact cosine of the stored vectors. What it misses is not found, so an answer of "nothing alike" is never exact.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from governance.canonical import Digest
from governance.errors import DatasetChangedError, DatasetError, StorageError
from governance.files import sync

VECTORS_FILE: Final = "embeddings.bin"
COARSE_FILE: Final = "embeddings.faiss"
STORED: Final = np.dtype("<f2")
FLAT_ROWS: Final = 4096
"""Up to so many vectors all are compared."""

_MAGIC: Final = b"dg-emb-1"
_HEADER: Final = len(_MAGIC) + 16 + 2 * 32
_NONE: Final = bytes(32)
_COMPONENTS: Final = 128
_MOST_LISTS: Final = 1024
_ROWS_A_LIST: Final = 64
_LISTS_LOOKED_AT: Final = 64
_CANDIDATES: Final = 256
_SAMPLE: Final = 65_536
_CHUNK: Final = 16_384
_REMEDY: Final = "Restore the audit's folder from its backup, or audit the dataset again."


def write_vectors(
    folder: Path, vectors: NDArray[np.float16], places: NDArray[np.uint32], model: Digest | str = ""
) -> None:
    """Write unit vectors, shape (n, d), made by `model`, and the places of their contents among the leaves, shape (n,).

    Raises:
        DatasetError: there are not as many places as vectors.
        StorageError: the disk refuses.
    """
    if vectors.ndim != 2 or len(vectors) != len(places):
        raise DatasetError(f"{len(places)} places are not those of {vectors.shape} vectors.", remedy=_REMEDY)
    part, coarse = folder / f"{VECTORS_FILE}.part", folder / COARSE_FILE
    try:
        coarse.unlink(missing_ok=True)
        index = b"" if len(vectors) <= FLAT_ROWS else _coarse_index(vectors)
        known = (bytes.fromhex(model) or _NONE) + (hashlib.sha256(index).digest() if index else _NONE)
        if index:
            coarse.write_bytes(index)
            sync(coarse)
        with part.open("wb") as file:
            file.write(_MAGIC + len(vectors).to_bytes(8, "big") + vectors.shape[1].to_bytes(8, "big") + known)
            for start in range(0, len(vectors), _CHUNK):
                file.write(np.ascontiguousarray(vectors[start : start + _CHUNK], STORED).data)
            file.write(np.ascontiguousarray(places, "<u4").data)
        sync(part)
        part.replace(folder / VECTORS_FILE)
        sync(folder)
    except OSError as error:
        raise StorageError(
            f"{part} cannot be written: {error.strerror or error}.", remedy="Check that the disk has room."
        ) from error


class OpenVectors:
    """The embeddings of a folder. Never changes; safe to use from any thread.

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
        count, self.width = (int.from_bytes(header[at : at + 8], "big") for at in (8, 16))
        behind = _HEADER + count * self.width * STORED.itemsize
        if not header.startswith(_MAGIC) or len(content) != behind + 4 * count:
            raise DatasetChangedError(f"{path} is no file of embeddings.", remedy=_REMEDY)
        made_by, self._known = header[24:56], header[56:]
        self.model = "" if made_by == _NONE else made_by.hex()
        self._beside = path.with_name(COARSE_FILE)
        self._vectors: NDArray[np.float16] = content[_HEADER:behind].view(STORED).reshape(count, self.width)
        self._places = content[behind:].view("<u4")

    def __len__(self) -> int:
        return len(self._places)

    def nearest(self, seen: NDArray[np.float32], most: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The places among the leaves of the `most` contents nearest to the unit vector `seen`, and the cosines; best first.

        Raises:
            DatasetError: it has another width.
            DatasetChangedError: the coarse index is missing or another.
        """
        if seen.shape != (self.width,):
            raise DatasetError(
                f"An embedding of {seen.shape} is not compared with those of {self.width}.",
                remedy="Embed with the model that the audit used.",
            )
        rows = self._candidates(seen, max(most, _CANDIDATES))
        cosines = np.asarray(self._vectors if rows is None else self._vectors[rows], np.float32) @ seen
        places = self._places if rows is None else self._places[rows]
        order = np.lexsort((places, -cosines))[:most]
        return places[order].astype(np.int64), cosines[order]

    def _candidates(self, seen: NDArray[np.float32], most: int) -> NDArray[np.int64] | None:
        """The rows that the coarse pass finds; None where there is none, for there are few vectors."""
        if self._coarse is None:
            return None
        _, (found,) = self._coarse.search(np.ascontiguousarray(seen[np.newaxis]), most)
        rows: NDArray[np.int64] = np.sort(found[found >= 0])
        return rows

    @cached_property
    def _coarse(self) -> Any | None:
        """The coarse index, mapped; its digest is checked, for faiss believes what it reads."""
        if self._known == _NONE:
            return None
        import faiss

        try:
            with self._beside.open("rb") as file:
                fits = hashlib.file_digest(file, "sha256").digest() == self._known
            coarse: Any = faiss.read_index(str(self._beside), faiss.IO_FLAG_MMAP) if fits else None
        except (OSError, RuntimeError) as error:
            raise StorageError(f"{self._beside} cannot be read: {error}.", remedy=_REMEDY) from error
        if coarse is None or (coarse.ntotal, coarse.d) != self._vectors.shape:
            raise DatasetChangedError(f"{self._beside} is not the index of these embeddings.", remedy=_REMEDY)
        lists: Any = faiss.downcast_index(coarse.index)
        lists.nprobe = _LISTS_LOOKED_AT
        return coarse


def _coarse_index(vectors: NDArray[np.float16]) -> bytes:
    """The coarse index as faiss writes it; what it makes is a function of the vectors."""
    import faiss

    rows, width = vectors.shape
    lists = max(1, min(_MOST_LISTS, rows // _ROWS_A_LIST))
    index = faiss.index_factory(width, f"PCA{min(_COMPONENTS, width)},IVF{lists},SQ8")
    sample = np.unique(np.linspace(0, rows - 1, min(rows, _SAMPLE)).astype(np.int64))
    index.train(np.asarray(vectors[sample], np.float32))
    for start in range(0, rows, _CHUNK):
        index.add(np.asarray(vectors[start : start + _CHUNK], np.float32))
    return bytes(faiss.serialize_index(index))
