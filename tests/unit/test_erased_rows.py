"""Erasing records of audits: how an entry names rows, what forbids it, what a crash leaves, and whose name goes with whom."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import Digest, digest
from governance.datasets.audit_entries import Audited, approved_record, audited_record
from governance.datasets.erased_rows import RowsFound, are_rows_of, ranges, rows_erased, rows_name
from governance.entries import EntryKind, ErasedPart, LegalHoldScope
from governance.erasable import check_erasable
from governance.erasure import Basis, ErasureOrder, erased_parts, erased_record, rows_named
from governance.errors import ErasureError, LegalHoldError, StorageError
from governance.forgetting import Eraser
from governance.legal_holds import lifted_record, placed_record
from governance.testing import FakeErasureLog, FakeLedger
from governance.testing.example_records import intent_record
from governance.types import Outcome, Principal
from support.erasing import GONE, OPERATOR, ORDER, STAYS, Scene, of_kind

RECORDS = 100_000


@dataclass
class FakeRecords:
    """Audits that know which of their rows are gone, and fail when they are told to."""

    gone: dict[str, set[int]] = field(default_factory=dict)
    error: Exception | None = None

    def erase(self, audited, rows):
        if self.error is not None:
            raise self.error
        self.gone.setdefault(audited.id, set()).update(row for each in rows for row in each)


@dataclass
class Made:
    """A scene with one audit in its ledger, and the eraser of its records."""

    scene: Scene = field(default_factory=Scene.of)
    audits: FakeRecords = field(default_factory=FakeRecords)

    def __post_init__(self):
        counts = dict.fromkeys(Outcome, 0)
        said = Audited("cats", Digest("0" * 64), 0, RECORDS, counts, b"{}", b"[]", digest(b"bundle"))
        record = audited_record(said, STAYS)
        self.ledger.append(record)
        self.entry = record.entry

    @property
    def ledger(self):
        return self.scene.parts.ledger

    def eraser(self, **changes):
        return self.scene.eraser(audits=self.audits, **changes)

    def found(self, *rows, people=()):
        return RowsFound(self.entry, rows, frozenset(people))

    @property
    def gone(self):
        return self.audits.gone.get(self.entry.id, set())


@pytest.fixture
def made():
    return Made()


@given(st.sets(st.integers(0, 60)))
def test_rows_are_named_in_few_words_and_read_back(rows):
    named = [rows_name(each) for each in ranges(sorted(rows))]
    assert [row for each in rows_erased(reversed(named)) for row in each] == sorted(rows)
    assert all(
        after.start > before.stop for before, after in zip(rows_erased(named), rows_erased(named)[1:], strict=False)
    )


@pytest.mark.parametrize(
    "name", ["records/2-1", "records/01-2", "records/1", "records/-1-2", "records/1-2 ", "asset", "/rows"]
)
def test_what_is_no_name_of_rows_is_none(name):
    assert rows_named(name) is None


def test_only_rows_that_an_audit_has_can_be_erased(made):
    good = f"records/0-{RECORDS - 1}"
    assert check_erasable(made.entry.id, made.entry, [good]) == made.entry
    with pytest.raises(ErasureError, match="could be erased"):
        check_erasable(made.entry.id, made.entry, [f"records/0-{RECORDS}"])
    approved = approved_record(made.entry, STAYS).entry
    assert not any(are_rows_of(entry, "records/0-0") for entry in (approved, intent_record("a").entry))
    with pytest.raises(ErasureError):
        made.ledger.append(erased_record("act", [ErasedPart(made.entry.id, f"records/{RECORDS}-{RECORDS}")], ORDER))


def test_the_entry_says_which_rows_and_why_and_never_whose(made):
    report = made.eraser().records([made.found(1, 2, 3, 9, people=["Ada"])], ORDER, person="Ada")
    assert (report.records, report.fields, report.subjects, report.kept) == (4, 0, 1, ())
    assert report.as_json()["erased"]["records"] == 4
    (entry,) = of_kind(made.scene, EntryKind.ERASED)
    assert entry.body["parts"] == {made.entry.id: ["records/1-3", "records/9-9"]}
    assert entry.body["basis"] == "request"
    assert b"Ada" not in entry.leaf()
    assert made.gone == {1, 2, 3, 9}
    assert made.ledger.erasures(made.entry.id) == dict.fromkeys(["records/1-3", "records/9-9"], entry.id)
    assert [receipt.entry for receipt in made.scene.log.receipts()] == [entry]
    assert not list(made.ledger.verify())


def test_more_rows_than_an_entry_can_list_take_several(made):
    rows = range(0, 20_000, 2)
    report = made.eraser().records([made.found(*rows)], ORDER)
    entries = of_kind(made.scene, EntryKind.ERASED)
    assert len(entries) == len(report.entries) > 1
    assert len({entry.subject for entry in entries}) == 1
    listed = [row for entry in entries for row in rows_erased(part.name for part in erased_parts(entry))]
    assert [row for each in listed for row in each] == list(rows)
    assert made.gone == set(rows)


def test_a_dry_run_and_nothing_to_do_change_nothing(made):
    assert made.eraser().records([made.found(1, 2)], ORDER, dry_run=True).records == 2
    assert made.eraser().records([made.found()], ORDER).records == 0
    assert made.gone == set()
    assert of_kind(made.scene, EntryKind.ERASED) == []


def test_nobody_erases_themselves(made):
    with pytest.raises(ErasureError, match="themselves"):
        made.eraser().records([made.found(1)], ORDER, person=OPERATOR.id)
    assert made.gone == set()


@pytest.mark.parametrize(
    ("kind", "scope"),
    [
        (LegalHoldScope.EVERYTHING, ""),
        (LegalHoldScope.GENERATION, "dataset:cats"),
        (LegalHoldScope.PRINCIPAL, "Ada"),
        (LegalHoldScope.PRINCIPAL, STAYS.id),
    ],
)
def test_a_legal_hold_keeps_them_until_it_is_lifted(made, kind, scope):
    made.ledger.append(placed_record(kind, scope, STAYS, ""))
    report = made.eraser().records([made.found(1, people=["Ada"])], ORDER)
    (kept,) = report.kept
    assert (kept.subject, bool(kept.legal_hold)) == ("dataset:cats", True)
    assert made.gone == set()
    (held,) = made.ledger.legal_holds()
    made.ledger.append(lifted_record(held, STAYS, ""))
    assert made.eraser().records([made.found(1, people=["Ada"])], ORDER).records == 1


def test_the_ledger_itself_refuses_what_is_held(made):
    made.ledger.append(placed_record(LegalHoldScope.GENERATION, "dataset:cats", STAYS, ""))
    with pytest.raises(LegalHoldError):
        made.ledger.append(erased_record("act", [ErasedPart(made.entry.id, "records/1-1")], ORDER))


def test_whatever_erases_next_completes_what_a_crash_left(made):
    made.audits.error = StorageError("the disk is gone", remedy="none")
    with pytest.raises(StorageError):
        made.eraser().records([made.found(5, 6)], ORDER)
    assert made.gone == set()
    assert len(made.eraser().unfinished()) == 1
    with pytest.raises(StorageError):
        made.eraser().settle()
    made.audits.error = None
    made.eraser().person(GONE.id, ORDER)
    assert made.gone == {5, 6}
    assert made.eraser().unfinished() == []
    assert len(of_kind(made.scene, EntryKind.ERASED)) == 1


def test_an_eraser_that_knows_no_audits_completes_nothing(made):
    with pytest.raises(StorageError, match="is not known"):
        made.scene.eraser().records([made.found(5)], ORDER)
    assert len(made.eraser().unfinished()) == 1


def test_what_a_restored_ledger_has_again_is_erased_again(made):
    made.eraser().records([made.found(1, 2)], ORDER)
    log = FakeErasureLog(kept=list(made.scene.log.kept))
    restored = FakeLedger()
    record = audited_record(
        Audited("cats", Digest("0" * 64), 0, RECORDS, dict.fromkeys(Outcome, 0), b"{}", b"[]", digest(b"bundle")), STAYS
    )
    restored.append(record)
    parts = made.scene.parts
    # The log of a ledger that has this very audit lists it; of another audit there is nothing to do.
    eraser = Eraser(restored, parts.vault, parts.quarantine, log, parts.log_key, audits=made.audits)
    assert eraser.replay(ErasureOrder(Basis.REPLAY)).records == 0
    made.audits.gone.clear()
    assert made.eraser().replay(ErasureOrder(Basis.REPLAY)).records == 0
    assert made.gone == {1, 2}


def test_who_approved_an_audit_loses_their_name_and_their_words_and_nobody_else_does(made):
    made.ledger.append(approved_record(made.entry, GONE, "fine, says gone"))
    made.ledger.append(approved_record(made.entry, Principal("ann@example.org"), "fine, says Ann"))
    report = made.eraser().person(GONE.id, ORDER)
    assert report.fields == 2
    kept = made.scene.values("dataset:cats")
    assert GONE.id not in kept
    assert "says gone" not in kept
    assert all(text in kept for text in (STAYS.id, "ann@example.org", "says Ann"))
