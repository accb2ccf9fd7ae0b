"""Cases of the review stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.canonical import digest
from governance.review_facts import Act
from governance.testing.corpus.cases import (
    FINDING,
    IMAGE,
    SIMILAR,
    UNREAD,
    WORDS,
    WORK,
    Case,
    Change,
    both,
    malformed,
    put,
    scored,
    unchanged,
)
from governance.testing.corpus.reviewing import (
    DATA,
    OTHERS,
    REJECTED,
    REVIEW,
    acting_as,
    after,
    case,
    decided_by,
    in_markets,
)
from governance.testing.policy import EXAMPLE_HOLD, EXAMPLE_REVIEWER, access_facts, review_facts
from governance.types import Stage


def malformed_cases() -> list[Case]:
    """Facts of a review, of another act on a hold and of one on none, one part of them unreadable."""
    data = {**DATA, "allow_inputs": True}
    image = {**IMAGE, "findings": [{**FINDING, **WORK}, SIMILAR]}
    decided = malformed(
        Stage.REVIEW,
        lambda: review_facts(approvals=OTHERS, inputs=[image]),
        unread=(*UNREAD, "/inputs/0/findings/0/evidence/"),
        optional=tuple(f"/inputs/0/findings/0/{word}" for word in WORDS),
        data=data,
    )
    viewed = malformed(Stage.REVIEW, access_facts, data=data, about="to view")
    listed = malformed(
        Stage.REVIEW, lambda: access_facts(Act.HOLDS_READ), optional=("/hold",), data=data, about="to read"
    )
    return [*decided, *viewed, *listed]


def rule_cases() -> list[Case]:
    """A good review, and for each rule one that differs from it by what the rule is about."""
    return [
        *_person_cases(),
        *_count_cases(),
        *_model_cases(),
        *_input_cases(),
        *_data_cases(),
    ]


def _person_cases() -> list[Case]:
    return [
        case("good", unchanged, "allow", data=DATA),
        case("held at admission", put("/hold/stage", "admission"), "allow", data=DATA),
        case("another role that may decide", acting_as("editor in chief"), "allow", data=DATA),
        case("several roles", acting_as("designer", "reviewer"), "allow", data=DATA),
        case("a role that may not decide", acting_as("designer"), "deny", "review.role", data=DATA),
        case("a role in other letters", acting_as("Reviewer"), "deny", "review.role", data=DATA),
        case("no role", acting_as(), "deny", "review.role", data=DATA),
        case("own request", decided_by(EXAMPLE_HOLD.requester), "deny", "review.requester", data=DATA),
        case("approved before", after(EXAMPLE_REVIEWER.id), "deny", "review.twice", data=DATA),
        case(
            "own request, without the role", both(decided_by(EXAMPLE_HOLD.requester), acting_as()), "deny",
            "review.role", "review.requester", data=DATA,
        ),
        case("rejection without the role", both(REJECTED, acting_as("designer")), "deny", "review.role", data=DATA),
        case(
            "rejection of the own request", both(REJECTED, decided_by(EXAMPLE_HOLD.requester)), "deny",
            "review.requester", data=DATA,
        ),
        case(
            "own request, in other letters", decided_by(EXAMPLE_HOLD.requester.upper()), "deny", "review.requester", data=DATA
        ),
        case(
            "own request, vouched for by another", both(decided_by(EXAMPLE_HOLD.requester), put("/reviewer/issuer", "other")),
            "deny", "review.requester", data=DATA,
        ),
        case(
            "approved before, in other letters", after(EXAMPLE_REVIEWER.id.title()), "deny", "review.twice", data=DATA
        ),
        case("rejection after an approval", both(REJECTED, after(EXAMPLE_REVIEWER.id)), "allow", data=DATA),
        case("another verdict", put("/verdict", "abstain"), "deny", "input.malformed", data=DATA),
        case("held at review", put("/hold/stage", "review"), "deny", "input.malformed", data=DATA),
        case("facts of release", put("/stage", "release"), "deny", "input.malformed", data=DATA),
    ]  # fmt: skip


def _count_cases() -> list[Case]:
    return [
        case("first of two for a code", _for("work.review"), "review", "review.pending", data=DATA),
        case("second of two for a code", both(_for("work.review"), after(*OTHERS[:1])), "allow", data=DATA),
        case("more than are needed", after(*OTHERS), "allow", data=DATA),
        case("held for no reason but approvals", _for(), "allow", data=DATA),
        case("a code without a number", _for("finding.review", "market.unknown"), "allow", data=DATA),
        case("first of three for a market", in_markets("east"), "review", "review.pending", data=DATA),
        case("second of three for a market", both(in_markets("east"), after(*OTHERS[:1])), "review", "review.pending", data=DATA),
        case("third of three for a market", both(in_markets("east"), after(*OTHERS[:2])), "allow", data=DATA),
        case("everywhere", both(in_markets(), after(*OTHERS[:2])), "review", "review.pending", data=DATA),
        case("everywhere, enough", both(in_markets(), after(*OTHERS)), "allow", data=DATA),
        case("market with a slash", both(in_markets("a/b~c"), after(*OTHERS[:2])), "review", "review.pending", data=DATA),
        case(
            "one person twice among them", both(in_markets("east"), after(OTHERS[0], OTHERS[0])), "review",
            "review.pending", data=DATA,
        ),
        case(
            "one person in two spellings among them", both(in_markets("east"), after(OTHERS[0], OTHERS[0].upper())), "review",
            "review.pending", data=DATA,
        ),
        case(
            "the requester among them", both(_for("work.review"), after(EXAMPLE_HOLD.requester)), "review",
            "review.pending", data=DATA,
        ),
        case(
            "obliged in general", unchanged, "review", "review.pending",
            data={**DATA, "obligations": {"approvals": 2}},
        ),
        case("more in general", unchanged, "review", "review.pending", data={**DATA, "review": _review(approvals=2)}),
        case("rejected", REJECTED, "allow", data=DATA),
        case("rejected where several must approve", both(REJECTED, in_markets("east")), "allow", data=DATA),
        case("rejected after others approved", both(REJECTED, in_markets("east"), after(*OTHERS)), "allow", data=DATA),
    ]  # fmt: skip


def _model_cases() -> list[Case]:
    other = put("/model/components/unet", digest(b"x"))
    adapter = {"name": "style", "digest": digest(b"lora"), "scale_thousandths": 800}
    licensed = {"Apache-2.0": {"purposes": ["research"]}}
    return [
        case("model no longer allowed", other, "deny", "model.not_allowed", data=DATA),
        case("model no longer allowed, rejected", both(REJECTED, other), "allow", data=DATA),
        case("adapter not allowed", put("/model/adapters", [adapter]), "deny", "adapter.not_allowed", data=DATA),
        case("licence for another purpose", unchanged, "deny", "model.licence", data={**DATA, "licences": licensed}),
        case(
            "licence for this purpose", put("/hold/purpose", "research"), "allow", data={**DATA, "licences": licensed}
        ),
        case("no components", put("/model/components", {}), "deny", "input.malformed", data=DATA),
        case("market no longer known", in_markets("EU", "atlantis"), "deny", "market.unknown", data=DATA),
        case("market no longer known, rejected", both(REJECTED, in_markets("atlantis")), "allow", data=DATA),
    ]  # fmt: skip


def _data_cases() -> list[Case]:
    broken: Mapping[str, Mapping[str, Any]] = {
        "no review": {"review": None},
        "nobody may decide": {"review": _review(roles=[])},
        "text for the roles": {"review": _review(roles="reviewer")},
        "no approval needed": {"review": _review(approvals=0)},
        "text for approvals": {"review": _review(approvals="1")},
        "nothing for a code": {"review": _review(approvals_by_code={"work.review": 0})},
        "list of acts": {"review": _review(acts=[])},
        "text for an act": {"review": _review(acts={**REVIEW["acts"], "holds.view": "reviewer"})},
        "number for a role of an act": {"review": _review(acts={**REVIEW["acts"], "holds.view": [7]})},
        "list of queues": {"review": _review(queues=["general"])},
        "queue for nobody": {"review": _review(queues={"general": {}})},
        "text for the roles of a queue": {"review": _review(queues={"general": {"roles": "reviewer"}})},
        "no queue": {"review": _review(queue="")},
        "queue by code that is no text": {"review": _review(queue_by_code={"work.review": 5})},
        "never due, as text": {"review": _review(due_hours="never")},
        "expired before it was held": {"review": _review(expire_hours=-1)},
        "list by code": {"review": _review(approvals_by_code=[2])},
        "text for a market's approvals": {"markets": {"EU": {"approvals": "2"}}},
    }
    return [case(name, unchanged, "deny", "data.malformed", data={**DATA, **data}) for name, data in broken.items()]


def _review(**changes: Any) -> dict[str, Any]:
    return {**REVIEW, **changes}


def _input_cases() -> list[Case]:
    """An approval asks again whether the input images are allowed; what is for a person to look at was looked at."""
    allowed = {**DATA, "allow_inputs": True}
    strict = {**allowed, "input_manifests": {"none": "deny", "untrusted": "deny"}}
    similar = {**SIMILAR, **WORK, "score_millionths": 1_000_000}
    return [
        case("input image", _with(IMAGE), "allow", data=allowed),
        case("input images no longer allowed", _with(IMAGE), "deny", "inputs.not_allowed", data=DATA),
        case("input images no longer allowed, rejected", both(REJECTED, _with(IMAGE)), "allow", data=DATA),
        case("input image for review", _with(scored(IMAGE, 500_000)), "allow", data=allowed),
        case("input image denied now", _with(scored(IMAGE, 900_000)), "deny", "finding.denied", data=allowed),
        case("input image like a work", _with({**IMAGE, "findings": [FINDING, similar]}), "allow", data=allowed),
        case(
            "input image like a work denied now", _with({**IMAGE, "findings": [FINDING, {**similar, "action": "deny"}]}),
            "deny", "work.denied", data=allowed,
        ),
        case("input image of another signer", _with({**IMAGE, "manifest": "untrusted"}), "allow", data=allowed),
        case("input image without a manifest", _with(IMAGE), "deny", "input.manifest", data=strict),
        case("input image with a trusted manifest", _with({**IMAGE, "manifest": "trusted"}), "allow", data=strict),
    ]  # fmt: skip


def _with(*images: Mapping[str, Any]) -> Change:
    return put("/inputs", list(images))


def _for(*codes: str) -> Change:
    return put("/hold/codes", list(codes))
