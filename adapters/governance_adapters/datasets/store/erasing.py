"""Forgetting people in an audit's folder: `records.parquet` is written anew without what is personal of some rows.

Salts follow from one key, so whoever keeps it could guess at a value and try. Before the key is destroyed each record gets the
salts of its own fields, and each row that is erased the commitments in place of fields and salts. Leaves and root stay.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from governance.datasets.leaves import SaltKey
from governance.datasets.records import PERSONAL
from governance.errors import DatasetChangedError, StorageError
from governance.files import sync
from governance_adapters.datasets.store.committing import commitments, seals
from governance_adapters.datasets.store.opened import SALTS_FILE, OpenDataset
from governance_adapters.datasets.store.records import ERASED, RECORDS_FILE, ROW_GROUP_ROWS, SEALING, SEALS, RecordsFile

if TYPE_CHECKING:
    import pyarrow as pa

_PENDING: Final = f"{RECORDS_FILE}.erasing"
_REMEDY: Final = "Check that the folder is writable and that the disk has room, then erase again."


def rows_where(dataset: OpenDataset, column: str, value: str) -> tuple[list[int], set[str]]:
    """The rows of an audit, from 0, whose `column` is `value` and of which something personal is left; and their owners.

    Every record is compared with its leaf on the way: what is sealed in error could not be mended any more.

    Raises:
        DatasetChangedError: what is in the folder is not what was signed.
        StorageError: a file cannot be read.
    """
    rows, owners, start = list[int](), set[str](), 0

    def looked() -> Iterator[pa.Table]:
        nonlocal start
        for table in dataset.records_file.tables():
            for at in _matching(table, column, value).tolist():
                rows.append(start + at)
                owners.add(table["owner"][at].as_py() or "")
            start += table.num_rows
            yield table

    for _ in dataset.checked_leaves(looked()):
        pass
    return rows, owners - {""}


def erase_rows(folder: Path, name: str, rows: Sequence[range]) -> None:
    """Destroy what is personal of these rows of the audit of the dataset `name` in `folder`, and the key of its salts.

    Doing it again changes nothing, and completes what was interrupted. What was erased before stays erased.

    Raises:
        DatasetError: the files are damaged.
        StorageError: they cannot be read or written.
    """
    with _alone(folder):
        records = RecordsFile(folder / RECORDS_FILE)
        wanted = np.zeros(len(records), bool)
        for each in rows:
            wanted[each.start : each.stop] = True
        gone = wanted.copy()
        for each in records.erased():
            gone[each.start : each.stop] = True
        if not records.sealed or (gone != _flags(records)).any():
            salts = None if records.sealed else SaltKey(_read(folder / SALTS_FILE), name)
            _rewrite(folder, gone, salts)
        _remove(folder / _PENDING)
        _destroy_key(folder / SALTS_FILE)


def _flags(records: RecordsFile) -> NDArray[np.bool_]:
    found = np.zeros(len(records), bool)
    for each in records.erased():
        found[each.start : each.stop] = True
    return found


def _rewrite(folder: Path, gone: NDArray[np.bool_], salts: SaltKey | None) -> None:
    """Write the records beside those that are there, then put them in their place."""
    import pyarrow as pa
    from pyarrow import parquet

    path, pending = folder / RECORDS_FILE, folder / _PENDING
    try:
        with parquet.ParquetFile(path) as file:
            schema = _sealing(file.schema_arrow)
            with parquet.ParquetWriter(pending, schema, compression="zstd") as writer:
                start = 0
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group, use_threads=False)
                    sealed = _sealed(table, gone[start : start + table.num_rows], salts)
                    writer.write_table(sealed.cast(schema), row_group_size=ROW_GROUP_ROWS)
                    start += table.num_rows
        sync(pending)
        pending.replace(path)
        sync(folder)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.", remedy=_REMEDY) from error
    except pa.ArrowException as error:
        raise DatasetChangedError(
            f"{path} cannot be read: {error}.", remedy="Restore the audit's folder from its backup, then erase again."
        ) from error


def _sealing(schema: pa.Schema) -> pa.Schema:
    """The columns as they are, and behind them those of `SEALING`."""
    import pyarrow as pa

    kept = [field for field in schema if field.name not in SEALING]
    return pa.schema([*kept, (ERASED, pa.bool_()), *((name, pa.binary()) for name in SEALS)])


def _sealed(table: pa.Table, gone: NDArray[np.bool_], salts: SaltKey | None) -> pa.Table:
    """The rows of one group with their seals, without what is personal of those that are `gone`."""
    import pyarrow as pa
    from pyarrow import compute

    columns = {name: table[name] for name in table.column_names if name not in SEALING}
    mask = pa.array(gone)
    added: dict[str, Any] = {ERASED: mask}
    erased = table.filter(mask)
    for name, seal in zip(PERSONAL, SEALS, strict=True):
        found = list(seals(table, name, salts))
        for at, committed in zip(np.flatnonzero(gone).tolist(), commitments(erased, name, salts), strict=True):
            found[at] = bytes.fromhex(committed)
        added[seal] = pa.array(found, pa.binary())
        columns[name] = compute.if_else(mask, pa.scalar("", columns[name].type), columns[name])
    return pa.table(columns | added)


def _matching(table: pa.Table, column: str, value: str) -> NDArray[np.int64]:
    """The rows of one group whose `column` is `value`, without those of which nothing personal is left."""
    from pyarrow import compute

    there = compute.equal(table[column].fill_null(""), value).to_numpy()
    left = np.zeros(table.num_rows, bool)
    for name in PERSONAL:
        left |= compute.not_equal(table[name].fill_null(""), "").to_numpy()
    return np.flatnonzero(there & left)


def _destroy_key(path: Path) -> None:
    """Overwrite the key of the salts, then remove it."""
    try:
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        sync(path.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{path} cannot be destroyed: {error.strerror or error}.", remedy=_REMEDY) from error


def _remove(path: Path) -> None:
    """Remove what an erasure that was interrupted began to write, and a restored folder has again."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{path} cannot be removed: {error.strerror or error}.", remedy=_REMEDY) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While nobody else erases in this folder: waits for whoever does."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StorageError(f"{folder} cannot be read: {error.strerror or error}.", remedy=_REMEDY) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}.",
            remedy="Restore the audit's folder from its backup, then erase again.",
        ) from error
