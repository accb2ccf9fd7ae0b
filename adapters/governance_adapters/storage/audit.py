"""Recomputes the whole ledger from its leaves, one tile of 256 entries at a time, within one snapshot.

What it can show: that the stored entries are those that the log's key signed, whole and in order, and that everything
beside them that an entry commits to is unaltered. What it cannot: that the newest checkpoints were not cut off (only
receipts and checkpoints kept elsewhere show that), and what no entry commits to (claims, counters, usage, perceptual hashes).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, func, select

from governance.canonical import Digest, Json, commitment, commitment_to_bytes, digest, parsed_canonical
from governance.checkpoint import LogKey
from governance.entries import Entry, EntryKind, parsed_leaves
from governance.erasure import WATERMARK
from governance.errors import CanonicalError, ProofError
from governance.merkle import HASH_BYTES, TILE_WIDTH, leaf_hash
from governance.records import asset_digest, asset_id, document_digests, field_commitments, intent_named, mark_named
from governance_adapters.storage.audit_erasures import ErasureAudit, kept_or_missing
from governance_adapters.storage.audit_holds import HoldAudit
from governance_adapters.storage.audit_postings import PostingAudit
from governance_adapters.storage.audit_tree import TreeAudit
from governance_adapters.storage.tables import DOCUMENT, ENTRY, MARK, PERSONAL_FIELD

_PAGE = 64
_OF_HOLDS = frozenset({"hold", "review"})
"""Members of the bodies of entries about holds; see `governance.holds.hold_named`."""
_DERIVED = ("id", "kind", "subject", "time", "asset_digest")

# Built once: these run for each page.
_OF_PAGE = (ENTRY.c.seq >= bindparam("first")) & (ENTRY.c.seq < bindparam("end"))
_ENTRIES = (
    select(ENTRY.c.seq, *(ENTRY.c[name] for name in _DERIVED), ENTRY.c.leaf).where(_OF_PAGE).order_by(ENTRY.c.seq)
)
_FIELDS = (
    select(PERSONAL_FIELD.c.entry_id, PERSONAL_FIELD.c.name, PERSONAL_FIELD.c.salt, PERSONAL_FIELD.c.value)
    .join_from(ENTRY, PERSONAL_FIELD, PERSONAL_FIELD.c.entry_id == ENTRY.c.id)
    .where(_OF_PAGE)
)


class Audit:
    """One audit. `key` is the log's public key, from somewhere other than the database.

    With `index` the index of searches and the counts by day are worked out anew and compared too, which takes several times
    as long as everything that a proof rests on.
    """

    def __init__(
        self,
        connection: Connection,
        key: LogKey | None,
        damage: Callable[[Connection], Iterator[str]],
        *,
        index: bool = True,
    ) -> None:
        self._connection = connection
        self._key = key
        self._damage = damage
        self._tree = TreeAudit(connection, key)
        self._holds = HoldAudit(connection)
        self._erasures = ErasureAudit(connection)
        self._postings = PostingAudit(connection) if index else None

    def problems(self) -> Iterator[str]:
        """One line per problem; nothing when all holds."""
        if self._key is None:
            yield "The checkpoints' signatures were not checked: no log key was given."
        size = self._tree.newest_size()
        if size is None:
            yield "No newest checkpoint that verifies: nothing shows that the entries are complete."
            size = int(self._connection.execute(select(func.count(ENTRY.c.seq))).scalar_one())
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
        yield from self._erasures.rows()
        if self._postings is not None:
            yield from self._postings.problems()
        yield from self._database()

    def _page(self, first: int, end: int) -> Iterator[str]:
        """The entries of one tile, and what stands beside them."""
        rows: Sequence[Any] = self._connection.execute(_ENTRIES, {"first": first, "end": end}).all()
        hashes = [leaf_hash(row.leaf) for row in rows]
        tile = self._tree.tile(0, first // TILE_WIDTH)
        nodes = hashes
        if len(rows) != end - first or b"".join(hashes) != tile:
            nodes = yield from self._differences(first, end, {row.seq: row for row in rows}, tile)
        yield from self._tree.push(nodes)
        entries = yield from self._entries(rows)
        if self._postings is not None:
            places = {row.id: row.seq for row in rows}
            self._postings.of_entries([(places[entry.id], entry) for _, entry in entries if entry.id in places])
        yield from self._beside(first, end, entries)

    def _differences(
        self, first: int, end: int, rows: Mapping[int, Any], tile: bytes
    ) -> Generator[str, None, list[bytes]]:
        """Where the leaves are not what the tile says; returns the leaf hashes that the tree is checked with."""
        if len(tile) != (end - first) * HASH_BYTES:
            yield f"Tile 0/{first // TILE_WIDTH} holds {len(tile)} bytes instead of {(end - first) * HASH_BYTES}."
        nodes = []
        for index in range(first, end):
            committed = tile[(index - first) * HASH_BYTES :][:HASH_BYTES]
            row = rows.get(index)
            found = leaf_hash(row.leaf if row else b"")
            if row is None:
                yield f"Entry {index} is missing."
            elif found != committed:
                yield f"Entry {index} ({row.id}) was altered: its bytes are not those that the tree commits to."
            # The tree is checked as it was signed; an altered entry was named above.
            nodes.append(committed if len(committed) == HASH_BYTES else found)
        return nodes

    def _entries(self, rows: Sequence[Any]) -> Generator[str, None, list[tuple[str, Entry]]]:
        """Compare the columns of each row with its leaf; returns what to call each entry, and the entry."""
        entries = []
        for row, entry in zip(rows, parsed_leaves([row.leaf for row in rows]), strict=True):
            seq, entry_id, kind, subject, time, asset, _ = row
            name = f"Entry {seq} ({entry_id})"
            if isinstance(entry, ProofError):
                yield f"{name} is not an entry: {entry}"
                continue
            entries.append((name, entry))
            derived = (entry.id, entry.kind.value, entry.subject, entry.time, asset_digest(entry))
            found = (entry_id, kind, subject, time, asset)
            if found != derived:
                for column, value, expected in zip(_DERIVED, found, derived, strict=True):
                    if value != expected:
                        yield f"{name}: the column {column} says {value!r}, the entry {expected!r}."
        return entries

    def _beside(self, first: int, end: int, entries: Sequence[tuple[str, Entry]]) -> Iterator[str]:
        fields = self._opened_fields(first, end)
        marks = self._grouped(MARK, MARK.c.asset_digest, ENTRY.c.asset_digest, first, end)
        named = {each: name for name, entry in entries for each in document_digests(entry)}
        erased = self._erasures.of_page(first, end)
        for name, entry in entries:
            opened, commitments = fields.get(entry.id, {}), field_commitments(entry)
            gone = erased.get(entry.id, {})
            if opened != commitments or gone:
                yield from self._fields(name, opened, commitments, gone)
            if (released := asset_digest(entry)) is not None:
                yield from self._marks(name, entry, marks.get(released, ()), gone)
        yield from self._erasures.of_entries(entries, erased)
        yield from self._intents([each for each in entries if "intent" in each[1].body])
        about_holds = [each for each in entries if not _OF_HOLDS.isdisjoint(each[1].body)]
        yield from self._holds.of_entries(about_holds)
        yield from self._holds.of_reviews(about_holds)
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
            elif leaf_hash(intent.leaf).hex() != leaf or own is None or not _before(intent, own):
                yield f"{name}: the intent {intent_id} is not the entry before it that it names."

    def _opened_fields(self, first: int, end: int) -> dict[str, dict[str, Digest | None]]:
        """Of the personal fields of a page, by entry and name: what commitment each opens; None where its value is none."""
        rows = self._connection.execute(_FIELDS, {"first": first, "end": end}).all()
        values = [row.value for row in rows]
        plain = all(type(value) is bytes for value in values) and parsed_canonical(values) is not None
        opened: dict[str, dict[str, Digest | None]] = {}
        for entry_id, field, salt, value in rows:
            opened.setdefault(entry_id, {})[field] = _commitment(field, value, salt, plain=plain)
        return opened

    def _fields(
        self, name: str, opened: Mapping[str, Digest | None], commitments: Mapping[str, Json], gone: Mapping[str, str]
    ) -> Iterator[str]:
        for field, found in opened.items():
            if field not in commitments:
                yield f"{name}: personal field {field!r} is kept, but the entry does not commit to it."
            elif found != commitments[field]:
                yield f"{name}: personal field {field!r} was altered."
        for field in sorted(commitments):
            what = f"personal field {field!r}"
            yield from kept_or_missing(name, field, there=field in opened, gone=gone, what=what)

    def _marks(self, name: str, entry: Entry, rows: Sequence[Row[Any]], gone: Mapping[str, str]) -> Iterator[str]:
        """The watermark that a `released` entry names, and no other, must lead to its asset."""
        named, found = mark_named(entry), False
        for row in rows:
            if (row.algorithm, row.key_id, str(row.mark_id)) != named:
                yield f"{name}: watermark {row.mark_id} leads here, but the entry does not name it."
            elif row.asset_id != asset_id(entry):
                yield f"{name}: watermark {row.mark_id} leads to another asset, {row.asset_id}."
            found = True
        if named is not None:
            what = f"watermark {named[2]}"
            yield from kept_or_missing(name, WATERMARK, there=found, gone=gone, what=what, where=" from the index")

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
        for row in self._connection.execute(select(PERSONAL_FIELD).select_from(joined).where(ENTRY.c.id.is_(None))):
            yield f"Personal field {row.name!r} belongs to entry {row.entry_id}, which does not exist."
        joined = MARK.outerjoin(ENTRY, ENTRY.c.asset_digest == MARK.c.asset_digest)
        for row in self._connection.execute(select(MARK).select_from(joined).where(ENTRY.c.id.is_(None))):
            yield f"Watermark {row.mark_id} of {row.algorithm} leads to an asset that no entry released."

    def _database(self) -> Iterator[str]:
        for line in self._damage(self._connection):
            yield f"The database file is damaged: {line}."

    def _grouped(self, table: Table, column: Any, of_entry: Any, first: int, end: int) -> dict[str, list[Row[Any]]]:
        """The rows beside one page of entries, by the column that leads to the entry."""
        joined = select(table).select_from(table.join(ENTRY, of_entry == column))
        found: dict[str, list[Row[Any]]] = {}
        for row in self._connection.execute(joined.where(ENTRY.c.seq >= first, ENTRY.c.seq < end)):
            found.setdefault(row._mapping[column], []).append(row)  # noqa: SLF001 - as above
        return found


def _before(first: Any, second: Any) -> bool:
    """Whether one entry stands before another in the log: an entry that waits for its index stands nowhere yet."""
    return first.seq is not None and second.seq is not None and first.seq < second.seq


def _commitment(field: str, value: bytes, salt: bytes, *, plain: bool) -> Digest | None:
    """What commitment a stored value and salt open; `plain` says that the value's bytes are known to be canonical."""
    try:
        return commitment_to_bytes(field, value, salt) if plain else commitment(field, json.loads(value), salt)
    except (ValueError, CanonicalError, RecursionError):
        return None
