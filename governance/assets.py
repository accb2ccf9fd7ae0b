"""What a caller receives: released files, and what became of each item that was asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from governance.canonical import Digest
from governance.entries import Entry, Receipt
from governance.files import write_atomically
from governance.types import Decision, Finding

if TYPE_CHECKING:
    from governance.shadow import Shadow


class Verdict(StrEnum):
    """What became of one item."""

    RELEASED = "released"
    DENIED = "denied"
    HELD = "held"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Asset:
    """A released file: the exact signed bytes, and the receipt that proves its record."""

    id: str
    content: bytes
    media_type: str
    digest: Digest
    receipt: Receipt

    def save(self, path: str | os.PathLike[str], *, receipt: bool = False) -> Path:
        """Write the signed bytes to `path`, and with `receipt=True` the receipt to `<path>.receipt.json`.

        Raises:
            StorageError: the file cannot be written; nothing half-written is left behind.
        """
        target = Path(path)
        write_atomically(target, self.content)
        if receipt:
            write_atomically(receipt_path(target), self.receipt.to_json().encode())
        return target


@dataclass(frozen=True, slots=True)
class GovernedItem:
    """What became of one item that was asked for. When admission stops the call, all its items share one entry.

    `shadow` is what enforcement would have done with what shadow mode released; None of everything else.
    """

    index: int
    verdict: Verdict
    decisions: tuple[Decision, ...]
    findings: tuple[Finding, ...]
    entry: Entry | None
    asset: Asset | None = None
    error: Exception | None = None
    shadow: Shadow | None = None


@dataclass(frozen=True, slots=True)
class GovernedResult:
    """One governed call: one item per image, clip or sound asked for; indices never shift."""

    request_id: str
    generation_id: str
    attempt: int
    items: tuple[GovernedItem, ...]

    @property
    def released(self) -> tuple[GovernedItem, ...]:
        """The items that were released."""
        return tuple(item for item in self.items if item.verdict is Verdict.RELEASED)


def receipt_path(path: Path) -> Path:
    """Where the receipt of the asset at `path` is kept."""
    return path.with_name(path.name + ".receipt.json")
