"""Questions to the ledger. Each is answered from one snapshot; what is derived is checked against the leaf."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Select, bindparam, func, or_, select

from governance.canonical import Digest, canonical_bytes
from governance.checkpoint import parse_checkpoint
from governance.entries import Entry, EntryKind, MarkRecord, PersonalField, Receipt
from governance.erasable import APPROVER_FIELDS, PEOPLE_FIELDS
from governance.errors import NoEntryError, ProofError
from governance.merkle import leaf_hash, verify_inclusion
from governance.records import ClaimState, asset_digest
from governance.types import Fingerprint
from governance_adapters.storage.tables import CLAIM, DOCUMENT, ENTRY, MARK, PERSONAL_FIELD
from governance_adapters.storage.tree import newest_note, read_tree

# Built once: building a statement takes longer than running it.
_ONE = select(ENTRY.c.seq, ENTRY.c.leaf).where(ENTRY.c.id == bindparam("of_id"))
_FIELDS = (
    select(PERSONAL_FIELD).where(PERSONAL_FIELD.c.entry_id == bindparam("of_entry")).order_by(PERSONAL_FIELD.c.name)
)

# Values are kept in their one canonical form, so equal bytes are equal names. The fields first: they name few entries.
_NAMING = (
    select(PERSONAL_FIELD.c.entry_id)
    .where(
        or_(
            PERSONAL_FIELD.c.name.in_(sorted(PEOPLE_FIELDS)),
            PERSONAL_FIELD.c.name.startswith(APPROVER_FIELDS, autoescape=True),
        ),
        PERSONAL_FIELD.c.value == bindparam("of_person"),
    )
    .cte("naming")
    .prefix_with("MATERIALIZED")
)
_SUBJECTS = (
    select(ENTRY.c.subject)
    .join(_NAMING, _NAMING.c.entry_id == ENTRY.c.id)
    .where(ENTRY.c.seq.is_not(None), ENTRY.c.subject > bindparam("after"))
    .distinct()
    .order_by(ENTRY.c.subject)
    .limit(bindparam("most"))
)


def _page(*, subject: bool, kind: bool) -> Select[tuple[int, bytes]]:
    """A keyset page of entries, of one subject or of one kind if so."""
    query = select(ENTRY.c.seq, ENTRY.c.leaf).where(ENTRY.c.seq > bindparam("after"))
    if subject:
        query = query.where(ENTRY.c.subject == bindparam("of_subject"))
    if kind:
        query = query.where(ENTRY.c.kind == bindparam("of_kind"))
    return query.order_by(ENTRY.c.seq).limit(bindparam("most"))


_PAGES = {(subject, kind): _page(subject=subject, kind=kind) for subject in (False, True) for kind in (False, True)}


def entry(connection: Connection, entry_id: str) -> tuple[int, Entry]:
    """An entry and its index.

    Raises:
        NoEntryError: there is none.
        LedgerError: its bytes were altered.
    """
    return _entry(connection, entry_id)[:2]


def _entry(connection: Connection, entry_id: str) -> tuple[int, Entry, bytes]:
    """An entry, its index and its canonical bytes."""
    row = connection.execute(_ONE, {"of_id": entry_id}).first()
    if row is None or row.seq is None:
        raise NoEntryError(f"The ledger has no entry {entry_id!r}.", remedy="Check the id; `governance ledger list`.")
    found = Entry.from_leaf(row.leaf)
    if found.id != entry_id:
        raise ProofError(f"The row of entry {entry_id} holds another entry.", remedy="Run `governance ledger verify`.")
    return row.seq, found, row.leaf


def entries(
    connection: Connection, after: int, limit: int, subject: str | None, kind: EntryKind | None
) -> Sequence[tuple[int, Entry]]:
    """One keyset page; see `Ledger.entries`.

    Raises:
        ProofError: bytes were altered, or a look-up column leads to an entry of another subject or kind.
    """
    query = _PAGES[subject is not None, kind is not None]
    wanted = {"after": after, "most": limit, "of_subject": subject, "of_kind": kind and kind.value}
    rows = connection.execute(query, wanted)
    found = [(row.seq, Entry.from_leaf(row.leaf)) for row in rows]
    for _, each in found:
        if subject not in (None, each.subject) or kind not in (None, each.kind):
            raise ProofError(
                f"The row of entry {each.id} is that of another.", remedy="Run `governance ledger verify`."
            )
    return found


def leaves(connection: Connection, first: int, limit: int) -> Sequence[bytes]:
    """Leaf bytes in order; see `Ledger.leaves`. What the tree says of them, their reader checks."""
    query = select(ENTRY.c.leaf).where(ENTRY.c.seq >= first, ENTRY.c.seq < first + limit).order_by(ENTRY.c.seq)
    return [bytes(leaf) for leaf in connection.execute(query).scalars()]


def disordered(connection: Connection) -> Iterator[tuple[int, str, str]]:
    """Index and time of each entry whose time is before that of an earlier one, and the latest time before it."""
    before = func.max(ENTRY.c.time).over(order_by=ENTRY.c.seq, rows=(None, -1)).label("latest")
    times = select(ENTRY.c.seq, ENTRY.c.time, before).where(ENTRY.c.seq.is_not(None)).subquery()
    query = select(times).where(times.c.time < times.c.latest).order_by(times.c.seq)
    for row in connection.execute(query.execution_options(yield_per=1000)):
        yield row.seq, row.time, row.latest


def receipt(connection: Connection, entry_id: str) -> Receipt:
    """A receipt against the newest checkpoint, verified before it is handed out.

    Raises:
        LedgerError: there is no such entry, or the tree does not lead to the checkpoint.
    """
    (found,) = receipts(connection, [entry_id])
    return found


def written(connection: Connection, entry_ids: Sequence[str]) -> bool:
    """Whether all these entries are there, with an index or without."""
    query = select(func.count()).where(ENTRY.c.id.in_(entry_ids))
    return connection.execute(query).scalar_one() == len(entry_ids)


def numbered(connection: Connection, entry_ids: Sequence[str]) -> bool:
    """Whether all these entries have their index."""
    where = ENTRY.c.id.in_(entry_ids) & ENTRY.c.seq.is_not(None)
    return connection.execute(select(func.count()).where(where)).scalar_one() == len(entry_ids)


def receipts(connection: Connection, entry_ids: Sequence[str]) -> Sequence[Receipt]:
    """Receipts against the newest checkpoint, in the order of the ids, each verified before it is handed out.

    Raises:
        LedgerError: an entry is missing, or the tree does not lead to the checkpoint.
    """
    note = newest_note(connection)
    checkpoint = parse_checkpoint(note)
    tree = read_tree(connection, checkpoint.size)
    found = []
    for entry_id in entry_ids:
        index, _, leaf = _entry(connection, entry_id)
        proof = tree.inclusion_proof(index)
        verify_inclusion(leaf_hash(leaf), index, checkpoint.size, proof, checkpoint.root)
        found.append(Receipt(leaf, index, checkpoint.size, proof, note))
    return found


def find_mark(connection: Connection, algorithm: str, key_id: str, mark_id: int) -> MarkRecord | None:
    """Where a watermark id leads."""
    where = (MARK.c.algorithm == algorithm) & (MARK.c.key_id == key_id) & (MARK.c.mark_id == mark_id)
    row = connection.execute(select(MARK).where(where)).first()
    if row is None:
        return None
    fingerprint = Fingerprint(row.pdq, row.quality, row.grid)
    return MarkRecord(row.algorithm, row.key_id, row.mark_id, row.asset_id, Digest(row.asset_digest), fingerprint)


def find_asset(connection: Connection, digest: Digest) -> Entry | None:
    """The `released` entry of these bytes.

    Raises:
        ProofError: the look-up column leads to an entry of other bytes.
    """
    released = (ENTRY.c.asset_digest == digest) & ENTRY.c.seq.is_not(None)
    query = select(ENTRY.c.leaf).where(released).order_by(ENTRY.c.seq).limit(1)
    leaf = connection.execute(query).scalar()
    if leaf is None:
        return None
    found = Entry.from_leaf(leaf)
    if asset_digest(found) != digest:
        raise ProofError(f"The index leads {digest} to entry {found.id}.", remedy="Run `governance ledger verify`.")
    return found


def releases(connection: Connection, digest: Digest) -> Sequence[Entry]:
    """All `released` entries of these bytes; see `Ledger.releases`."""
    released = (ENTRY.c.asset_digest == digest) & ENTRY.c.seq.is_not(None)
    leaves_of = connection.execute(select(ENTRY.c.leaf).where(released).order_by(ENTRY.c.seq)).scalars()
    return [Entry.from_leaf(leaf) for leaf in leaves_of]


def subjects_of(connection: Connection, person: str, after: str, limit: int) -> Sequence[str]:
    """Whose entries name this person; see `Ledger.subjects_of`. Reads the names of all personal fields once."""
    wanted = {"of_person": canonical_bytes(person), "after": after, "most": limit}
    return connection.execute(_SUBJECTS, wanted).scalars().all()


def document(connection: Connection, digest: Digest) -> bytes | None:
    """A document kept beside the ledger."""
    content = connection.execute(select(DOCUMENT.c.content).where(DOCUMENT.c.digest == digest)).scalar()
    return None if content is None else bytes(content)


def fields(connection: Connection, entry_id: str) -> Sequence[PersonalField]:
    """The personal fields of an entry that were not erased."""
    rows = connection.execute(_FIELDS, {"of_entry": entry_id})
    return [PersonalField(row.name, row.salt, json.loads(row.value)) for row in rows]


def open_claims(connection: Connection) -> int:
    """How many claims are open."""
    query = select(func.count()).select_from(CLAIM).where(CLAIM.c.state == ClaimState.OPEN.value)
    return int(connection.execute(query).scalar_one())
