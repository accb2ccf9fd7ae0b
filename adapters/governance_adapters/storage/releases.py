"""The released files of one model, a page at a time: what a recall of a hundred thousand of them is made from."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from governance.entries import EntryKind
from governance.lineage.releases import Release
from governance.search import check_page
from governance.terms import term
from governance_adapters.storage.tables import ENTRY, POSTING

# Built once: building a statement takes longer than running it.
_PAGE = (
    select(ENTRY.c.seq, ENTRY.c.leaf)
    .select_from(POSTING.join(ENTRY, ENTRY.c.seq == POSTING.c.seq))
    .where(
        POSTING.c.term == bindparam("of_term"),
        POSTING.c.seq > bindparam("after"),
        ENTRY.c.kind == EntryKind.RELEASED.value,
    )
    .order_by(POSTING.c.seq)
    .limit(bindparam("most"))
)


def released_by(connection: Connection, model: str, after: int, limit: int) -> Sequence[tuple[int, Release]]:
    """One page; see `Ledger.released_by`.

    Raises:
        QueryError: `limit` is below 1.
        ProofError: an entry was altered.
    """
    check_page(limit)
    rows = connection.execute(_PAGE, {"of_term": term("model", model), "after": after, "most": limit}).all()
    return [(seq, Release.of_leaf(leaf)) for seq, leaf in rows]
