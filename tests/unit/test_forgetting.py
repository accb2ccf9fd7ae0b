"""Erasing people, generations and what is past its time: what goes, what stays, and what a crash leaves to be done."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from governance.canonical import digest
from governance.checkpoint import verify_receipt
from governance.entries import MAX_ENTRY_BYTES, EntryKind, HoldState, LegalHoldScope
from governance.erasure import Basis, ErasureOrder, erased_parts
from governance.errors import (
    ErasureError,
    HeldError,
    LedgerError,
    ProofError,
    ReviewError,
    StorageError,
)
from governance.governor import Governor
from governance.legal_holds import lifted_record, placed_record
from governance.review import ReviewDesk
from governance.testing import FailingAt, FakeErasureLog, FakePipeline
from governance.testing.example_records import intent_record, released_record
from governance.testing.ledger_erasure import asked_record
from governance.types import Outcome, Prompt, Usage
from governance.vault_accounts import disagreements
from support.erasing import ALLOWED, GONE, OPERATOR, ORDER, STAYS, WORDS, Scene, crowd, of_kind
from support.reviewing import ANN, BOB, HELD, request

HELD_ANSWER = (Outcome.REVIEW, (HELD,), {})


def assert_forgotten(made):
    """Nothing of the person is found or kept, all proofs verify, and the log lists every erasure."""
    scene, ledger = made.scene, made.scene.parts.ledger
    assert scene.found(principal=GONE.id) == scene.found(reviewer=GONE.id) == set()
    assert all(scene.found(words=word) == set() for word in WORDS)
    kept = scene.values()
    assert not [word for word in (GONE.id, *WORDS, "herons") if word in kept]
    assert not list(ledger.verify())
    for _, entry in scene.entries():
        assert verify_receipt(ledger.receipt(entry.id), scene.parts.log_key) == entry
    assert {receipt.entry.id for receipt in scene.log.receipts()} == {e.id for e in of_kind(scene, EntryKind.ERASED)}
    assert scene.parts.quarantine.holds() == []
    assert {hold.state for hold in ledger.holds()} <= {HoldState.DONE, HoldState.REJECTED, HoldState.EXPIRED}
    assert scene.eraser().settle() == 0


def assert_others_stay(made):
    assert made.other in made.scene.found(principal=STAYS.id)
    assert made.scene.found(words="heron") == {made.other}
    kept = made.scene.values(made.other)
    assert STAYS.id in kept
    assert "Names a" not in kept


@pytest.fixture
def made():
    return crowd(Scene.of())


class TestPerson:
    def test_nothing_of_them_is_left_and_nobody_elses_is_touched(self, made):
        scene = made.scene
        before = {entry.id: entry for _, entry in scene.entries()}
        report = scene.eraser().person(GONE.id, ORDER)
        assert_forgotten(made)
        assert_others_stay(made)
        assert {entry.id: entry for _, entry in scene.entries() if entry.id in before} == before
        assert report.subjects == len(made.theirs) + 2  # what they reviewed, and the work that they edited
        assert (report.holds, report.files, report.watermarks, report.kept) == (1, 0, 0, ())
        assert report.entries == tuple(entry.id for entry in of_kind(scene, EntryKind.ERASED))
        assert report.fields == sum(
            part.name.startswith("/") for entry in of_kind(scene, EntryKind.ERASED) for part in erased_parts(entry)
        )

    def test_who_reviewed_their_requests_stays_named(self, made):
        made.scene.eraser().person(GONE.id, ORDER)
        kept = made.scene.values(made.theirs["reviewed"])
        assert ANN.id in kept
        assert "zebra" not in kept

    def test_the_entry_says_why_and_who_and_never_whom(self, made):
        made.scene.eraser().person(GONE.id, ORDER)
        (entry,) = of_kind(made.scene, EntryKind.ERASED)
        assert entry.body["basis"] == "request"
        assert entry.body["principal"] == {"roles": ["privacy"], "issuer": "caller", "assurance": "asserted"}
        assert {f.name: f.value for f in made.scene.parts.ledger.fields(entry.id)} == {
            "/principal/id": OPERATOR.id,
            "/reference": "file 17",
        }
        assert GONE.id.encode() not in entry.leaf()

    def test_released_files_and_marks_stay_unless_they_are_asked_for(self, made):
        scene, vault = made.scene, made.scene.parts.vault
        released = of_kind(scene, EntryKind.RELEASED)
        theirs = [entry for entry in released if entry.subject in made.theirs.values()]
        scene.eraser().person(GONE.id, ORDER)
        assert all(vault.get(entry.body["asset"]["digest"]) for entry in released)
        report = scene.eraser().subject(made.theirs["released"], ORDER, files=True)
        assert (report.files, report.watermarks, report.fields) == (1, 1, 0)
        with pytest.raises(StorageError):
            vault.get(theirs[0].body["asset"]["digest"])
        assert not list(scene.parts.ledger.verify())

    def test_with_files_their_released_files_go_and_no_others(self, made):
        scene, vault = made.scene, made.scene.parts.vault
        mine = scene.ask(STAYS, 9, "a heron too")
        report = scene.eraser().person(GONE.id, ORDER, files=True)
        assert (report.files, report.watermarks) == (2, 2)
        for entry in of_kind(scene, EntryKind.RELEASED):
            mark = entry.body["watermark"]
            found = scene.parts.ledger.find_mark(mark["algorithm"], mark["key_id"], int(mark["id"]))
            if entry.subject == mine:
                assert vault.get(entry.body["asset"]["digest"])
                assert found is not None
            else:
                with pytest.raises(StorageError):
                    vault.get(entry.body["asset"]["digest"])
                assert found is None
        assert_forgotten(made)

    def test_a_second_time_there_is_nothing_to_do(self, made):
        made.scene.eraser().person(GONE.id, ORDER)
        before = made.scene.entries()
        report = made.scene.eraser().person(GONE.id, ORDER)
        assert made.scene.entries() == before
        assert (report.entries, report.subjects, report.fields, report.holds) == ((), 0, 0, 0)

    def test_a_dry_run_changes_nothing_and_counts_the_same(self, made):
        scene = made.scene
        before, kept, sealed = scene.entries(), scene.values(), scene.parts.quarantine.holds()
        planned = scene.eraser().person(GONE.id, ORDER, files=True, dry_run=True)
        assert (scene.entries(), scene.values(), scene.parts.quarantine.holds()) == (before, kept, sealed)
        assert planned.dry_run
        done = scene.eraser().person(GONE.id, ORDER, files=True)
        assert replace(planned, entries=done.entries, dry_run=False) == done

    def test_nobody_erases_themselves(self, made):
        with pytest.raises(ErasureError, match="themselves"):
            made.scene.eraser().person(GONE.id, replace(ORDER, by=GONE))

    def test_somebody_unknown_is_nobody(self, made):
        before = made.scene.entries()
        assert made.scene.eraser().person("nobody@example.org", ORDER).subjects == 0
        assert made.scene.entries() == before

    @pytest.mark.parametrize("text", ["x" * 1001, "\ud800"])
    def test_a_reference_that_cannot_be_kept_is_refused(self, made, text):
        with pytest.raises(ErasureError, match="reference"):
            made.scene.eraser().person(GONE.id, replace(ORDER, reference=text))
        assert GONE.id in made.scene.values()

    def test_the_same_request_runs_anew(self, made):
        scene = made.scene
        asked = request(principal=GONE, id="request-1", prompts=(Prompt("a zebra"),))
        before = Governor(scene.parts).generate(asked, FakePipeline())
        assert before.generation_id == made.theirs["released"]
        scene.eraser().person(GONE.id, ORDER)
        after = Governor(scene.parts).generate(asked, FakePipeline())
        assert after.generation_id not in made.theirs.values()

    def test_their_usage_and_leases_go(self, made):
        scene, ledger = made.scene, made.scene.parts.ledger
        scene.ask(STAYS, 7, "a crane", HELD_ANSWER)
        (hold,) = [each for each in ledger.holds(state=HoldState.OPEN) if each.subject not in made.theirs.values()]
        ReviewDesk(scene.parts).lease(GONE, hold.id)
        scene.eraser().person(GONE.id, ORDER)
        days = {entry.time[:10] for _, entry in scene.entries()}
        assert {ledger.usage(GONE.id, day) for day in days} == {Usage()}
        assert all(hold.holder == "" for hold in ledger.holds())

    def test_who_erased_others_is_erased_like_anybody(self, made):
        scene = made.scene
        scene.eraser().person(GONE.id, ORDER)
        scene.eraser().person(OPERATOR.id, replace(ORDER, by=ANN, reference=""))
        assert OPERATOR.id not in scene.values()
        assert not list(scene.parts.ledger.verify())


class TestHolds:
    def test_an_open_hold_ends_and_its_draft_is_destroyed(self, made):
        scene, subject = made.scene, made.theirs["held"]
        (hold,) = [each for each in scene.parts.ledger.holds() if each.subject == subject]
        scene.eraser().person(GONE.id, ORDER)
        after = scene.parts.ledger.hold(hold.id)
        (erased,) = of_kind(scene, EntryKind.ERASED)
        (_, expired), *_ = scene.parts.ledger.entries(subject=subject, kind=EntryKind.EXPIRED)
        assert after.state is HoldState.EXPIRED
        assert expired.body["erasure"] == erased.id
        with pytest.raises(ReviewError):
            ReviewDesk(scene.parts).lease(ANN, hold.id)

    def test_an_approved_draft_is_not_released_any_more(self):
        scene = Scene.of()
        subject = scene.ask(GONE, 1, "a zebra", HELD_ANSWER)
        whole = scene.parts
        scene.parts = replace(scene.parts, signer=FailingAt(scene.parts.signer, "sign", ValueError("no key")))
        with pytest.raises(ValueError, match="no key"):
            scene.review(ANN, subject, "approve")
        scene.parts = whole
        assert whole.ledger.holds()[0].state is HoldState.APPROVED
        scene.eraser().person(GONE.id, ORDER)
        assert whole.ledger.holds()[0].state is HoldState.EXPIRED
        ReviewDesk(whole).settle()
        assert "released" not in scene.kinds(subject)
        assert whole.quarantine.holds() == []
        assert GONE.id not in scene.values()
        assert not list(whole.ledger.verify())

    def test_an_approved_request_does_not_run_by_its_approval(self):
        scene = Scene.of()
        scene.policy.admission = HELD_ANSWER
        asked = request(principal=GONE)
        with pytest.raises(HeldError):
            Governor(scene.parts).generate(asked, FakePipeline())
        (hold,) = scene.parts.ledger.holds()
        scene.review(ANN, hold.subject, "approve")
        scene.eraser().person(GONE.id, ORDER)
        after = scene.parts.ledger.hold(hold.id)
        assert (after.state, after.request) == (HoldState.EXPIRED, "")
        with pytest.raises(HeldError):
            Governor(scene.parts).generate(asked, FakePipeline())

    def test_a_release_that_comes_first_is_erased_too(self):
        scene = Scene.of()
        subject = scene.ask(GONE, 1, "a zebra", HELD_ANSWER)

        class Late(FakeErasureLog):
            """Somebody approves after the first look at what there is."""

            def receipts(self):
                if "released" not in scene.kinds():
                    scene.review(ANN, subject, "approve", "a zebra, fine")
                return super().receipts()

        scene.log = Late()
        scene.eraser().person(GONE.id, ORDER)
        assert "released" in scene.kinds(subject)
        assert "zebra" not in scene.values()

    def test_whoever_changes_the_hold_meanwhile_is_waited_for(self):
        scene = Scene.of()
        scene.ask(GONE, 1, "a zebra", HELD_ANSWER)
        (hold,) = scene.parts.ledger.holds()
        desk = ReviewDesk(scene.parts)
        clock = iter(range(100))

        def leased() -> str:
            if next(clock) < 2:
                with suppress(ReviewError):
                    scene.parts.ledger.lease(
                        hold.id, BOB.id, "2999-01-01T00:00:00.000Z", now="2026-11-23T00:00:00.000Z"
                    )
            return "2026-11-23T14:00:00.000Z"

        scene.eraser(clock=leased).person(GONE.id, ORDER)
        assert scene.parts.ledger.hold(hold.id).state is HoldState.EXPIRED
        with pytest.raises(ReviewError):
            desk.view(ANN, hold.id)


class TestKept:
    @pytest.mark.parametrize("everything", [False, True])
    def test_a_legal_hold_keeps_what_it_is_on_until_it_is_lifted(self, made, everything):
        scene, ledger = made.scene, made.scene.parts.ledger
        kept = made.theirs["held"]
        scope = (LegalHoldScope.EVERYTHING, "") if everything else (LegalHoldScope.GENERATION, kept)
        ledger.append(placed_record(*scope, OPERATOR))
        (hold,) = ledger.legal_holds()
        planned = scene.eraser().person(GONE.id, ORDER, dry_run=True)
        report = scene.eraser().person(GONE.id, ORDER)
        assert report.kept == planned.kept
        assert {each.legal_hold for each in report.kept} == {hold.id}
        assert kept in {each.subject for each in report.kept}
        assert len(report.kept) == (len(made.theirs) + 2 if everything else 1)
        assert "zucchini" in scene.values(kept)
        assert len(scene.parts.quarantine.holds()) == 1
        ledger.append(lifted_record(hold, OPERATOR))
        scene.eraser().person(GONE.id, ORDER)
        assert_forgotten(made)

    def test_a_legal_hold_on_a_person_names_them_until_it_is_lifted(self, made):
        scene, ledger = made.scene, made.scene.parts.ledger
        ledger.append(placed_record(LegalHoldScope.PRINCIPAL, GONE.id, OPERATOR, f"{GONE.id} against us"))
        report = scene.eraser().person(GONE.id, ORDER)
        assert report.entries == ()
        (hold,) = ledger.legal_holds()
        ledger.append(lifted_record(hold, OPERATOR))
        scene.eraser().person(GONE.id, ORDER)
        assert_forgotten(made)
        assert OPERATOR.id in scene.values(hold.id)

    def test_a_legal_hold_that_comes_at_the_last_moment_still_wins(self, made):
        scene, ledger = made.scene, made.scene.parts.ledger
        kept = made.theirs["denied"]

        class Slow(FailingAt):
            """Places a legal hold between the look at the legal holds and the append."""

            def _failing(self, call):
                def slow(record):
                    if record.erasures and not ledger.legal_holds():
                        ledger.append(placed_record(LegalHoldScope.GENERATION, kept, OPERATOR))
                    return call(record)

                return slow

        report = scene.eraser(ledger=Slow(ledger, "append", ValueError())).person(GONE.id, ORDER)
        assert [each.subject for each in report.kept] == [kept]
        assert "zucchini" in scene.values(kept)
        assert all(GONE.id not in scene.values(each) for each in made.theirs.values() if each != kept)

    def test_a_call_that_runs_is_kept_until_it_ends(self, made):
        scene, ledger = made.scene, made.scene.parts.ledger
        subject = made.theirs["released"]
        claim = next(each for each in ledger._store.claims.values() if each.generation_id == subject)
        before, claim.state = claim.state, type(claim.state).OPEN
        report = scene.eraser().person(GONE.id, ORDER)
        assert [each.subject for each in report.kept] == [subject]
        assert "runs now" in report.kept[0].why
        assert report.kept[0].legal_hold == ""
        claim.state = before
        scene.eraser().person(GONE.id, ORDER)
        assert_forgotten(made)

    def test_somebody_who_keeps_asking_is_reported(self):
        scene, numbers = Scene.of(), iter(range(1000))
        scene.ask(GONE, next(numbers), "a zebra")

        class Busy(FakeErasureLog):
            """Somebody asks again after each erasure."""

            def append(self, receipt):
                super().append(receipt)
                scene.ask(GONE, next(numbers), "a zebra")

        scene.log = Busy()
        with pytest.raises(ErasureError, match="all the time"):
            scene.eraser().person(GONE.id, ORDER)


CRASHES = [
    ("ledger", "append", 1, False),
    ("ledger", "append", 1, True),
    ("ledger", "append", 2, False),
    ("ledger", "append", 2, True),
    ("ledger", "purge", 1, False),
    ("vault", "erase", 1, False),
    ("vault", "erase", 2, True),
    ("quarantine", "destroy", 1, False),
    ("quarantine", "destroy", 1, True),
    ("log", "append", 1, False),
    ("log", "append", 1, True),
]


class TestCrashes:
    @pytest.mark.parametrize(("part", "method", "nth", "after"), CRASHES)
    def test_whoever_begins_again_completes_it(self, made, part, method, nth, after):
        scene = made.scene
        whole = scene.log if part == "log" else getattr(scene.parts, part)
        failing = FailingAt(whole, method, KeyboardInterrupt(), nth=nth, after=after)
        with pytest.raises(KeyboardInterrupt):
            scene.eraser(**{part: failing}).person(GONE.id, ORDER, files=True)
        scene.eraser().person(GONE.id, ORDER, files=True)
        assert_forgotten(made)
        assert_others_stay(made)
        assert len(scene.parts.vault.published) == 0

    def test_a_crash_between_two_entries_of_one_generation_is_resumed(self):
        scene = Scene.of()
        subject = scene.ask(GONE, 1, "a zebra")
        many = request(
            principal=GONE, id="many", images=250, seeds=tuple(range(250)), prompts=(Prompt("a zebra " * 20),)
        )
        result = Governor(scene.parts).generate(many, FakePipeline())
        ledger = FailingAt(scene.parts.ledger, "append", KeyboardInterrupt(), nth=2)
        with pytest.raises(KeyboardInterrupt):
            scene.eraser(ledger=ledger).person(GONE.id, ORDER, files=True)
        assert GONE.id in scene.values(result.generation_id)
        scene.eraser().person(GONE.id, ORDER, files=True)
        assert GONE.id not in scene.values()
        assert "zebra" not in scene.values()
        erased = of_kind(scene, EntryKind.ERASED)
        assert len(erased) > 1
        assert all(len(entry.leaf()) <= MAX_ENTRY_BYTES for entry in erased)
        parts = [part for entry in erased for part in erased_parts(entry)]
        assert len(set(parts)) == len(parts)
        assert subject not in scene.found(principal=GONE.id)

    def test_an_erasure_log_that_was_lost_is_made_again(self, made):
        scene = made.scene
        scene.eraser().person(GONE.id, ORDER)
        logged, scene.log = list(scene.log.receipts()), FakeErasureLog()
        assert scene.eraser().settle() == len(logged)
        assert [receipt.entry for receipt in scene.log.receipts()] == [receipt.entry for receipt in logged]

    def test_a_ledger_that_answers_for_another_entry_is_not_believed(self, made):
        scene, ledger = made.scene, made.scene.parts.ledger

        class Wrong(FailingAt):
            """Answers with the receipt of the first entry."""

            def _failing(self, call):
                def wrong(record):
                    call(record)
                    return ledger.receipt(scene.entries()[0][1].id)

                return wrong

        with pytest.raises(LedgerError, match="another entry"):
            scene.eraser(ledger=Wrong(ledger, "append", ValueError())).person(GONE.id, ORDER)


class TestSubject:
    def test_all_of_one_generation_goes_and_nothing_else(self, made):
        scene, subject = made.scene, made.theirs["reviewed"]
        before = scene.values(made.theirs["released"])
        report = scene.eraser().subject(subject, ErasureOrder(Basis.ORDER, OPERATOR))
        assert report.subjects == 1
        assert scene.values(subject) == "[]"
        assert scene.values(made.theirs["released"]) == before
        (entry,) = of_kind(scene, EntryKind.ERASED)
        assert entry.body["basis"] == "order"
        assert not list(scene.parts.ledger.verify())

    def test_what_is_written_while_it_is_erased_goes_too(self):
        scene = Scene.of()
        subject = scene.ask(GONE, 1, "a zebra", HELD_ANSWER)
        ledger = scene.parts.ledger

        class Overtaken(FailingAt):
            """Somebody approves, and the draft is released, between the look at what there is and the append."""

            def _failing(self, call):
                def overtaken(**options):
                    if "released" not in scene.kinds():
                        scene.review(ANN, subject, "approve", "the zebra is fine")
                    return call(**options)

                return overtaken

        eraser = scene.eraser(ledger=Overtaken(ledger, "legal_holds", ValueError()))
        report = eraser.subject(subject, ORDER, files=True)
        assert "released" in scene.kinds(subject)
        assert scene.values(subject) == "[]"
        assert (report.subjects, report.files, scene.parts.vault.published) == (1, 1, {})
        assert list(ledger.verify()) == []

    def test_one_about_which_more_is_written_all_the_time_is_reported(self):
        scene = Scene.of()
        subject = scene.ask(GONE, 1, "a zebra")

        class Busy(FakeErasureLog):
            """Somebody writes about it after each erasure."""

            def append(self, receipt):
                super().append(receipt)
                scene.parts.ledger.append(asked_record(subject))

        scene.log = Busy()
        with pytest.raises(ErasureError, match="all the time"):
            scene.eraser().subject(subject, ORDER)

    def test_what_a_legal_hold_keeps_of_it_is_said_once(self, made):
        scene, subject = made.scene, made.theirs["released"]
        scene.parts.ledger.append(placed_record(LegalHoldScope.GENERATION, subject, OPERATOR))
        report = scene.eraser().subject(subject, ORDER, files=True)
        assert [each.subject for each in report.kept] == [subject]
        assert report.entries == ()

    def test_an_unknown_one_is_an_error(self, made):
        with pytest.raises(ErasureError, match="No entry is about"):
            made.scene.eraser().subject("nothing", ORDER)

    def test_what_an_erasure_says_can_be_erased(self, made):
        scene = made.scene
        scene.eraser().person(GONE.id, ORDER)
        (entry,) = of_kind(scene, EntryKind.ERASED)
        scene.eraser().subject(entry.subject, ErasureOrder(Basis.REQUEST))
        assert scene.values(entry.subject) == "[]"


class TestSharedFile:
    """Two releases of the same bytes: one file in the vault."""

    SAME = digest(b"same")

    @pytest.fixture
    def shared(self):
        scene = Scene.of()
        for number, generation in enumerate(("g", "h")):
            intent = intent_record(generation)
            scene.parts.ledger.append(intent)
            scene.parts.ledger.append(released_record(generation, b"same", mark_id=number, intent=intent))
        scene.parts.vault.put(self.SAME, b"same")
        scene.parts.vault.publish(self.SAME)
        return scene

    def test_it_goes_with_the_last_of_them(self, shared):
        vault, ledger = shared.parts.vault, shared.parts.ledger
        shared.eraser().subject("g", ORDER, files=True)
        assert vault.contents() == [self.SAME]
        assert list(disagreements(ledger, vault)) == []
        assert list(ledger.verify()) == []
        shared.eraser().subject("h", ORDER, files=True)
        assert vault.contents() == []
        assert list(disagreements(ledger, vault)) == []

    def test_a_legal_hold_on_one_keeps_it_for_both(self, shared):
        shared.parts.ledger.append(placed_record(LegalHoldScope.GENERATION, "h", OPERATOR))
        (hold,) = shared.parts.ledger.legal_holds()
        planned = shared.eraser().subject("g", ORDER, files=True, dry_run=True)
        report = shared.eraser().subject("g", ORDER, files=True)
        assert report.kept == planned.kept
        assert [(each.subject, each.legal_hold) for each in report.kept] == [("g", hold.id)]
        assert shared.parts.vault.contents() == [self.SAME]
        assert shared.eraser().subject("g", ORDER).kept == ()  # without its file nothing is shared
        assert shared.values("g") == "[]"

    def test_a_file_that_a_crash_left_is_not_taken_from_the_other(self, shared):
        vault = FailingAt(shared.parts.vault, "erase", KeyboardInterrupt())
        shared.eraser(vault=vault).subject("g", ORDER, files=True)  # never called
        with pytest.raises(KeyboardInterrupt):
            shared.eraser(vault=vault).subject("h", ORDER, files=True)
        assert shared.eraser().settle() == 1
        assert shared.parts.vault.contents() == []


class TestRetention:
    RETAINED = (Outcome.ALLOW, (), {"retain_days": 30})
    BY_TIME = ErasureOrder(Basis.RETENTION)

    @pytest.fixture
    def mixed(self):
        scene = Scene.of()
        scene.policy.admission = (Outcome.ALLOW, (), {"retain_days": 10})
        self.short = scene.ask(GONE, 1, "a zebra")
        self.long = scene.ask(GONE, 2, "a zucchini", self.RETAINED)
        self.refused = scene.ask(STAYS, 3, "a heron", (Outcome.DENY, (HELD,), {"retain_days": 20}))
        self.held = scene.ask(STAYS, 4, "a stork", (Outcome.REVIEW, (HELD,), {"retain_days": 20}))
        scene.policy.admission = ALLOWED
        self.forever = scene.ask(STAYS, 5, "a crane")
        return scene

    def when(self, scene, days):
        from datetime import datetime, timedelta

        newest = datetime.fromisoformat(scene.entries()[-1][1].time) + timedelta(days=days)
        return newest.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def left(self, scene):
        return {
            name
            for name in ("short", "long", "refused", "held", "forever")
            if scene.values(getattr(self, name)) != "[]"
        }

    def test_each_goes_when_its_time_is_over(self, mixed):
        everything = {"short", "long", "refused", "held", "forever"}
        for days, gone in (
            (0, set()),
            (9, set()),
            (11, {"short"}),
            (21, {"refused", "held"}),
            (31, {"long"}),
            (9999, set()),
        ):
            report = mixed.eraser().retain(self.when(mixed, 0 if days == 0 else days), self.BY_TIME)
            everything -= gone
            assert self.left(mixed) == everything, days
            assert report.subjects == len(gone)
            assert not list(mixed.parts.ledger.verify())
        assert mixed.parts.quarantine.holds() == []
        assert len(mixed.parts.vault.published) == 1
        assert all(entry.body["basis"] == "retention" for entry in of_kind(mixed, EntryKind.ERASED))
        assert mixed.found(words="crane") == {self.forever}
        assert mixed.found(words="zebra") == set()

    def test_what_is_due_does_not_wait_for_what_is_not(self, mixed):
        assert mixed.eraser().retain(self.when(mixed, 11), self.BY_TIME).subjects == 1
        assert mixed.eraser().retain(self.when(mixed, 11), self.BY_TIME).subjects == 0
        due = {subject for _, subject in mixed.parts.ledger.due("9999-12-31")}
        assert due == {self.long, self.refused, self.held}

    def test_a_legal_hold_wins_and_what_it_kept_is_due_again(self, mixed):
        ledger = mixed.parts.ledger
        ledger.append(placed_record(LegalHoldScope.PRINCIPAL, GONE.id, OPERATOR))
        now = self.when(mixed, 11)
        report = mixed.eraser().retain(now, self.BY_TIME)
        assert [each.subject for each in report.kept] == [self.short]
        assert report.entries == ()
        ledger.append(lifted_record(ledger.legal_holds()[0], OPERATOR))
        assert mixed.eraser().retain(now, self.BY_TIME).subjects == 1
        assert "short" not in self.left(mixed)

    def test_what_a_person_had_erased_loses_its_files_when_they_are_due(self, mixed):
        mixed.eraser().person(GONE.id, ORDER)
        assert len(mixed.parts.vault.published) == 3
        report = mixed.eraser().retain(self.when(mixed, 31), self.BY_TIME)
        assert (report.files, report.watermarks) == (2, 2)
        assert len(mixed.parts.vault.published) == 1
        assert not list(mixed.parts.ledger.verify())

    def test_a_dry_run_erases_nothing(self, mixed):
        before = mixed.values()
        report = mixed.eraser().retain(self.when(mixed, 31), self.BY_TIME, dry_run=True)
        assert (report.subjects, report.files) == (4, 2)
        assert mixed.values() == before


class TestReplay:
    def test_the_log_is_believed_only_for_this_ledger(self, made):
        scene = made.scene
        other = crowd(Scene.of())
        other.scene.eraser().person(GONE.id, ORDER)
        scene.log = other.scene.log
        with pytest.raises(ProofError):
            scene.eraser().replay(ORDER)
        assert GONE.id in scene.values()

    def test_a_receipt_of_another_kind_is_refused(self, made):
        scene = made.scene
        scene.log.append(scene.parts.ledger.receipt(scene.entries()[0][1].id))
        with pytest.raises(LedgerError, match="erases nothing"):
            scene.eraser().replay(ORDER)

    def test_on_a_ledger_that_lost_nothing_it_does_nothing(self, made):
        scene = made.scene
        scene.eraser().person(GONE.id, ORDER, files=True)
        before = scene.entries()
        assert scene.eraser().replay(ORDER).entries == ()
        assert scene.entries() == before

    def test_a_vault_and_a_quarantine_that_were_restored_alone_lose_it_again(self, made):
        scene = made.scene
        published, sealed = dict(scene.parts.vault.published), dict(scene.parts.quarantine.sealed)
        scene.eraser().person(GONE.id, ORDER, files=True)
        scene.parts.vault.published.update(published)
        scene.parts.quarantine.sealed.update(sealed)
        scene.eraser().replay(ORDER)
        assert scene.parts.vault.published == {}
        assert scene.parts.quarantine.sealed == {}
