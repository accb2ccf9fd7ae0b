"""Erasing beside entries, and legal holds that forbid it: inside the transaction that writes the entry about it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, Row, bindparam, delete, inspect, select, update

from governance.entries import Entry, LegalHoldRecord, LegalHoldScope, Record
from governance.erasable import (
    check_erasable,
    forgets_claim,
    forgets_request,
    forgets_usage,
    is_person,
    refuse_running,
)
from governance.erasure import ASSET, WATERMARK, grouped
from governance.errors import ProofError
from governance.legal_holds import covering, legal_hold_succession, refuse_held
from governance.records import ClaimState, asset_digest, mark_named
from governance.retention import due_day
from governance_adapters.storage import hold_rows, usage
from governance_adapters.storage.guards import guard
from governance_adapters.storage.postings import kept_in_step
from governance_adapters.storage.tables import (
    CLAIM,
    ENTRY,
    ERASURE,
    HOLD,
    LEGAL_HOLD,
    MARK,
    PERSONAL_FIELD,
    RETENTION,
)
from governance_adapters.storage.upserts import Latest, Upsert

GUARD = "legal_hold"
"""What is erased, and what may not be, one transaction at a time says."""
_KEEP_ERASURE = Upsert(ERASURE, ("entry_id", "name"))
_KEEP_RETENTION = Latest(RETENTION, ("subject",), "day")
_SAVE_HOLD = Upsert(LEGAL_HOLD, ("id",), ("scope", "lifted_by"))
_DELETE_FIELD = delete(PERSONAL_FIELD).where(
    PERSONAL_FIELD.c.entry_id == bindparam("of_entry"), PERSONAL_FIELD.c.name == bindparam("of_name")
)
_DELETE_MARK = delete(MARK).where(
    MARK.c.algorithm == bindparam("of_algorithm"),
    MARK.c.key_id == bindparam("of_key"),
    MARK.c.mark_id == bindparam("of_id"),
)
_GONE_ASSET, _GONE_MARK = (
    select(ERASURE.c.entry_id).where(ERASURE.c.entry_id == ENTRY.c.id, ERASURE.c.name == name).exists()
    for name in (ASSET, WATERMARK)
)
_FORGET_REQUEST = update(HOLD).where(HOLD.c.id == bindparam("of_hold")).values(request="", version=HOLD.c.version + 1)


def kept(connection: Connection) -> bool:
    """Whether this ledger knows erasures: one that only an earlier program wrote does not."""
    return inspect(connection).has_table(ERASURE.name)


def erasures(connection: Connection, entry_id: str) -> Mapping[str, str]:
    """See `Ledger.erasures`."""
    rows = connection.execute(select(ERASURE).where(ERASURE.c.entry_id == entry_id).order_by(ERASURE.c.name))
    return {row.name: row.erased_by for row in rows}


def legal_holds(connection: Connection, *, lifted: bool) -> Sequence[LegalHoldRecord]:
    """See `Ledger.legal_holds`."""
    query = select(LEGAL_HOLD).order_by(LEGAL_HOLD.c.id)
    if not lifted:
        query = query.where(LEGAL_HOLD.c.lifted_by.is_(None))
    return [_legal_hold(row) for row in connection.execute(query)]


def due(connection: Connection, day: str, after: tuple[str, str], limit: int) -> Sequence[tuple[str, str]]:
    """See `Ledger.due`."""
    beyond = (RETENTION.c.day > after[0]) | ((RETENTION.c.day == after[0]) & (RETENTION.c.subject > after[1]))
    query = select(RETENTION.c.day, RETENTION.c.subject).where(RETENTION.c.day <= day, beyond)
    rows = connection.execute(query.order_by(RETENTION.c.day, RETENTION.c.subject).limit(limit))
    return [(row.day, row.subject) for row in rows]


def keep_due(connection: Connection, entries: Iterable[Entry]) -> None:
    """Note when the time is over that these entries say; in the transaction that writes them."""
    found: dict[str, str] = {}
    for entry in entries:
        if (day := due_day(entry)) is not None:
            found[entry.subject] = max(day, found.get(entry.subject, ""))
    # In one order everywhere: of two transactions that write the same rows neither waits for the other's.
    _KEEP_RETENTION.run(connection, [{"subject": subject, "day": found[subject]} for subject in sorted(found)])


def apply(connection: Connection, record: Record) -> None:
    """Do what an `erased` entry lists, or change the legal hold that an entry is about.

    Raises:
        LegalHoldError: a legal hold keeps something of it, or the legal hold is not what the entry takes it for.
        ErasureError: an entry or a part of it does not exist, or the call that it belongs to still runs.
        SQLAlchemyError: the database cannot be read or written.
    """
    guard(connection, GUARD)
    if (hold := record.legal_hold) is not None:
        row = connection.execute(select(LEGAL_HOLD).where(LEGAL_HOLD.c.id == hold.id)).first()
        legal_hold_succession(None if row is None else _legal_hold(row), hold)
        _SAVE_HOLD.run(connection, [_row(hold)])
    if record.erasures:
        _Erasing(connection, record).run()


class _Erasing:
    """One `erased` entry at work."""

    def __init__(self, connection: Connection, record: Record) -> None:
        self._connection = connection
        self._by = record.entry.id
        self._names = grouped(record.erasures)
        found = _entries(connection, self._names)
        self._entries = {key: check_erasable(key, found.get(key), names) for key, names in self._names.items()}
        self._subjects = sorted({entry.subject for entry in self._entries.values()})

    def run(self) -> None:
        """Everything that may stand in the way first, then the deletions."""
        self._refuse_held()
        self._refuse_running()
        with kept_in_step(self._connection, tuple(self._entries)):
            self._usage()
            self._claims()
            self._requests()
            self._fields_and_marks()
        self._retention()

    def _refuse_held(self) -> None:
        holds = legal_holds(self._connection, lifted=False)
        if not holds:
            return
        subjects = sorted({*self._subjects, *self._sharing()})
        people = people_of(self._connection, subjects)
        for subject in subjects:
            refuse_held(covering(holds, subject, people.get(subject, ())), subject)

    def _sharing(self) -> set[str]:
        """The subjects of other releases of the files that are to be erased, as far as those are kept."""
        erased = [key for key, names in self._names.items() if ASSET in names]
        files = sorted({content for key in erased if (content := asset_digest(self._entries[key])) is not None})
        where = ENTRY.c.asset_digest.in_(files) & ENTRY.c.id.not_in(erased)
        return set(self._connection.execute(select(ENTRY.c.subject).where(where, ~_GONE_ASSET)).scalars())

    def _refuse_running(self) -> None:
        where = CLAIM.c.generation_id.in_(self._subjects) & (CLAIM.c.state == ClaimState.OPEN)
        running = self._connection.execute(select(CLAIM.c.generation_id).where(where).limit(1)).scalar()
        if running is not None:
            raise refuse_running(running)

    def _claims(self) -> None:
        forgotten = {self._entries[key].subject for key, names in self._names.items() if forgets_claim(names)}
        if forgotten:
            self._connection.execute(delete(CLAIM).where(CLAIM.c.generation_id.in_(sorted(forgotten))))

    def _usage(self) -> None:
        intents = {
            key: self._entries[key] for key, names in self._names.items() if forgets_usage(self._entries[key], names)
        }
        if intents:
            usage.forget(self._connection, intents)

    def _requests(self) -> None:
        opened = [key for key, names in self._names.items() if forgets_request(self._entries[key], names)]
        asked = (HOLD.c.entry_id.in_(opened)) & (HOLD.c.request != "")
        for hold_id in self._connection.execute(select(HOLD.c.id).where(asked).order_by(HOLD.c.id)).scalars().all():
            hold_rows.guarded_hold(self._connection, hold_id)
            self._connection.execute(_FORGET_REQUEST, {"of_hold": hold_id})

    def _fields_and_marks(self) -> None:
        parts = [(key, name) for key, names in self._names.items() for name in names]
        self._connection.execute(_DELETE_FIELD, [{"of_entry": key, "of_name": name} for key, name in parts])
        named = [mark for key, name in parts if name == WATERMARK and (mark := mark_named(self._entries[key]))]
        if named:  # by its id, not by the file that it leads to: another release may be of the same bytes
            marks = [
                {"of_algorithm": algorithm, "of_key": key, "of_id": int(number)} for algorithm, key, number in named
            ]
            self._connection.execute(_DELETE_MARK, marks)
        rows = [{"entry_id": key, "name": name, "erased_by": self._by} for key, name in parts]
        _KEEP_ERASURE.run(self._connection, rows)

    def _retention(self) -> None:
        """Of a subject of which nothing is left nothing is due any more."""
        gone = set(self._subjects) - subjects_with_rest(self._connection, self._subjects)
        if gone:
            self._connection.execute(delete(RETENTION).where(RETENTION.c.subject.in_(sorted(gone))))


def subjects_with_rest(connection: Connection, subjects: Collection[str]) -> set[str]:
    """Those of `subjects` beside whose entries there is something left to erase."""
    of_these = ENTRY.c.subject.in_(list(subjects))
    fields = select(ENTRY.c.subject).join(PERSONAL_FIELD, PERSONAL_FIELD.c.entry_id == ENTRY.c.id)
    marks = select(ENTRY.c.subject).join(MARK, MARK.c.asset_digest == ENTRY.c.asset_digest).where(~_GONE_MARK)
    assets = select(ENTRY.c.subject).where(ENTRY.c.asset_digest.is_not(None), ~_GONE_ASSET)
    return {
        subject
        for query in (fields, marks, assets)
        for subject in connection.execute(query.where(of_these).distinct()).scalars()
    }


def people_of(connection: Connection, subjects: Collection[str]) -> Mapping[str, set[str]]:
    """The ids of the people whom the entries of each subject name, as far as they were not erased."""
    joined = PERSONAL_FIELD.join(ENTRY, ENTRY.c.id == PERSONAL_FIELD.c.entry_id)
    query = select(ENTRY.c.subject, PERSONAL_FIELD.c.name, PERSONAL_FIELD.c.value).select_from(joined)
    found: dict[str, set[str]] = {}
    for row in connection.execute(query.where(ENTRY.c.subject.in_(list(subjects)))):
        if is_person(row.name):
            found.setdefault(row.subject, set()).add(str(json.loads(row.value)))
    return found


def _entries(connection: Connection, ids: Iterable[str]) -> dict[str, Entry]:
    query = select(ENTRY.c.leaf).where(ENTRY.c.id.in_(list(ids)), ENTRY.c.seq.is_not(None))
    return {entry.id: entry for entry in map(Entry.from_leaf, connection.execute(query).scalars())}


def _row(hold: LegalHoldRecord) -> dict[str, object]:
    return {
        "id": hold.id,
        "scope_kind": hold.scope_kind.value,
        "scope": hold.scope,
        "placed_by": hold.placed_by,
        "lifted_by": hold.lifted_by or None,
    }


def _legal_hold(row: Row[tuple[object, ...]]) -> LegalHoldRecord:
    try:
        kind = LegalHoldScope(str(row.scope_kind))
    except ValueError as error:
        raise ProofError(
            f"Legal hold {row.id} has an unknown scope: {error}.", remedy="Run `governance ledger verify`."
        ) from error
    return LegalHoldRecord(row.id, kind, row.scope, row.placed_by, row.lifted_by or "")
