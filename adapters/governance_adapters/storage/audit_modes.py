"""Whether policy was obeyed: what was made in shadow mode stands behind an entry that turned it on. A part of the audit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, select

from governance.entries import Entry, EntryKind
from governance.errors import LedgerError, ProofError
from governance.mode_record import mode_of
from governance.shadow import SHADOW, shadow_of
from governance.types import Mode
from governance_adapters.storage.tables import ENTRY

_MODES = select(ENTRY.c.seq, ENTRY.c.leaf).where(ENTRY.c.kind == EntryKind.MODE.value).order_by(ENTRY.c.seq)


class ModeAudit:
    """Checks `mode` entries, each against the one before it, and what entries say of shadow mode."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._read: list[tuple[int, Entry]] | None = None

    def of_entries(self, entries: Sequence[tuple[str, Entry]], places: Mapping[str, int]) -> Iterator[str]:
        """One line per problem of these entries; `places` are their indices, by id."""
        for name, entry in entries:
            if entry.id not in places:
                continue
            if entry.kind is EntryKind.MODE:
                yield from self._switch(name, entry, places[entry.id])
            elif SHADOW in entry.body:
                yield from self._shadow(name, entry, places[entry.id])

    def _switch(self, name: str, entry: Entry, index: int) -> Iterator[str]:
        before = [other for place, other in self._switches() if place < index]
        named, expected = entry.body.get("previous"), before[-1].id if before else None
        if named != expected:
            yield f"{name}: it names {named!r} as the mode entry before it, and that is {expected!r}."
        try:
            mode_of(entry)
        except LedgerError:
            yield f"{name}: it names no mode."

    def _shadow(self, name: str, entry: Entry, index: int) -> Iterator[str]:
        try:
            shadow_of(entry)
        except ProofError as error:
            yield f"{name}: {error}"
        if not any(place < index and _is_shadow(other) for place, other in self._switches()):
            yield f"{name}: it was made in shadow mode, and no entry before it turned that on."

    def _switches(self) -> list[tuple[int, Entry]]:
        """All `mode` entries that can be read, in order; those that cannot are named where they stand."""
        if self._read is None:
            self._read = []
            for seq, leaf in self._connection.execute(_MODES):
                try:
                    self._read.append((seq, Entry.from_leaf(leaf)))
                except ProofError:
                    continue
        return self._read


def _is_shadow(entry: Entry) -> bool:
    try:
        return mode_of(entry) is Mode.SHADOW
    except LedgerError:
        return False
