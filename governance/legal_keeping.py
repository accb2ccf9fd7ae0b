"""What legal holds keep in a ledger as it stands now: whom a generation names, its personal fields say."""

from __future__ import annotations

from collections.abc import Sequence

from governance.entries import ALL_ENTRIES, LegalHoldRecord, LegalHoldScope
from governance.erasable import people_named
from governance.errors import LegalHoldError
from governance.legal_holds import covering
from governance.ports import Ledger


def keeping(ledger: Ledger, holds: Sequence[LegalHoldRecord], subject: str) -> LegalHoldRecord | None:
    """The first of `holds` that is open and keeps what stands beside the entries of `subject`, and its drafts and files.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if not any(hold.scope_kind is LegalHoldScope.PRINCIPAL and not hold.lifted_by for hold in holds):
        return covering(holds, subject, ())  # whom it names makes no difference
    page = ledger.entries(subject=subject, limit=ALL_ENTRIES)
    return covering(holds, subject, people_named(field for _, entry in page for field in ledger.fields(entry.id)))


def check_scope(ledger: Ledger, kind: LegalHoldScope, scope: str) -> bool:
    """Whether there is anything yet for a legal hold with this scope to keep.

    False where it is to be on a person whom no entry names: it keeps what will name them.

    Raises:
        LegalHoldError: it is to be on a generation that no entry is about: ids are drawn at random, so none ever will be.
        LedgerError: the ledger cannot be read.
    """
    if kind is LegalHoldScope.GENERATION and not ledger.entries(subject=scope, limit=1):
        raise LegalHoldError(
            f"No entry is about {scope!r}: a legal hold on it would keep nothing.",
            remedy="Check the id; `governance ledger list`. On a person, `--principal` keeps what they will ask for, too.",
        )
    return kind is not LegalHoldScope.PRINCIPAL or bool(ledger.subjects_of(scope, limit=1))
