"""`kill -9` at random moments of `generate`: nothing acknowledged is lost, nothing released is unrecorded."""

from __future__ import annotations

import random
import signal
import time
import warnings
from collections import Counter
from pathlib import Path

import pytest

from governance.checkpoint import verify_receipt
from governance.entries import EntryKind
from governance.merkle import Tree, leaf_hash
from governance.records import asset_digest
from governance.testing import EXAMPLE_MODEL
from governance_adapters.policy.bundle import allow_model
from support.accounts import balanced, files
from support.line_work import Diary, opened
from support.nursery import Nursery

KILLS = 50
EARLY = 10
"""Every so many kills one comes while the process still opens the installation: recovery itself is killed."""
WORK_S, OPENING_S = 2.0, 0.4
"""Within how many seconds a kill comes: ten images or so, and the time it takes to open."""


def wait_for(present, child):
    deadline = time.monotonic() + 60
    while not present():
        assert child.ended() is None, "the child ended by itself"
        assert time.monotonic() < deadline, "the child does not work"
        time.sleep(0.001)


def kill_once(nursery, home, diary, output, moment, *, early):
    """One process, killed `moment` seconds after it was started (`early`), or after it began to work."""
    before = len(diary.lines())
    child = nursery.start("support.line_work:govern_for_ever", str(home), str(diary.path), output=output)
    if not early:
        wait_for(lambda: len(diary.lines()) > before, child)
    time.sleep(moment)
    child.kill(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, output.read_text()


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as opened_nursery:
        yield opened_nursery


def test_kill_9_at_random_moments(settings, nursery, tmp_path, figure):
    allow_model(settings.bundle_path, EXAMPLE_MODEL, name="painted", licence="CC0-1.0")
    diary, output = Diary(tmp_path / "diary"), tmp_path / "output"
    chance = random.Random(20261123)
    left = Counter()
    for number in range(KILLS):
        early = number % EARLY == EARLY - 1
        moment = chance.uniform(0, OPENING_S if early else WORK_S)
        kill_once(nursery, settings.home, diary, output, moment, early=early)
        left.update(left_behind(settings))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        governor = opened(str(settings.home))
    accounts = balanced(settings, governor)
    acknowledged = check_acknowledged(diary, governor, accounts.entries)
    check_growth(diary, accounts.entries)
    asked_again = Counter(entry.body["attempt"] for entry in accounts.entries if "attempt" in entry.body)
    governor.parts.ledger.close()

    assert accounts.counts["abandoned"] >= KILLS // 5, "the kills came at no moment that matters"
    assert acknowledged["released"] >= KILLS
    answered = [int(words[1]) for words in diary.lines() if words[0] == "answered"]
    assert answered == list(range(len(answered))), "a request that was cut off was not answered when asked again"
    assert list((settings.home / "ledger.sqlite3.owners").iterdir()) == []
    figure(
        f"{KILLS} kills at random moments; acknowledged {dict(acknowledged)}; entries {dict(accounts.counts)}; "
        f"files left staged {left['staged']}; entries by attempt {dict(asked_again)}; lost 0, unrecorded 0"
    )
    said = output.read_text()
    assert "Traceback" not in said
    assert "panicked" not in said


def left_behind(settings):
    """What a kill left to be recovered, to know that the kills hit."""
    return Counter({"staged": len(files(settings, "staged"))}) if Path(settings.vault_url).exists() else Counter()


def check_acknowledged(diary, governor, entries):
    """What a caller was told is in the ledger and, if it was released, in the vault, with a receipt that verifies."""
    recorded = {entry.id: entry for entry in entries}
    counts = Counter()
    for kind, *words in diary.lines():
        counts[kind] += 1
        if kind == "released":
            content_digest, entry_id, *_ = words
            entry = recorded[entry_id]
            assert (entry.kind, asset_digest(entry)) == (EntryKind.RELEASED, content_digest)
            assert governor.parts.vault.get(content_digest)
            assert verify_receipt(governor.parts.ledger.receipt(entry_id), governor.parts.log_key) == entry
        elif kind == "withheld":
            verdict, entry_id = words
            assert recorded[entry_id].kind.value == verdict == "denied"
    return counts


def check_growth(diary, entries):
    """Every checkpoint that was ever handed out is one of the tree as it stands: it only grew."""
    handed_out = {int(words[3]): words[4] for words in diary.lines() if words[0] == "released"}
    assert len(handed_out) > 1
    tree = Tree(0, lambda _level, _number: b"")
    for size, entry in enumerate(entries, start=1):
        tree.extend([leaf_hash(entry.leaf())])
        assert handed_out.get(size, tree.root().hex()) == tree.root().hex()
