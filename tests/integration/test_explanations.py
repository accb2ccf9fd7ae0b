"""The shipped bundle explains the decisions of the corpus: a rule for each reason, and data that is really there."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from contextlib import closing

import pytest

from governance.testing.corpus import Case, changed_data, example_data, rule_cases
from governance_adapters.policy.answers import decision_from
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.policy.explanation import explained
from governance_adapters.policy.regorus import RegorusEngine

SHIPPED = Bundle.load(default_bundle_path())
LEAST = 4
"""States of the data with fewer cases are left to the conformance run: each costs an engine."""


def groups() -> list[list[Case]]:
    """The cases of the corpus, by the data that they are about."""
    found: dict[str, list[Case]] = defaultdict(list)
    for case in rule_cases():
        found[json.dumps(case.data, sort_keys=True)].append(case)
    return [group for group in found.values() if len(group) >= LEAST]


GROUPS = groups()


def check(bundle: Bundle, engine: RegorusEngine, case: Case) -> None:
    content = json.dumps(case.content)
    decision = decision_from(bundle, case.stage, engine.evaluate_unvalidated(case.stage, content))
    answer = engine.evaluate_unvalidated(case.stage, content, "explanation")
    told = explained(bundle, decision, case.content, answer)
    # The two rules are one answer: no reason is given that is not explained.
    explained_reasons = {(each["code"], each["message"], each["path"]) for each in answer}
    assert {(reason.code, reason.message, reason.path) for reason in decision.reasons} <= explained_reasons, case.name
    assert told.outcome.value == case.outcome, case.name
    assert bool(told.reasons) == (case.outcome != "allow"), case.name
    for reason in (*told.reasons, *told.notes):
        assert reason.rule is not None, (case.name, reason.code)
        assert reason.rule.places, (case.name, reason.code)
        for ground in reason.grounds:
            assert ground.datum.there, (case.name, ground.datum.pointer)
        if reason.code != "input.malformed" and reason.field is not None:
            assert reason.field.there, (case.name, reason.path)
    for obligation in told.obligations:
        assert obligation.sources, (case.name, obligation.name)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group[0].name)
def test_rule_field_and_datum_are_there(group: list[Case]) -> None:
    data = changed_data(example_data(SHIPPED.data), group[0].data)
    bundle = dataclasses.replace(SHIPPED, data=data)
    with closing(RegorusEngine(bundle, engines=1)) as engine:
        for case in group:
            check(bundle, engine, case)


def test_the_cases_are_of_every_stage_and_outcome() -> None:
    seen = {(case.stage.value, case.outcome) for group in GROUPS for case in group}
    assert {stage for stage, _ in seen} == {"admission", "release", "review", "training"}
    assert {outcome for _, outcome in seen} == {"allow", "review", "deny"}
