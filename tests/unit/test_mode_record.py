"""Nothing is made in a mode that has no entry: one per change, whoever sees it, each naming the one before it."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from governance.entries import Entry, EntryKind, Record
from governance.errors import LedgerError
from governance.governor import Governor
from governance.mode_record import MODE_SUBJECT, ModeRecord, mode_of, newest_mode
from governance.testing import FakeLedger, FakePipeline, example_request, fake_parts
from governance.types import Mode


def modes(ledger):
    return [entry.body["mode"] for _, entry in ledger.entries(kind=EntryKind.MODE, limit=10_000)]


def settle(ledger, *wanted):
    for mode in wanted:
        ModeRecord(mode, ledger).settle()


class TestEntries:
    def test_enforcement_alone_writes_none(self):
        ledger = FakeLedger()
        settle(ledger, Mode.ENFORCE, Mode.ENFORCE)
        assert ledger.records == ()
        assert (newest_mode(ledger), mode_of(None)) == (None, Mode.ENFORCE)

    def test_each_change_writes_one_and_names_the_one_before(self):
        ledger = FakeLedger()
        settle(ledger, Mode.SHADOW, Mode.SHADOW, Mode.ENFORCE, Mode.ENFORCE, Mode.SHADOW)
        entries = [entry for _, entry in ledger.entries()]
        assert [entry.body["mode"] for entry in entries] == ["shadow", "enforce", "shadow"]
        assert [entry.body["previous"] for entry in entries] == [None, entries[0].id, entries[1].id]
        assert {(entry.kind, entry.subject) for entry in entries} == {(EntryKind.MODE, MODE_SUBJECT)}
        assert newest_mode(ledger) == entries[-1]
        assert mode_of(entries[-1]) is Mode.SHADOW

    def test_it_stands_before_the_first_call_of_its_mode(self):
        parts = fake_parts()
        for number, mode in enumerate((Mode.ENFORCE, Mode.SHADOW, Mode.SHADOW, Mode.ENFORCE)):
            line = replace(parts, mode=mode)
            Governor(line).generate(
                example_request(id=f"request-{number}", width=64, height=64, seeds=()), FakePipeline()
            )
        assert [entry.kind.value for _, entry in parts.ledger.entries()] == [
            *("intent", "released"),
            *("mode", "intent", "released", "intent", "released"),
            *("mode", "intent", "released"),
        ]

    def test_a_process_in_shadow_mode_says_so_again_after_another_that_enforces(self):
        ledger = FakeLedger()
        shadowing = ModeRecord(Mode.SHADOW, ledger)
        shadowing.settle()
        settle(ledger, Mode.ENFORCE)
        shadowing.settle()
        shadowing.settle()
        assert modes(ledger) == ["shadow", "enforce", "shadow"]

    def test_ids_differ_between_logs(self):
        one, other = FakeLedger(), fake_parts().ledger
        settle(one, Mode.SHADOW)
        settle(other, Mode.SHADOW)
        signer = type(one._store.signer).generate("ledger.example.org/other")
        third = FakeLedger(signer)
        settle(third, Mode.SHADOW)
        ids = [newest_mode(ledger).id for ledger in (one, other, third)]
        assert ids[0] == ids[1] != ids[2]  # the two fakes have one name

    def test_an_entry_that_names_no_mode_is_refused(self):
        with pytest.raises(LedgerError, match="names no mode"):
            mode_of(Entry(EntryKind.MODE, MODE_SUBJECT, {"version": 1}))


class TestSeveral:
    def test_many_threads_write_one_entry(self):
        ledger = FakeLedger()
        record = ModeRecord(Mode.SHADOW, ledger)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: record.settle(), range(32)))
        assert modes(ledger) == ["shadow"]

    def test_many_processes_write_one_entry(self):
        ledger = FakeLedger()
        start = threading.Barrier(8)

        def process(_):
            record = ModeRecord(Mode.SHADOW, ledger)
            start.wait()
            record.settle()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(process, range(8)))
        assert modes(ledger) == ["shadow"]

    def test_of_two_that_want_different_modes_both_are_on_record_in_one_chain(self):
        ledger = FakeLedger()
        settle(ledger, Mode.SHADOW)
        first = newest_mode(ledger)

        class Overtaken(FakeLedger):
            """Another process enforces just before this one appends."""

            def append(self, record):
                if record.entry.kind is EntryKind.MODE and not self.overtaken:
                    self.overtaken = True
                    settle(ledger, Mode.ENFORCE)
                    settle(ledger, Mode.SHADOW)
                    settle(ledger, Mode.ENFORCE)
                return super().append(record)

        settle(ledger, Mode.ENFORCE)
        overtaken = Overtaken(ledger._store.signer)
        overtaken._store, overtaken.overtaken = ledger._store, False
        ModeRecord(Mode.SHADOW, overtaken).settle()
        entries = [entry for _, entry in ledger.entries(kind=EntryKind.MODE)]
        assert entries[0] == first
        assert [entry.body["previous"] for entry in entries] == [None, *(entry.id for entry in entries[:-1])]
        assert entries[-1].body["mode"] == "shadow"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_a_forked_child_does_not_wait_for_a_lock_of_its_parent(self):
        ledger = FakeLedger()
        record = ModeRecord(Mode.SHADOW, ledger)
        with record._lock:
            child = os.fork()
            if child == 0:  # pragma: no cover - in the child
                record.settle()
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


class TestRefusals:
    @pytest.mark.parametrize("method", ["entries", "append", "checkpoint"])
    def test_a_ledger_that_fails_stops_the_call(self, method):
        ledger = FakeLedger(errors={method: LedgerError("Locked.", remedy="Wait.")})
        record = ModeRecord(Mode.SHADOW, ledger)
        for _ in range(2):  # the second attempt must not pass because of the first
            with pytest.raises(LedgerError, match="Locked"):
                record.settle()
        ledger.errors.clear()
        record.settle()
        assert modes(ledger) == ["shadow"]

    def test_an_interrupt_after_the_entry_writes_it_no_second_time(self):
        ledger = FakeLedger(interrupt={EntryKind.MODE: KeyboardInterrupt()})
        record = ModeRecord(Mode.SHADOW, ledger)
        with pytest.raises(KeyboardInterrupt):
            record.settle()
        record.settle()
        assert modes(ledger) == ["shadow"]

    def test_a_receipt_for_something_else_is_refused(self):
        class Confused(FakeLedger):
            def append(self, record):
                super().append(record)
                return super().append(Record(Entry(EntryKind.DENIED, "another", {"version": 1})))

        with pytest.raises(LedgerError, match="receipt for another entry"):
            ModeRecord(Mode.SHADOW, Confused()).settle()
