"""Is an audit's folder what the ledger signed? Each question over all of it, not over a sample.

entry      is the entry of the audit in the signed log, and are root and size of the leaves its own
order      do the digests of the contents strictly increase: without it, no proof of absence says anything
root       do the leaves as they are have the signed root
records    has every leaf the records that are there, are they as many, allowed and denied, as the entry says, and is of them
           erased what entries say is erased
report     are report and combinations those that the entry names
content    have the files of the dataset still the digests that were signed: only where it is asked for
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from governance.canonical import digest
from governance.checkpoint import LogKey, verify_receipt
from governance.datasets.erased_rows import rows_erased
from governance.datasets.records import Basis, DatasetRecord
from governance.errors import DatasetChangedError, DatasetError, GovernanceError, LedgerError, StorageError
from governance.ports import Ledger
from governance.verification import Check, Status
from governance_adapters.datasets.store.leaf_rows import computed_root, disorder, mapped_rows
from governance_adapters.datasets.store.opened import SALTS_FILE, OpenDataset

if TYPE_CHECKING:
    import pyarrow as pa

REPORT_FILE: Final = "report.json"
COMBINATIONS_FILE: Final = "combinations.json"
_NAMED: Final = 3


def checks(dataset: OpenDataset, ledger: Ledger, key: LogKey, *, contents: bool = False) -> Iterator[Check]:
    """The answers for one audit, as they come. `contents` reads every file of the dataset anew."""
    yield _asked("entry", lambda: _entry(dataset, ledger, key))
    yield _asked("order", lambda: _order(dataset.leaves.rows))
    yield _asked("root", lambda: _root(dataset))
    yield _asked("records", lambda: _records(dataset, ledger))
    yield _asked("report", lambda: _report(dataset))
    if contents:
        yield _asked("content", lambda: _contents(dataset))
    else:
        yield Check("content", Status.NOT_CHECKED, "the dataset's own files were not read")


def list_checks(path: Path, root: bytes, size: int) -> Iterator[Check]:
    """The answers for a copy of `leaves.bin` alone, as a stranger has it, against a root and a size that were signed."""
    yield _asked("root", lambda: _signed(mapped_rows(path), root, size))
    yield _asked("order", lambda: _order(mapped_rows(path)))


def _asked(name: str, question: Callable[[], str]) -> Check:
    try:
        return Check(name, Status.HOLDS, question())
    except GovernanceError as error:
        unread = type(error) in (StorageError, LedgerError)  # a proof that does not hold is a kind of LedgerError
        return Check(name, Status.UNCHECKED if unread else Status.FAILS, str(error))


def _entry(dataset: OpenDataset, ledger: Ledger, key: LogKey) -> str:
    standing = dataset.standing
    entry = verify_receipt(ledger.receipt(standing.audited.id), key)
    signed = entry.body.get("root"), entry.body.get("contents")
    if entry != standing.audited or signed != (dataset.leaves.root().hex(), dataset.leaves.size):
        raise _changed("root and size of the leaves are not those of the entry")
    return f"entry {entry.id} of {entry.time} signs root {standing.root} over {standing.contents} contents"


def _order(rows: NDArray[np.uint8]) -> str:
    at = disorder(rows)
    if at is not None:
        raise _changed(
            f"the content at {at} does not stand behind the one before, so no proof of absence says anything"
        )
    return f"all {len(rows)} digests strictly increase: absence that is proved is absence"


def _root(dataset: OpenDataset) -> str:
    dataset.check_root()
    return "the leaves have the signed root"


def _signed(rows: NDArray[np.uint8], root: bytes, size: int) -> str:
    if len(rows) != size or computed_root(rows) != root:
        raise _changed("these leaves are not those that were signed")
    return f"the {size} leaves have the signed root"


def _records(dataset: OpenDataset, ledger: Ledger) -> str:
    seen: Counter[str] = Counter()
    without = 0

    def counted() -> Iterator[pa.Table]:
        nonlocal without
        for table in dataset.records_file.tables():
            seen.update(table["outcome"].to_pylist())
            without += table["content"].to_pylist().count("")
            yield table

    for _ in dataset.checked_leaves(counted()):
        pass
    standing = dataset.standing
    if seen.total() != standing.records or seen != +Counter({each.value: n for each, n in standing.outcomes.items()}):
        raise _changed("there are not as many records, or not as many of them allowed, as the entry says")
    behind = f"; {without} without content are in no leaf" if without else ""
    if erased := _erased(dataset, ledger):
        behind += f"; what is personal of {erased} was erased"
    return f"each of {seen.total() - without} records is in the leaf of its content{behind}"


def _erased(dataset: OpenDataset, ledger: Ledger) -> int:
    """Of how many records the personal fields are erased: those that entries of the ledger say, and no other ones."""
    said = set(chain(*rows_erased(ledger.erasures(dataset.standing.audited.id))))
    found = set(chain(*dataset.records_file.erased()))
    if found != said:
        raise _changed("other records have their personal fields erased than the ledger says")
    if dataset.records_file.sealed and (dataset.folder / SALTS_FILE).exists():
        raise _changed("records were erased, and the key of their salts was not destroyed: erase with --again")
    return len(found)


def _report(dataset: OpenDataset) -> str:
    named = {REPORT_FILE: dataset.standing.report, COMBINATIONS_FILE: dataset.standing.combinations}
    for name, known in named.items():
        path = dataset.folder / name
        try:
            found = digest(path.read_bytes())
        except OSError as error:
            raise StorageError(
                f"{path} cannot be read: {error.strerror or error}.", remedy="Restore it from its backup."
            ) from error
        if found != known:
            raise _changed(f"{name} is not the one that the entry names")
    return f"{REPORT_FILE} and {COMBINATIONS_FILE} are those that the entry names"


def _contents(dataset: OpenDataset) -> str:
    """Read every file whose digest the audit computed itself; of one that was only stated there is nothing to read."""
    read, changed = 0, list[str]()
    for record in dataset.records(_computed):
        try:
            dataset.read(record)
        except DatasetError as error:
            changed.append(str(error))
        read += 1
    if changed:
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        raise _changed("; ".join(changed[:_NAMED]) + more)
    return f"the bytes of {read} records have the digests that were signed"


def _computed(record: DatasetRecord) -> bool:
    return record.basis is Basis.COMPUTED


def _changed(what: str) -> DatasetChangedError:
    return DatasetChangedError(
        f"The audit does not hold: {what}.", remedy="Restore its folder from the backup, or audit the dataset again."
    )
