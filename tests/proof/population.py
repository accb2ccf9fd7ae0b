"""A ledger that real work filled: governed calls, holds that people decided on, what was erased, and what may not be."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from governance.checkpoint import parse_checkpoint
from governance.entries import EntryKind, ErasedPart, LegalHoldScope
from governance.erasure import Basis, ErasureOrder, erased_record
from governance.errors import WithheldError
from governance.governor import Governor
from governance.legal_holds import lifted_record, placed_record
from governance.parts import Parts
from governance.review import ReviewDesk
from governance.testing import FakePipeline
from governance.types import Mode, Principal, Stage
from support.workers import ANN, BOB, CODES, asked

CLERK = Principal("privacy@example.org", ("counsel",))


def work(parts: Parts, entries: int, name: str) -> None:
    """Govern requests of this name, and decide on most of what is held, until the log has so many entries."""
    governor, desk, number = Governor(parts), ReviewDesk(parts), 0
    while parse_checkpoint(parts.ledger.checkpoint()).size < entries:
        with suppress(WithheldError):
            governor.generate(asked(name, number), FakePipeline())
        number += 1
        open_holds = desk.holds(ANN, limit=20)
        for record in open_holds[3:]:  # some stay open
            _decide(desk, record.id, record.stage, approve=number % 4 > 0)


def shadow(parts: Parts) -> None:
    """Some calls in shadow mode, and then one that enforces again."""
    for number in range(8):
        mode = Mode.SHADOW if number < 7 else Mode.ENFORCE
        with suppress(WithheldError):
            Governor(replace(parts, mode=mode)).generate(asked(mode.value, number), FakePipeline())


def erase_and_hold(parts: Parts) -> None:
    """Erase some prompts, place legal holds, and lift some of them."""
    _erase(parts)
    _hold(parts)


def _decide(desk: ReviewDesk, hold_id: str, stage: Stage, *, approve: bool) -> None:
    for reviewer in (ANN, BOB):
        desk.lease(reviewer, hold_id)
        if stage is Stage.RELEASE:
            desk.view(reviewer, hold_id)
        desk.comment(reviewer, hold_id, "Looked at.")
        done = (desk.approve if approve else desk.reject)(reviewer, hold_id, CODES)
        if done.record.state.value != "open":
            return


def _erase(parts: Parts) -> None:
    """The prompts of every tenth intent, one entry each."""
    intents = _of_kind(parts, EntryKind.INTENT)[::10]
    for _, entry_id, names in intents:
        erased = [ErasedPart(entry_id, name) for name in names if name.startswith("/prompts/")]
        parts.ledger.append(erased_record(f"erasure-{entry_id}", erased, ErasureOrder(Basis.REQUEST, CLERK, "file 7")))


def _hold(parts: Parts) -> None:
    subjects = [subject for subject, _, _ in _of_kind(parts, EntryKind.INTENT)[1:12:2]]
    records = [placed_record(LegalHoldScope.GENERATION, subject, CLERK, "case 12") for subject in subjects]
    records.append(placed_record(LegalHoldScope.PRINCIPAL, "designer@example.org", CLERK, "case 13"))
    for record in records:
        parts.ledger.append(record)
    for record in records[:2]:
        assert record.legal_hold is not None
        parts.ledger.append(lifted_record(record.legal_hold, CLERK, "case 12, closed"))


def _of_kind(parts: Parts, kind: EntryKind) -> Sequence[tuple[str, str, list[str]]]:
    """Subject, id and the names of the personal fields of each entry of a kind."""
    found = parts.ledger.entries(kind=kind, limit=100_000)
    return [(entry.subject, entry.id, [field.name for field in parts.ledger.fields(entry.id)]) for _, entry in found]
