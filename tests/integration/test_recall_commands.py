"""`governance lineage`, `governance recall` and what `verify` says afterwards, on a real ledger with files of audits beside it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from governance.canonical import Digest, canonical_digest, digest
from governance.datasets.audit_entries import Audited, audited_record
from governance.datasets.records import Basis, DatasetRecord
from governance.entries import EntryKind
from governance.lineage.recall_entries import Cause, RecallBy, targets_of
from governance.lineage.recalling import NOTICE_FIELDS
from governance.registers.item_checks import RegisterName
from governance.registers.items import model_key
from governance.search import Query
from governance.types import AdapterFacts, Outcome
from governance_adapters.installation import ledger_for_appending, ledger_for_reading
from governance_adapters.settings import Settings
from support.audited import write_audit
from support.command import Shell
from support.lineages import COUNSEL, World, lora, report

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")

INK, CHALK = lora("ink"), lora("chalk")
OTHER = canonical_digest({"unet": digest(b"another model")})


def records():
    """Ten pictures: three under CC-BY-4.0, one of which policy denied."""
    licences = {1: "CC-BY-4.0", 4: "CC-BY-4.0", 7: "CC-BY-4.0"}
    return [
        DatasetRecord(
            f"r{number}",
            digest(b"picture %d" % number),
            Basis.COMPUTED,
            licence=licences.get(number, "CC0-1.0"),
            outcome=Outcome.DENY if number == 7 else Outcome.ALLOW,
        )
        for number in range(10)
    ]


def audit(settings, ledger):
    """The audit of them, with its folder; the entry."""
    licences = {"CC-BY-4.0": {"records": 3, "allowed": 2}, "CC0-1.0": {"records": 7, "allowed": 7}}
    said = Audited("scans", Digest("0" * 64), 10, 10, {}, report("scans", licences), b"{}", digest(b"bundle"))
    head = write_audit(settings.datasets_path / "scans" / said.audit, records(), name="scans")
    whole = Audited(
        "scans", Digest(head.root.hex()), 10, 10, {Outcome.ALLOW: 9, Outcome.DENY: 1}, said.report, b"{}",
        digest(b"bundle"), audit=said.audit,
    )  # fmt: skip
    return ledger.append(audited_record(whole, COUNSEL)).entry


def leaf(number):
    """The index of a picture's leaf: contents stand in the order of their digests."""
    return sorted(record.content for record in records()).index(digest(b"picture %d" % number))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An installation that released a real file, and where two LoRAs were made: one from a picture under CC-BY-4.0."""
    shell = Shell(tmp_path_factory.mktemp("recall"), tmp_path_factory.mktemp("made") / "home")
    shell("init").succeeded()
    shell("generate", "a red seven on a blue background", "-o", "seven.png", "--steps", "2").succeeded()
    settings = Settings.load(home=shell.home)
    with ledger_for_appending(settings) as ledger:
        world = World(ledger)
        audited = audit(settings, ledger)
        base = world.registers.list(RegisterName.MODELS)[0].item.key
        for made, took in ((INK, (1, 2)), (CHALK, (2, 7))):
            run = world.run(audited, made, took=tuple(map(leaf, took)), base=base)
            world.adapter(made, run, datasets=("scans",), base=base)
        for _ in range(3):
            world.released(INK)
        world.released(CHALK)
    return shell


@pytest.fixture
def shell(made, tmp_path):
    """A copy of it: a recall is never taken back."""
    home = tmp_path / "home"
    shutil.copytree(made.home, home)
    for name in ("seven.png", "seven.png.receipt.json", "governance.toml"):
        shutil.copy(made.folder / name, tmp_path)
    return Shell(tmp_path, home)


def recalls(shell):
    with ledger_for_reading(Settings.load(home=shell.home)) as ledger:
        return [entry for _, entry in ledger.entries(kind=EntryKind.RECALLED, limit=100)]


def files_of(shell, adapter: AdapterFacts):
    with ledger_for_reading(Settings.load(home=shell.home)) as ledger:
        page = ledger.search(Query(adapter=adapter.digest, kind=EntryKind.RELEASED))
    return {entry.id for _, entry in page.items}


def reference_key(shell):
    with ledger_for_reading(Settings.load(home=shell.home)) as ledger:
        return World(ledger).registers.list(RegisterName.MODELS)[0].item.key


class TestLineage:
    def test_a_file_its_digest_its_id_and_its_entry_have_one_lineage(self, shell):
        told = shell("lineage", "seven.png", "--svg", "seven.svg", "--json").succeeded().json
        assert told["root"] == f"asset:{digest((shell.folder / 'seven.png').read_bytes())}"
        (asset,) = [node for node in told["nodes"] if node["kind"] == "asset"]
        for name in (asset["key"], asset["facts"]["asset"], asset["entry"]):
            assert shell("lineage", name, "--json").succeeded().json == told
        (model,) = [node for node in told["nodes"] if node["kind"] == "model"]
        assert model["key"] == reference_key(shell)
        assert model["facts"]["state"] == "registered"
        root = ET.parse(shell.folder / "seven.svg").getroot()
        assert root.find("{http://www.w3.org/2000/svg}title").text.startswith("Lineage of file ")

    def test_as_a_tree(self, shell):
        lines = shell("lineage", INK.digest).succeeded().out.splitlines()
        assert lines[0] == "adapter ink"
        assert any("consumed 2 contents of dataset scans [witnessed]" in line for line in lines)
        assert any("has 2 allowed records under licence CC-BY-4.0 [audited]" in line for line in lines)
        assert lines[-2].startswith("licences: ")
        assert "CC-BY-4.0" in lines[-2]
        assert shell("lineage", reference_key(shell)).succeeded().out.startswith("model ")

    def test_a_copy_that_was_saved_again_is_traced_by_its_mark(self, shell):
        Image.open(shell.folder / "seven.png").convert("RGB").save(shell.folder / "again.jpg", quality=95)
        again = shell("lineage", "again.jpg", "--json")
        assert again.succeeded().json == shell("lineage", "seven.png", "--json").json
        assert "attributed by watermark" in again.err

    def test_what_is_not_ours(self, shell):
        Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(shell.folder / "other.png")
        shell("lineage", "other.png").failed(1, "was not released here")
        shell("lineage", "nothing").failed(1, "Nothing here is called 'nothing'")
        shell("lineage", "0" * 64).failed(1, "Nothing here is called")
        shell("lineage", "seven.png", "--svg", "nowhere/seven.svg").failed(1, "cannot be written")


class TestRecall:
    def test_after_its_model_is_recalled_a_file_is_recalled(self, shell):
        assert shell("verify", "seven.png", "--json").succeeded().json["exit_code"] == 0
        told = shell("recall", "--model", reference_key(shell), "--reason", "a fault", "--json").succeeded().json
        assert told["descendants"] == {"datasets": 0, "models": 1, "adapters": 2, "assets": 5}
        ran = shell("verify", "seven.png", "--json")
        statuses = {check["name"]: check["status"] for check in ran.json["checks"]}
        assert (ran.code, statuses.pop("recall"), set(statuses.values())) == (1, "fails", {"holds"})
        assert "recalled by entry" in shell("verify", "seven.png").out
        assert "RECALLED" in shell("lineage", "seven.png").succeeded().out
        shell("generate", "a red two on a blue background", "-o", "two.png", "--steps", "2").failed(3, "recalled")
        assert not (shell.folder / "two.png").exists()
        assert list(shell("ledger", "verify").succeeded().out.splitlines())

    def test_by_licence_only_what_consumed_an_allowed_record_of_it(self, shell):
        told = shell("recall", "--licence", "cc-by-4.0", "--notices", "notices.csv", "--json").succeeded().json
        assert told["descendants"] == told["recalled"] == {"datasets": 1, "models": 0, "adapters": 1, "assets": 3}
        assert {each["entry"] for each in told["assets"]} == files_of(shell, INK)
        assert [each["digest"] for each in told["adapters"]] == [INK.digest]
        with (shell.folder / "notices.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert tuple(rows[0]) == NOTICE_FIELDS
        assert [row["kind"] for row in rows] == ["dataset", "adapter", "asset", "asset", "asset"]
        again = shell("recall", "--licence", "CC-BY-4.0", "--json").succeeded().json
        assert (again["entries"], again["recalled_before"]) == ([], told["recalled"])

    def test_by_record_and_by_dataset(self, shell):
        found = shell("recall", "--record", digest(b"picture 7"), "--dry-run", "--json").succeeded().json
        assert [each["digest"] for each in found["adapters"]] == [CHALK.digest]
        unknown = shell("recall", "--record", digest(b"elsewhere"), "--dry-run", "--json").succeeded().json
        assert unknown["descendants"] == {"datasets": 0, "models": 0, "adapters": 0, "assets": 0}
        assert shell("recall", "--dataset", "scans", "--dry-run", "--json").json["descendants"]["assets"] == 4
        assert recalls(shell) == []

    def test_where_the_files_of_an_audit_are_gone_that_is_said(self, shell):
        shutil.rmtree(Settings.load(home=shell.home).datasets_path)
        ran = shell("recall", "--licence", "CC-BY-4.0", "--dry-run")
        assert ran.code == 2
        assert "NOT KNOWN: which records of dataset scans its runs consumed" in ran.out

    def test_where_they_were_altered_nothing_is_recalled(self, shell):
        (leaves,) = Settings.load(home=shell.home).datasets_path.glob("scans/*/leaves.bin")
        content = bytearray(leaves.read_bytes())
        content[-1] ^= 1
        leaves.write_bytes(content)
        shell("recall", "--licence", "CC-BY-4.0").failed(1)
        assert recalls(shell) == []

    def test_who_and_why_stand_in_the_ledger(self, shell):
        shell("recall", "--lora", INK.digest.upper(), "--reason", "it ended", "--principal", COUNSEL.id).succeeded()
        entries = recalls(shell)
        assert {entry.subject for entry in entries} == {Cause(RecallBy.ADAPTER, INK.digest).subject}
        assert {each for entry in entries for each in targets_of(entry).assets} == files_of(shell, INK)
        found = shell("ledger", "search", "--recalled", INK.digest, "--json").succeeded().json
        assert [each["id"] for each in found["items"]] == [entries[0].id]
        assert COUNSEL.id not in json.dumps(found)

    def test_one_cause_that_is_known(self, shell):
        shell("recall").failed(1, "one cause, not 0")
        shell("recall", "--licence", "MIT", "--dataset", "scans").failed(1, "one cause, not 2")
        shell("recall", "--lora", OTHER).failed(1, "was ever registered, trained or used here")
        shell("recall", "--dataset", "nothing").failed(1, "no audit")
        shell("recall", "--licence", "CC BY 4.0").failed(1, "names a licence 'CC BY 4.0'")
        shell("recall", "--record", "seven.png").failed(1, "SHA-256")
        assert recalls(shell) == []
        nowhere = str(Path("nowhere") / "n.csv")
        shell("recall", "--lora", INK.digest, "--notices", nowhere).failed(1, "cannot be written")
        assert model_key({"unet": digest(b"another model")}) == OTHER
