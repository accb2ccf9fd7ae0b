"""Do the rows of holds stand where the entries leave them? A part of the audit.

A lease is in no entry and is not looked at; neither is which request a hold at admission is of, which only a digest of
erasable facts says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, inspect, or_, select

from governance.entries import Entry, EntryKind, HoldState
from governance.errors import ProofError
from governance.holds import HOLD_KINDS, approvals_named, hold_named, holding_entry_named, review_named, state_after
from governance.merkle import leaf_hash
from governance.types import Stage
from governance_adapters.storage.tables import ENTRY, HOLD

_PAGE = 64
_FINAL = (HoldState.DONE, HoldState.REJECTED, HoldState.EXPIRED)
_NAMING = (*HOLD_KINDS, EntryKind.INTENT)


class HoldAudit:
    """Compares rows with entries, a page at a time, from both sides."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._kept = inspect(connection).has_table(HOLD.name)

    def of_entries(self, entries: Sequence[tuple[str, Entry]]) -> Iterator[str]:
        """What a hold's entries of one page say that its row does not: that it was held at all, and that it is over."""
        if not self._kept:
            return
        changes = [(name, entry, hold_named(entry), state_after(entry)) for name, entry in entries]
        named = {hold_id for _, _, hold_id, state in changes if hold_id and state}
        rows = {row.id: row.state for row in self._connection.execute(select(HOLD).where(HOLD.c.id.in_(list(named))))}
        for name, _, hold_id, state in changes:
            if not hold_id or state is None:
                continue
            if hold_id not in rows:
                yield f"{name}: hold {hold_id}, which it changes, is missing."
            elif state in _FINAL and rows[hold_id] != state.value:
                yield f"{name}: it leaves hold {hold_id} {state.value}; the hold says {rows[hold_id]!r}."

    def of_reviews(self, entries: Sequence[tuple[str, Entry]]) -> Iterator[str]:
        """Approvals that an entry names must stand before it, about the same hold, with those leaves; the last is enough."""
        named = {entry.id: found for _, entry in entries if (found := approvals_named(entry))}
        wanted = named.keys() | {entry_id for found in named.values() for entry_id, _ in found}
        rows = select(ENTRY.c.id, ENTRY.c.seq, ENTRY.c.leaf).where(ENTRY.c.id.in_(list(wanted)))
        stored: dict[str, Any] = {row.id: row for row in self._connection.execute(rows)}
        for name, entry in entries:
            if entry.id in named and not _borne_out(entry, named[entry.id], stored):
                yield f"{name}: its approvals are not the entries before it that it names."

    def rows(self) -> Iterator[str]:
        """What rows say that entries do not."""
        after, query = "", select(HOLD).order_by(HOLD.c.id).limit(_PAGE)
        while self._kept and (page := self._connection.execute(query.where(HOLD.c.id > after)).all()):
            entries = self._entries(page)
            for row in page:
                yield from _problems(row, [entry for entry in entries if hold_named(entry) == row.id])
            after = page[-1].id

    def _entries(self, page: Sequence[Row[Any]]) -> list[Entry]:
        """The entries of the holds' own generations, and the intents that used what was held at admission."""
        subjects, changed_by = [row.subject for row in page], [row.changed_by for row in page]
        where = or_(ENTRY.c.subject.in_(subjects), ENTRY.c.id.in_(changed_by))
        query = (
            select(ENTRY.c.leaf).where(where, ENTRY.c.kind.in_([kind.value for kind in _NAMING])).order_by(ENTRY.c.seq)
        )
        found = []
        for leaf in self._connection.execute(query).scalars():
            try:
                found.append(Entry.from_leaf(leaf))
            except ProofError:
                continue  # it is named where the entries are read
        return found


def _borne_out(entry: Entry, approvals: Sequence[tuple[str, str]], stored: Mapping[str, Any]) -> bool:
    found: list[Entry] = []
    for entry_id, leaf in approvals:
        row = stored.get(entry_id)
        if (
            row is None
            or entry.id not in stored
            or row.seq >= stored[entry.id].seq
            or leaf_hash(row.leaf).hex() != leaf
        ):
            return False
        try:
            found.append(Entry.from_leaf(row.leaf))
        except ProofError:
            return False
    about = {(each.kind, hold_named(each), holding_entry_named(each)) for each in found}
    decision: Any = found[-1].body.get("decision")
    return (
        about == {(EntryKind.APPROVED, hold_named(entry), holding_entry_named(entry))}
        and state_after(found[-1]) is HoldState.APPROVED
        and decision.get("decision_id") == review_named(entry)
    )


def _problems(row: Row[Any], entries: Sequence[Entry]) -> Iterator[str]:
    """Replay `entries`, all that name the hold of `row`, and compare where that ends."""
    changes = [(entry, state) for entry in entries if (state := state_after(entry)) is not None]
    if not changes:
        yield f"Hold {row.id}: no entry holds anything under this id."
        return
    last, state = changes[-1]
    held = [entry for entry, _ in changes if entry.kind is EntryKind.HELD]
    if row.state != state.value:
        yield f"Hold {row.id} says {row.state!r}; its entries leave it {state.value}."
    expected = {
        "entry_id": held[-1].id if held else None,
        "subject": held[-1].subject if held else None,
        "queue": _queue(entries),
        "changed_by": last.id,
        "item": held[-1].body.get("item") if held else None,
        "stage": _stage(held[-1]) if held else None,
        "opened": held[-1].time if held else None,
        "due": _opened_with(held, "due"),
        "expires": _opened_with(held, "expires"),
    }
    for column, value in expected.items():
        found = row._mapping[column]  # noqa: SLF001 - the documented way to read a column by its name
        if found != value:
            yield f"Hold {row.id}: the column {column} says {found!r}, its entries {value!r}."
    if any(holding_entry_named(entry) not in {each.id for each in held} for entry, _ in changes):
        yield f"Hold {row.id}: an entry names another entry than the one that holds it."


def _stage(held: Entry) -> str:
    """The stage at which a `held` entry holds: before anything was generated there is no item."""
    return (Stage.ADMISSION if held.body.get("item") is None else Stage.RELEASE).value


def _queue(entries: Sequence[Entry]) -> Any:
    queue: Any = ""
    for entry in entries:
        if entry.kind is EntryKind.HELD:
            queue = _opened_with([entry], "queue")
        elif entry.kind is EntryKind.ESCALATED:
            queue = entry.body.get("queue", "")
    return queue


def _opened_with(held: Sequence[Entry], member: str) -> Any:
    opened: Any = held[-1].body.get("hold", {}) if held else {}
    return opened.get(member, "")
