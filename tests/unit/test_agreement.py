"""An operator's own keys do not make a release that skipped a step verify."""

from dataclasses import replace

import pytest

from governance.agreement import disagreement
from governance.bodies import decision_of
from governance.entries import Entry, EntryKind
from governance.governor import Governor
from governance.ports import ManifestState
from governance.testing import FakePipeline, example_request, fake_parts
from governance.types import Outcome, Stage

LOG = "ledger.example.org/fake"


@pytest.fixture
def release():
    parts = fake_parts()
    (item,) = Governor(parts).generate(example_request(seeds=()), FakePipeline()).items
    return item.entry, decision_of(item.entry, ()), parts.signer.read(item.asset.content)


def changed(entry, **members):
    return Entry(entry.kind, entry.subject, {**entry.body, **members}, entry.id, entry.time)


def test_a_release_that_went_down_the_line_agrees(release):
    assert disagreement(*release, LOG) == ""


def test_without_a_manifest_the_entry_is_judged_alone(release):
    entry, decision, report = release
    assert disagreement(entry, decision, None, LOG) == ""
    assert disagreement(entry, decision, replace(report, state=ManifestState.INVALID, provenance=None), LOG) == ""


@pytest.mark.parametrize(
    "members",
    [
        {"version": 2},
        {"intent": None},
        {"intent": {"id": "another", "leaf": "0" * 64}},
        {"findings": []},
        {"asset": {"id": "another", "digest": "0" * 64}},
        {"watermark": None},
        {"watermark": None, "honoured": {"watermark": False, "visible_label": ""}},
    ],
    ids=str,
)
def test_an_entry_that_leaves_a_step_out_does_not(release, members):
    entry, decision, report = release
    assert disagreement(changed(entry, **members), decision, report, LOG)


def test_an_entry_of_another_kind_does_not(release):
    entry, decision, report = release
    assert "no release" in disagreement(replace(entry, kind=EntryKind.DENIED), decision, report, LOG)


@pytest.mark.parametrize("change", [{"outcome": Outcome.DENY}, {"stage": Stage.ADMISSION}, {"decision_id": "another"}])
def test_a_decision_that_did_not_allow_this_release_does_not(release, change):
    entry, decision, report = release
    assert disagreement(entry, replace(decision, **change), report, LOG)
    assert disagreement(entry, None, report, LOG)


def test_another_log_does_not(release):
    assert "another record" in disagreement(*release, "log.example.org/another")


def test_a_mark_that_policy_dropped_for_a_label_agrees(release):
    entry, decision, report = release
    honest = changed(entry, watermark=None, honoured={"watermark": False, "visible_label": "AI-generated"})
    assert disagreement(honest, decision, report, LOG) == ""
