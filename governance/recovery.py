"""After a crash: close open intents, and let vault and quarantine agree with the ledger."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from governance.entries import Entry, HoldState
from governance.errors import StorageError
from governance.ports import Ledger, Quarantine, Vault
from governance.types import Stage

logger = logging.getLogger(__name__)

_KEPT = (HoldState.OPEN, HoldState.APPROVED)
_PAGE = 500


def recover(ledger: Ledger, vault: Vault, quarantine: Quarantine) -> Sequence[Entry]:
    """Close what vanished processes left open; publish what was committed; discard what was not.

    Of drafts in quarantine those stay whose hold is open or approved. Returns the `abandoned` entries that were written.
    Running it again does nothing more.

    Raises:
        LedgerError: the ledger cannot be read or written.
        StorageError: the vault or the quarantine cannot be read or written.
    """
    abandoned = ledger.recover()
    staged, sealed = vault.staged(), quarantine.holds()  # before asking for claims: what comes later is not touched
    others_run = ledger.open_claims() > 0
    others_release = others_run or _releasing(ledger)
    for content_digest in staged:
        if ledger.find_asset(content_digest) is not None:
            vault.publish(content_digest)
        elif not others_release:
            vault.discard(content_digest)
    for hold_id in _over(ledger, sealed, unrecorded=not others_run):
        quarantine.destroy(hold_id)
    return abandoned


def discard_closed(ledger: Ledger, quarantine: Quarantine) -> None:
    """Destroy what is still in quarantine of holds that ended; what no hold is recorded of is left alone.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    for hold_id in _over(ledger, quarantine.holds(), unrecorded=False):
        destroy_quietly(quarantine, hold_id)


def destroy_quietly(quarantine: Quarantine, hold_id: str) -> None:
    """Destroy what a hold held, which its record says is over. Nobody opens it again; the next start tries again."""
    try:
        quarantine.destroy(hold_id)
    except StorageError:
        logger.warning("the draft of hold %s could not be destroyed yet", hold_id, exc_info=True)


def _over(ledger: Ledger, sealed: Iterable[str], *, unrecorded: bool) -> Sequence[str]:
    """Those whose hold ended; with `unrecorded` those too that no hold is recorded of."""
    records = {hold_id: ledger.hold(hold_id) for hold_id in sealed}
    return [
        hold_id for hold_id, record in records.items() if (unrecorded if record is None else record.state not in _KEPT)
    ]


def _releasing(ledger: Ledger) -> bool:
    """Whether a draft that people let go may be on its way out just now."""
    after = ""
    while page := ledger.holds(state=HoldState.APPROVED, after=after, limit=_PAGE):
        if any(record.stage is Stage.RELEASE for record in page):
            return True
        after = page[-1].id
    return False
