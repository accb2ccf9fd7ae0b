"""A backup, tried out on a copy and put in the place of the ledger: verified, and erased again what was erased since."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from governance.canonical import Json
from governance.checkpoint import Checkpoint, parse_checkpoint
from governance.erasure import Basis, ErasureOrder
from governance.errors import ConfigurationError, EmptyLedgerError, LedgerError, ProofError
from governance.forgetting import Eraser
from governance.forgotten import ErasureReport
from governance.ports import Ledger, Quarantine, Vault
from governance.restoration import newer_receipts, restored_record
from governance.types import Principal
from governance.vault_accounts import disagreements
from governance_adapters import ledgers
from governance_adapters.dataset_erasing import FolderAuditRecords
from governance_adapters.installation import existing_keys
from governance_adapters.settings import Settings
from governance_adapters.storage.backup import new_backup
from governance_adapters.storage.erasure_log import FileErasureLog
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.quarantine import FileQuarantine
from governance_adapters.storage.sqlite import copy_file
from governance_adapters.storage.vault import FsspecVault

Extends = Callable[[Ledger], object]
"""Raises ProofError where a ledger does not extend the checkpoints that somebody kept."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a backup is worth, found out on a copy of it.

    `problems` are what verification says once all was erased again that the erasure log lists (`erased`). `lost` says what
    shows that the log had more entries than the backup, and `newer` how many it is known to have had at least.
    """

    backup: Checkpoint
    problems: tuple[str, ...]
    erased: ErasureReport
    lost: tuple[str, ...]
    newer: int | None

    @property
    def sound(self) -> bool:
        """Whether the backup verifies, and nothing shows that entries were lost."""
        return not self.problems and not self.lost

    def as_json(self) -> dict[str, Json]:
        """For programs."""
        return {
            "entries": self.backup.size,
            "root": self.backup.root.hex(),
            "problems": list(self.problems),
            "erased": self.erased.as_json()["erased"],
            "lost": list(self.lost),
            "newer": self.newer,
            "sound": self.sound,
        }


def try_backup(settings: Settings, backup: Path, extends: Extends | None = None) -> Trial:
    """Open a copy of `backup`, erase in it what was erased since, verify it, and look for what it lacks.

    Neither the backup nor anything of the installation is changed. `extends` compares it with checkpoints kept elsewhere.

    Raises:
        LedgerError: the backup cannot be opened with this installation's key.
        StorageError: the vault or the erasure log cannot be read.
    """
    receipts = list(FileErasureLog(settings.erasure_log_path).receipts())
    with _opened_copy(settings, backup) as (ledger, folder):
        taken = parse_checkpoint(ledger.checkpoint())
        lost = list(_lost(ledger, FsspecVault(settings.vault_url), extends))
        quarantine = FileQuarantine(folder / "quarantine", existing_keys(settings).quarantine())
        vault, audits = FsspecVault(folder / "vault"), folder / "datasets"  # a trial destroys nothing
        eraser = _eraser(settings, ledger, folder, vault, quarantine, audits)
        erased = eraser.replay(ErasureOrder(Basis.REPLAY))
        problems = tuple(ledger.verify())
    beyond = [receipt.index + 1 for receipt in newer_receipts(taken, receipts)]
    if beyond:
        lost.append(f"The erasure log holds {len(beyond)} receipts of entries that the backup lacks.")
    return Trial(taken, problems, erased, tuple(lost), max(beyond, default=None))


def restore(
    settings: Settings, backup: Path, trial: Trial, *, by: Principal | None = None, reference: str = ""
) -> ErasureReport:
    """Put `backup`, which `trial` was about, in the place of the ledger; record that, and erase again what was erased.

    All of that is done on a copy, which takes the place once it verifies: whatever interrupts this leaves no ledger there,
    and it can be run again.

    Raises:
        ConfigurationError: there is a ledger in its place.
        LedgerError: it cannot be written, or does not verify.
    """
    _refuse_existing(settings)
    with _opened_copy(settings, backup) as (ledger, folder):
        ledger.append(restored_record(trial.backup, trial.newer, by, reference))
        quarantine = FileQuarantine(settings.quarantine_path, existing_keys(settings).quarantine())
        vault = FsspecVault(settings.vault_url)
        eraser = _eraser(settings, ledger, folder, vault, quarantine, settings.datasets_path)
        report = eraser.replay(ErasureOrder(Basis.REPLAY, by, reference))
        if problem := next(iter(ledger.verify()), None):
            raise LedgerError(f"The restored ledger does not verify: {problem}", remedy="Take another backup.")
        erasures = list(eraser.log.receipts())
        copy = ledger.path
        ledger.close()
        _place(settings, copy)
    log = FileErasureLog(settings.erasure_log_path)
    for receipt in erasures[len(list(log.receipts())) :]:
        log.append(receipt)
    return report


@contextmanager
def _opened_copy(settings: Settings, backup: Path) -> Iterator[tuple[SqliteLedger, Path]]:
    """A copy of the backup, opened for appending, in a folder of its own that goes with the block.

    It is copied as SQLite reads it, with what a program that was killed left in a log beside it; an older schema is
    brought up to date in the copy.
    """
    signer = existing_keys(settings).log()
    with tempfile.TemporaryDirectory(prefix="governance-restore-") as name:
        folder = Path(name)
        with new_backup(folder / "ledger.sqlite3") as partial:
            copy_file(backup, partial)
        with SqliteLedger.open(folder / "ledger.sqlite3", signer, create=False) as ledger:
            yield ledger, folder


def _eraser(
    settings: Settings, ledger: Ledger, folder: Path, vault: Vault, quarantine: Quarantine, datasets: Path
) -> Eraser:
    """One that logs into a copy of the erasure log in `folder`: what it appends belongs to a ledger that is none yet."""
    log = folder / "erasures.jsonl"
    if settings.erasure_log_path.exists():
        shutil.copyfile(settings.erasure_log_path, log)
    audits = FolderAuditRecords(datasets)
    log_key = existing_keys(settings).log_public()
    return Eraser(ledger, vault, quarantine, FileErasureLog(log), log_key, audits=audits)


def _lost(ledger: Ledger, vault: Vault, extends: Extends | None) -> Iterator[str]:
    """What shows that the log once had more entries than this."""
    if extends is not None:
        try:
            extends(ledger)
        except ProofError as error:
            yield str(error)
    yield from disagreements(ledger, vault)


def _refuse_existing(settings: Settings) -> None:
    """A backup replaces no ledger."""
    if settings.database_url is None:
        there = settings.ledger_path.exists()
    else:
        try:
            ledgers.open_for_appending(settings, existing_keys(settings).log()).close()
            there = True
        except EmptyLedgerError:
            there = False
    if there:
        raise ConfigurationError(
            f"There is a ledger in {ledgers.ledger_name(settings)} already, and a backup replaces none.",
            remedy="Move it away first, and keep it: it may have entries that the backup lacks.",
        )


def _place(settings: Settings, finished: Path) -> None:
    """Make the file `finished` the ledger that the settings name."""
    if settings.database_url is not None:
        from governance_adapters.storage.postgres_ledger import PostgresLedger

        PostgresLedger.load(settings.database_url, existing_keys(settings).log(), finished).close()
        return
    with new_backup(settings.ledger_path) as partial:
        copy_file(finished, partial)
