"""The folders of a dataset's audits: `NAME/AUDIT/`, one of which may be unfinished.

journal.json        what the audit began with; there as long as it is unfinished
parts/, rights/     what was read and joined so far; gone when it is finished
records.parquet     every record, by content and id
report.json         what was found, in numbers         combinations.json   what policy decided, for each combination
leaves.bin ...      the proof's files                  salts.key           the key of the salts of personal fields
source.json         where the records are read again
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from governance.canonical import Digest, canonical_bytes, new_salt
from governance.datasets.records import checked_name
from governance.errors import DatasetChangedError, DatasetError
from governance.types import new_id
from governance_adapters.datasets.audit.plan import AuditPlan, Journal

JOURNAL: Final = "journal.json"
SOURCE: Final = "source.json"
REPORT: Final = "report.json"
COMBINATIONS: Final = "combinations.json"
SALTS: Final = "salts.key"
_LOCK: Final = ".lock"
_PRIVATE: Final = 0o700


@dataclass(frozen=True, slots=True)
class AuditFolder:
    """The folder of one audit, and the journal that it began with."""

    path: Path
    journal: Journal

    @property
    def parts(self) -> Path:
        """Where the parts that were read are."""
        return self.path / "parts"

    @property
    def rights(self) -> Path:
        """Where what was joined to them is."""
        return self.path / "rights"

    def salts(self) -> bytes:
        """The key of this audit's salts: 32 bytes.

        Raises:
            DatasetError: it cannot be read.
        """
        with _translated(self.path):
            return (self.path / SALTS).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all.

        Raises:
            DatasetError: it cannot be written.
        """
        with _translated(self.path):
            write_whole(self.path / name, content)

    def finish(self) -> None:
        """Take away what an unfinished audit needs; the journal last, for it says that the audit is not finished.

        Raises:
            DatasetError: it cannot be taken away.
        """
        with _translated(self.path):
            for place in (self.parts, self.rights, self.path / "spill"):
                shutil.rmtree(place, ignore_errors=True)
            (self.path / JOURNAL).unlink(missing_ok=True)


@contextmanager
def locked(datasets: Path, name: str) -> Iterator[Path]:
    """The folder of the audits of one dataset, which nobody else audits meanwhile.

    Raises:
        DatasetError: it is no name, somebody else audits it now, or the folder cannot be written.
    """
    folder = datasets / checked_name(name)
    with _translated(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
        file = (folder / _LOCK).open("ab")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DatasetError(
                f"The dataset {name} is being audited by another process.", remedy="Wait until that one has ended."
            ) from error
        yield folder


def unfinished(folder: Path) -> list[AuditFolder]:
    """The audits of a dataset that were begun and not finished, oldest first.

    Raises:
        DatasetError: a journal cannot be read.
    """
    found = []
    with _translated(folder):
        for path in sorted(each.parent for each in folder.glob(f"*/{JOURNAL}")):
            journal = path / JOURNAL
            found.append(AuditFolder(path, Journal.parsed(journal.read_bytes(), str(journal))))
    return found


def begun(folder: Path, plan: AuditPlan, *, afresh: bool = False) -> AuditFolder:
    """The folder of this audit: that of the one that was interrupted, or a new one. `afresh` throws an interrupted one away.

    Raises:
        DatasetChangedError: an interrupted audit was of something else, or asked otherwise.
        DatasetError: the source or the folder cannot be read or written.
    """
    fingerprint = plan.source.fingerprint()
    for audit in unfinished(folder):
        if afresh:
            shutil.rmtree(audit.path)
            continue
        if (audit.journal.fingerprint, audit.journal.plan) != (fingerprint, plan.digest()):
            what = "the dataset" if audit.journal.fingerprint != fingerprint else "what the audit was asked"
            raise DatasetChangedError(
                f"An audit of {plan.name} was interrupted, and {what} has changed since.",
                remedy="Audit as before to go on, or with --afresh to begin anew.",
            )
        return audit
    return _new(folder, plan, fingerprint)


def _new(folder: Path, plan: AuditPlan, fingerprint: Digest) -> AuditFolder:
    source, audit = plan.source, new_id()
    journal = Journal(
        name=plan.name,
        audit=audit,
        as_of=plan.as_of,
        plan=plan.digest(),
        kind=source.kind.value,
        fingerprint=fingerprint,
        root=source.root,
        location=source.location,
        contracts=dict(plan.contracts),
    )
    made = AuditFolder(folder / audit, journal)
    with _translated(made.path):
        made.parts.mkdir(parents=True, mode=_PRIVATE)
        _write_private(made.path / SALTS, new_salt())
        write_whole(made.path / JOURNAL, canonical_bytes(journal.as_json()))
    return made


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole, or not at all.

    Raises:
        OSError: it cannot be written.
    """
    pending = path.with_name(f"{path.name}.tmp")
    with pending.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    pending.replace(path)


def _write_private(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 - a mode
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be used: {error.strerror or error}.", remedy="See that it can be written, and has room."
        ) from error
