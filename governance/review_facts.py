"""What policy sees of people who read, decide and administer: each act by itself, and all that is known of a hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from governance.canonical import Json
from governance.facts import principal_facts
from governance.types import ModelFacts, Principal, Stage


class ReviewVerdict(StrEnum):
    """What a reviewer decides about what is held."""

    APPROVE = "approve"
    REJECT = "reject"
    ESCALATE = "escalate"


class Act(StrEnum):
    """What somebody may do through the review API, each by itself. Also the scopes of an API key."""

    LEDGER_READ = "ledger.read"
    LEDGER_PERSONAL = "ledger.personal"
    HOLDS_READ = "holds.read"
    HOLDS_VIEW = "holds.view"
    HOLDS_LEASE = "holds.lease"
    HOLDS_COMMENT = "holds.comment"
    HOLDS_DECIDE = "holds.decide"
    WORKS_READ = "works.read"
    WORKS_WRITE = "works.write"
    FILES_VERIFY = "files.verify"


@dataclass(frozen=True, slots=True)
class Hold:
    """What is held until people decide: where it was held, and for which reasons.

    `stage` is admission or release. `codes` are the reason codes of that decision, none where it only obliged approvals.
    `requester` is the id of the principal who asked; `purpose` and `markets` are the request's. `queue` is who is asked
    now, by the policy's own name; empty is nobody in particular.
    """

    id: str
    stage: Stage
    codes: tuple[str, ...]
    requester: str
    purpose: str
    markets: tuple[str, ...] = ()
    queue: str = ""

    def as_json(self) -> dict[str, Json]:
        """The hold for policy."""
        return {
            "id": self.id,
            "stage": self.stage.value,
            "codes": list(self.codes),
            "requester": self.requester,
            "purpose": self.purpose,
            "markets": list(self.markets),
            "queue": self.queue,
        }


def review_input(
    hold: Hold,
    reviewer: Principal,
    verdict: ReviewVerdict,
    approvals: Sequence[str],
    model: ModelFacts,
    *,
    time: str,
    inputs: Sequence[Json] = (),
    to: str = "",
) -> dict[str, Json]:
    """The policy input of the review stage: may this person decide this, and is it enough?

    `approvals` are the ids of the principals who approved before; `model` is what would generate, or what generated, and
    `inputs` are the input images as admission saw them, so that an approval asks again whether they are allowed. `to` is
    the queue to escalate to.
    """
    return {
        **access_input(reviewer, Act.HOLDS_DECIDE, hold, time=time),
        "verdict": verdict.value,
        "to": to,
        "approvals": list(approvals),
        "inputs": list(inputs),
        "model": model.as_facts(),
    }


def access_input(reviewer: Principal, act: Act, hold: Hold | None = None, *, time: str) -> dict[str, Json]:
    """The policy input of the review stage where nothing is decided: may this person do this, to this hold if to one?"""
    facts: dict[str, Json] = {
        "version": 1,
        "stage": Stage.REVIEW.value,
        "time": time,
        "reviewer": principal_facts(reviewer),
        "act": act.value,
    }
    return facts if hold is None else {**facts, "hold": hold.as_json()}
