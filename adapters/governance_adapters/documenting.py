"""What documents are made from in one installation: its ledger, registers and settings, and the folders of its audits."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from governance.canonical import Digest
from governance.datasets.records import DatasetRecord
from governance.datasets.standing import DatasetStanding
from governance.documents.croissant import RECORDS_FILE
from governance.documents.gathering import Gatherer
from governance.documents.sources import AuditFile
from governance.errors import DatasetChangedError, NoDatasetError, StorageError
from governance.ports import Ledger
from governance.registers.register import Registers
from governance_adapters.datasets.store.opened import OpenDataset
from governance_adapters.settings import Settings
from governance_adapters.wiring import product_version

REPORT_FILE: Final = "report.json"
_NAMED: Final = {RECORDS_FILE: "application/x-parquet", REPORT_FILE: "application/json"}
"""The files of an audit that a document names, and their media types."""

_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class AuditFolders:
    """The port `Audits` over the folders of an installation."""

    folder: Path
    ledger: Ledger

    def files(self, standing: DatasetStanding) -> tuple[AuditFile, ...]:
        """The files of this audit that a document may name, each once it is what was signed; none where its folder is gone.

        Raises:
            DatasetChangedError: a file is there and is not what was signed.
            StorageError: a file is there and cannot be read.
        """
        paths = [path for name in _NAMED if (path := self._audit(standing) / name).is_file()]
        found = tuple(AuditFile(path.name, _digest(path), _NAMED[path.name]) for path in paths)
        for each in found:
            if each.name == REPORT_FILE and each.digest != standing.report:
                raise DatasetChangedError(
                    f"The report in the folder of dataset {standing.name} is not the one that was signed.",
                    remedy="Restore the audit's folder from its backup.",
                )
        if any(each.name == RECORDS_FILE for each in found):
            deque(self.records(standing) or (), maxlen=0)  # each is compared with its leaf as it is read
        return found

    def records(self, standing: DatasetStanding) -> Iterable[DatasetRecord] | None:
        """Every record that has a content, compared with the signed leaves as it is read; None where the folder is gone."""
        try:
            opened = OpenDataset(self._audit(standing), standing, self.ledger)
        except NoDatasetError:
            return None
        return opened.records(_any)

    def _audit(self, standing: DatasetStanding) -> Path:
        return self.folder / standing.name / standing.audit


def open_gatherer(settings: Settings, ledger: Ledger) -> Gatherer:
    """What gathers the sources of this installation's documents."""
    maker = f"diffusion-governance {product_version()}"
    audits = AuditFolders(settings.datasets_path, ledger)
    return Gatherer(ledger, Registers(ledger), audits, settings.provider, maker)


def _any(record: DatasetRecord) -> bool:
    """Every record, whatever policy decided: leaves are counted by contents, and all of those have to be seen."""
    del record
    return True


def _digest(path: Path) -> Digest:
    state = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                state.update(chunk)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}.", remedy="Restore the audit's folder from its backup."
        ) from error
    return Digest(state.hexdigest())
