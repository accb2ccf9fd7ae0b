"""After a crash: close open intents, and let vault and quarantine agree with the ledger."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from governance.entries import Entry, HoldState
from governance.errors import LedgerError, StorageError
from governance.legal_keeping import keeping
from governance.ports import Ledger, Quarantine, Vault
from governance.types import Stage

logger = logging.getLogger(__name__)

_KEPT = (HoldState.OPEN, HoldState.APPROVED)
_PAGE = 500


def recover(ledger: Ledger, vault: Vault, quarantine: Quarantine) -> Sequence[Entry]:
    """Close what vanished processes left open; publish what was committed; discard what was not.

    Of drafts in quarantine those stay whose hold is open or approved, and those that a legal hold keeps. Returns the `abandoned` entries that were written.
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

    So is what a legal hold keeps: the first call after it was lifted destroys that.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    for hold_id in _over(ledger, quarantine.holds(), unrecorded=False):
        destroy_quietly(ledger, quarantine, hold_id)


def destroy_quietly(ledger: Ledger, quarantine: Quarantine, hold_id: str) -> None:
    """Destroy what a hold held whose record says that it is over, unless a legal hold keeps it.

    Nobody opens it again either way: a hold that ended never opens. What could not be destroyed, the next start tries
    again.
    """
    try:
        for over in _over(ledger, [hold_id], unrecorded=False):
            quarantine.destroy(over)
    except (LedgerError, StorageError):
        logger.warning("the draft of hold %s could not be destroyed yet", hold_id, exc_info=True)


def _over(ledger: Ledger, sealed: Iterable[str], *, unrecorded: bool) -> Sequence[str]:
    """Those whose hold ended and that no legal hold keeps; with `unrecorded` those too that no hold is recorded of.

    Here alone is decided what of the quarantine may be destroyed without an `erased` entry.
    """
    legal_holds = ledger.legal_holds()
    found = []
    for hold_id in sealed:
        record = ledger.hold(hold_id)
        subject = "" if record is None else record.subject  # of nothing recorded, only a hold on everything is
        over = unrecorded if record is None else record.state not in _KEPT
        if over and not (legal_holds and keeping(ledger, legal_holds, subject)):
            found.append(hold_id)
    return found


def _releasing(ledger: Ledger) -> bool:
    """Whether a draft that people let go may be on its way out just now."""
    after = ""
    while page := ledger.holds(state=HoldState.APPROVED, after=after, limit=_PAGE):
        if any(record.stage is Stage.RELEASE for record in page):
            return True
        after = page[-1].id
    return False
