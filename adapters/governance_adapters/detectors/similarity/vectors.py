"""The nearest embeddings by cosine: all compared where there are few, else the best of a coarse pass compared exactly.

The coarse pass looks at 128 principal components in 8 bits each; its best 256 are ranked again by the exact cosine of the
stored half-precision vectors. Over 100,000 vectors, mixtures of real embeddings, the ten nearest are found with a recall of
0.997 (`benchmarks/similarity.py`).
"""

from __future__ import annotations

from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from governance.errors import DetectorError

FLAT_ROWS: Final = 4096
"""Up to so many rows everything is compared: 5 million products for 1280 dimensions, a few milliseconds."""

TAIL_ROWS: Final = 4096
"""Up to so many vectors that were added since the coarse index was built are compared exactly: about 680 works."""

LISTED_ROWS: Final = 200_000
"""Beyond so many rows the coarse pass looks at the nearest lists only."""

CANDIDATES: Final = 256
_COMPONENTS: Final = 128
_LISTS: Final = 1024
_LISTS_LOOKED_AT: Final = 64
_SAMPLE: Final = 40_960


class VectorIndex:
    """Finds vectors by cosine. Never changes; safe to use from any thread."""

    def __init__(self, vectors: NDArray[np.float16], coarse: Any | None) -> None:
        self._vectors, self._coarse = vectors, coarse
        self._all = np.asarray(vectors, np.float32) if coarse is None else None

    @classmethod
    def build(cls, vectors: NDArray[np.float16], *, flat_rows: int = FLAT_ROWS) -> VectorIndex:
        """Index unit vectors, shape (n, d), n from 0."""
        rows, width = vectors.shape
        if rows <= max(flat_rows, _COMPONENTS):
            return cls(vectors, None)
        parts = [f"PCA{min(_COMPONENTS, width)}", *([f"IVF{_LISTS}"] if rows > LISTED_ROWS else []), "SQ8"]
        coarse = faiss.index_factory(width, ",".join(parts))  # by distance: for unit vectors the order of the cosine
        sample = np.unique(np.linspace(0, rows - 1, min(rows, _SAMPLE)).astype(np.int64))
        coarse.train(np.asarray(vectors[sample], np.float32))
        for start in range(0, rows, _SAMPLE):
            coarse.add(np.asarray(vectors[start : start + _SAMPLE], np.float32))
        return cls(vectors, _looking(coarse))

    def extended(self, vectors: NDArray[np.float16]) -> VectorIndex:
        """An index of `vectors`, whose first `built` rows are those that this one was built of."""
        return VectorIndex.build(vectors) if self._coarse is None else VectorIndex(vectors, self._coarse)

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def built(self) -> int:
        """How many rows the coarse pass looks at; all where there is none."""
        return len(self) if self._coarse is None else int(self._coarse.ntotal)

    def nearest(self, seen: NDArray[np.float32], most: int = 64) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The rows nearest to the unit vector `seen`, at most `most`, and their cosines, best first."""
        if not len(self):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if self._all is not None or self._coarse is None:
            rows, cosines = np.arange(len(self)), self.cosines(None, seen)
        else:
            _, (found,) = self._coarse.search(seen[np.newaxis], max(CANDIDATES, most))
            rows = np.concatenate([found[found >= 0], np.arange(self.built, len(self))])
            cosines = self.cosines(rows, seen)
        best = np.argsort(-cosines, kind="stable")[:most]
        return rows[best].astype(np.int64), cosines[best]

    def cosines(self, rows: NDArray[np.int64] | None, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """The exact cosines of these rows with `seen`; of all rows without."""
        if self._all is not None:
            vectors = self._all if rows is None else self._all[rows]
        else:
            vectors = np.asarray(self._vectors if rows is None else self._vectors[rows], np.float32)
        cosines: NDArray[np.float32] = vectors @ seen
        return cosines

    def to_bytes(self) -> bytes:
        """The coarse index as faiss writes it; nothing where there is none."""
        return b"" if self._coarse is None else bytes(faiss.serialize_index(self._coarse))

    @classmethod
    def from_bytes(cls, vectors: NDArray[np.float16], content: bytes | NDArray[np.uint8]) -> VectorIndex:
        """Read what `to_bytes` wrote. Only for bytes whose digest was checked: faiss believes what it reads.

        Raises:
            DetectorError: it is no such index, or not of these vectors.
        """
        if not len(content):
            return cls(vectors, None)
        try:
            coarse = faiss.deserialize_index(np.frombuffer(content, np.uint8))
        except RuntimeError as error:
            raise DetectorError(f"The index of embeddings cannot be read: {error}.", remedy="Delete it.") from error
        if (coarse.ntotal, coarse.d) != vectors.shape:
            raise DetectorError("The index of embeddings is another one.", remedy="Delete it.")
        return cls(vectors, _looking(coarse))


def _looking(coarse: Any) -> Any:
    """`coarse`, set to look at enough lists if it has lists."""
    inner = faiss.downcast_index(coarse.index)
    if isinstance(inner, faiss.IndexIVF):
        inner.nprobe = _LISTS_LOOKED_AT
    return coarse
