"""A line of fakes that holds, people who review, and a review policy of a few lines to check the desk against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from governance.entries import HoldRecord
from governance.errors import HeldError
from governance.governor import Governor
from governance.holds import later
from governance.parts import Parts
from governance.review import ReviewDesk
from governance.testing import FakePipeline, FakePolicyEngine, example_request, fake_parts
from governance.types import Decision, GenerationRequest, Outcome, Principal, Prompt, Reason, Stage

REQUESTER = Principal("designer@example.org", ("designer", "reviewer"))
ANN, BOB, CAY = (Principal(f"{name}@example.org", ("reviewer",)) for name in ("ann", "bob", "cay"))
VISITOR = Principal("visitor@example.org", ("visitor",))
CODES = ("brand.own_work",)
HELD = Reason("finding.review", "It scores too high.", "/findings/0/score_millionths")


@dataclass
class Clock:
    """A time that only moves when a test moves it."""

    now: str = "2026-11-23T14:00:00.000Z"

    def __call__(self) -> str:
        return self.now

    def wait(self, seconds: int) -> None:
        self.now = later(self.now, seconds)


@dataclass
class ReviewPolicy(FakePolicyEngine):
    """Holds releases (or admissions) as scripted, and lets reviewers do what a reviewer may.

    `needed` different people must approve; never the requester, never one person twice. `admission` and `release` are
    outcome, reasons and obligations of those stages, and may be changed at any time.
    """

    needed: int = 2
    admission: tuple[Outcome, tuple[Reason, ...], dict[str, Any]] = (Outcome.ALLOW, (), {})
    release: tuple[Outcome, tuple[Reason, ...], dict[str, Any]] = (Outcome.REVIEW, (HELD,), {})
    queues: frozenset[str] = frozenset({"", "legal"})
    script: Mapping[Stage, Callable[..., Decision]] = field(init=False)

    def __post_init__(self) -> None:
        self.script = {
            Stage.ADMISSION: lambda stage, _: self._scripted(stage, self.admission),
            Stage.RELEASE: lambda stage, _: self._scripted(stage, self.release),
            Stage.REVIEW: self._review,
        }

    def _scripted(self, stage: Stage, answer: tuple[Outcome, tuple[Reason, ...], dict[str, Any]]) -> Decision:
        outcome, reasons, obligations = answer
        return self.answer(stage, outcome, *reasons, **obligations)

    def _review(self, stage: Stage, facts: Mapping[str, Any]) -> Decision:
        reviewer = facts["reviewer"]
        if "reviewer" not in reviewer["roles"]:
            return self.answer(stage, Outcome.DENY, Reason("review.act", "Not with these roles.", "/reviewer/roles"))
        if "hold" in facts and facts["act"] != "holds.read" and reviewer["id"] == facts["hold"]["requester"]:
            return self.answer(stage, Outcome.DENY, Reason("review.requester", "One's own request.", "/reviewer/id"))
        verdict = facts.get("verdict")
        if verdict == "escalate" and (facts["to"] not in self.queues or facts["to"] == facts["hold"]["queue"]):
            return self.answer(stage, Outcome.DENY, Reason("review.escalation", "No other queue.", "/to"))
        if verdict != "approve":
            return self.answer(stage, Outcome.ALLOW)
        if reviewer["id"] in facts["approvals"]:
            return self.answer(stage, Outcome.DENY, Reason("review.twice", "Approved before.", "/reviewer/id"))
        given = len({*facts["approvals"], reviewer["id"]})
        outcome = Outcome.ALLOW if given >= self.needed else Outcome.REVIEW
        return self.answer(stage, outcome, approvals=self.needed)


def request(**changes: Any) -> GenerationRequest:
    """One small image."""
    settled: dict[str, Any] = {"prompts": (Prompt("a red seven"),), "width": 64, "height": 64, "seeds": (5,)}
    return example_request(**{**settled, "principal": REQUESTER, **changes})


@dataclass
class Held:
    """A line, a desk over it, and what was held."""

    parts: Parts
    policy: ReviewPolicy
    clock: Clock
    desk: ReviewDesk

    @property
    def record(self) -> HoldRecord:
        (record,) = self.parts.ledger.holds()
        return record

    def now(self, hold_id: str) -> HoldRecord:
        record = self.parts.ledger.hold(hold_id)
        assert record is not None
        return record

    def over(self, **changes: Any) -> ReviewDesk:
        """A desk over the same line with other parts."""
        return ReviewDesk(replace(self.parts, **changes), clock=self.clock)

    def approve(self, reviewer: Principal, comment: str = "") -> Any:
        """Lease and approve the hold, whose id this knows."""
        self.desk.lease(reviewer, self.record.id)
        return self.desk.approve(reviewer, self.record.id, CODES, comment)

    def kinds(self) -> list[str]:
        return [entry.kind.value for _, entry in self.parts.ledger.entries()]


def held(policy: ReviewPolicy | None = None, asked: GenerationRequest | None = None, **changes: Any) -> Held:
    """A line with one hold in it."""
    policy, clock = policy or ReviewPolicy(), Clock()
    parts = fake_parts(policy=policy, **changes)
    with suppress(HeldError):
        Governor(parts).generate(asked or request(), FakePipeline())
    record = parts.ledger.holds()[0]
    clock.now = later(record.opened, 60)
    return Held(parts, policy, clock, ReviewDesk(parts, clock=clock))


def erase(line: Held, entry_id: str, name: str) -> None:
    """Erase one personal field of an entry of the line's fake ledger."""
    store = line.parts.ledger._store  # type: ignore[attr-defined]
    index = store.indices[entry_id]
    record = store.records[index]
    store.records[index] = replace(record, fields=tuple(field for field in record.fields if field.name != name))
