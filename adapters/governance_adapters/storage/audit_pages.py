"""The entries of a ledger, one tile of 256 at a time, and what stands beside them. A part of the audit."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from governance.canonical import Digest, Json, commitment, commitment_to_bytes, parsed_canonical
from governance.checkpoint import LogKey
from governance.entries import Entry, EntryKind, parsed_leaves
from governance.erasure import WATERMARK
from governance.errors import CanonicalError, ProofError
from governance.merkle import HASH_BYTES, TILE_WIDTH, leaf_hash
from governance.records import asset_digest, asset_id, document_digests, field_commitments, intent_named, mark_named
from governance.shadow import SHADOW
from governance_adapters.storage.audit_erasures import ErasureAudit, kept_or_missing
from governance_adapters.storage.audit_holds import HoldAudit
from governance_adapters.storage.audit_modes import ModeAudit
from governance_adapters.storage.audit_tree import Doubt, SpanTree
from governance_adapters.storage.tables import DOCUMENT, ENTRY, MARK, PERSONAL_FIELD
from governance_adapters.storage.tree import read_tile

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
    .order_by(ENTRY.c.seq, PERSONAL_FIELD.c.name)
)
_MARKS = (
    select(MARK)
    .join_from(ENTRY, MARK, MARK.c.asset_digest == ENTRY.c.asset_digest)
    .where(_OF_PAGE)
    .order_by(ENTRY.c.seq, MARK.c.algorithm, MARK.c.key_id, MARK.c.mark_id)
)
_INTENTS = select(ENTRY.c.seq, ENTRY.c.id, ENTRY.c.kind, ENTRY.c.subject, ENTRY.c.leaf).where(
    ENTRY.c.id.in_(bindparam("ids", expanding=True))
)
_KEPT = select(DOCUMENT.c.digest).where(DOCUMENT.c.digest.in_(bindparam("digests", expanding=True)))

Indexing = Callable[[Sequence[tuple[int, Entry]]], None]
"""Takes entries, each with its index, into account for the index of searches."""


class PageAudit:
    """Checks spans of entries on one connection, in any order. `indexing` is given every entry that can be read."""

    def __init__(self, connection: Connection, key: LogKey | None, indexing: Indexing | None) -> None:
        self._connection = connection
        self._key = key
        self._indexing = indexing
        self._holds = HoldAudit(connection)
        self._erasures = ErasureAudit(connection)
        self._modes = ModeAudit(connection)
        self._documents: set[str] = set()
        """Documents of the page before that are there: most pages name the same ones."""

    def findings(self, tree: SpanTree, first: int, end: int) -> Iterator[str | Doubt]:
        """One finding per problem of the entries from `first`, where a tile begins, to `end`."""
        yield from tree.start()
        for start in range(first, end, TILE_WIDTH):
            yield from self._page(tree, start, min(start + TILE_WIDTH, end))

    def kept_longer(self) -> Sequence[str]:
        """Subjects that are due later than any of their entries says that was checked since this was asked last."""
        return self._erasures.kept_longer()

    def _page(self, tree: SpanTree, first: int, end: int) -> Iterator[str | Doubt]:
        """The entries of one tile, and what stands beside them."""
        rows: Sequence[Any] = self._connection.execute(_ENTRIES, {"first": first, "end": end}).all()
        hashes = [leaf_hash(row.leaf) for row in rows]
        tile = read_tile(self._connection, 0, first // TILE_WIDTH)
        nodes = hashes
        if len(rows) != end - first or b"".join(hashes) != tile:
            nodes = yield from self._differences(first, end, {row.seq: row for row in rows}, tile)
        yield from tree.push(nodes)
        entries = yield from self._entries(rows)
        if self._indexing is not None:
            places = {row.id: row.seq for row in rows}
            self._indexing([(places[entry.id], entry) for _, entry in entries if entry.id in places])
        yield from self._beside(first, end, rows, entries)

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

    def _beside(self, first: int, end: int, rows: Sequence[Any], entries: Sequence[tuple[str, Entry]]) -> Iterator[str]:
        fields = self._opened_fields(first, end)
        marks = self._marks_of(first, end)
        erased = self._erasures.of_page(first, end)
        for name, entry in entries:
            opened, commitments = fields.get(entry.id, {}), field_commitments(entry)
            gone = erased.get(entry.id, {})
            if opened != commitments or gone:
                yield from self._fields(name, opened, commitments, gone)
            if (released := asset_digest(entry)) is not None:
                yield from self._marks(name, entry, marks.get(released, ()), gone)
        yield from self._erasures.of_entries(entries, erased)
        if naming := [each for each in entries if "intent" in each[1].body]:
            yield from self._intents(naming, rows)
        if about_holds := [each for each in entries if not _OF_HOLDS.isdisjoint(each[1].body)]:
            yield from self._holds.of_entries(about_holds)
            yield from self._holds.of_reviews(about_holds)
        if of_modes := [each for each in entries if each[1].kind is EntryKind.MODE or SHADOW in each[1].body]:
            yield from self._modes.of_entries(of_modes, {row.id: row.seq for row in rows})
        yield from self._absent_documents(entries)

    def _absent_documents(self, entries: Sequence[tuple[str, Entry]]) -> Iterator[str]:
        named = {each: name for name, entry in entries for each in document_digests(entry)}
        if unknown := sorted(named.keys() - self._documents):
            there = set(self._connection.execute(_KEPT, {"digests": unknown}).scalars())
            for missing in unknown:
                if missing not in there:
                    yield f"{named[missing]}: document {missing} is missing."
            self._documents = there | (named.keys() & self._documents)

    def _intents(self, entries: Sequence[tuple[str, Entry]], rows: Sequence[Any]) -> Iterator[str]:
        """An intent that an entry names must stand before it, in the same generation, with that leaf."""
        named = {entry.id: pair for _, entry in entries if (pair := intent_named(entry)) is not None}
        found: dict[str, Any] = {row.id: row for row in rows}
        elsewhere = sorted(({intent_id for intent_id, _ in named.values()} | named.keys()) - found.keys())
        if elsewhere:
            found.update({row.id: row for row in self._connection.execute(_INTENTS, {"ids": elsewhere})})
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

    def _marks_of(self, first: int, end: int) -> dict[str, list[Row[Any]]]:
        """The rows of watermarks that lead to the assets of one page, by asset."""
        found: dict[str, list[Row[Any]]] = {}
        for row in self._connection.execute(_MARKS, {"first": first, "end": end}):
            found.setdefault(row.asset_digest, []).append(row)
        return found

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


def _before(first: Any, second: Any) -> bool:
    """Whether one entry stands before another in the log: an entry that waits for its index stands nowhere yet."""
    return first.seq is not None and second.seq is not None and first.seq < second.seq


def _commitment(field: str, value: bytes, salt: bytes, *, plain: bool) -> Digest | None:
    """What commitment a stored value and salt open; `plain` says that the value's bytes are known to be canonical."""
    try:
        return commitment_to_bytes(field, value, salt) if plain else commitment(field, json.loads(value), salt)
    except (ValueError, CanonicalError, RecursionError):
        return None
