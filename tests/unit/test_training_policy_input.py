"""What policy is asked about training: records without anything that tells them apart, runs without anybody's name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import canonical_bytes, digest
from governance.datasets.policy_input import Collected, RecordFacts, record_input
from governance.datasets.records import (
    NOT_LOOKED,
    Basis,
    Consent,
    DatasetRecord,
    OptOut,
    Problem,
    SourceKind,
    Synthetic,
)
from governance.errors import DatasetError
from governance.registers.standing import ContractState
from governance.testing.policy import EXAMPLE_RUN, EXAMPLE_TIME, record_facts, run_facts
from governance.training.policy_input import OWN, Approval, Phase, run_input
from governance.types import Outcome, Principal
from governance_adapters.policy.bundle import Bundle, default_bundle_path

SCHEMA = "training.input.json"
SCORES = st.integers(0, 100) | st.just(NOT_LOOKED)


def several(kind):
    return st.sets(st.sampled_from(kind)).map(lambda found: tuple(sorted(found)))


FACTS = st.builds(
    RecordFacts,
    licence=st.sampled_from(["", "MIT", "CC-BY-4.0 OR MIT"]),
    source_kind=st.sampled_from(SourceKind),
    consent=st.sampled_from(Consent),
    contract=st.sampled_from(ContractState),
    collected=st.sampled_from(Collected),
    synthetic=st.sampled_from(Synthetic),
    opt_outs=several(OptOut),
    nsfw=SCORES,
    similar=SCORES,
    work_action=st.sampled_from(["", "deny", "review", "allow"]),
    personal=several(["exif_gps", "iptc_person"]),
    near_duplicate=st.booleans(),
    problems=several(Problem),
    basis=st.sampled_from(Basis),
)


@pytest.fixture(scope="module")
def schemas():
    return Bundle.load(default_bundle_path()).schemas


@given(facts=FACTS)
def test_whatever_an_audit_finds_fits_the_schema(schemas, facts):
    asked = record_input(facts, time=EXAMPLE_TIME, purpose="research")
    assert schemas.problems(SCHEMA, asked) == []
    canonical_bytes(asked)


@given(FACTS, FACTS)
def test_facts_are_one_combination_where_they_are_equal(one, other):
    assert (one.key == other.key) == (one == other)
    assert RecordFacts(**{name: getattr(one, name) for name in RecordFacts.__slots__}) == one


def test_a_score_that_nobody_gave_is_none():
    record = record_facts(nsfw=NOT_LOOKED)["record"]
    assert (record["nsfw_hundredths"], record["similar_hundredths"]) == (None, 50)


@pytest.mark.parametrize("score", [-2, 101])
def test_a_score_out_of_range_is_refused(score):
    with pytest.raises(DatasetError, match="hundredths"):
        record_facts(similar=score)


def test_what_tells_a_record_apart_stays_out():
    told = DatasetRecord(
        id="a-7", content=digest(b"seven"), basis=Basis.COMPUTED, location="images/7.png", caption="by Ada", licence="MIT",
        source="https://example.org/7", domain="example.org", owner="Ada", contract="studio", collected=EXAMPLE_TIME,
        nsfw=3, similar=9, work="w", near_duplicate=digest(b"eight"),
    )  # fmt: skip
    facts = RecordFacts.of(told, contract=ContractState.ACTIVE, collected=Collected.KNOWN)
    other = replace(told, id="a-8", content=digest(b"eight"), caption="", owner="Bo", source="", contract="other")
    assert facts == RecordFacts.of(other, contract=ContractState.ACTIVE, collected=Collected.KNOWN)
    assert (facts.licence, facts.nsfw, facts.similar, facts.near_duplicate) == ("MIT", 3, 9, True)
    text = facts.key
    assert not [word for word in ("a-7", "Ada", "studio", "example.org", told.content) if word in text]


def test_a_record_question_is_no_run(schemas):
    both = {**record_facts(), "run": run_facts()["run"], "principal": run_facts()["principal"]}
    assert schemas.problems(SCHEMA, both) != []
    assert schemas.problems(SCHEMA, {**run_facts(), "record": record_facts()["record"]}) != []
    assert schemas.problems(SCHEMA, run_facts()) == []


def test_who_approved_is_counted_and_not_named(schemas):
    names = ["DESIGNER@example.org", "counsel@example.org", "Counsel@example.org", "second@example.org", "", ""]
    dataset = replace(EXAMPLE_RUN.datasets[0], approvals=tuple(Approval(name, ("counsel",)) for name in names))
    asked = run_facts(datasets=(dataset,))
    assert [each["person"] for each in asked["run"]["datasets"][0]["approvals"]] == [0, 1, 1, 2, 0, 0]
    assert "example.org" not in canonical_bytes(asked["run"]).decode()
    assert schemas.problems(SCHEMA, asked) == []


def test_an_approval_by_nobody_who_is_known_may_be_the_trainers_own():
    """Who approved their own dataset and had that erased would else have been somebody else."""
    dataset = replace(EXAMPLE_RUN.datasets[0], approvals=(Approval("", ("counsel",)),))
    (asked,) = run_facts(datasets=(dataset,))["run"]["datasets"]
    assert [each["person"] for each in asked["approvals"]] == [OWN]


def test_one_person_is_one_in_all_datasets():
    first, other = Approval("counsel@example.org", ("counsel",)), Approval("second@example.org", ("counsel",))
    datasets = [
        replace(EXAMPLE_RUN.datasets[0], name=name, approvals=approvals)
        for name, approvals in (("a", (other, first)), ("b", (first,)))
    ]
    run = run_facts(datasets=datasets)["run"]
    assert [[each["person"] for each in dataset["approvals"]] for dataset in run["datasets"]] == [[1, 2], [2]]


@pytest.mark.parametrize(
    ("audited", "days"),
    [
        ("2026-11-22T14:00:00.000Z", 1),
        ("2026-11-22T14:00:00.001Z", 0),
        ("2025-11-23T14:00:00Z", 365),
        (EXAMPLE_TIME, 0),
    ],
)
def test_the_age_of_an_audit_is_in_whole_days(audited, days):
    (dataset,) = run_facts(datasets=(replace(EXAMPLE_RUN.datasets[0], audited=audited),))["run"]["datasets"]
    assert dataset["age_days"] == days


def test_an_audit_that_is_still_to_come_cannot_be_read(schemas):
    later = replace(EXAMPLE_RUN.datasets[0], audited="2026-11-23T14:00:00.001Z")
    problems = schemas.problems(SCHEMA, run_facts(datasets=(later,)))
    assert [problem.partition(" ")[0] for problem in problems] == ["/run/datasets/0/age_days"]


def test_a_run_says_which_bundle_judged_and_what_it_consumed():
    dataset = replace(EXAMPLE_RUN.datasets[0], consumed=2, outcomes={Outcome.ALLOW: 2})
    run = replace(EXAMPLE_RUN, phase=Phase.FINISH, datasets=(dataset,), principal=Principal("a", ("designer",)))
    for revision, same in ((dataset.bundle_revision, True), (digest(b"another"), False)):
        (asked,) = run_input(run, time=EXAMPLE_TIME, bundle_revision=revision)["run"]["datasets"]
        assert asked["same_bundle"] is same
    assert (asked["consumed"], asked["outcomes"]) == (2, {"allow": 2, "review": 0, "deny": 0})
