"""The index that entries are found by, and the counts by day: both derived, written with the entry that they are of.

A posting says that an entry has a term (`governance.terms`). There is no way from an entry to its postings but to work its
terms out again: whatever takes something from beside an entry does so within `kept_in_step`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, LargeBinary, bindparam, delete, func, insert, inspect, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT

from governance.entries import Entry, PersonalField, Record
from governance.errors import ProofError
from governance.records import asset_digest, mark_named
from governance.terms import picture_terms, terms_of_traits
from governance.traits import ASKED_FIELDS, DECIDED_FIELD, PROMPT_FIELDS, input_digests, rollups_of, traits_of
from governance_adapters.storage.tables import DOCUMENT, ENTRY, MARK, PERSONAL_FIELD, POSTING, ROLLUP
from governance_adapters.storage.upserts import Adding

PAGE = 256
"""Entries that are looked at together."""

_ADD = Adding(ROLLUP, ("day", "name", "value"), "entries")
_INSERT = "INSERT INTO posting (term, seq) VALUES (?, ?)"
# One array for all rows, where there are arrays: a message a row takes many times as long.
_INSERT_ARRAYS = insert(POSTING).from_select(
    ["term", "seq"],
    select(
        func.unnest(bindparam("terms", type_=ARRAY(LargeBinary))),
        func.unnest(bindparam("seqs", type_=ARRAY(BIGINT))),
    ),
)
_DELETE = delete(POSTING).where(POSTING.c.term == bindparam("of_term"), POSTING.c.seq == bindparam("of_seq"))
_ENTRIES = select(ENTRY.c.seq, ENTRY.c.leaf).where(ENTRY.c.seq > bindparam("after")).order_by(ENTRY.c.seq).limit(PAGE)
_SEARCHED = or_(
    PERSONAL_FIELD.c.name.in_([*ASKED_FIELDS, DECIDED_FIELD]), PERSONAL_FIELD.c.name.startswith(PROMPT_FIELDS)
)


@dataclass(frozen=True, slots=True)
class Indexed:
    """What one entry is found by, and what it counts for by day, name and value."""

    terms: frozenset[bytes]
    counts: Mapping[tuple[str, str, str], int]

    @classmethod
    def of(
        cls,
        entry: Entry,
        fields: Iterable[PersonalField],
        documents: Mapping[str, bytes],
        pdq: bytes | None = None,
    ) -> Indexed:
        """Of an entry and what stands beside it; `pdq` is the hash of the picture that it released, if that is kept."""
        traits = traits_of(entry, fields, documents)
        terms = terms_of_traits(traits)
        return cls(terms if pdq is None else terms | picture_terms(pdq), rollups_of(traits))

    @classmethod
    def of_record(cls, record: Record) -> Indexed | None:
        """Of an entry that is about to be written; None where it names a document that does not come with it."""
        documents: dict[str, bytes] = {document.digest: document.content for document in record.documents}
        if not documents.keys() >= set(input_digests(record.entry)):
            return None
        pdq = None if record.mark is None else record.mark.fingerprint.pdq
        return cls.of(record.entry, record.fields, documents, pdq)


def kept(connection: Connection) -> bool:
    """Whether this ledger has the tables: one that is only read may be older."""
    return inspect(connection).has_table(POSTING.name)


def index(connection: Connection, entries: Sequence[tuple[int, Indexed]]) -> None:
    """Write what entries, each with its index in the log, are found by, and count them."""
    rows = sorted((term, seq) for seq, indexed in entries for term in indexed.terms)
    _insert(connection, rows)
    counts: Counter[tuple[str, str, str]] = Counter()
    for _, indexed in entries:
        counts.update(indexed.counts)
    # In one order everywhere, so that no two transactions wait for each other's rows.
    counted = [{"day": day, "name": n, "value": v, "entries": counts[day, n, v]} for day, n, v in sorted(counts)]
    _ADD.run(connection, counted)


def readable(rows: Sequence[tuple[int, bytes]]) -> list[tuple[int, Entry]]:
    """Entries by index, from their leaves; one that cannot be read is left out: the audit is who names it."""
    entries: list[tuple[int, Entry]] = []
    for seq, leaf in rows:
        try:
            entries.append((seq, Entry.from_leaf(leaf)))
        except ProofError:
            continue
    return entries


def load(connection: Connection, rows: Sequence[tuple[int, bytes]]) -> list[tuple[int, Indexed]]:
    """Entries, by index and leaf, with what the tables have beside them; one that cannot be read is left out."""
    return load_entries(connection, readable(rows))


def load_entries(connection: Connection, entries: Sequence[tuple[int, Entry]]) -> list[tuple[int, Indexed]]:
    """As `load`, of entries that were read already."""
    found: list[tuple[int, Indexed]] = []
    for start in range(0, len(entries), PAGE):
        page = entries[start : start + PAGE]
        fields = fields_of(connection, [entry.id for _, entry in page])
        documents = documents_of(connection, [entry for _, entry in page])
        hashes = _hashes(connection, [entry for _, entry in page])
        for seq, entry in page:
            pdq = hashes.get(entry.id)
            found.append((seq, Indexed.of(entry, fields.get(entry.id, ()), documents, pdq)))
    return found


@contextmanager
def kept_in_step(connection: Connection, entry_ids: Sequence[str]) -> Iterator[None]:
    """For whoever erases what stands beside these entries: afterwards the index has what is left to find them by.

    Nothing to do for an entry that waits for its index: it is not found yet.
    """
    before = _stored(connection, entry_ids)
    yield
    after = _stored(connection, entry_ids)
    gone = [
        {"of_term": term, "of_seq": seq}
        for seq, terms in before.items()
        for term in sorted(terms - after.get(seq, frozenset()))
    ]
    if gone:
        connection.execute(_DELETE, gone)


def rebuild(connection: Connection) -> int:
    """Make index and counts anew from the entries and what is left beside them, a page at a time; returns how many."""
    connection.execute(delete(POSTING))
    connection.execute(delete(ROLLUP))
    after, count = -1, 0
    while rows := connection.execute(_ENTRIES, {"after": after}).all():
        index(connection, load(connection, [(row.seq, row.leaf) for row in rows]))
        after, count = rows[-1].seq, count + len(rows)
    return count


def fields_of(connection: Connection, entry_ids: Sequence[str]) -> dict[str, list[PersonalField]]:
    """The personal fields that are searched, by entry; those that cannot be read are left out."""
    query = select(PERSONAL_FIELD).where(PERSONAL_FIELD.c.entry_id.in_(list(entry_ids)), _SEARCHED)
    found: dict[str, list[PersonalField]] = {}
    for row in connection.execute(query):
        try:
            value = json.loads(row.value)
        except (ValueError, RecursionError):
            continue  # the audit is who names it
        found.setdefault(row.entry_id, []).append(PersonalField(row.name, row.salt, value))
    return found


def documents_of(connection: Connection, entries: Iterable[Entry]) -> dict[str, bytes]:
    """The documents that the traits of these entries come from, by digest."""
    named = sorted({each for entry in entries for each in input_digests(entry)})
    if not named:
        return {}
    rows = connection.execute(select(DOCUMENT).where(DOCUMENT.c.digest.in_(named)))
    return {row.digest: bytes(row.content) for row in rows}


def _hashes(connection: Connection, entries: Iterable[Entry]) -> dict[str, bytes]:
    """By entry, the perceptual hash of the watermark that it names, where that is kept."""
    named = {
        (digest, mark): entry.id for entry in entries if (digest := asset_digest(entry)) and (mark := mark_named(entry))
    }
    if not named:
        return {}
    rows = connection.execute(select(MARK).where(MARK.c.asset_digest.in_(sorted({digest for digest, _ in named}))))
    kept_hashes = {(row.asset_digest, (row.algorithm, row.key_id, str(row.mark_id))): bytes(row.pdq) for row in rows}
    return {entry_id: kept_hashes[place] for place, entry_id in named.items() if place in kept_hashes}


def _stored(connection: Connection, entry_ids: Sequence[str]) -> dict[int, frozenset[bytes]]:
    found: dict[int, frozenset[bytes]] = {}
    for start in range(0, len(entry_ids), PAGE):
        query = select(ENTRY.c.seq, ENTRY.c.leaf).where(ENTRY.c.id.in_(list(entry_ids[start : start + PAGE])))
        rows = [(row.seq, row.leaf) for row in connection.execute(query) if row.seq is not None]
        found.update({seq: indexed.terms for seq, indexed in load(connection, rows)})
    return found


def _insert(connection: Connection, rows: Sequence[tuple[bytes, int]]) -> None:
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        arrays: dict[str, Any] = {"terms": [term for term, _ in rows], "seqs": [seq for _, seq in rows]}
        connection.execute(_INSERT_ARRAYS, arrays)
    else:
        connection.exec_driver_sql(
            _INSERT, list(rows)
        )  # half of an insert's time would go into other forms of its rows
