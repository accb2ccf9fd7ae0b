"""The ledger's contract: every implementation, the fake included, passes it."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace

from governance.canonical import Digest, digest
from governance.checkpoint import LogKey, verify_checkpoint, verify_receipt
from governance.entries import Attempt, Document, Entry, EntryKind, Receipt, Record, Recorded
from governance.errors import ConflictError, InProgressError, LedgerError
from governance.merkle import EMPTY_ROOT, TILE_WIDTH
from governance.ports import Ledger
from governance.testing.example_records import (
    ALGORITHM,
    KEY_ID,
    intent_record,
    outcome_record,
    released_record,
)
from governance.testing.expect import expect
from governance.testing.fake_ledger import FakeLedger
from governance.testing.ledger_budgets import LedgerBudgetContract
from governance.testing.ledger_erasure import LedgerErasureContract
from governance.testing.ledger_holds import LedgerHoldContract
from governance.testing.ledger_search import LedgerSearchContract
from governance.types import new_id

__all__ = ["FakeLedger", "LedgerContract"]

FACTS, OTHER_FACTS = digest(b"facts"), digest(b"other facts")


class LedgerContract(LedgerBudgetContract, LedgerErasureContract, LedgerHoldContract, LedgerSearchContract):
    """What every ledger does. A subclass says how to make one, and what is left of it when its process is gone."""

    def key(self, ledger: Ledger) -> LogKey:
        """The public key of the ledger's checkpoints."""
        raise NotImplementedError

    def test_a_new_ledger_has_a_signed_checkpoint_of_nothing(self) -> None:
        ledger = self.new_ledger()
        checkpoint = verify_checkpoint(ledger.checkpoint(), self.key(ledger))
        assert (checkpoint.size, checkpoint.root) == (0, EMPTY_ROOT)
        assert ledger.entries() == []
        assert list(ledger.verify()) == []

    def test_an_append_returns_a_receipt_that_verifies(self) -> None:
        ledger = self.new_ledger()
        for index in range(3):
            record = intent_record(new_id())
            receipt = ledger.append(record)
            assert receipt.index == index
            assert verify_receipt(receipt, self.key(ledger)) == record.entry
            assert Receipt.from_json(receipt.to_json()) == receipt
        assert list(ledger.verify()) == []

    def test_receipts_across_tiles_verify_against_the_newest_checkpoint(self) -> None:
        ledger = self.new_ledger()
        count = TILE_WIDTH + 3
        ids = [ledger.append(intent_record(f"g{number}")).entry.id for number in range(count)]
        assert verify_checkpoint(ledger.checkpoint(), self.key(ledger)).size == count
        for index in (0, 1, TILE_WIDTH - 1, TILE_WIDTH, count - 1):
            receipt = ledger.receipt(ids[index])
            assert (receipt.index, receipt.tree_size) == (index, count)
            assert verify_receipt(receipt, self.key(ledger)).id == ids[index]
        assert list(ledger.verify()) == []

    def test_what_is_recorded_is_found_again(self) -> None:
        ledger = self.new_ledger()
        intent, released = intent_record("g", prompt="a blue four"), released_record("g", b"signed bytes", mark_id=5)
        for record in (intent, released):
            ledger.append(record)
        assert ledger.entry(intent.entry.id) == intent.entry
        assert tuple(ledger.fields(intent.entry.id)) == intent.fields
        assert ledger.document(intent.documents[0].digest) == intent.documents[0].content
        assert ledger.find_asset(digest(b"signed bytes")) == released.entry
        assert ledger.find_mark(ALGORITHM, KEY_ID, 5) == released.mark

    def test_what_is_not_recorded_is_not_found(self) -> None:
        ledger = self.new_ledger()
        assert ledger.find_asset(FACTS) is None
        assert ledger.document(FACTS) is None
        assert ledger.find_mark(ALGORITHM, KEY_ID, 5) is None
        assert list(ledger.fields(new_id())) == []
        with expect(LedgerError):
            ledger.entry(new_id())
        with expect(LedgerError):
            ledger.receipt(new_id())

    def test_entries_come_in_keyset_pages(self) -> None:
        ledger = self.new_ledger()
        records = [intent_record("even" if number % 2 == 0 else "odd") for number in range(7)]
        for record in [*records, outcome_record(EntryKind.FAILED, "odd")]:
            ledger.append(record)
        assert [index for index, _ in ledger.entries(limit=3)] == [0, 1, 2]
        assert [index for index, _ in ledger.entries(after=2, limit=3)] == [3, 4, 5]
        assert [index for index, _ in ledger.entries(after=1, subject="even")] == [2, 4, 6]
        assert [index for index, _ in ledger.entries(subject="odd", kind=EntryKind.FAILED)] == [7]
        assert ledger.entries(limit=1) == [(0, records[0].entry)]
        with expect(LedgerError):
            ledger.entries(limit=0)

    def test_a_record_that_does_not_fit_its_entry_is_refused_whole(self) -> None:
        ledger = self.new_ledger()
        good, released = intent_record("g"), released_record("g", b"bytes", mark_id=1)
        assert released.mark is not None
        altered = replace(good.fields[0], value="another prompt")
        misfits = [
            replace(good, fields=(altered,)),
            replace(good, fields=()),
            replace(good, fields=(*good.fields, replace(good.fields[0], name="/uncommitted"))),
            replace(good, documents=(Document(FACTS, b"not these"),)),
            replace(good, mark=released.mark),
            replace(released, mark=None),
            replace(released, mark=replace(released.mark, asset_id="another")),
            replace(released, mark=replace(released.mark, mark_id=2)),
            Record(Entry(EntryKind.INTENT, "g", {"version": 1})),
            Record(Entry(EntryKind.RELEASED, "g", {"version": 1})),
            Record(Entry(EntryKind.DENIED, "g", {"score": 0.5})),  # type: ignore[dict-item]
            Record(Entry(EntryKind.DENIED, "g", {"text": "x" * 40_000})),
            Record(Entry(EntryKind.DENIED, "", {})),
        ]
        for record in misfits:
            with expect(LedgerError):
                ledger.append(record)
        assert ledger.entries() == []
        assert ledger.find_mark(ALGORITHM, KEY_ID, 1) is None
        assert ledger.append(good).index == 0
        assert list(ledger.verify()) == []

    def test_of_several_that_begin_one_request_at_once_one_runs(self) -> None:
        ledger = self.new_ledger()
        for number in range(10):
            together, begun = threading.Barrier(3), list[Attempt | Recorded]()

            def begin(name: str, request: str, together: threading.Barrier, begun: list[Attempt | Recorded]) -> None:
                together.wait()
                with suppress(InProgressError):
                    begun.append(ledger.begin("ann", request, FACTS, name))

            threads = [
                threading.Thread(target=begin, args=(f"{number}-{each}", f"r{number}", together, begun))
                for each in range(3)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            (attempt,) = begun
            assert (type(attempt), attempt.number) == (Attempt, 1)

    def test_a_claim_that_was_let_go_of_is_closed_by_whoever_asks_next(self) -> None:
        ledger = self.new_ledger()
        ledger.begin("ann", "r", FACTS, "g")
        ledger.append(intent_record("g"))
        ledger.let_go("g")
        assert ledger.begin("ann", "r", FACTS, "h") == Attempt(2, "h")
        assert [entry.kind for _, entry in ledger.entries(subject="g")] == [EntryKind.INTENT, EntryKind.ABANDONED]
        with expect(InProgressError):
            ledger.begin("ann", "r", FACTS, "i")

    def test_ids_are_used_once(self) -> None:
        ledger, intent = self.new_ledger(), intent_record("g")
        first, second = (released_record("g", content, mark_id=1, intent=intent) for content in (b"one", b"two"))
        ledger.append(intent)
        ledger.append(first)
        for record in (first, second):
            with expect(LedgerError):
                ledger.append(record)
        assert [entry.id for _, entry in ledger.entries()] == [intent.entry.id, first.entry.id]
        assert ledger.find_asset(digest(b"two")) is None
        assert ledger.append(intent_record("g")).index == 2
        assert list(ledger.verify()) == []

    def test_threads_append_side_by_side(self) -> None:
        ledger = self.new_ledger()
        receipts: list[Receipt] = []

        def work() -> None:
            receipts.extend([ledger.append(intent_record(new_id())) for _ in range(10)])

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(receipt.index for receipt in receipts) == list(range(80))
        for receipt in receipts:
            verify_receipt(receipt, self.key(ledger))
        assert list(ledger.verify()) == []

    def test_a_request_is_claimed_finished_and_remembered(self) -> None:
        ledger = self.new_ledger()
        assert ledger.begin("ann", "r", FACTS, "g1") == Attempt(1, "g1")
        assert ledger.open_claims() == 1
        with expect(InProgressError):
            ledger.begin("ann", "r", FACTS, "g2")
        with expect(ConflictError):
            ledger.begin("ann", "r", OTHER_FACTS, "g2")
        assert ledger.begin("bob", "r", OTHER_FACTS, "g2") == Attempt(1, "g2")
        ledger.finish("g1", repeatable=False)
        ledger.finish("g1", repeatable=False)
        assert ledger.begin("ann", "r", FACTS, "g3") == Recorded(1, "g1")
        with expect(ConflictError):
            ledger.begin("ann", "r", OTHER_FACTS, "g3")
        assert ledger.open_claims() == 1

    def test_a_repeatable_request_runs_again_as_the_next_attempt(self) -> None:
        ledger = self.new_ledger()
        for number in (1, 2, 3):
            assert ledger.begin("ann", "r", FACTS, f"g{number}") == Attempt(number, f"g{number}")
            ledger.finish(f"g{number}", repeatable=True)
        with expect(ConflictError):
            ledger.begin("ann", "r", OTHER_FACTS, "g4")

    def test_a_claim_that_is_not_open_cannot_be_finished_otherwise(self) -> None:
        ledger = self.new_ledger()
        with expect(LedgerError):
            ledger.finish("unknown", repeatable=True)
        ledger.begin("ann", "r", FACTS, "g1")
        ledger.finish("g1", repeatable=False)
        with expect(LedgerError):
            ledger.finish("g1", repeatable=True)

    def test_principal_and_request_cannot_be_confused(self) -> None:
        ledger = self.new_ledger()
        assert ledger.begin("ab", "c", FACTS, "g1") == Attempt(1, "g1")
        assert ledger.begin("a", "bc", OTHER_FACTS, "g2") == Attempt(1, "g2")

    def test_a_living_claim_is_left_alone(self) -> None:
        ledger = self.new_ledger()
        ledger.begin("ann", "r", FACTS, "g1")
        ledger.append(intent_record("g1"))
        assert list(ledger.recover()) == []
        with expect(InProgressError):
            ledger.begin("ann", "r", FACTS, "g2")

    def test_a_vanished_process_leaves_an_abandoned_entry_per_open_intent(self) -> None:
        ledger = self.new_ledger()
        ledger.begin("ann", "r", FACTS, "g1")
        record = intent_record("g1", items=3)
        intent = ledger.append(record).entry
        ledger.append(released_record("g1", b"first", intent=record))
        ledger.append(outcome_record(EntryKind.FAILED, "g1"))  # of the same item: two entries, one outcome
        ledger = self.successor(ledger)
        (abandoned,) = ledger.recover()
        assert (abandoned.kind, abandoned.subject) == (EntryKind.ABANDONED, "g1")
        assert abandoned.body["missing"] == 2
        assert abandoned.body["attempt"] == 1
        assert abandoned.body["intent"] == {"id": intent.id, "leaf": _leaf_hash(intent)}
        assert ledger.entry(abandoned.id) == abandoned
        assert list(ledger.recover()) == []
        assert ledger.begin("ann", "r", FACTS, "g2") == Attempt(2, "g2")
        assert list(ledger.verify()) == []

    def test_what_a_vanished_process_completed_is_finished(self) -> None:
        for request, records, expected in (
            ("all released", [intent_record("a"), released_record("a", b"x")], Recorded(1, "a")),
            ("denied at admission", [outcome_record(EntryKind.DENIED, "b", None)], Recorded(1, "b")),
            ("held at admission", [outcome_record(EntryKind.HELD, "c", None)], Recorded(1, "c")),
            ("failed", [intent_record("d"), outcome_record(EntryKind.FAILED, "d")], Attempt(2, "new")),
            (
                "failed as a whole",
                [intent_record("e", 4), outcome_record(EntryKind.FAILED, "e", None)],
                Attempt(2, "new"),
            ),
            (
                "failed as a whole after a release",
                [intent_record("h", 2), released_record("h", b"h"), outcome_record(EntryKind.FAILED, "h", None)],
                Recorded(1, "h"),
            ),
            ("nothing yet", [], Attempt(2, "new")),
        ):
            ledger = self.new_ledger()
            generation = records[0].entry.subject if records else "f"
            ledger.begin("ann", request, FACTS, generation)
            for record in records:
                ledger.append(record)
            ledger = self.successor(ledger)
            assert list(ledger.recover()) == [], request
            assert ledger.open_claims() == 0, request
            assert ledger.begin("ann", request, FACTS, "new") == expected, request

    def test_begin_closes_a_vanished_claim_by_itself(self) -> None:
        ledger = self.new_ledger()
        ledger.begin("ann", "r", FACTS, "g1")
        ledger.append(intent_record("g1", items=2))
        ledger = self.successor(ledger)
        with expect(ConflictError):
            ledger.begin("ann", "r", OTHER_FACTS, "g2")
        assert ledger.begin("ann", "r", FACTS, "g2") == Attempt(2, "g2")
        kinds = [entry.kind for _, entry in ledger.entries(subject="g1")]
        assert kinds == [EntryKind.INTENT, EntryKind.ABANDONED]
        with expect(InProgressError):
            ledger.begin("ann", "r", FACTS, "g3")

    def test_a_watermark_counter_is_given_once(self) -> None:
        ledger = self.new_ledger()
        given = [ledger.next_mark(ALGORITHM, KEY_ID, 20) for _ in range(70)]
        ledger = self.successor(ledger)
        given += [ledger.next_mark(ALGORITHM, KEY_ID, 20) for _ in range(70)]
        assert len(set(given)) == 140
        assert min(given) >= 0
        assert ledger.next_mark(ALGORITHM, "another key", 20) == 0

    def test_an_exhausted_counter_is_an_error(self) -> None:
        ledger = self.new_ledger()
        assert sorted(ledger.next_mark(ALGORITHM, KEY_ID, 2) for _ in range(4)) == [0, 1, 2, 3]
        for _ in range(2):
            with expect(LedgerError):
                ledger.next_mark(ALGORITHM, KEY_ID, 2)


def _leaf_hash(entry: Entry) -> Digest:
    return digest(b"\x00" + entry.leaf())
