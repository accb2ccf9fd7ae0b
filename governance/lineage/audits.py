"""One audit of a dataset as the ledger has it, the newest or an earlier one: what a training run or a register stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from governance.canonical import Digest, Json, digest
from governance.datasets.audit_entries import DatasetChange, change_of, name_of, subject_of
from governance.datasets.report import parsed_report
from governance.entries import Entry, EntryKind
from governance.errors import DatasetError, NoEntryError
from governance.lineage.recall_entries import RecalledDataset
from governance.ports import Ledger

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Audit:
    """What one `audited` entry says, and the entries of its approvals that were not withdrawn, oldest first.

    `newest` is whether no audit of this dataset came later.
    """

    entry: Entry
    approvals: tuple[Entry, ...]
    newest: bool

    @property
    def name(self) -> str:
        """The dataset's."""
        return name_of(self.entry.subject)

    @property
    def root(self) -> Digest:
        """The root of the tree over its contents."""
        return Digest(str(self.entry.body.get("root")))

    @property
    def named(self) -> RecalledDataset:
        """What a recall names it by."""
        return RecalledDataset(self.name, self.entry.id, self.root)

    def report(self, ledger: Ledger) -> Mapping[str, Json] | None:
        """Its report; None where that is not kept beside the ledger any more, or was altered.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        wanted = self.entry.body.get("report")
        content = ledger.document(Digest(str(wanted)))
        if content is None or digest(content) != wanted:
            return None
        try:
            return parsed_report(content)
        except DatasetError:
            return None


def audits(ledger: Ledger, name: str | None = None) -> tuple[Audit, ...]:
    """Every audit of a dataset, or with `name` None of all datasets, in the order of the log.

    Raises:
        DatasetError: it is no name, or an entry of it cannot be read.
        LedgerError: the ledger cannot be read.
    """
    found: dict[str, Entry] = {}
    approvals: dict[str, list[Entry]] = {}
    newest: dict[str, str] = {}
    for entry in _entries(ledger, None if name is None else subject_of(name)):
        change = change_of(entry)
        if change is DatasetChange.AUDITED:
            found[entry.id], newest[entry.subject] = entry, entry.id
        elif change is DatasetChange.APPROVED:
            approvals.setdefault(str(entry.body.get("audited")), []).append(entry)
        else:
            approvals.pop(str(entry.body.get("audited")), None)
    return tuple(
        Audit(entry, tuple(approvals.get(entry.id, ())), newest[entry.subject] == entry.id) for entry in found.values()
    )


def audit_of(ledger: Ledger, audited: str) -> Audit | None:
    """The audit of this entry; None where there is none.

    Raises:
        DatasetError: an entry of its dataset cannot be read.
        LedgerError: the ledger cannot be read.
    """
    try:
        entry = ledger.entry(audited)
    except NoEntryError:
        return None
    if entry.kind is not EntryKind.DATASET:
        return None
    return next((each for each in audits(ledger, name_of(entry.subject)) if each.entry.id == audited), None)


def newest_audit(ledger: Ledger, name: str) -> Audit | None:
    """The newest audit of the dataset of this name; None where there is none, or it is no name.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    try:
        return next((each for each in audits(ledger, name) if each.newest), None)
    except DatasetError:
        return None


def counted(report: Mapping[str, Json], member: str) -> Mapping[str, Mapping[str, Any]]:
    """A member of a report that counts records by a text: `licences` or `contracts`."""
    value: Any = report.get(member)
    return {str(name): each for name, each in value.items()} if isinstance(value, Mapping) else {}


def _entries(ledger: Ledger, subject: str | None) -> Iterator[Entry]:
    after = -1
    while page := ledger.entries(after=after, limit=_PAGE, subject=subject, kind=EntryKind.DATASET):
        after = page[-1][0]
        yield from (entry for _, entry in page)
