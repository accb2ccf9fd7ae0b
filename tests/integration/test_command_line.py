"""The `governance` command from outside: what it says, what it leaves behind, and with which exit code it ends."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from governance.canonical import digest
from governance.checkpoint import LogKey, verify_receipt
from governance.entries import EntryKind, Receipt
from governance.testing.example_records import intent_record
from governance_adapters.marking.keys import KeyFolder
from governance_adapters.settings import Settings
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.wiring import open_governor, open_ledger
from support.accounts import balanced
from support.command import Shell
from support.nursery import environment
from support.tiny import stable_diffusion

PROMPT = "a red seven on a blue background"
HIDDEN = "a red seven on a c.0.u.n.t.e.r.f.e.1.t b a n k n o t e"
QUESTIONS = ["manifest", "metadata", "watermark", "attribution", "entry", "inclusion proof", "recall"]

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")


def fresh(folder: Path) -> Shell:
    """A working folder, and a home that does not exist yet."""
    folder.mkdir(exist_ok=True)
    return Shell(folder, folder / "home")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny pipeline of random weights, saved: it paints noise of 256 x 256."""
    folder = tmp_path_factory.mktemp("model")
    stable_diffusion(folder, side=256).save_pretrained(folder / "tiny")
    return folder / "tiny"


@pytest.fixture(scope="module")
def released(model, tmp_path_factory):
    """An installation that allows the tiny model and has released `seven.png` with it."""
    shell = fresh(tmp_path_factory.mktemp("released"))
    shell("init").succeeded()
    shell("policy", "allow-model", model, "--licence", "CC0-1.0").succeeded()
    shell("generate", PROMPT, "-o", "seven.png", "--model", model, "--steps", 1).succeeded()
    return shell


@pytest.fixture
def shell(released, tmp_path):
    """A copy of `released` that a test may spoil."""
    shutil.copytree(released.folder, tmp_path / "copy")
    return Shell(tmp_path / "copy", tmp_path / "copy" / "home")


def generate(shell, model, *more):
    return shell("generate", "-o", "new.png", "--model", model, "--steps", 1, *(more or (PROMPT,)))


def picture(file):
    with Image.open(file) as opened:
        return np.asarray(opened, np.int16)


def settings_of(shell):
    return Settings.load(home=shell.home)


def kinds(shell):
    found = [entry.kind for _, entry in open_ledger(settings_of(shell)).entries(limit=1000)]
    return [kind for kind in found if kind is not EntryKind.REGISTER]


def contents(folder):
    """Every file but those that a reader of SQLite makes beside a database."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in found if not path.name.endswith(("-shm", "-wal"))}


class TestInit:
    def test_makes_an_installation_and_leaves_it_alone_afterwards(self, tmp_path):
        shell = fresh(tmp_path)
        first = shell("init", "--principal", "editor@example.org", "--role", "editor", "--json").succeeded()
        made = {Path(path).name for path in first.json["made"]}
        assert made == {"policies", "keys", "ledger.sqlite3", "works.sqlite3", "governance.toml"}
        before = contents(tmp_path)
        again = shell("init").succeeded()
        assert "everything was there already" in again.out
        assert contents(tmp_path) == before
        assert 'principal = "editor@example.org"' in (tmp_path / "governance.toml").read_text()

    def test_says_that_the_keys_are_insecure(self, tmp_path):
        shell = fresh(tmp_path)
        assert "INSECURE" in shell("init").succeeded().err
        assert "INSECURE" in shell("keys", "show").succeeded().out

    def test_a_home_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").write_text("")
        Shell(tmp_path, tmp_path / "file" / "home")("init").failed(1, "GOVERNANCE_HOME")

    def test_everything_else_says_to_init_first(self, tmp_path):
        shell = fresh(tmp_path)
        for words in (
            ("keys", "show"), ("policy", "check"), ("ledger", "list"), ("ledger", "verify"), ("ledger", "prove", "x"),
            ("generate", PROMPT, "-o", "x.png"),
        ):  # fmt: skip
            shell(*words).failed(1, "governance ", "init")
        assert shell("doctor").code == 1
        assert not shell.home.exists()


class TestKeys:
    def test_init_makes_all_of_them_once(self, tmp_path):
        shell = fresh(tmp_path)
        made = shell("keys", "init", "--json").succeeded()
        shown = shell("keys", "show", "--json").succeeded()
        assert made.json == shown.json
        assert LogKey.parse(shown.json["log_key"]) == KeyFolder(shell.home / "keys").log_public()
        assert Path(shown.json["C2PA_root"]).read_bytes().startswith(b"-----BEGIN CERTIFICATE")
        shell("keys", "init").failed(1, "never overwritten")
        assert shell("keys", "show", "--json").json == shown.json

    def test_show_tells_no_secret(self, tmp_path):
        shell = fresh(tmp_path)
        shell("keys", "init").succeeded()
        said = shell("keys", "show").succeeded().out + shell("keys", "show", "--json").out
        for name in ("watermark-key.hex", "quarantine-key.hex"):
            assert (shell.home / "keys" / name).read_text().strip() not in said
        assert "PRIVATE" not in said


class TestPolicy:
    def test_check(self, shell):
        assert "The bundle is sound." in shell("policy", "check").succeeded().out
        checked = shell("policy", "check", "--json").succeeded().json
        assert checked["sound"] is True
        assert len(checked["revision"]) == 64

    def test_allowing_a_model_makes_one_new_revision(self, tmp_path, model):
        shell = fresh(tmp_path)
        shell("init").succeeded()
        before = shell("policy", "check", "--json").json["revision"]
        first = shell("policy", "allow-model", model, "--json").succeeded().json
        assert first["before"] == before != first["revision"]
        assert set(first["components"]) == {"unet", "vae", "text_encoder", "tokenizer"}
        second = shell("policy", "allow-model", model, "--json").succeeded().json
        assert second["before"] == second["revision"] == first["revision"]
        assert shell("policy", "check", "--json").json["revision"] == first["revision"]

    def test_weights_in_another_dtype_are_another_model(self, shell, model):
        allowed = shell("policy", "allow-model", model, "--json").succeeded().json
        other = shell("policy", "allow-model", model, "--dtype", "bfloat16", "--json").succeeded().json
        assert other["components"]["unet"] != allowed["components"]["unet"]
        shell("policy", "allow-model", model, "--dtype", "float8").failed(1, "float32")

    def test_a_folder_without_a_pipeline(self, shell, tmp_path):
        shell("policy", "allow-model", tmp_path).failed(1, "model_index.json")
        shell("policy", "allow-model", tmp_path / "nowhere").failed(1, "model_index.json")


class TestGenerate:
    def test_leaves_the_signed_file_and_its_receipt(self, shell):
        content = (shell.folder / "seven.png").read_bytes()
        receipt = Receipt.from_json((shell.folder / "seven.png.receipt.json").read_text())
        entry = verify_receipt(receipt, KeyFolder(shell.home / "keys").log_public())
        assert entry.kind is EntryKind.RELEASED
        assert entry.body["asset"]["digest"] == digest(content)
        assert picture(shell.folder / "seven.png").shape == (256, 256, 3)
        assert sorted(path.name for path in shell.folder.iterdir()) == [
            "governance.toml", "home", "seven.png", "seven.png.receipt.json",
        ]  # fmt: skip

    def test_the_same_request_id_gives_the_same_file(self, shell, model):
        first = generate(shell, model, PROMPT, "--request-id", "order-1", "--json").succeeded().json
        content = (shell.folder / "new.png").read_bytes()
        assert first["digest"] == digest(content)
        again = generate(shell, model, PROMPT, "--request-id", "order-1", "--json").succeeded().json
        assert again["asset"] == first["asset"]
        assert (shell.folder / "new.png").read_bytes() == content
        generate(shell, model, "a green zero", "--request-id", "order-1").failed(1, "order-1", "fresh request id")

    def test_the_same_seed_paints_the_same_picture(self, shell, model):
        pictures = []
        for _ in range(2):
            generate(shell, model, PROMPT, "--seed", 7, "--no-receipt").succeeded()
            pictures.append(picture(shell.folder / "new.png"))
        assert np.abs(pictures[0] - pictures[1]).max() < 32  # the marks differ, the paintings do not
        assert not (shell.folder / "new.png.receipt.json").exists()

    def test_a_denied_prompt(self, shell, model):
        ran = generate(shell, model, HIDDEN).failed(3, "Policy denied", "prompt.blocked")
        assert HIDDEN not in ran.err
        assert not (shell.folder / "new.png").exists()
        assert kinds(shell)[-1] is EntryKind.DENIED
        said = generate(shell, model, HIDDEN, "--json")
        assert said.code == said.json["exit_code"] == 3

    def test_a_model_that_nobody_allowed(self, shell, tmp_path):
        stable_diffusion(tmp_path, seed=1, side=256).save_pretrained(tmp_path / "other")
        generate(shell, tmp_path / "other").failed(3, "model")
        assert kinds(shell)[-1] is EntryKind.DENIED

    def test_a_draft_that_a_person_must_see(self, shell, model):
        data = shell.home / "policies" / "data.json"
        changed = json.loads(data.read_text())
        changed["thresholds"]["nsfw"] = {"review": 0, "deny": 1_000_000}
        data.write_text(json.dumps(changed))
        generate(shell, model).failed(4, "holds this for a person")
        assert not (shell.folder / "new.png").exists()
        assert kinds(shell)[-1] is EntryKind.HELD
        (sealed,) = (shell.home / "quarantine").glob("*.sealed")
        assert b"PNG" not in sealed.read_bytes()[:64]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((PROMPT, "--steps", 0), "num_inference_steps"),
            ((PROMPT, "--steps", -5), "num_inference_steps"),
            ((PROMPT, "--seed", -1), "seed"),
            ((PROMPT, "--seed", 2**64), "seed"),
            ((PROMPT, "--request-id", "a\nb"), "request id"),
            ((PROMPT, "--principal", "x" * 300), "principal"),
            (("lone \udcff byte",), "Unicode"),
        ],
    )
    def test_what_makes_no_sense_is_said_and_recorded(self, shell, model, words, said):
        generate(shell, model, *words).failed(1, said)
        assert kinds(shell)[-1] is EntryKind.FAILED
        assert not (shell.folder / "new.png").exists()

    def test_a_folder_that_is_not_there(self, shell, model):
        before = kinds(shell)
        shell("generate", PROMPT, "-o", "nowhere/x.png", "--model", model).failed(1, "Make it first")
        assert kinds(shell) == before

    def test_no_model_at_all(self, shell):
        generate(shell, shell.folder / "nowhere").failed(1, "does not load")

    def test_nobody_asks(self, shell, model):
        (shell.folder / "governance.toml").unlink()
        generate(shell, model).failed(1, "GOVERNANCE_PRINCIPAL")

    def test_without_the_libraries_that_generate(self, shell):
        script = (
            "import sys; sys.modules['torch'] = sys.modules['diffusers'] = None\n"
            "from governance_adapters.cli import main; main(sys.argv[1:])"
        )
        command = [sys.executable, "-c", script, "generate", PROMPT, "-o", "new.png", "--model", "anything"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **shell.place())
        assert done.returncode == 1
        assert "pip install" in done.stderr
        assert "Traceback" not in done.stderr

    def test_ctrl_c(self, shell, model):
        before = len(kinds(shell))
        running = shell.start("generate", PROMPT, "-o", "new.png", "--model", model, "--steps", 100)
        while len(kinds(shell)) == before:  # until the intent is written: it is generating now
            assert running.poll() is None, running.stderr.read()
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
        assert running.returncode == 130, err
        assert "Traceback" not in err
        assert err.splitlines()[-1].startswith("interrupted")
        assert not (shell.folder / "new.png").exists()
        assert kinds(shell)[before:] == [EntryKind.INTENT, EntryKind.FAILED]
        governor = open_governor(settings_of(shell))
        balanced(settings_of(shell), governor.parts)
        governor.parts.ledger.close()


class TestVerify:
    def test_a_released_file_holds_line_by_line(self, released):
        ran = released("verify", "seven.png").succeeded()
        lines = ran.out.splitlines()
        assert lines[0] == "seven.png"
        assert [line[2:18].strip() for line in lines[1:]] == [*QUESTIONS, "judged by"]
        assert {line[18:34].strip() for line in lines[1:-1]} == {"holds"}
        assert str(released.home) in lines[-1]

    def test_for_programs(self, released):
        told = released("verify", "seven.png", "--json").succeeded().json
        assert told["exit_code"] == 0
        assert [check["name"] for check in told["checks"]] == QUESTIONS

    def test_one_changed_byte(self, shell):
        file = shell.folder / "seven.png"
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        ran = shell("verify", "seven.png", "--json")
        assert ran.code == ran.json["exit_code"] == 1

    @pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n" + b"\0" * 100])
    def test_no_picture(self, shell, content):
        (shell.folder / "other.png").write_bytes(content)
        assert shell("verify", "other.png").code == 1

    def test_what_cannot_be_checked(self, shell):
        shell("verify", "nowhere.png").failed(2, "could not check")
        shell("verify", ".").failed(2, "could not check")
        (shell.folder / "seven.png.receipt.json").write_text("{}")
        shell("verify", "seven.png").failed(1, "not a receipt")
        (shell.home / "keys" / "watermark-key.hex").unlink()
        (shell.folder / "seven.png.receipt.json").unlink()
        shell("verify", "seven.png").failed(2, "watermark-key.hex")

    def stranger(self, released, folder):
        """An empty folder with what a stranger is given: file, receipt, C2PA root and log key."""
        folder.mkdir()
        for name in ("seven.png", "seven.png.receipt.json"):
            shutil.copy(released.folder / name, folder)
        shown = released("keys", "show", "--json").succeeded().json
        shutil.copy(shown["C2PA_root"], folder / "root.pem")
        (folder / "log.pub").write_text(shown["log_key"] + "\n")
        return Shell(folder, folder / "nowhere" / "at" / "all")

    def test_a_stranger_in_an_empty_folder(self, released, tmp_path):
        stranger = self.stranger(released, tmp_path / "empty")
        ran = stranger.process("verify", "seven.png", "--root", "root.pem", "--log-key", "log.pub", "--json")
        statuses = {check["name"]: check["status"] for check in ran.succeeded().json["checks"]}
        assert statuses == dict.fromkeys(QUESTIONS, "holds") | {
            "watermark": "not checked",
            "attribution": "not checked",
            "recall": "not checked",
        }
        assert ran.err == ""
        assert sorted(path.name for path in stranger.folder.iterdir()) == [
            "log.pub", "root.pem", "seven.png", "seven.png.receipt.json",
        ]  # fmt: skip

    def test_a_stranger_who_is_cheated(self, released, tmp_path):
        stranger = self.stranger(released, tmp_path / "empty")
        words = ("--root", "root.pem", "--log-key", "log.pub")
        assert stranger("verify", "seven.png", *words).code == 0
        (stranger.folder / "seven.png.receipt.json").rename(stranger.folder / "elsewhere.json")
        assert stranger("verify", "seven.png", *words).code == 2
        assert stranger("verify", "seven.png", "--receipt", "elsewhere.json", *words).code == 0
        receipt = json.loads((stranger.folder / "elsewhere.json").read_text())
        receipt["index"] += 1
        (stranger.folder / "elsewhere.json").write_text(json.dumps(receipt))
        assert stranger("verify", "seven.png", "--receipt", "elsewhere.json", *words).code == 1
        other = fresh(tmp_path / "other")
        shown = other("keys", "init", "--json").succeeded().json
        told = stranger("verify", "seven.png", "--root", shown["C2PA_root"], "--log-key", "log.pub", "--json")
        assert told.code == 1
        assert "Untrusted" in told.json["checks"][0]["detail"]

    def test_a_stranger_needs_both_keys(self, released, tmp_path):
        stranger = self.stranger(released, tmp_path / "empty")
        stranger("verify", "seven.png", "--root", "root.pem").failed(2, "--log-key")
        stranger("verify", "seven.png", "--root", "root.pem", "--log-key", "nonsense").failed(2, "public key of a log")
        stranger("verify", "seven.png", "--root", "nowhere.pem", "--log-key", "log.pub").failed(2, "nowhere.pem")


class TestLedger:
    def test_list(self, shell, model):
        generate(shell, model, HIDDEN)
        listed = shell("ledger", "list", "--json").succeeded().json
        kinds = ["register", "register", "policy", "intent", "released", "denied"]
        assert [item["kind"] for item in listed] == kinds
        assert [item["index"] for item in listed] == [0, 1, 2, 3, 4, 5]
        text = shell("ledger", "list").succeeded().out
        assert all(item["id"] in text for item in listed)
        assert "prompt.blocked_term" in text
        (only,) = shell("ledger", "list", "--kind", "denied", "--json").succeeded().json
        assert only == listed[5]
        assert shell("ledger", "list", "--after", 0, "--limit", 1, "--json").succeeded().json == listed[1:2]
        assert shell("ledger", "list", "--generation", listed[3]["subject"], "--json").json == listed[3:5]
        assert shell("ledger", "list", "--limit", 0).code == 2

    def test_show(self, shell):
        _, _, policy, first, second = shell("ledger", "list", "--json").json
        assert policy["kind"] == "policy"
        (shown,) = shell("ledger", "show", first["id"], "--json").succeeded().json
        assert PROMPT in json.dumps(shown["personal"])
        assert PROMPT not in json.dumps(shown["body"])
        generation = shell("ledger", "show", first["subject"], "--json").succeeded().json
        assert [item["id"] for item in generation] == [first["id"], second["id"]]
        assert PROMPT in shell("ledger", "show", first["subject"]).succeeded().out
        shell("ledger", "show", "nothing").failed(1, "nothing")

    def test_verify(self, shell):
        assert "5 entries, verified" in shell("ledger", "verify").succeeded().out
        told = shell("ledger", "verify", "--json").succeeded().json
        assert (told["entries"], told["sound"], told["problems"]) == (5, True, [])

    def test_verify_names_a_clock_that_jumped_back(self, shell):
        assert shell("ledger", "verify", "--json").succeeded().json["clock"] == []
        with SqliteLedger.open(shell.home / "ledger.sqlite3", KeyFolder(shell.home / "keys").log()) as ledger:
            record = intent_record("g")
            index = ledger.append(replace(record, entry=replace(record.entry, time="2020-01-01T00:00:00.000Z"))).index
        told = shell("ledger", "verify", "--json").succeeded().json  # no fault of the log
        (jump,) = told["clock"]
        assert f"entry {index} " in jump
        assert "jumped back" in shell("ledger", "verify").succeeded().out

    def test_doctor_names_entries_from_the_future(self, shell):
        with SqliteLedger.open(shell.home / "ledger.sqlite3", KeyFolder(shell.home / "keys").log()) as ledger:
            record = intent_record("g")
            ledger.append(replace(record, entry=replace(record.entry, time="2999-01-01T00:00:00.000Z")))
        said = {part["part"]: part for part in shell("doctor", "--json").json}["ledger"]
        assert not said["sound"]
        assert "future" in said["detail"]

    def test_verify_notices_a_changed_row(self, shell):
        database = sqlite3.connect(shell.home / "ledger.sqlite3")
        database.execute("UPDATE entry SET kind = 'denied' WHERE kind = 'released'")
        database.commit()
        database.close()
        told = shell("ledger", "verify", "--json")
        assert told.code == 1
        assert told.json["sound"] is False
        assert told.json["problems"]
        assert "problems" in shell("ledger", "verify").out

    def test_usage(self, shell):
        day = shell("ledger", "list", "--kind", "intent", "--json").json[0]["time"][:10]
        told = shell("ledger", "usage", "--day", day, "--json").succeeded().json
        spent = {"images": 1, "steps": 1, "pixels": 65_536, "step_pixels": 65_536}
        assert told == {"principal": "designer@example.org", "day": day, **spent}
        assert "65536" in shell("ledger", "usage", "--day", day).succeeded().out
        nobody = shell("ledger", "usage", "--principal", "nobody@example.org", "--day", day, "--json").succeeded().json
        assert {nobody[name] for name in spent} == {0}
        assert shell("ledger", "usage", "--json").succeeded().json["principal"] == told["principal"]
        assert shell("ledger", "usage", "--day", "yesterday").code == 2

    def test_prove(self, shell):
        entry = shell("ledger", "list", "--kind", "released", "--json").json[0]
        receipt = Receipt.from_json(shell("ledger", "prove", entry["id"]).succeeded().out)
        assert verify_receipt(receipt, KeyFolder(shell.home / "keys").log_public()).id == entry["id"]
        (shell.folder / "seven.png.receipt.json").write_text(receipt.to_json())
        assert shell("verify", "seven.png").code == 0
        shell("ledger", "prove", "nothing").failed(1, "nothing")


class TestDoctor:
    PARTS = (
        "settings",
        "keys",
        "policy",
        "mode",
        "detectors",
        "watermark",
        "signer",
        "ledger",
        "works",
        "registers",
        "vault",
    )

    def findings(self, shell):
        ran = shell("doctor", "--json")
        findings = {finding["part"]: finding for finding in ran.json}
        assert ran.code == (0 if all(finding["sound"] for finding in findings.values()) else 1)
        return findings

    def test_a_sound_installation(self, shell):
        findings = self.findings(shell)
        assert [name for name in self.PARTS if not findings[name]["sound"]] == []
        assert set(findings) == {*self.PARTS, "model"}
        text = shell("doctor").out
        assert all(name in text for name in findings)

    def lose_key(self, home):
        (home / "keys" / "watermark-key.hex").unlink()

    def lose_certificate(self, home):
        (home / "keys" / "c2pa-chain.pem").write_text("no certificate")

    def break_bundle(self, home):
        (home / "policies" / "release" / "release.rego").write_text("package")

    def corrupt_ledger(self, home):
        (home / "ledger.sqlite3").write_bytes(b"garbage" * 1000)

    def lose_ledger(self, home):
        (home / "ledger.sqlite3").unlink()

    def block_vault(self, home):
        shutil.rmtree(home / "vault")
        (home / "vault").write_text("a file")

    @pytest.mark.parametrize(
        ("breaking", "parts", "remedy"),
        [
            (lose_key, {"keys", "watermark"}, "Restore"),
            (lose_certificate, {"keys", "signer"}, "governance keys"),
            (break_bundle, {"policy"}, "Mend the"),
            (corrupt_ledger, {"ledger", "works", "registers", "vault"}, "restore it from a backup"),
            (lose_ledger, {"ledger", "works", "registers", "vault"}, "governance init"),
            (block_vault, {"vault"}, "vault"),
        ],
    )
    def test_names_the_broken_part_and_its_remedy(self, shell, breaking, parts, remedy):
        sound = self.findings(shell)
        breaking(self, shell.home)
        findings = self.findings(shell)
        broken = {name for name, finding in findings.items() if not finding["sound"]}
        assert broken - parts == {name for name, finding in sound.items() if not finding["sound"]}
        assert parts <= broken
        assert all(remedy in findings[name]["detail"] for name in parts)

    def test_an_empty_list_of_detectors_is_no_soundness(self, shell):
        with (shell.folder / "governance.toml").open("a") as toml:
            toml.write("detectors = []\n")
        assert "detectors" in {name for name, finding in self.findings(shell).items() if not finding["sound"]}


class TestSettings:
    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("principl = 'x'", ("principl", "governance.toml")),
            ("threads = 0", ("threads",)),
            ("threads = 'many'", ("threads",)),
            ("watermark = 'none'", ("watermark", "tiled")),
            ("detectors = ['nsfw', 'luck']", ("detectors", "nsfw")),
            ("this is no toml", ("governance.toml",)),
        ],
    )
    def test_what_cannot_be_used_is_named(self, shell, line, words):
        (shell.folder / "governance.toml").write_text(line + "\n")
        for command in (("ledger", "list"), ("policy", "check"), ("generate", PROMPT, "-o", "x.png")):
            shell(*command).failed(1, *words)
        assert shell("doctor").code == 1

    def test_the_environment_comes_before_the_file(self, shell):
        (shell.folder / "governance.toml").write_text("keys = 'elsewhere'\n")
        shell("keys", "show").failed(1)
        variables = {"GOVERNANCE_KEYS": str(shell.home / "keys")}
        Shell(shell.folder, shell.home, variables)("keys", "show").succeeded()

    def test_half_a_certificate(self, shell, model):
        with (shell.folder / "governance.toml").open("a") as toml:
            toml.write(f"certificate = '{shell.home}/keys/c2pa-chain.pem'\n")
        generate(shell, model).failed(1, "`certificate` and `private_key`")


def test_no_command_shows_the_help():
    shell = Shell(Path.cwd(), Path("nowhere"))
    done = subprocess.run(shell.words(), capture_output=True, text=True, check=False, env=environment())
    assert done.returncode in (0, 2)
    for command in ("init", "demo", "generate", "verify", "doctor", "ledger", "policy", "keys"):
        assert command in done.stdout + done.stderr
