"""What a bundle on trial would have decided on everything that a real installation recorded."""

import json
import shutil
import sqlite3
import warnings
from contextlib import closing, contextmanager, suppress

import pytest

from governance.entries import EntryKind
from governance.errors import DeniedError, HeldError
from governance.review import ReviewDesk
from governance.testing import EXAMPLE_MODEL, FakeDetector, FakePipeline, example_request
from governance.testing.policy import FakePolicyEngine
from governance.types import Finding, Principal, Prompt
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.policy.bundle import Bundle
from governance_adapters.wiring import open_governor, open_ledger
from support.allowed import allowed
from support.command import Shell

ANN = Principal("ann@example.org", ("reviewer",))
CODES = ("brand.own_work",)


class Scoring(FakeDetector):
    """Scores every draft alike; `score` may be changed between calls."""

    score = 0.0

    def detect(self, images):
        return [(Finding(self.name, self.digest, "nsfw", self.score),) for _ in images]


@contextmanager
def opened(settings, **replaced):
    nsfw = Scoring(name="nsfw")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        governor = open_governor(settings, detectors=(nsfw, FakeDetector(name="similarity")), **replaced)
    try:
        yield governor, nsfw
    finally:
        governor.parts.ledger.close()


def ask(governor, name, text):
    request = example_request(text, id=name, markets=("EU",), prompts=(Prompt(text),))
    with suppress(DeniedError, HeldError):
        governor.generate(request, FakePipeline())


def edited(path, **data):
    """Edit the bundle's data in place."""
    found = json.loads((path / "data.json").read_text())
    (path / "data.json").write_text(json.dumps({**found, **data}))
    return Bundle.load(path).revision


@pytest.fixture
def recorded(settings):
    """An installation with five calls: released, released after review, denied after and before, and held at admission."""
    allowed(settings, EXAMPLE_MODEL, name="example", licence="Apache-2.0")
    with opened(settings) as (governor, nsfw):
        ask(governor, "released", "a red seven on a blue background")
        nsfw.score = 0.5
        ask(governor, "approved", "a green three")
        desk = ReviewDesk(governor.parts)
        (hold,) = governor.parts.ledger.holds()
        desk.lease(ANN, hold.id)
        desk.approve(ANN, hold.id, CODES, "seen")
        nsfw.score = 0.9
        ask(governor, "denied", "a green four")
        nsfw.score = 0.0
        ask(governor, "blocked", "a car bomb")
        ask(governor, "named", "a bottle of coca cola")
    return settings


@pytest.fixture
def shell(recorded, tmp_path):
    return Shell(tmp_path, recorded.home)


@pytest.fixture
def trial(recorded, tmp_path):
    """A bundle with one more blocked term and one less, other thresholds, and another obligation."""
    shutil.copytree(recorded.bundle_path, tmp_path / "trial")
    data = Bundle.load(recorded.bundle_path).data
    terms = {**data["blocked_terms"], "red seven": {"category": "test"}}
    for term in ("car bomb", "carbomb"):
        del terms[term]
    edited(
        tmp_path / "trial",
        blocked_terms=terms,
        thresholds={**data["thresholds"], "nsfw": {"review": 600000, "deny": 950000}},
        obligations={**data["obligations"], "retain_days": 7},
        review={**data["review"], "approvals": 2},
    )
    return tmp_path / "trial"


def by_kind(settings, kind, stage):
    """The ids of entries of one kind whose decision is of one stage."""
    found = [entry for _, entry in open_ledger(settings).entries(kind=kind, limit=100)]
    return [entry.id for entry in found if entry.body["decision"]["stage"] == stage]


def execute(settings, statement):
    with closing(sqlite3.connect(settings.ledger_path)) as database:
        changed = database.execute(statement).rowcount
        database.commit()
    assert changed > 0


def replay(shell, bundle, *options):
    return shell("policy", "replay", "--bundle", bundle, *options)


class TestReport:
    def test_by_transition_code_and_obligation_for_each_stage(self, recorded, shell, trial):
        told = replay(shell, trial, "--json").succeeded().json
        revision = Bundle.load(recorded.bundle_path).revision
        assert (told["recorded"], told["evaluated"], told["decided_by"]) == (10, 10, {revision: 10})
        assert told["revision"] == Bundle.load(trial).revision
        assert (told["refused"], told["not_evaluable"], told["drifted"]) == ([], [], [])
        obliged = dict.fromkeys(("day_budget", "max_steps", "output_formats", "watermark"), 1)
        kept = dict.fromkeys(("due_hours", "expire_hours", "queue"), 1)
        assert told["stages"] == {
            "admission": {
                "recorded": 5,
                "evaluated": 5,
                "same": 0,
                "changed": 5,
                "outcomes": {"allow -> deny": 1, "deny -> allow": 1},
                "codes": {
                    "added": {"model.undisclosed": 1, "prompt.blocked_term": 1},
                    "gone": {"model.undisclosed": 1, "prompt.blocked_term": 1},
                },
                "obligations": {"added": obliged, "gone": obliged, "changed": {"retain_days": 5}},
                "not_evaluable": {},
                "drift": {"reproduced": 5},
            },
            "release": {
                "recorded": 4,
                "evaluated": 4,
                "same": 0,
                "changed": 4,
                "outcomes": {"deny -> review": 1, "review -> allow": 2},
                "codes": {"added": {"finding.review": 1}, "gone": {"finding.denied": 1, "finding.review": 2}},
                "obligations": {
                    "added": {**kept, "watermark": 1},
                    "gone": dict.fromkeys(kept, 2),
                    "changed": {"retain_days": 4},
                },
                "not_evaluable": {},
                "drift": {"reproduced": 4},
            },
            "review": {
                "recorded": 1,
                "evaluated": 1,
                "same": 0,
                "changed": 1,
                "outcomes": {"allow -> review": 1},
                "codes": {"added": {"review.pending": 1}, "gone": {}},
                "obligations": {"added": {}, "gone": {}, "changed": {"approvals": 1}},
                "not_evaluable": {},
                "drift": {"reproduced": 1},
            },
        }

    def test_the_decisions_that_change_are_named(self, recorded, shell, trial):
        changes = replay(shell, trial, "--json").succeeded().json["changes"]
        assert [each["index"] for each in changes] == sorted(each["index"] for each in changes)
        found = {each["entry"]: (each["recorded"]["outcome"], each["new"]["outcome"]) for each in changes}
        (blocked,) = by_kind(recorded, EntryKind.DENIED, "admission")
        (denied,) = by_kind(recorded, EntryKind.DENIED, "release")
        (approved,) = by_kind(recorded, EntryKind.APPROVED, "review")
        assert (found[blocked], found[denied], found[approved]) == (
            ("deny", "allow"),
            ("deny", "review"),
            ("allow", "review"),
        )
        assert found[by_kind(recorded, EntryKind.INTENT, "admission")[0]] == ("allow", "deny")
        entry = open_ledger(recorded).entry(blocked)
        (change,) = [each for each in changes if each["entry"] == blocked]
        assert (change["kind"], change["time"], change["stage"]) == ("denied", entry.time, "admission")
        assert change["recorded"]["codes"] == ["prompt.blocked_term"]

    def test_in_words(self, recorded, shell, trial):
        out = replay(shell, trial).succeeded().out
        (held,) = by_kind(recorded, EntryKind.HELD, "release")
        said = out.split(f"{held} held ")[1].splitlines()
        assert said[0].endswith(", release: review -> allow")
        assert said[1:3] == ["  - finding.review", "  obliges due_hours: 24 -> nothing"]
        for line in (
            "admission: allow -> deny  1",
            "admission: + prompt.blocked_term  1",
            "release: obliges otherwise: retain_days  4",
            "review: asked again: reproduced  1",
            "10 of 10 decisions that could be evaluated would change",
        ):
            assert f"\n{line}\n" in out

    def test_the_bundle_that_decided_changes_nothing(self, recorded, shell):
        ran = replay(shell, recorded.bundle_path, "--fail-on-change").succeeded()
        assert "0 of 10 decisions that could be evaluated would change\n" in ran.out
        told = replay(shell, recorded.bundle_path, "--json").succeeded().json
        assert told["changes"] == []
        assert [stage["same"] for stage in told["stages"].values()] == [5, 4, 1]

    def test_a_change_fails_where_that_is_asked_for(self, shell, trial):
        assert replay(shell, trial, "--fail-on-change").code == 1

    def test_few_are_listed_and_all_are_counted(self, shell, trial):
        told = replay(shell, trial, "--limit", 3, "--json").succeeded().json
        everything = replay(shell, trial, "--json").succeeded().json
        assert told["changes"] == everything["changes"][:3]
        assert told["stages"] == everything["stages"]
        assert "\n10 more changed; a higher --limit lists them\n" in replay(shell, trial, "--limit", 0).out

    def test_only_what_is_not_older(self, recorded, shell, trial):
        last = by_kind(recorded, EntryKind.HELD, "admission")[0]
        time = open_ledger(recorded).entry(last).time
        told = replay(shell, trial, "--since", time, "--json").succeeded().json
        assert (told["since"], told["changes"][-1]["entry"]) == (time, last)
        assert told["recorded"] < 10
        replay(shell, trial, "--since", "yesterday").failed(1, "is no time")

    def test_a_bundle_that_is_not_there(self, shell, tmp_path):
        replay(shell, tmp_path / "none").failed(1, "none does not exist")

    def test_nothing_is_written(self, recorded, shell, trial):
        before = open_ledger(recorded).checkpoint()
        replay(shell, trial).succeeded()
        assert open_ledger(recorded).checkpoint() == before
        assert list(open_ledger(recorded).verify()) == []


class TestNotEvaluable:
    def test_an_erased_prompt_takes_its_decisions_out_of_the_count(self, recorded, shell, trial):
        (blocked,) = by_kind(recorded, EntryKind.DENIED, "admission")
        execute(recorded, f"DELETE FROM personal_field WHERE name = '/prompts/0' AND entry_id = '{blocked}'")
        told = replay(shell, trial, "--json").succeeded().json
        admission = told["stages"]["admission"]
        assert (admission["recorded"], admission["evaluated"], admission["not_evaluable"]) == (
            5,
            4,
            {"field erased": 1},
        )
        assert admission["outcomes"] == {"allow -> deny": 1}
        assert blocked not in {each["entry"] for each in told["changes"]}
        (lost,) = told["not_evaluable"]
        assert (lost["entry"], lost["why"], lost["details"]) == (blocked, "field erased", ["/prompts/0"])
        out = replay(shell, trial).succeeded().out
        assert f"{blocked} denied " in out
        assert "not evaluable, field erased: /prompts/0" in out
        assert "9 of 9 decisions that could be evaluated would change; 1 more could not, and may change too\n" in out

    def test_it_is_no_certificate_that_nothing_changes(self, recorded, shell):
        execute(recorded, "DELETE FROM personal_field WHERE name = '/reviewer/id'")
        assert replay(shell, recorded.bundle_path).code == 0
        assert replay(shell, recorded.bundle_path, "--fail-on-change").code == 2

    def test_nothing_evaluable_says_nothing_about_changes(self, recorded, shell, trial):
        execute(recorded, "DELETE FROM personal_field WHERE name IN ('/principal/id', '/reviewer/id')")
        for options in ((), ("--fail-on-change",)):
            ran = replay(shell, trial, *options)
            assert ran.code == 2
            assert "Nothing was replayed: none of 10 recorded decisions is evaluable." in ran.out
            assert "would change" not in ran.out.replace("says nothing about what the bundle would change", "")
        told = replay(shell, trial, "--json")
        assert (told.code, told.json["evaluated"]) == (2, 0)

    def test_nor_does_an_empty_ledger(self, settings, tmp_path):
        with opened(settings):
            pass
        ran = replay(Shell(tmp_path, settings.home), settings.bundle_path)
        assert ran.code == 2
        assert "no decision is recorded there" in ran.out

    def test_a_document_that_is_gone(self, recorded, shell, trial):
        execute(recorded, "DELETE FROM document")
        told = replay(shell, trial, "--json").json
        assert told["stages"]["release"]["not_evaluable"] == {"document missing": 4}
        assert "not evaluable, document missing: all of it" in replay(shell, trial).out

    def test_an_input_that_the_new_schema_refuses_is_named(self, shell, trial):
        file = trial / "schemas" / "admission.input.json"
        schema = json.loads(file.read_text())
        schema["required"].append("a_new_fact")
        file.write_text(json.dumps(schema))
        told = replay(shell, trial, "--json").succeeded().json
        assert told["stages"]["admission"]["not_evaluable"] == {"refused by the schema": 5}
        assert told["stages"]["admission"]["outcomes"] == {}
        assert told["stages"]["admission"]["drift"] == {"reproduced": 5}
        assert told["stages"]["release"]["evaluated"] == 4
        problem = "/ breaks required"
        assert told["refused"] == [{"stage": "admission", "version": "1", "problem": problem, "count": 5}]
        out = replay(shell, trial).succeeded().out
        assert f"admission: the schema refuses an input of version 1 ({problem})  5\n" in out

    def test_what_was_altered_ends_it(self, recorded, shell, trial):
        (blocked,) = by_kind(recorded, EntryKind.DENIED, "admission")
        where = f"WHERE name = '/principal/id' AND entry_id = '{blocked}'"
        execute(recorded, f"UPDATE personal_field SET value = CAST('\"eve@example.org\"' AS BLOB) {where}")
        replay(shell, trial).failed(1, f"Entry {blocked}", "/principal/id", "altered", "ledger verify")


class TestDrift:
    def test_a_bundle_that_decided_earlier_is_asked_again_where_it_is_given(self, recorded, shell, trial, tmp_path):
        shutil.copytree(recorded.bundle_path, tmp_path / "past")
        edited(recorded.bundle_path, limits={**Bundle.load(recorded.bundle_path).data["limits"], "steps": 90})
        told = replay(shell, trial, "--json").succeeded().json
        assert told["stages"]["release"]["drift"] == {"bundle not at hand": 4}
        told = replay(shell, trial, "--past", tmp_path / "past", "--json").succeeded().json
        assert told["stages"]["release"]["drift"] == {"reproduced": 4}

    def test_what_another_engine_decided_otherwise_is_named(self, recorded, shell):
        revision = Bundle.load(recorded.bundle_path).revision
        with opened(recorded, policy=FakePolicyEngine(bundle_revision=revision)) as (governor, _):
            ask(governor, "let through", "a car bomb")
        told = replay(shell, recorded.bundle_path, "--json").succeeded().json
        drifted = by_kind(recorded, EntryKind.INTENT, "admission")[-1]
        assert told["stages"]["admission"]["drift"] == {"differs": 1, "reproduced": 5}
        (first, *_) = told["drifted"]
        assert (first["entry"], first["recorded"]["outcome"], first["new"]["outcome"]) == (drifted, "allow", "deny")
        out = replay(shell, recorded.bundle_path).succeeded().out
        assert "asked again: allow -> deny" in out
        assert "need not be the doing of the bundle on trial" in out
