"""Does an installation add up? What must hold of ledger and vault whatever happened, once recovery has run."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from governance.entries import Entry, EntryKind, HoldRecord, HoldState
from governance.errors import StorageError
from governance.holds import hold_named
from governance.parts import Parts
from governance.records import asset_digest
from governance_adapters.settings import Settings

OUTCOMES = (EntryKind.RELEASED, EntryKind.DENIED, EntryKind.HELD, EntryKind.FAILED)


@dataclass
class Accounts:
    """All entries of an installation, and how many of each kind."""

    entries: list[Entry]
    counts: Counter[str] = field(default_factory=Counter)


def balanced(settings: Settings, parts: Parts) -> Accounts:
    """Assert that nothing is left half done: see the assertions.

    `parts` were opened on the installation after the last process that worked on it was gone.
    """
    ledger = parts.ledger
    assert list(ledger.verify()) == []
    assert ledger.open_claims() == 0
    entries = [entry for _, entry in ledger.entries(limit=1_000_000)]
    accounts = Accounts(entries, Counter(entry.kind.value for entry in entries))
    assert files(settings, "staged") == set()
    released = {asset_digest(entry): entry for entry in entries if entry.kind is EntryKind.RELEASED}
    assert len(released) == accounts.counts["released"]
    assert not files(settings, "assets") - set(released), "files were released that no entry records"
    lost = sorted(set(released) - files(settings, "assets"))
    assert not lost, f"released, and not there: {[_told([released[each]]) for each in lost]}"
    for content_digest in released:
        content = (Path(settings.vault_url) / "assets" / content_digest).read_bytes()
        assert hashlib.sha256(content).hexdigest() == content_digest
    generations: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        generations[entry.subject].append(entry)
    for intent in (entry for entry in entries if entry.kind is EntryKind.INTENT):
        settled(intent, generations[intent.subject])
    quarantined(parts, all_holds(parts), entries)
    return accounts


def settled(intent: Entry, generation: list[Entry]) -> None:
    """Assert that an intent has an outcome for each of its items, or one `abandoned` that counts what is missing."""
    # What became of an item that people decided on comes on top.
    outcomes = [
        entry
        for entry in generation
        if entry.kind in OUTCOMES and (entry.kind is EntryKind.HELD or not hold_named(entry))
    ]
    abandoned = [entry for entry in generation if entry.kind is EntryKind.ABANDONED]
    items = [entry.body["item"] for entry in outcomes]
    assert len(set(items)) == len(items), f"one item has two outcomes: {_told(generation)}"
    assert len(abandoned) <= 1
    missing = intent.body["items"] - len(items)
    if None in items:  # the call as a whole failed, for whatever had no outcome yet
        assert not abandoned, f"failed as a whole, and abandoned: {_told(generation)}"
    elif abandoned:
        assert abandoned[0].body["missing"] == missing > 0, f"abandoned, and had an outcome: {_told(generation)}"
    else:
        assert missing == 0, f"an intent is open: {_told(generation)}"


def _told(generation: list[Entry]) -> list[tuple[object, ...]]:
    """What happened in a generation, in short."""
    members = ("item", "items", "missing", "attempt", "step", "error")
    return [
        (entry.kind.value, entry.time, {m: entry.body[m] for m in members if m in entry.body}) for entry in generation
    ]


def all_holds(parts: Parts) -> dict[str, HoldRecord]:
    """Every hold by its id."""
    found: dict[str, HoldRecord] = {}
    while page := parts.ledger.holds(after=max(found, default=""), limit=500):
        found.update((record.id, record) for record in page)
    return found


def quarantined(parts: Parts, holds: dict[str, HoldRecord], entries: list[Entry]) -> None:
    """Assert that drafts are there as long as people may decide on them, decrypt, and are gone once they did."""
    held = {str(hold_named(entry)): entry for entry in entries if entry.kind is EntryKind.HELD}
    assert held.keys() == holds.keys()
    waiting = {
        hold_id for hold_id, record in holds.items() if record.state is HoldState.OPEN and record.item is not None
    }
    assert set(parts.quarantine.holds()) == waiting
    released = [str(hold_named(entry)) for entry in entries if entry.kind is EntryKind.RELEASED and hold_named(entry)]
    assert len(set(released)) == len(released), "one hold was released twice"
    for hold_id, record in holds.items():
        if record.item is None:
            continue
        assert (record.state is HoldState.DONE) == (hold_id in released), "approved and not released, or the other way"
        try:
            parts.quarantine.open(hold_id)
            assert hold_id in waiting, "what was decided on decrypts"
        except StorageError:
            assert hold_id not in waiting, "what people may still look at does not decrypt"


def files(settings: Settings, folder: str) -> set[str]:
    """The names in a folder of the vault, whatever they are."""
    return {path.name for path in (Path(settings.vault_url) / folder).iterdir()}
