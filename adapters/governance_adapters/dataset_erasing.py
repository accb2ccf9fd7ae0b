"""The folders of audits, for erasures: where entries that say what is erased and the files that have it meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from governance.datasets.audit_entries import name_of, subject_of
from governance.datasets.erased_rows import RowsFound, rows_erased
from governance.entries import Entry
from governance.errors import NoDatasetError
from governance.forgotten import Kept
from governance.lineage.audits import audits
from governance.ports import Ledger
from governance_adapters.audit_files import standing_of
from governance_adapters.datasets.audit.folders import unfinished
from governance_adapters.datasets.store.erasing import erase_rows, rows_where
from governance_adapters.datasets.store.opened import OpenDataset


@dataclass(frozen=True, slots=True)
class FolderAuditRecords:
    """The audits below the folder `datasets`: `governance.datasets.erased_rows.AuditRecords`."""

    datasets: Path

    def erase(self, audited: Entry, rows: Sequence[range]) -> None:
        """See `AuditRecords.erase`."""
        name = name_of(audited.subject)
        folder = self._folder(name, audited)
        if folder.is_dir():
            erase_rows(folder, name, rows)

    def erase_again(self, ledger: Ledger, name: str) -> int:
        """Erase in every audit of this name what entries say is erased; returns of how many audits something is.

        Raises:
            GovernanceError: as `erase`, or the ledger cannot be read.
        """
        told = 0
        for audit in audits(ledger, name):
            if rows := rows_erased(ledger.erasures(audit.entry.id)):
                self.erase(audit.entry, rows)
                told += 1
        return told

    def find(self, ledger: Ledger, name: str, column: str, value: str) -> tuple[list[RowsFound], list[Kept]]:
        """What is personal of the records whose `column` (`owner` or `id`) is `value`, in every audit of this name.

        Also what stays, and why: an audit that was interrupted has what it read so far.

        Raises:
            NoDatasetError: no audit of this name is recorded.
            DatasetChangedError: the files of one are not what was signed.
            GovernanceError: something cannot be read.
        """
        known = audits(ledger, name)
        if not known:
            raise NoDatasetError(
                f"There is no audit of a dataset {name!r}.",
                remedy="`governance dataset list` names those that there are.",
            )
        found = []
        for audit in known:
            folder = self._folder(name, audit.entry)
            if not folder.is_dir():
                continue
            rows, owners = rows_where(OpenDataset(folder, standing_of(audit), ledger), column, value)
            found.append(RowsFound(audit.entry, rows, frozenset(owners)))
        kept = [
            Kept(
                f"{subject_of(name)}, audit {each.journal.audit}",
                "it is not finished, and has what it read: finish it, or audit with --afresh, then erase again",
            )
            for each in unfinished(self.datasets / name)
        ]
        return found, kept

    def _folder(self, name: str, audited: Entry) -> Path:
        return self.datasets / name / str(audited.body["audit"])
