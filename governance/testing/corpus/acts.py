"""Cases of the review stage: who may do what, in whose queue, and to escalate."""

from __future__ import annotations

from governance.canonical import digest
from governance.testing.corpus.cases import Case, both, put
from governance.testing.corpus.reviewing import (
    DATA,
    HOLDS,
    REJECTED,
    access,
    acting_as,
    after,
    case,
    decided_by,
    escalated,
    in_markets,
    of_none,
    queued,
    to_do,
)
from governance.testing.policy import EXAMPLE_HOLD, EXAMPLE_REVIEWER, review_facts


def rule_cases() -> list[Case]:
    """For each rule about who may do something a case that differs by what the rule is about."""
    return [*_queue_cases(), *_escalation_cases(), *_act_cases()]


def _queue_cases() -> list[Case]:
    return [
        case("nobody's queue", queued(""), "allow", data=DATA),
        case("nobody's queue, by anybody", both(queued(""), acting_as("counsel")), "allow", data=DATA),
        case(
            "one of the roles of the queue", both(queued("brand"), acting_as("counsel", "reviewer")), "allow", data=DATA
        ),
        case("another's queue", both(queued("brand"), acting_as("editor in chief")), "deny", "review.queue", data=DATA),
        case("another's queue, rejected", both(REJECTED, queued("Ж/~")), "deny", "review.queue", data=DATA),
        case("a queue with an odd name", both(queued("Ж/~"), acting_as("counsel")), "allow", data=DATA),
        case("a queue that is gone", queued("gone"), "deny", "review.queue", data=DATA),
        case("a queue in other letters", queued("General"), "deny", "review.queue", data=DATA),
        case("a queue of a prototype", queued("__proto__"), "deny", "review.queue", data=DATA),
    ]


def _escalation_cases() -> list[Case]:
    other = put("/model/components/unet", digest(b"x"))
    return [
        case("escalated", escalated("Ж/~"), "allow", data=DATA),
        case("escalated from nobody's queue", both(queued(""), escalated("general")), "allow", data=DATA),
        case("escalated where several must approve", both(in_markets("east"), escalated("brand")), "allow", data=DATA),
        case("escalated after an approval", both(after(EXAMPLE_REVIEWER.id), escalated("brand")), "allow", data=DATA),
        case("escalated, model no longer allowed", both(other, escalated("brand")), "allow", data=DATA),
        case("escalated to the same queue", escalated("general"), "deny", "review.escalation", data=DATA),
        case("escalated to no known queue", escalated("gone"), "deny", "review.escalation", data=DATA),
        case("escalated to nobody", escalated(""), "deny", "input.malformed", data=DATA),
        case("escalated by another queue", both(queued("Ж/~"), escalated("brand")), "deny", "review.queue", data=DATA),
        case("escalated by the requester", both(decided_by(EXAMPLE_HOLD.requester), escalated("brand")), "deny", "review.requester", data=DATA),
        case("escalated without the role", both(acting_as("designer"), escalated("brand")), "deny", "review.role", "review.act", data=DATA),
        case("approved and escalated", put("/to", "brand"), "deny", "input.malformed", data=DATA),
        case("rejected and escalated", both(REJECTED, put("/to", "brand")), "deny", "input.malformed", data=DATA),
    ]  # fmt: skip


def _act_cases() -> list[Case]:
    decided = review_facts()
    stray = {name: decided[name] for name in ("verdict", "to", "approvals", "inputs", "model")}
    return [
        *(access(f"to do {act}", to_do(act), "allow", data=DATA) for act in HOLDS),
        *(access(f"to do {act} as a guest", both(to_do(act), acting_as("guest")), "deny", "review.act", data=DATA) for act in HOLDS),
        *(
            access(f"to do {act} in another's queue", both(to_do(act), queued("Ж/~")), "deny", "review.queue", data=DATA)
            for act in HOLDS
        ),
        access("to read holds", both(to_do("holds.read"), of_none), "allow", data=DATA),
        access("to read the ledger", both(to_do("ledger.read"), of_none), "allow", data=DATA),
        access("to read the ledger about a hold", to_do("ledger.read"), "allow", data=DATA),
        access("to read the ledger, no role", both(to_do("ledger.read"), of_none, acting_as()), "deny", "review.act", data=DATA),
        access("to do what nobody may", both(to_do("works.write"), of_none), "deny", "review.act", data=DATA),
        access("to do what no list is about", both(to_do("works.read"), of_none), "deny", "review.act", data=DATA),
        access("to do what there is not", both(to_do("holds.destroy"), of_none), "deny", "review.act", data=DATA),
        access("to do what a prototype does", both(to_do("__proto__"), of_none), "deny", "review.act", data=DATA),
        *(
            access(f"to do {act} to no hold", both(to_do(act), of_none), "deny", "input.malformed", data=DATA)
            for act in ("holds.view", "holds.lease", "holds.comment")
        ),
        *(
            access(f"to do {act} to the own request", both(to_do(act), decided_by(EXAMPLE_HOLD.requester.upper())), outcome, *codes, data=DATA)
            for act, outcome, *codes in (
                ("holds.read", "allow"), ("holds.comment", "allow"),
                ("holds.view", "deny", "review.requester"), ("holds.lease", "deny", "review.requester"),
            )
        ),
        *(
            access(f"to view, with {name}", put(f"/{name}", value), "deny", "input.malformed", data=DATA)
            for name, value in stray.items()
        ),
        access("to view, with a verdict of null", put("/verdict", None), "deny", "input.malformed", data=DATA),
        access("to view, with a verdict of false", put("/verdict", False), "deny", "input.malformed", data=DATA),
        case("to decide on no hold", of_none, "deny", "input.malformed", data=DATA),
        case("a verdict in another act", to_do("holds.view"), "deny", "input.malformed", data=DATA),
    ]  # fmt: skip
