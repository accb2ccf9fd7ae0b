"""Does an installation add up? What must hold of ledger and vault whatever happened, once recovery has run."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from governance.entries import Entry, EntryKind
from governance.governor import Governor
from governance.records import asset_digest
from governance_adapters.settings import Settings

OUTCOMES = (EntryKind.RELEASED, EntryKind.DENIED, EntryKind.HELD, EntryKind.FAILED)


@dataclass
class Accounts:
    """All entries of an installation, and how many of each kind."""

    entries: list[Entry]
    counts: Counter[str] = field(default_factory=Counter)


def balanced(settings: Settings, governor: Governor) -> Accounts:
    """Assert that nothing is left half done: see the assertions.

    `governor` was opened on the installation after the last process that worked on it was gone.
    """
    ledger = governor.parts.ledger
    assert list(ledger.verify()) == []
    assert ledger.open_claims() == 0
    entries = [entry for _, entry in ledger.entries(limit=1_000_000)]
    accounts = Accounts(entries, Counter(entry.kind.value for entry in entries))
    assert files(settings, "staged") == set()
    released = {asset_digest(entry): entry for entry in entries if entry.kind is EntryKind.RELEASED}
    assert len(released) == accounts.counts["released"]
    assert files(settings, "assets") == set(released)
    for content_digest in released:
        content = (Path(settings.vault_url) / "assets" / content_digest).read_bytes()
        assert hashlib.sha256(content).hexdigest() == content_digest
    for intent in (entry for entry in entries if entry.kind is EntryKind.INTENT):
        settled(intent, [entry for entry in entries if entry.subject == intent.subject])
    return accounts


def settled(intent: Entry, generation: list[Entry]) -> None:
    """Assert that an intent has an outcome for each of its items, or one `abandoned` that counts what is missing."""
    outcomes = [entry for entry in generation if entry.kind in OUTCOMES]
    abandoned = [entry for entry in generation if entry.kind is EntryKind.ABANDONED]
    items = [entry.body["item"] for entry in outcomes]
    assert len(set(items)) == len(items), "one item has two outcomes"
    assert len(abandoned) <= 1
    missing = intent.body["items"] - len(items)
    if None in items:  # the call as a whole failed, for whatever had no outcome yet
        assert not abandoned
    elif abandoned:
        assert abandoned[0].body["missing"] == missing > 0
    else:
        assert missing == 0, "an intent is open"


def files(settings: Settings, folder: str) -> set[str]:
    """The names in a folder of the vault, whatever they are."""
    return {path.name for path in (Path(settings.vault_url) / folder).iterdir()}
