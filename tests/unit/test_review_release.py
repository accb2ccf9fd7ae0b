"""From approval to release: what is asked and read again, and what is left when a step fails or a process vanishes."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from governance.agreement import disagreement
from governance.assets import Verdict
from governance.bodies import decision_of
from governance.canonical import digest
from governance.checkpoint import verify_receipt
from governance.entries import EntryKind, HoldState, Recorded
from governance.errors import (
    DeniedError,
    HeldError,
    LedgerError,
    MarkError,
    PolicyError,
    ReviewError,
    SigningError,
    StorageError,
)
from governance.governor import Governor
from governance.held import HeldDraft
from governance.ports import ManifestState
from governance.recovery import recover
from governance.results import recorded_result
from governance.resumption import Resumption
from governance.review import ReviewDesk
from governance.testing import FailingAt, FakePipeline, FakeWatermarker, example_picture
from governance.types import InputImage, Outcome, Reason, Stage
from support.reviewing import ANN, BOB, CAY, CODES, HELD, ReviewPolicy, erase, held, request

OTHER = Reason("market.closed", "Not in this market.", "/request/markets")


def approved(line):
    """The line's hold with two approvals, whose release failed, so that it is still to be done."""
    signer = FailingAt(line.parts.signer, "sign", SigningError("No key.", remedy="Make one."))
    line.approve(ANN)
    line.desk.lease(BOB, line.record.id)
    with pytest.raises(SigningError):
        line.over(signer=signer).approve(BOB, line.record.id, CODES)
    assert line.record.state is HoldState.APPROVED
    return line


class TestReleased:
    def test_the_file_is_the_draft_marked_signed_and_recorded(self):
        line = held()
        line.approve(ANN)
        item = line.approve(BOB).item
        parts = line.parts
        report = parts.signer.read(item.asset.content)
        assert item.verdict is Verdict.RELEASED
        assert report.state is ManifestState.TRUSTED
        assert disagreement(item.entry, decision_of(item.entry, ()), report, parts.log_key.name) == ""
        assert report.provenance["policy"]["decision_ids"] == [each.decision_id for each in item.decisions]
        assert [each.stage for each in item.decisions] == [Stage.ADMISSION, Stage.RELEASE, Stage.REVIEW]
        assert verify_receipt(item.asset.receipt, parts.log_key) == item.entry
        assert parts.vault.get(item.asset.digest) == item.asset.content
        decoded = parts.encoder.decode(item.asset.content).astype(int)
        assert np.abs(decoded - example_picture(64, 64, 5).astype(int)).max() <= 1  # the fake mark's lowest bits
        assert parts.quarantine.holds() == []
        assert not list(parts.ledger.verify())

    def test_without_its_approvals_such_an_entry_records_no_release(self):
        line = held()
        line.approve(ANN)
        entry = line.approve(BOB).item.entry
        for review in (None, {}, {**entry.body["review"], "approvals": []}):
            stripped = replace(entry, body={**entry.body, "review": review})
            assert "no decision that allowed" in disagreement(
                stripped, decision_of(entry, ()), None, line.parts.log_key.name
            )

    def test_the_manifest_must_name_peoples_decision(self):
        line = held()
        line.approve(ANN)
        item = line.approve(BOB).item
        report = line.parts.signer.read(item.asset.content)
        review = {**item.entry.body["review"], "decision_id": "another"}
        altered = replace(item.entry, body={**item.entry.body, "review": review})
        problem = disagreement(altered, decision_of(altered, ()), report, line.parts.log_key.name)
        assert "people let" in problem

    def test_asking_again_gives_the_release(self):
        line = held()
        with pytest.raises(HeldError):
            Governor(line.parts).generate(request(), FakePipeline())
        line.approve(ANN)
        item = line.approve(BOB).item
        (again,) = Governor(line.parts).generate(request(), FakePipeline()).items
        assert again.asset == item.asset
        assert again.decisions == item.decisions
        assert again.findings == item.findings

    @pytest.mark.parametrize("ending", ["reject", "expire"])
    def test_asking_again_after_the_end_is_a_denial(self, ending):
        policy = ReviewPolicy(release=(Outcome.REVIEW, (HELD,), {"expire_hours": 1}))
        line = held(policy)
        line.desk.lease(ANN, line.record.id)
        if ending == "reject":
            line.desk.reject(ANN, line.record.id, CODES)
        else:
            line.desk.settle(line.record.expires)
        with pytest.raises(DeniedError, match=r"finding\.review") as caught:
            Governor(line.parts).generate(request(), FakePipeline())
        (item,) = caught.value.result.items
        stages = [Stage.ADMISSION, Stage.RELEASE, Stage.REVIEW]
        assert [each.stage for each in item.decisions] == (stages if ending == "reject" else stages[:2])
        assert item.findings
        assert item.entry.kind is (EntryKind.REJECTED if ending == "reject" else EntryKind.EXPIRED)

    def test_inputs_come_back_as_they_were_given(self):
        file, bare = example_picture(64, 64, 8), example_picture(48, 32, 9)
        line = held()
        content = line.parts.encoder.encode(file, "image/png")
        images = (InputImage("image", file, content, "image/png"), InputImage("mask_image", bare))
        line = held(asked=request(inputs=images))
        resumed = Resumption(line.parts, line.clock)._restored(approved(line).record)
        for one, other in zip(resumed.inputs, images, strict=True):
            assert (one.parameter, one.content, one.media_type) == (other.parameter, other.content, other.media_type)
            assert (one.pixels == other.pixels).all()
        assert resumed.draft.seed == 5
        assert resumed.draft.model.digest == FakePipeline().model.digest

    def test_items_of_a_batch_are_held_and_released_apart(self):
        line = held(asked=request(images=3, seeds=(1, 2, 3)))
        # Ids of one millisecond are in no order.
        first, second, third = sorted(line.parts.ledger.holds(), key=lambda record: record.item)
        for reviewer in (ANN, BOB):
            line.desk.lease(reviewer, second.id)
            done = line.desk.approve(reviewer, second.id, CODES)
        line.desk.lease(ANN, third.id)
        line.desk.reject(ANN, third.id, CODES)
        assert done.item.index == second.item == 1
        result = Governor(line.parts).generate(request(images=3, seeds=(1, 2, 3)), FakePipeline())
        assert [item.verdict for item in result.items] == [Verdict.HELD, Verdict.RELEASED, Verdict.DENIED]
        assert line.now(first.id).state is HoldState.OPEN


class TestAskedAgain:
    def test_policy_is_asked_the_same_at_another_time(self):
        line = held()
        line.approve(ANN)
        line.approve(BOB)
        first, second = (facts for stage, facts in line.policy.asked if stage is Stage.RELEASE)
        assert {**second, "time": first["time"]} == first
        assert second["time"] == line.clock.now != first["time"]

    def test_whether_it_can_be_marked_is_seen_anew(self):
        line = held()
        line.approve(ANN)
        line.desk.lease(BOB, line.record.id)
        with pytest.raises(MarkError):
            line.over(watermarker=FakeWatermarker(min_side=10_000)).approve(BOB, line.record.id, CODES)
        facts = [facts for stage, facts in line.policy.asked if stage is Stage.RELEASE][-1]
        assert facts["draft"]["markable"] is False

    def test_one_that_denies_by_now_ends_the_hold(self):
        line = held()
        line.approve(ANN)
        line.policy.release = (Outcome.DENY, (OTHER,), {})
        with pytest.raises(ReviewError, match=r"market\.closed"):
            line.approve(BOB)
        assert line.record.state is HoldState.REJECTED
        assert line.parts.quarantine.holds() == []
        assert line.kinds() == ["intent", "held", "approved", "approved", "denied"]
        with pytest.raises(DeniedError, match=r"market\.closed"):
            Governor(line.parts).generate(request(), FakePipeline())

    def test_new_reasons_are_for_people_again(self):
        line = held()
        line.approve(ANN)
        line.policy.release = (Outcome.REVIEW, (HELD, OTHER), {"queue": "legal"})
        with pytest.raises(ReviewError, match=r"market\.closed") as caught:
            line.approve(BOB)
        assert "finding.review" not in str(caught.value)
        assert (line.record.state, line.record.queue) == (HoldState.OPEN, "legal")
        assert line.kinds()[-1] == "held"
        view = line.desk.show(CAY, line.record.id)
        assert (view.given, [reason.code for reason in view.decision.reasons]) == (
            0,
            ["finding.review", "market.closed"],
        )
        line.approve(ANN)
        item = line.approve(BOB).item
        assert item.verdict is Verdict.RELEASED
        assert len(item.entry.body["review"]["approvals"]) == 2
        (again,) = Governor(line.parts).generate(request(), FakePipeline()).items
        assert again.asset == item.asset

    def test_more_approvals_than_are_given_are_waited_for(self):
        line = held()
        line.approve(ANN)
        line.policy.release = (Outcome.REVIEW, (HELD,), {"approvals": 3})
        with pytest.raises(ReviewError, match="obliges 3"):
            line.approve(BOB)
        assert line.record.state is HoldState.OPEN
        assert line.desk.show(CAY, line.record.id).needed == 3

    def test_as_many_as_admission_people_did_not_give_are_waited_for(self):
        line = held(ReviewPolicy(needed=1, admission=(Outcome.REVIEW, (HELD,), {})))
        line.approve(ANN)
        with pytest.raises(HeldError):
            Governor(line.parts).generate(request(), FakePipeline())
        draft = line.parts.ledger.holds(state=HoldState.OPEN)[0]
        line.policy.release = (Outcome.REVIEW, (HELD,), {"approvals": 2})
        line.clock.now = draft.opened
        line.desk.lease(ANN, draft.id)
        with pytest.raises(ReviewError, match="obliges 2"):
            line.desk.approve(ANN, draft.id, CODES)
        assert line.now(draft.id).state is HoldState.OPEN

    def test_a_policy_that_obliges_fewer_by_now_waits_for_those_it_held_for(self):
        line = held(ReviewPolicy(needed=1, release=(Outcome.REVIEW, (HELD,), {"approvals": 2})))
        first = line.approve(ANN)
        assert (first.item, first.entry.body["lacking"], first.record.state) == (None, 1, HoldState.OPEN)
        assert line.kinds() == ["intent", "held", "approved"]
        assert line.desk.settle() == []
        record = line.record
        line.parts.ledger._store.holds[record.id] = replace(record, state=HoldState.APPROVED)
        assert line.desk.settle() == []  # the row alone is not believed
        line.parts.ledger._store.holds[record.id] = record
        item = line.approve(BOB).item
        assert item.verdict is Verdict.RELEASED
        assert len(item.entry.body["review"]["approvals"]) == 2
        assert not list(line.parts.ledger.verify())

    def test_what_admission_obliged_is_honoured_as_well(self):
        obliged = (Outcome.ALLOW, (), {"visible_label": "Made by AI", "approvals": 2})
        line = held(ReviewPolicy(admission=obliged))
        line.approve(ANN)
        item = line.approve(BOB).item
        assert item.entry.body["visible_label"] == item.entry.body["honoured"]["visible_label"] == "Made by AI"
        assert item.entry.body["honoured"]["approvals"] == 2

    def test_fewer_reasons_or_none_are_fine(self):
        line = held(ReviewPolicy(release=(Outcome.REVIEW, (HELD, OTHER), {})))
        line.approve(ANN)
        line.policy.release = (Outcome.ALLOW, (), {})
        assert line.approve(BOB).item.verdict is Verdict.RELEASED


POINTS = [
    ("policy", "decide", 1, PolicyError),
    ("ledger", "append", 1, LedgerError),
    ("ledger", "append", 2, LedgerError),
    ("ledger", "next_mark", 1, LedgerError),
    ("ledger", "receipt", 1, LedgerError),
    ("ledger", "document", 2, LedgerError),
    ("quarantine", "open", 1, StorageError),
    ("encoder", "decode", 1, MarkError),
    ("encoder", "encode", 1, MarkError),
    ("watermarker", "embed", 1, MarkError),
    ("watermarker", "extract", 1, MarkError),
    ("fingerprinter", "fingerprint", 1, MarkError),
    ("metadata", "write", 1, MarkError),
    ("signer", "sign", 1, SigningError),
    ("vault", "put", 1, StorageError),
]


@pytest.mark.parametrize(("part", "method", "nth", "kind"), POINTS)
class TestEveryFailurePoint:
    @pytest.mark.parametrize("foreign", [None, KeyboardInterrupt, MemoryError])
    @pytest.mark.parametrize("after", [False, True])
    def test_releases_once_and_never_loses_what_was_approved(self, part, method, nth, kind, foreign, after):
        line = held()
        line.approve(ANN)
        line.desk.lease(BOB, line.record.id)
        error = foreign("broken") if foreign else kind("broken", remedy="Mend it.")
        failing = FailingAt(getattr(line.parts, part), method, error, nth=nth, after=after)
        desk, done = line.over(**{part: failing}), []
        with suppress(type(error)):
            done.append(desk.approve(BOB, line.record.id, CODES))
        assert failing.calls >= nth
        for reviewed in done:  # the release was durable before the error came
            assert reviewed.record.state is HoldState.DONE
            assert reviewed.item.asset is not None
        self.vanish_and_open_again(line)
        if line.record.state is HoldState.OPEN:  # it failed before the approval was written
            assert "approved" not in line.kinds()[3:]
            line.clock.wait(1000)
            line.approve(BOB)
        assert line.record.state is HoldState.DONE
        assert line.kinds().count("released") == 1
        assert line.parts.quarantine.holds() == []
        assert line.parts.vault.staged() == []
        assert len(line.parts.vault.published) == 1
        assert not list(line.parts.ledger.verify())
        (item,) = Governor(line.parts).generate(request(), FakePipeline()).items
        assert item.verdict is Verdict.RELEASED

    def vanish_and_open_again(self, line):
        line.parts = replace(line.parts, ledger=line.parts.ledger.successor())
        line.desk = ReviewDesk(line.parts, clock=line.clock)
        for _ in range(2):
            recover(line.parts.ledger, line.parts.vault, line.parts.quarantine)
            line.desk.settle()
        recover(line.parts.ledger, line.parts.vault, line.parts.quarantine)

    def test_a_failed_step_is_recorded_with_its_hold(self, part, method, nth, kind):
        line = held()
        line.approve(ANN)
        line.desk.lease(BOB, line.record.id)
        failing = FailingAt(getattr(line.parts, part), method, kind("broken", remedy="Mend it."), nth=nth)
        with pytest.raises(kind):
            line.over(**{part: failing}).approve(BOB, line.record.id, CODES)
        failures = line.parts.ledger.entries(kind=EntryKind.FAILED)
        if line.record.state is HoldState.OPEN:
            assert failures == []
            return
        ((_, entry),) = failures
        assert entry.body["hold"] == {"id": line.record.id, "entry": line.record.entry_id}
        assert entry.body["item"] == 0
        with pytest.raises(HeldError):  # neither released nor failed for good
            Governor(line.parts).generate(request(), FakePipeline())


class TestSettling:
    def test_what_was_approved_is_released(self):
        line = approved(held())
        assert line.desk.settle() == [line.record]
        assert line.record.state is HoldState.DONE
        assert line.desk.settle() == []
        assert line.kinds() == ["intent", "held", "approved", "approved", "failed", "released"]

    def test_what_cannot_be_released_yet_waits(self, caplog):
        line = approved(held())
        line.policy.release = (Outcome.REVIEW, (HELD,), {"watermark": False})
        assert line.desk.settle() == []
        assert "could not be released yet" in caplog.text
        assert line.record.state is HoldState.APPROVED

    def test_a_failure_that_repeats_itself_is_written_once(self):
        line = approved(held())
        for kind in (SigningError, MarkError, MarkError):
            assert line.over(signer=FailingAt(line.parts.signer, "sign", kind("No."))).settle() == []
        assert line.kinds() == ["intent", "held", "approved", "approved", "failed", "failed"]

    def test_one_that_breaks_in_an_unknown_way_keeps_no_other_waiting(self, caplog):
        line = held(asked=request(images=2, seeds=(1, 2)))
        for record in line.parts.ledger.holds():
            line.desk.lease(ANN, record.id)
            line.desk.approve(ANN, record.id, CODES)
            line.desk.lease(BOB, record.id)
            signer = FailingAt(line.parts.signer, "sign", SigningError("No key."))
            with pytest.raises(SigningError):
                line.over(signer=signer).approve(BOB, record.id, CODES)
        foreign = FailingAt(line.parts.signer, "sign", ZeroDivisionError("foreign"))
        (done,) = line.over(signer=foreign).settle()
        assert done.state is HoldState.DONE
        assert "could not be released yet" in caplog.text

    def test_what_was_erased_since_the_approval_is_recorded_as_a_failure(self):
        line = approved(held())
        erase(line, line.record.entry_id, "/prompts/0")
        assert line.desk.settle() == []
        failure = line.parts.ledger.entries(kind=EntryKind.FAILED)[-1][1]
        assert (failure.body["step"], failure.body["error"]) == ("restore", "ReviewError")
        assert line.record.state is HoldState.APPROVED

    def test_a_row_that_says_approved_is_not_believed(self):
        line = held()
        record = line.record
        line.parts.ledger._store.holds[record.id] = replace(record, state=HoldState.APPROVED)
        assert line.desk.settle() == []
        assert "released" not in line.kinds()
        line = held()
        line.approve(ANN)
        record = line.record
        line.parts.ledger._store.holds[record.id] = replace(record, state=HoldState.APPROVED)
        with pytest.raises(LedgerError, match="completes the approval"):
            Resumption(line.parts, line.clock).release(line.record)
        assert "released" not in line.kinds()

    def test_two_who_release_at_once_release_once(self):
        line = approved(held())
        together, done = threading.Barrier(2), []

        class Slow:
            """A signer that waits for the other."""

            def __getattr__(self, name):
                return getattr(line.parts.signer, name)

            def sign(self, *args, **kwargs):
                together.wait(10)
                return line.parts.signer.sign(*args, **kwargs)

        def work():
            done.append(Resumption(replace(line.parts, signer=Slow()), line.clock).release(line.record))

        record = line.record
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (one, first), (other, second) = done
        assert one.state is other.state is HoldState.DONE
        assert first.asset.digest == second.asset.digest
        assert line.kinds().count("released") == 1
        assert line.kinds().count("failed") == 1  # from before
        assert line.parts.vault.staged() == []
        assert line.now(record.id).state is HoldState.DONE

    def test_another_draft_than_was_held_is_not_released(self):
        line = approved(held())
        sealed = HeldDraft.of(line.parts.codecs, example_picture(64, 64, 6), ()).pack()
        line.parts.quarantine.sealed[line.record.id] = sealed
        assert line.desk.settle() == []
        assert line.record.state is HoldState.APPROVED


class TestRecovery:
    def test_drafts_stay_while_people_decide_and_no_longer(self):
        line = held()
        parts = line.parts
        recover(parts.ledger, parts.vault, parts.quarantine)
        assert parts.quarantine.holds() == [line.record.id]
        approved(line)
        recover(parts.ledger, parts.vault, parts.quarantine)
        assert parts.quarantine.holds() == [line.record.id]
        parts.quarantine.errors["destroy"] = StorageError("Busy.", remedy="Try again.")
        line.desk.settle()
        parts.quarantine.errors.clear()
        assert parts.quarantine.holds() == [line.record.id]
        recover(parts.ledger, parts.vault, parts.quarantine)
        assert parts.quarantine.holds() == []

    def test_what_another_process_is_about_to_release_is_left_alone(self):
        line = approved(held())
        staged = digest(b"their file")
        line.parts.vault.put(staged, b"their file")
        recover(line.parts.ledger, line.parts.vault, line.parts.quarantine)
        assert line.parts.vault.staged() == [staged]
        line.desk.settle()
        recover(line.parts.ledger, line.parts.vault, line.parts.quarantine)
        assert line.parts.vault.staged() == []

    def test_a_recorded_result_reads_the_release_from_the_vault(self):
        line = held()
        line.approve(ANN)
        item = line.approve(BOB).item
        result = recorded_result(line.parts, "request-1", Recorded(1, line.record.subject))
        assert result.items[0].asset == item.asset
