"""Cases of the review stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.canonical import digest
from governance.testing.corpus.cases import Case, Change, both, case_maker, malformed, put, unchanged
from governance.testing.policy import EXAMPLE_HOLD, EXAMPLE_REVIEWER, review_facts
from governance.types import Stage

_case = case_maker(Stage.REVIEW, review_facts)

_REJECTED = put("/verdict", "reject")
_OTHERS = ["second@example.org", "third@example.org", "fourth@example.org"]
_DATA: Mapping[str, Any] = {
    "review": {"roles": ["reviewer", "editor in chief"], "approvals": 1, "approvals_by_code": {"work.review": 2}},
    "markets": {"EU": {}, "east": {"approvals": 3}, "a/b~c": {"approvals": 4}},
}


def malformed_cases() -> list[Case]:
    """Facts of a review, one part of them unreadable."""
    return malformed(Stage.REVIEW, lambda: review_facts(approvals=_OTHERS))


def rule_cases() -> list[Case]:
    """A good review, and for each rule one that differs from it by what the rule is about."""
    return [*_person_cases(), *_count_cases(), *_model_cases(), *_data_cases()]


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
        "list by code": {"review": _review(approvals_by_code=[2])},
        "text for a market's approvals": {"markets": {"EU": {"approvals": "2"}}},
    }
    return [_case(name, unchanged, "deny", "data.malformed", data={**_DATA, **data}) for name, data in broken.items()]


def _review(**changes: Any) -> dict[str, Any]:
    return {**_DATA["review"], **changes}


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
