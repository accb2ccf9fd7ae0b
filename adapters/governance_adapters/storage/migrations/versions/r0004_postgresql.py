"""PostgreSQL: an entry waits without an index until the sequencer numbers it. SQLite numbers at once: nothing changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    # What was the key of a table of whole entries is empty while an entry waits: the id, unique already, takes its place.
    op.drop_constraint("entry_pkey", "entry", type_="primary")
    op.execute("ALTER SEQUENCE IF EXISTS entry_seq_seq OWNED BY NONE")
    op.alter_column("entry", "seq", existing_type=sa.BigInteger(), nullable=True, server_default=None)
    op.execute("DROP SEQUENCE IF EXISTS entry_seq_seq")
    op.create_index("ix_entry_seq", "entry", ["seq"], unique=True)
    op.add_column("entry", sa.Column("arrival", sa.BigInteger(), sa.Identity(always=True), nullable=False))
    op.add_column("entry", sa.Column("voucher", sa.LargeBinary(), nullable=True))
    # Pages are in the order of the log. SQLite's indexes end with the row id, which is `seq`; here it must be named.
    for column in ("kind", "subject", "asset_digest"):
        op.drop_index(f"ix_entry_{column}", "entry")
        op.create_index(f"ix_entry_{column}", "entry", [column, "seq"])
    op.create_index("ix_entry_waiting", "entry", ["arrival"], postgresql_where=sa.text("seq IS NULL"))
