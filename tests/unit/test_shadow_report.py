"""The report of shadow mode: what enforcement would have done, counted from the ledger."""

import json
from dataclasses import replace

import pytest

from governance.assets import Verdict
from governance.entries import EntryKind
from governance.errors import GovernanceError, QueryError, SigningError
from governance.governor import Governor
from governance.shadow_report import NO_ROLE, NOT_KEPT, ShadowReport, shadow_report
from governance.testing import EXAMPLE_MODEL, FailingAt, FakePipeline, FakePolicyEngine, example_request, fake_parts
from governance.types import Mode, Outcome, Principal, Prompt, Reason, Stage

WORD, SKIN = Reason("prompt.blocked_term", "No.", "/prompts/0"), Reason("finding.review", "Look.", "/findings/0")
NOTHING = {"released": 0, "denied": 0, "held": 0, "failed": 0}


class Rules(FakePolicyEngine):
    """Denies a prompt with `bad`, holds the second image of every call."""

    def __init__(self):
        super().__init__({Stage.ADMISSION: self._admission, Stage.RELEASE: self._release})

    def _admission(self, stage, facts):
        if "bad" in facts["prompts"][0]["text"]:
            return self.answer(stage, Outcome.DENY, WORD)
        return self.answer(stage, Outcome.ALLOW, max_steps=30)

    def _release(self, stage, facts):
        held = facts["draft"]["index"] == 1
        return self.answer(stage, Outcome.REVIEW, SKIN) if held else self.answer(stage, Outcome.ALLOW)


def ask(parts, number, prompt="a red seven", *, images=1, steps=20, roles=("designer",), model=EXAMPLE_MODEL):
    request = example_request(
        id=f"request-{number}",
        principal=Principal("designer@example.org", roles),
        prompts=(Prompt(prompt),),
        images=images,
        steps=steps,
        width=64,
        height=64,
        seeds=(),
    )
    return Governor(parts).generate(request, FakePipeline(model))


@pytest.fixture
def parts():
    """Four calls in shadow mode between two that are enforced."""
    parts = fake_parts(policy=Rules())
    ask(parts, 0)
    shadowed = replace(parts, mode=Mode.SHADOW)
    ask(shadowed, 1)
    ask(shadowed, 2, "a bad seven", images=2, roles=("designer", "editor"))
    ask(shadowed, 3, images=2, roles=())
    ask(shadowed, 4, steps=40, model=replace(EXAMPLE_MODEL, pipeline="AnotherPipeline"))
    ask(parts, 5)
    return parts


class TestCounts:
    def test_calls_and_images_by_what_would_have_become_of_them(self, parts):
        told = shadow_report(parts.ledger).as_json()
        assert told["calls"] == {
            "made": 4,
            "unchanged": 1,
            "admission": {"released": 2, "denied": 1, "held": 0, "failed": 1},
        }
        assert told["images"] == {
            "asked": 6,
            "unreleased": 0,
            "verdicts": {"released": 2, "denied": 2, "held": 1, "failed": 1},
        }
        assert [switch["mode"] for switch in told["switches"]] == ["shadow", "enforce"]
        json.dumps(told)

    def test_by_stage_model_and_role(self, parts):
        told = shadow_report(parts.ledger).as_json()
        assert told["stages"] == {
            "admission": {**NOTHING, "denied": 2, "failed": 1},
            "release": {**NOTHING, "released": 2, "held": 1},
        }
        models = {name.split()[0]: counts for name, counts in told["models"].items()}
        assert models["AnotherPipeline"] == {**NOTHING, "failed": 1}
        assert sum(counts["denied"] for counts in models.values()) == 2
        assert told["roles"] == {
            NO_ROLE: {**NOTHING, "released": 1, "held": 1},
            "designer": {**NOTHING, "released": 1, "denied": 2, "failed": 1},
            "editor": {**NOTHING, "denied": 2},
        }

    def test_by_reason_with_entries_to_look_at(self, parts):
        codes = {each["code"]: each for each in shadow_report(parts.ledger, examples=2).as_json()["codes"]}
        assert set(codes) == {"prompt.blocked_term", "finding.review", "obligation.max_steps"}
        word = codes["prompt.blocked_term"]
        assert (word["stage"], word["calls"], word["images"]) == ("admission", 1, {**NOTHING, "denied": 2})
        kinds = [parts.ledger.entry(entry_id).kind for entry_id in word["examples"]]
        assert kinds == [EntryKind.INTENT, EntryKind.RELEASED]
        skin = codes["finding.review"]
        assert (skin["stage"], skin["calls"], skin["images"]) == ("release", 1, {**NOTHING, "held": 1})
        (example,) = skin["examples"]
        assert parts.ledger.entry(example).body["item"] == 1

    def test_since_a_time(self, parts):
        (_, last) = parts.ledger.entries(kind=EntryKind.MODE)
        told = shadow_report(parts.ledger, since="2999-01-01T00:00:00.000Z").as_json()
        assert told["calls"]["made"] == told["images"]["verdicts"]["released"] == 0
        assert last[1].id in [switch["entry"] for switch in told["switches"]]
        assert shadow_report(parts.ledger, since="2020-01-01T00:00:00.000Z").as_json()["calls"]["made"] == 4
        with pytest.raises(QueryError):
            shadow_report(parts.ledger, since="yesterday")

    def test_what_failed_is_no_decision_of_policy(self):
        base = fake_parts(policy=Rules(), mode=Mode.SHADOW)
        parts = replace(base, signer=FailingAt(base.signer, "sign", SigningError("no")))
        ask(parts, 1, images=2)
        told = shadow_report(base.ledger).as_json()
        assert told["images"]["unreleased"] == 1
        assert told["images"]["verdicts"] == {**NOTHING, "held": 1}

    def test_enforcement_alone_counts_nothing(self):
        parts = fake_parts(policy=Rules())
        ask(parts, 0)
        with pytest.raises(GovernanceError):
            ask(parts, 1, "a bad seven")
        report = shadow_report(parts.ledger)
        assert (report.made, report.images.total(), report.switches) == (set(), 0, [])

    def test_a_policy_input_that_is_not_kept_is_counted_apart(self, parts):
        class Forgetful:
            def __getattr__(self, name):
                return getattr(parts.ledger, name)

            def document(self, digest):
                return None

        told = shadow_report(Forgetful()).as_json()
        assert told["models"] == {NOT_KEPT: {"released": 2, "denied": 2, "held": 1, "failed": 1}}
        assert told["roles"] == told["models"]

    def test_the_reasons_with_the_most_calls_come_first(self):
        report = ShadowReport()
        for code, calls in (("a.rare", 1), ("b.often", 3), ("c.often", 3)):
            report.codes["release", code].calls.update(map(str, range(calls)))
        report.codes["release", "c.often"].verdicts[Verdict.DENIED.value] = 9
        assert [name for (_, name), _ in report.ranked()] == ["c.often", "b.often", "a.rare"]
