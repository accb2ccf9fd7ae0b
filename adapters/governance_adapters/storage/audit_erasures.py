"""Is what is gone what `erased` entries say, and do legal holds and due days stand where the entries leave them?

A part of the audit. What is gone although nothing erased it, the audit of what stands beside the entries names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from governance.entries import Entry, EntryKind, ErasedPart, LegalHoldScope
from governance.erasure import erased_parts
from governance.errors import ProofError
from governance.legal_holds import HELD_PERSON_FIELD, held_key, scope_named
from governance.retention import due_day
from governance_adapters.storage.erasing import kept, subjects_with_rest
from governance_adapters.storage.tables import ENTRY, ERASURE, LEGAL_HOLD, PERSONAL_FIELD, RETENTION

_OF_PAGE = (
    select(ERASURE)
    .join_from(ENTRY, ERASURE, ERASURE.c.entry_id == ENTRY.c.id)
    .where(ENTRY.c.seq >= bindparam("first"), ENTRY.c.seq < bindparam("end"))
)
_LEAVES = select(ENTRY.c.leaf).where(ENTRY.c.id.in_(bindparam("ids", expanding=True)))
_DUE = select(RETENTION).where(RETENTION.c.subject.in_(bindparam("subjects", expanding=True)))
_OF_SUBJECTS = select(ENTRY.c.leaf).where(
    ENTRY.c.subject.in_(bindparam("subjects", expanding=True)), ENTRY.c.seq.is_not(None)
)
_TOGETHER = 256
"""Subjects that are looked at together."""
_PLACES = {EntryKind.LEGAL_HOLD: "placed_by", EntryKind.LEGAL_HOLD_LIFTED: "lifted_by"}


class ErasureAudit:
    """Compares rows with entries, a page at a time, from both sides."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._kept = kept(connection)
        self._any = self._kept and connection.execute(select(ERASURE).limit(1)).first() is not None
        self._longer: set[str] = set()
        self._erased: dict[str, frozenset[ErasedPart]] = {}

    def of_page(self, first: int, end: int) -> Mapping[str, Mapping[str, str]]:
        """What is gone beside the entries of a page, by entry and name, and by which entry."""
        found: dict[str, dict[str, str]] = {}
        if self._any:
            for row in self._connection.execute(_OF_PAGE, {"first": first, "end": end}):
                found.setdefault(row.entry_id, {})[row.name] = row.erased_by
        return found

    def of_entries(self, entries: Sequence[tuple[str, Entry]], gone: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
        """What the entries of one page say that rows do not, and what the rows `gone` say that no `erased` entry does."""
        if not self._kept:
            return
        yield from self._unsaid(entries, gone)
        for name, entry in entries:
            if entry.kind is EntryKind.ERASED:
                yield from self._undone(name, entry)
            elif entry.kind in _PLACES:
                yield from self._legal_hold_of(name, entry)
        yield from self._due_of(entries)

    def rows(self) -> Iterator[str]:
        """What rows say that entries do not."""
        if not self._kept:
            return
        joined = ERASURE.outerjoin(ENTRY, ENTRY.c.id == ERASURE.c.entry_id)
        for row in self._connection.execute(select(ERASURE).select_from(joined).where(ENTRY.c.id.is_(None))):
            yield f"An erasure of {row.name!r} is of entry {row.entry_id}, which does not exist."
        for row in self._connection.execute(select(LEGAL_HOLD).order_by(LEGAL_HOLD.c.id)).all():
            yield from self._legal_hold(row)
        joined = RETENTION.outerjoin(ENTRY, ENTRY.c.subject == RETENTION.c.subject)
        for row in self._connection.execute(select(RETENTION).select_from(joined).where(ENTRY.c.id.is_(None))):
            yield f"{row.subject} is due on {row.day}, and no entry is about it."

    def kept_longer(self) -> Sequence[str]:
        """Subjects that are due later than the entries of a page say, of the pages since this was asked last."""
        found, self._longer = sorted(self._longer), set()
        return found

    def longer(self, subjects: Iterable[str]) -> Iterator[str]:
        """Which of these subjects are due later than any of all their entries says."""
        wanted = sorted(set(subjects))
        for start in range(0, len(wanted), _TOGETHER):
            page = {"subjects": wanted[start : start + _TOGETHER]}
            said: dict[str, str] = {}
            for entry in _readable(self._connection.execute(_OF_SUBJECTS, page).scalars()):
                said[entry.subject] = max(due_day(entry) or "", said.get(entry.subject, ""))
            due = {row.subject: row.day for row in self._connection.execute(_DUE, page)}
            for subject in page["subjects"]:
                if due.get(subject, "") > said.get(subject, ""):
                    yield f"{subject} is kept longer than any of its entries says."

    def _unsaid(self, entries: Sequence[tuple[str, Entry]], gone: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
        listed = self._listed({by for names in gone.values() for by in names.values()})
        for name, entry in entries:
            for part, by in gone.get(entry.id, {}).items():
                if ErasedPart(entry.id, part) not in listed.get(by, ()):
                    yield f"{name}: {part!r} counts as erased by entry {by}, which does not say so."

    def _listed(self, ids: Iterable[str]) -> Mapping[str, frozenset[ErasedPart]]:
        """What each of these entries erased, one that is no `erased` entry nothing; those of the page before are known."""
        wanted = set(ids)
        known = {each: self._erased[each] for each in wanted & self._erased.keys()}
        if missing := sorted(wanted - known.keys()):
            for entry in self._entries(missing).values():
                known[entry.id] = frozenset(erased_parts(entry))
        self._erased = known
        return known

    def _undone(self, name: str, entry: Entry) -> Iterator[str]:
        parts = erased_parts(entry)
        query = select(ERASURE).where(ERASURE.c.entry_id.in_(sorted({part.entry_id for part in parts})))
        done = {ErasedPart(row.entry_id, row.name) for row in self._connection.execute(query)}
        for part in parts:
            if part not in done:
                yield f"{name}: it erased {part.name!r} of entry {part.entry_id}, and nothing else shows that."

    def _legal_hold_of(self, name: str, entry: Entry) -> Iterator[str]:
        row = self._connection.execute(select(LEGAL_HOLD).where(LEGAL_HOLD.c.id == entry.subject)).first()
        column = _PLACES[entry.kind]
        if row is None or row._mapping[column] != entry.id:  # noqa: SLF001 - the documented way to read a column by name
            yield f"{name}: legal hold {entry.subject}, which it changes, does not say so."

    def _legal_hold(self, row: Row[Any]) -> Iterator[str]:
        entries = self._entries([each for each in (row.placed_by, row.lifted_by) if each])
        placed = entries.get(row.placed_by)
        if placed is None or (placed.kind, placed.subject) != (EntryKind.LEGAL_HOLD, row.id):
            yield f"Legal hold {row.id}: no entry places it."
            return
        if row.lifted_by:
            lifted = entries.get(row.lifted_by)
            if lifted is None or (lifted.kind, lifted.subject) != (EntryKind.LEGAL_HOLD_LIFTED, row.id):
                yield f"Legal hold {row.id}: no entry lifts it."
            if row.scope:
                yield f"Legal hold {row.id} is lifted and still says what it was on."
            return
        kind, generation = scope_named(placed)
        expected = self._person(placed) if kind == LegalHoldScope.PRINCIPAL else generation
        if row.scope_kind != kind or (expected is not None and row.scope != expected):
            yield f"Legal hold {row.id} is on something else than its entry says."

    def _person(self, placed: Entry) -> str | None:
        """The key of whom a legal hold is about; None where that was erased."""
        named = (PERSONAL_FIELD.c.entry_id == placed.id) & (PERSONAL_FIELD.c.name == HELD_PERSON_FIELD)
        value = self._connection.execute(select(PERSONAL_FIELD.c.value).where(named)).scalar()
        try:
            return None if value is None else held_key(str(json.loads(value)))
        except ValueError:
            return None  # that it was altered is named where fields are

    def _due_of(self, entries: Sequence[tuple[str, Entry]]) -> Iterator[str]:
        """A subject is due on the last day that one of its entries says, while there is something left to erase."""
        said = [(name, entry.subject, day) for name, entry in entries if (day := due_day(entry)) is not None]
        subjects = sorted({subject for _, subject, _ in said})
        rows = self._connection.execute(_DUE, {"subjects": subjects}) if subjects else ()
        days = {row.subject: row.day for row in rows}
        absent = set(subjects) - days.keys()
        forgotten = subjects_with_rest(self._connection, absent) if absent else set()
        for name, subject, day in said:
            found = days.get(subject)
            if found is None and subject in forgotten:
                yield f"{name}: {subject} is kept until {day}, and nothing says when it is due."
            elif found is not None and found < day:
                yield f"{name}: {subject} is due on {found}; this entry says {day}."
            elif found is not None and found > day:
                self._longer.add(subject)  # another of its entries may say so: see `longer`

    def _entries(self, ids: Sequence[str]) -> dict[str, Entry]:
        leaves = self._connection.execute(_LEAVES, {"ids": list(ids)}).scalars()
        return {entry.id: entry for entry in _readable(leaves)}


def _readable(leaves: Iterable[bytes]) -> Iterator[Entry]:
    for leaf in leaves:
        try:
            yield Entry.from_leaf(leaf)
        except ProofError:
            continue  # it is named where the entries are read


def kept_or_missing(
    name: str, part: str, *, there: bool, gone: Mapping[str, str], what: str, where: str = ""
) -> Iterator[str]:
    """Whether what an entry commits to is there, unless it was erased: `what` says it in words, and `where` it would be."""
    if there and part in gone:
        yield f"{name}: {what} is still there, although entry {gone[part]} erased it."
    elif not there and part not in gone:
        yield f"{name}: {what} is missing{where}, and no entry records its erasure."
