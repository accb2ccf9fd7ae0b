"""What the command line once got wrong, kept right: whose word `verify` takes, what `show` leaves out, remedies that lead
nowhere, settings that are misread or ignored.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tomllib
import warnings
from contextlib import chdir
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_settings import TomlConfigSettingsSource

from governance.assets import receipt_path
from governance.errors import ConfigurationError
from governance.testing import EXAMPLE_MODEL, FakePipeline, example_request
from governance.types import Principal, Prompt
from governance_adapters.commands.setup import to_toml
from governance_adapters.installation import initialise
from governance_adapters.marking.authority import InsecureDevelopmentAuthority, InsecureKeyWarning
from governance_adapters.marking.keys import KeyFolder
from governance_adapters.settings import PREFIX, Settings
from governance_adapters.wiring import as_principal, open_governor, open_ledger
from support.allowed import allowed
from support.command import Shell

PROMPT = "a red seven on a blue background"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with an installation in `inst` and a file that it released."""
    folder = tmp_path_factory.mktemp("installed")
    settings = Settings.load(home=folder / "inst")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        initialise(settings)
        allowed(settings, EXAMPLE_MODEL, name="painted", licence="CC0-1.0")
        governor = open_governor(settings)
    (item,) = governor.generate(example_request(id="example"), FakePipeline()).items
    item.asset.save(folder / "released.png", receipt=True)
    governor.parts.ledger.close()
    return folder


@pytest.fixture
def folder(installed, tmp_path):
    copy = tmp_path / "folder"
    shutil.copytree(installed, copy)
    return copy


@pytest.fixture
def shell(folder):
    return Shell(folder, folder / "inst")


class FreeShell(Shell):
    """A shell that sets no home."""

    def _variables(self):
        return dict(self.variables)


class TestWhoseWordVerifyTakes:
    def authority(self, folder):
        log = KeyFolder(folder / "inst" / "keys").log_public()
        root = folder / "inst" / "keys" / "c2pa-roots.pem"
        return {
            "home": str(folder / "inst"),
            "ledger": str(folder / "inst" / "ledger.sqlite3"),
            "log_key": {"name": log.name, "id": log.id.hex()},
            "c2pa_root": {"file": str(root), "sha256": hashlib.sha256(root.read_bytes()).hexdigest()},
        }

    def test_it_names_home_ledger_log_key_and_root(self, folder, shell):
        expected = self.authority(folder)
        ran = shell("verify", "released.png").succeeded()
        last = ran.out.splitlines()[-1]
        assert last.split()[:2] == ["judged", "by"]
        key, root = expected["log_key"], expected["c2pa_root"]
        for word in (expected["home"], expected["ledger"], f"{key['name']}+{key['id']}", *root.values()):
            assert word in last
        assert "governance.toml" not in ran.out
        judged_by = shell("verify", "released.png", "--json").succeeded().json["judged_by"]
        assert judged_by == {**expected, "settings": "the environment and the defaults"}

    @pytest.mark.parametrize("line", ['home = "inst"', 'keys = "inst/keys"', 'trust_root = "inst/keys/c2pa-roots.pem"'])
    def test_it_says_that_the_folder_chose_whom_to_believe(self, folder, line):
        (folder / "governance.toml").write_text(f"{line}\n")
        name = line.split()[0]
        others = {"HOME": "inst", "LEDGER": "inst/ledger.sqlite3"} if name != "home" else {}
        shell = FreeShell(folder, folder, {f"GOVERNANCE_{key}": value for key, value in others.items()})
        ran = shell("verify", "released.png").succeeded()
        warning = ran.out.splitlines()[-2]
        assert "governance.toml in this folder" in warning
        assert f"chose: {name}." in warning
        ran = shell("verify", "released.png", "--json").succeeded()
        assert ran.json["judged_by"]["settings"] == "governance.toml in this folder"

    def test_a_variable_wins_over_the_folder(self, folder, shell):
        (folder / "governance.toml").write_text('home = "elsewhere"\nprincipal = "designer@example.org"\n')
        ran = shell("verify", "released.png", "--json").succeeded()
        assert ran.json["judged_by"]["settings"] == "the environment and the defaults"

    def test_a_stranger_is_told_key_and_root(self, folder, shell):
        keys = folder / "inst" / "keys"
        stranger = ("--root", keys / "c2pa-roots.pem", "--log-key", keys / "log-key.pub")
        judged_by = shell("verify", "released.png", *stranger, "--json").succeeded().json["judged_by"]
        expected = {**self.authority(folder), "home": None, "ledger": None, "settings": "the command line"}
        assert judged_by == expected
        last = shell("verify", "released.png", *stranger).succeeded().out.splitlines()[-1]
        assert "no installation" in last
        assert expected["c2pa_root"]["sha256"] in last

    def test_json_says_what_went_wrong(self, folder, shell):
        ran = shell("verify", "none.png", "--json")
        assert (ran.code, ran.json["exit_code"], ran.json["error"]) == (2, 2, "StorageError")
        assert ran.json["file"] == "none.png"
        assert "none.png cannot be read" in ran.json["message"]
        receipt_path(folder / "released.png").write_text("{}")
        ran = shell("verify", "released.png", "--json")
        assert (ran.code, ran.json["exit_code"], ran.json["error"]) == (1, 1, "ProofError")
        ran = Shell(folder, folder / "none")("verify", "released.png", "--json")
        assert (ran.code, ran.json["exit_code"], ran.json["error"]) == (2, 2, "ConfigurationError")


class TestLedgerShow:
    def test_json_has_every_document_of_every_entry(self, folder, shell):
        ledger = open_ledger(Settings.load(home=folder / "inst"))
        *_, (_, intent), (_, released) = ledger.entries()
        shown = shell("ledger", "show", released.subject, "--json").succeeded().json
        (alone,) = shell("ledger", "show", released.id, "--json").succeeded().json
        assert alone == shown[1]
        for entry, document in zip((intent, released), shown, strict=True):
            wanted = (entry.body["decision"]["input"], intent.body["model"], intent.body["call"])
            expected = [json.loads(ledger.document(digest)) for digest in wanted]
            assert [document["documents"][name] for name in ("policy_input", "model", "call")] == expected
        call, model = shown[1]["documents"]["call"], shown[1]["documents"]["model"]
        assert (call["seeds"], call["steps"]) == (["123"], 30)
        assert model["components"] == dict(EXAMPLE_MODEL.components)
        personal, redacted = shown[1]["personal"], json.dumps(shown[1]["documents"])
        assert personal["/prompts/0"]["text"] == PROMPT
        assert PROMPT not in redacted
        assert "designer@example.org" not in redacted

    def test_the_text_answers_who_why_and_what_made_it(self, folder, shell):
        out = shell("ledger", "show", self.generation(folder)).succeeded().out
        first = out.split("4 released")[0]
        sections = [line.strip() for line in first.splitlines() if line.startswith("  ") and line[2] != " "]
        assert sections == ["personal", "decision", "recorded", "policy input", "model", "call"]
        assert f"/prompts/0     {PROMPT} (prompt)" in first
        for line in ("seeds", "floats.guidance_scale", *(f"components.{name}" for name in EXAMPLE_MODEL.components)):
            assert f"\n    {line} " in first
        second = out.split("4 released")[1]
        assert "nsfw nsfw" in second
        assert "asset.digest" in second
        assert "as in" in second  # the model and the call of the intent are not said twice

    def test_an_outcome_alone_tells_what_made_it(self, folder, shell):
        *_, (_, released) = open_ledger(Settings.load(home=folder / "inst")).entries()
        out = shell("ledger", "show", released.id).succeeded().out
        assert "components.unet" in out
        assert "seeds" in out

    def test_a_prompt_that_drives_the_terminal_is_shown_and_not_obeyed(self, folder, shell):
        settings = Settings.load(home=folder / "inst")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureKeyWarning)
            governor = open_governor(settings)
        driving = (Prompt("red \u202eseven"),)
        result = governor.generate(example_request(id="driving", prompts=driving), FakePipeline())
        governor.parts.ledger.close()
        out = shell("ledger", "show", result.generation_id).succeeded().out
        assert "\u202e" not in out
        assert r"red \u202eseven" in out

    @staticmethod
    def generation(folder):
        *_, (_, released) = open_ledger(Settings.load(home=folder / "inst")).entries()
        return released.subject


class TestRemediesLeadSomewhere:
    def expire(self, folder):
        keys = folder / "inst" / "keys"
        then = datetime.now(UTC) - timedelta(days=400)
        old = InsecureDevelopmentAuthority(then).issue()
        (keys / "c2pa-chain.pem").write_bytes(old.chain)
        (keys / "c2pa-key.pem").write_bytes(old.private_key)
        (keys / "c2pa-roots.pem").write_bytes(old.root)

    def finding(self, shell, part):
        ran = shell("doctor", "--json")
        return next(finding for finding in ran.json if finding["part"] == part)

    def test_an_expired_certificate_is_renewed_and_the_log_goes_on(self, folder, shell):
        self.expire(folder)
        signer = self.finding(shell, "signer")
        assert not signer["sound"]
        assert "governance keys renew" in signer["detail"]
        before = {file.name: file.read_bytes() for file in (folder / "inst" / "keys").iterdir()}
        ran = shell("keys", "renew").succeeded()
        assert "INSECURE" in ran.err
        after = {file.name: file.read_bytes() for file in (folder / "inst" / "keys").iterdir()}
        changed = {name for name in before if after[name] != before[name]}
        assert changed == {"c2pa-roots.pem", "c2pa-chain.pem", "c2pa-key.pem"}
        assert self.finding(shell, "signer")["sound"]
        assert self.finding(shell, "ledger")["sound"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureKeyWarning)
            governor = open_governor(Settings.load(home=folder / "inst"))
        (item,) = governor.generate(example_request(id="afterwards"), FakePipeline()).items
        governor.parts.ledger.close()
        item.asset.save(folder / "afterwards.png", receipt=True)
        shell("verify", "afterwards.png").succeeded()

    def test_files_released_before_a_renewal_still_verify(self, shell):
        made = shell("keys", "renew", "--json").succeeded().json
        assert set(made) == {"folder", "valid_until", "C2PA_root"}
        shell("verify", "released.png").succeeded()

    def test_credentials_of_your_own_are_not_renewed(self, folder):
        own = {"GOVERNANCE_CERTIFICATE": "chain.pem", "GOVERNANCE_PRIVATE_KEY": "key.pem"}
        Shell(folder, folder / "inst", own)("keys", "renew").failed(1, "does not sign here")

    def test_a_trust_root_of_your_own_is_named(self, folder):
        shell = Shell(folder, folder / "inst", {"GOVERNANCE_TRUST_ROOT": "published.pem"})
        assert "Add the new root to published.pem" in shell("keys", "renew").succeeded().err

    def test_the_doctor_says_what_an_expiry_does(self, folder, shell):
        detail = self.finding(shell, "signer")["detail"]
        assert "valid for 364 more days" in detail
        assert "INVALID" in detail
        stamped = Shell(folder, folder / "inst", {"GOVERNANCE_TSA_URL": "http://tsa.example.org"})
        assert "INVALID" not in self.finding(stamped, "signer")["detail"]

    def test_the_doctor_names_every_part_that_it_tries(self, shell):
        text = " ".join(shell("doctor", "--help").succeeded().out.split())
        for finding in shell("doctor", "--json").json:
            assert finding["part"] in text

    def test_a_lost_ledger_is_never_replaced_silently(self, folder, shell, tmp_path):
        ledger = folder / "inst" / "ledger.sqlite3"
        shutil.move(ledger, tmp_path / "away")
        with pytest.raises(ConfigurationError, match=r"is missing.*backup.*start a new log"):
            open_governor(Settings.load(home=folder / "inst"))
        shell("init").failed(1, "is missing", "start a new log", "GOVERNANCE_HOME")
        assert not ledger.exists()
        shutil.move(tmp_path / "away", ledger)
        shell("init").succeeded()

    def test_lost_keys_are_never_replaced_silently(self, folder, shell, tmp_path):
        keys = folder / "inst" / "keys"
        shutil.move(keys, tmp_path / "away")
        shell("init").failed(1, "no other keys open this ledger", "backup")
        assert not keys.exists()

    def test_a_ledger_that_never_was_is_made(self, tmp_path):
        shell = Shell(tmp_path, tmp_path / "new")
        shell("keys", "init").succeeded()
        shell("ledger", "list").failed(1, "is missing", "If there never was one, run `governance init`")
        made = shell("init", "--json").succeeded().json["made"]
        assert str(tmp_path / "new" / "ledger.sqlite3") in made
        shell("ledger", "list").succeeded()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("place")


TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)


class TestSettings:
    @given(principal=TEXT, roles=st.lists(TEXT, max_size=3), purpose=TEXT)
    def test_what_init_writes_reads_back(self, place, principal, roles, purpose):
        written = {"principal": principal, "roles": roles, "purpose": purpose}
        content = to_toml(written)
        assert tomllib.loads(content.decode()) == written
        (place / "governance.toml").write_bytes(content)
        with chdir(place):
            read = Settings.load()
        assert (read.principal, list(read.roles), read.purpose) == (principal, roles, purpose)

    def test_init_takes_any_character_and_the_next_command_reads_it(self, tmp_path):
        shell = Shell(tmp_path, tmp_path / "home")
        shell("init", "--principal", "\U0001f600@example.org", "--purpose", 'a "quote" \\ \x7f').succeeded()
        shell("ledger", "list").succeeded()
        with chdir(tmp_path):
            assert Settings.load().principal == "\U0001f600@example.org"

    def test_bytes_that_are_no_text_are_refused_before_anything_is_made(self, tmp_path):
        Shell(tmp_path, tmp_path / "home")("init", "--principal", "\udcff").failed(1, "not UTF-8")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("spelt", "meant"),
        [("TRUSTROOT", "TRUST_ROOT"), ("TSA_URI", "TSA_URL"), ("HOMEDIR", "HOME"), ("trustroot", "TRUST_ROOT")],
    )
    def test_a_misspelt_variable_is_refused(self, folder, spelt, meant):
        shell = Shell(folder, folder / "inst", {PREFIX + spelt: "x"})
        shell("ledger", "list").failed(1, f"{PREFIX}{spelt} is no setting", f"{PREFIX}{meant} is the nearest")

    def test_the_variables_of_the_tests_are_no_settings(self, folder):
        shell = Shell(folder, folder / "inst", {"GOVERNANCE_REQUIRE": "", "GOVERNANCE_TEST_VECTORS": ""})
        shell("ledger", "list").succeeded()

    def test_every_setting_may_come_from_the_environment(self, folder):
        values = dict.fromkeys(("PRINCIPAL", "PURPOSE", "SYSTEM", "VAULT"), "x") | {
            "ROLES": '["x"]',
            "THREADS": "2",
        }
        shell = Shell(folder, folder / "inst", {f"{PREFIX}{name}": value for name, value in values.items()})
        shell("ledger", "list").succeeded()

    def test_what_the_folder_decides(self, tmp_path):
        (tmp_path / "governance.toml").write_text('home = "x"\npurpose = "y"\n')
        with chdir(tmp_path):
            assert set(TomlConfigSettingsSource(Settings)()) == {"home", "purpose"}
            assert Settings.from_folder() == {"home", "purpose"}


class TestWhoAsks:
    SETTINGS = Settings.load(principal="designer@example.org", roles=("designer",))

    def test_the_settings_say_who_asks_and_in_which_roles(self):
        assert as_principal(None, None, self.SETTINGS) == Principal("designer@example.org", ("designer",))

    def test_somebody_else_does_not_get_the_roles_of_the_settings(self):
        assert as_principal("guest@example.org", None, self.SETTINGS) == Principal("guest@example.org", ())

    def test_roles_that_are_given_count(self):
        assert as_principal("guest@example.org", ["visitor"], self.SETTINGS).roles == ("visitor",)
        assert as_principal(None, ("editor",), self.SETTINGS).roles == ("editor",)
        assert as_principal(None, (), self.SETTINGS).roles == ()

    def test_one_word_is_not_a_list_of_letters(self):
        with pytest.raises(ConfigurationError, match=r"roles=\('designer',\)"):
            as_principal("designer@example.org", "designer", self.SETTINGS)

    def test_a_principal_has_its_own_roles(self):
        given_one = Principal("designer@example.org", ("designer",), issuer="sso")
        assert as_principal(given_one, None, self.SETTINGS) is given_one
        with pytest.raises(ConfigurationError, match="has its roles"):
            as_principal(given_one, ("admin",), self.SETTINGS)

    @pytest.mark.parametrize("nobody", [None, ""])
    def test_nobody_asks(self, nobody):
        with pytest.raises(ConfigurationError, match="Nobody asks"):
            as_principal(nobody, None, Settings.load())

    def test_a_principal_on_the_command_line_does_not_inherit_roles_either(self, folder):
        settings = {"GOVERNANCE_PRINCIPAL": "a@example.org", "GOVERNANCE_ROLES": '["designer"]'}
        shell = Shell(folder, folder / "inst", {**settings, "GOVERNANCE_PURPOSE": "marketing"})
        ran = shell("generate", PROMPT, "-o", "x.png", "--principal", "guest@example.org")
        assert ran.code == 3, ran
        assert not (folder / "x.png").exists()
