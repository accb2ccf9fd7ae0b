"""The first ledger: entries, tiles, checkpoints, what stands beside them, claims and mark counters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _index() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _create_log()
    _create_side_tables()
    _create_claims()


def _create_log() -> None:
    op.create_table(
        "entry",
        sa.Column("seq", _index(), primary_key=True),
        sa.Column("id", sa.String(), nullable=False, unique=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("time", sa.String(), nullable=False),
        sa.Column("asset_digest", sa.String(), nullable=True),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
    )
    for column in ("kind", "subject", "asset_digest"):
        op.create_index(f"ix_entry_{column}", "entry", [column])
    op.create_table(
        "tile",
        sa.Column("level", sa.Integer(), primary_key=True),
        sa.Column("number", _index(), primary_key=True),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", _index(), primary_key=True),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
    )


def _create_side_tables() -> None:
    op.create_table(
        "personal_field",
        sa.Column("entry_id", sa.String(), sa.ForeignKey("entry.id"), primary_key=True),
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "document",
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "mark",
        sa.Column("algorithm", sa.String(), primary_key=True),
        sa.Column("key_id", sa.String(), primary_key=True),
        sa.Column("mark_id", _index(), primary_key=True),
        sa.Column("asset_id", sa.String(), nullable=False),
        sa.Column("asset_digest", sa.String(), nullable=False),
        sa.Column("pdq", sa.LargeBinary(), nullable=False),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("grid", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_mark_asset_digest", "mark", ["asset_digest"])


def _create_claims() -> None:
    op.create_table(
        "mark_counter",
        sa.Column("algorithm", sa.String(), primary_key=True),
        sa.Column("key_id", sa.String(), primary_key=True),
        sa.Column("unused", _index(), nullable=False),
    )
    op.create_table(
        "claim",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("facts", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("generation_id", sa.String(), nullable=False, unique=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
    )
    op.create_index("ix_claim_state", "claim", ["state"])
