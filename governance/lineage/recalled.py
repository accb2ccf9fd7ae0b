"""Whether a released file was recalled: asked before it is handed out again, and by whoever verifies it."""

from __future__ import annotations

from governance.canonical import Digest
from governance.entries import Entry
from governance.errors import RecalledError
from governance.lineage.recall_entries import cause_of, recalling
from governance.ports import Ledger
from governance.records import asset_digest


def recalled(ledger: Ledger, released: Entry) -> Entry | None:
    """The `recalled` entry of the file that `released` records, or None.

    The same bytes may be released by several entries; a recall of any of them is one of the bytes.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if (found := recalling(ledger, released.id)) is not None:
        return found
    content = asset_digest(released)
    others = () if content is None else _others(ledger, content, released)
    return next((found for each in others if (found := recalling(ledger, each)) is not None), None)


def check_not_recalled(ledger: Ledger, released: Entry) -> None:
    """Refuse to go on with a file that was recalled.

    Raises:
        RecalledError: it was.
        LedgerError: the ledger cannot be read.
    """
    if (entry := recalled(ledger, released)) is not None:
        raise RecalledError(
            f"The file of entry {released.id} was recalled: {in_words(entry)}.",
            remedy=f"It is not handed out again. `governance ledger show {entry.id}` says by whom it was recalled.",
        )


def in_words(entry: Entry) -> str:
    """When a `recalled` entry was written, and for what: `by entry ... of 2026-...: licence CC-BY-4.0`.

    Raises:
        ProofError: the entry cannot be read.
    """
    cause = cause_of(entry)
    return f"by entry {entry.id} of {entry.time}: {cause.by.value} {cause.value}"


def _others(ledger: Ledger, content: Digest, released: Entry) -> tuple[str, ...]:
    return tuple(entry.id for entry in ledger.releases(content) if entry.id != released.id)
