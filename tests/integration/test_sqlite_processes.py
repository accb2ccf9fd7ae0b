"""The ledger between processes: several writers, forks, and kill -9 at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.canonical import digest
from governance.checkpoint import LogSigner, verify_receipt
from governance.entries import Attempt, EntryKind
from governance.testing.example_records import intent_record
from governance_adapters.storage.ledger import SqliteLedger

SEED = b"s" * 32
SIGNER = LogSigner("log.example.org/test", Ed25519PrivateKey.from_private_bytes(SEED))
ROOT = Path(__file__).resolve().parents[2]
PREAMBLE = f"""
import os, sys, threading
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from governance.canonical import digest
from governance.checkpoint import LogSigner
from governance.errors import InProgressError
from governance.testing.example_records import ALGORITHM, KEY_ID, intent_record, released_record
from governance.types import new_id
from governance_adapters.storage.ledger import SqliteLedger
signer = LogSigner("log.example.org/test", Ed25519PrivateKey.from_private_bytes({SEED!r}))
def say(*words):
    os.write(1, (" ".join(map(str, words)) + chr(10)).encode())
ledger = SqliteLedger.open(sys.argv[1], signer, busy_timeout_s=30)
"""


def start(path, script):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")])}
    return subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(script), str(path)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(*processes):
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return outputs


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


def test_processes_that_make_and_fill_one_ledger_at_once_agree(path):
    script = """
        for number in range(40):
            say("entry", ledger.append(intent_record(f"{os.getpid()}-{number}")).entry.id)
            say("mark", ledger.next_mark(ALGORITHM, KEY_ID, 20))
    """
    lines = [
        line.split() for output in finish(*(start(path, script) for _ in range(3))) for line in output.splitlines()
    ]
    acknowledged = [value for what, value in lines if what == "entry"]
    marks = [value for what, value in lines if what == "mark"]
    with SqliteLedger.open(path, SIGNER) as ledger:
        assert sorted(acknowledged) == sorted(entry.id for _, entry in ledger.entries(limit=1_000))
        assert list(ledger.verify()) == []
    assert len(acknowledged) == len(set(marks)) == 120


WORK = """
    def work(worker):
        number = 0
        while True:
            generation = f"{os.getpid()}-{worker}-{number}"
            ledger.begin("ann", generation, digest(b""), generation)
            intent = intent_record(generation, items=2)
            say("intent", ledger.append(intent).entry.id, generation)
            for item in range(2):
                mark = ledger.next_mark(ALGORITHM, KEY_ID, 40)
                record = released_record(generation, os.urandom(8), mark, item, intent=intent)
                say("released", ledger.append(record).entry.id, generation)
            ledger.finish(generation, repeatable=False)
            say("finished", "-", generation)
            number += 1
    for worker in range(4):
        threading.Thread(target=work, args=(worker,), daemon=True).start()
    threading.Event().wait()
"""


def test_kill_9_loses_nothing_acknowledged_and_leaves_no_intent_open(path):
    random.seed(5)
    acknowledged, last_seen = [], {}
    for _ in range(5):
        process = start(path, WORK)
        assert process.stdout.readline()
        time.sleep(random.uniform(0.0, 0.25))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate(timeout=60)
        for line in rest.splitlines():
            what, entry_id, generation = line.split()
            last_seen[generation] = what
            acknowledged += [entry_id] if what != "finished" else []
    with SqliteLedger.open(path, SIGNER) as ledger:
        assert list(ledger.verify()) == []
        recorded = {entry.id: entry for _, entry in ledger.entries(limit=100_000)}
        assert set(acknowledged) <= set(recorded)
        still_open = ledger.open_claims()
        abandoned = ledger.recover()
        assert still_open >= len(abandoned)
        assert ledger.open_claims() == 0
        assert list(ledger.recover()) == []
        assert list(ledger.verify()) == []
        counts = {}
        for _, entry in ledger.entries(limit=100_000):
            kinds = counts.setdefault(entry.subject, dict.fromkeys(EntryKind, 0))
            kinds[entry.kind] += entry.body["missing"] if entry.kind is EntryKind.ABANDONED else 1
        for generation, kinds in counts.items():
            outcomes = kinds[EntryKind.RELEASED] + kinds[EntryKind.ABANDONED]
            assert (kinds[EntryKind.INTENT], outcomes) == (1, 2), generation
        assert {entry.subject for entry in abandoned}.isdisjoint(
            g for g, what in last_seen.items() if what == "finished"
        )
        assert len(list(Path(f"{path}.owners").iterdir())) == 1  # this process's own
        assert len(last_seen) > 4
    assert list(Path(f"{path}.owners").iterdir()) == []


def test_a_claim_dies_with_its_process(path):
    process = start(
        path,
        """
        ledger.begin("ann", "r", digest(b""), "g1")
        ledger.append(intent_record("g1"))
        say("ready")
        threading.Event().wait()
        """,
    )
    assert process.stdout.readline() == "ready\n"
    with SqliteLedger.open(path, SIGNER) as ledger:
        assert list(ledger.recover()) == []
        process.kill()
        process.communicate()
        assert ledger.begin("ann", "r", digest(b""), "g2") == Attempt(2, "g2")
        assert [entry.kind for _, entry in ledger.entries(subject="g1")] == [EntryKind.INTENT, EntryKind.ABANDONED]


def test_a_forked_child_starts_afresh_and_leaves_the_parents_claims_alone(path):
    process = start(
        path,
        """
        ledger.begin("ann", "r", digest(b""), "g1")
        first = ledger.next_mark(ALGORITHM, KEY_ID, 20)
        ledger.append(intent_record("parent"))
        child = os.fork()
        if child == 0:
            try:
                ledger.begin("ann", "r", digest(b""), "g2")
            except InProgressError:
                say("in progress")
            say("recovered", len(ledger.recover()))
            ledger.append(intent_record("child"))
            say("apart" if ledger.next_mark(ALGORITHM, KEY_ID, 20) > first + 1 else "doubled")
            ledger.close()
            os._exit(0)
        os.waitpid(child, 0)
        ledger.append(intent_record("parent"))
        idle = os.fork()
        if idle == 0:
            threading.Event().wait()
        say("idle", idle)
        os._exit(0)
        """,
    )
    lines = read_to_last_word(process)
    assert lines[:3] == ["in progress", "recovered 0", "apart"]
    idle = int(lines[3].split()[1])
    try:
        with SqliteLedger.open(path, SIGNER) as ledger:
            # The idle child lives on, but the claim was its parent's.
            assert ledger.begin("ann", "r", digest(b""), "g3") == Attempt(2, "g3")
            assert [entry.subject for _, entry in ledger.entries()] == ["parent", "child", "parent"]
            assert list(ledger.verify()) == []
    finally:
        os.kill(idle, signal.SIGKILL)


def read_to_last_word(process):
    """What a process says until its last word, though a child of it may keep the pipe open."""
    lines = []
    while not lines or not lines[-1].startswith("idle"):
        line = process.stdout.readline()
        assert line, "the process ended early"
        lines.append(line.strip())
    process.wait(timeout=60)
    process.stdout.close()
    return lines


def test_an_append_after_another_process_continues_from_its_tip(path):
    with SqliteLedger.open(path, SIGNER) as ledger:
        for number in range(3):
            ledger.append(intent_record(f"mine {number}"))
            finish(start(path, "ledger.append(intent_record('theirs'))"))
        receipt = ledger.append(intent_record("last"))
        assert receipt.index == 6
        verify_receipt(receipt, SIGNER.key)
        assert list(ledger.verify()) == []
