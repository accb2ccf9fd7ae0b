"""What the registers said once and do not say any more: a change of words must not hide a descendant from a recall.

Whether a licence that was replaced in the register was wrong then or is left out now is on no record. So what was registered
under it is not recalled for that, which nobody could take back, and is not passed over either: it is a gap for people to judge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from governance.entries import Entry, EntryKind
from governance.lineage.matching import Match, names_licence
from governance.lineage.recall_entries import RecallBy
from governance.ports import Ledger
from governance.registers.entries import read_entry
from governance.registers.items import Contract, Item, RegisteredAdapter, RegisteredModel

_PAGE = 1000


def once_stated(ledger: Ledger, match: Match, models: Collection[str], known: Collection[str]) -> Iterator[str]:
    """One sentence for each item that was once registered as a descendant and is not found as one.

    `models` are the keys of the models that are, `known` those of all that need not be looked at: of models, LoRAs and
    contracts.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    told: dict[str, None] = {}
    for entry in _entries(ledger):
        item = read_entry(entry).item
        if item is not None and item.key not in known and (said := _said(item, match, models)):
            kind = item.register.value.removesuffix("s")
            told[
                f"whether {kind} {item.key} descends too: it was registered {said} (entry {entry.id}), and is not now"
            ] = None
    yield from told


def is_licence_named(ledger: Ledger, licence: str) -> bool:
    """Whether any model, LoRA or contract is registered under this licence, or ever was.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    return any(names_licence(getattr(read_entry(entry).item, "licence", ""), licence) for entry in _entries(ledger))


def _said(item: Item, match: Match, models: Collection[str]) -> str:
    by, value = match.cause.by, match.cause.value
    licence = getattr(item, "licence", "")
    if by is RecallBy.LICENCE and names_licence(licence, value):
        return f"as granting {licence}" if isinstance(item, Contract) else f"under {licence}"
    if isinstance(item, RegisteredModel | RegisteredAdapter):
        if by is RecallBy.DATASET and value in item.datasets:
            return f"as coming from dataset {value}"
        if item.contract in match.contracts:
            return f"under contract {item.contract}"
    if isinstance(item, RegisteredAdapter) and item.base in models:
        return f"as made for model {item.base}"
    return ""


def _entries(ledger: Ledger) -> Iterator[Entry]:
    after = -1
    while page := ledger.entries(after=after, limit=_PAGE, kind=EntryKind.REGISTER):
        after = page[-1][0]
        yield from (entry for _, entry in page)
