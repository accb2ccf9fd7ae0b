"""What a pack shows and holds: withheld and erased fields, ways of asking, earlier bundles, what was published."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from governance.canonical import Digest
from governance.entries import ErasedPart
from governance.erasure import Basis, ErasureOrder, erased_record
from governance.evidence import verify
from governance.evidence.verify import read_pack
from governance.records import field_commitments
from governance.testing.certificates import FakeAuthority
from governance.types import Principal, new_id
from governance_adapters.policy.bundle import Bundle
from support.command import Shell
from support.packs import (
    COMMENT,
    PROMPT,
    REFUSED_WORDS,
    REQUESTER,
    REVIEWERS,
    Released,
    extracted,
    installation,
    judged,
    line,
    outsider,
    pdf_text,
    release,
    released,
    with_new_index,
)
from support.real import require
from support.time_stamps import time_stamp_authority

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return released(tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="module")
def key(made):
    return made.key


@pytest.fixture
def spoilt(made, tmp_path):
    """The same installation, for this test alone."""
    return made.copy(tmp_path / "copy")


def opened_fields(files):
    """The names of the fields that a pack opens."""
    return {name for path in files if path.startswith(verify.FIELDS) for name in json.loads(files[path])}


def said(files):
    """Every text that a reader of the pack can find in it, the PDF's included."""
    return b"\n".join(files.values()).decode("utf-8", "replace") + pdf_text(files[verify.PDF])


class TestWithheld:
    def test_everything_is_disclosed_by_default(self, made, key):
        files = read_pack(made.pack())
        assert opened_fields(files) >= {"/prompts/0", "/principal/id", "/reviewer/id", "/comment", "/decision/messages"}
        assert judged(files, key).withheld == []

    def test_withheld_fields_are_commitments_and_their_values_are_nowhere(self, made, key, tmp_path):
        pack = made.pack("--redact", "/prompts", "--redact", "/principal/id", name="redacted.zip")
        assert outsider(extracted(pack, tmp_path / "pack"), "--key", key).succeeded()
        files, text = read_pack(pack), said(read_pack(pack))
        for secret in (PROMPT, REFUSED_WORDS, REQUESTER.id):
            assert secret.encode() not in pack.read_bytes()
            assert secret not in text
            assert json.dumps(secret)[1:-1] not in text
        assert not opened_fields(files) & {"/prompts/0", "/prompts/1", "/principal/id", "/hold/requester"}
        assert {"/reviewer/id", "/comment", "/request/id"} <= opened_fields(files)
        assert REVIEWERS[0].id in text
        states = {each["name"]: each["state"] for each in json.loads(files[verify.INDEX])["fields"]}
        assert (states["/prompts/0"], states["/reviewer/id"]) == ("withheld", "disclosed")
        assert states["/hold/requester"] == "withheld, because it quotes what is withheld"
        assert any(
            "/prompts/0 of entry 3 (intent): its commitment only" in line for line in judged(files, key).withheld
        )

    def test_everything_can_be_withheld(self, made, key):
        files = read_pack(made.pack("--redact-all", name="closed.zip"))
        text = said(files)
        assert judged(files, key).verdict == "verified"
        assert opened_fields(files) == set()
        for secret in (PROMPT, REFUSED_WORDS, COMMENT, REQUESTER.id, *(who.id for who in REVIEWERS)):
            assert secret not in text

    def test_only_what_is_named_is_disclosed(self, made, key):
        files = read_pack(made.pack("--disclose", "/reviewer", name="reviewers.zip"))
        assert opened_fields(files) == {"/reviewer/id"}
        assert judged(files, key).verdict == "verified"

    def test_a_name_that_no_field_has_makes_no_pack(self, made):
        made.shell("evidence", "seven.png", "-o", "typo.zip", "--redact", "/prompt").failed(
            1, "'/prompt'", "/prompts/0"
        )
        made.shell("evidence", "seven.png", "-o", "typo.zip", "--redact-all", "--disclose", "/comment").failed(
            1, "everything"
        )
        assert not (made.folder / "typo.zip").exists()

    def test_a_withheld_field_opened_with_another_value_is_refused(self, made, key):
        files = read_pack(made.pack())
        path = f"{verify.FIELDS}00000003.json"
        fields = json.loads(files[path])
        fields["/principal/id"]["value"] = "somebody-else@example.org"
        forged = with_new_index({**files, path: verify.canonical_bytes(fields)})
        assert f"{path}: /principal/id is not the value" in " ".join(judged(forged, key).problems)

    def test_the_file_can_be_left_out(self, made, key, tmp_path):
        pack = made.pack("--without-asset", name="without.zip")
        files = read_pack(pack)
        assert not any(made.asset.content[:200] in content for content in files.values())
        folder = extracted(pack, tmp_path / "pack")
        ran = outsider(folder, "--key", key, "--file", made.folder / "seven.png").succeeded()
        assert "left out by whoever made the pack" in ran.out
        assert "the file that was given is the released one" in ran.out


class TestErased:
    def erase(self, made, *names):
        """Erase these fields of every entry, and the file from the vault where `asset` is named; the erasing entry."""
        with line(made.settings) as governor:
            ledger = governor.parts.ledger
            entries = [entry for _, entry in ledger.entries(limit=1000)]
            parts = [
                ErasedPart(entry.id, name)
                for entry in entries
                for name in names
                if name in field_commitments(entry) or (name == "asset" and entry.kind.value == "released")
            ]
            by = Principal("privacy@example.org", ("privacy",))
            record = erased_record(new_id(), parts, ErasureOrder(Basis.REQUEST, by, "case 12"))
            ledger.append(record)
            if "asset" in names:
                governor.parts.vault.erase(Digest(made.asset.digest))
        return record.entry

    def test_erased_fields_break_nothing_and_name_the_entry_that_erased_them(self, spoilt, key, tmp_path):
        erasing = self.erase(spoilt, "/prompts/0", "/principal/id", "/hold/requester")
        pack = spoilt.pack(of=spoilt.asset.id)
        files = read_pack(pack)
        assert "verdict: verified" in outsider(extracted(pack, tmp_path / "pack"), "--key", key).succeeded().out
        assert PROMPT not in said(files)
        assert REQUESTER.id not in said(files)
        fields = {(each["index"], each["name"]): each for each in json.loads(files[verify.INDEX])["fields"]}
        assert fields[3, "/prompts/0"] == {"index": 3, "name": "/prompts/0", "state": "erased", "by": erasing.id}
        assert any(
            "/prompts/0 of entry 3 (intent): its commitment only (erased in entry 10" in each
            for each in judged(files, key).withheld
        )
        assert f"erased by {erasing.id}".replace(" ", "") in pdf_text(files[verify.PDF]).replace(" ", "")

    def test_that_an_entry_erased_it_is_checked(self, spoilt, key):
        self.erase(spoilt, "/prompts/0")
        files = read_pack(spoilt.pack(of=spoilt.asset.id))
        index = json.loads(files[verify.INDEX])
        for each in index["fields"]:
            if each["name"] == "/prompts/0":
                each["by"] = index["entry"]
        lie = with_new_index({**files, verify.INDEX: verify.spelt(index)})
        assert "which is no entry in the record that erased it" in " ".join(judged(lie, key).problems)

    def test_an_erased_file_is_missing_and_the_record_still_verifies(self, spoilt, key):
        erasing = self.erase(spoilt, "asset")
        files = read_pack(spoilt.pack(of=spoilt.asset.digest))
        assert judged(files, key).verdict == "verified"
        (missing,) = json.loads(files[verify.INDEX])["missing"]
        assert missing == {"what": f"asset/{spoilt.asset.id}.png", "why": f"erased by entry {erasing.id}"}
        assert f"erased by entry {erasing.id}" in " ".join(files[verify.README].decode().split())

    def test_an_altered_field_makes_no_pack(self, spoilt):
        with sqlite3.connect(spoilt.settings.ledger_path) as database:
            database.execute("UPDATE personal_field SET value = '\"other\"' WHERE name = '/comment'")
        database.close()
        spoilt.shell("evidence", "seven.png", "-o", "pack.zip").failed(1, "/comment", "was altered")


class TestAsked:
    def test_every_way_of_asking_leads_to_the_same_record(self, made):
        packs = {}
        for how, name in (("file", "seven.png"), ("asset", made.asset.id), ("digest", made.asset.digest)):
            packs[how] = json.loads(read_pack(made.pack(of=name))[verify.INDEX])
            assert packs[how]["asked"]["how"] == how
        packs["entry"] = json.loads(read_pack(made.pack(of=packs["file"]["entry"]))[verify.INDEX])
        assert packs["entry"]["asked"] == {"how": "entry"}
        assert {each["entry"] for each in packs.values()} == {packs["file"]["entry"]}
        assert packs["file"]["asked"]["sha256"] == made.asset.digest

    def test_a_saved_again_picture_is_never_claimed(self, made, key):
        with Image.open(made.folder / "seven.png") as picture:
            picture.convert("RGB").save(made.folder / "again.jpg", quality=95)
        ran = made.shell("evidence", "again.jpg", "-o", "again.zip").succeeded()
        assert "not the released one" in ran.err
        files = read_pack(made.folder / "again.zip")
        index = json.loads(files[verify.INDEX])
        again = (made.folder / "again.jpg").read_bytes()
        assert (index["asked"]["how"], index["asked"]["sha256"]) == ("picture", verify.sha256(again))
        assert index["asset"]["digest"] == made.asset.digest
        assert again not in files.values()
        assert {check["name"]: check["status"] for check in index["asked"]["checks"]}["entry"] == "fails"
        report = judged(files, key)
        assert report.verdict == "verified"
        assert any("proves nothing about those bytes" in line for line in report.withheld)
        assert "nothing about those bytes" in " ".join(files[verify.README].decode().split())
        assert "Nothing in this pack is about the bytes of that file." in pdf_text(files[verify.PDF])
        given = verify.verify_pack(files, verify.LogKey.parse(key), again)
        assert given.verdict == "refused"

    def test_what_no_record_leads_to_makes_no_pack(self, made):
        Image.new("RGB", (300, 300), (10, 200, 30)).save(made.folder / "other.png")
        made.shell("evidence", "other.png", "-o", "none.zip").failed(1, "No record leads to this file")
        intent = json.loads(read_pack(made.pack())[f"{verify.ENTRIES}00000003-intent.json"])["id"]
        other = made.asset.id[:-1] + ("1" if made.asset.id.endswith("0") else "0")
        for unknown in ("nowhere.png", "0" * 64, other, ""):
            made.shell("evidence", unknown, "-o", "none.zip").failed(1, "Nothing was released under")
        made.shell("evidence", intent, "-o", "none.zip").failed(1, "is intent: it released no file")
        assert not (made.folder / "none.zip").exists()


class TestBundles:
    def test_a_bundle_that_is_not_at_hand_is_said_to_be_missing(self, spoilt, key, tmp_path):
        before = tmp_path / "earlier"
        shutil.copytree(spoilt.settings.bundle_path, before)
        data = json.loads((spoilt.settings.bundle_path / "data.json").read_text())
        data["limits"]["steps"] += 1
        (spoilt.settings.bundle_path / "data.json").write_text(json.dumps(data))
        revision, now = Bundle.load(before).revision, Bundle.load(spoilt.settings.bundle_path).revision
        files = read_pack(spoilt.pack())
        report = judged(files, key)
        assert report.verdict == "verified"
        assert not any(path.startswith(verify.POLICY) for path in files)
        assert any(f"policy/{revision}/: no folder" in line and now in line for line in report.withheld)
        assert "not in the pack: see below" in pdf_text(files[verify.PDF])

        again = read_pack(spoilt.pack("--bundle", before))
        assert f"policy/{revision}/data.json" in again
        assert json.loads(again[verify.INDEX])["missing"] == []
        assert judged(again, key).verdict == "verified"
        spoilt.shell("evidence", "seven.png", "-o", "x.zip", "--bundle", spoilt.settings.bundle_path).failed(
            1, "decided nothing"
        )

    def test_an_installation_without_a_bundle_still_makes_packs(self, spoilt, key):
        shutil.rmtree(spoilt.settings.bundle_path)
        ran = spoilt.shell("evidence", "seven.png", "-o", "pack.zip").succeeded()
        assert "does not go in" in ran.err
        assert judged(read_pack(spoilt.folder / "pack.zip"), key).verdict == "verified"


class TestPublished:
    def test_published_checkpoints_and_their_time_stamps_go_in(self, spoilt, key, tmp_path):
        root = FakeAuthority("Time-stamp root")
        (spoilt.settings.keys_path / "tsa-roots.pem").write_bytes(root.root)
        (spoilt.settings.keys_path / "tsa-roots.pem").chmod(0o600)
        with time_stamp_authority(tmp_path, root) as url:
            spoilt.shell("ledger", "checkpoint", "--publish", "kept.jsonl", "--tsa", url).succeeded()
        release(spoilt.settings, "a green four", id="request-2")
        spoilt.shell("ledger", "checkpoint", "--publish", "kept.jsonl").succeeded()
        pack = spoilt.pack("--published", "kept.jsonl")
        files = read_pack(pack)
        sizes = [int(Path(path).stem) for path in files if path.startswith(verify.CHECKPOINTS)]
        assert len(sizes) == 2
        assert sizes[0] < sizes[1]
        folder = extracted(pack, tmp_path / "pack")
        ran = outsider(folder, "--key", key).succeeded()
        assert ran.out.count("is a prefix of the same log") == 2
        (command,) = [line.strip() for line in ran.out.splitlines() if "openssl ts -verify" in line]
        (folder / "TSA-ROOTS.pem").write_bytes(root.root)
        require("openssl", shutil.which("openssl"), "the command for time-stamps was not tried")
        done = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True, check=False)
        assert (done.returncode, "Verification: OK" in done.stdout + done.stderr) == (0, True), done
        assert "by the maker" in pdf_text(files[verify.PDF])
        self.nothing_altered_passes(files, key)

    def nothing_altered_passes(self, files, key):
        (stamp,) = (path for path in files if path.startswith(verify.TIMESTAMPS))
        other = with_new_index({**files, stamp: files[stamp][:-100] + bytes(100)})
        assert judged(other, key).verdict == "verified"  # who signed it, only openssl looks at
        note = next(path for path in files if path.startswith(verify.CHECKPOINTS))
        digest = hashlib.sha256(files[note]).digest()
        swapped = with_new_index({**files, stamp: files[stamp].replace(digest, bytes(32))})
        assert f"{stamp} is no time-stamp of a checkpoint" in " ".join(judged(swapped, key).problems)

    def test_a_checkpoint_that_the_ledger_does_not_extend_makes_no_pack(self, spoilt, made, tmp_path):
        release(spoilt.settings, "a green four", id="request-2")
        spoilt.shell("ledger", "checkpoint", "--publish", "kept.txt").succeeded()
        # The operator puts the ledger back to what it was before.
        made.shell("evidence", "seven.png", "-o", "x.zip", "--published", spoilt.folder / "kept.txt").failed(
            1, "newest are gone"
        )
        other = released(tmp_path / "other")
        other.shell("ledger", "checkpoint", "--publish", "kept.txt").succeeded()
        made.shell("evidence", "seven.png", "-o", "x.zip", "--published", other.folder / "kept.txt").failed(
            1, "checkpoint"
        )


class TestFormats:
    @pytest.mark.parametrize("media_type", ["image/jpeg", "image/webp"])
    def test_manifests_in_other_files_are_found_and_bound(self, tmp_path, media_type):
        settings = installation(tmp_path)
        data = json.loads((settings.bundle_path / "data.json").read_text())
        data["obligations"]["output_formats"] = [media_type]
        (settings.bundle_path / "data.json").write_text(json.dumps(data))
        asset = release(settings)
        made = Released(tmp_path, settings, asset)
        files = read_pack(made.pack(of=asset.id))
        assert files[verify.MANIFEST][4:8] == b"jumb"
        assert b"c2pa" in files[verify.MANIFEST][:64]
        assert judged(files, made.key).verdict == "verified"
        changed = bytearray(files[verify.MANIFEST])
        changed[-1] ^= 1
        assert judged(with_new_index({**files, verify.MANIFEST: bytes(changed)}), made.key).verdict == "refused"

    def test_any_script_is_readable_in_the_pdf_or_numbered(self, tmp_path):
        made = released(tmp_path, text="红色的七, Ω, हिन्दी, \u202e\U0001f600 e\u0301")
        text = pdf_text(read_pack(made.pack())[verify.PDF])
        for words in ("红色的七", "Ω", "[U+202E]", "[U+1F600]"):
            assert words in text

    def test_a_file_that_tells_a_withheld_prompt_is_left_out(self, tmp_path):
        settings = installation(tmp_path)
        data = json.loads((settings.bundle_path / "data.json").read_text())
        data["obligations"]["disclose"] = ["prompt"]
        (settings.bundle_path / "data.json").write_text(json.dumps(data))
        asset = release(settings)
        assert PROMPT.encode() in asset.content
        made = Released(tmp_path, settings, asset)
        assert asset.content in read_pack(made.pack(of=asset.id)).values()
        pack = made.pack("--redact", "/prompts", of=asset.id)
        assert PROMPT not in said(read_pack(pack))
        (missing,) = json.loads(read_pack(pack)[verify.INDEX])["missing"]
        assert "says the prompt in the clear" in missing["why"]


def test_without_the_extra_it_says_what_to_install(made):
    blocked = "import sys; sys.modules['fpdf'] = None; from governance_adapters.cli import main; main()"
    words = [sys.executable, "-c", blocked, "evidence", "seven.png", "-o", "none.zip"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **made.shell.place())
    assert done.returncode == 1
    assert "diffusion-governance[evidence]" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (made.folder / "none.zip").exists()


def test_the_json_answer_says_what_the_pack_holds(made, key):
    answer = made.shell("evidence", "seven.png", "-o", "pack.zip", "--redact", "/comment", "--json").succeeded().json
    assert (answer["log_key"], answer["asked"], answer["entries"], answer["missing"]) == (key, "file", 8, [])
    assert {each["name"] for each in answer["not_disclosed"]} == {"/comment"}


def test_on_postgresql_it_is_the_same(tmp_path, postgres_url):
    settings = installation(tmp_path, database_url=postgres_url)
    asset = release(settings)
    asset.save(tmp_path / "seven.png")
    made = Released(tmp_path, settings, asset)
    shell = Shell(tmp_path, settings.home, {"GOVERNANCE_DATABASE_URL": postgres_url})
    shell("evidence", "seven.png", "-o", "pack.zip").succeeded()
    assert judged(read_pack(tmp_path / "pack.zip"), made.key).verdict == "verified"
