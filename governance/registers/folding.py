"""What the ledger's entries make of the registers, read once and from then on only as far as they are new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from governance.checkpoint import parse_checkpoint
from governance.entries import Entry, EntryKind
from governance.lineage.recall_entries import recalling
from governance.ports import Ledger
from governance.registers.entries import RegisterEntry, read_entry
from governance.registers.item_checks import RegisterName
from governance.registers.items import Item

_PAGE: Final = 1000
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Registered:
    """One item as its newest entry leaves it. What was withdrawn is as it was before."""

    item: Item
    entry: Entry
    withdrawn: bool = False


class RegisterFold:
    """The items of all registers, by register and key. Not to be used by two threads at once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._after = -1
        self._items: dict[tuple[RegisterName, str], Registered] = {}

    def read(self) -> None:
        """Take in what is new.

        Raises:
            LedgerError: the ledger cannot be read, or an entry says what cannot be understood.
        """
        while page := self._ledger.entries(after=self._after, limit=_PAGE, kind=EntryKind.REGISTER):
            for index, entry in page:
                self._take(entry, read_entry(entry))
                self._after = index

    def find(self, register: RegisterName, key: str) -> Registered | None:
        """The item, withdrawn or not; None where there never was one."""
        return self._items.get((register, key))

    def of(self, register: RegisterName) -> Iterator[Registered]:
        """All items of a register in the order in which they were first added."""
        return (each for (name, _), each in self._items.items() if name is register)

    def _take(self, entry: Entry, said: RegisterEntry) -> None:
        place = (said.register, said.key)
        if said.item is not None:
            self._items[place] = Registered(said.item, entry)
        elif before := self._items.get(place):
            self._items[place] = Registered(before.item, entry, withdrawn=True)


class Recalls:
    """Which models and adapters were recalled, by entry. Asked of the index once each, and again after any new recall.

    Not to be used by two threads at once.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._until: int | None = None
        """No recall beyond this index is in what is remembered."""
        self._known: dict[str, str] = {}

    def read(self) -> None:
        """Forget what is remembered if anything was recalled since.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        if self._until is not None:
            newer = self._ledger.entries(after=self._until, limit=1, kind=EntryKind.RECALLED)
            if not newer and len(self._known) < _REMEMBERED:
                return
        self._until = parse_checkpoint(self._ledger.checkpoint()).size - 1
        self._known.clear()

    def entry_of(self, named: str) -> str:
        """The id of the entry that recalls the model of this key, or the adapter of this digest; empty where none does.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        if named not in self._known:
            entry = recalling(self._ledger, named)
            self._known[named] = "" if entry is None else entry.id
        return self._known[named]
