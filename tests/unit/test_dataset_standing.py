"""Where a dataset stands, folded from entries: audits, approvals, withdrawals and recalls in every order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import Digest, canonical_bytes, digest
from governance.datasets.audit_entries import (
    COMMENT_FIELD,
    MAX_COMMENT,
    PRINCIPAL_FIELD,
    Audited,
    DatasetChange,
    approved_record,
    audited_record,
    change_of,
    name_of,
    subject_of,
    withdrawn_record,
)
from governance.datasets.report import MEMBERS, dataset_report, parsed_report
from governance.datasets.standing import DatasetState, dataset_standing, datasets
from governance.entries import Entry, EntryKind, Record
from governance.errors import DatasetError, NoDatasetError
from governance.testing.fake_ledger import FakeLedger
from governance.types import Outcome, Principal

COUNSEL = Principal("counsel@example.org", ("counsel",))
REPORT = canonical_bytes({name: {} for name in MEMBERS} | {"version": 1})


def audited(name="cats", *, root="a" * 64, report=REPORT, **said):
    outcomes = {Outcome.ALLOW: 2, Outcome.DENY: 1}
    return Audited(name, Digest(root), 2, 3, outcomes, report, b"[]", digest(b"bundle"), **said)


def audit(ledger, name="cats", **said):
    ledger.append(audited_record(audited(name, **said), COUNSEL))
    return dataset_standing(ledger, name)


def test_an_audit_says_what_it_found_and_who_is_hidden():
    ledger = FakeLedger()
    standing = audit(ledger)
    assert (standing.name, standing.contents, standing.records) == ("cats", 2, 3)
    assert standing.state is DatasetState.AUDITED
    assert standing.outcomes == {Outcome.ALLOW: 2, Outcome.REVIEW: 0, Outcome.DENY: 1}
    assert standing.root == "a" * 64
    assert standing.approvals == ()
    assert "counsel@example.org" not in standing.audited.leaf().decode()
    assert set(standing.audited.body["fields"]) == {PRINCIPAL_FIELD}
    assert standing.audited.body["principal"]["roles"] == ["counsel"]
    assert dataset_report(ledger, standing)["version"] == 1
    assert ledger.document(standing.combinations) == b"[]"


def test_approvals_hold_until_they_are_withdrawn_and_for_one_audit_only():
    ledger = FakeLedger()
    first = audit(ledger)
    ledger.append(approved_record(first.audited, COUNSEL, "seen"))
    approved = dataset_standing(ledger, "cats")
    assert approved.state is DatasetState.APPROVED
    assert [set(entry.body["fields"]) for entry in approved.approvals] == [{PRINCIPAL_FIELD, COMMENT_FIELD}]
    ledger.append(withdrawn_record(first.audited, COUNSEL))
    withdrawn = dataset_standing(ledger, "cats")
    assert (withdrawn.state, withdrawn.approvals) == (DatasetState.WITHDRAWN, ())
    ledger.append(approved_record(first.audited, COUNSEL))
    assert dataset_standing(ledger, "cats").state is DatasetState.APPROVED
    second = audit(ledger, root="b" * 64)
    assert (second.state, second.approvals, second.root) == (DatasetState.AUDITED, (), "b" * 64)
    ledger.append(approved_record(first.audited, COUNSEL))
    assert dataset_standing(ledger, "cats").state is DatasetState.AUDITED


@given(st.lists(st.sampled_from(["audit", "approve", "withdraw"]), max_size=12))
def test_the_standing_follows_the_newest_audit(acts):
    ledger, newest, approvals, state = FakeLedger(), None, 0, None
    for act in acts:
        if act == "audit" or newest is None:
            newest, approvals, state = audit(ledger), 0, DatasetState.AUDITED
        elif act == "approve":
            ledger.append(approved_record(newest.audited, COUNSEL))
            approvals, state = approvals + 1, DatasetState.APPROVED
        else:
            ledger.append(withdrawn_record(newest.audited, COUNSEL))
            approvals, state = 0, DatasetState.WITHDRAWN
    if newest is None:
        assert datasets(ledger) == ()
        return
    (standing,) = datasets(ledger)
    assert (standing.audited.id, len(standing.approvals), standing.state) == (newest.audited.id, approvals, state)
    assert standing == dataset_standing(ledger, "cats")


def test_datasets_are_listed_by_name():
    ledger = FakeLedger()
    for name in ("dogs", "cats"):
        audit(ledger, name)
    assert [each.name for each in datasets(ledger)] == ["cats", "dogs"]
    assert datasets(ledger)[0].as_json()["outcomes"] == {"allow": 2, "review": 0, "deny": 1}
    with pytest.raises(NoDatasetError, match="no audit of a dataset 'mice'"):
        dataset_standing(ledger, "mice")


@pytest.mark.parametrize("name", ["", "Cats", "a" * 65, "../cats", "cats/dogs", "-cats", "kätzchen"])
def test_a_name_is_small_and_plain(name):
    with pytest.raises(DatasetError, match="no name for a dataset"):
        subject_of(name)


def test_subjects_and_names_belong_together():
    assert name_of(subject_of("cats.1")) == "cats.1"
    with pytest.raises(DatasetError, match="no subject"):
        name_of("works:1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 2},
        {"change": "sold"},
        {"contents": "2"},
        {"outcomes": {"allow": 1}},
        {"root": ""},
        {"report": None},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_entry_that_cannot_be_read_is_an_error_and_no_standing(wrong):
    ledger = FakeLedger()
    good = audited_record(audited(), COUNSEL)
    ledger.append(
        Record(Entry(EntryKind.DATASET, good.entry.subject, {**good.entry.body, **wrong}), good.fields, good.documents)
    )
    with pytest.raises(DatasetError, match="read"):
        dataset_standing(ledger, "cats")


def test_an_approval_without_an_audit_is_an_error():
    ledger = FakeLedger()
    entry = audited_record(audited(), COUNSEL).entry
    ledger.append(approved_record(entry, COUNSEL))
    with pytest.raises(DatasetError, match="no audit before it"):
        datasets(ledger)


def test_only_an_audit_is_approved_and_comments_are_short():
    entry = audited_record(audited(), COUNSEL).entry
    approval = approved_record(entry, COUNSEL).entry
    assert change_of(approval) is DatasetChange.APPROVED
    with pytest.raises(DatasetError, match="is no audit"):
        approved_record(approval, COUNSEL)
    with pytest.raises(DatasetError, match="too long"):
        withdrawn_record(entry, COUNSEL, "x" * (MAX_COMMENT + 1))


def test_a_report_is_whole_or_refused():
    assert parsed_report(REPORT)["version"] == 1
    for content in (b"", b"[]", b'{"version":1}', REPORT.replace(b'"version":1', b'"version":2'), b"1.5"):
        with pytest.raises(DatasetError, match="no report"):
            parsed_report(content)
