"""Whether a released file was recalled: asked before it is handed out again, and by whoever verifies it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from governance.canonical import Digest, canonical_digest, digest, parsed_json
from governance.entries import Entry
from governance.errors import LedgerError, RecalledError
from governance.lineage.recall_entries import cause_of, recalling
from governance.ports import Ledger
from governance.records import asset_digest, intent_named


def recalled(ledger: Ledger, released: Entry) -> Entry | None:
    """The `recalled` entry of the file that `released` records, or of the model or a LoRA that made it, or None.

    The same bytes may be released by several entries; a recall of any of them is one of the bytes. A recall names models and
    LoRAs before it names files, and what is released between is named by none: so what made a file is asked for too.

    Raises:
        LedgerError: the ledger cannot be read, or what made the file is not kept.
    """
    if (found := recalled_itself(ledger, released)) is not None:
        return found
    parts = (part for each in _of_the_same_bytes(ledger, released) for part in _made_with(ledger, each))
    return next((found for part in parts if (found := recalling(ledger, part)) is not None), None)


def recalled_itself(ledger: Ledger, released: Entry) -> Entry | None:
    """The `recalled` entry that names this file, or the same bytes released by another entry; None where none does.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    same = _of_the_same_bytes(ledger, released)
    return next((found for each in same if (found := recalling(ledger, each.id)) is not None), None)


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


def _of_the_same_bytes(ledger: Ledger, released: Entry) -> Iterator[Entry]:
    yield released
    if (content := asset_digest(released)) is not None:
        yield from (entry for entry in ledger.releases(content) if entry.id != released.id)


def _made_with(ledger: Ledger, released: Entry) -> Iterator[str]:
    """What a recall would name the model and the LoRAs by that made a file."""
    intent = intent_named(released)
    if intent is None:
        return
    described = ledger.entry(intent[0]).body.get("model")
    content = ledger.document(Digest(str(described)))
    model: Any = None if content is None or digest(content) != described else parsed_json(content)
    try:
        yield canonical_digest(dict(model["components"]))
        yield from (str(each["digest"]) for each in model.get("adapters") or ())
    except (KeyError, TypeError) as error:
        raise LedgerError(
            f"Which model made the file of entry {released.id} is not kept: whether it was recalled is not known.",
            remedy="Restore the ledger from its backup: `governance ledger verify` says what is missing.",
        ) from error
