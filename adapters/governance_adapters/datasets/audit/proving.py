"""Makes the proof's files of an audit from its sorted records: leaves, their tree, and what the contents look like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from governance.datasets.leaves import SaltKey
from governance_adapters.datasets.engine.sql import files_of, sql
from governance_adapters.datasets.store.committing import committed_leaves
from governance_adapters.datasets.store.leaves import LeavesWriter, TreeHead
from governance_adapters.datasets.store.prints import PrintsWriter

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH: Final = 8192


def write_proof(
    folder: Path, records: Path, parts: list[Path], salts: SaltKey, done: Callable[[int], None], model: str = ""
) -> TreeHead:
    """Write the leaves of `records`, and the prints of their contents, into `folder`. `done` is told of records.

    `model` is the digest of the model that made the embeddings, empty without any.

    Raises:
        DatasetError: the records cannot be read.
        StorageError: the disk refuses.
    """
    with sql(folder) as connection, LeavesWriter(folder) as leaves, PrintsWriter(folder, model) as prints:
        embeddings = _Embeddings(connection, parts)
        for index, committed in enumerate(committed_leaves(_tables(records, done), salts)):
            leaves.add_leaf(committed.leaf)
            embedding = embeddings.of(committed.content)
            if committed.pdq is not None or embedding is not None:
                prints.add(index, committed.pdq, embedding)
        prints.finish()
        return leaves.finish()


def _tables(records: Path, done: Callable[[int], None]) -> Iterator[pa.Table]:
    """The records, some at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(records) as file:
        for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
            yield pa.Table.from_batches([batch])
            done(batch.num_rows)


class _Embeddings:
    """The embeddings of contents, asked for in the order of their digests."""

    def __init__(self, connection: Any, parts: list[Path]) -> None:
        query = (
            f"SELECT content, any_value(embedding) FROM read_parquet({files_of(parts)}) "  # noqa: S608 - our own names
            "WHERE embedding IS NOT NULL AND content <> '' GROUP BY content ORDER BY content"
        )
        self._cursor = connection.execute(query) if parts else None
        self._next: tuple[str, Any] | None = self._fetched()

    def of(self, content: str) -> Any:
        """The embedding (float32) of a content, None without one."""
        import numpy as np

        if self._next is None or self._next[0] != content:
            return None
        found = np.asarray(self._next[1], np.float32)
        self._next = self._fetched()
        return found

    def _fetched(self) -> tuple[str, Any] | None:
        row = None if self._cursor is None else self._cursor.fetchone()
        return None if row is None else (str(row[0]), row[1])
