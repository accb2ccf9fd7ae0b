"""A ledger that came back from a backup: what shows that it lost its newest entries, and the entry that says so.

Whatever was appended after the backup is gone, and what was handed out of it - receipts, checkpoints - does not agree with
the log that goes on from here. That cannot be mended; it can be found out, said, and recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from governance.canonical import Json
from governance.checkpoint import Checkpoint
from governance.entries import EntryKind, Receipt, Record
from governance.erasure import signed_entry
from governance.types import Principal

RESTORED_SUBJECT: Final = "restore"
"""What all `restored` entries are about."""


def restored_record(backup: Checkpoint, newer: int | None, by: Principal | None = None, reference: str = "") -> Record:
    """The record of a restoration: from a backup that ended with the checkpoint `backup`.

    `newer` is the largest number of entries that the log is known to have had, None where nothing shows that it had more.
    """
    body: dict[str, Json] = {"size": backup.size, "root": backup.root.hex(), "newer": newer}
    entry, fields = signed_entry(EntryKind.RESTORED, RESTORED_SUBJECT, body, by, reference)
    return Record(entry, fields)


def newer_receipts(backup: Checkpoint, receipts: Iterable[Receipt]) -> Iterator[Receipt]:
    """Receipts of this log for entries that the backup does not have."""
    return (receipt for receipt in receipts if receipt.index >= backup.size)
