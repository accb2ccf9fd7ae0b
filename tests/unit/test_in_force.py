"""No decision is used whose bundle has no entry; entries are in the order in which the bundles were in force."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from governance.canonical import digest
from governance.entries import Entry, EntryKind, Record
from governance.errors import DeniedError, LedgerError, PolicyError
from governance.governor import Governor
from governance.in_force import POLICY_SUBJECT, RecordedPolicy
from governance.records import ClaimState, close_claim
from governance.testing import FakeLedger, FakePipeline, FakePolicyEngine, example_request, fake_parts
from governance.testing.policy import admission_facts, release_facts
from governance.types import Outcome, Stage

A, B, C = (digest(name) for name in (b"bundle a", b"bundle b", b"bundle c"))


def revisions(ledger):
    return [entry.body["revision"] for _, entry in ledger.entries(kind=EntryKind.POLICY, limit=10_000)]


def recorded(engine, ledger=None, **named):
    ledger = ledger or FakeLedger()
    return RecordedPolicy(engine, ledger, **named), ledger


class Changing(FakePolicyEngine):
    """Runs what a test gives it while it decides: the bundle may change under it."""

    meanwhile = staticmethod(lambda: None)

    def decide(self, stage, facts):
        decision = super().decide(stage, facts)
        self.meanwhile()
        return decision


class TestEntries:
    def test_the_first_decision_writes_one_and_the_next_none(self):
        policy, ledger = recorded(FakePolicyEngine(bundle_revision=A), name="regorus")
        for _ in range(3):
            assert policy.decide(Stage.ADMISSION, admission_facts()).bundle_revision == A
        ((_, entry),) = ledger.entries()
        assert (entry.kind, entry.subject) == (EntryKind.POLICY, POLICY_SUBJECT)
        assert entry.body == {"version": 1, "revision": A, "previous": None, "engine": "regorus"}

    def test_the_class_of_the_engine_stands_in_for_a_name(self):
        policy, ledger = recorded(FakePolicyEngine())
        policy.decide(Stage.ADMISSION, admission_facts())
        assert ledger.records[0].entry.body["engine"] == "FakePolicyEngine"

    def test_each_change_writes_one_that_names_what_was_before(self):
        engine = FakePolicyEngine()
        policy, ledger = recorded(engine)
        for revision in (A, A, B, B, A):
            engine.bundle_revision = revision
            policy.decide(Stage.ADMISSION, admission_facts())
        bodies = [record.entry.body for record in ledger.records]
        assert [(body["revision"], body["previous"]) for body in bodies] == [(A, None), (B, A), (A, B)]

    def test_what_an_earlier_process_recorded_is_not_said_again(self):
        ledger = FakeLedger()
        for revision in [A, B] * 600:  # more than one page
            ledger.append(Record(Entry(EntryKind.POLICY, POLICY_SUBJECT, {"version": 1, "revision": revision})))
        policy, _ = recorded(FakePolicyEngine(bundle_revision=B), ledger)
        policy.decide(Stage.ADMISSION, admission_facts())
        assert len(ledger.records) == 1200
        other, _ = recorded(FakePolicyEngine(bundle_revision=C), ledger)
        other.decide(Stage.ADMISSION, admission_facts())
        assert ledger.records[-1].entry.body["previous"] == B

    def test_looking_at_the_revision_writes_nothing(self):
        policy, ledger = recorded(FakePolicyEngine(bundle_revision=A))
        assert policy.bundle_revision == A
        assert ledger.records == ()

    def test_an_engine_that_fails_leaves_no_entry(self):
        policy, ledger = recorded(FakePolicyEngine({Stage.ADMISSION: PolicyError("Down.", remedy="Start it.")}))
        with pytest.raises(PolicyError):
            policy.decide(Stage.ADMISSION, admission_facts())
        assert ledger.records == ()

    def test_the_entry_stands_before_the_intent_and_belongs_to_no_generation(self):
        parts = fake_parts()
        result = Governor(
            fake_parts(ledger=parts.ledger, log_key=parts.log_key, policy=RecordedPolicy(parts.policy, parts.ledger))
        ).generate(example_request(), FakePipeline())
        kinds = [record.entry.kind for record in parts.ledger.records]
        assert kinds == [EntryKind.POLICY, EntryKind.INTENT, EntryKind.RELEASED]
        assert len(parts.ledger.entries(subject=result.generation_id)) == 2
        assert list(parts.ledger.verify()) == []

    def test_a_policy_entry_decides_no_claim(self):
        entry = Entry(EntryKind.POLICY, "generation", {"version": 1, "revision": A})
        assert close_claim("generation", 1, [entry]).state is ClaimState.REPEATABLE


class TestRefusals:
    def test_an_entry_that_cannot_be_written_withholds_the_decision(self):
        ledger = FakeLedger(refuse={EntryKind.POLICY: LedgerError("The disk is full.", remedy="Make room.")})
        policy, _ = recorded(FakePolicyEngine(bundle_revision=A), ledger)
        for _ in range(2):  # the second attempt must not pass because of the first
            with pytest.raises(LedgerError, match="disk is full"):
                policy.decide(Stage.ADMISSION, admission_facts())
        ledger.refuse.clear()
        assert policy.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW
        assert revisions(ledger) == [A]

    def test_an_interrupt_after_the_entry_writes_it_no_second_time(self):
        ledger = FakeLedger(interrupt={EntryKind.POLICY: KeyboardInterrupt()})
        policy, _ = recorded(FakePolicyEngine(bundle_revision=A), ledger)
        with pytest.raises(KeyboardInterrupt):
            policy.decide(Stage.ADMISSION, admission_facts())
        policy.decide(Stage.ADMISSION, admission_facts())
        assert revisions(ledger) == [A]

    def test_a_ledger_that_cannot_be_read_withholds_it_too(self):
        ledger = FakeLedger(errors={"entries": LedgerError("Locked.", remedy="Wait.")})
        policy, _ = recorded(FakePolicyEngine(), ledger)
        with pytest.raises(LedgerError, match="Locked"):
            policy.decide(Stage.ADMISSION, admission_facts())

    def test_nothing_is_generated_then(self):
        parts = fake_parts()
        parts.ledger.refuse[EntryKind.POLICY] = LedgerError("The disk is full.", remedy="Make room.")
        pipeline = FakePipeline()
        governor = Governor(
            fake_parts(ledger=parts.ledger, log_key=parts.log_key, policy=RecordedPolicy(parts.policy, parts.ledger))
        )
        with pytest.raises(LedgerError):
            governor.generate(example_request(), pipeline)
        assert [record.entry.kind for record in parts.ledger.records] == [EntryKind.FAILED]

    def test_an_entry_without_a_revision_is_refused(self):
        ledger = FakeLedger()
        ledger.append(Record(Entry(EntryKind.POLICY, POLICY_SUBJECT, {"version": 1})))
        policy, _ = recorded(FakePolicyEngine(), ledger)
        with pytest.raises(LedgerError, match="names no revision"):
            policy.decide(Stage.ADMISSION, admission_facts())

    def test_a_receipt_for_something_else_is_refused(self):
        class Confused(FakeLedger):
            def append(self, record):
                super().append(record)
                return super().append(Record(Entry(EntryKind.DENIED, "another", {"version": 1})))

        policy, _ = recorded(FakePolicyEngine(), Confused())
        with pytest.raises(LedgerError, match="receipt for another entry"):
            policy.decide(Stage.ADMISSION, admission_facts())

    def test_decisions_of_a_bundle_that_is_not_the_engines_are_refused(self):
        other = FakePolicyEngine(bundle_revision=B)
        liar = FakePolicyEngine({Stage.ADMISSION: lambda stage, _: other.answer(stage, Outcome.ALLOW)})
        policy, ledger = recorded(liar)
        with pytest.raises(PolicyError, match="faster than its revision can be recorded"):
            policy.decide(Stage.ADMISSION, admission_facts())
        assert ledger.records == ()


class TestChanges:
    def test_a_decision_that_outlives_its_bundle_stands_and_writes_nothing(self):
        engine = Changing(bundle_revision=A)
        policy, ledger = recorded(engine)
        policy.decide(Stage.ADMISSION, admission_facts())

        def change():
            engine.meanwhile = lambda: None
            engine.bundle_revision = B
            policy.decide(Stage.ADMISSION, admission_facts())  # another caller records B meanwhile

        engine.meanwhile = change
        assert policy.decide(Stage.ADMISSION, admission_facts()).bundle_revision == A
        assert revisions(ledger) == [A, B]

    def test_going_back_is_a_change_again(self):
        engine = Changing(bundle_revision=A)
        policy, ledger = recorded(engine)
        for revision in (A, B, A):
            engine.bundle_revision = revision
            policy.decide(Stage.ADMISSION, admission_facts())
        assert revisions(ledger) == [A, B, A]

    def test_a_decision_of_a_bundle_that_went_unrecorded_is_made_again(self):
        engine = Changing(bundle_revision=A)
        policy, ledger = recorded(engine)
        policy.decide(Stage.ADMISSION, admission_facts())
        engine.bundle_revision = B  # nobody decides by B before C comes

        def change():
            engine.meanwhile = lambda: None
            engine.bundle_revision = C
            policy.decide(Stage.ADMISSION, admission_facts())

        engine.meanwhile = change
        assert policy.decide(Stage.ADMISSION, admission_facts()).bundle_revision == C
        assert revisions(ledger) == [A, C]

    def test_many_threads_write_one_entry_per_change_in_order(self):
        engine = FakePolicyEngine(bundle_revision=digest(b"0"))
        policy, ledger = recorded(engine)
        changes, going = [digest(str(number).encode()) for number in range(40)], threading.Event()
        used = set()

        def decide(_):
            going.wait()
            while True:
                used.add(policy.decide(Stage.RELEASE, release_facts()).bundle_revision)
                if policy.bundle_revision == changes[-1]:
                    return

        with ThreadPoolExecutor(6) as pool:
            done = pool.map(decide, range(6))
            going.set()
            for revision in changes:
                engine.bundle_revision = revision
                policy.decide(Stage.RELEASE, release_facts())
            list(done)
        assert revisions(ledger) == changes
        assert used <= set(changes)


def test_a_denial_needs_its_entry_as_much_as_a_permission():
    parts = fake_parts()
    engine = FakePolicyEngine(undefined=frozenset({Stage.ADMISSION}))
    policy = RecordedPolicy(engine, parts.ledger)
    with pytest.raises(DeniedError):
        Governor(fake_parts(ledger=parts.ledger, log_key=parts.log_key, policy=policy)).generate(
            example_request(), FakePipeline()
        )
    assert [record.entry.kind for record in parts.ledger.records] == [EntryKind.POLICY, EntryKind.DENIED]


def test_a_forked_child_does_not_wait_for_a_thread_of_its_parent():
    policy, _ = recorded(FakePolicyEngine(bundle_revision=A))
    with policy._lock:  # as if another thread were just recording
        child = os.fork()
        if not child:
            policy.decide(Stage.ADMISSION, admission_facts())
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
