"""Shadow mode down the line: every decision recorded, none obeyed; and whatever is no decision of policy still stops it."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from governance.agreement import disagreement
from governance.assets import Verdict
from governance.bodies import decision_of
from governance.entries import Entry, EntryKind, Record
from governance.errors import (
    BudgetError,
    ConflictError,
    DeniedError,
    DetectorError,
    GenerationError,
    GovernanceError,
    HeldError,
    LedgerError,
    MarkError,
    ModelError,
    ObligationError,
    PolicyError,
    ProofError,
    SigningError,
    StorageError,
)
from governance.governor import Governor
from governance.metadata import MODE
from governance.ports import ManifestState
from governance.review import ReviewDesk
from governance.shadow import (
    APPROVALS,
    BUDGET,
    STEPS,
    Judgement,
    Shadow,
    bears_out,
    shadow_of,
    withheld_under_enforcement,
)
from governance.testing import FailingAt, FakePipeline, FakePolicyEngine, FakeWatermarker, example_request, fake_parts
from governance.types import InputImage, Mode, Outcome, Prompt, Reason, Stage, Usage
from governance.verification import Status, Verifier
from support.line_work import Meanwhile
from support.reviewing import ANN, BOB, CODES, HELD, ReviewPolicy

DENIAL = Reason("test.denied", "This is denied.", "/prompts/0")
OTHER = Reason("test.other", "This too.", "/prompts/0")


def small(request_id="request-1", **changes):
    settled = {"prompts": (Prompt("a red seven"),), "width": 64, "height": 64, "steps": 20, "seeds": ()}
    return example_request(id=request_id, **{**settled, **changes})


def answering(**stages):
    """A policy that gives a stage this outcome, these reasons and these obligations; it allows all others."""
    engine = FakePolicyEngine()

    def scripted(outcome, *reasons, **obligations):
        return lambda stage, _: engine.answer(stage, outcome, *reasons, **obligations)

    return FakePolicyEngine({Stage(name): scripted(*said, **obliged) for name, (said, obliged) in stages.items()})


def said(outcome, *reasons, **obligations):
    return (outcome, *reasons), obligations


def shadowed(**changes):
    return fake_parts(mode=Mode.SHADOW, **changes)


def kinds(parts):
    return [entry.kind.value for _, entry in parts.ledger.entries(limit=1000)]


def last(parts, kind):
    return [entry for _, entry in parts.ledger.entries(kind=kind, limit=1000)][-1]


def made(parts, request=None):
    (item,) = Governor(parts).generate(request or small(), FakePipeline()).items
    return item


ADMISSION_DENIED = Judgement(Stage.ADMISSION, Verdict.DENIED, ("test.denied", "test.other"))
PASSED = Judgement(Stage.ADMISSION, Verdict.RELEASED)
ALLOWED = Judgement(Stage.RELEASE, Verdict.RELEASED)
WOULD = [
    ("nothing", {}, Shadow((PASSED, ALLOWED))),
    ("admission denies", {"admission": said(Outcome.DENY, DENIAL, OTHER, DENIAL)}, Shadow((ADMISSION_DENIED, ALLOWED))),
    (
        "admission holds",
        {"admission": said(Outcome.REVIEW, DENIAL, queue="legal", expire_hours=1)},
        Shadow((Judgement(Stage.ADMISSION, Verdict.HELD, ("test.denied",)), ALLOWED)),
    ),
    (
        "release denies",
        {"release": said(Outcome.DENY, DENIAL)},
        Shadow((PASSED, Judgement(Stage.RELEASE, Verdict.DENIED, ("test.denied",)))),
    ),
    (
        "release holds",
        {"release": said(Outcome.REVIEW, DENIAL)},
        Shadow((PASSED, Judgement(Stage.RELEASE, Verdict.HELD, ("test.denied",)))),
    ),
    (
        "approvals at release",
        {"release": said(Outcome.ALLOW, approvals=2)},
        Shadow((PASSED, Judgement(Stage.RELEASE, Verdict.HELD, (APPROVALS,)))),
    ),
    (
        "approvals at admission",
        {"admission": said(Outcome.ALLOW, approvals=1)},
        Shadow((PASSED, Judgement(Stage.RELEASE, Verdict.HELD, (APPROVALS,)))),
    ),
    (
        "steps at admission",
        {"admission": said(Outcome.ALLOW, max_steps=10)},
        Shadow(
            (Judgement(Stage.ADMISSION, Verdict.FAILED, (STEPS,)), Judgement(Stage.RELEASE, Verdict.FAILED, (STEPS,)))
        ),
    ),
    (
        "steps at release",
        {"release": said(Outcome.ALLOW, max_steps=10)},
        Shadow((PASSED, Judgement(Stage.RELEASE, Verdict.FAILED, (STEPS,)))),
    ),
    (
        "both deny",
        {"admission": said(Outcome.DENY, DENIAL, OTHER), "release": said(Outcome.DENY, OTHER)},
        Shadow((ADMISSION_DENIED, Judgement(Stage.RELEASE, Verdict.DENIED, ("test.other",)))),
    ),
]


@pytest.mark.parametrize(("stages", "would"), [case[1:] for case in WOULD], ids=[case[0] for case in WOULD])
class TestReleased:
    def test_it_leaves_marked_signed_and_recorded_with_what_enforcement_would_have_done(self, stages, would):
        parts = shadowed(policy=answering(**stages))
        item = made(parts)
        assert kinds(parts) == ["mode", "intent", "released"]
        assert item.verdict is Verdict.RELEASED
        assert item.shadow == would == shadow_of(item.entry)
        assert item.entry.body["shadow"] == would.as_json()
        assert item.entry.body["watermark"] is not None
        report = parts.signer.read(item.asset.content)
        assert report.state is ManifestState.TRUSTED
        assert report.provenance["mode"] == "shadow"
        assert item.entry.body["metadata"][MODE] == "shadow"
        assert shadow_of(last(parts, EntryKind.INTENT)) == Shadow(would.stages[:1])
        assert parts.quarantine.holds() == []
        assert parts.ledger.holds() == []
        assert parts.ledger.open_claims() == 0

    def test_the_record_is_that_of_a_release(self, stages, would):
        parts = shadowed(policy=answering(**stages))
        item = made(parts)
        verifier = Verifier(parts.signer, parts.log_key, metadata=parts.metadata, ledger=parts.ledger)
        verified = verifier.verify(item.asset.content)
        checks = {check.name: check for check in verified.checks}
        assert checks["entry"].status is Status.HOLDS, checks["entry"].detail
        assert (verified.mode, verified.shadow) == (Mode.SHADOW, would)
        assert verified.as_json()["shadow"] == would.as_json()
        decision = decision_of(item.entry, ())
        assert bears_out(would, decision)

    def test_decisions_are_those_of_enforcement(self, stages, would):
        asked = []
        for mode in Mode:
            policy = answering(**stages)
            with (
                pytest.raises(GovernanceError)
                if mode is Mode.ENFORCE and would.verdict is not Verdict.RELEASED
                else nullcontext()
            ):
                Governor(fake_parts(policy=policy, mode=mode)).generate(small(seeds=(1,)), FakePipeline())
            asked.append([_timeless(facts) for _, facts in policy.asked])
        enforced, in_shadow = asked
        assert in_shadow[: len(enforced)] == enforced
        assert not any("shadow" in str(facts) for facts in in_shadow)


def _timeless(facts):
    admission = {**facts["admission"], "decision_id": ""} if "admission" in facts else None
    return {**facts, "time": "", "admission": admission}


class TestVerdicts:
    @pytest.mark.parametrize(
        ("stages", "verdict", "words"),
        [
            ((PASSED, ALLOWED), Verdict.RELEASED, "enforcement would have released it too"),
            ((ADMISSION_DENIED, ALLOWED), Verdict.DENIED, "denied it at admission: test.denied, test.other"),
            ((PASSED, Judgement(Stage.RELEASE, Verdict.HELD, ("a.b",))), Verdict.HELD, "held it at release: a.b"),
            (
                (Judgement(Stage.ADMISSION, Verdict.FAILED, (BUDGET,)),),
                Verdict.FAILED,
                f"refused it at admission: {BUDGET}",
            ),
        ],
    )
    def test_the_first_stage_that_would_have_stopped_decides(self, stages, verdict, words):
        shadow = Shadow(stages)
        assert shadow.verdict is verdict
        assert words in shadow.in_words()

    @pytest.mark.parametrize(
        "raw",
        [
            "denied",
            {},
            {"verdict": "released", "stages": []},
            {"verdict": "released", "stages": [{"stage": "admission", "verdict": "denied", "codes": []}]},
            {"verdict": "denied", "stages": [{"stage": "nowhere", "verdict": "denied", "codes": []}]},
            {"verdict": "denied", "stages": [{"stage": "admission", "verdict": "denied"}]},
            {"verdict": "denied", "stages": [{"stage": "admission", "verdict": "denied", "codes": [], "more": 1}]},
        ],
    )
    def test_what_does_not_follow_is_not_read(self, raw):
        with pytest.raises(ProofError, match="enforcement"):
            shadow_of(Entry(EntryKind.RELEASED, "g", {"shadow": raw}))

    def test_a_ledger_takes_no_such_entry(self):
        parts = fake_parts()
        for kind, body in (
            (EntryKind.INTENT, {"items": 1, "shadow": {"verdict": "denied", "stages": []}}),
            (EntryKind.FAILED, {"item": None, "shadow": Shadow((PASSED,)).as_json()}),
            (EntryKind.MODE, {"mode": "off"}),
        ):
            with pytest.raises(LedgerError):
                parts.ledger.append(Record(Entry(kind, "g", {"version": 1, "fields": {}, **body})))


class TestBatch:
    def test_each_image_has_its_own_verdict(self):
        outcomes = (Outcome.ALLOW, Outcome.DENY, Outcome.REVIEW)
        engine = FakePolicyEngine()
        policy = FakePolicyEngine(
            {Stage.RELEASE: lambda s, facts: engine.answer(s, outcomes[facts["draft"]["index"]], DENIAL)}
        )
        result = Governor(shadowed(policy=policy)).generate(small(images=3), FakePipeline())
        assert [item.verdict for item in result.items] == [Verdict.RELEASED] * 3
        assert [item.shadow.verdict for item in result.items] == [Verdict.RELEASED, Verdict.DENIED, Verdict.HELD]

    def test_one_that_fails_fails_alone(self):
        base = shadowed(policy=answering(release=said(Outcome.DENY, DENIAL)))
        parts = replace(base, signer=FailingAt(base.signer, "sign", SigningError("no"), nth=1))
        result = Governor(parts).generate(small(images=2), FakePipeline())
        assert [item.verdict for item in result.items] == [Verdict.FAILED, Verdict.RELEASED]

    def test_the_halves_of_an_overlapped_call_do_the_same(self):
        parts = shadowed(policy=answering(admission=said(Outcome.DENY, DENIAL)))
        (item,) = Governor(parts).begin(small(), FakePipeline()).finish().items
        assert item.shadow.verdict is Verdict.DENIED


class Budgeting(FakePolicyEngine):
    """Allows with a budget of so many images, and denies what is above it by the usage that it is shown."""

    def __init__(self, budget):
        super().__init__({Stage.ADMISSION: self._admission})
        self.budget = budget

    def _admission(self, stage, facts):
        if facts["usage"]["images"] + facts["request"]["images"] > self.budget:
            return self.answer(stage, Outcome.DENY, Reason("budget.images", "Spent.", "/usage/images"))
        return self.answer(stage, Outcome.ALLOW, day_budget={"images": self.budget})


class TestBudgets:
    def spent(self, parts):
        day = parts.ledger.records[0].entry.time[:10]
        return parts.ledger.usage("designer@example.org", day)

    def test_one_that_is_spent_is_recorded_and_stops_nothing(self):
        parts = shadowed(policy=Budgeting(1))
        first, second = (made(parts, small(f"request-{n}")) for n in range(2))
        assert first.shadow.verdict is Verdict.RELEASED
        assert second.shadow.decisive == Judgement(Stage.ADMISSION, Verdict.DENIED, ("budget.images",))

    def test_what_enforcement_would_not_have_admitted_spends_nothing(self):
        parts = shadowed(policy=Budgeting(2))
        for number, images in enumerate((1, 2, 1)):  # the second would have been denied, so the third has room
            Governor(parts).generate(small(f"request-{number}", images=images), FakePipeline())
        verdicts = [shadow_of(entry).verdict for _, entry in parts.ledger.entries(kind=EntryKind.INTENT)]
        assert verdicts == [Verdict.RELEASED, Verdict.DENIED, Verdict.RELEASED]
        assert self.spent(parts).images == 2

    def test_one_that_others_spend_in_between_is_asked_for_again_and_then_recorded(self):
        engine = FakePolicyEngine()
        generous = FakePolicyEngine(
            {Stage.ADMISSION: lambda s, _: engine.answer(s, Outcome.ALLOW, day_budget={"images": 0})}
        )
        parts = shadowed(policy=generous)
        item = made(parts)
        assert item.shadow.decisive == Judgement(Stage.ADMISSION, Verdict.FAILED, (BUDGET,))
        assert [stage for stage, _ in generous.asked] == [Stage.ADMISSION] * 3 + [Stage.RELEASE]
        assert self.spent(parts) == Usage()
        with pytest.raises(BudgetError):
            Governor(replace(parts, mode=Mode.ENFORCE)).generate(small("another"), FakePipeline())

    def test_a_race_that_enforcement_would_have_denied_after_all_says_so(self):
        policy, base = Budgeting(1), shadowed(policy=Budgeting(1))
        rival = replace(base, policy=Budgeting(1))
        ledger = Meanwhile(base.ledger, "usage", after=lambda: made(rival, small("rival")))
        item = made(replace(base, policy=policy, ledger=ledger))
        assert item.shadow.decisive.codes == ("budget.images",)


FAILURE_POINTS = [
    ("policy", "decide", 1, PolicyError),
    ("policy", "decide", 2, PolicyError),
    ("watermarker", "embed", 1, MarkError),
    ("watermarker", "extract", 1, MarkError),
    ("encoder", "encode", 1, MarkError),
    ("encoder", "decode", 1, MarkError),
    ("metadata", "write", 1, MarkError),
    ("fingerprinter", "fingerprint", 1, MarkError),
    ("signer", "sign", 1, SigningError),
    ("vault", "put", 1, StorageError),
    ("ledger", "begin", 1, LedgerError),
    ("ledger", "append", 1, LedgerError),
    ("ledger", "append", 2, LedgerError),
    ("ledger", "next_mark", 1, LedgerError),
    ("ledger", "usage", 1, LedgerError),
    ("ledger", "entries", 1, LedgerError),
    ("detector", "detect", 1, DetectorError),
    ("pipeline", "describe", 1, ModelError),
    ("pipeline", "generate", 1, GenerationError),
]
POLICIES = {
    "allows": {},
    "denies": {"admission": said(Outcome.DENY, DENIAL), "release": said(Outcome.DENY, DENIAL)},
    "holds": {"admission": said(Outcome.REVIEW, DENIAL), "release": said(Outcome.REVIEW, DENIAL)},
}


@pytest.mark.parametrize(("part", "method", "nth", "kind"), FAILURE_POINTS)
@pytest.mark.parametrize("policy", POLICIES)
class TestEveryStepStillFailsClosed:
    @pytest.mark.parametrize("foreign", [None, KeyboardInterrupt, RuntimeError])
    def test_nothing_is_released_and_a_failed_entry_says_so(self, part, method, nth, kind, policy, foreign):
        error = foreign("broken") if foreign else kind("broken", remedy="Mend it.")
        base = shadowed(policy=answering(**POLICIES[policy]))
        made(base, small("before"))  # so that the mode is on record, and the failure is of the line
        before = len(kinds(base))
        parts, pipeline = base, FakePipeline()
        if part == "pipeline":
            pipeline = FailingAt(pipeline, method, error, nth=nth)
        elif part == "detector":
            parts = replace(base, detectors=(FailingAt(base.detectors[0], method, error, nth=nth),))
        else:
            parts = replace(base, **{part: FailingAt(getattr(base, part), method, error, nth=nth)})
        with pytest.raises(type(error)) as caught:
            Governor(parts).generate(small(), pipeline)
        assert caught.value is error
        assert "released" not in kinds(base)[before:]
        assert kinds(base)[-1] == "failed"
        assert base.vault.staged() == []
        assert base.ledger.open_claims() == 0
        assert not list(base.ledger.verify())


class TestWhatIsNoOutcomeOfPolicy:
    @pytest.mark.parametrize("stage", [Stage.ADMISSION, Stage.RELEASE])
    def test_an_undefined_decision_withholds(self, stage):
        pipeline = FakePipeline()
        parts = shadowed(policy=FakePolicyEngine(undefined=frozenset({stage})))
        with pytest.raises(DeniedError, match=r"policy\.undefined"):
            Governor(parts).generate(small(), pipeline)
        assert kinds(parts)[-1] == "denied"
        assert "shadow" not in last(parts, EntryKind.DENIED).body
        assert pipeline.runs == (0 if stage is Stage.ADMISSION else 1)

    @pytest.mark.parametrize("outcome", list(Outcome))
    @pytest.mark.parametrize(
        ("stage", "obligations"),
        [
            ("admission", {"shred_disks": True}),
            ("admission", {"retain_days": "seven"}),
            ("release", {"shred_disks": True}),
            ("release", {"watermark": False}),
            ("release", {"disclose": ["purpose"]}),
            ("release", {"output_formats": ["image/tiff"]}),
            ("release", {"day_budget": {"images": 1}}),
        ],
        ids=str,
    )
    def test_an_obligation_that_cannot_be_honoured_fails(self, outcome, stage, obligations):
        parts = shadowed(policy=answering(**{stage: said(outcome, DENIAL, **obligations)}))
        with pytest.raises(ObligationError):
            Governor(parts).generate(small(), FakePipeline())
        assert "released" not in kinds(parts)
        assert kinds(parts)[-1] == "failed"

    def test_an_image_too_small_for_the_mark_fails(self):
        parts = shadowed(
            policy=answering(release=said(Outcome.DENY, DENIAL)), watermarker=FakeWatermarker(min_side=128)
        )
        with pytest.raises(MarkError):
            Governor(parts).generate(small(), FakePipeline())
        assert "released" not in kinds(parts)

    def test_what_a_denial_obliges_is_honoured(self):
        parts = shadowed(policy=answering(release=said(Outcome.DENY, DENIAL, visible_label="AI", retain_days=3)))
        item = made(parts)
        assert item.entry.body["visible_label"] == "AI"
        assert item.entry.body["honoured"]["retain_days"] == 3

    def test_a_mode_that_cannot_be_recorded_makes_nothing(self):
        pipeline = FakePipeline()
        base = shadowed()
        base.ledger.refuse[EntryKind.MODE] = LedgerError("The disk is full.", remedy="Make room.")
        with pytest.raises(LedgerError, match="full"):
            Governor(base).generate(small(), pipeline)
        assert pipeline.runs == 0
        assert kinds(base) == ["failed"]

    def test_input_images_are_checked_all_the_same(self):
        base = shadowed(policy=answering(admission=said(Outcome.DENY, DENIAL)))
        parts = replace(base, detectors=(FailingAt(base.detectors[0], "detect", DetectorError("no")),))
        pixels = parts.encoder.decode(made(base, small("before")).asset.content)
        with pytest.raises(DetectorError):
            Governor(parts).generate(small(inputs=(InputImage("image", pixels),)), FakePipeline())


class TestTheSameRequestAgain:
    def test_in_shadow_mode_the_record_stands(self):
        parts = shadowed(policy=answering(admission=said(Outcome.DENY, DENIAL)))
        first, again = made(parts), made(parts)
        assert again.asset == first.asset
        assert again.shadow == first.shadow
        assert kinds(parts) == ["mode", "intent", "released"]

    @pytest.mark.parametrize(
        ("stages", "error", "entry"),
        [
            ({"admission": said(Outcome.DENY, DENIAL)}, DeniedError, "denied"),
            ({"admission": said(Outcome.REVIEW, DENIAL)}, HeldError, "held"),
            ({"release": said(Outcome.DENY, DENIAL)}, DeniedError, "denied"),
            ({"release": said(Outcome.REVIEW, DENIAL)}, HeldError, "held"),
            ({"admission": said(Outcome.ALLOW, max_steps=1)}, ObligationError, "failed"),
        ],
        ids=str,
    )
    def test_while_enforcing_a_release_that_policy_withholds_is_not_handed_out_again(self, stages, error, entry):
        parts = shadowed(policy=answering(**stages))
        made(parts)
        with pytest.raises(error):
            Governor(replace(parts, mode=Mode.ENFORCE)).generate(small(), FakePipeline())
        assert kinds(parts)[-1] == entry
        assert kinds(parts).count("released") == 1
        assert last(parts, EntryKind(entry)).body["attempt"] == 2

    def test_while_enforcing_it_is_asked_anew_and_may_be_allowed_by_now(self):
        parts = shadowed(policy=answering(admission=said(Outcome.DENY, DENIAL)))
        first = made(parts)
        enforcing = replace(parts, mode=Mode.ENFORCE, policy=FakePolicyEngine())
        again = made(enforcing)
        assert again.entry.id != first.entry.id
        assert again.shadow is None
        assert "mode" not in parts.signer.read(again.asset.content).provenance

    def test_while_enforcing_a_release_that_policy_allowed_stands(self):
        parts = shadowed()
        first = made(parts)
        again = made(replace(parts, mode=Mode.ENFORCE))
        assert (again.entry, again.asset.content) == (first.entry, first.asset.content)

    def test_one_image_of_a_batch_that_policy_withholds_makes_the_whole_call_run_anew(self):
        engine = FakePolicyEngine()
        outcomes = (Outcome.ALLOW, Outcome.DENY)
        policy = FakePolicyEngine(
            {Stage.RELEASE: lambda s, facts: engine.answer(s, outcomes[facts["draft"]["index"]], DENIAL)}
        )
        parts = shadowed(policy=policy)
        Governor(parts).generate(small(images=2), FakePipeline())
        result = Governor(replace(parts, mode=Mode.ENFORCE)).generate(small(images=2), FakePipeline())
        assert result.attempt == 2
        assert [item.verdict for item in result.items] == [Verdict.RELEASED, Verdict.DENIED]

    def test_what_was_enforced_stands_in_shadow_mode(self):
        parts = fake_parts(policy=answering(admission=said(Outcome.DENY, DENIAL)))
        for mode in (Mode.ENFORCE, Mode.SHADOW):
            with pytest.raises(DeniedError):
                Governor(replace(parts, mode=mode)).generate(small(), FakePipeline())
        assert "released" not in kinds(parts)

    def test_other_facts_are_another_request_in_both_modes(self):
        parts = shadowed()
        made(parts)
        with pytest.raises(ConflictError):
            Governor(parts).generate(small(steps=3), FakePipeline())

    def test_only_releases_of_shadow_mode_are_asked_anew(self):
        denied = Entry(EntryKind.RELEASED, "g", {"shadow": Shadow((ADMISSION_DENIED, ALLOWED)).as_json()})
        passed = Entry(EntryKind.RELEASED, "g", {"shadow": Shadow((PASSED, ALLOWED)).as_json()})
        enforced = Entry(EntryKind.RELEASED, "g", {})
        assert withheld_under_enforcement([enforced, passed, denied])
        assert not withheld_under_enforcement([enforced, passed])


class TestPeople:
    def test_what_was_held_before_is_decided_by_people_and_enforced(self):
        policy = ReviewPolicy()
        parts = fake_parts(policy=policy)
        with pytest.raises(HeldError):
            Governor(parts).generate(small(), FakePipeline())
        (hold,) = parts.ledger.holds()
        desk = ReviewDesk(replace(parts, mode=Mode.SHADOW))
        policy.release = (Outcome.DENY, (DENIAL,), {})
        for reviewer in (ANN, BOB):
            desk.lease(reviewer, hold.id)
            desk.view(reviewer, hold.id)
            with pytest.raises(GovernanceError, match="denies") if reviewer is BOB else nullcontext():
                desk.approve(reviewer, hold.id, CODES)
        assert "released" not in kinds(parts)

    def test_a_request_that_people_let_run_runs_by_their_approval(self):
        policy = ReviewPolicy(needed=1)
        policy.admission, policy.release = (Outcome.REVIEW, (HELD,), {"approvals": 1}), (Outcome.ALLOW, (), {})
        parts = fake_parts(policy=policy)
        with pytest.raises(HeldError):
            Governor(parts).generate(small(), FakePipeline())
        (hold,) = parts.ledger.holds()
        desk = ReviewDesk(parts)
        desk.lease(ANN, hold.id)
        desk.approve(ANN, hold.id, CODES)
        item = made(replace(parts, mode=Mode.SHADOW))
        assert item.shadow == Shadow((PASSED, ALLOWED))
        assert "review" in last(parts, EntryKind.INTENT).body


class TestAgreement:
    def released(self, **stages):
        parts = shadowed(policy=answering(**stages))
        item = made(parts)
        return item.entry, decision_of(item.entry, ()), parts.signer.read(item.asset.content), parts.log_key.name

    def test_a_release_of_shadow_mode_agrees(self):
        assert disagreement(*self.released(release=said(Outcome.DENY, DENIAL))) == ""

    def test_a_denied_release_that_says_nothing_of_shadow_mode_does_not(self):
        entry, decision, report, log = self.released(release=said(Outcome.DENY, DENIAL))
        bare = replace(entry, body={name: value for name, value in entry.body.items() if name != "shadow"})
        assert "no decision that allowed" in disagreement(bare, decision, report, log)

    def test_nor_one_that_makes_enforcement_milder_than_its_decision(self):
        entry, decision, report, log = self.released(release=said(Outcome.DENY, DENIAL))
        milder = replace(entry, body={**entry.body, "shadow": Shadow((PASSED, ALLOWED)).as_json()})
        assert "no decision that allowed" in disagreement(milder, decision, report, log)

    @pytest.mark.parametrize("said_mode", ["enforce", None])
    def test_manifest_and_entry_name_one_mode(self, said_mode):
        entry, decision, report, log = self.released()
        provenance = {name: value for name, value in report.provenance.items() if name != "mode"}
        other = replace(report, provenance={**provenance, **({"mode": said_mode} if said_mode else {})})
        assert "another mode" in disagreement(entry, decision, other, log)

    def test_a_mode_that_nobody_knows_is_not_read(self):
        entry, decision, report, log = self.released()
        other = replace(report, provenance={**report.provenance, "mode": "dream"})
        assert "not one of ours" in disagreement(entry, decision, other, log)
