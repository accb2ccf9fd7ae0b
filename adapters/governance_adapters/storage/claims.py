"""Claims on requests, inside a write transaction: begin, finish, and closing what vanished processes left open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sqlalchemy import Connection, Row, insert, select, update

from governance.canonical import Digest
from governance.entries import Attempt, Entry, Record, Recorded
from governance.errors import ConflictError, InProgressError, LedgerError
from governance.records import ClaimState, claim_key, close_claim
from governance_adapters.storage.guards import guard
from governance_adapters.storage.tables import CLAIM, ENTRY, MARK_COUNTER
from governance_adapters.storage.transaction import Prepared, Transaction

MARK_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Request:
    """What is claimed, and for which generation."""

    principal_id: str
    request_id: str
    facts: Digest
    generation_id: str


def begin(
    transaction: Transaction, request: Request, owner: str, runs: Callable[[str, str], bool]
) -> Attempt | Recorded:
    """Claim a request for `owner`; `runs` says of an owner and a generation whether that claim is still worked on.

    Raises:
        ConflictError, InProgressError: see `Ledger.begin`.
    """
    key = claim_key(request.principal_id, request.request_id)
    guard(transaction.connection, "claim", key)
    claim = transaction.connection.execute(select(CLAIM).where(CLAIM.c.key == key).with_for_update()).first()
    if claim is None:
        return _open(transaction, key, request, owner, attempt=1)
    if claim.facts != request.facts:
        raise ConflictError(
            f"Request id {request.request_id!r} was already used for something else.", remedy="Use a fresh request id."
        )
    state = ClaimState(claim.state)
    if state is ClaimState.OPEN:
        if runs(claim.owner, claim.generation_id):
            raise InProgressError(
                f"Request {request.request_id!r} is running now, as generation {claim.generation_id}.",
                remedy="Wait for it; asking again later returns its result.",
            )
        state, _ = _close(transaction, claim)
    if state is ClaimState.FINISHED:
        return Recorded(claim.attempt, claim.generation_id)
    return _open(transaction, key, request, owner, attempt=claim.attempt + 1)


def finish(transaction: Transaction, generation_id: str, state: ClaimState) -> None:
    """End the claim of a generation; ending it twice the same way does nothing.

    Raises:
        LedgerError: no such claim, or it ended otherwise.
    """
    claim = _of_generation(transaction, generation_id)
    if claim is None or claim.state not in (ClaimState.OPEN, state):
        found = "has no claim" if claim is None else f"was already ended as {claim.state}"
        raise LedgerError(f"Generation {generation_id} {found}.", remedy="Begin the request first; finish it once.")
    _set_state(transaction, claim.key, state)


def reopen(transaction: Transaction, generation_id: str) -> None:
    """See `Ledger.reopen`; a request that may run again already stays so.

    Raises:
        LedgerError: it has no finished claim.
    """
    claim = _of_generation(transaction, generation_id)
    if claim is None or ClaimState(claim.state) is ClaimState.OPEN:
        raise LedgerError(
            f"Generation {generation_id} has no finished claim.",
            remedy="Ask again: its request is running now, or ran again since.",
        )
    _set_state(transaction, claim.key, ClaimState.REPEATABLE)


def recover(transaction: Transaction, owner: str, alive: Callable[[str], bool]) -> Sequence[Entry]:
    """Close every open claim whose owner is gone; returns the `abandoned` entries that were appended."""
    open_ones = select(CLAIM).where(CLAIM.c.state == ClaimState.OPEN, CLAIM.c.owner != owner)
    claims = transaction.connection.execute(open_ones.order_by(CLAIM.c.generation_id).with_for_update()).all()
    living = {name: alive(name) for name in {claim.owner for claim in claims}}
    closed = [_close(transaction, claim)[1] for claim in claims if not living[claim.owner]]
    return [entry for entry in closed if entry is not None]


def reserve_marks(transaction: Transaction, algorithm: str, key_id: str, limit: int) -> range:
    """Take the next block of counters below `limit` for this process alone; committed before any is used.

    Raises:
        LedgerError: none is left.
    """
    guard(transaction.connection, "marks", algorithm, key_id)
    where = (MARK_COUNTER.c.algorithm == algorithm) & (MARK_COUNTER.c.key_id == key_id)
    held = transaction.connection.execute(select(MARK_COUNTER.c.unused).where(where)).scalar()
    start = held or 0
    if start >= limit:
        raise LedgerError(
            f"All {limit} watermark ids of {algorithm} under key {key_id} are used.",
            remedy="Make a new watermark key, or use an algorithm with a longer payload.",
        )
    end = min(start + MARK_BLOCK, limit)
    if held is None:
        row = {"algorithm": algorithm, "key_id": key_id, "unused": end}
        transaction.connection.execute(insert(MARK_COUNTER), row)
    else:
        transaction.connection.execute(update(MARK_COUNTER).where(where).values(unused=end))
    return range(start, end)


def lost(connection: Connection, owner: str, generations: AbstractSet[str]) -> AbstractSet[str]:
    """Which of these generations, claimed by `owner`, are no longer claimed by it: somebody took it for gone.

    The claims are locked: whoever found the owner gone a moment ago and is closing them just now is waited for.
    """
    if not generations:
        return frozenset()
    held = select(CLAIM.c.generation_id).where(CLAIM.c.owner == owner, CLAIM.c.state == ClaimState.OPEN)
    return generations - set(connection.execute(held.order_by(CLAIM.c.generation_id).with_for_update()).scalars())


def _of_generation(transaction: Transaction, generation_id: str) -> Row[tuple[object, ...]] | None:
    """The claim of a generation, which nobody else changes before this transaction ends."""
    where = CLAIM.c.generation_id == generation_id
    return transaction.connection.execute(select(CLAIM).where(where).with_for_update()).first()


def _open(transaction: Transaction, key: Digest, request: Request, owner: str, *, attempt: int) -> Attempt:
    values = {
        "facts": request.facts,
        "attempt": attempt,
        "generation_id": request.generation_id,
        "state": ClaimState.OPEN.value,
        "owner": owner,
    }
    if attempt == 1:
        transaction.connection.execute(insert(CLAIM), {"key": key, **values})
    else:
        transaction.connection.execute(update(CLAIM).where(CLAIM.c.key == key).values(values))
    return Attempt(attempt, request.generation_id)


def _close(transaction: Transaction, claim: Row[tuple[object, ...]]) -> tuple[ClaimState, Entry | None]:
    """Close one vanished owner's claim from what the ledger holds of its generation."""
    leaves = transaction.connection.execute(
        select(ENTRY.c.leaf).where(ENTRY.c.subject == claim.generation_id).order_by(ENTRY.c.seq)
    ).scalars()
    closing = close_claim(claim.generation_id, claim.attempt, [Entry.from_leaf(leaf) for leaf in leaves])
    if closing.entry is not None:
        transaction.add(Prepared.of(Record(closing.entry)))
    _set_state(transaction, claim.key, closing.state)
    return closing.state, closing.entry


def _set_state(transaction: Transaction, key: str, state: ClaimState) -> None:
    transaction.connection.execute(update(CLAIM).where(CLAIM.c.key == key).values(state=state.value))
