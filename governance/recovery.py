"""After a crash: close open intents, and let vault and quarantine agree with the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from governance.entries import Entry, EntryKind
from governance.ports import Ledger, Quarantine, Vault


def recover(ledger: Ledger, vault: Vault, quarantine: Quarantine) -> Sequence[Entry]:
    """Close what vanished processes left open; publish what was committed; discard what was not.

    Returns the `abandoned` entries that were written. Running it again does nothing more.

    Raises:
        LedgerError: the ledger cannot be read or written.
        StorageError: the vault or the quarantine cannot be read or written.
    """
    abandoned = ledger.recover()
    staged, sealed = vault.staged(), quarantine.holds()  # before asking for claims: what comes later is not touched
    others_run = ledger.open_claims() > 0
    for content_digest in staged:
        if ledger.find_asset(content_digest) is not None:
            vault.publish(content_digest)
        elif not others_run:
            vault.discard(content_digest)
    recorded = set(_recorded_holds(ledger)) if sealed and not others_run else set(sealed)
    for hold_id in set(sealed) - recorded:
        quarantine.destroy(hold_id)
    return abandoned


def _recorded_holds(ledger: Ledger) -> Iterator[str]:
    after = -1
    while page := ledger.entries(after=after, limit=1000, kind=EntryKind.HELD):
        for after, entry in page:  # noqa: B007 - the last index is where the next page begins
            hold = entry.body.get("hold")
            if isinstance(hold, Mapping):
                yield str(hold["id"])
