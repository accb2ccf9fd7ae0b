"""Every kind of single alteration of a ledger's tables, and what a verification must say of it.

An alteration picks a row at random, changes it as anybody could who has the database, and names what a line about it must
mention. Those in `UNCOVERED` change what no entry commits to, by design; they are counted apart.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, insert, update

from governance.canonical import digest
from governance.entries import Entry, EntryKind
from governance.merkle import HASH_BYTES, TILE_WIDTH
from governance_adapters.storage.tables import (
    CHECKPOINT,
    CLAIM,
    DOCUMENT,
    ENTRY,
    ERASURE,
    HOLD,
    LEGAL_HOLD,
    MARK,
    MARK_COUNTER,
    PERSONAL_FIELD,
    POSTING,
    RETENTION,
    ROLLUP,
    TILE,
    USAGE,
)

Values = Mapping[str, Any]
Act = Callable[["Altering"], str | tuple[str, ...]]
"""Does it; returns what must be mentioned: one of these, in one line."""


@dataclass
class Altering:
    """One alteration under way: the connection inside whose transaction it is, the rows as they were, and chance."""

    connection: Connection
    rows: Mapping[str, Sequence[Values]]
    chance: random.Random

    def pick(self, table: Table, suits: Callable[[Values], bool] = lambda _: True) -> Values:
        """A row at random."""
        return self.chance.choice([row for row in self.rows[table.name] if suits(row)])

    def change(self, table: Table, row: Values, **values: Any) -> None:
        """Give a row other values."""
        assert any(row[name] != value for name, value in values.items()), "nothing would change"
        assert self.connection.execute(update(table).where(_key(table, row)).values(**values)).rowcount == 1

    def remove(self, table: Table, row: Values) -> None:
        """Delete a row."""
        assert self.connection.execute(delete(table).where(_key(table, row))).rowcount == 1

    def add(self, table: Table, **values: Any) -> None:
        """Insert a row."""
        self.connection.execute(insert(table).values(**values))

    def flipped(self, content: bytes) -> bytes:
        """With one bit another."""
        at = self.chance.randrange(len(content))
        return content[:at] + bytes([content[at] ^ (1 << self.chance.randrange(8))]) + content[at + 1 :]

    def other_text(self, text: str) -> str:
        """With one character another."""
        at = self.chance.randrange(len(text))
        other = self.chance.choice([each for each in "0123456789abcdefxyz" if each != text[at]])
        return text[:at] + other + text[at + 1 :]

    def entry(self, entry_id: str) -> Values:
        """The row of an entry."""
        return next(row for row in self.rows[ENTRY.name] if row["id"] == entry_id)

    def named(self, entry_id: str) -> str:
        """What a verification calls an entry."""
        return f"Entry {self.entry(entry_id)['seq']} ({entry_id})"


def _key(table: Table, row: Values) -> Any:
    return and_(*(column == row[column.name] for column in table.primary_key))


# Entries.


def leaf_byte(altering: Altering) -> str:
    row = altering.pick(ENTRY)
    altering.change(ENTRY, row, leaf=altering.flipped(row["leaf"]))
    return f"Entry {row['seq']} ({row['id']}) was altered"


def leaf_replaced(altering: Altering) -> str:
    row = altering.pick(ENTRY)
    forged = Entry(EntryKind.DENIED, row["subject"], {"version": 1, "item": None}, id=row["id"], time=row["time"])
    altering.change(ENTRY, row, leaf=forged.leaf())
    return f"Entry {row['seq']} ({row['id']}) was altered"


def entry_column(altering: Altering, column: str) -> str:
    row = altering.pick(ENTRY, lambda row: row[column] is not None)
    value = altering.other_text(row[column])
    altering.change(ENTRY, row, **{column: value})
    return f"the column {column} says {value!r}"


def asset_digest_given(altering: Altering) -> str:
    row = altering.pick(ENTRY, lambda row: row["asset_digest"] is None)
    altering.change(ENTRY, row, asset_digest="00" * 32)
    return f"Entry {row['seq']} ({row['id']}): the column asset_digest"


def entry_removed(altering: Altering) -> str:
    row = altering.pick(ENTRY)
    altering.remove(ENTRY, row)
    return f"Entry {row['seq']} is missing"


def entries_swapped(altering: Altering) -> str:
    first, second = altering.chance.sample(list(altering.rows[ENTRY.name]), 2)
    for seq, row in ((-1, first), (first["seq"], second), (second["seq"], first)):
        altering.connection.execute(update(ENTRY).where(ENTRY.c.id == row["id"]).values(seq=seq))
    return f"Entry {first['seq']} ({second['id']}) was altered"


def entry_inserted(altering: Altering) -> str:
    seq = altering.chance.choice([-1, len(altering.rows[ENTRY.name]) + altering.chance.randrange(1000)])
    forged = Entry(EntryKind.DENIED, "forged", {"version": 1, "item": None})
    altering.add(
        ENTRY, seq=seq, id=forged.id, kind="denied", subject="forged", time=forged.time, asset_digest=None, leaf=forged.leaf()
    )  # fmt: skip
    return f"Entry {seq} ({forged.id}) is not covered"


# The tree.


def tile_byte(altering: Altering) -> str:
    row = altering.pick(TILE)
    changed = altering.flipped(row["hashes"])
    altering.change(TILE, row, hashes=changed)
    if row["level"]:
        return f"Tile {row['level']}/{row['number']} was altered"
    at = next(at for at in range(len(changed)) if changed[at] != row["hashes"][at])
    return f"Entry {row['number'] * TILE_WIDTH + at // HASH_BYTES} ("


def tile_cut(altering: Altering) -> str:
    row = altering.pick(TILE)
    altering.change(
        TILE, row, hashes=row["hashes"][: -HASH_BYTES * altering.chance.randint(1, len(row["hashes"]) // HASH_BYTES)]
    )
    return f"Tile {row['level']}/{row['number']} "


def tile_longer(altering: Altering) -> str:
    row = altering.pick(TILE)
    altering.change(TILE, row, hashes=row["hashes"] + altering.chance.randbytes(HASH_BYTES))
    return f"Tile {row['level']}/{row['number']} "


def tile_removed(altering: Altering) -> str:
    row = altering.pick(TILE)
    altering.remove(TILE, row)
    return f"Tile {row['level']}/{row['number']} "


def tile_inserted(altering: Altering) -> str:
    level, number = altering.chance.randint(0, 3), altering.chance.randint(10, 1000)
    altering.add(TILE, level=level, number=number, hashes=altering.chance.randbytes(HASH_BYTES))
    return f"Tile {level}/{number} lies beyond the tree"


def checkpoint_note(altering: Altering) -> tuple[str, ...]:
    row = altering.pick(CHECKPOINT)
    altering.change(CHECKPOINT, row, note=altering.other_text(row["note"]))
    return f"The checkpoint of size {row['size']} does not verify", f"The checkpoint of size {row['size']} says"


def checkpoint_root(altering: Altering) -> str:
    row = altering.pick(CHECKPOINT)
    altering.change(CHECKPOINT, row, root=altering.flipped(row["root"]))
    return f"The checkpoint of size {row['size']} says something else"


def checkpoint_size(altering: Altering) -> str:
    row = altering.pick(CHECKPOINT)
    size = len(altering.rows[ENTRY.name]) + altering.chance.randint(1, 1000)
    altering.change(CHECKPOINT, row, size=size)
    return f"The checkpoint of size {size} "


def newest_checkpoint_removed(altering: Altering) -> str:
    row = max(altering.rows[CHECKPOINT.name], key=lambda row: row["size"])
    altering.remove(CHECKPOINT, row)
    return f"Entry {row['size'] - 1} ("


def checkpoint_inserted(altering: Altering) -> str:
    row = altering.pick(CHECKPOINT)
    size = len(altering.rows[ENTRY.name]) + altering.chance.randint(1, 1000)
    altering.add(CHECKPOINT, size=size, root=altering.chance.randbytes(HASH_BYTES), note=row["note"])
    return f"The checkpoint of size {size} "


# Beside the entries.


def field_value(altering: Altering) -> str:
    row = altering.pick(PERSONAL_FIELD)
    altering.change(PERSONAL_FIELD, row, value=altering.flipped(row["value"]))
    return f"{altering.named(row['entry_id'])}: personal field {row['name']!r} was altered"


def field_salt(altering: Altering) -> str:
    row = altering.pick(PERSONAL_FIELD)
    altering.change(PERSONAL_FIELD, row, salt=altering.flipped(row["salt"]))
    return f"{altering.named(row['entry_id'])}: personal field {row['name']!r} was altered"


def field_name(altering: Altering) -> str:
    row = altering.pick(PERSONAL_FIELD)
    name = f"{row['name']}-x"
    altering.change(PERSONAL_FIELD, row, name=name)
    return f"{altering.named(row['entry_id'])}: personal field {name!r} is kept"


def field_moved(altering: Altering) -> tuple[str, ...]:
    row = altering.pick(PERSONAL_FIELD)
    taken = {each["entry_id"] for each in altering.rows[PERSONAL_FIELD.name] if each["name"] == row["name"]}
    other = altering.pick(ENTRY, lambda each: each["id"] not in taken)
    altering.change(PERSONAL_FIELD, row, entry_id=other["id"])
    return (f"{altering.named(row['entry_id'])}: personal field {row['name']!r} is missing",)


def field_removed(altering: Altering) -> str:
    row = altering.pick(PERSONAL_FIELD)
    altering.remove(PERSONAL_FIELD, row)
    return f"{altering.named(row['entry_id'])}: personal field {row['name']!r} is missing, and no entry records its erasure"


def field_inserted(altering: Altering) -> str:
    row = altering.pick(ENTRY)
    altering.add(PERSONAL_FIELD, entry_id=row["id"], name="/forged", salt=bytes(32), value=b'"x"')
    return f"{altering.named(row['id'])}: personal field '/forged' is kept"


def field_restored(altering: Altering) -> str:
    row = altering.pick(ERASURE, lambda row: row["name"].startswith("/"))
    altering.add(PERSONAL_FIELD, entry_id=row["entry_id"], name=row["name"], salt=bytes(32), value=b'"x"')
    return f"{altering.named(row['entry_id'])}: personal field {row['name']!r}"


def document_content(altering: Altering) -> str:
    row = altering.pick(DOCUMENT)
    altering.change(DOCUMENT, row, content=altering.flipped(row["content"]))
    return f"Document {row['digest']} was altered"


def document_removed(altering: Altering) -> str:
    row = altering.pick(DOCUMENT)
    altering.remove(DOCUMENT, row)
    return f"document {row['digest']} is missing"


def document_digest(altering: Altering) -> str:
    row = altering.pick(DOCUMENT)
    altering.change(DOCUMENT, row, digest=altering.other_text(row["digest"]))
    return f"document {row['digest']} is missing"


def mark_column(altering: Altering, column: str) -> tuple[str, ...]:
    row = altering.pick(MARK)
    value = row[column] + 1 if column == "mark_id" else altering.other_text(row[column])
    altering.change(MARK, row, **{column: value})
    entry = next(each for each in altering.rows[ENTRY.name] if each["asset_digest"] == row["asset_digest"])
    return (f"Entry {entry['seq']} ({entry['id']}): watermark {value if column == 'mark_id' else row['mark_id']} ",
            f"Watermark {row['mark_id']} of")  # fmt: skip


def mark_removed(altering: Altering) -> str:
    row = altering.pick(MARK)
    altering.remove(MARK, row)
    entry = next(each for each in altering.rows[ENTRY.name] if each["asset_digest"] == row["asset_digest"])
    return f"Entry {entry['seq']} ({entry['id']}): watermark {row['mark_id']} "


def mark_inserted(altering: Altering) -> str:
    row = altering.pick(MARK)
    altering.add(MARK, **{**row, "mark_id": row["mark_id"] + 10_000})
    return f"watermark {row['mark_id'] + 10_000} leads here"


def hold_column(altering: Altering, column: str) -> str:
    row = altering.pick(HOLD, lambda row: bool(row[column]) or column == "item")
    if column == "item":
        value: Any = (row["item"] or 0) + 1
    elif column == "state":
        value = "done" if row["state"] != "done" else "open"
    elif column == "stage":
        value = "admission" if row["stage"] == "release" else "release"
    else:
        value = altering.other_text(row[column])
    altering.change(HOLD, row, **{column: value})
    return f"Hold {row['id']}"


def hold_removed(altering: Altering) -> str:
    row = altering.pick(HOLD)
    altering.remove(HOLD, row)
    return f"hold {row['id']}, which it changes, is missing"


def hold_inserted(altering: Altering) -> str:
    row = altering.pick(HOLD)
    altering.add(HOLD, **{**row, "id": "forged"})
    return "Hold forged: no entry holds"


# What is derived from entries, and what is gone.


def posting_removed(altering: Altering) -> str:
    row = altering.pick(POSTING)
    altering.remove(POSTING, row)
    return f"Entry {row['seq']} ("


def posting_term(altering: Altering) -> str:
    row = altering.pick(POSTING)
    altering.change(POSTING, row, term=altering.flipped(row["term"]))
    return f"Entry {row['seq']} ("


def posting_seq(altering: Altering) -> tuple[str, ...]:
    having = Counter(each["term"] for each in altering.rows[POSTING.name])
    row = altering.pick(POSTING, lambda row: having[row["term"]] < len(altering.rows[ENTRY.name]))
    taken = {each["seq"] for each in altering.rows[POSTING.name] if each["term"] == row["term"]}
    altering.change(POSTING, row, seq=altering.pick(ENTRY, lambda each: each["seq"] not in taken)["seq"])
    return (f"Entry {row['seq']} (",)


def posting_inserted(altering: Altering) -> tuple[str, ...]:
    seq = altering.chance.randrange(2 * len(altering.rows[ENTRY.name]))
    altering.add(POSTING, term=altering.chance.randbytes(16), seq=seq)
    return f"Entry {seq}", "The index: 1 postings lead to no entry"


def rollup_count(altering: Altering) -> str:
    row = altering.pick(ROLLUP)
    altering.change(ROLLUP, row, entries=row["entries"] + altering.chance.choice([-1, 1]))
    return f"The count of {row['name']} {row['value']!r} on {row['day']}"


def rollup_value(altering: Altering) -> str:
    row = altering.pick(ROLLUP)
    altering.change(ROLLUP, row, value=row["value"] + "x")
    return f"The count of {row['name']} {row['value'] + 'x'!r} on {row['day']}"


def rollup_removed(altering: Altering) -> str:
    row = altering.pick(ROLLUP)
    altering.remove(ROLLUP, row)
    return f"The count of {row['name']} {row['value']!r} on {row['day']}"


def rollup_inserted(altering: Altering) -> str:
    altering.add(ROLLUP, day="2020-01-01", name="kind", value="forged", entries=altering.chance.randint(1, 9))
    return "The count of kind 'forged' on 2020-01-01"


def erasure_removed(altering: Altering) -> str:
    row = altering.pick(ERASURE)
    altering.remove(ERASURE, row)
    return f"{altering.named(row['erased_by'])}: it erased {row['name']!r}"


def erasure_by(altering: Altering) -> str:
    row = altering.pick(ERASURE)
    altering.change(ERASURE, row, erased_by=altering.pick(ENTRY, lambda each: each["id"] != row["erased_by"])["id"])
    return f"{altering.named(row['entry_id'])}: {row['name']!r} counts as erased"


def erasure_inserted(altering: Altering) -> str:
    """Somebody deletes a person's words, and wants it to look like an erasure."""
    row = altering.pick(PERSONAL_FIELD)
    by = altering.pick(ERASURE)["erased_by"]
    altering.remove(PERSONAL_FIELD, row)
    altering.add(ERASURE, entry_id=row["entry_id"], name=row["name"], erased_by=by)
    return f"{altering.named(row['entry_id'])}: {row['name']!r} counts as erased by entry {by}, which does not say so"


def legal_hold_column(altering: Altering, column: str) -> str:
    row = altering.pick(LEGAL_HOLD, lambda row: bool(row[column]) and (column != "scope" or not row["lifted_by"]))
    if column == "scope_kind":
        row = altering.pick(LEGAL_HOLD, lambda row: not row["lifted_by"])
    altering.change(LEGAL_HOLD, row, **{column: altering.other_text(row[column])})
    return f"egal hold {row['id']}"


def legal_hold_removed(altering: Altering) -> str:
    row = altering.pick(LEGAL_HOLD)
    altering.remove(LEGAL_HOLD, row)
    return f"{altering.named(row['placed_by'])}: legal hold {row['id']}, which it changes"


def legal_hold_lifted(altering: Altering) -> str:
    row = altering.pick(LEGAL_HOLD, lambda row: not row["lifted_by"])
    altering.change(LEGAL_HOLD, row, lifted_by=altering.pick(ENTRY)["id"], scope="")
    return f"Legal hold {row['id']}"


def retention_day(altering: Altering) -> str:
    row = altering.pick(RETENTION)
    altering.change(RETENTION, row, day=altering.chance.choice(["2020-01-01", "2099-01-01"]))
    return row["subject"]


def retention_removed(altering: Altering) -> str:
    row = altering.pick(RETENTION)
    altering.remove(RETENTION, row)
    return row["subject"]


# What no entry commits to.


def any_column(altering: Altering, table: Table, column: str) -> str:
    row = altering.pick(table)
    value = row[column]
    other = (
        altering.flipped(value) if isinstance(value, bytes) else value + 1 if isinstance(value, int) else f"{value}x"
    )
    altering.change(table, row, **{column: other})
    return table.name


def earlier_checkpoint_removed(altering: Altering) -> str:
    newest = max(row["size"] for row in altering.rows[CHECKPOINT.name])
    altering.remove(CHECKPOINT, altering.pick(CHECKPOINT, lambda row: row["size"] != newest))
    return "checkpoint"


def document_inserted(altering: Altering) -> str:
    content = altering.chance.randbytes(20)
    altering.add(DOCUMENT, digest=digest(content), content=content)
    return "Document"


ALTERATIONS: Mapping[str, Act] = {
    "entry: a bit of the leaf": leaf_byte,
    "entry: another leaf": leaf_replaced,
    **{
        f"entry: column {name}": partial(entry_column, column=name)
        for name in ("id", "kind", "subject", "time", "asset_digest")
    },
    "entry: asset_digest given": asset_digest_given,
    "entry: deleted": entry_removed,
    "entry: two swapped": entries_swapped,
    "entry: inserted": entry_inserted,
    "tile: a bit": tile_byte,
    "tile: shortened": tile_cut,
    "tile: lengthened": tile_longer,
    "tile: deleted": tile_removed,
    "tile: inserted": tile_inserted,
    "checkpoint: a character of the note": checkpoint_note,
    "checkpoint: a bit of the root": checkpoint_root,
    "checkpoint: size": checkpoint_size,
    "checkpoint: the newest deleted": newest_checkpoint_removed,
    "checkpoint: inserted": checkpoint_inserted,
    "personal field: a bit of the value": field_value,
    "personal field: a bit of the salt": field_salt,
    "personal field: name": field_name,
    "personal field: moved to another entry": field_moved,
    "personal field: deleted": field_removed,
    "personal field: inserted": field_inserted,
    "personal field: back after its erasure": field_restored,
    "document: a bit": document_content,
    "document: digest": document_digest,
    "document: deleted": document_removed,
    **{
        f"watermark: column {name}": partial(mark_column, column=name)
        for name in ("algorithm", "key_id", "mark_id", "asset_id", "asset_digest")
    },
    "watermark: deleted": mark_removed,
    "watermark: inserted": mark_inserted,
    **{
        f"hold: column {name}": partial(hold_column, column=name)
        for name in ("entry_id", "subject", "stage", "item", "queue", "opened", "state", "due", "expires", "changed_by")
    },
    "hold: deleted": hold_removed,
    "hold: inserted": hold_inserted,
    "index: deleted": posting_removed,
    "index: a bit of the term": posting_term,
    "index: leads to another entry": posting_seq,
    "index: inserted": posting_inserted,
    "count: changed": rollup_count,
    "count: of another value": rollup_value,
    "count: deleted": rollup_removed,
    "count: inserted": rollup_inserted,
    "erasure: deleted": erasure_removed,
    "erasure: by another entry": erasure_by,
    "erasure: pretended": erasure_inserted,
    **{
        f"legal hold: column {name}": partial(legal_hold_column, column=name)
        for name in ("id", "scope_kind", "scope", "placed_by", "lifted_by")
    },
    "legal hold: deleted": legal_hold_removed,
    "legal hold: lifted by no entry": legal_hold_lifted,
    "retention: day": retention_day,
    "retention: deleted": retention_removed,
}

UNCOVERED: Mapping[str, Act] = {
    "claim: facts": partial(any_column, table=CLAIM, column="facts"),
    "claim: state": partial(any_column, table=CLAIM, column="state"),
    "usage: images": partial(any_column, table=USAGE, column="images"),
    "watermark counter": partial(any_column, table=MARK_COUNTER, column="unused"),
    "watermark: quality of the fingerprint": partial(any_column, table=MARK, column="quality"),
    "watermark: colours of the fingerprint": partial(any_column, table=MARK, column="grid"),
    "hold: lease": partial(any_column, table=HOLD, column="holder"),
    "hold: version": partial(any_column, table=HOLD, column="version"),
    "hold: the request it is of": partial(any_column, table=HOLD, column="request"),
    "checkpoint: an earlier one deleted": earlier_checkpoint_removed,
    "document: one that no entry names": document_inserted,
}
