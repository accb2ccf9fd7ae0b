"""Shadow mode with real parts, on SQLite and PostgreSQL: policy, detectors, the watermark, C2PA, ledger, commands, evidence."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings
from contextlib import contextmanager
from time import sleep

import pytest

from governance.assets import Verdict
from governance.entries import Entry, EntryKind, Record
from governance.errors import DeniedError, HeldError
from governance.mode_record import MODE_SUBJECT, ModeRecord
from governance.shadow import SHADOW, Judgement, Shadow, shadow_of
from governance.testing import EXAMPLE_MODEL, FakeDetector, FakePipeline, example_request
from governance.types import Finding, Mode, Principal, Prompt, Stage
from governance_adapters.installation import initialise
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.settings import Settings
from governance_adapters.wiring import govern, open_governor, open_ledger, open_verifier
from support.allowed import allowed
from support.command import Shell
from support.nursery import environment
from support.packs import extracted, outsider
from support.tiny import stable_diffusion

HIDDEN = "a red seven on a c.0.u.n.t.e.r.f.e.1.t b a n k n o t e"
DESIGNER = Principal("designer@example.org", ("designer",))

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")


class CopyDetector(FakeDetector):
    """Finds every second picture that it is shown to be a copy of a work that people must look at."""

    shown = 0

    def detect(self, images):
        found = []
        for _ in images:
            self.shown += 1
            score = 0.97 if self.shown % 2 == 0 else 0.0
            found.append((Finding(self.name, self.digest, "copy", score, "work-1", "review", {"hamming": 8}),))
        return found


@pytest.fixture(params=["sqlite", "postgres"])
def installed(request, tmp_path):
    """An installation in shadow mode whose bundle allows the example model, on each database."""
    url = {"database_url": request.getfixturevalue("postgres_url")} if request.param == "postgres" else {}
    made = Settings.load(home=tmp_path / "home", principal=DESIGNER.id, roles=DESIGNER.roles, mode="shadow", **url)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        initialise(made)
    allowed(made, EXAMPLE_MODEL, name="example", licence="Apache-2.0")
    return made


@contextmanager
def opened(settings, **changes):
    governor = open_governor(
        settings.model_copy(update=changes), detectors=(FakeDetector(), CopyDetector(name="similarity"))
    )
    try:
        yield governor
    finally:
        governor.parts.ledger.close()


def asked(request_id, text="a red seven", **changes):
    settled = {"prompts": (Prompt(text),), "markets": ("EU",), "seeds": (), **changes}
    return example_request(id=request_id, principal=DESIGNER, **settled)


def shell_of(settings, mode="shadow"):
    variables = {"GOVERNANCE_MODE": mode, "GOVERNANCE_PRINCIPAL": DESIGNER.id, "GOVERNANCE_ROLES": '["designer"]'}
    if settings.database_url:
        variables["GOVERNANCE_DATABASE_URL"] = settings.database_url
    return Shell(settings.home.parent, settings.home, variables)


def kinds(settings):
    found = [entry.kind for _, entry in open_ledger(settings).entries(limit=1000)]
    return [kind.value for kind in found if kind is not EntryKind.REGISTER]


def test_what_policy_withholds_leaves_marked_signed_and_recorded_and_is_found(installed):
    with opened(installed) as governor:
        (fine,) = governor.generate(asked("fine"), FakePipeline()).items
        (held,) = governor.generate(asked("held"), FakePipeline()).items
        (denied,) = governor.generate(asked("denied", HIDDEN), FakePipeline()).items
        assert not list(governor.parts.ledger.verify())
        assert governor.parts.ledger.holds() == governor.parts.quarantine.holds() == []
    assert kinds(installed) == ["mode", "policy", *["intent", "released"] * 3]
    would = {item.shadow.verdict: item for item in (fine, held, denied)}
    assert set(would) == {Verdict.RELEASED, Verdict.HELD, Verdict.DENIED}
    assert held.shadow.decisive.codes == ("work.review",)
    assert "prompt.blocked_term" in denied.shadow.decisive.codes

    verifier = open_verifier(installed)
    for item in would.values():
        verified = verifier.verify(item.asset.content)
        assert verified.exit_code == 0, [check for check in verified.checks if check.status != "holds"]
        assert (verified.mode, verified.shadow) == (Mode.SHADOW, item.shadow)
        assert verified.metadata["governance:Mode"] == "shadow"
        assert verified.report.provenance["mode"] == "shadow"
        item.asset.save(installed.home.parent / f"{item.shadow.verdict.value}.png", receipt=True)

    shell = shell_of(installed)
    told = shell("shadow", "report", "--json").succeeded().json
    assert told["calls"] == {
        "made": 3,
        "unchanged": 1,
        "admission": {"released": 2, "denied": 1, "held": 0, "failed": 0},
    }
    assert told["images"]["verdicts"] == {"released": 1, "denied": 1, "held": 1, "failed": 0}
    assert told["roles"]["designer"] == told["images"]["verdicts"]
    codes = {each["code"]: each for each in told["codes"]}
    assert codes["work.review"]["examples"] == [held.entry.id]
    assert shell("shadow", "report", "--since", "2999-01-01", "--json").succeeded().json["calls"]["made"] == 0
    said = shell("shadow", "report").succeeded().out
    assert "for 1 of 3 calls enforcement would have changed nothing" in said
    assert "prompt.blocked_term" in said
    assert "Nothing was made in shadow mode" in shell("shadow", "report", "--since", "2999-01-01").succeeded().out

    def found(*words):
        return [each["id"] for each in shell("ledger", "search", *words, "--json").succeeded().json["items"]]

    assert found("--shadow", "denied", "--kind", "released") == [denied.entry.id]
    assert found("--shadow", "held") == [held.entry.id]
    assert len(found("--shadow", "any")) == 6
    shell("ledger", "search", "--shadow", "maybe").failed(1, "maybe")
    assert "SHADOW: enforcement would have denied it" in shell("ledger", "list").succeeded().out
    shown = shell("ledger", "show", denied.entry.id).succeeded().out
    assert "SHADOW MODE: enforcement would have denied it at admission" in shown
    line = shell("verify", "denied.png").succeeded().out
    assert "shadow mode     made in shadow mode; enforcement would have denied it at admission" in line
    checked = shell("verify", "denied.png", "--json").succeeded().json
    assert (checked["mode"], checked["shadow"]) == ("shadow", denied.shadow.as_json())
    assert shell("ledger", "verify").succeeded()


def test_it_is_turned_on_and_off_once_and_nothing_of_it_is_handed_out_again_while_enforcing(installed):
    with opened(installed) as governor:
        (first,) = governor.generate(asked("one", HIDDEN), FakePipeline()).items
        (again,) = governor.generate(asked("one", HIDDEN), FakePipeline()).items
        assert again.entry == first.entry
        (fine,) = governor.generate(asked("fine"), FakePipeline()).items  # the second picture: held
    with opened(installed, mode=Mode.ENFORCE) as governor:
        with pytest.raises(DeniedError, match=r"prompt\.blocked_term"):
            governor.generate(asked("one", HIDDEN), FakePipeline())
        governor.parts.detectors[1].shown = 1
        with pytest.raises(HeldError):
            governor.generate(asked("fine"), FakePipeline())
        assert fine.shadow.verdict is Verdict.HELD
        (enforced,) = governor.generate(asked("other"), FakePipeline()).items
        assert enforced.shadow is None
        assert not list(governor.parts.ledger.verify())
        switches = [entry for _, entry in governor.parts.ledger.entries(kind=EntryKind.MODE)]
    assert [entry.body["mode"] for entry in switches] == ["shadow", "enforce"]
    assert switches[1].body["previous"] == switches[0].id
    verified = open_verifier(installed).verify(enforced.asset.content)
    assert (verified.exit_code, verified.mode, verified.shadow) == (0, Mode.ENFORCE, None)


def test_several_processes_that_see_one_change_write_one_entry(installed, tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from governance.mode_record import ModeRecord;"
        "from governance.types import Mode; from governance_adapters.installation import ledger_for_appending;"
        "from governance_adapters.settings import Settings;"
        "ledger = ledger_for_appending(Settings.load()); Path(sys.argv[1]).touch();"
        "gate = Path(sys.argv[2]);\n"
        "while not gate.exists(): time.sleep(0.005)\n"
        "ModeRecord(Mode.SHADOW, ledger).settle(); ledger.close()"
    )
    gate = tmp_path / "gate"
    variables = {"GOVERNANCE_HOME": str(installed.home)}
    if installed.database_url:
        variables["GOVERNANCE_DATABASE_URL"] = installed.database_url
    ready = [tmp_path / f"ready-{number}" for number in range(4)]
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(path), str(gate)], env=environment(**variables))
        for path in ready
    ]
    while not all(path.exists() for path in ready):
        assert all(child.poll() is None for child in children)
        sleep(0.01)
    gate.touch()
    assert [child.wait(60) for child in children] == [0] * len(children)
    assert kinds(installed) == ["mode"]
    assert list(open_ledger(installed).verify()) == []


def test_an_audit_names_what_was_made_in_shadow_mode_without_an_entry(installed):
    would = Shadow((Judgement(Stage.ADMISSION, Verdict.DENIED, ("test.denied",)),))
    body = {"version": 1, "attempt": 1, "items": 1, "fields": {}, SHADOW: would.as_json()}
    with opened(installed) as governor:
        ledger = governor.parts.ledger
        early = ledger.append(Record(Entry(EntryKind.INTENT, "unsaid", body))).entry
        ModeRecord(Mode.SHADOW, ledger).settle()
        late = ledger.append(Record(Entry(EntryKind.INTENT, "said", body))).entry
        (problem,) = ledger.verify()
        assert early.id in problem
        assert "no entry before it turned that on" in problem
        assert late.id not in problem


def test_an_audit_names_an_entry_about_the_mode_that_does_not_follow_from_the_one_before(installed):
    with opened(installed) as governor:
        ledger = governor.parts.ledger
        ModeRecord(Mode.SHADOW, ledger).settle()
        forged = Entry(EntryKind.MODE, MODE_SUBJECT, {"version": 1, "mode": "enforce", "previous": None})
        ledger.append(Record(forged))
        (problem,) = ledger.verify()
        assert forged.id in problem
        assert "as the mode entry before it" in problem


def test_a_pack_of_evidence_says_it_and_holds_the_entry(installed, tmp_path):
    with opened(installed) as governor:
        governor.generate(asked("before"), FakePipeline())
        (item,) = governor.generate(asked("one", HIDDEN), FakePipeline()).items
    item.asset.save(tmp_path / "seven.png")
    shell = shell_of(installed)
    shell("evidence", "seven.png", "-o", tmp_path / "pack.zip").succeeded()
    key = next(line.split()[-1] for line in shell("keys", "show").succeeded().out.splitlines() if "log" in line)
    folder = extracted(tmp_path / "pack.zip", tmp_path / "pack")
    ran = outsider(folder, "--key", key).succeeded()
    assert ran.out.splitlines()[-1] == "verdict: verified"
    assert "SHADOW MODE" in ran.out
    assert "under enforcement: denied (prompt.blocked_term" in ran.out
    assert [path.name.partition("-")[2] for path in sorted((folder / "record" / "entries").iterdir())].count(
        "mode.json"
    ) == 1
    assert "made in SHADOW MODE" in " ".join((folder / "README.txt").read_text().split())


def test_govern_warns_and_the_commands_and_doctor_say_it(tmp_path, caplog):
    settings = Settings.load(home=tmp_path / "home", principal=DESIGNER.id, roles=DESIGNER.roles, mode="shadow")
    shell = shell_of(settings)
    shell("init").succeeded()
    stable_diffusion(tmp_path, side=256).save_pretrained(tmp_path / "tiny")
    generate = ("generate", HIDDEN, "-o", "new.png", "--model", tmp_path / "tiny", "--steps", 1)
    made = shell(*generate, "--json").succeeded().json  # a model that no bundle allows, and a term that one blocks
    assert made["shadow"]["verdict"] == "denied"
    assert "model.not_allowed" in made["shadow"]["stages"][0]["codes"]
    assert "SHADOW MODE: enforcement would have denied it" in shell(*generate).succeeded().out
    shell_of(settings, mode="enforce")(*generate).failed(3, "model.not_allowed")
    part = next(each for each in shell("doctor", "--json").json if each["part"] == "mode")
    assert (part["sound"], part["detail"].startswith("SHADOW: policy is recorded and not obeyed")) == (True, True)
    assert "enforce since" in part["detail"]
    told = next(each for each in shell_of(settings, "enforce")("doctor", "--json").json if each["part"] == "mode")
    assert told["detail"].startswith("enforced; so since")
    with caplog.at_level(logging.WARNING):
        governor = open_governor(settings)
        govern(stable_diffusion(tmp_path, side=256), settings=settings, governor=governor)
        governor.parts.ledger.close()
    assert "shadow mode: what policy denies, holds or limits is recorded, marked, signed and RELEASED" in caplog.text


def test_a_pipeline_keeps_its_own_call_in_shadow_mode(tmp_path):
    settings = Settings.load(home=tmp_path / "home", principal=DESIGNER.id, roles=DESIGNER.roles, mode="shadow")
    initialise(settings)
    governor = open_governor(settings)
    try:
        pipe = govern(stable_diffusion(tmp_path, side=256), settings=settings, governor=governor, purpose="marketing")
        out = pipe(HIDDEN, num_inference_steps=1, num_images_per_prompt=2)
        assert [image.size for image in out.images] == [(256, 256)] * 2
        assert {item.shadow.verdict for item in out.items} == {Verdict.DENIED}
        assert all(item.entry.body[SHADOW] == shadow_of(item.entry).as_json() for item in out.items)
        assert not list(governor.parts.ledger.verify())
    finally:
        governor.parts.ledger.close()
