"""Replays over fakes: each verdict for its reason, and an entry that says so and nothing personal."""

from dataclasses import replace
from functools import partial

import pytest

from governance.canonical import canonical_bytes, digest
from governance.entries import EntryKind, ErasedPart
from governance.erasure import Basis, ErasureOrder, erased_record
from governance.errors import GenerationError, LedgerError, ModelError, ProofError, ReplayError, RequestError
from governance.media import media_digest
from governance.merkle import leaf_hash
from governance.recorded_calls import GivenPicture, Obstacle
from governance.remarking import Remarker
from governance.replays import (
    MAX_DIFFERENCES,
    Compared,
    Difference,
    ReplayVerdict,
    Sampled,
)
from governance.testing import (
    EXAMPLE_MODEL,
    FakeEncoder,
    FakePolicyEngine,
    FakeWatermarker,
    example_picture,
    example_request,
    fake_parts,
)
from governance.tolerance import tolerance_of
from governance.types import InputImage, MediaKind, OpaqueArgument, OpaqueKind, Outcome, Stage
from governance.watermark import MarkKey
from support.replaying import PaintingAgain, aged, released_by, replayer, shifted

TEXT = "a red seven on a blue background"


@pytest.fixture
def parts():
    return fake_parts()


def only(answers):
    (answer,) = answers
    return answer


def obliging(**obligations):
    """A policy that allows, and obliges these at release."""
    engine = FakePolicyEngine()
    return FakePolicyEngine({Stage.RELEASE: lambda stage, _: engine.answer(stage, Outcome.ALLOW, **obligations)})


def replayed(parts, regenerator, request=None, **how):
    return only(replayer(parts).replay(released_by(parts, request), regenerator, **how))


class TestVerdicts:
    def test_the_same_draft_is_exact(self, parts):
        answer = replayed(parts, PaintingAgain())
        picture = example_picture(256, 256, 123)
        assert (answer.verdict, answer.compared) == (ReplayVerdict.EXACT, Compared.DRAFT)
        assert answer.recorded == answer.regenerated == media_digest(picture)
        assert (answer.obstacle, answer.explanation, answer.comparison, answer.differences) == ("", "", None, ())

    def test_all_items_of_a_call_are_answered_by_making_it_once_and_whole(self, parts):
        again = PaintingAgain()
        entries = released_by(parts, example_request(images=3, seeds=(5, 6, 7)))
        answers = replayer(parts).replay(entries[1:], again)
        assert [answer.released for answer in answers] == entries[1:]
        assert {answer.verdict for answer in answers} == {ReplayVerdict.EXACT}
        assert [call.seeds for call in again.calls] == [(5, 6, 7)]

    def test_rounding_is_within_tolerance_with_the_numbers(self, parts):
        answer = replayed(parts, PaintingAgain(spoil=shifted(1, 12)))
        assert (answer.verdict, answer.compared) == (ReplayVerdict.WITHIN_TOLERANCE, Compared.FILE)
        assert (answer.comparison.differing, answer.comparison.largest, answer.comparison.total) == (12, 1, 12)
        assert answer.comparison.values == 256 * 256 * 3
        assert answer.recorded != answer.regenerated

    @pytest.mark.parametrize(("levels", "values"), [(9, 12), (1, 100_000)])
    def test_more_levels_or_more_values_are_a_mismatch(self, parts, levels, values):
        answer = replayed(parts, PaintingAgain(spoil=shifted(levels, values)))
        assert (answer.verdict, answer.compared) == (ReplayVerdict.MISMATCH, Compared.FILE)
        assert answer.comparison.largest == levels
        assert answer.comparison.differing == min(values, 256 * 256 * 3 // 2)

    def test_whoever_states_another_tolerance_gets_another_verdict(self, parts):
        again = PaintingAgain(spoil=shifted(9, 12))
        assert (
            replayed(parts, again, tolerance=partial(tolerance_of, levels=9)).verdict is ReplayVerdict.WITHIN_TOLERANCE
        )

    def test_another_seed_is_a_mismatch(self, parts):
        def other(drafts):
            return [replace(each, media=example_picture(256, 256, each.seed + 1)) for each in drafts]

        answer = replayed(parts, PaintingAgain(spoil=other))
        assert answer.verdict is ReplayVerdict.MISMATCH
        assert answer.comparison.largest > tolerance_of(MediaKind.IMAGE).levels

    def test_another_size_is_a_mismatch_without_numbers(self, parts):
        def smaller(drafts):
            return [replace(each, media=each.pixels[:128]) for each in drafts]

        answer = replayed(parts, PaintingAgain(spoil=smaller))
        assert (answer.verdict, answer.comparison) == (ReplayVerdict.MISMATCH, None)
        assert "size" in answer.explanation

    def test_an_item_that_is_not_made_any_more_is_a_mismatch(self, parts):
        answer = replayed(parts, PaintingAgain(spoil=lambda drafts: drafts[:0]))
        assert (answer.verdict, answer.regenerated) == (ReplayVerdict.MISMATCH, None)
        assert "0 items" in answer.explanation

    def test_what_differs_in_the_model_is_said_whatever_the_verdict(self, parts):
        other = replace(EXAMPLE_MODEL, scheduler="EulerDiscreteScheduler", device="cuda:0")
        answer = replayed(
            parts, PaintingAgain(model=other, differences=(Difference("call", "said by whoever made it"),))
        )
        assert answer.verdict is ReplayVerdict.EXACT
        assert [each.part for each in answer.differences] == ["call", "scheduler", "environment"]
        assert "EulerDiscreteScheduler" in answer.differences[1].text


class TestMarkedAgain:
    """That the draft differs by one value only shows if label, mark and encoding are those of the record."""

    nearly = staticmethod(lambda: PaintingAgain(spoil=shifted(1, 1)))

    @pytest.mark.parametrize(
        "obligations",
        [
            {"visible_label": "AI", "label_position": "top-right", "label_language": "de"},
            {"visible_label": "AI", "watermark": False},
            {"output_formats": ["image/png"]},
        ],
        ids=["labelled", "labelled only", "marked"],
    )
    def test_as_policy_obliged(self, obligations):
        answer = replayed(fake_parts(policy=obliging(**{"watermark": True, **obligations})), self.nearly())
        assert (answer.verdict, answer.comparison.differing) == (ReplayVerdict.WITHIN_TOLERANCE, 1)

    def test_with_the_strength_that_reads_back(self):
        parts = fake_parts(watermarker=FakeWatermarker(fail_first=1))
        (entry,) = released_by(parts)
        remarker = Remarker((FakeWatermarker(fail_first=1),), parts.mark_key, parts.labeller, parts.codecs)
        answer = only(replayer(parts, remarker=remarker).replay([entry], self.nearly()))
        assert (answer.verdict, answer.comparison.differing) == (ReplayVerdict.WITHIN_TOLERANCE, 1)

    @pytest.mark.parametrize("lost", ["key", "backend", "readable"])
    def test_a_mark_that_cannot_be_repeated_leaves_only_exact(self, parts, lost):
        (entry,) = released_by(parts)
        key = MarkKey(b"another key of 32 bytes and more!") if lost == "key" else parts.mark_key
        marks = () if lost == "backend" else (FakeWatermarker(fail_first=9 if lost == "readable" else 0),)
        other = replayer(parts, remarker=Remarker(marks, key, parts.labeller, parts.codecs))
        answer = only(other.replay([entry], self.nearly()))
        assert (answer.verdict, answer.obstacle) == (ReplayVerdict.NOT_REPLAYABLE, Obstacle.MARK_UNREPEATABLE)
        assert answer.regenerated is not None
        assert only(other.replay([entry], PaintingAgain())).verdict is ReplayVerdict.EXACT

    def test_a_file_that_is_gone_leaves_only_exact_unless_somebody_has_it(self, parts):
        (entry,) = released_by(parts)
        content = parts.vault.get(entry.body["asset"]["digest"])
        parts.vault.erase(entry.body["asset"]["digest"])
        answer = only(replayer(parts).replay([entry], self.nearly()))
        assert (answer.verdict, answer.obstacle) == (ReplayVerdict.NOT_REPLAYABLE, Obstacle.FILE_MISSING)
        assert only(replayer(parts).replay([entry], PaintingAgain())).verdict is ReplayVerdict.EXACT
        healed = only(replayer(parts).replay([entry], self.nearly(), content=content))
        assert healed.verdict is ReplayVerdict.WITHIN_TOLERANCE

    def test_another_file_at_hand_is_not_taken_for_the_released_one(self, parts):
        (entry,) = released_by(parts)
        foreign = parts.encoder.encode(example_picture(256, 256, 9), "image/png")
        answer = only(replayer(parts).replay([entry], self.nearly(), content=foreign))
        assert answer.verdict is ReplayVerdict.WITHIN_TOLERANCE


class TestOlderRecords:
    """Of a time when drafts had no digest: equal files are the most that can be shown."""

    @pytest.fixture
    def parts(self):
        return fake_parts(policy=obliging(watermark=False, visible_label="AI"))

    def test_equal_files_are_exact(self, parts):
        older = aged(parts, only(released_by(parts)))
        answer = only(replayer(parts).replay([older], PaintingAgain()))
        assert (answer.verdict, answer.compared, answer.recorded) == (ReplayVerdict.EXACT, Compared.FILE, None)
        assert answer.comparison.differing == 0

    def test_other_files_are_not(self, parts):
        older = aged(parts, only(released_by(parts)))
        assert only(replayer(parts).replay([older], PaintingAgain(spoil=shifted(1, 3)))).comparison.differing == 3

    def test_equal_files_of_other_drafts_are_not_exact(self):
        """The lowest bits are lost when the file is written, so what differs there only the digests show."""
        parts = fake_parts(policy=obliging(watermark=False, visible_label="AI"), encoder=FakeEncoder(lossy=True))
        answer = replayed(parts, PaintingAgain(spoil=lambda ds: [replace(d, media=d.pixels | 1) for d in ds]))
        assert answer.comparison.differing == 0
        assert answer.verdict is ReplayVerdict.WITHIN_TOLERANCE


class TestNotReplayable:
    def obstacle(self, parts, request=None, regenerator=None, **how):
        again = regenerator or PaintingAgain()
        answer = replayed(parts, again, request, **how)
        assert answer.verdict is ReplayVerdict.NOT_REPLAYABLE
        assert answer.explanation
        assert answer.model is None
        return answer.obstacle, len(again.calls)

    @pytest.mark.parametrize(
        ("field", "obstacle"), [("/prompts/1", Obstacle.PROMPT_ERASED), ("/inputs/0", Obstacle.INPUT_ERASED)]
    )
    def test_where_it_was_erased(self, parts, field, obstacle):
        image = InputImage("image", example_picture())
        (entry,) = released_by(parts, example_request(inputs=(image,)))
        intent = entry.body["intent"]["id"]
        parts.ledger.append(erased_record("act", [ErasedPart(intent, field)], ErasureOrder(Basis.REQUEST)))
        again = PaintingAgain()
        answer = only(replayer(parts).replay([entry], again, given=[GivenPicture("image", image.pixels)]))
        assert (answer.verdict, answer.obstacle) == (ReplayVerdict.NOT_REPLAYABLE, obstacle)
        assert again.calls == []

    @pytest.mark.parametrize(
        ("kind", "obstacle"),
        [(OpaqueKind.LATENTS, Obstacle.OPAQUE_ARGUMENT), (OpaqueKind.CALLBACK, Obstacle.CALLBACK)],
    )
    def test_with_what_nobody_could_read(self, parts, kind, obstacle):
        given = OpaqueArgument("given", kind, None if kind is OpaqueKind.CALLBACK else digest(b"given"))
        assert self.obstacle(parts, example_request(opaque=(given,))) == (obstacle, 0)

    @pytest.mark.parametrize(
        ("error", "obstacle"),
        [
            (GenerationError("No.", remedy="None."), Obstacle.GENERATION_FAILED),
            (ReplayError("No.", Obstacle.MODEL_MISSING, remedy="None."), Obstacle.MODEL_MISSING),
        ],
        ids=["generation", "replay"],
    )
    def test_where_it_cannot_be_made(self, parts, error, obstacle):
        assert self.obstacle(parts, regenerator=PaintingAgain(error=error)) == (obstacle, 1)

    @pytest.mark.parametrize("lost", ["model", "call", "input"])
    def test_where_a_document_is_not_kept(self, parts, lost):
        (entry,) = released_by(parts)
        intent = parts.ledger.entry(entry.body["intent"]["id"])
        wanted = intent.body["decision"]["input"] if lost == "input" else intent.body[lost]
        ledger = Without(parts.ledger, wanted, None)
        answer = only(replayer(parts, ledger=ledger).replay([entry], PaintingAgain()))
        assert (answer.verdict, answer.obstacle) == (ReplayVerdict.NOT_REPLAYABLE, Obstacle.DOCUMENT_MISSING)

    def test_no_model_at_all_is_an_error_and_no_verdict(self, parts):
        with pytest.raises(ModelError):
            replayed(parts, PaintingAgain(error=ModelError("No.", remedy="None.")))

    @pytest.mark.parametrize(
        ("error", "obstacle"),
        [
            (ModelError("No.", remedy="None."), Obstacle.MODEL_MISSING),
            (RequestError("No.", remedy="None."), Obstacle.CALL_DIFFERS),
        ],
        ids=["model", "request"],
    )
    def test_in_an_audit_neither_ends_it(self, parts, error, obstacle):
        entries = released_by(parts, example_request(images=2, seeds=(1, 2)))
        answers = replayer(parts).audited(entries, PaintingAgain(error=error))
        assert [(each.released, each.verdict, each.obstacle) for each in answers] == [
            (entry, ReplayVerdict.NOT_REPLAYABLE, obstacle) for entry in entries
        ]
        assert {each.verdict for each in replayer(parts).audited(entries, PaintingAgain())} == {ReplayVerdict.EXACT}

    def test_all_items_of_the_call_are(self, parts):
        entries = released_by(parts, example_request(images=2, seeds=(1, 2)))
        error = GenerationError("No.", remedy="None.")
        answers = replayer(parts).replay(entries, PaintingAgain(error=error))
        assert [each.verdict for each in answers] == [ReplayVerdict.NOT_REPLAYABLE] * 2
        assert all(each.recorded == each.released.body["draft"] for each in answers)


class Without:
    """A ledger in which the document `wanted` is something else."""

    def __init__(self, ledger, wanted, content):
        self._ledger, self._wanted, self._content = ledger, wanted, content

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def document(self, name):
        return self._content if name == self._wanted else self._ledger.document(name)


class TestPictures:
    first, second = (InputImage("image", example_picture(seed=seed)) for seed in (1, 2))
    mask = InputImage("mask_image", example_picture(seed=3))

    def replayed(self, given, inputs):
        again = PaintingAgain()
        answer = replayed(
            fake_parts(),
            again,
            example_request(inputs=inputs),
            given=[GivenPicture(each.parameter, each.pixels) for each in given],
        )
        return answer, again

    def test_are_handed_on_in_their_places(self):
        answer, again = self.replayed([self.mask, self.first, self.second], (self.first, self.mask, self.second))
        assert answer.verdict is ReplayVerdict.EXACT
        assert [media_digest(each) for each in again.inputs] == [
            media_digest(each.pixels) for each in (self.first, self.mask, self.second)
        ]

    def test_that_nobody_gives_are_missing(self):
        answer, again = self.replayed([self.first], (self.first, self.mask))
        assert (answer.verdict, answer.obstacle) == (ReplayVerdict.NOT_REPLAYABLE, Obstacle.INPUT_MISSING)
        assert "--input mask_image=FILE" in answer.explanation
        assert again.calls == []

    def test_that_are_others_are_refused_before_anything_runs(self):
        with pytest.raises(RequestError, match="not the one of the record"):
            self.replayed([self.second], (self.first,))

    def test_that_the_call_never_had_are_refused(self):
        with pytest.raises(RequestError, match="mask_image"):
            self.replayed([self.first, self.mask], (self.first,))


class TestTheRecordIsProvedFirst:
    @pytest.mark.parametrize("changed", ["model", "call", "input"])
    def test_an_altered_document_is_an_error(self, parts, changed):
        (entry,) = released_by(parts)
        intent = parts.ledger.entry(entry.body["intent"]["id"])
        wanted = intent.body["decision"]["input"] if changed == "input" else intent.body[changed]
        other = parts.ledger.document(wanted).replace(b"example", b"exemple") + b" "
        with pytest.raises(ProofError):
            replayer(parts, ledger=Without(parts.ledger, wanted, other)).replay([entry], PaintingAgain())

    def test_an_entry_that_is_not_in_the_log_is_an_error(self, parts):
        (entry,) = released_by(parts)
        forged = replace(entry, body={**entry.body, "draft": digest(b"another")})
        with pytest.raises(ProofError):
            replayer(parts).replay([forged], PaintingAgain())

    def test_each_of_several_entries_is_proved(self, parts):
        first, second = released_by(parts, example_request(images=2, seeds=(5, 6)))
        forged = replace(second, body={**second.body, "draft": digest(b"another")})
        again = PaintingAgain()
        with pytest.raises(ProofError):
            replayer(parts).replay([first, forged], again)
        with pytest.raises(ProofError):
            replayer(parts).audited([first, forged], again)
        assert again.calls == []

    def test_entries_of_several_calls_are_not_answered_by_one_of_them(self, parts):
        entries = [*released_by(parts), *released_by(parts, example_request(id="other"))]
        again = PaintingAgain()
        with pytest.raises(ProofError, match="several calls"):
            replayer(parts).replay(entries, again)
        assert again.calls == []

    def test_a_receipt_under_another_key_is_an_error(self, parts):
        (entry,) = released_by(parts)
        with pytest.raises(ProofError):
            replayer(parts, log_key=fake_parts().log_key).replay([entry], PaintingAgain())


class TestEntry:
    def body(self, parts, **changes):
        replays = replayer(parts)
        (answer,) = replays.replay(released_by(parts), PaintingAgain(**changes))
        return answer, replays.recorded(answer).entry

    def test_says_what_was_compared_and_stands_in_the_generation(self, parts):
        answer, entry = self.body(parts, spoil=shifted(1, 12))
        assert (entry.kind, entry.subject) == (EntryKind.REPLAYED, answer.released.subject)
        body = dict(entry.body)
        model = body.pop("model")
        assert body == {
            "version": 1,
            "item": 0,
            "released": {"id": answer.released.id, "leaf": leaf_hash(answer.released.leaf()).hex()},
            "verdict": "within_tolerance",
            "compared": "file",
            "obstacle": None,
            "drafts": {"recorded": answer.recorded, "regenerated": answer.regenerated},
            "numbers": answer.comparison.as_json(),
            "tolerance": {"levels": 4, "share_millionths": 50_000},
            "differences": [],
            "more_differences": 0,
            "sample": None,
            "fields": {},
        }
        assert digest(parts.ledger.document(model)) == model
        assert list(parts.ledger.verify()) == []
        assert [each.kind for _, each in parts.ledger.entries(kind=EntryKind.REPLAYED)] == [EntryKind.REPLAYED]

    def test_holds_nothing_personal_and_no_picture(self, parts):
        _, entry = self.body(parts)
        leaf = entry.leaf().decode()
        assert not any(word in leaf for word in (TEXT, "designer", "request-1"))
        assert list(parts.ledger.fields(entry.id)) == []
        assert len(parts.vault.contents()) == 1

    def test_names_no_model_where_none_ran(self, parts):
        _, entry = self.body(parts, error=GenerationError("No.", remedy="None."))
        assert "model" not in entry.body
        assert entry.body["obstacle"] == "generation_failed"

    def test_has_room_for_many_differences_and_counts_the_rest(self, parts):
        many = tuple(Difference("call", f"{number}: " + "x" * 500) for number in range(300))
        answer, entry = self.body(parts, differences=many)
        shown = entry.body["differences"]
        assert len(answer.differences) == 300
        assert 10 < len(shown) < MAX_DIFFERENCES
        assert entry.body["more_differences"] == 300 - len(shown)
        assert len(canonical_bytes(entry.body)) < 20_000

    def test_names_its_sample(self, parts):
        replays = replayer(parts)
        (answer,) = replays.replay(released_by(parts), PaintingAgain())
        entry = replays.recorded(answer, Sampled(5, 2**63, "2026-11-01T00:00:00.000Z")).entry
        assert entry.body["sample"] == {"number": 5, "seed": str(2**63), "since": "2026-11-01T00:00:00.000Z"}

    def test_is_believed_only_with_a_receipt_for_it(self, parts):
        replays = replayer(parts)
        (answer,) = replays.replay(released_by(parts), PaintingAgain())
        parts.ledger.refuse[EntryKind.REPLAYED] = LedgerError("The disk is full.", remedy="Make room.")
        with pytest.raises(LedgerError, match="full"):
            replays.recorded(answer)


def test_nothing_is_written_by_a_replay_alone(parts):
    entries = released_by(parts)
    before = len(parts.ledger.entries(limit=100))
    replayer(parts).replay(entries, PaintingAgain(spoil=shifted(1, 1)))
    assert len(parts.ledger.entries(limit=100)) == before
