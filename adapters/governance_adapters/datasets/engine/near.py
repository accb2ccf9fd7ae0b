"""Contents that look alike: PDQ hashes at a distance of at most 31 of 256 bits, all of them, by faiss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from governance.errors import DatasetError
from governance_adapters.datasets.engine.sql import files_of, sql

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

DISTANCE: Final = 31
"""The most differing bits of two hashes that are said to look alike (PDQ's own advice)."""

MIN_QUALITY: Final = 50
"""PDQ's own advice is not to compare hashes below this quality: those of flat images are alike by chance."""

_BITS: Final = 256
_PIECES, _PIECE_BITS = 16, 16
"""Two hashes that differ in at most 31 bits differ in at most one bit of one of their 16 pieces of 16 bits."""
_BATCH: Final = 4096


def near_duplicates(parts: Sequence[Path], folder: Path) -> pa.Table:
    """The contents that look like another, and the least digest among them and those: columns content, near_duplicate.

    Raises:
        DatasetError: the parts cannot be read.
    """
    import numpy as np
    import pyarrow as pa

    query = (
        "SELECT content, any_value(pdq) AS pdq "  # noqa: S608 - our own names
        f"FROM read_parquet({files_of(parts)}) WHERE pdq IS NOT NULL AND content <> '' AND pdq_quality >= {MIN_QUALITY} "
        "GROUP BY content ORDER BY content"
    )
    with sql(folder) as connection:
        table = connection.sql(query).to_arrow_table()
    if not len(table):
        return _table([], [])
    hashes = np.frombuffer(b"".join(table["pdq"].to_pylist()), np.uint8).reshape(-1, _BITS // 8)
    distinct, first, of_content, counts = np.unique(
        hashes, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    least, near = _near(distinct, first)
    alike = (near > 1) | (counts > 1)
    contents, hash_of = table["content"].combine_chunks(), of_content.ravel()
    rows = np.flatnonzero(alike[hash_of])
    return _table(contents.take(pa.array(rows)), contents.take(pa.array(least[hash_of[rows]])))


def _near(distinct: NDArray[Any], first: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """For each distinct hash the least of `first` among it and those near it, and how many those are, itself among them."""
    import numpy as np

    index = _index(distinct)
    least, near = np.empty(len(distinct), np.int64), np.empty(len(distinct), np.int64)
    for start in range(0, len(distinct), _BATCH):
        batch = distinct[start : start + _BATCH]
        limits, _, found = index.range_search(batch, DISTANCE + 1)  # faiss says: below
        bounds = limits.astype(np.int64)
        least[start : start + len(batch)] = np.minimum.reduceat(first[found], bounds[:-1])
        near[start : start + len(batch)] = np.diff(bounds)
    return least, near


def _index(hashes: NDArray[Any]) -> Any:
    try:
        import faiss
    except ImportError as error:
        raise DatasetError(
            "Near-duplicates are found by faiss, which is not installed.",
            remedy="Install it: pip install 'diffusion-governance[detectors]'.",
        ) from error
    index = faiss.IndexBinaryMultiHash(_BITS, _PIECES, _PIECE_BITS)
    index.nflip = 1
    index.add(hashes)
    return index


def _table(contents: Any, least: Any) -> pa.Table:
    import pyarrow as pa

    return pa.table({"content": pa.array(contents, pa.string()), "near_duplicate": pa.array(least, pa.string())})
