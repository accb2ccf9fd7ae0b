"""Who may do what under the shipped bundle: every role and every act, expected and seen, in every engine."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from governance.ports import PolicyEngine
from governance.review_facts import Act, Hold
from governance.testing.policy import EXAMPLE_HOLD, access_facts, review_facts
from governance.types import Outcome, Principal, Stage
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.opa import OpaEngine
from governance_adapters.policy.regorus import RegorusEngine

_ACTS: Final = (
    Act.HOLDS_READ, Act.HOLDS_VIEW, Act.HOLDS_LEASE, Act.HOLDS_COMMENT, Act.HOLDS_DECIDE,
    Act.LEDGER_READ, Act.LEDGER_PERSONAL, Act.WORKS_READ, Act.WORKS_WRITE, Act.FILES_VERIFY,
)  # fmt: skip
EXPECTED: Final = """
             read  view  lease  comment  decide  ledger  personal  works  write  verify
auditor      -     -     -      -        -       yes     yes       yes    -      yes
counsel      yes   yes   yes    yes      yes     yes     yes       yes    yes    yes
designer     -     -     -      -        -       -       -         -      -      yes
editor       -     -     -      -        -       -       -         -      -      yes
evaluator    -     -     -      -        -       -       -         -      -      yes
researcher   -     -     -      -        -       -       -         -      -      yes
reviewer     yes   yes   yes    yes      yes     yes     -         yes    -      yes
stranger     -     -     -      -        -       -       -         -      -      -
"""
"""Who may do what, to a hold that is in nobody's queue where the act is about one. `stranger` is no role of the bundle."""
QUEUES: Final = """
             general  brand  legal  gone
counsel      -        -      yes    -
reviewer     yes      yes    -      -
"""
"""Whose holds are whose, for each act on one."""
_QUEUES: Final = QUEUES.split("\n")[1].split()


@pytest.fixture(scope="module", params=["embedded", "server"])
def engine(request: pytest.FixtureRequest, served_bundle: Bundle) -> Iterator[PolicyEngine]:
    """The shipped bundle, with the example model allowed."""
    if request.param == "server":
        yield OpaEngine(served_bundle, request.getfixturevalue("policy_server").url)
        return
    embedded = RegorusEngine(served_bundle)
    yield embedded
    embedded.close()


def table(text: str) -> dict[str, list[str]]:
    """The rows of a table by their names."""
    head, *rows = [line.split() for line in text.strip().splitlines()]
    assert all(len(row) == len(head) + 1 for row in rows)
    return {row[0]: row[1:] for row in rows}


def outcome(engine: PolicyEngine, act: Act, role: str, hold: Hold) -> str:
    """`yes` where somebody with this role may do `act`, to `hold` where the act is about one."""
    reviewer = Principal("somebody@example.org", (role,))
    if act is Act.HOLDS_DECIDE:
        facts = review_facts(reviewer=reviewer, hold=hold)
    else:
        facts = access_facts(act, hold if act.startswith("holds.") else None, reviewer=reviewer)
    return "yes" if engine.decide(Stage.REVIEW, facts).outcome is Outcome.ALLOW else "-"


def queued(queue: str) -> Hold:
    """The example hold in this queue."""
    return dataclasses.replace(EXAMPLE_HOLD, queue=queue)


def test_every_role_may_do_what_the_table_says(engine: PolicyEngine, figure: Callable[[str], None]) -> None:
    seen = {role: [outcome(engine, act, role, queued("")) for act in _ACTS] for role in table(EXPECTED)}
    assert seen == table(EXPECTED)
    figure(f"role x act: {sum(map(len, seen.values()))} answers, all as the table says")


def test_every_role_decides_in_its_queues(engine: PolicyEngine) -> None:
    for act in _ACTS[:5]:
        seen = {role: [outcome(engine, act, role, queued(queue)) for queue in _QUEUES] for role in table(QUEUES)}
        assert seen == table(QUEUES), act


def test_the_table_leaves_no_role_and_no_act_out(served_bundle: Bundle) -> None:
    assert set(_ACTS) == set(Act)
    assert {*served_bundle.data["roles"], "stranger"} == set(table(EXPECTED))
    assert {*served_bundle.data["review"]["queues"], "gone"} == set(_QUEUES)
    schema = json.loads((served_bundle.root / "schemas" / "review.input.json").read_text())
    assert set(schema["properties"]["act"]["enum"]) == set(Act)
    assert set(served_bundle.data["review"]["acts"]) == set(Act)
