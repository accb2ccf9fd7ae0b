"""`governance replay` as people and programs use it: what it is given, what it says, how it ends, what it leaves."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from governance.entries import EntryKind
from governance.errors import ModelError
from governance_adapters.reference import load_reference_pipeline, model_path
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_ledger
from support.command import Shell
from support.real import missing

PROMPT = "a red seven on a blue background"

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A shell on an installation that released `seven.png` and `three.png`; nothing is replayed in it."""
    try:
        model_path()
    except ModelError as error:
        missing("weights", f"`governance replay` was not run: {error}")
    folder = tmp_path_factory.mktemp("replayed")
    shell = Shell(folder, folder / "home", {"GOVERNANCE_PRINCIPAL": "designer@example.org"})
    shell("init").succeeded()
    who = ("--role", "designer", "--purpose", "marketing", "--market", "EU", "--steps", "2")
    shell("generate", PROMPT, "-o", "seven.png", "--seed", "3", *who).succeeded()
    shell("generate", "a white three", "-o", "three.png", *who).succeeded()
    return shell


@pytest.fixture
def shell(made, tmp_path):
    """A copy of it, to be worked with."""
    shutil.copytree(made.folder, tmp_path / "copy")
    return Shell(tmp_path / "copy", tmp_path / "copy" / "home", made.variables)


@pytest.fixture(scope="module")
def other_model(tmp_path_factory) -> Path:
    """The reference model with one weight of its UNet changed."""
    folder = tmp_path_factory.mktemp("other")
    pipe = load_reference_pipeline()
    next(pipe.unet.parameters()).data.mul_(1.5)
    pipe.save_pretrained(folder)
    return folder


def ledger(shell):
    return open_ledger(Settings.load(home=shell.home))


def replayed(shell):
    return [entry for _, entry in ledger(shell).entries(kind=EntryKind.REPLAYED)]


def files(shell):
    return sorted(str(path) for path in shell.folder.rglob("*") if path.is_file() and path.suffix in (".png", ""))


def released(shell):
    return [entry for _, entry in ledger(shell).entries(kind=EntryKind.RELEASED)]


def test_a_file_is_exact_and_that_is_recorded_and_nothing_else_is_left(shell):
    before = files(shell)
    ran = shell("replay", "seven.png").succeeded()
    (entry,) = replayed(shell)
    said = dict(line.split(maxsplit=1) for line in ran.out.splitlines()[1:])
    assert (said["verdict"], said["differs"]) == ("exact", "nothing that the record says of model, place and call")
    assert entry.body["drafts"]["recorded"] in said["compared"]
    assert said["recorded"].startswith(entry.id)
    assert entry.body["verdict"] == "exact"
    assert files(shell) == before
    shell("ledger", "verify").succeeded()


@pytest.mark.parametrize("by", ["asset", "digest", "entry"])
def test_it_is_asked_for_by_any_of_its_names(made, by):
    entry, *_ = released(made)
    asset = entry.body["asset"]
    name = {"asset": asset["id"], "digest": asset["digest"], "entry": entry.id}[by]
    ran = made("replay", name, "--no-record", "--json").succeeded()
    (answer,) = ran.json["replays"]
    assert (answer["released"]["id"], answer["verdict"], answer["entry"]) == (entry.id, "exact", None)
    assert replayed(made) == []


def test_another_model_is_a_mismatch_with_the_reason_and_the_numbers(shell, other_model):
    ran = shell("replay", "seven.png", "--model", other_model)
    assert ran.code == 6
    assert "mismatch" in ran.out
    assert "components: component unet: other weights" in ran.out
    assert "4 levels, in 5 % of the values" in ran.out
    (entry,) = replayed(shell)
    numbers = entry.body["numbers"]
    assert numbers["largest"] > 4
    assert f"largest difference {numbers['largest']} levels; {numbers['differing']} of 196608 values" in ran.out


def test_whoever_states_a_tolerance_is_judged_by_it_and_it_is_recorded(shell, other_model):
    ran = shell("replay", "seven.png", "--model", other_model, "--levels", 255, "--share", 1, "--json").succeeded()
    assert ran.json["replays"][0]["verdict"] == "within_tolerance"
    assert replayed(shell)[0].body["tolerance"] == {"levels": 255, "share_millionths": 1_000_000}


def test_an_erased_prompt_is_not_replayable_and_says_so(shell):
    subject = released(shell)[0].subject
    shell("ledger", "erase", "--generation", subject, "--basis", "request", "--yes").succeeded()
    ran = shell("replay", released(shell)[0].id)
    assert ran.code == 7
    assert "not replayable" in ran.out
    assert "prompt_erased" in ran.out
    assert [entry.body["obstacle"] for entry in replayed(shell)] == ["prompt_erased"]


def test_an_audit_is_a_table_with_counts_and_an_entry_for_each(shell):
    ran = shell("replay", "--audit", 10, "--seed", 5).succeeded()
    lines = ran.out.splitlines()
    assert lines[0].split() == ["released", "asset", "verdict", "why"]
    assert [line.split()[1:] for line in lines[1:3]] == [
        [entry.body["asset"]["id"], "exact"] for entry in released(shell)
    ]
    assert lines[3] == ("2 released files drawn with seed 5: 2 exact, 0 within tolerance, 0 mismatch, 0 not replayable")
    assert [entry.body["sample"] for entry in replayed(shell)] == [{"number": 10, "seed": "5", "since": ""}] * 2


def test_the_code_of_an_audit_is_that_of_its_worst_file(shell, other_model):
    subject = released(shell)[0].subject
    shell("ledger", "erase", "--generation", subject, "--basis", "request", "--yes").succeeded()
    assert shell("replay", "--audit", 2, "--no-record").code == 7
    assert shell("replay", "--audit", 2, "--no-record", "--model", other_model).code == 6
    since = released(shell)[1].time
    ran = shell("replay", "--audit", 2, "--no-record", "--since", since, "--json").succeeded()
    assert [each["verdict"] for each in ran.json["replays"]] == ["exact"]
    assert ran.json["sample"]["since"] == since


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
def test_what_an_audit_found_is_shown_before_an_altered_entry_ends_it(shell, form):
    first, second = released(shell)
    with closing(sqlite3.connect(shell.home / "ledger.sqlite3")) as database, database:
        intent = second.body["intent"]["id"]
        (leaf,) = database.execute("SELECT leaf FROM entry WHERE id = ?", (intent,)).fetchone()
        altered = leaf.replace(b'"time":"2', b'"time":"1')
        database.execute("UPDATE entry SET leaf = ? WHERE id = ?", (altered, intent))
    ran = shell("replay", "--audit", 2, "--no-record", *form).failed(1)
    assert first.body["asset"]["id"] in ran.out
    assert second.body["asset"]["id"] not in ran.out
    assert "exact" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("seven.png", "--audit", "2"),
        ("seven.png", "--seed", "2"),
        ("seven.png", "--since", "2026-11-01"),
        ("seven.png", "--scheduler", "mine"),
        ("seven.png", "--threads", "7"),
        ("--audit", "0"),
        ("--audit", "2", "--input", "image=seven.png"),
        ("seven.png", "--levels", "256"),
        ("seven.png", "--share", "1.1"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_refused(made, arguments):
    assert made("replay", *arguments).code == 2
    assert replayed(made) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing.png",), ("nothing.png",)),
        (("seven.png", "--input", "photo.png"), ("--input image=photo.png",)),
        (("seven.png", "--input", "image=three.png"), ("'image'",)),
        (("seven.png", "--lora", "weights.bin"), ("safetensors",)),
        (("seven.png", "--model", "home"), ("home",)),
        (("--audit", "2", "--since", "yesterday"), ("yesterday",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_what_cannot_be_used_is_one_line_of_error(made, arguments, words):
    made("replay", *arguments, "--no-record").failed(1, *words)
    assert replayed(made) == []


def test_an_evidence_pack_says_that_it_was_replayed(shell):
    shell("replay", "seven.png").succeeded()
    shell("evidence", "seven.png", "-o", "pack.zip").succeeded()
    shutil.unpack_archive(shell.folder / "pack.zip", shell.folder / "pack")
    (file,) = (shell.folder / "pack" / "record" / "entries").glob("*-replayed.json")
    assert '"verdict": "exact"' in json.dumps(json.loads(file.read_bytes()))
