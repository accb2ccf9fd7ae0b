"""The life of a bundle on a real installation: what comes into force is recorded, what is on trial is not obeyed, and
what another bundle would change is known before.
"""

import json
import logging
import shutil
import sqlite3
import tarfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import pytest

from governance.entries import EntryKind
from governance.errors import ConfigurationError, DeniedError, LedgerError, PolicyError
from governance.testing import EXAMPLE_MODEL, FailingAt, FakePipeline, FakePolicyEngine, example_request
from governance.testing.policy import admission_facts
from governance.types import Outcome, Prompt, Stage
from governance_adapters.engines import engine_maker, open_policy
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.opa import OpaEngine
from governance_adapters.policy.regorus import RegorusEngine
from governance_adapters.policy.signed import build_archive
from governance_adapters.settings import EngineName, Settings
from governance_adapters.wiring import open_governor, open_ledger
from support.allowed import allowed
from support.command import Shell
from support.markdown import ROOT
from support.opa_server import opa_server, real_opa
from support.real import require
from support.thinned import thin_corpus

EXAMPLE = ROOT / "docs" / "examples" / "tenant.json"
pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")


def own_children():
    """The processes that this one started and did not wait for."""
    return {child for tasks in Path("/proc/self/task").glob("*/children") for child in tasks.read_text().split()}


@pytest.fixture
def installed(settings):
    """An installation whose bundle allows the example model."""
    allowed(settings, EXAMPLE_MODEL, name="example", licence="Apache-2.0")
    return settings


@pytest.fixture
def shell(installed, tmp_path):
    return Shell(tmp_path, installed.home)


@contextmanager
def opened(settings, **replaced):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        governor = open_governor(settings, **replaced)
    try:
        yield governor
    finally:
        governor.parts.ledger.close()


def request(text="a red seven on a blue background", **changes):
    """The example, for one market: what is asked of a picture does not hang on all the others."""
    return example_request(text, markets=("EU",), **changes)


def changed(settings, **values):
    return settings.model_copy(update=values)


def edited(path, **data):
    """Edit the bundle's data in place."""
    found = json.loads((path / "data.json").read_text())
    (path / "data.json").write_text(json.dumps({**found, **data}))
    return Bundle.load(path).revision


def entries(settings, kind=None):
    found = [entry for _, entry in open_ledger(settings).entries(kind=kind, limit=1000)]
    return [entry for entry in found if entry.kind is not EntryKind.REGISTER]


def bodies(settings):
    return [entry.body for entry in entries(settings, EntryKind.POLICY)]


class TestInForce:
    def test_every_bundle_that_decided_has_its_entry_before_the_first_use(self, installed):
        first = Bundle.load(installed.bundle_path).revision
        for number in range(2):
            with opened(installed) as governor:
                governor.generate(request(id=f"request-{number}"), FakePipeline())
        second = edited(installed.bundle_path, blocked_terms={"seven": {"category": "test"}})
        with opened(installed) as governor, pytest.raises(DeniedError):
            governor.generate(request(id="request-3"), FakePipeline())
        assert [entry.kind.value for entry in entries(installed)] == [
            *("policy", "intent", "released", "intent", "released"),
            *("policy", "denied"),
        ]
        assert bodies(installed) == [
            {"version": 1, "revision": first, "previous": None, "engine": "regorus"},
            {"version": 1, "revision": second, "previous": first, "engine": "regorus"},
        ]
        assert list(open_ledger(installed).verify()) == []

    def test_an_engine_of_the_programs_own_is_recorded_too(self, installed):
        with opened(installed, policy=FakePolicyEngine()) as governor:
            governor.generate(request(), FakePipeline())
        ((_, body),) = enumerate(bodies(installed))
        assert (body["engine"], body["revision"]) == ("FakePolicyEngine", FakePolicyEngine().bundle_revision)

    def test_no_entry_no_decision(self, installed):
        with opened(installed) as governor:
            ledger = FailingAt(governor.parts.ledger, "append", LedgerError("The disk is full.", remedy="Make room."))
            policy = type(governor.parts.policy)(open_policy(installed), ledger)
            with pytest.raises(LedgerError, match="disk is full"):
                policy.decide(Stage.ADMISSION, admission_facts())
            assert policy.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW

    def test_show_and_list_name_it(self, installed, shell):
        with opened(installed) as governor:
            governor.generate(request(), FakePipeline())
        (listed,) = shell("ledger", "list", "--kind", "policy", "--json").succeeded().json
        assert listed["body"]["revision"] == Bundle.load(installed.bundle_path).revision
        shown = shell("ledger", "show", "policy").succeeded().out
        assert listed["body"]["revision"] in shown
        assert "generation" not in shown
        assert "policy" in shell("ledger", "list").succeeded().out
        assert "verified" in shell("ledger", "verify").succeeded().out


class TestReloading:
    def test_a_running_governor_takes_a_new_bundle_and_keeps_the_old_one_if_it_is_broken(self, installed, caplog):
        settings = changed(installed, reload_seconds=0.01)
        good = (settings.bundle_path / "data.json").read_text()
        with opened(settings) as governor:
            self.ask(governor, "before")
            (settings.bundle_path / "data.json").write_text("{")
            time.sleep(0.6)  # longer than files must be left alone
            self.ask(governor, "broken")
            assert any("data.json" in r.getMessage() for r in caplog.records if r.levelno == logging.ERROR)
            (settings.bundle_path / "data.json").write_text(good)
            new = edited(settings.bundle_path, blocked_terms={"seven": {"category": "test"}})
            time.sleep(0.6)
            with pytest.raises(DeniedError):
                self.ask(governor, "after")
        assert [body["revision"] for body in bodies(settings)][1:] == [new]

    def test_without_it_the_bundle_stays_until_the_next_start(self, installed):
        with opened(installed) as governor:
            edited(installed.bundle_path, blocked_terms={"seven": {"category": "test"}})
            time.sleep(0.6)
            self.ask(governor, "after")
        assert len(bodies(installed)) == 1

    @staticmethod
    def ask(governor, name):
        governor.generate(request(id=name), FakePipeline())


class TestCandidate:
    @pytest.fixture
    def trial(self, installed, tmp_path):
        """The settings with a bundle on trial that denies what is asked for."""
        shutil.copytree(installed.bundle_path, tmp_path / "trial")
        edited(tmp_path / "trial", blocked_terms={"seven": {"category": "test"}})
        return changed(installed, candidate=tmp_path / "trial")

    def test_it_is_recorded_and_not_obeyed(self, trial, shell):
        with opened(trial) as governor:
            result = governor.generate(request(), FakePipeline())
        assert result.items[0].asset is not None
        revision = Bundle.load(trial.candidate).revision
        policy, intent, released = entries(trial)
        assert policy.body["revision"] != revision
        for entry in (intent, released):
            assert entry.body["decision"]["outcome"] == "allow"
            assert entry.body["decision"]["candidate"]["bundle_revision"] == revision
        found = intent.body["decision"]["candidate"]
        assert found["outcome"] == "deny"
        assert {"code": "prompt.blocked_term", "path": "/prompts/0"} in found["reasons"]
        shown = shell("ledger", "show", intent.id).succeeded().out
        assert "candidate, not obeyed" in shown
        assert revision in shown
        assert "prompt.blocked_term /prompts/0" in shown
        assert list(open_ledger(trial).verify()) == []

    def test_facts_that_do_not_fit_its_schema_are_its_error_alone(self, trial, shell):
        schema = trial.candidate / "schemas" / "admission.input.json"
        wanted = json.loads(schema.read_text())
        wanted["required"].append("a_new_fact")
        schema.write_text(json.dumps(wanted))
        with opened(trial) as governor:
            assert governor.generate(request(), FakePipeline()).items[0].asset is not None
        _, intent, _ = entries(trial)
        found = intent.body["decision"]["candidate"]
        assert (found["outcome"], found["error"]) == (None, "PolicyError")
        assert "none: PolicyError" in shell("ledger", "show", intent.id).succeeded().out

    def test_one_that_does_not_load_is_said_at_the_start(self, installed, tmp_path):
        with pytest.raises(PolicyError, match="no policy bundle"), opened(changed(installed, candidate=tmp_path / "x")):
            pass

    def test_the_other_engine_is_let_go_of_then(self, installed, tmp_path):
        before = own_children()
        with pytest.raises(PolicyError) as caught:
            open_policy(changed(installed, candidate=tmp_path / "x"))
        assert own_children() == before
        assert caught.value.__traceback__  # which holds on to the engine, were it not closed

    def test_the_doctor_names_it(self, trial, shell, examined):
        finding = examined(shell, candidate=trial.candidate)
        assert finding["sound"]
        assert f"candidate {Bundle.load(trial.candidate).revision}" in finding["detail"]


@pytest.fixture
def examined():
    """What the doctor says of the policy, with settings given as variables."""

    def ask(shell, **settings):
        variables = {f"GOVERNANCE_{name.upper()}": str(value) for name, value in settings.items()}
        told = Shell(shell.folder, shell.home, variables)("doctor", "--json").json
        return next(finding for finding in told if finding["part"] == "policy")

    return ask


class TestDoctor:
    def test_engine_revision_and_since_when(self, installed, shell, examined):
        revision = Bundle.load(installed.bundle_path).revision
        assert examined(shell)["detail"] == f"regorus, bundle revision {revision}"
        with opened(installed) as governor:
            governor.generate(request(), FakePipeline())
        (entry,) = entries(installed, EntryKind.POLICY)
        said = examined(shell, reload_seconds=5)["detail"]
        assert said == f"regorus, bundle revision {revision}; in force since {entry.time}; looked at again every 5 s"
        new = edited(installed.bundle_path, blocked_terms={"seven": {"category": "test"}})
        said = examined(shell)["detail"]
        assert f"bundle revision {new}; not in force yet, but {revision} since {entry.time}" in said

    def test_a_bundle_that_does_not_load_and_what_decides_meanwhile(self, installed, shell, examined):
        revision = Bundle.load(installed.bundle_path).revision
        with opened(installed) as governor:
            governor.generate(request(), FakePipeline())
        (installed.bundle_path / "data.json").write_text("{")
        finding = examined(shell, reload_seconds=5)
        assert not finding["sound"]
        assert "data.json" in finding["detail"]
        assert f"What runs already still decides by {revision}." in finding["detail"]
        assert revision not in examined(shell)["detail"]

    def test_a_server_that_does_not_answer(self, installed, shell, examined):
        finding = examined(shell, engine="opa", opa_url="http://127.0.0.1:9")
        assert not finding["sound"]
        assert "127.0.0.1:9" in finding["detail"]


class TestEngineSettings:
    def test_the_embedded_engine_is_the_default(self, installed):
        with_default = engine_maker(installed)(Bundle.load(installed.bundle_path))
        assert isinstance(with_default, RegorusEngine)
        with_default.close()

    def test_a_server_is_asked_with_its_token(self, installed, tmp_path):
        (tmp_path / "token").write_text("secret\n")
        settings = changed(
            installed, engine=EngineName.OPA, opa_url="http://127.0.0.1:9", opa_token_file=tmp_path / "token"
        )
        engine = engine_maker(settings)(Bundle.load(installed.bundle_path))
        assert isinstance(engine, OpaEngine)
        engine.close()
        (tmp_path / "token").write_text(" \n")
        with pytest.raises(ConfigurationError, match="is empty"):
            engine_maker(settings)
        (tmp_path / "token").unlink()
        with pytest.raises(ConfigurationError, match="cannot be read"):
            engine_maker(settings)

    def test_a_server_without_a_url_is_refused(self, installed):
        with pytest.raises(ConfigurationError, match="opa_url"):
            engine_maker(changed(installed, engine=EngineName.OPA))

    def test_a_server_that_nobody_would_ask_is_refused(self, installed, tmp_path):
        with pytest.raises(ConfigurationError, match="opa_url, opa_ca is set"):
            engine_maker(changed(installed, opa_url="http://127.0.0.1:9", opa_ca=tmp_path))

    @pytest.mark.parametrize(
        "wrong", [{"policy_timeout": 0}, {"policy_engines": 0}, {"reload_seconds": -1}, {"engine": "cedar"}]
    )
    def test_values_out_of_range_are_refused(self, wrong):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            Settings.load(**wrong)


class TestServer:
    def test_a_server_decides_for_the_line_and_the_doctor_asks_it(self, installed, shell, examined, tmp_path):
        opa, archive = real_opa(), tmp_path / "bundle.tar.gz"
        build_archive(Bundle.load(installed.bundle_path), archive, opa=opa)
        with opa_server(opa, tmp_path / "server", "--bundle", archive) as server:
            settings = changed(installed, engine=EngineName.OPA, opa_url=server.url, policy_timeout=30)
            with opened(settings) as governor:
                governor.generate(request(), FakePipeline())
            assert examined(shell, engine="opa", opa_url=server.url)["sound"]
            edited(installed.bundle_path, blocked_terms={"seven": {"category": "test"}})
            with opened(settings) as governor, pytest.raises(PolicyError, match="bundle"):
                governor.generate(request(id="request-2"), FakePipeline())
            assert not examined(shell, engine="opa", opa_url=server.url)["sound"]
        assert [body["engine"] for body in bodies(installed)] == ["opa"]


class TestDiff:
    @pytest.fixture(autouse=True)
    def little(self, monkeypatch):
        thin_corpus(monkeypatch)

    @pytest.fixture
    def bundles(self, installed, tmp_path):
        """The bundle in force, and one that denies the prompt of the example and obliges otherwise."""
        with opened(installed) as governor:
            governor.generate(request(), FakePipeline())
            governor.generate(request("a blue three", id="request-2"), FakePipeline())
        shutil.copytree(installed.bundle_path, tmp_path / "new")
        data = Bundle.load(installed.bundle_path).data
        edited(
            tmp_path / "new",
            blocked_terms={**data["blocked_terms"], "red seven": {"category": "test"}},
            obligations={**data["obligations"], "retain_days": 7},
        )
        return installed.bundle_path, tmp_path / "new"

    def test_the_same_bundle_changes_nothing(self, bundles, shell):
        old, _ = bundles
        told = shell("policy", "diff", old, old, "--fail-on-change", "--json").succeeded().json
        assert told["changes"] == []
        assert told["data"] == told["rules"] == {"added": [], "removed": [], "changed": []}
        assert told["counts"]["asked"]["admission"] > 50
        assert told["counts"]["changed"] == {}

    def test_every_recorded_decision_that_would_be_another_is_listed(self, bundles, shell, installed):
        told = shell("policy", "diff", *bundles, "--json").succeeded().json
        assert told["old"]["revision"] == Bundle.load(bundles[0]).revision
        assert told["data"] == {
            "added": ["/blocked_terms/red seven"],
            "removed": [],
            "changed": ["/obligations/retain_days"],
        }
        recorded = [change for change in told["changes"] if change["source"] == "ledger"]
        found = {change["name"]: (change["old"]["outcome"], change["new"]["outcome"]) for change in recorded}
        intents, released = entries(installed, EntryKind.INTENT), entries(installed, EntryKind.RELEASED)
        assert found[intents[0].id] == ("allow", "deny")
        assert found.keys() <= {entry.id for entry in (*intents, *released)}
        denied = next(change for change in recorded if change["name"] == intents[0].id)
        assert "prompt.blocked_term" in denied["new"]["codes"]
        kept = [change for change in recorded if change["new"]["obligations"].get("retain_days") == 7]
        assert kept
        assert all(change["old"]["obligations"]["retain_days"] == 365 for change in kept)
        assert any(change["source"] == "corpus" for change in told["changes"])

    def test_in_words(self, bundles, shell, installed):
        out = shell("policy", "diff", *bundles).succeeded().out
        (intent, _) = entries(installed, EntryKind.INTENT)
        said = out.split(f"ledger {intent.id}, admission: ")[1].split("\nledger")[0].splitlines()
        assert said[0] == "allow -> deny"
        assert "  + prompt.blocked_term" in said
        assert "  obliges retain_days: 365 -> 7" in said
        assert "data added: /blocked_terms/red seven" in out
        assert "\n  obliges retain_days: 365 -> 7\n" in out
        assert "answers differ" in out

    def test_a_change_fails_where_that_is_asked_for(self, bundles, shell):
        assert shell("policy", "diff", *bundles, "--fail-on-change").code == 1

    def test_the_corpus_alone_and_only_what_is_newer(self, bundles, shell):
        corpus = shell("policy", "diff", *bundles, "--no-ledger", "--json").succeeded().json
        assert {change["source"] for change in corpus["changes"]} == {"corpus"}
        later = shell("policy", "diff", *bundles, "--since", "2999-01-01T00:00:00+01:00", "--json").succeeded().json
        assert later["changes"] == corpus["changes"]
        assert later["counts"]["asked"] == corpus["counts"]["asked"]
        shell("policy", "diff", *bundles, "--since", "yesterday").failed(1, "is no time")

    def test_what_was_erased_is_counted(self, bundles, shell, installed):
        database = sqlite3.connect(installed.ledger_path)
        database.execute("DELETE FROM personal_field WHERE name = '/prompts/0'")
        database.commit()
        database.close()
        told = shell("policy", "diff", *bundles, "--json").succeeded().json
        assert told["counts"]["not_evaluable"] == {"admission": 2, "release": 2}
        assert {change["source"] for change in told["changes"]} == {"corpus"}

    def test_a_bundle_that_is_not_there(self, bundles, shell, tmp_path):
        shell("policy", "diff", bundles[0], tmp_path / "none").failed(1, "none does not exist")

    def test_rules_that_differ_are_named(self, bundles, shell):
        old, new = bundles
        file = new / "admission" / "admission.rego"
        file.write_text(file.read_text() + "\n# A remark.\n")
        told = shell("policy", "diff", old, new, "--no-ledger", "--json").succeeded().json
        assert told["rules"] == {"added": [], "removed": [], "changed": ["admission/admission.rego"]}


class TestOverlay:
    def test_a_tenant_gets_a_bundle_of_its_own(self, installed, shell, tmp_path):
        ran = shell("policy", "overlay", installed.bundle_path, EXAMPLE, tmp_path / "tenant", "--json").succeeded().json
        assert ran["revision"] == Bundle.load(tmp_path / "tenant").revision != ran["base"]
        assert "/blocked_terms/rival brand" in ran["added"]
        assert "/limits/images" in ran["changed"]
        settings = changed(installed, bundle=tmp_path / "tenant")
        with opened(settings) as governor:
            governor.generate(request(), FakePipeline())
            with pytest.raises(DeniedError):
                governor.generate(request(id="rival", prompts=(Prompt("a R.i.v.a.l brand"),)), FakePipeline())
        assert [body["revision"] for body in bodies(settings)] == [ran["revision"]]

    def test_in_words(self, installed, shell, tmp_path):
        out = shell("policy", "overlay", installed.bundle_path, EXAMPLE, tmp_path / "tenant").succeeded().out
        assert "data added: /blocked_terms/rival brand" in out
        assert "data removed: /roles/editor/limits" in out

    def test_nothing_is_left_of_one_that_is_refused(self, installed, shell, tmp_path):
        (tmp_path / "patch.json").write_text('{"thresholds": null}')
        before = sorted(tmp_path.iterdir())
        words = ("policy", "overlay", installed.bundle_path, tmp_path / "patch.json", tmp_path / "tenant")
        shell(*words).failed(1, "With this patch there is no sound bundle", "data.json")
        assert sorted(tmp_path.iterdir()) == before


class TestBuild:
    def test_an_archive_with_the_revision_in_it(self, installed, shell, tmp_path):
        require("opa", shutil.which("opa"), "no archive was built")
        told = shell("policy", "build", tmp_path / "bundle.tar.gz", "--json").succeeded().json
        assert told["revision"] == Bundle.load(installed.bundle_path).revision
        assert told["key_id"] is None
        with tarfile.open(tmp_path / "bundle.tar.gz") as archive:
            manifest = json.load(archive.extractfile("/.manifest"))
        assert manifest["revision"] == told["revision"]
        assert "nobody" in shell("policy", "build", tmp_path / "again.tar.gz").succeeded().out

    def test_without_the_program_it_says_so(self, installed, tmp_path):
        bare = Shell(tmp_path, installed.home, {"PATH": str(tmp_path)})
        bare("policy", "build", tmp_path / "bundle.tar.gz").failed(1, "opa", "PATH")
        assert not (tmp_path / "bundle.tar.gz").exists()

    def test_a_key_that_is_not_there(self, shell, tmp_path):
        require("opa", shutil.which("opa"), "no archive was built")
        words = ("policy", "build", tmp_path / "bundle.tar.gz", "--signing-key", tmp_path / "key.pem")
        shell(*words).failed(1, "key.pem")
