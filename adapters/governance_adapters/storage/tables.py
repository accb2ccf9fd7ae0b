"""The tables of the ledger. Entries, tiles and checkpoints only ever grow; the other tables are erasable.

Columns of `entry` other than `seq` and `leaf` are derived from the leaf, for look-ups only: `audit` compares them.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, Table
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

SCHEMA_REVISION = "0006"
"""The newest alembic revision in `migrations/versions`."""

READABLE_REVISIONS = frozenset({"0001", "0002", "0003", "0004", "0005", SCHEMA_REVISION})
"""Schemas that can be read without being brought up to date: later ones only added tables."""

_INDEX = BigInteger().with_variant(Integer, "sqlite")
"""64 bits everywhere; only a column spelt INTEGER is SQLite's own row id."""


class LedgerTable(SQLModel, registry=registry()):
    """Base of the ledger's tables: metadata of its own, so that a host's tables are never migrated with ours."""


class EntryRow(LedgerTable, table=True):
    """One entry: its index in the tree, its canonical bytes, and what is looked up."""

    __tablename__ = "entry"

    seq: int = Field(primary_key=True, sa_type=_INDEX)
    id: str = Field(unique=True)
    kind: str = Field(index=True)
    subject: str = Field(index=True)
    time: str
    asset_digest: str | None = Field(default=None, index=True)
    leaf: bytes


class TileRow(LedgerTable, table=True):
    """One tile of the tree (C2SP tlog-tiles), full or growing: 1..256 hashes of 32 bytes."""

    __tablename__ = "tile"

    level: int = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_type=_INDEX)
    hashes: bytes


class CheckpointRow(LedgerTable, table=True):
    """One signed checkpoint for each transaction that appended."""

    __tablename__ = "checkpoint"

    size: int = Field(primary_key=True, sa_type=_INDEX)
    root: bytes
    note: str


class PersonalFieldRow(LedgerTable, table=True):
    """One personal value with the salt of its commitment; the value as RFC 8785 bytes."""

    __tablename__ = "personal_field"

    entry_id: str = Field(primary_key=True, foreign_key="entry.id")
    name: str = Field(primary_key=True)
    salt: bytes
    value: bytes


class DocumentRow(LedgerTable, table=True):
    """One document, by the SHA-256 of its bytes."""

    __tablename__ = "document"

    digest: str = Field(primary_key=True)
    content: bytes


class MarkRow(LedgerTable, table=True):
    """Where a watermark id leads, and what the picture looks like."""

    __tablename__ = "mark"

    algorithm: str = Field(primary_key=True)
    key_id: str = Field(primary_key=True)
    mark_id: int = Field(primary_key=True, sa_type=_INDEX)
    asset_id: str
    asset_digest: str = Field(index=True)
    pdq: bytes
    quality: int
    grid: bytes


class MarkCounterRow(LedgerTable, table=True):
    """The first counter of an algorithm and key that no process has reserved."""

    __tablename__ = "mark_counter"

    algorithm: str = Field(primary_key=True)
    key_id: str = Field(primary_key=True)
    unused: int = Field(sa_type=_INDEX)


class ClaimRow(LedgerTable, table=True):
    """Who may run a request: `key` is a digest of principal and request id, `owner` the claiming ledger instance."""

    __tablename__ = "claim"

    key: str = Field(primary_key=True)
    facts: str
    attempt: int
    generation_id: str = Field(unique=True)
    state: str = Field(index=True)
    owner: str


class UsageRow(LedgerTable, table=True):
    """What the intents of a principal (a digest of its id) have spent on a day (UTC); sums stop at 2^53-1."""

    __tablename__ = "usage"

    principal: str = Field(primary_key=True)
    day: str = Field(primary_key=True)
    images: int = Field(sa_type=BigInteger)
    steps: int = Field(sa_type=BigInteger)
    pixels: int = Field(sa_type=BigInteger)
    step_pixels: int = Field(sa_type=BigInteger)


class HoldRow(LedgerTable, table=True):
    """Where a hold stands (`governance.entries.HoldRecord`); `changed_by` is the entry that left it so."""

    __tablename__ = "hold"
    __table_args__ = (Index("ix_hold_state", "state", "id"), Index("ix_hold_queue", "queue", "state", "id"))

    id: str = Field(primary_key=True)
    entry_id: str
    subject: str
    stage: str
    item: int | None = Field(default=None)
    queue: str
    opened: str
    state: str
    due: str
    expires: str
    request: str = Field(index=True)
    version: int
    holder: str
    leased_until: str
    changed_by: str


class PostingRow(LedgerTable, table=True):
    """Entry `seq` has a term (`governance.search`): 16 bytes of a hash, so that the index holds no words."""

    __tablename__ = "posting"
    __table_args__ = ({"sqlite_with_rowid": False},)

    term: bytes = Field(primary_key=True, sa_type=LargeBinary)
    seq: int = Field(primary_key=True, sa_type=BigInteger)


class RollupRow(LedgerTable, table=True):
    """How many entries of a day (UTC) have a value: what dashboards draw. No value is personal."""

    __tablename__ = "rollup"

    day: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    entries: int = Field(sa_type=BigInteger)


class ErasureRow(LedgerTable, table=True):
    """What is gone beside an entry, and the `erased` entry that says so: a field by its name, `watermark` or `asset`."""

    __tablename__ = "erasure"

    entry_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    erased_by: str = Field(index=True)


class LegalHoldRow(LedgerTable, table=True):
    """What may not be erased. `placed_by` and `lifted_by` are entries; one that was lifted keeps no scope."""

    __tablename__ = "legal_hold"
    __table_args__ = (Index("ix_legal_hold_scope", "scope_kind", "scope"),)

    id: str = Field(primary_key=True)
    scope_kind: str
    scope: str
    placed_by: str
    lifted_by: str | None = Field(default=None)


class RetentionRow(LedgerTable, table=True):
    """The day (UTC) on which the last time is over that an entry of this subject says, while something is left to erase."""

    __tablename__ = "retention"
    __table_args__ = (Index("ix_retention_day", "day", "subject"),)

    subject: str = Field(primary_key=True)
    day: str


METADATA = LedgerTable.metadata


def _table(name: str) -> Table:
    return METADATA.tables[name]


ENTRY = _table("entry")
TILE = _table("tile")
CHECKPOINT = _table("checkpoint")
PERSONAL_FIELD = _table("personal_field")
DOCUMENT = _table("document")
MARK = _table("mark")
MARK_COUNTER = _table("mark_counter")
CLAIM = _table("claim")
USAGE = _table("usage")
HOLD = _table("hold")
POSTING = _table("posting")
ROLLUP = _table("rollup")
ERASURE = _table("erasure")
LEGAL_HOLD = _table("legal_hold")
RETENTION = _table("retention")
