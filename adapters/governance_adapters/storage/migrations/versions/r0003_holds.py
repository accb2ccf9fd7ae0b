"""Where holds stand. A draft that an earlier program held is open, in nobody's queue in particular, for ever."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TEXTS = ("entry_id", "subject", "stage", "queue", "opened", "state", "due", "expires", "request")


def upgrade() -> None:
    hold = op.create_table(
        "hold",
        sa.Column("id", sa.String(), primary_key=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in _TEXTS[:3]),
        sa.Column("item", sa.Integer(), nullable=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in _TEXTS[3:]),
        sa.Column("version", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("holder", "leased_until", "changed_by")),
    )
    op.create_index("ix_hold_state", "hold", ["state", "id"])
    op.create_index("ix_hold_queue", "hold", ["queue", "state", "id"])
    op.create_index("ix_hold_request", "hold", ["request"])
    for row in _held_before():
        op.execute(hold.insert().values(row))


def _held_before() -> list[dict[str, object]]:
    """A row for each draft in quarantine: `held` entries that name a hold."""
    held = sa.text("SELECT leaf FROM entry WHERE kind = 'held' ORDER BY seq")
    entries = [json.loads(leaf) for leaf in op.get_bind().execute(held).scalars()]
    return [
        {
            **dict.fromkeys(("queue", "due", "expires", "request", "holder", "leased_until"), ""),
            "id": entry["body"]["hold"]["id"],
            "entry_id": entry["id"],
            "subject": entry["subject"],
            "stage": "release",
            "item": entry["body"]["item"],
            "opened": entry["time"],
            "state": "open",
            "version": 0,
            "changed_by": entry["id"],
        }
        for entry in entries
        if isinstance(entry["body"].get("hold"), dict)
    ]
