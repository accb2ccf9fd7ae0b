"""The served log as others follow it: a standard monitor, auditors with and without a key, and our own witness."""

from __future__ import annotations

from contextlib import closing

import httpx
import pytest
from tlog_scales.backend import HttpBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint

from governance.checkpoint import LogSigner, verify_checkpoint
from governance.cosignature import Cosigner, verify_cosignature
from governance.merkle import leaf_hash
from governance.review_facts import Act
from governance.testing.example_records import intent_record
from governance_adapters.marking.keys import KeyFolder
from governance_adapters.storage.ledger import SqliteLedger
from support.api import Office
from support.outside import operator_at
from support.served_log import served_log

SIGNER = LogSigner.generate("log.example.org/test")
FULL = 256


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    with SqliteLedger.open(tmp_path_factory.mktemp("log") / "ledger.sqlite3", SIGNER) as opened:
        for number in range(FULL + 44):
            opened.append(intent_record(f"g{number}"))
        yield opened


@pytest.fixture(scope="module")
def office(tmp_path_factory, served_bundle, ledger):
    with Office.at(tmp_path_factory.mktemp("office"), served_bundle, ledger=ledger, log_key=SIGNER.key) as opened:
        yield opened


@pytest.fixture(scope="module")
def url(office):
    with office.served() as url:
        yield url


@pytest.fixture
def backend(url):
    made = HttpBackend(url)
    with closing(made.session):
        yield made


@pytest.fixture
def anybody(url):
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as opened:
        yield opened


def test_a_standard_monitor_follows_the_log(backend, ledger, figure):
    reader, vkey = TilesReader(backend), Vkey.from_string(str(SIGNER.key))
    first = reader.get_checkpoint()
    first.verify(vkey)
    assert reader.calculate_root_hash() == first.root_hash
    for number in range(FULL):
        ledger.append(intent_record(f"more{number}"))
    later = TilesReader(backend)
    newest = later.get_checkpoint()
    newest.verify(vkey)
    assert newest.size >= first.size + FULL
    later.get_consistency_proof(first.size, newest.size).check(first.root_hash, newest.root_hash)
    checked = 0
    for index in range(0, newest.size, 50):
        entry = ledger.leaves(index, 1)[0]
        later.get_inclusion_proof(index, newest.size).check(leaf_hash(entry), newest.root_hash)
        checked += 1
    figure(
        f"tlog-scales followed the served log from {first.size} to {newest.size} entries: {checked} inclusion proofs"
    )


def test_an_auditor_reads_every_entry_and_anybody_else_none(backend, office, ledger):
    backend.session.headers["Authorization"] = f"Bearer {office.key('auditor', [Act.LEDGER_READ]).text}"
    reader = TilesReader(backend)
    newest = reader.get_checkpoint()
    entries = [reader.get_entry(index) for index in range(newest.size)]
    assert entries == list(ledger.leaves(0, newest.size))
    reader.get_inclusion_proof(7, newest.size).check(leaf_hash(entries[7]), newest.root_hash)
    for key in (None, office.key("auditor", [Act.WORKS_READ]).text, office.key("designer").text):
        backend.session.headers["Authorization"] = f"Bearer {key}"
        with pytest.raises(RuntimeError, match="could not get tile"):
            outsider(backend, newest.size).get_entry(0)


def test_an_auditor_too_gets_no_entries_that_there_are_not(backend, office, ledger):
    key = office.key("auditor").text
    size = verify_checkpoint(ledger.checkpoint(), SIGNER.key).size
    with httpx.Client(base_url=backend.base, headers={"Authorization": f"Bearer {key}"}, trust_env=False) as opened:
        for missing in (f"001.p/{size - 256 + 1}" if size < 512 else "009", "x009/000", "000.p/0", "000.p/256", "0"):
            assert opened.get(f"/tile/entries/{missing}").status_code == 404, missing
        whole = opened.get("/tile/entries/000").content
        assert whole.startswith(opened.get("/tile/entries/000.p/7").content)


def outsider(backend, size):
    reader = TilesReader(backend)
    reader.set_size(size)
    return reader


def test_a_partial_tile_is_there_in_every_width_and_a_full_one_only_whole(anybody, ledger):
    whole = anybody.get("/tile/0/000").content
    assert whole == ledger.tile(0, 0)
    for width in (1, 2, 100, 255):
        assert anybody.get(f"/tile/0/000.p/{width}").content == whole[: width * 32]
    held = len(ledger.tile(1, 0)) // 32
    assert anybody.get(f"/tile/1/000.p/{held}").content == ledger.tile(1, 0)
    for missing in (
        f"/tile/1/000.p/{held + 1}",
        "/tile/1/000",
        "/tile/2/000.p/1",
        "/tile/0/x001/000",
        "/tile/63/000.p/1",
    ):
        assert anybody.get(missing).status_code == 404, missing


def test_headers(anybody, office):
    for path, kind, cached in (
        ("/checkpoint", "text/plain; charset=utf-8", "no-store"),
        ("/tile/0/000", "application/octet-stream", "public, max-age=31536000, immutable"),
        ("/tile/0/001.p/3", "application/octet-stream", "public, max-age=31536000, immutable"),
        ("/tile/0/x999/999", "application/problem+json", "no-store"),
        ("/tile/entries/000", "application/octet-stream", "no-store"),
    ):
        answer = anybody.get(path, headers={"Authorization": f"Bearer {office.key('auditor').text}"})
        assert (answer.headers["content-type"], answer.headers["cache-control"]) == (kind, cached), path
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/tile/0/0", "/tile/00/000", "/tile/64/000", "/tile/0/000.p/256", "/tile/0/000.p/0", "/tile/0/x000/000",
        "/tile/0/001/000", "/tile/0/", "/tile/x/000", "/tile/0/000.p/1/", "/tile/-1/000", "/tile/0/%2e%2e/000", "/tile",
        "/tile/0/x036/x028/x797/x018/x963/968", "/tile/0/999999999999999999999999", "/checkpoint/", "/tile/entries",
    ],
)  # fmt: skip
def test_other_addresses_are_no_tiles(anybody, path):
    answer = anybody.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_what_is_no_parameter_is_refused_and_nothing_is_written(anybody):
    assert anybody.get("/checkpoint", params={"size": "3"}).status_code == 422
    assert anybody.post("/checkpoint").status_code == 405
    assert anybody.put("/tile/0/000").status_code == 405


def test_the_witness_follows_a_served_log(settings, tmp_path):
    operator = operator_at(settings, tmp_path / "operator")
    shell, key = operator.shell, KeyFolder(settings.keys_path).log_public()
    operator.append(2)
    shell("keys", "witness", "witness.example.org/1", "-o", "witness.pem").succeeded()
    line = (shell.folder / "witness.pem.pub").read_text()
    with operator.ledger() as opened, served_log(tmp_path, opened) as url:
        command = ("ledger", "witness", url, "--key", key, "--state", "state.json", "--witness-key", "witness.pem")
        first = shell(*command, "--json").succeeded().json
        assert (first["entries"], first["known_entries"]) == (3, None)
        opened.append(intent_record("g"))
        said = shell(*command, "-o", "cosigned").succeeded()
        assert "extends the 3 entries" in said.err
    note = (shell.folder / "cosigned").read_text()
    assert verify_checkpoint(note, key).size == 4
    assert verify_cosignature(note, Cosigner.generate("x").key.parse(line)) > 0
    for each in (line.strip(), str(key)):
        Checkpoint.from_text(note).verify(Vkey.from_string(each))
    said = shell("ledger", "verify", "--since", "cosigned", "--witness", "witness.pem.pub").succeeded()
    assert "cosigned by witness.example.org/1" in said.out
    shell("keys", "witness", "witness.example.org/2", "-o", "other.pem").succeeded()
    shell("ledger", "verify", "--since", "cosigned", "--witness", "other.pem.pub").failed(1, "has not cosigned")
    shell(*command).failed(1, "cannot be reached")
