"""What was erased and by which entry, what a legal hold keeps from being erased, and when its time is over otherwise."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from governance.entries import Entry
from governance.errors import ProofError
from governance.retention import due_day
from governance_adapters.storage.upserts import Latest

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
_PAGE = 1000


def upgrade() -> None:
    op.create_table(
        "erasure",
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("entry_id", "name")),
        sa.Column("erased_by", sa.String(), nullable=False),
    )
    op.create_index("ix_erasure_erased_by", "erasure", ["erased_by"])
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.String(), primary_key=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("scope_kind", "scope", "placed_by")),
        sa.Column("lifted_by", sa.String(), nullable=True),
    )
    op.create_index("ix_legal_hold_scope", "legal_hold", ["scope_kind", "scope"])
    op.create_table(
        "retention",
        sa.Column("subject", sa.String(), primary_key=True),
        sa.Column("day", sa.String(), nullable=False),
    )
    op.create_index("ix_retention_day", "retention", ["day", "subject"])
    _fill_retention(op.get_bind())


def _fill_retention(connection: sa.Connection) -> None:
    """From the entries that there are; one that cannot be read, `governance ledger verify` names."""
    columns = (sa.Column(name, sa.String()) for name in ("subject", "day"))
    keep = Latest(sa.Table("retention", sa.MetaData(), *columns), ("subject",), "day")
    entry = sa.table("entry", sa.column("seq"), sa.column("leaf"))
    query = sa.select(entry).order_by(entry.c.seq).limit(_PAGE)
    after = -1
    while page := connection.execute(query.where(entry.c.seq > after)).all():
        after = page[-1].seq
        found = [_due(bytes(row.leaf)) for row in page]
        keep.run(connection, [row for row in found if row is not None])


def _due(leaf: bytes) -> dict[str, str] | None:
    try:
        entry = Entry.from_leaf(leaf)
    except ProofError:
        return None
    day = due_day(entry)
    return None if day is None else {"subject": entry.subject, "day": day}
