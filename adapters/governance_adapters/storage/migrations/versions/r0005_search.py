"""What the ledger is searched by, and counts by day. Filled from the entries once the tables are there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "posting",
        sa.Column("term", sa.LargeBinary(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup",
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("day", "name", "value")),
        sa.Column("entries", sa.BigInteger(), nullable=False),
    )
