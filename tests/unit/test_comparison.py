"""The conformance run itself, with engines that answer as scripted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from governance.errors import ConfigurationError, PolicyError
from governance.testing.conformance import FAILED, MALFORMED, UNDEFINED, by_data, compare
from governance.testing.corpus import Case
from governance.types import Stage

DENIAL = {
    "outcome": "deny",
    "reasons": [{"code": "a.b", "message": "No.", "path": "/x"}, {"code": "a.a", "message": "No.", "path": ""}],
    "obligations": {"approvals": 1, "watermark": True},
}
CASE = Case("a case", Stage.ADMISSION, {"x": 1}, "deny", frozenset({"a.b"}))


def saying(answer: Any):
    def evaluate(stage: Stage, content: str) -> Any:
        assert (stage, json.loads(content)) == (CASE.stage, CASE.content)
        if isinstance(answer, PolicyError):
            raise answer
        return answer

    return evaluate


def test_order_and_messages_do_not_count() -> None:
    other = {
        "obligations": {"watermark": True, "approvals": 1},
        "reasons": [{"code": "a.a", "message": "Nein.", "path": ""}, {"code": "a.b", "message": "Nein.", "path": "/x"}],
        "outcome": "deny",
    }
    run = compare([CASE], {"one": saying(DENIAL), "two": saying(other), "three": saying(DENIAL)})
    assert (run.engines, run.inputs, dict(run.outcomes)) == (("one", "two", "three"), 1, {"deny": 1})
    assert run.disagreements == ()
    assert run.unexpected == {}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({**DENIAL, "outcome": "allow"}, "allow"),
        ({**DENIAL, "reasons": DENIAL["reasons"][:1]}, "deny"),
        ({**DENIAL, "reasons": [*DENIAL["reasons"], DENIAL["reasons"][0]]}, "deny"),
        ({**DENIAL, "reasons": [{**DENIAL["reasons"][0], "path": "/y"}, DENIAL["reasons"][1]]}, "deny"),
        ({**DENIAL, "obligations": {"approvals": 1, "watermark": 1}}, "deny"),
        ({**DENIAL, "obligations": {"approvals": 1.0, "watermark": True}}, "deny"),
        ({**DENIAL, "obligations": {}}, "deny"),
        (None, UNDEFINED),
        (PolicyError("It is down.", remedy="Start it."), FAILED),
        ("deny", MALFORMED),
        ({"outcome": "deny"}, MALFORMED),
    ],
)
def test_every_difference_is_a_disagreement_with_all_answers(answer: Any, outcome: str) -> None:
    run = compare([CASE], {"one": saying(DENIAL), "two": saying(DENIAL), "three": saying(answer)})
    (found,) = run.disagreements
    assert (found.case, set(found.answers)) == ("a case", {"one", "two", "three"})
    assert found.answers["three"].outcome == outcome
    assert "a case: one says deny [a.a, a.b /x]" in str(found)
    assert dict(run.outcomes) == {}


def test_what_all_say_and_the_corpus_does_not_is_unexpected() -> None:
    for answer in ({**DENIAL, "outcome": "allow"}, {**DENIAL, "reasons": []}, None):
        run = compare([CASE], {"one": saying(answer), "two": saying(answer)})
        assert run.disagreements == ()
        assert list(run.unexpected) == ["a case"]


def test_a_run_that_could_not_disagree_is_refused() -> None:
    for cases, engines in (([CASE], {"one": saying(DENIAL)}), ([CASE], {}), ([], dict.fromkeys("ab", saying(DENIAL)))):
        with pytest.raises(ConfigurationError, match="cannot disagree"):
            compare(cases, engines)


def test_runs_add_up_only_over_the_same_engines() -> None:
    one = compare([CASE], {"one": saying(DENIAL), "two": saying(DENIAL)})
    other = compare([CASE], {"one": saying(DENIAL), "two": saying(None)})
    both = one + other
    assert (both.inputs, dict(both.outcomes), len(both.disagreements)) == (2, {"deny": 1}, 1)
    with pytest.raises(ConfigurationError, match="do not add up"):
        one + compare([CASE], {"one": saying(DENIAL), "three": saying(DENIAL)})


def test_cases_go_together_by_the_data_they_want() -> None:
    changed = Case("other data", Stage.RELEASE, {}, "deny", data={"limits": {}})
    assert by_data([CASE, changed, CASE]) == [[CASE, CASE], [changed]]
