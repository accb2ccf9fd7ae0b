"""The line with fakes: every branch, and every point at which it can fail."""

import json
from dataclasses import replace

import numpy as np
import pytest

from governance.assets import Verdict
from governance.attribution import Grade, attribute
from governance.bodies import Subject
from governance.canonical import commitment, digest
from governance.checkpoint import verify_receipt
from governance.entries import EntryKind
from governance.errors import (
    ConfigurationError,
    ConflictError,
    DeniedError,
    DetectorError,
    GenerationError,
    GovernanceError,
    HeldError,
    ImageTooSmallError,
    LedgerError,
    MarkError,
    ModelError,
    ObligationError,
    PolicyError,
    RequestError,
    SigningError,
    StorageError,
)
from governance.governor import Governor, refuse_to_open
from governance.held import HeldDraft
from governance.merkle import leaf_hash
from governance.ports import ManifestReport, ManifestState
from governance.recovery import recover
from governance.releasing import sign
from governance.testing import (
    EXAMPLE_MODEL,
    FailingAt,
    FakeDetector,
    FakeEncoder,
    FakeLabeller,
    FakeLedger,
    FakeManifestSigner,
    FakePipeline,
    FakePolicyEngine,
    FakeVault,
    FakeWatermarker,
    example_picture,
    fake_parts,
)
from governance.testing.examples import example_request as example
from governance.types import InputImage, Outcome, Prompt, Reason, Stage


def example_request(**changes):
    """One small image, drawn from a seed of the line's own choice."""
    settled = {"prompts": (Prompt("a red seven"),), "width": 64, "height": 64, "seeds": ()}
    return example(**{**settled, "parameters": {"guidance_scale": 7.5}, **changes})


DENIAL = Reason("test.denied", "This is denied.", "/prompts/0")


def kinds(parts):
    return [entry.kind.value for _, entry in parts.ledger.entries()]


def last(parts, kind):
    return [entry for _, entry in parts.ledger.entries(kind=kind)][-1]


def answering(stage, outcome, *reasons, **obligations):
    engine = FakePolicyEngine()
    return FakePolicyEngine({stage: lambda s, _: engine.answer(s, outcome, *reasons, **obligations)})


def by_item(*outcomes):
    """A policy whose release decisions differ by item."""
    engine = FakePolicyEngine()
    return FakePolicyEngine(
        {Stage.RELEASE: lambda s, facts: engine.answer(s, outcomes[facts["draft"]["index"]], DENIAL, watermark=True)}
    )


class TestReleased:
    def test_writes_intent_then_outcome_and_hands_out_the_signed_bytes(self):
        parts = fake_parts()
        result = Governor(parts).generate(example_request(), FakePipeline())
        (item,) = result.items
        assert kinds(parts) == ["intent", "released"]
        assert item.verdict is Verdict.RELEASED
        assert [decision.stage for decision in item.decisions] == [Stage.ADMISSION, Stage.RELEASE]
        assert item.asset.digest == digest(item.asset.content)
        assert parts.vault.get(item.asset.digest) == item.asset.content
        assert parts.ledger.find_asset(item.asset.digest) == item.entry
        assert verify_receipt(item.asset.receipt, parts.log_key) == item.entry
        assert parts.ledger.open_claims() == 0
        assert not list(parts.ledger.verify())

    def test_the_manifest_names_the_intent_and_the_asset(self):
        parts = fake_parts()
        (item,) = Governor(parts).generate(example_request(), FakePipeline()).items
        report = parts.signer.read(item.asset.content)
        intent = last(parts, EntryKind.INTENT)
        assert report.state is ManifestState.TRUSTED
        assert report.provenance["asset"] == item.asset.id
        assert report.provenance["intent"] == {
            "entry": intent.id,
            "leaf": leaf_hash(intent.leaf()).hex(),
            "log": parts.log_key.name,
        }
        assert report.provenance["policy"]["decision_ids"] == [d.decision_id for d in item.decisions]
        assert item.entry.body["intent"] == {"id": intent.id, "leaf": leaf_hash(intent.leaf()).hex()}

    def test_the_mark_in_the_pixels_leads_to_the_record(self):
        parts = fake_parts()
        (item,) = Governor(parts).generate(example_request(), FakePipeline()).items
        pixels = parts.encoder.decode(item.asset.content)
        (payload, *_) = parts.watermarker.extract(pixels)
        marker = parts.watermarker
        mark_id = parts.mark_key.id_of(payload, marker.payload_bits, marker.algorithm)
        record = parts.ledger.find_mark(marker.algorithm, parts.mark_key.key_id, mark_id)
        assert (record.asset_id, record.asset_digest) == (item.asset.id, item.asset.digest)
        assert attribute(record.fingerprint, parts.fingerprinter.fingerprint(pixels)).grade is Grade.ATTRIBUTED
        assert item.entry.body["watermark"]["id"] == str(mark_id)

    def test_the_intent_is_durable_before_anything_is_generated(self):
        parts = fake_parts()
        seen = []
        pipeline = FakePipeline(spoil=lambda drafts: seen.extend(kinds(parts)) or drafts)
        Governor(parts).generate(example_request(), pipeline)
        assert seen == ["intent"]

    def test_nothing_personal_stands_in_an_entry_and_each_field_opens_its_commitment(self):
        parts = fake_parts()
        request = example_request(prompts=(Prompt("a very private prompt"),))
        Governor(parts).generate(request, FakePipeline())
        for _, entry in parts.ledger.entries():
            leaf = entry.leaf().decode()
            documents = parts.ledger.document(entry.body["decision"]["input"]).decode()
            for secret in ("private", request.principal.id, request.id):
                assert secret not in leaf
                assert secret not in documents
            fields = parts.ledger.fields(entry.id)
            assert {field.name for field in fields} >= {"/principal/id", "/request/id", "/prompts/0"}
            for field in fields:
                assert entry.body["fields"][field.name] == commitment(field.name, field.value, field.salt)
            redacted = json.loads(documents)
            assert redacted["principal"]["id"] == {"commitment": entry.body["fields"]["/principal/id"]}

    def test_model_and_call_are_kept_and_committed_to(self):
        parts = fake_parts()
        Governor(parts).generate(example_request(seeds=(2**64 - 1,)), FakePipeline())
        body = last(parts, EntryKind.INTENT).body
        assert json.loads(parts.ledger.document(body["model"])) == EXAMPLE_MODEL.as_json()
        call = json.loads(parts.ledger.document(body["call"]))
        assert call["seeds"] == [str(2**64 - 1)]
        assert (call["parameters"], call["floats"]) == ({}, {"guidance_scale": "7.5"})

    def test_seeds_are_drawn_where_none_are_given(self):
        pipeline = FakePipeline()
        parts = fake_parts()
        Governor(parts).generate(example_request(images=3), pipeline)
        call = json.loads(parts.ledger.document(last(parts, EntryKind.INTENT).body["call"]))
        assert len({*call["seeds"]}) == 3

    def test_exact_scores_are_recorded_beside_rounded_up_ones(self):
        parts = fake_parts(detectors=(FakeDetector({"nsfw": 0.0123456789}),))
        Governor(parts).generate(example_request(), FakePipeline())
        (finding,) = last(parts, EntryKind.RELEASED).body["findings"]
        assert finding["score_millionths"] == 12346
        assert finding["score"] == "0.0123456789"

    def test_input_images_are_scored_hashed_and_shown_to_policy(self):
        policy, detector = FakePolicyEngine(), FakeDetector()
        parts = fake_parts(policy=policy, detectors=(detector,))
        request = example_request(inputs=(InputImage("image", example_picture(32, 48)),))
        Governor(parts).generate(request, FakePipeline())
        (shown,) = policy.asked[0][1]["inputs"]
        assert (shown["parameter"], shown["width"], shown["height"]) == ("image", 48, 32)
        assert shown["findings"][0]["label"] == "nsfw"
        assert len(shown["digest"]) == 64
        assert detector.seen == 2


class TestWithheld:
    def test_denied_at_admission_generates_nothing(self):
        pipeline = FakePipeline()
        parts = fake_parts(policy=answering(Stage.ADMISSION, Outcome.DENY, DENIAL))
        with pytest.raises(DeniedError, match=r"This is denied.*test\.denied") as caught:
            Governor(parts).generate(example_request(images=2), pipeline)
        assert pipeline.runs == 0
        assert kinds(parts) == ["denied"]
        assert [item.verdict for item in caught.value.result.items] == [Verdict.DENIED] * 2
        assert last(parts, EntryKind.DENIED).body["decision"]["reasons"] == [
            {"code": "test.denied", "path": "/prompts/0"}
        ]

    def test_held_at_admission_generates_nothing(self):
        pipeline = FakePipeline()
        parts = fake_parts(policy=answering(Stage.ADMISSION, Outcome.REVIEW, DENIAL))
        with pytest.raises(HeldError):
            Governor(parts).generate(example_request(), pipeline)
        assert pipeline.runs == 0
        assert kinds(parts) == ["held"]

    def test_a_batch_gets_one_verdict_per_item_and_indices_never_shift(self):
        parts = fake_parts(policy=by_item(Outcome.DENY, Outcome.ALLOW, Outcome.REVIEW))
        result = Governor(parts).generate(example_request(images=3), FakePipeline())
        assert [item.verdict for item in result.items] == [Verdict.DENIED, Verdict.RELEASED, Verdict.HELD]
        assert [item.index for item in result.items] == [0, 1, 2]
        assert [item.asset is None for item in result.items] == [True, False, True]
        assert kinds(parts) == ["intent", "denied", "released", "held"]

    def test_a_denied_draft_is_kept_nowhere(self):
        parts = fake_parts(policy=answering(Stage.RELEASE, Outcome.DENY, DENIAL))
        with pytest.raises(DeniedError) as caught:
            Governor(parts).generate(example_request(), FakePipeline())
        assert parts.vault.staged() == []
        assert "hold" not in last(parts, EntryKind.DENIED).body
        assert caught.value.result.items[0].findings

    def test_a_held_draft_is_quarantined_as_it_was_drafted(self):
        pipeline = FakePipeline()
        parts = fake_parts(policy=answering(Stage.RELEASE, Outcome.REVIEW, DENIAL))
        with pytest.raises(HeldError):
            Governor(parts).generate(example_request(seeds=(5,)), pipeline)
        hold = last(parts, EntryKind.HELD).body["hold"]
        content = parts.quarantine.open(hold["id"])
        assert digest(content) == hold["digest"]
        assert (parts.encoder.decode(HeldDraft.unpack(content).content) == example_picture(64, 64, 5)).all()

    def test_a_hold_that_cannot_be_recorded_is_not_kept(self):
        base = fake_parts(policy=answering(Stage.RELEASE, Outcome.REVIEW, DENIAL))
        parts = replace(base, ledger=FailingAt(base.ledger, "append", LedgerError("full"), nth=2))
        with pytest.raises(LedgerError):
            Governor(parts).generate(example_request(), FakePipeline())
        assert not base.quarantine.holds()

    def test_approvals_turn_an_allowed_draft_into_a_held_one(self):
        parts = fake_parts(policy=answering(Stage.RELEASE, Outcome.ALLOW, approvals=2))
        with pytest.raises(HeldError):
            Governor(parts).generate(example_request(), FakePipeline())
        assert last(parts, EntryKind.HELD).body["hold"]["approvals"] == 2


class TestObligations:
    def refused(self, error, match="", *, stage=Stage.RELEASE, outcome=Outcome.ALLOW, **obligations):
        parts = fake_parts(policy=answering(stage, outcome, **obligations))
        with pytest.raises(error, match=match):
            Governor(parts).generate(example_request(), FakePipeline())
        assert kinds(parts)[-1] == "failed"
        assert parts.vault.staged() == []
        return parts

    def test_an_unknown_one_is_an_error(self):
        self.refused(ObligationError, "shred_disks", shred_disks=True)

    def test_one_of_the_wrong_type_is_an_error(self):
        self.refused(ObligationError, "retain_days", retain_days="seven")

    def test_more_steps_than_obliged_are_refused_before_generation(self):
        parts = self.refused(ObligationError, "at most 10 steps", stage=Stage.ADMISSION, max_steps=10)
        assert kinds(parts) == ["failed"]

    def test_more_steps_than_release_obliges_are_refused(self):
        parts = self.refused(ObligationError, "at most 10 steps", max_steps=10)
        assert last(parts, EntryKind.FAILED).body["step"] == "judge"

    def test_an_image_leaves_with_a_mark_or_a_label(self):
        self.refused(ObligationError, "unmarked", watermark=False)

    def test_disclosure_is_refused_rather_than_forgotten(self):
        self.refused(ObligationError, "disclose purpose", disclose=["prompt", "purpose"])

    def test_a_format_that_cannot_be_written_is_refused(self):
        self.refused(ObligationError, "image/tiff", output_formats=["image/tiff"])

    def test_stages_without_a_common_format_are_refused(self):
        engine = FakePolicyEngine()
        formats = {Stage.ADMISSION: ["image/webp"], Stage.RELEASE: ["image/png"]}
        policy = FakePolicyEngine(
            dict.fromkeys(formats, lambda s, _: engine.answer(s, Outcome.ALLOW, output_formats=formats[s]))
        )
        with pytest.raises(ObligationError, match="image/webp"):
            Governor(fake_parts(policy=policy)).generate(example_request(), FakePipeline())

    def test_the_allowed_format_is_written(self):
        parts = fake_parts(
            policy=answering(Stage.RELEASE, Outcome.ALLOW, output_formats=["image/webp"]),
            encoder=FakeEncoder(("image/png", "image/webp")),
        )
        (item,) = Governor(parts).generate(example_request(), FakePipeline()).items
        assert item.asset.media_type == "image/webp"

    def test_a_visible_label_is_drawn(self):
        parts = fake_parts(policy=answering(Stage.RELEASE, Outcome.ALLOW, visible_label="AI-generated"))
        (item,) = Governor(parts).generate(example_request(), FakePipeline()).items
        assert FakeLabeller.read(parts.encoder.decode(item.asset.content)) == "AI-generated"
        assert item.entry.body["visible_label"] == "AI-generated"
        assert item.entry.body["honoured"]["visible_label"] == "AI-generated"

    def test_policy_may_drop_the_watermark_and_the_record_says_so(self):
        parts = fake_parts(policy=answering(Stage.RELEASE, Outcome.ALLOW, watermark=False, visible_label="AI"))
        (item,) = Governor(parts).generate(example_request(), FakePipeline()).items
        assert parts.watermarker.calls == ()
        assert item.entry.body["watermark"] is None

    def test_the_watermark_is_obliged_unless_release_says_otherwise(self):
        parts = fake_parts(policy=answering(Stage.ADMISSION, Outcome.ALLOW, watermark=False))
        (item,) = Governor(parts).generate(example_request(), FakePipeline()).items
        assert item.entry.body["watermark"] is not None

    def test_policy_sees_whether_an_image_can_be_marked(self):
        policy = FakePolicyEngine()
        parts = fake_parts(policy=policy)
        side = 4
        assert not parts.watermarker.fits(side, side)
        with pytest.raises(ImageTooSmallError):
            Governor(parts).generate(example_request(width=side, height=side), FakePipeline())
        assert policy.asked[1][1]["draft"]["markable"] is False


class TestWatermark:
    def test_one_that_does_not_survive_is_embedded_stronger(self):
        marker = FakeWatermarker(fail_first=1)
        Governor(fake_parts(watermarker=marker)).generate(example_request(), FakePipeline())
        assert marker.calls == marker.strengths[:2]

    def test_one_that_never_survives_fails_the_item(self):
        parts = fake_parts(encoder=FakeEncoder(lossy=True))
        with pytest.raises(MarkError, match="could not be read back"):
            Governor(parts).generate(example_request(), FakePipeline())
        assert kinds(parts) == ["intent", "failed"]
        assert last(parts, EntryKind.FAILED).body["step"] == "mark"

    def test_two_images_never_share_an_id(self):
        parts = fake_parts()
        items = Governor(parts).generate(example_request(images=5), FakePipeline()).items
        assert len({item.entry.body["watermark"]["id"] for item in items}) == 5


class TestUnsound:
    """What the parts must not get away with."""

    def failed(self, parts, error, pipeline=None, request=None, *, step):
        with pytest.raises(error) as caught:
            Governor(parts).generate(request or example_request(), pipeline or FakePipeline())
        assert caught.value.remedy
        entry = last(parts, EntryKind.FAILED)
        assert entry.body["step"] == step
        assert entry.body["error"] == type(caught.value).__name__
        assert EntryKind.RELEASED.value not in kinds(parts)
        assert parts.vault.staged() == []
        return caught.value

    @pytest.mark.parametrize("state", [ManifestState.INVALID, ManifestState.UNTRUSTED, ManifestState.MISSING])
    def test_a_signed_file_that_is_not_trusted(self, state):
        signer = FakeManifestSigner(report=ManifestReport(state))
        self.failed(fake_parts(signer=signer), SigningError, step="sign")

    def test_a_signed_file_that_names_another_asset(self):
        report = ManifestReport(ManifestState.TRUSTED, provenance={"asset": "another"})
        self.failed(fake_parts(signer=FakeManifestSigner(report=report)), SigningError, step="sign")

    def test_a_model_that_changed_meanwhile(self):
        swapped = replace(EXAMPLE_MODEL, dtype="float16")
        self.failed(fake_parts(), ModelError, FakePipeline(swapped=swapped), step="generate")

    def test_too_few_drafts(self):
        pipeline = FakePipeline(spoil=lambda drafts: drafts[:1])
        self.failed(fake_parts(), GenerationError, pipeline, example_request(images=2), step="generate")

    def test_drafts_of_another_size(self):
        pipeline = FakePipeline(spoil=lambda drafts: [replace(drafts[0], media=example_picture(128, 128))])
        self.failed(fake_parts(), GenerationError, pipeline, step="generate")

    def test_drafts_that_are_no_pixels(self):
        pipeline = FakePipeline(spoil=lambda drafts: [replace(drafts[0], media=np.zeros((64, 64), np.uint8))])
        self.failed(fake_parts(), MarkError, pipeline, step="generate")

    @pytest.mark.parametrize("score", [float("nan"), -0.1, 1.1, float("inf")])
    def test_a_score_that_is_none(self, score):
        self.failed(fake_parts(detectors=(FakeDetector({"nsfw": score}),)), DetectorError, step="inspect")

    def test_a_detector_that_finds_nothing_to_say(self):
        class Silent(FakeDetector):
            def detect(self, images):
                return [() for _ in images]

        self.failed(fake_parts(detectors=(Silent(),)), DetectorError, step="inspect")

    def test_a_decision_for_another_stage(self):
        engine = FakePolicyEngine()
        policy = FakePolicyEngine({Stage.RELEASE: lambda *_: engine.answer(Stage.ADMISSION, Outcome.ALLOW)})
        self.failed(fake_parts(policy=policy), PolicyError, step="judge")

    def test_a_ledger_whose_receipts_do_not_verify(self):
        parts = fake_parts(log_key=FakeLedger().key)
        if parts.log_key == parts.ledger.key:
            pytest.fail("two fake ledgers share a key, so this test shows nothing")
        with pytest.raises(LedgerError):
            Governor(parts).generate(example_request(), FakePipeline())
        assert EntryKind.RELEASED.value not in kinds(parts)

    def test_a_receipt_for_another_entry(self):
        class Forgetful:
            """Answers every append with the receipt of the first."""

            def __init__(self, ledger):
                self._ledger, self._first = ledger, None

            def __getattr__(self, name):
                return getattr(self._ledger, name)

            def append(self, record):
                receipt = self._ledger.append(record)
                self._first = self._first or receipt
                return self._first

        base = fake_parts()
        with pytest.raises(LedgerError, match="another entry"):
            Governor(replace(base, ledger=Forgetful(base.ledger))).generate(example_request(), FakePipeline())

    def test_signing_before_the_intent(self):
        base = fake_parts()
        with pytest.raises(LedgerError, match="before its intent"):
            sign(base, Subject("generation", 1), None, None, None, None, "asset")

    def test_a_detector_that_paints_on_what_it_scores(self):
        class Painter(FakeDetector):
            def detect(self, images):
                images[0][:8, :8] = 255
                return super().detect(images)

        parts = fake_parts(detectors=(Painter(),))
        with pytest.raises(ValueError, match="read-only"):
            Governor(parts).generate(example_request(), FakePipeline())
        assert kinds(parts) == ["intent", "failed"]

    def test_a_recorded_result_whose_receipt_does_not_verify(self):
        base = fake_parts()
        Governor(base).generate(example_request(), FakePipeline())
        with pytest.raises(LedgerError):
            Governor(replace(base, log_key=FakeLedger().key)).generate(example_request(), FakePipeline())

    def test_no_detectors(self):
        with pytest.raises(ConfigurationError, match="no detector"):
            fake_parts(detectors=())

    def test_two_detectors_of_one_name(self):
        with pytest.raises(ConfigurationError, match="share a name"):
            fake_parts(detectors=(FakeDetector(), FakeDetector()))


class TestRequests:
    @pytest.mark.parametrize(
        "changes",
        [
            {"prompts": (Prompt(""),)},
            {"prompts": (Prompt("x" * 1_000_000),)},
            {"prompts": (Prompt("\x00\x01 binary"),)},
            {"prompts": (Prompt("lone \ud800 surrogate"),)},
            {"parameters": {"guidance_scale": float("nan")}},
            {"parameters": {"guidance_scale": 1e300}},
            {"parameters": {"clip_skip": 2**60}},
            {"parameters": {"steps": 3}},
            {"steps": 0},
            {"steps": -1},
            {"width": 2**40},
            {"images": 0},
            {"images": True},
            {"seeds": (-1,)},
            {"seeds": (2**64,)},
            {"seeds": (1, 2)},
            {"id": ""},
            {"id": "x" * 300},
            {"purpose": "a\nb"},
        ],
        ids=repr,
    )
    def test_what_is_wrong_is_named_recorded_and_never_generated(self, changes):
        parts, pipeline = fake_parts(), FakePipeline()
        with pytest.raises(RequestError) as caught:
            Governor(parts).generate(example_request(**changes), pipeline)
        assert caught.value.remedy
        assert pipeline.runs == 0
        assert kinds(parts) == ["failed"]
        assert last(parts, EntryKind.FAILED).body["step"] == "describe"

    def test_a_number_cannot_hide_another(self):
        parts = fake_parts()
        with pytest.raises(RequestError, match="hide"):
            Governor(parts).generate(example_request(parameters={"x_thousandths": 5, "x": 99.0}), FakePipeline())

    def test_numbers_that_differ_below_a_thousandth_are_other_requests(self):
        parts = fake_parts()
        Governor(parts).generate(example_request(parameters={"guidance_scale": 7.0001}), FakePipeline())
        with pytest.raises(ConflictError):
            Governor(parts).generate(example_request(parameters={"guidance_scale": 7.0004}), FakePipeline())

    def test_a_reason_that_quotes_the_request_does_not_reach_the_entry(self):
        chatty = Reason("test.denied", "denied", "the prompt said: a red seven")
        parts = fake_parts(policy=answering(Stage.ADMISSION, Outcome.DENY, chatty))
        with pytest.raises(DeniedError):
            Governor(parts).generate(example_request(), FakePipeline())
        assert b"red seven" not in last(parts, EntryKind.DENIED).leaf()

    def test_a_stopped_call_can_be_taken_up_again_from_its_record(self):
        parts = fake_parts(policy=answering(Stage.ADMISSION, Outcome.REVIEW, DENIAL))
        with pytest.raises(HeldError):
            Governor(parts).generate(example_request(seeds=(9,)), FakePipeline())
        body = last(parts, EntryKind.HELD).body
        assert json.loads(parts.ledger.document(body["call"]))["seeds"] == ["9"]
        assert json.loads(parts.ledger.document(body["model"])) == EXAMPLE_MODEL.as_json()
        assert (body["purpose"], body["items"]) == ("marketing", 1)

    def test_a_call_that_is_no_request_is_recorded(self):
        parts = fake_parts()
        entry = Governor(parts).refuse(RequestError("no such argument"))
        assert entry == last(parts, EntryKind.FAILED)


class TestIdempotency:
    def test_the_same_request_gives_the_recorded_result(self):
        parts, pipeline = fake_parts(policy=by_item(Outcome.ALLOW, Outcome.DENY)), FakePipeline()
        request = example_request(images=2)
        first = Governor(parts).generate(request, pipeline)
        again = Governor(parts).generate(request, pipeline)
        assert pipeline.runs == 1
        assert again.generation_id == first.generation_id
        assert [item.verdict for item in again.items] == [Verdict.RELEASED, Verdict.DENIED]
        assert again.items[0].asset.content == first.items[0].asset.content
        assert again.items[0].findings == first.items[0].findings
        assert again.items[1].decisions == first.items[1].decisions
        assert verify_receipt(again.items[0].asset.receipt, parts.log_key) == first.items[0].entry

    @pytest.mark.parametrize(("outcome", "error"), [(Outcome.DENY, DeniedError), (Outcome.REVIEW, HeldError)])
    def test_a_recorded_refusal_is_refused_again(self, outcome, error):
        parts = fake_parts(policy=answering(Stage.ADMISSION, outcome, DENIAL))
        messages = []
        for _ in range(2):
            with pytest.raises(error) as caught:
                Governor(parts).generate(example_request(images=2), FakePipeline())
            messages.append(str(caught.value))
        assert messages[0] == messages[1]
        assert len(kinds(parts)) == 1

    def test_the_same_id_for_something_else_is_a_conflict(self):
        parts, pipeline = fake_parts(), FakePipeline()
        Governor(parts).generate(example_request(), pipeline)
        with pytest.raises(ConflictError):
            Governor(parts).generate(example_request(steps=21), pipeline)
        assert kinds(parts) == ["intent", "released"]

    def test_after_a_failure_the_next_attempt_is_numbered(self):
        parts = fake_parts()
        with pytest.raises(GenerationError):
            Governor(parts).generate(example_request(), FakePipeline(error=GenerationError("out of memory")))
        result = Governor(parts).generate(example_request(), FakePipeline())
        assert result.attempt == 2
        assert last(parts, EntryKind.RELEASED).body["attempt"] == 2

    def test_a_partly_failed_batch_is_finished(self):
        base = fake_parts()
        parts = replace(base, signer=FailingAt(base.signer, "sign", SigningError("no"), nth=1))
        result = Governor(parts).generate(example_request(images=2), FakePipeline())
        assert [item.verdict for item in result.items] == [Verdict.FAILED, Verdict.RELEASED]
        again = Governor(parts).generate(example_request(images=2), FakePipeline())
        assert [item.verdict for item in again.items] == [Verdict.FAILED, Verdict.RELEASED]


FAILURE_POINTS = [
    ("policy", "decide", 1, PolicyError),
    ("policy", "decide", 2, PolicyError),
    ("watermarker", "embed", 1, MarkError),
    ("watermarker", "extract", 1, MarkError),
    ("encoder", "encode", 1, MarkError),
    ("encoder", "decode", 1, MarkError),
    ("fingerprinter", "fingerprint", 1, MarkError),
    ("signer", "sign", 1, SigningError),
    ("vault", "put", 1, StorageError),
    ("ledger", "begin", 1, LedgerError),
    ("ledger", "append", 1, LedgerError),
    ("ledger", "append", 2, LedgerError),
    ("ledger", "next_mark", 1, LedgerError),
    ("detector", "detect", 1, DetectorError),
    ("pipeline", "describe", 1, ModelError),
    ("pipeline", "generate", 1, GenerationError),
]


def breaking(part, method, nth, error, *, after=False):
    """A sound line with one part that breaks once: the parts, the pipeline, and the sound parts underneath."""
    base, pipeline = fake_parts(), FakePipeline()
    if part == "pipeline":
        return base, FailingAt(pipeline, method, error, nth=nth, after=after), base
    if part == "detector":
        failing = FailingAt(base.detectors[0], method, error, nth=nth, after=after)
        return replace(base, detectors=(failing,)), pipeline, base
    return replace(base, **{part: FailingAt(getattr(base, part), method, error, nth=nth, after=after)}), pipeline, base


@pytest.mark.parametrize(("part", "method", "nth", "kind"), FAILURE_POINTS)
class TestEveryFailurePoint:
    @pytest.mark.parametrize("foreign", [None, KeyboardInterrupt, RuntimeError, MemoryError])
    def test_releases_nothing_and_leaves_a_failed_entry(self, part, method, nth, kind, foreign):
        error = foreign("broken") if foreign else kind("broken", remedy="Mend it.")
        parts, pipeline, base = breaking(part, method, nth, error)
        with pytest.raises(type(error)) as caught:
            Governor(parts).generate(example_request(), pipeline)
        assert caught.value is error
        assert EntryKind.RELEASED.value not in kinds(base)
        assert kinds(base)[-1] == "failed"
        assert base.vault.staged() == []
        assert base.ledger.open_claims() == 0
        assert not list(base.ledger.verify())

    def test_the_same_request_succeeds_afterwards(self, part, method, nth, kind):
        parts, pipeline, base = breaking(part, method, nth, kind("broken", remedy="Mend it."))
        with pytest.raises(GovernanceError):
            Governor(parts).generate(example_request(), pipeline)
        result = Governor(parts).generate(example_request(), pipeline)
        assert result.items[0].verdict is Verdict.RELEASED
        assert not list(base.ledger.verify())


class TestInterrupts:
    def test_one_that_comes_just_after_the_outcome_is_durable_loses_nothing(self):
        parts, pipeline, base = breaking("ledger", "append", 2, KeyboardInterrupt(), after=True)
        with pytest.raises(KeyboardInterrupt):
            Governor(parts).generate(example_request(), pipeline)
        entry = last(base, EntryKind.RELEASED)
        recover(base.ledger, base.vault, base.quarantine)
        assert digest(base.vault.get(entry.body["asset"]["digest"])) == entry.body["asset"]["digest"]
        assert base.vault.staged() == []

    def test_a_failure_that_cannot_be_recorded_says_so(self):
        base = fake_parts()
        parts = replace(base, ledger=Unwritable(base.ledger))
        with pytest.raises(LedgerError) as caught:
            Governor(parts).generate(example_request(), FakePipeline())
        assert any("could not be recorded" in note for note in caught.value.__notes__)
        assert kinds(base) == []

    def test_a_claim_that_cannot_be_ended_does_not_change_what_was_decided(self, caplog):
        base = fake_parts()
        parts = replace(base, ledger=FailingAt(base.ledger, "finish", LedgerError("locked")))
        result = Governor(parts).generate(example_request(), FakePipeline())
        assert result.items[0].verdict is Verdict.RELEASED
        assert "could not be ended yet" in caplog.text
        assert kinds(base) == ["intent", "released"]
        again = Governor(base).generate(
            example_request(), FakePipeline()
        )  # nobody works on it any more: it is closed now
        assert again.items[0].entry == result.items[0].entry

    @pytest.mark.parametrize("after", [False, True])
    def test_one_while_the_claim_ends_leaves_the_record_as_it_was(self, after):
        base, pipeline = fake_parts(), FakePipeline()
        parts = replace(base, ledger=FailingAt(base.ledger, "finish", KeyboardInterrupt(), after=after))
        with pytest.raises(KeyboardInterrupt):
            Governor(parts).generate(example_request(), pipeline)
        assert kinds(base) == ["intent", "released"]

    def test_one_after_a_release_leaves_the_rest_failed_and_the_release_standing(self):
        parts, pipeline, base = breaking("ledger", "append", 3, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            Governor(parts).generate(example_request(images=3), pipeline)
        assert kinds(base) == ["intent", "released", "failed"]
        again = Governor(base).generate(example_request(images=3), pipeline)
        assert [item.verdict for item in again.items] == [Verdict.RELEASED, Verdict.FAILED, Verdict.FAILED]
        assert pipeline.runs == 1

    def test_a_second_one_while_the_failure_is_recorded_still_ends_the_claim(self):
        base = fake_parts()
        ledger = FailingAt(base.ledger, "append", KeyboardInterrupt())
        parts = replace(base, ledger=ledger)
        with pytest.raises(KeyboardInterrupt):
            Governor(parts).generate(example_request(), FakePipeline(error=KeyboardInterrupt()))
        assert base.ledger.open_claims() == 0

    def test_one_that_comes_just_after_a_hold_is_durable_keeps_the_draft(self):
        base = fake_parts(policy=answering(Stage.RELEASE, Outcome.REVIEW, DENIAL))
        parts = replace(base, ledger=FailingAt(base.ledger, "append", KeyboardInterrupt(), nth=2, after=True))
        with pytest.raises(KeyboardInterrupt):
            Governor(parts).generate(example_request(), FakePipeline())
        hold = last(base, EntryKind.HELD).body["hold"]
        recover(base.ledger, base.vault, base.quarantine)
        assert digest(base.quarantine.open(hold["id"])) == hold["digest"]

    def test_a_vault_that_cannot_publish_yet_does_not_undo_a_release(self):
        parts, pipeline, base = breaking("vault", "publish", 1, StorageError("full"))
        (item,) = Governor(parts).generate(example_request(), pipeline).items
        assert item.verdict is Verdict.RELEASED
        assert kinds(base) == ["intent", "released"]
        recover(base.ledger, base.vault, base.quarantine)
        assert base.vault.get(item.asset.digest) == item.asset.content

    def test_an_intent_whose_failure_could_not_be_recorded_is_abandoned(self):
        parts, pipeline, base = breaking("ledger", "append", 2, LedgerError("locked"))
        pipeline.error = GenerationError("broken")
        with pytest.raises(GenerationError) as caught:
            Governor(parts).generate(example_request(), pipeline)
        assert any("could not be recorded" in note for note in caught.value.__notes__)
        assert kinds(base) == ["intent", "abandoned"]
        assert base.ledger.open_claims() == 0
        assert Governor(base).generate(example_request(), FakePipeline()).attempt == 2

    def test_what_a_ledger_cannot_answer_for_is_not_thrown_away(self):
        base = fake_parts()
        ledger = FailingAt(
            FailingAt(base.ledger, "append", LedgerError("locked"), nth=2), "entries", LedgerError("no"), nth=5
        )
        with pytest.raises(LedgerError):
            Governor(replace(base, ledger=ledger)).generate(example_request(), FakePipeline())
        assert len(base.vault.staged()) == 1
        assert EntryKind.RELEASED.value not in kinds(base)
        recover(base.ledger, base.vault, base.quarantine)
        assert base.vault.staged() == []

    def test_a_line_that_cannot_be_put_together_is_recorded(self):
        ledger = FakeLedger()
        refuse_to_open(ledger, ConfigurationError("no keys"))
        ((_, entry),) = ledger.entries()
        assert (entry.kind, entry.body["step"]) == (EntryKind.FAILED, "open")
        error = ConfigurationError("no keys")
        refuse_to_open(Unwritable(ledger), error)
        assert any("could not be recorded" in note for note in error.__notes__)


class Unwritable:
    """A ledger that reads and cannot append."""

    def __init__(self, ledger):
        self._ledger = ledger

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def append(self, record):
        raise LedgerError("The disk is full.", remedy="Make room.")


class TestRecovery:
    def test_staged_files_follow_the_ledger(self):
        parts = fake_parts()
        (item,) = Governor(parts).generate(example_request(), FakePipeline()).items
        vault = FakeVault()
        vault.put(item.asset.digest, item.asset.content)
        orphan = digest(b"orphan")
        vault.put(orphan, b"orphan")
        assert recover(parts.ledger, vault, parts.quarantine) == []
        assert vault.get(item.asset.digest) == item.asset.content
        assert vault.staged() == []

    def test_a_draft_that_was_sealed_and_never_recorded_is_destroyed(self):
        parts = fake_parts(policy=answering(Stage.RELEASE, Outcome.REVIEW, DENIAL))
        with pytest.raises(HeldError):
            Governor(parts).generate(example_request(), FakePipeline())
        parts.quarantine.seal("orphan", b"draft")
        recover(parts.ledger, parts.vault, parts.quarantine)
        assert list(parts.quarantine.holds()) == [last(parts, EntryKind.HELD).body["hold"]["id"]]

    def test_what_another_process_is_about_to_commit_is_left_alone(self):
        parts = fake_parts()
        parts.quarantine.seal("theirs", b"draft")
        parts.ledger.begin("someone@example.org", "r", digest(b"facts"), "generation")
        orphan = digest(b"orphan")
        parts.vault.put(orphan, b"orphan")
        recover(parts.ledger, parts.vault, parts.quarantine)
        assert list(parts.vault.staged()) == [orphan]
        assert list(parts.quarantine.holds()) == ["theirs"]
