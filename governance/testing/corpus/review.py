"""Cases of the review stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.canonical import digest
from governance.facts import Act
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
    case_maker,
    malformed,
    put,
    scored,
    unchanged,
)
from governance.testing.policy import EXAMPLE_HOLD, EXAMPLE_REVIEWER, access_facts, review_facts
from governance.types import Stage

_case = case_maker(Stage.REVIEW, review_facts)
_access = case_maker(Stage.REVIEW, access_facts)

_REJECTED = put("/verdict", "reject")
_OTHERS = ["second@example.org", "third@example.org", "fourth@example.org"]
_DECIDERS = ["reviewer", "editor in chief", "counsel"]
_HOLDS = ("holds.read", "holds.view", "holds.lease", "holds.comment")
REVIEW: Mapping[str, Any] = {
    "acts": {
        **dict.fromkeys(("holds.decide", *_HOLDS), _DECIDERS),
        "ledger.read": ["auditor", "reviewer"],
        "works.write": [],
    },
    "approvals": 1,
    "approvals_by_code": {"work.review": 2},
    "due_hours": 24,
    "expire_hours": 168,
    "queue": "general",
    "queue_by_code": {"work.review": "brand"},
    "queues": {
        "general": {"roles": ["reviewer", "editor in chief"]},
        "brand": {"roles": ["reviewer"]},
        "Ж/~": {"roles": ["counsel"]},
    },
    "roles": _DECIDERS,
}
"""Who does what in these cases."""
_DATA: Mapping[str, Any] = {
    "review": REVIEW,
    "markets": {"EU": {}, "east": {"approvals": 3}, "a/b~c": {"approvals": 4}},
}


def malformed_cases() -> list[Case]:
    """Facts of a review, of another act on a hold and of one on none, one part of them unreadable."""
    data = {**_DATA, "allow_inputs": True}
    image = {**IMAGE, "findings": [{**FINDING, **WORK}, SIMILAR]}
    decided = malformed(
        Stage.REVIEW,
        lambda: review_facts(approvals=_OTHERS, inputs=[image]),
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
        *_queue_cases(),
        *_escalation_cases(),
        *_act_cases(),
        *_data_cases(),
    ]


def _person_cases() -> list[Case]:
    return [
        _case("good", unchanged, "allow", data=_DATA),
        _case("held at admission", put("/hold/stage", "admission"), "allow", data=_DATA),
        _case("another role that may decide", _as("editor in chief"), "allow", data=_DATA),
        _case("several roles", _as("designer", "reviewer"), "allow", data=_DATA),
        _case("a role that may not decide", _as("designer"), "deny", "review.role", data=_DATA),
        _case("a role in other letters", _as("Reviewer"), "deny", "review.role", data=_DATA),
        _case("no role", _as(), "deny", "review.role", data=_DATA),
        _case("own request", _by(EXAMPLE_HOLD.requester), "deny", "review.requester", data=_DATA),
        _case("approved before", _after(EXAMPLE_REVIEWER.id), "deny", "review.twice", data=_DATA),
        _case(
            "own request, without the role", both(_by(EXAMPLE_HOLD.requester), _as()), "deny",
            "review.role", "review.requester", data=_DATA,
        ),
        _case("rejection without the role", both(_REJECTED, _as("designer")), "deny", "review.role", data=_DATA),
        _case(
            "rejection of the own request", both(_REJECTED, _by(EXAMPLE_HOLD.requester)), "deny",
            "review.requester", data=_DATA,
        ),
        _case(
            "own request, in other letters", _by(EXAMPLE_HOLD.requester.upper()), "deny", "review.requester", data=_DATA
        ),
        _case(
            "own request, vouched for by another", both(_by(EXAMPLE_HOLD.requester), put("/reviewer/issuer", "other")),
            "deny", "review.requester", data=_DATA,
        ),
        _case(
            "approved before, in other letters", _after(EXAMPLE_REVIEWER.id.title()), "deny", "review.twice", data=_DATA
        ),
        _case("rejection after an approval", both(_REJECTED, _after(EXAMPLE_REVIEWER.id)), "allow", data=_DATA),
        _case("another verdict", put("/verdict", "abstain"), "deny", "input.malformed", data=_DATA),
        _case("held at review", put("/hold/stage", "review"), "deny", "input.malformed", data=_DATA),
        _case("facts of release", put("/stage", "release"), "deny", "input.malformed", data=_DATA),
    ]  # fmt: skip


def _count_cases() -> list[Case]:
    return [
        _case("first of two for a code", _for("work.review"), "review", "review.pending", data=_DATA),
        _case("second of two for a code", both(_for("work.review"), _after(*_OTHERS[:1])), "allow", data=_DATA),
        _case("more than are needed", _after(*_OTHERS), "allow", data=_DATA),
        _case("held for no reason but approvals", _for(), "allow", data=_DATA),
        _case("a code without a number", _for("finding.review", "market.unknown"), "allow", data=_DATA),
        _case("first of three for a market", _in("east"), "review", "review.pending", data=_DATA),
        _case("second of three for a market", both(_in("east"), _after(*_OTHERS[:1])), "review", "review.pending", data=_DATA),
        _case("third of three for a market", both(_in("east"), _after(*_OTHERS[:2])), "allow", data=_DATA),
        _case("everywhere", both(_in(), _after(*_OTHERS[:2])), "review", "review.pending", data=_DATA),
        _case("everywhere, enough", both(_in(), _after(*_OTHERS)), "allow", data=_DATA),
        _case("market with a slash", both(_in("a/b~c"), _after(*_OTHERS[:2])), "review", "review.pending", data=_DATA),
        _case(
            "one person twice among them", both(_in("east"), _after(_OTHERS[0], _OTHERS[0])), "review",
            "review.pending", data=_DATA,
        ),
        _case(
            "one person in two spellings among them", both(_in("east"), _after(_OTHERS[0], _OTHERS[0].upper())), "review",
            "review.pending", data=_DATA,
        ),
        _case(
            "the requester among them", both(_for("work.review"), _after(EXAMPLE_HOLD.requester)), "review",
            "review.pending", data=_DATA,
        ),
        _case(
            "obliged in general", unchanged, "review", "review.pending",
            data={**_DATA, "obligations": {"approvals": 2}},
        ),
        _case("more in general", unchanged, "review", "review.pending", data={**_DATA, "review": _review(approvals=2)}),
        _case("rejected", _REJECTED, "allow", data=_DATA),
        _case("rejected where several must approve", both(_REJECTED, _in("east")), "allow", data=_DATA),
        _case("rejected after others approved", both(_REJECTED, _in("east"), _after(*_OTHERS)), "allow", data=_DATA),
    ]  # fmt: skip


def _model_cases() -> list[Case]:
    other = put("/model/components/unet", digest(b"x"))
    adapter = {"name": "style", "digest": digest(b"lora"), "scale_thousandths": 800}
    licensed = {"Apache-2.0": {"purposes": ["research"]}}
    return [
        _case("model no longer allowed", other, "deny", "model.not_allowed", data=_DATA),
        _case("model no longer allowed, rejected", both(_REJECTED, other), "allow", data=_DATA),
        _case("adapter not allowed", put("/model/adapters", [adapter]), "deny", "adapter.not_allowed", data=_DATA),
        _case("licence for another purpose", unchanged, "deny", "model.licence", data={**_DATA, "licences": licensed}),
        _case(
            "licence for this purpose", put("/hold/purpose", "research"), "allow", data={**_DATA, "licences": licensed}
        ),
        _case("no components", put("/model/components", {}), "deny", "input.malformed", data=_DATA),
        _case("market no longer known", _in("EU", "atlantis"), "deny", "market.unknown", data=_DATA),
        _case("market no longer known, rejected", both(_REJECTED, _in("atlantis")), "allow", data=_DATA),
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
    return [_case(name, unchanged, "deny", "data.malformed", data={**_DATA, **data}) for name, data in broken.items()]


def _review(**changes: Any) -> dict[str, Any]:
    return {**REVIEW, **changes}


def _input_cases() -> list[Case]:
    """An approval asks again whether the input images are allowed; what is for a person to look at was looked at."""
    allowed = {**_DATA, "allow_inputs": True}
    strict = {**allowed, "input_manifests": {"none": "deny", "untrusted": "deny"}}
    similar = {**SIMILAR, **WORK, "score_millionths": 1_000_000}
    return [
        _case("input image", _with(IMAGE), "allow", data=allowed),
        _case("input images no longer allowed", _with(IMAGE), "deny", "inputs.not_allowed", data=_DATA),
        _case("input images no longer allowed, rejected", both(_REJECTED, _with(IMAGE)), "allow", data=_DATA),
        _case("input image for review", _with(scored(IMAGE, 500_000)), "allow", data=allowed),
        _case("input image denied now", _with(scored(IMAGE, 900_000)), "deny", "finding.denied", data=allowed),
        _case("input image like a work", _with({**IMAGE, "findings": [FINDING, similar]}), "allow", data=allowed),
        _case(
            "input image like a work denied now", _with({**IMAGE, "findings": [FINDING, {**similar, "action": "deny"}]}),
            "deny", "work.denied", data=allowed,
        ),
        _case("input image of another signer", _with({**IMAGE, "manifest": "untrusted"}), "allow", data=allowed),
        _case("input image without a manifest", _with(IMAGE), "deny", "input.manifest", data=strict),
        _case("input image with a trusted manifest", _with({**IMAGE, "manifest": "trusted"}), "allow", data=strict),
    ]  # fmt: skip


def _queue_cases() -> list[Case]:
    return [
        _case("nobody's queue", _queued(""), "allow", data=_DATA),
        _case("nobody's queue, by anybody", both(_queued(""), _as("counsel")), "allow", data=_DATA),
        _case("one of the roles of the queue", both(_queued("brand"), _as("counsel", "reviewer")), "allow", data=_DATA),
        _case("another's queue", both(_queued("brand"), _as("editor in chief")), "deny", "review.queue", data=_DATA),
        _case("another's queue, rejected", both(_REJECTED, _queued("Ж/~")), "deny", "review.queue", data=_DATA),
        _case("a queue with an odd name", both(_queued("Ж/~"), _as("counsel")), "allow", data=_DATA),
        _case("a queue that is gone", _queued("gone"), "deny", "review.queue", data=_DATA),
        _case("a queue in other letters", _queued("General"), "deny", "review.queue", data=_DATA),
        _case("a queue of a prototype", _queued("__proto__"), "deny", "review.queue", data=_DATA),
    ]


def _escalation_cases() -> list[Case]:
    other = put("/model/components/unet", digest(b"x"))
    return [
        _case("escalated", _escalated("Ж/~"), "allow", data=_DATA),
        _case("escalated from nobody's queue", both(_queued(""), _escalated("general")), "allow", data=_DATA),
        _case("escalated where several must approve", both(_in("east"), _escalated("brand")), "allow", data=_DATA),
        _case("escalated after an approval", both(_after(EXAMPLE_REVIEWER.id), _escalated("brand")), "allow", data=_DATA),
        _case("escalated, model no longer allowed", both(other, _escalated("brand")), "allow", data=_DATA),
        _case("escalated to the same queue", _escalated("general"), "deny", "review.escalation", data=_DATA),
        _case("escalated to no known queue", _escalated("gone"), "deny", "review.escalation", data=_DATA),
        _case("escalated to nobody", _escalated(""), "deny", "input.malformed", data=_DATA),
        _case("escalated by another queue", both(_queued("Ж/~"), _escalated("brand")), "deny", "review.queue", data=_DATA),
        _case("escalated by the requester", both(_by(EXAMPLE_HOLD.requester), _escalated("brand")), "deny", "review.requester", data=_DATA),
        _case("escalated without the role", both(_as("designer"), _escalated("brand")), "deny", "review.role", "review.act", data=_DATA),
        _case("approved and escalated", put("/to", "brand"), "deny", "input.malformed", data=_DATA),
        _case("rejected and escalated", both(_REJECTED, put("/to", "brand")), "deny", "input.malformed", data=_DATA),
    ]  # fmt: skip


def _act_cases() -> list[Case]:
    decided = review_facts()
    stray = {name: decided[name] for name in ("verdict", "to", "approvals", "inputs", "model")}
    return [
        *(_access(f"to do {act}", _to(act), "allow", data=_DATA) for act in _HOLDS),
        *(_access(f"to do {act} as a guest", both(_to(act), _as("guest")), "deny", "review.act", data=_DATA) for act in _HOLDS),
        *(
            _access(f"to do {act} in another's queue", both(_to(act), _queued("Ж/~")), "deny", "review.queue", data=_DATA)
            for act in _HOLDS
        ),
        _access("to read holds", both(_to("holds.read"), _of_none), "allow", data=_DATA),
        _access("to read the ledger", both(_to("ledger.read"), _of_none), "allow", data=_DATA),
        _access("to read the ledger about a hold", _to("ledger.read"), "allow", data=_DATA),
        _access("to read the ledger, no role", both(_to("ledger.read"), _of_none, _as()), "deny", "review.act", data=_DATA),
        _access("to do what nobody may", both(_to("works.write"), _of_none), "deny", "review.act", data=_DATA),
        _access("to do what no list is about", both(_to("works.read"), _of_none), "deny", "review.act", data=_DATA),
        _access("to do what there is not", both(_to("holds.destroy"), _of_none), "deny", "review.act", data=_DATA),
        _access("to do what a prototype does", both(_to("__proto__"), _of_none), "deny", "review.act", data=_DATA),
        *(
            _access(f"to do {act} to no hold", both(_to(act), _of_none), "deny", "input.malformed", data=_DATA)
            for act in ("holds.view", "holds.lease", "holds.comment")
        ),
        *(
            _access(f"to do {act} to the own request", both(_to(act), _by(EXAMPLE_HOLD.requester.upper())), outcome, *codes, data=_DATA)
            for act, outcome, *codes in (
                ("holds.read", "allow"), ("holds.comment", "allow"),
                ("holds.view", "deny", "review.requester"), ("holds.lease", "deny", "review.requester"),
            )
        ),
        *(
            _access(f"to view, with {name}", put(f"/{name}", value), "deny", "input.malformed", data=_DATA)
            for name, value in stray.items()
        ),
        _access("to view, with a verdict of null", put("/verdict", None), "deny", "input.malformed", data=_DATA),
        _access("to view, with a verdict of false", put("/verdict", False), "deny", "input.malformed", data=_DATA),
        _case("to decide on no hold", _of_none, "deny", "input.malformed", data=_DATA),
        _case("a verdict in another act", _to("holds.view"), "deny", "input.malformed", data=_DATA),
    ]  # fmt: skip


def _of_none(facts: dict[str, Any]) -> None:
    """About no hold."""
    del facts["hold"]


def _to(act: str) -> Change:
    return put("/act", act)


def _queued(queue: str) -> Change:
    return put("/hold/queue", queue)


def _escalated(queue: str) -> Change:
    return both(put("/verdict", "escalate"), put("/to", queue))


def _with(*images: Mapping[str, Any]) -> Change:
    return put("/inputs", list(images))


def _as(*roles: str) -> Change:
    return put("/reviewer/roles", list(roles))


def _by(person: str) -> Change:
    return put("/reviewer/id", person)


def _after(*people: str) -> Change:
    return put("/approvals", list(people))


def _for(*codes: str) -> Change:
    return put("/hold/codes", list(codes))


def _in(*markets: str) -> Change:
    return put("/hold/markets", list(markets))
