"""Recomputes the whole ledger from its leaves, one tile of 256 entries at a time, within one snapshot.

What it can show: that the stored entries are those that the log's key signed, whole and in order, and that everything
beside them that an entry commits to is unaltered. What it cannot: that the newest checkpoints were not cut off (only
receipts and checkpoints kept elsewhere show that), and what no entry commits to (claims, counters, usage, perceptual hashes).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, func, select

from governance.canonical import Digest, commitment, digest
from governance.checkpoint import LogKey
from governance.entries import Entry, EntryKind
from governance.errors import CanonicalError, ProofError
from governance.merkle import HASH_BYTES, TILE_WIDTH, leaf_hash
from governance.records import asset_digest, asset_id, document_digests, field_commitments, intent_named, mark_named
from governance_adapters.storage.audit_holds import HoldAudit
from governance_adapters.storage.audit_tree import TreeAudit
from governance_adapters.storage.tables import DOCUMENT, ENTRY, MARK, PERSONAL_FIELD

_PAGE = 64


class Audit:
    """One audit. `key` is the log's public key, from somewhere other than the database."""

    def __init__(self, connection: Connection, key: LogKey | None) -> None:
        self._connection = connection
        self._key = key
        self._tree = TreeAudit(connection, key)
        self._holds = HoldAudit(connection)

    def problems(self) -> Iterator[str]:
        """One line per problem; nothing when all holds."""
        if self._key is None:
            yield "The checkpoints' signatures were not checked: no log key was given."
        size = self._tree.newest_size()
        if size is None:
            yield "No newest checkpoint that verifies: nothing shows that the entries are complete."
            size = int(self._connection.execute(select(func.count()).select_from(ENTRY)).scalar_one())
        uncovered = select(ENTRY.c.seq, ENTRY.c.id).where((ENTRY.c.seq < 0) | (ENTRY.c.seq >= size))
        for row in self._connection.execute(uncovered):
            yield f"Entry {row.seq} ({row.id}) is not covered by the newest checkpoint."
        yield from self._tree.start()
        for first in range(0, size, TILE_WIDTH):
            yield from self._page(first, min(first + TILE_WIDTH, size))
        yield from self._tree.finish()
        yield from self._documents()
        yield from self._strays()
        yield from self._holds.rows()
        yield from self._database()

    def _page(self, first: int, end: int) -> Iterator[str]:
        """The entries of one tile, and what stands beside them."""
        query = select(ENTRY).where(ENTRY.c.seq >= first, ENTRY.c.seq < end)
        rows = {row.seq: row for row in self._connection.execute(query)}
        entries: list[tuple[str, Entry]] = []
        tile = self._tree.tile(0, first // TILE_WIDTH)
        if len(tile) != (end - first) * HASH_BYTES:
            yield f"Tile 0/{first // TILE_WIDTH} holds {len(tile)} bytes instead of {(end - first) * HASH_BYTES}."
        for index in range(first, end):
            committed = tile[(index - first) * HASH_BYTES :][:HASH_BYTES]
            row = rows.get(index)
            if row is None:
                yield f"Entry {index} is missing."
            else:
                yield from self._entry(row, committed, entries)
            # The tree is checked as it was signed; an altered entry was named above.
            node = committed if len(committed) == HASH_BYTES else leaf_hash(row.leaf if row else b"")
            yield from self._tree.push(node)
        yield from self._beside(first, end, entries)

    def _entry(self, row: Row[Any], committed: bytes, entries: list[tuple[str, Entry]]) -> Iterator[str]:
        name = f"Entry {row.seq} ({row.id})"
        if leaf_hash(row.leaf) != committed:
            yield f"{name} was altered: its bytes are not those that the tree commits to."
        try:
            entry = Entry.from_leaf(row.leaf)
        except ProofError as error:
            yield f"{name} is not an entry: {error}"
            return
        entries.append((name, entry))
        derived = {
            "id": entry.id,
            "kind": entry.kind.value,
            "subject": entry.subject,
            "time": entry.time,
            "asset_digest": asset_digest(entry),
        }
        for column, expected in derived.items():
            found = row._mapping[column]  # noqa: SLF001 - the documented way to read a column by its name
            if expected != found:
                yield f"{name}: the column {column} says {found!r}, the entry {expected!r}."

    def _beside(self, first: int, end: int, entries: Sequence[tuple[str, Entry]]) -> Iterator[str]:
        fields = self._grouped(PERSONAL_FIELD, PERSONAL_FIELD.c.entry_id, ENTRY.c.id, first, end)
        marks = self._grouped(MARK, MARK.c.asset_digest, ENTRY.c.asset_digest, first, end)
        named = {each: name for name, entry in entries for each in document_digests(entry)}
        for name, entry in entries:
            yield from self._fields(name, entry, fields.get(entry.id, ()))
            if (released := asset_digest(entry)) is not None:
                yield from self._marks(name, entry, marks.get(released, ()))
        yield from self._intents(entries)
        yield from self._holds.of_entries(entries)
        yield from self._holds.of_reviews(entries)
        kept = select(DOCUMENT.c.digest).where(DOCUMENT.c.digest.in_(list(named)))
        for missing in sorted(named.keys() - set(self._connection.execute(kept).scalars())):
            yield f"{named[missing]}: document {missing} is missing."

    def _intents(self, entries: Sequence[tuple[str, Entry]]) -> Iterator[str]:
        """An intent that an entry names must stand before it, in the same generation, with that leaf."""
        named = {entry.id: pair for _, entry in entries if (pair := intent_named(entry)) is not None}
        wanted = {intent_id for intent_id, _ in named.values()} | named.keys()
        rows = select(ENTRY.c.id, ENTRY.c.seq, ENTRY.c.kind, ENTRY.c.subject, ENTRY.c.leaf).where(
            ENTRY.c.id.in_(list(wanted))
        )
        found = {row.id: row for row in self._connection.execute(rows)}
        for name, entry in entries:
            if entry.id not in named:
                continue
            (intent_id, leaf), own = named[entry.id], found.get(entry.id)
            intent = found.get(intent_id)
            if intent is None or intent.kind != EntryKind.INTENT or intent.subject != entry.subject:
                yield f"{name}: it names the intent {intent_id}, which its generation does not have."
            elif leaf_hash(intent.leaf).hex() != leaf or own is None or intent.seq >= own.seq:
                yield f"{name}: the intent {intent_id} is not the entry before it that it names."

    def _fields(self, name: str, entry: Entry, rows: Sequence[Row[Any]]) -> Iterator[str]:
        commitments = field_commitments(entry)
        for row in rows:
            if row.name not in commitments:
                yield f"{name}: personal field {row.name!r} is kept, but the entry does not commit to it."
            elif not _opens(row, commitments[row.name]):
                yield f"{name}: personal field {row.name!r} was altered."
        for missing in sorted(commitments.keys() - {row.name for row in rows}):
            yield f"{name}: personal field {missing!r} is missing, and no entry records its erasure."

    def _marks(self, name: str, entry: Entry, rows: Sequence[Row[Any]]) -> Iterator[str]:
        """The watermark that a `released` entry names, and no other, must lead to its asset."""
        named, found = mark_named(entry), False
        for row in rows:
            if (row.algorithm, row.key_id, str(row.mark_id)) != named:
                yield f"{name}: watermark {row.mark_id} leads here, but the entry does not name it."
            elif row.asset_id != asset_id(entry):
                yield f"{name}: watermark {row.mark_id} leads to another asset, {row.asset_id}."
            found = True
        if named is not None and not found:
            yield f"{name}: watermark {named[2]} is missing from the index."

    def _documents(self) -> Iterator[str]:
        after = ""
        query = select(DOCUMENT).order_by(DOCUMENT.c.digest).limit(_PAGE)
        while page := self._connection.execute(query.where(DOCUMENT.c.digest > after)).all():
            for row in page:
                if digest(row.content) != row.digest:
                    yield f"Document {row.digest} was altered."
            after = page[-1].digest

    def _strays(self) -> Iterator[str]:
        joined = PERSONAL_FIELD.outerjoin(ENTRY, ENTRY.c.id == PERSONAL_FIELD.c.entry_id)
        for row in self._connection.execute(select(PERSONAL_FIELD).select_from(joined).where(ENTRY.c.seq.is_(None))):
            yield f"Personal field {row.name!r} belongs to entry {row.entry_id}, which does not exist."
        joined = MARK.outerjoin(ENTRY, ENTRY.c.asset_digest == MARK.c.asset_digest)
        for row in self._connection.execute(select(MARK).select_from(joined).where(ENTRY.c.seq.is_(None))):
            yield f"Watermark {row.mark_id} of {row.algorithm} leads to an asset that no entry released."

    def _database(self) -> Iterator[str]:
        for line in self._connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars():
            if line != "ok":
                yield f"The database file is damaged: {line}."

    def _grouped(self, table: Table, column: Any, of_entry: Any, first: int, end: int) -> dict[str, list[Row[Any]]]:
        """The rows beside one page of entries, by the column that leads to the entry."""
        joined = select(table).select_from(table.join(ENTRY, of_entry == column))
        found: dict[str, list[Row[Any]]] = {}
        for row in self._connection.execute(joined.where(ENTRY.c.seq >= first, ENTRY.c.seq < end)):
            found.setdefault(row._mapping[column], []).append(row)  # noqa: SLF001 - as above
        return found


def _opens(row: Row[Any], committed: object) -> bool:
    """Whether a stored value and salt open the commitment."""
    try:
        value = json.loads(row.value)
        return commitment(row.name, value, row.salt) == Digest(str(committed))
    except (ValueError, CanonicalError, RecursionError):
        return False
