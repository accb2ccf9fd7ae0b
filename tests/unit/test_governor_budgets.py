"""Budgets down the line: what intents spend, and what happens when somebody else spends in between."""

import json
from dataclasses import replace

import pytest

from governance import steps
from governance.assets import Verdict
from governance.entries import EntryKind
from governance.errors import BudgetError, DeniedError, GenerationError, HeldError, ObligationError
from governance.facts import day_of
from governance.governor import Governor
from governance.testing import FakePipeline, FakePolicyEngine, example_request, fake_parts
from governance.types import Outcome, Reason, Stage, Usage
from support.line_work import Meanwhile

SPENT = Reason("budget.images", "The day's images are spent.", "/usage/images")
SMALL = {"width": 64, "height": 32, "steps": 10, "seeds": ()}
ONE = Usage(images=1, steps=10, pixels=2_048, step_pixels=20_480)


def small_request(request_id="request-1", **changes):
    return example_request(id=request_id, **{**SMALL, **changes})


class Budgeting(FakePolicyEngine):
    """A policy whose budget of images is the next of `budgets`, and stays at the last."""

    def __init__(self, *budgets):
        super().__init__({Stage.ADMISSION: self._admission})
        self._budgets = list(budgets)

    def _admission(self, stage, facts):
        budget = self._budgets.pop(0) if len(self._budgets) > 1 else self._budgets[0]
        if facts["usage"]["images"] + facts["request"]["images"] > budget:
            return self.answer(stage, Outcome.DENY, SPENT)
        return self.answer(stage, Outcome.ALLOW, watermark=True, day_budget={"images": budget})

    @property
    def usages(self):
        """What it was shown at admission, in order."""
        return [facts["usage"]["images"] for stage, facts in self.asked if stage is Stage.ADMISSION]


class Overgenerous(FakePolicyEngine):
    """Goes on allowing what its own budget has no room for."""

    def __init__(self):
        super().__init__({Stage.ADMISSION: lambda s, _: self.answer(s, Outcome.ALLOW, day_budget={"images": 0})})


def kinds(parts):
    return [entry.kind.value for _, entry in parts.ledger.entries()]


def input_of(parts, entry):
    return json.loads(parts.ledger.document(entry.body["decision"]["input"]))


def spent(parts):
    (intent, *_) = [record for record in parts.ledger.records if record.spending]
    return parts.ledger.usage("designer@example.org", intent.spending.day)


class TestSpending:
    def test_an_intent_spends_what_its_request_asks_for_on_the_day_that_policy_saw(self):
        parts = fake_parts(policy=Budgeting(7))
        Governor(parts).generate(small_request(images=3), FakePipeline())
        intent, *others = parts.ledger.records
        asked_at = input_of(parts, intent.entry)["time"]
        assert intent.spending.principal_id == "designer@example.org"
        assert intent.spending.day == day_of(asked_at) == asked_at[:10]
        assert intent.spending.amount == Usage(images=3, steps=30, pixels=6_144, step_pixels=61_440)
        assert intent.spending.budget == {"images": 7}
        assert not [record for record in others if record.spending]
        assert spent(parts) == intent.spending.amount

    def test_policy_sees_what_was_spent_before(self):
        policy = Budgeting(10)
        parts = fake_parts(policy=policy)
        for number, images in enumerate((1, 2, 3)):
            Governor(parts).generate(small_request(f"request-{number}", images=images), FakePipeline())
        assert policy.usages == [0, 1, 3]
        assert [facts["usage"] for _, facts in policy.asked][2] == ONE.as_json()

    def test_without_a_budget_usage_is_counted_all_the_same(self):
        parts = fake_parts()
        Governor(parts).generate(small_request(), FakePipeline())
        assert spent(parts) == ONE

    def test_what_was_admitted_counts_whatever_became_of_it(self):
        parts = fake_parts(policy=Budgeting(2))
        for _ in range(2):  # the second is another attempt at the same request
            with pytest.raises(GenerationError):
                Governor(parts).generate(small_request(), FakePipeline(error=GenerationError("out of memory")))
        assert spent(parts).images == 2
        with pytest.raises(DeniedError, match=r"budget\.images"):
            Governor(parts).generate(small_request(), FakePipeline())
        assert spent(parts).images == 2

    @pytest.mark.parametrize(("outcome", "error"), [(Outcome.DENY, DeniedError), (Outcome.REVIEW, HeldError)])
    def test_what_was_withheld_at_release_was_spent(self, outcome, error):
        engine = FakePolicyEngine()
        parts = fake_parts(policy=FakePolicyEngine({Stage.RELEASE: lambda s, _: engine.answer(s, outcome, SPENT)}))
        with pytest.raises(error):
            Governor(parts).generate(small_request(), FakePipeline())
        assert spent(parts) == ONE

    @pytest.mark.parametrize(("outcome", "error"), [(Outcome.DENY, DeniedError), (Outcome.REVIEW, HeldError)])
    def test_what_was_not_admitted_spends_nothing(self, outcome, error):
        engine = FakePolicyEngine()
        parts = fake_parts(policy=FakePolicyEngine({Stage.ADMISSION: lambda s, _: engine.answer(s, outcome, SPENT)}))
        with pytest.raises(error):
            Governor(parts).generate(small_request(), FakePipeline())
        assert not [record for record in parts.ledger.records if record.spending]

    def test_a_recorded_result_spends_nothing(self):
        policy = Budgeting(1)
        parts = fake_parts(policy=policy)
        first = Governor(parts).generate(small_request(), FakePipeline())
        again = Governor(parts).generate(small_request(), FakePipeline())
        assert again.generation_id == first.generation_id
        assert (spent(parts), policy.usages) == (ONE, [0])

    def test_principals_have_a_budget_each(self):
        parts = fake_parts(policy=Budgeting(1))
        other = replace(example_request().principal, id="editor@example.org")
        Governor(parts).generate(small_request(), FakePipeline())
        Governor(parts).generate(small_request(principal=other), FakePipeline())
        assert kinds(parts) == ["intent", "released"] * 2

    def test_the_budget_is_recorded_as_honoured(self):
        parts = fake_parts(policy=Budgeting(5))
        (item,) = Governor(parts).generate(small_request(), FakePipeline()).items
        assert item.entry.body["honoured"]["day_budget"] == {"images": 5}

    @pytest.mark.parametrize(
        ("release_budget", "fits"),
        [({"images": 5}, True), ({"images": 6}, True), ({"images": 4}, False), ({"steps": 9}, False)],
    )
    def test_a_budget_that_comes_too_late_is_refused(self, release_budget, fits):
        policy = Budgeting(5)
        policy.script[Stage.RELEASE] = lambda s, _: policy.answer(s, Outcome.ALLOW, day_budget=release_budget)
        parts = fake_parts(policy=policy)
        if fits:
            Governor(parts).generate(small_request(), FakePipeline())
        else:
            with pytest.raises(ObligationError, match="admission only"):
                Governor(parts).generate(small_request(), FakePipeline())
        assert kinds(parts) == ["intent", "released" if fits else "failed"]


class TestSomebodyElseSpendsInBetween:
    """Another call of the same principal writes its intent after policy was asked and before the intent is written."""

    def raced(self, policy):
        """A line whose first append comes just after another call's; and that call's line, over the same ledger."""
        sound = fake_parts(policy=policy)
        other = replace(sound, policy=FakePolicyEngine())
        rival = lambda: Governor(other).generate(small_request("rival"), FakePipeline())  # noqa: E731
        return replace(sound, ledger=Meanwhile(sound.ledger, "append", before=rival)), sound

    def test_and_there_is_enough_left_policy_is_asked_again_and_allows(self):
        policy = Budgeting(1, 2)
        parts, sound = self.raced(policy)
        (item,) = Governor(parts).generate(small_request(), FakePipeline()).items
        assert item.verdict is Verdict.RELEASED
        assert policy.usages == [0, 1]
        assert kinds(sound) == ["intent", "released"] * 2
        intent = sound.ledger.records[2]
        assert input_of(sound, intent.entry)["usage"]["images"] == 1
        assert intent.entry.body["decision"]["decision_id"] == item.decisions[0].decision_id
        assert intent.spending.budget == {"images": 2}
        assert spent(sound).images == 2

    def test_and_nothing_is_left_policy_denies_on_what_it_sees_then(self):
        policy, pipeline = Budgeting(1), FakePipeline()
        parts, sound = self.raced(policy)
        with pytest.raises(DeniedError, match=r"budget\.images"):
            Governor(parts).generate(small_request(), pipeline)
        assert (pipeline.runs, policy.usages) == (0, [0, 1])
        assert kinds(sound) == ["intent", "released", "denied"]
        denied = sound.ledger.records[2].entry
        assert input_of(sound, denied)["usage"]["images"] == 1
        assert spent(sound).images == 1
        assert sound.ledger.open_claims() == 0

    def test_a_policy_that_allows_what_its_budget_refuses_fails_in_the_end(self):
        policy, pipeline = Overgenerous(), FakePipeline()
        parts = fake_parts(policy=policy)
        for attempt in (1, 2):
            with pytest.raises(BudgetError) as caught:
                Governor(parts).generate(small_request(), pipeline)
            assert caught.value.remedy
            assert len(policy.asked) == attempt * steps.ADMISSIONS
        assert pipeline.runs == 0
        assert kinds(parts) == ["failed"] * 2
        bodies = [entry.body for _, entry in parts.ledger.entries(kind=EntryKind.FAILED)]
        assert [(body["step"], body["error"], body["attempt"]) for body in bodies] == [
            ("intend", "BudgetError", 1),
            ("intend", "BudgetError", 2),
        ]
        assert parts.ledger.open_claims() == 0
