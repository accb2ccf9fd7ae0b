"""What entries say of works, and the register compared with them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.canonical import Digest
from governance.entries import MAX_ENTRY_BYTES, Entry
from governance.records import checked_leaf
from governance.testing import FakeLedger
from governance.testing.example_records import intent_record
from governance.testing.works import KEEPER, FakeWorkRegister, example_work
from governance.work_records import WorkChange, disagreements, has_works, is_recorded, recorded_works, work_record
from governance.works import MAX_IMAGES, MAX_LICENCE, WorkAction


def test_the_largest_work_fits_an_entry():
    images = tuple(Digest(f"{at:064x}") for at in range(MAX_IMAGES))
    work = replace(example_work().work, title="鷹" * 300, owner="鷹" * 300, licence="鷹" * MAX_LICENCE, images=images)
    for change in WorkChange:
        assert len(checked_leaf(work_record(change, work, KEEPER))) < MAX_ENTRY_BYTES


@settings(deadline=None)
@given(st.text(), st.sampled_from(WorkAction), st.sampled_from(WorkChange))
def test_an_entry_reads_back_as_it_was_written(licence, action, change):
    work = replace(example_work().work, licence=licence.encode("utf-8", "ignore").decode(), action=action)
    entry = work_record(change, work, KEEPER).entry
    read = Entry.from_leaf(entry.leaf())
    assert (read.subject, read.body["change"]) == (work.id, change.value)
    assert (read.body["licence"], read.body["action"]) == (work.licence, action.value)
    assert read.body["images"] == list(work.images)
    assert read.body["principal"] == {"roles": ["counsel"], "issuer": "caller", "assurance": "asserted"}


def test_the_strictest_action_withholds_most():
    assert WorkAction.strictest(WorkAction.ALLOW, WorkAction.REVIEW) is WorkAction.REVIEW
    assert WorkAction.strictest(WorkAction.REVIEW, WorkAction.DENY, WorkAction.ALLOW) is WorkAction.DENY


def test_an_entry_is_recorded_once_it_is_there():
    ledger, record = FakeLedger(), work_record(WorkChange.ADDED, example_work().work, KEEPER)
    assert not has_works(ledger)
    assert not is_recorded(ledger, record.entry.subject, record.entry.id)
    ledger.append(record)
    assert has_works(ledger)
    assert is_recorded(ledger, record.entry.subject, record.entry.id)
    assert not is_recorded(ledger, "another", record.entry.id)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["add", "remove", *WorkAction])), max_size=12))
def test_whatever_was_done_the_register_agrees_with_the_ledger(acts):
    ledger = FakeLedger()
    register = FakeWorkRegister(ledger)
    works = {}
    for number, act in acts:
        if act == "add" and number not in works:
            works[number] = register.add(example_work(number), KEEPER)
        elif act == "remove" and number in works:
            register.remove(works.pop(number).id, KEEPER)
        elif isinstance(act, WorkAction) and number in works and works[number].action is not act:
            works[number] = register.change(replace(works[number], action=act), KEEPER)
    assert list(disagreements(register, ledger)) == []
    assert set(recorded_works(ledger)) == {work.id for work in works.values()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"action": WorkAction.ALLOW}, "another licence, action or images"),
        ({"licence": "CC0-1.0"}, "another licence, action or images"),
        ({"images": (Digest("0" * 64),)}, "another licence, action or images"),
    ],
)
def test_a_register_that_was_changed_behind_the_ledgers_back_is_found_out(change, words):
    ledger = FakeLedger()
    register = FakeWorkRegister(ledger)
    work = register.add(example_work(), KEEPER)
    new = register._works[work.id]
    register._works[work.id] = replace(new, work=replace(work, **change))
    (line,) = disagreements(register, ledger)
    assert words in line
    assert work.id in line


def test_works_that_only_one_of_them_knows_are_named():
    ledger = FakeLedger()
    register = FakeWorkRegister(ledger)
    gone, unknown = register.add(example_work(1), KEEPER), example_work(2)
    del register._works[gone.id]
    register._works[unknown.work.id] = unknown
    assert sorted(disagreements(register, ledger)) == sorted(
        [
            f"work {gone.id} is missing in the register",
            f"work {unknown.work.id} is in the register, and no entry of the ledger says so",
        ]
    )


def test_entries_of_other_kinds_are_left_out():
    ledger = FakeLedger()
    ledger.append(intent_record("a generation"))
    assert recorded_works(ledger) == {}
    assert not has_works(ledger)
