"""The README does what it says: its Python runs, its commands run or at least parse, its links lead somewhere."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import shutil
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from governance.errors import ModelError
from governance_adapters import govern, open_governor
from governance_adapters.marking.credentials import CallbackCredentials
from governance_adapters.reference import model_path
from support.markdown import DOCUMENTS, ROOT, anchor, blocks, command_lines, headings, links
from support.reader import governance, run
from support.real import missing

README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def weights() -> Path:
    """The reference model, which the README's examples run."""
    try:
        return model_path()
    except ModelError as error:
        missing("weights", f"the README's Python was not run: {error}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder in which `governance init` was run and nothing else."""
    made = tmp_path_factory.mktemp("readme")
    done = governance(made, "init")
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def ran(folder: Path, weights: Path) -> str:
    """What the README's Python prints, run in order in one namespace; test_readme_pipelines runs the rest of it."""
    shown = [block for block in blocks(README, "python") if "from_pretrained" not in block]
    done = run(folder, "-W", "ignore", "-c", "\n".join(shown))
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_like(output: str, shown: str) -> None:
    """`output` is what the README shows, where `...` stands for anything."""
    pattern = re.escape(shown.strip()).replace(re.escape("..."), ".*")
    assert re.search(pattern, output), f"the README shows\n{shown}\nthe command printed\n{output}"


def test_the_python_runs_and_prints_what_its_comments_say(ran: str) -> None:
    (comment,) = re.findall(r"print\(.*\) +# (\[.*\])", "\n".join(blocks(README, "python")))
    assert_like(ran, comment.replace(", ...]", "..."))


def test_the_saved_file_verifies_as_shown(ran: str, folder: Path) -> None:
    (block,) = blocks(README, "console")
    command, *shown = block.splitlines()
    done = governance(folder, *command.removeprefix("$ governance ").split())
    assert done.returncode == 0, done.stdout + done.stderr
    for line in shown:
        assert_like(done.stdout, line)


def test_a_stranger_verifies_with_file_receipt_root_and_log_key_alone(ran: str, folder: Path, tmp_path: Path) -> None:
    (line,) = (line for line in command_lines(README) if "--root" in line)
    for name in ("seven.png", "seven.png.receipt.json"):
        shutil.copy(folder / name, tmp_path)
    for name in ("c2pa-roots.pem", "log-key.pub"):
        shutil.copy(folder / "home" / "keys" / name, tmp_path)
    done = governance(tmp_path, *line.split()[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("not checked") == 3
    assert not (tmp_path / "home").exists()


def test_the_ledger_answers(ran: str, folder: Path) -> None:
    shown = [shlex.split(line)[1:] for line in command_lines(README) if line.startswith("governance ledger ")]
    assert [command[1] for command in shown] == ["list", "show", "search", "find", "verify", "prove", "checkpoint"]
    entries = json.loads(governance(folder, "ledger", "list", "--json").stdout)
    assert [entry["kind"] for entry in entries] == ["register", "policy", "intent", "released", "denied"]
    released = entries[3]
    named = {"GENERATION": released["subject"], "ENTRY": released["id"]}
    printed = {}
    for command in shown:
        done = governance(folder, *(named.get(word, word) for word in command))
        assert done.returncode == 0, done.stderr
        assert done.stdout
        printed[command[1]] = done.stdout
    assert all(released["id"] in printed[name] for name in ("search", "find"))


def test_the_file_is_made_again_as_shown(ran: str, folder: Path) -> None:
    (block,) = (block for block in blocks(README, "text") if block.startswith("$ governance replay"))
    command, *shown = block.splitlines()
    words = command.removeprefix("$ governance ").split()
    done = governance(folder, *words, "--no-record")
    assert done.returncode == 0, done.stdout + done.stderr
    assert shown[-1].split()[0] == "recorded"  # which would be one entry more for the tests above
    for line in shown[:-1]:
        assert_like(done.stdout, line)


def test_the_evidence_pack_verifies_as_the_readme_says(ran: str, folder: Path) -> None:
    (shown,) = (line for line in blocks(README, "text") if "verify.py" in line)
    assert shown.split() == ["python", "-I", "-S", "verify.py", "--key", "NAME+ID+BASE64"]
    entries = json.loads(governance(folder, "ledger", "list", "--kind", "released", "--json").stdout)
    done = governance(folder, "evidence", entries[0]["id"], "-o", "pack.zip", "--json")
    assert done.returncode == 0, done.stderr
    shutil.unpack_archive(folder / "pack.zip", folder / "pack")
    for key, code, verdict in (("log_key", 0, "verified"), (None, 3, "self-consistent")):
        given = [] if key is None else ["--key", json.loads(done.stdout)[key]]
        checked = run(folder / "pack", "-I", "-S", "verify.py", *given)
        assert (checked.returncode, checked.stdout.splitlines().count(f"verdict: {verdict}")) == (code, 1)


def test_the_callback_takes_what_the_readme_gives() -> None:
    (block,) = (block for block in blocks(README, "text") if "CallbackCredentials" in block)
    (given,) = re.findall(r"CallbackCredentials\((.+)\)", block)
    assert set(re.findall(r"(\w+)=", given)) == {field.name for field in fields(CallbackCredentials)}
    assert "credentials" in inspect.signature(open_governor).parameters
    assert "governor" in inspect.signature(govern).parameters


def test_init_makes_what_the_readme_says(folder: Path) -> None:
    assert (folder / "governance.toml").is_file()
    assert {path.name for path in (folder / "home").iterdir()} >= {"ledger.sqlite3", "keys", "policies"}
    done = governance(folder, "policy", "check")
    assert done.returncode == 0, done.stderr


def test_the_make_commands_are_targets() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make (\w+)", README, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_the_extras_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (listed,) = re.findall(r"Extras: ([^.]*)\.", README)
    assert set(re.findall(r"`(\w+)`", listed)) == set(project["optional-dependencies"])
    (installed,) = re.findall(r"pip install '\.\[(\w+)\]'", README)
    assert installed in project["optional-dependencies"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in links(document.read_text()):
        if link.startswith(("https://", "http://")):
            continue
        name, _, fragment = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), f"{document.name} links to {link}, which does not exist"
        if fragment:
            assert fragment in {anchor(title) for _, title in headings(target.read_text())}, f"{document.name}: {link}"
