"""An installation whose ledger is written to without a model, and whose operator can cut off its tail and go on otherwise."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from governance.checkpoint import LogKey
from governance.entries import Receipt
from governance.testing.example_records import intent_record
from governance_adapters.marking.keys import KeyFolder
from governance_adapters.settings import Settings
from governance_adapters.storage.ledger import SqliteLedger
from support.command import Shell


@dataclass(frozen=True)
class Operator:
    """Who runs the log: has its database and its key. `shell` runs commands beside the installation."""

    settings: Settings
    shell: Shell

    @property
    def key(self) -> LogKey:
        """The public key of the log, as it was given to everybody."""
        return KeyFolder(self.settings.keys_path).log_public()

    @contextmanager
    def ledger(self) -> Iterator[SqliteLedger]:
        """The ledger, for writing."""
        with SqliteLedger.open(self.settings.ledger_path, KeyFolder(self.settings.keys_path).log()) as opened:
            yield opened

    def append(self, count: int) -> list[Receipt]:
        """Append entries, which are others each time."""
        with self.ledger() as opened:
            return [opened.append(intent_record(f"g{number}")) for number in range(count)]

    @contextmanager
    def rolled_back(self, more: int) -> Iterator[None]:
        """What the block appends is cut off after it: the file is put back as it was, and `more` other entries appended.

        The log's own key signs all of it, so nothing that is left contradicts itself.
        """
        database, kept = self.settings.ledger_path, self.shell.folder / "before"
        kept.mkdir()
        for file in database.parent.glob(f"{database.name}*"):
            if file.is_file():
                shutil.copy2(file, kept)
        yield
        for file in database.parent.glob(f"{database.name}*"):
            if file.is_file():
                file.unlink()
        for file in kept.iterdir():
            shutil.copy2(file, database.parent)
        self.append(more)


def operator_at(settings: Settings, folder: Path) -> Operator:
    """The operator of that installation; commands run in `folder`."""
    folder.mkdir()
    return Operator(settings, Shell(folder, settings.home))
