"""What each principal has spent on each day, for budgets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "usage",
        sa.Column("principal", sa.String(), primary_key=True),
        sa.Column("day", sa.String(), primary_key=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("images", "steps", "pixels", "step_pixels")),
    )
