"""A candidate is evaluated and recorded; nothing of it is obeyed, not even its faults."""

from dataclasses import replace

import pytest

from governance.bodies import decision_of
from governance.candidate import DETAILS_OMITTED, MAX_RECORDED_BYTES, CandidatePolicy, fitting
from governance.canonical import canonical_bytes, digest
from governance.entries import MAX_ENTRY_BYTES, Entry, EntryKind
from governance.errors import DeniedError, PolicyError
from governance.governor import Governor
from governance.testing import FakePipeline, FakePolicyEngine, example_request, fake_parts
from governance.testing.policy import admission_facts
from governance.types import CandidateDecision, Outcome, Reason, Stage

NEW = digest(b"a candidate")
REASON = Reason("prompt.new", "In words.", "/prompts/0")


def candidates(outcome, *reasons, **obligations):
    """A candidate that says the same at every stage."""
    engine = FakePolicyEngine(bundle_revision=NEW)
    engine.script = dict.fromkeys(Stage, lambda stage, _: engine.answer(stage, outcome, *reasons, **obligations))
    return engine


def decided(candidate, enforced=None):
    return CandidatePolicy(enforced or FakePolicyEngine(), candidate).decide(Stage.ADMISSION, admission_facts())


class Broken(FakePolicyEngine):
    """Fails with an error that no engine should let out."""

    def decide(self, stage, facts):
        raise ZeroDivisionError("a fault of the adapter")


class TestBesideTheEnforced:
    def test_what_it_would_have_decided_is_kept(self):
        decision = decided(candidates(Outcome.DENY, REASON, watermark=True))
        assert decision.outcome is Outcome.ALLOW
        assert decision.candidate == CandidateDecision(NEW, Outcome.DENY, (REASON,), {"watermark": True})

    @pytest.mark.parametrize("outcome", Outcome)
    def test_it_is_never_obeyed(self, outcome):
        for enforced in Outcome:
            decision = decided(candidates(outcome, retain_days=1), enforced=candidates(enforced))
            assert (decision.outcome, dict(decision.obligations)) == (enforced, {})
            assert decision.candidate.outcome is outcome

    def test_the_revision_in_force_is_the_enforced_one(self):
        policy = CandidatePolicy(FakePolicyEngine(), candidates(Outcome.ALLOW))
        assert policy.bundle_revision == FakePolicyEngine().bundle_revision

    def test_both_are_asked_the_same(self):
        enforced, candidate = FakePolicyEngine(), candidates(Outcome.ALLOW)
        decided(candidate, enforced)
        assert enforced.asked == candidate.asked == [(Stage.ADMISSION, admission_facts())]

    def test_where_the_enforced_fails_nothing_is_decided(self):
        candidate = candidates(Outcome.ALLOW)
        with pytest.raises(PolicyError, match="Down"):
            decided(candidate, FakePolicyEngine({Stage.ADMISSION: PolicyError("Down.", remedy="Start it.")}))
        assert candidate.asked == []


class TestFaults:
    def test_an_error_is_recorded_by_its_class(self):
        candidate = FakePolicyEngine({Stage.ADMISSION: PolicyError("No.", remedy="None.")}, bundle_revision=NEW)
        assert decided(candidate).candidate == CandidateDecision(NEW, None, error="PolicyError")

    def test_a_foreign_error_too(self, caplog):
        decision = decided(Broken(bundle_revision=NEW))
        assert "fault of the adapter" not in caplog.text  # it might quote the input
        assert decision.outcome is Outcome.ALLOW
        assert decision.candidate == CandidateDecision(NEW, None, error="ZeroDivisionError")

    def test_an_interrupt_is_no_fault_of_the_candidate(self):
        class Interrupted(FakePolicyEngine):
            def decide(self, stage, facts):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            decided(Interrupted())

    def test_undefined_is_a_denial_as_everywhere(self):
        candidate = decided(FakePolicyEngine(undefined=frozenset(Stage), bundle_revision=NEW)).candidate
        assert (candidate.outcome, candidate.reasons[0].code) == (Outcome.DENY, "policy.undefined")

    def test_an_answer_for_another_stage_is_its_error(self):
        scripted = FakePolicyEngine().answer(Stage.RELEASE, Outcome.ALLOW)
        assert decided(FakePolicyEngine({Stage.ADMISSION: scripted})).candidate.error == "PolicyError"

    def test_what_cannot_be_recorded_is_its_error(self):
        formats = [f"image/{number}" for number in range(4000)]
        assert decided(candidates(Outcome.ALLOW, output_formats=formats)).candidate.error == "PolicyError"

    @pytest.mark.parametrize("obliged", [{"max_steps": 1.5}, {"visible_label": "secret " * 40}, {"note": "a secret"}])
    def test_what_the_line_would_refuse_is_its_error_and_is_kept_nowhere(self, obliged, caplog):
        assert decided(candidates(Outcome.ALLOW, **obliged)).candidate == CandidateDecision(
            NEW, None, error="ObligationError"
        )
        assert "ObligationError" in caplog.text
        assert "secret" not in caplog.text

    def test_reasons_beyond_what_an_entry_holds_are_left_out(self):
        reasons = [Reason("prompt.new", "In words.", f"/prompts/{number}") for number in range(2000)]
        candidate = decided(candidates(Outcome.DENY, *reasons)).candidate
        assert 50 < len(candidate.reasons) < len(reasons)
        assert candidate.reasons == tuple(reasons[: len(candidate.reasons)])
        recorded = [{"code": reason.code, "path": reason.path} for reason in candidate.reasons]
        assert len(canonical_bytes(recorded)) <= MAX_RECORDED_BYTES


class TestInTheLine:
    def test_a_candidate_that_denies_everything_changes_nothing_but_the_record(self):
        plain = fake_parts()
        Governor(plain).generate(example_request(), FakePipeline())
        tried = fake_parts(policy=CandidatePolicy(FakePolicyEngine(), candidates(Outcome.DENY, REASON)))
        Governor(tried).generate(example_request(), FakePipeline())
        assert [r.entry.kind for r in tried.ledger.records] == [r.entry.kind for r in plain.ledger.records]
        for record in tried.ledger.records:
            assert record.entry.body["decision"]["candidate"] == {
                "bundle_revision": NEW,
                "outcome": "deny",
                "reasons": [{"code": "prompt.new", "path": "/prompts/0"}],
                "obligations": {},
                "error": "",
            }
        assert list(tried.ledger.verify()) == []

    def test_a_broken_candidate_releases_as_well(self):
        parts = fake_parts(policy=CandidatePolicy(FakePolicyEngine(), Broken(bundle_revision=NEW)))
        assert Governor(parts).generate(example_request(), FakePipeline()).items[0].asset is not None
        found = [record.entry.body["decision"]["candidate"] for record in parts.ledger.records]
        assert [(each["outcome"], each["error"]) for each in found] == [(None, "ZeroDivisionError")] * 2

    def test_a_candidate_for_which_an_entry_has_no_room_costs_no_image(self):
        notes = [Reason("prompt.noted", "In words.", "/prompts/0") for _ in range(530)]
        many = [Reason("prompt.new", "In words.", "/prompts/0") for _ in range(200)]
        parts = fake_parts(policy=CandidatePolicy(candidates(Outcome.ALLOW, *notes), candidates(Outcome.DENY, *many)))
        assert Governor(parts).generate(example_request(), FakePipeline()).items[0].asset is not None
        for record in parts.ledger.records:
            assert len(record.entry.body["decision"]["reasons"]) == len(notes)
            found = decision_of(record.entry, ()).candidate
            assert found == CandidateDecision(NEW, Outcome.DENY, error=DETAILS_OMITTED)

    @pytest.mark.parametrize(("spare", "kept"), [(0, "all"), (-1, "outcome"), (-1990, "outcome"), (-2100, "nothing")])
    def test_an_entry_keeps_of_a_candidate_what_it_has_room_for(self, spare, kept):
        said = {"bundle_revision": NEW, "outcome": "deny", "reasons": ["x" * 2000], "obligations": {}, "error": ""}

        def padded(length, candidate):
            return Entry(EntryKind.DENIED, "subject", {"decision": {"pad": "x" * length, "candidate": candidate}})

        room = MAX_ENTRY_BYTES - len(padded(0, said).leaf())
        entry = padded(room - spare, said)
        wanted = {"all": said, "outcome": {**said, "reasons": [], "error": DETAILS_OMITTED}, "nothing": None}[kept]
        fitted = fitting(entry)
        assert fitted == replace(entry, body={"decision": {"pad": "x" * (room - spare), "candidate": wanted}})
        assert fitted.leaf()  # it is not too large

    def test_a_candidate_that_allows_opens_nothing(self):
        denying = FakePolicyEngine(undefined=frozenset({Stage.ADMISSION}))
        parts = fake_parts(policy=CandidatePolicy(denying, candidates(Outcome.ALLOW, watermark=True)))
        with pytest.raises(DeniedError):
            Governor(parts).generate(example_request(), FakePipeline())
        assert [record.entry.kind for record in parts.ledger.records] == [EntryKind.DENIED]
