"""After a crash: close open intents, and let the vault agree with the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from governance.ports import Ledger, Vault
from governance.types import Entry


def recover(ledger: Ledger, vault: Vault) -> Sequence[Entry]:
    """Close what vanished processes left open; publish what was committed, discard what was not.

    Returns the `abandoned` entries that were written. Running it again does nothing more.

    Raises:
        LedgerError: the ledger cannot be read or written.
        StorageError: the vault cannot be read or written.
    """
    abandoned = ledger.recover()
    staged = vault.staged()  # before asking for claims: what is staged later than this is not touched
    others_run = ledger.open_claims() > 0
    for content_digest in staged:
        if ledger.find_asset(content_digest) is not None:
            vault.publish(content_digest)
        elif not others_run:
            vault.discard(content_digest)
    return abandoned
