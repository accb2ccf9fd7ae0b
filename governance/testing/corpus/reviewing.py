"""What the cases of the review stage are made of: who does what, and changes to the facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.testing.corpus.cases import Change, both, case_maker, put
from governance.testing.policy import access_facts, review_facts
from governance.types import Stage

case = case_maker(Stage.REVIEW, review_facts)
access = case_maker(Stage.REVIEW, access_facts)

REJECTED = put("/verdict", "reject")
OTHERS = ["second@example.org", "third@example.org", "fourth@example.org"]
_DECIDERS = ["reviewer", "editor in chief", "counsel"]
HOLDS = ("holds.read", "holds.view", "holds.lease", "holds.comment")
REVIEW: Mapping[str, Any] = {
    "acts": {
        **dict.fromkeys(("holds.decide", *HOLDS), _DECIDERS),
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
DATA: Mapping[str, Any] = {
    "review": REVIEW,
    "markets": {"EU": {}, "east": {"approvals": 3}, "a/b~c": {"approvals": 4}},
}


def of_none(facts: dict[str, Any]) -> None:
    """About no hold."""
    del facts["hold"]


def to_do(act: str) -> Change:
    """To do something else."""
    return put("/act", act)


def queued(queue: str) -> Change:
    """Held in this queue."""
    return put("/hold/queue", queue)


def escalated(queue: str) -> Change:
    """Escalated to this queue."""
    return both(put("/verdict", "escalate"), put("/to", queue))


def acting_as(*roles: str) -> Change:
    """By somebody with these roles."""
    return put("/reviewer/roles", list(roles))


def decided_by(person: str) -> Change:
    """By this person."""
    return put("/reviewer/id", person)


def after(*people: str) -> Change:
    """After these people approved."""
    return put("/approvals", list(people))


def in_markets(*markets: str) -> Change:
    """Held for these markets."""
    return put("/hold/markets", list(markets))
