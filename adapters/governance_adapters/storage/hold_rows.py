"""Where holds stand: read by queue and state, and changed where the entry that changes them is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, Row, inspect, select

from governance.canonical import Digest
from governance.entries import HoldRecord, HoldState
from governance.errors import LedgerError, ProofError
from governance.holds import leased
from governance.types import Stage
from governance_adapters.storage.guards import guard
from governance_adapters.storage.tables import HOLD
from governance_adapters.storage.upserts import Upsert

_UPSERT = Upsert(HOLD, ("id",), tuple(column.name for column in HOLD.columns if column.name != "id"))


def kept(connection: Connection) -> bool:
    """Whether this ledger keeps holds: one that only an earlier program wrote does not."""
    return inspect(connection).has_table(HOLD.name)


def hold(connection: Connection, hold_id: str) -> HoldRecord | None:
    """See `Ledger.hold`."""
    row = connection.execute(select(HOLD).where(HOLD.c.id == hold_id)).first()
    return None if row is None else _record(row)


def guarded_hold(connection: Connection, hold_id: str) -> HoldRecord | None:
    """Where a hold stands; nobody else changes it before this transaction ends."""
    guard(connection, "hold", hold_id)
    return hold(connection, hold_id)


def holds(
    connection: Connection, state: HoldState | None, queue: str | None, after: str, limit: int
) -> Sequence[HoldRecord]:
    """One keyset page; see `Ledger.holds`."""
    if limit < 1:
        raise LedgerError(f"A page of {limit} holds is no page.", remedy="Ask for at least one.")
    query = select(HOLD).where(HOLD.c.id > after).order_by(HOLD.c.id).limit(limit)
    if state is not None:
        query = query.where(HOLD.c.state == state.value)
    if queue is not None:
        query = query.where(HOLD.c.queue == queue)
    return [_record(row) for row in connection.execute(query)]


def approved_hold(connection: Connection, request: Digest) -> HoldRecord | None:
    """See `Ledger.approved_hold`."""
    where = (HOLD.c.request == request) & (HOLD.c.state == HoldState.APPROVED.value)
    row = connection.execute(select(HOLD).where(where).order_by(HOLD.c.id.desc()).limit(1)).first()
    return None if row is None else _record(row)


def write(connection: Connection, after: HoldRecord, entry_id: str) -> None:
    """Write how a hold stands, inside the transaction that writes the entry `entry_id`."""
    _UPSERT.run(connection, [{**_values(after), "changed_by": entry_id}])


def lease(connection: Connection, hold_id: str, holder: str, until: str, now: str) -> HoldRecord:
    """See `Ledger.lease`; inside a write transaction. No entry says who has the lease of what."""
    after = leased(guarded_hold(connection, hold_id), hold_id, holder, until, now=now)
    connection.execute(HOLD.update().where(HOLD.c.id == hold_id).values(_values(after)))
    return after


def _values(record: HoldRecord) -> dict[str, object]:
    return {**asdict(record), "stage": record.stage.value, "state": record.state.value}


def _record(row: Row[tuple[object, ...]]) -> HoldRecord:
    values = {name: value for name, value in row._mapping.items() if name != "changed_by"}  # noqa: SLF001 - the documented way to read columns by name
    try:
        values.update(stage=Stage(str(row.stage)), state=HoldState(str(row.state)))
    except ValueError as error:
        raise ProofError(
            f"Hold {row.id} has an unknown state: {error}.", remedy="Run `governance ledger verify`."
        ) from error
    return HoldRecord(**values)
