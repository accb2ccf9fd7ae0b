"""Clips and sounds down the line, with fakes: what is checked, marked, held, released and said of them."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from governance.assets import Verdict
from governance.canonical import digest
from governance.entries import EntryKind, HoldState, Recorded
from governance.errors import DeniedError, GenerationError, HeldError, MarkError, ObligationError, RequestError
from governance.governor import Governor
from governance.held import HeldDraft
from governance.made import Ground, PictureFinder
from governance.marks import MarkReader
from governance.media import UNCHECKED_UNMARKED, Clip, Sound, media_digest
from governance.metadata import CAVEAT
from governance.ports import ManifestReport, ManifestState
from governance.results import recorded_result
from governance.review import ReviewDesk
from governance.testing import (
    FakeClipEncoder,
    FakeDetector,
    FakeLabeller,
    FakePipeline,
    FakePolicyEngine,
    example_clip,
    example_sound,
    fake_parts,
)
from governance.types import Draft, MediaKind, Outcome, Stage, Usage
from governance.verification import Status, Verifier
from support.reviewing import ANN, BOB, CODES, HELD, Clock, ReviewPolicy, held, request

VIDEO, AUDIO = (MediaKind.VIDEO,), (MediaKind.AUDIO,)
BOTH = (MediaKind.VIDEO, MediaKind.AUDIO)


def asked(media=VIDEO, **changes):
    frames = 4 if MediaKind.VIDEO in media else 1
    return request(**{"media": media, "frames": frames, **changes})


def unmarked_sounds(engine=None, **more):
    """A policy that lets sounds leave unmarked, and obliges all else to be marked."""
    engine = engine or FakePolicyEngine()

    def release(stage, facts):
        return engine.answer(stage, Outcome.ALLOW, watermark=facts["draft"]["media"] != "audio", **more)

    return FakePolicyEngine({Stage.RELEASE: release})


def run(asked_for, pipeline=None, **changes):
    parts = fake_parts(**changes)
    return parts, Governor(parts).generate(asked_for, pipeline or FakePipeline())


def facts_of(parts, entry):
    return json.loads(parts.ledger.document(entry.body["decision"]["input"]))


def marks_of(parts):
    return MarkReader((parts.watermarker,), parts.mark_key, parts.codecs, parts.fingerprinter)


def verified(parts, asset, content=None):
    verifier = Verifier(
        parts.signer, parts.log_key, metadata=parts.metadata, ledger=parts.ledger, marks=marks_of(parts)
    )
    return verifier.verify(asset.content if content is None else content)


def statuses(verification):
    return {check.name: check.status for check in verification.checks}


class TestClip:
    def test_every_frame_of_the_released_file_carries_the_same_mark(self):
        parts, result = run(asked())
        (item,) = result.items
        assert item.asset.media_type == "video/mp4"
        clip = parts.clips.decode(item.asset.content)
        assert clip.frames.shape == (4, 64, 64, 3)
        payloads = {payload for frame in clip.frames for payload in parts.watermarker.extract(frame)}
        (payload,) = payloads
        mark_id = parts.mark_key.id_of(payload, parts.watermarker.payload_bits, parts.watermarker.algorithm)
        record = parts.ledger.find_mark(parts.watermarker.algorithm, parts.mark_key.key_id, mark_id)
        assert record.asset_digest == item.asset.digest
        assert record.fingerprint == parts.fingerprinter.fingerprint(clip.frames[2])
        assert item.entry.body["watermark"]["id"] == str(mark_id)

    def test_entry_and_facts_say_what_was_made(self):
        parts, result = run(asked())
        (item,) = result.items
        made = FakePipeline().generate(asked())[0].media
        assert item.entry.body["media"] == "video"
        assert item.entry.body["draft"] == media_digest(made)
        facts = facts_of(parts, item.entry)
        assert facts["request"]["media"] == ["video"]
        assert facts["parameters"]["frames"] == 4
        assert facts["draft"] == {
            "index": 0, "media": "video", "width": 64, "height": 64, "frames": 4, "milliseconds": 500, "markable": True,
        }  # fmt: skip

    def test_its_label_is_drawn_on_every_frame(self):
        policy = FakePolicyEngine(
            {
                Stage.RELEASE: lambda s, _: FakePolicyEngine().answer(
                    s, Outcome.ALLOW, watermark=False, visible_label="AI"
                )
            }
        )
        parts, result = run(asked(), policy=policy)
        frames = parts.clips.decode(result.items[0].asset.content).frames
        assert [FakeLabeller.read(frame) for frame in frames] == ["AI"] * 4

    def test_a_mark_that_too_few_frames_keep_is_released_never(self):
        parts = fake_parts(clips=FakeClipEncoder(losing=1))
        with pytest.raises(MarkError, match="could not be read back"):
            Governor(parts).generate(asked(), FakePipeline())
        assert [entry.kind.value for _, entry in parts.ledger.entries()] == ["intent", "failed"]
        assert parts.vault.contents() == []
        assert parts.vault.staged() == []

    def test_one_frame_of_ten_may_lose_it(self):
        _, result = run(asked(frames=10), clips=FakeClipEncoder(losing=1))
        assert result.items[0].verdict is Verdict.RELEASED

    def test_an_encoder_that_drops_a_frame_or_changes_the_rate_releases_nothing(self):
        class Dropping(FakeClipEncoder):
            def encode(self, clip, media_type):
                return FakeClipEncoder().encode(Clip(clip.frames[1:], clip.frame_rate), media_type)

        class Hasty(FakeClipEncoder):
            def encode(self, clip, media_type):
                return FakeClipEncoder().encode(Clip(clip.frames, clip.frame_rate + 1), media_type)

        for encoder in (Dropping(), Hasty()):
            with pytest.raises(MarkError, match="reads back as"):
                run(asked(), clips=encoder)

    def test_a_format_that_policy_does_not_allow_is_not_written(self):
        policy = FakePolicyEngine(
            {Stage.RELEASE: lambda s, _: FakePolicyEngine().answer(s, Outcome.ALLOW, output_formats=["image/png"])}
        )
        with pytest.raises(ObligationError, match="none can be written"):
            run(asked(), policy=policy)

    def test_what_is_too_small_to_be_marked_is_told_to_policy(self):
        parts, result = run(asked(), policy=unmarked_sounds())
        assert facts_of(parts, result.items[0].entry)["draft"]["markable"] is True
        policy = FakePolicyEngine({Stage.RELEASE: lambda s, _: FakePolicyEngine().answer(s, Outcome.DENY)})
        parts = fake_parts(policy=policy)
        with pytest.raises(DeniedError):
            Governor(parts).generate(asked(width=4, height=4), FakePipeline())
        ((_, entry),) = parts.ledger.entries(kind=EntryKind.DENIED)
        assert facts_of(parts, entry)["draft"]["markable"] is False

    def test_compute_is_counted_over_all_frames(self):
        assert Usage.of(asked(images=2, steps=10, seeds=(1, 2))) == Usage(2, 20, 2 * 64 * 64 * 4, 20 * 64 * 64 * 4)
        both = asked(BOTH, images=2, steps=10, seeds=(1, 2))
        assert Usage.of(both) == Usage(4, 20, 2 * 64 * 64 * 4, 20 * 64 * 64 * 4)


class TestInspection:
    def every(self, frames, **obligations):
        engine = FakePolicyEngine()
        policy = FakePolicyEngine({Stage.ADMISSION: lambda s, _: engine.answer(s, Outcome.ALLOW, **obligations)})
        detector = FakeDetector(lambda pixels: {"nsfw": float(pixels.mean()) / 255})
        parts, result = run(asked(frames=frames), policy=policy, detectors=(detector,))
        return parts, result.items[0], detector

    def test_every_frame_is_looked_at_unless_policy_says_otherwise(self):
        _, item, detector = self.every(40)
        made = FakePipeline().generate(asked(frames=40))[0].media.frames
        scores = [float(frame.mean()) / 255 for frame in made]
        (finding,) = item.findings
        assert detector.seen == 40
        assert finding.score == max(scores)
        assert finding.evidence == {"frame": scores.index(max(scores))}
        assert item.entry.body["findings"][0]["evidence"] == finding.evidence

    def test_at_the_interval_that_policy_obliges(self):
        _, item, detector = self.every(40, inspect_every=16)
        assert detector.seen == 4  # frames 0, 16, 32 and the last
        assert item.entry.body["honoured"]["inspect_every"] == 16

    def test_more_at_release_than_at_admission_comes_too_late(self):
        engine = FakePolicyEngine()
        policy = FakePolicyEngine(
            {
                Stage.ADMISSION: lambda s, _: engine.answer(s, Outcome.ALLOW, inspect_every=8),
                Stage.RELEASE: lambda s, _: engine.answer(s, Outcome.ALLOW, inspect_every=4),
            }
        )
        with pytest.raises(ObligationError, match="more frames than admission"):
            run(asked(), policy=policy)

    @pytest.mark.parametrize("value", [0, -1, "all", True, None])
    def test_an_interval_that_is_none_is_an_error(self, value):
        with pytest.raises(ObligationError, match="inspect_every"):
            self.every(4, inspect_every=value)


class TestSound:
    def test_it_leaves_unchecked_and_unmarked_and_everything_says_so(self):
        parts, result = run(asked(AUDIO), policy=unmarked_sounds())
        (item,) = result.items
        body = item.entry.body
        assert item.asset.media_type == "audio/wav"
        assert (body["media"], body["watermark"], body["visible_label"]) == ("audio", None, "")
        assert [(each.detector, each.label, each.score) for each in item.findings] == [("none", "unchecked", 1.0)]
        assert item.findings[0].detector_digest == digest(b"")
        assert body["metadata"][CAVEAT] == UNCHECKED_UNMARKED
        assert parts.metadata.read(item.asset.content)[CAVEAT] == UNCHECKED_UNMARKED
        assert parts.signer.read(item.asset.content).provenance["caveat"] == UNCHECKED_UNMARKED
        made = FakePipeline().generate(asked(AUDIO))[0].media
        assert media_digest(parts.sounds.decode(item.asset.content)) == media_digest(made) == body["draft"]

    def test_a_picture_carries_no_caveat(self):
        parts, result = run(request())
        (item,) = result.items
        assert CAVEAT not in item.entry.body["metadata"]
        assert "caveat" not in parts.signer.read(item.asset.content).provenance

    def test_no_detector_is_asked(self):
        detector = FakeDetector()
        run(asked(AUDIO), policy=unmarked_sounds(), detectors=(detector,))
        assert detector.seen == 0

    @pytest.mark.parametrize("obligations", [{"watermark": True}, {"watermark": False, "visible_label": "AI"}, {}])
    def test_a_mark_or_a_label_that_is_obliged_cannot_be_honoured(self, obligations):
        policy = FakePolicyEngine(
            {Stage.RELEASE: lambda s, _: FakePolicyEngine().answer(s, Outcome.ALLOW, **obligations)}
        )
        parts = fake_parts(policy=policy)
        with pytest.raises(ObligationError, match="a sound can carry neither"):
            Governor(parts).generate(asked(AUDIO), FakePipeline())
        assert parts.vault.contents() == []

    def test_policy_is_told_what_it_is(self):
        parts, result = run(asked(AUDIO), policy=unmarked_sounds())
        facts = facts_of(parts, result.items[0].entry)
        assert facts["draft"] == {
            "index": 0, "media": "audio", "width": 0, "height": 0, "frames": 0, "milliseconds": 250, "markable": False,
        }  # fmt: skip


class TestBoth:
    def test_first_all_clips_and_then_all_sounds_each_an_item_of_its_own(self):
        parts, result = run(asked(BOTH, images=2, seeds=(3, 4)), policy=unmarked_sounds())
        assert [item.entry.body["media"] for item in result.items] == ["video", "video", "audio", "audio"]
        assert [item.index for item in result.items] == [0, 1, 2, 3]
        made = FakePipeline().generate(asked(BOTH, images=2, seeds=(3, 4)))
        assert [draft.seed for draft in made] == [3, 4, 3, 4]
        assert [item.entry.body["draft"] for item in result.items] == [media_digest(draft.media) for draft in made]
        assert len({item.asset.digest for item in result.items}) == 4
        ((_, intent),) = parts.ledger.entries(kind=EntryKind.INTENT)
        assert intent.body["items"] == 4
        assert list(parts.ledger.verify()) == []

    def test_each_has_a_verdict_of_its_own(self):
        engine = FakePolicyEngine()

        def release(stage, facts):
            outcome = Outcome.DENY if facts["draft"]["media"] == "audio" else Outcome.ALLOW
            return engine.answer(stage, outcome, watermark=True)

        parts, result = run(asked(BOTH), policy=FakePolicyEngine({Stage.RELEASE: release}))
        assert [item.verdict for item in result.items] == [Verdict.RELEASED, Verdict.DENIED]
        ((_, denied),) = parts.ledger.entries(kind=EntryKind.DENIED)
        assert (denied.body["item"], denied.body["media"]) == (1, "audio")

    def test_a_recorded_result_has_the_same_items(self):
        parts, result = run(asked(BOTH), policy=unmarked_sounds())
        again = Governor(parts).generate(asked(BOTH), FakePipeline())
        assert [item.asset.digest for item in again.items] == [item.asset.digest for item in result.items]
        assert [item.findings for item in again.items] == [item.findings for item in result.items]


class TestWhatIsRefused:
    def refused(self, spoil, media=VIDEO, error=GenerationError, **changes):
        parts = fake_parts()
        with pytest.raises(error):
            Governor(parts).generate(asked(media, **changes), FakePipeline(spoil=spoil))
        assert [entry.kind.value for _, entry in parts.ledger.entries()] == ["intent", "failed"]

    def test_more_frames_or_pixels_than_were_admitted(self):
        for clip in (example_clip(5), example_clip(4, 66, 64), example_clip(4, 64, 66)):
            self.refused(lambda drafts, clip=clip: [replace(drafts[0], media=clip)])

    def test_fewer_frames_and_pixels_are_told_to_policy_as_they_are(self):
        pipeline = FakePipeline(spoil=lambda drafts: [replace(drafts[0], media=example_clip(3, 32, 48))])
        parts, result = run(asked(), pipeline)
        shown = facts_of(parts, result.items[0].entry)["draft"]
        assert (shown["frames"], shown["height"], shown["width"]) == (3, 32, 48)

    def test_another_kind_than_was_admitted(self):
        self.refused(lambda drafts: [replace(drafts[0], media=example_sound())])
        self.refused(lambda drafts: [replace(drafts[0], media=example_clip())], AUDIO)
        self.refused(lambda drafts: list(reversed(drafts)), BOTH)
        self.refused(lambda drafts: drafts[:1], BOTH)

    def test_what_is_no_clip_or_sound(self):
        self.refused(lambda drafts: [replace(drafts[0], media=Clip(np.zeros((4, 64, 64, 3)), 8000))], error=MarkError)
        self.refused(lambda drafts: [replace(drafts[0], media=Sound(np.zeros((1, 9)), 8000))], AUDIO, MarkError)

    @pytest.mark.parametrize(
        "changes", [{"media": ()}, {"media": (*VIDEO, *VIDEO)}, {"frames": 0}, {"media": AUDIO, "frames": 2}]
    )
    def test_requests_that_are_none(self, changes):
        parts = fake_parts()
        with pytest.raises(RequestError):
            Governor(parts).generate(request(**changes), FakePipeline())
        assert [entry.kind.value for _, entry in parts.ledger.entries()] == ["failed"]

    def test_a_draft_of_a_clip_is_no_picture(self):
        draft = Draft(0, example_clip(), FakePipeline().model, 1)
        assert draft.kind is MediaKind.VIDEO
        with pytest.raises(MarkError, match="no picture"):
            draft.pixels


class TestHeld:
    @pytest.mark.parametrize("media", [VIDEO, AUDIO], ids=["video", "audio"])
    def test_it_waits_losslessly_and_is_released_as_it_was(self, media):
        obliged = {"watermark": media == VIDEO}
        policy = ReviewPolicy(release=(Outcome.REVIEW, ReviewPolicy().release[1], obliged))
        line = held(policy, asked(media))
        made = FakePipeline().generate(asked(media))[0].media
        sealed = HeldDraft.unpack(line.parts.quarantine.open(line.record.id))
        assert sealed.media_type == ("image/apng" if media == VIDEO else "audio/wav")
        assert media_digest(line.parts.codecs.decode(sealed.content)) == media_digest(made)
        assert line.desk.view(ANN, line.record.id) == sealed.content
        line.approve(ANN)
        item = line.approve(BOB).item
        assert item.verdict is Verdict.RELEASED
        assert item.entry.body["draft"] == media_digest(made)
        assert line.parts.quarantine.holds() == []
        assert list(line.parts.ledger.verify()) == []
        assert verified(line.parts, item.asset).exit_code == 0

    def test_a_rejected_clip_is_destroyed(self):
        line = held(asked=asked())
        line.desk.lease(ANN, line.record.id)
        line.desk.reject(ANN, line.record.id, CODES)
        assert line.record.state is HoldState.REJECTED
        assert line.parts.quarantine.holds() == []

    def test_the_index_says_what_the_draft_is_and_of_a_picture_nothing_new(self):
        parts = fake_parts()
        for media, said in ((example_clip(), "image/apng"), (example_sound(), "audio/wav")):
            packed = HeldDraft.of(parts.codecs, media, ()).pack()
            index = json.loads(zipfile.ZipFile(io.BytesIO(packed)).read("index.json"))
            assert index == {"version": 2, "inputs": [], "media_type": said}
        picture = HeldDraft.of(parts.codecs, example_clip().frames[0], ()).pack()
        assert json.loads(zipfile.ZipFile(io.BytesIO(picture)).read("index.json")) == {"version": 1, "inputs": []}

    def test_a_clip_and_its_sound_wait_each_for_itself_and_the_sound_has_the_seed_of_its_clip(self):
        engine = ReviewPolicy(needed=1)

        def release(stage, facts):
            return engine.answer(stage, Outcome.REVIEW, HELD, watermark=facts["draft"]["media"] != "audio")

        engine.script = {**engine.script, Stage.RELEASE: release}
        parts, clock = fake_parts(policy=engine), Clock()
        asked_for = asked(BOTH, images=2, seeds=(3, 4))
        with pytest.raises(HeldError):
            Governor(parts).generate(asked_for, FakePipeline())
        desk = ReviewDesk(parts, clock=clock)
        holds = {record.item: record.id for record in parts.ledger.holds()}
        assert sorted(holds) == [0, 1, 2, 3]
        desk.lease(ANN, holds[3])
        item = desk.approve(ANN, holds[3], CODES, "").item
        made = FakePipeline().generate(asked_for)[3]
        assert (made.kind, made.seed) == (MediaKind.AUDIO, 4)
        assert item.entry.body["draft"] == media_digest(made.media)


class TestVerified:
    def test_a_clip_holds_in_every_question(self):
        parts, result = run(asked())
        verification = verified(parts, result.items[0].asset)
        assert set(statuses(verification).values()) == {Status.HOLDS}
        assert verification.exit_code == 0

    def test_a_clip_in_other_bytes_is_attributed_by_its_frames(self):
        parts, result = run(asked())
        asset = result.items[0].asset
        clip = parts.clips.decode(asset.content)
        shorter = parts.clips.encode(Clip(clip.frames[1:], 4000), "video/mp4")
        found = statuses(verified(parts, asset, shorter))
        assert (found["watermark"], found["attribution"], found["entry"]) == (Status.HOLDS, Status.HOLDS, Status.FAILS)

    def test_a_frame_alone_that_is_the_middle_one_leads_to_the_clip(self):
        parts, result = run(asked())
        asset = result.items[0].asset
        frame = parts.encoder.encode(parts.clips.decode(asset.content).frames[2], "image/png")
        found = statuses(verified(parts, asset, frame))
        assert (found["watermark"], found["attribution"]) == (Status.HOLDS, Status.HOLDS)
        (match,) = PictureFinder(parts.ledger, marks_of(parts)).find(frame)
        assert (match.ground, match.asset_digest) == (Ground.MARK, asset.digest)

    def test_a_sound_says_plainly_what_was_not_checked(self):
        parts, result = run(asked(AUDIO), policy=unmarked_sounds())
        verification = verified(parts, result.items[0].asset)
        found = statuses(verification)
        assert found.pop("watermark") is found.pop("attribution") is Status.NOT_CHECKED
        assert set(found.values()) == {Status.HOLDS}
        assert verification.exit_code == 0

    def test_a_sound_in_other_bytes_proves_nothing(self):
        parts, result = run(asked(AUDIO), policy=unmarked_sounds())
        other = parts.sounds.encode(example_sound(seed=9), "audio/wav")
        verification = verified(parts, result.items[0].asset, other)
        assert statuses(verification)["watermark"] is Status.NOT_CHECKED
        assert verification.exit_code == 1
        assert PictureFinder(parts.ledger, marks_of(parts)).find(other) == ()

    def test_a_picture_whose_entry_lacks_its_mark_is_no_sound(self):
        parts, result = run(asked())
        asset = result.items[0].asset
        entry = result.items[0].entry
        silent = replace(entry, body={**entry.body, "watermark": None, "honoured": {"watermark": False}})
        assert "no watermark" in verified_as(parts, asset, silent)

    @pytest.mark.parametrize("asked_for", [request(), asked()], ids=["picture", "clip"])
    @pytest.mark.parametrize("media_type", ["", "audio/wav"], ids=["its own type", "the type of a sound"])
    def test_what_skipped_its_mark_is_no_sound_because_its_entry_says_so(self, asked_for, media_type):
        parts, result = run(asked_for)
        asset, entry = result.items[0].asset, result.items[0].entry
        file = {**entry.body["asset"], "media_type": media_type or asset.media_type}
        honoured = {**entry.body["honoured"], "watermark": False, "visible_label": ""}
        body = {**entry.body, "media": "audio", "asset": file, "watermark": None, "honoured": honoured}
        lie = replace(entry, body=body)
        if media_type:
            assert verified_as(parts, asset, lie)
            unsigned = Verifier(
                NoManifest(),
                parts.log_key,
                metadata=parts.metadata,
                ledger=remembering(parts, lie),
                codecs=parts.codecs,
            )
            entry_check = unsigned.verify(asset.content).checks[4]
            assert (entry_check.status, "another kind of file" in entry_check.detail) == (Status.FAILS, True)
        else:
            assert "one kind and a file of another" in verified_as(parts, asset, lie)

    def test_the_manifest_must_say_what_nobody_vouches_for(self):
        parts, result = run(asked(AUDIO), policy=unmarked_sounds())
        asset, entry = result.items[0].asset, result.items[0].entry
        as_video = {"media": "video", "asset": {**entry.body["asset"], "media_type": "video/mp4"}}
        as_video = replace(entry, body={**entry.body, **as_video, "watermark": {"algorithm": "a"}})
        assert "checked and marked" in verified_as(parts, asset, as_video)

    def test_the_same_bytes_are_found(self):
        for media, policy in ((VIDEO, FakePolicyEngine()), (AUDIO, unmarked_sounds())):
            parts, result = run(asked(media), policy=policy)
            asset = result.items[0].asset
            (match,) = PictureFinder(parts.ledger, marks_of(parts)).find(asset.content)
            assert (match.ground, match.asset_digest) == (Ground.BYTES, asset.digest)

    def test_a_clip_without_its_mark_is_found_by_its_middle_frame(self):
        parts, result = run(asked())
        asset = result.items[0].asset
        clip = parts.clips.decode(asset.content)
        bare = parts.clips.encode(Clip(clip.frames & 0xFE, 8000), "video/mp4")
        (match,) = PictureFinder(parts.ledger, marks_of(parts)).find(bare)
        assert (match.ground, match.asset_digest) == (Ground.LOOKS, asset.digest)


class NoManifest:
    """A reader that finds none."""

    def read(self, _):
        return ManifestReport(ManifestState.MISSING)


def remembering(parts, entry):
    """The ledger of `parts`, but every file leads to `entry`."""

    class Remembering:
        def __getattr__(self, name):
            return getattr(parts.ledger, name)

        def find_asset(self, _):
            return entry

    return Remembering()


def verified_as(parts, asset, entry):
    """What is wrong with `entry` as the record of `asset`."""
    ledger = remembering(parts, entry)
    verifier = Verifier(parts.signer, parts.log_key, metadata=parts.metadata, ledger=ledger, marks=marks_of(parts))
    return next(check.detail for check in verifier.verify(asset.content).checks if check.name == "entry")


def test_a_result_read_back_names_every_item():
    parts, result = run(asked(BOTH), policy=unmarked_sounds())
    again = recorded_result(parts, "request-1", Recorded(1, result.generation_id))
    assert [item.index for item in again.items] == [0, 1]
