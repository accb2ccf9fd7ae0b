"""Do vault and ledger agree: is each released file recorded, and each recorded file there?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from governance.canonical import Digest
from governance.entries import EntryKind
from governance.ports import Ledger, Vault
from governance.records import asset_digest

ASSET: Final = "asset"
"""What an erasure calls the bytes of a released file."""
_PAGE: Final = 1000


def disagreements(ledger: Ledger, vault: Vault) -> Iterator[str]:
    """One line per file that no entry released, and per released file that is missing; nothing when they agree.

    A release that is recorded while this looks is no disagreement: its entry is durable before its file can be read.

    Raises:
        LedgerError: the ledger cannot be read.
        StorageError: the vault cannot be listed.
    """
    # Files first, then their entries; entries first, then their files: what comes in between is on neither list.
    for content_digest in vault.contents():
        erased_by = [ledger.erasures(entry.id).get(ASSET) for entry in ledger.releases(content_digest)]
        if not erased_by:
            yield f"The file {content_digest} lies in the vault, and no entry released it."
        elif all(erased_by):  # it is of each release, and stays for as long as one of them keeps it
            yield f"The file {content_digest} lies in the vault, and entry {erased_by[-1]} says that it was erased."
    released = list(_released(ledger))
    there = {*vault.staged(), *vault.contents()}  # in this order: what is published meanwhile is on one of them
    for content_digest, entry_id in released:
        if content_digest not in there and ASSET not in ledger.erasures(entry_id):
            yield f"The file {content_digest} is not in the vault; entry {entry_id} released it."


def _released(ledger: Ledger) -> Iterator[tuple[Digest, str]]:
    """Digest and entry of everything that was released."""
    after = -1
    while page := ledger.entries(after=after, limit=_PAGE, kind=EntryKind.RELEASED):
        yield from ((content, entry.id) for _, entry in page if (content := asset_digest(entry)) is not None)
        after = page[-1][0]
