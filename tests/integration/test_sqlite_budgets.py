"""Budgets between processes: two governors race for what is left of one principal's day, over one ledger file."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

from governance.entries import EntryKind
from governance.testing import example_request
from governance_adapters.storage.ledger import SqliteLedger
from support.budget_race import SIGNER, THREADS
from support.nursery import environment

PROCESSES, ROUNDS, BUDGET = 2, 4, 9
"""Fewer than the `PROCESSES * THREADS` requests that are all admitted while nothing is spent."""


def start(path, name):
    arguments = (str(path), name, str(BUDGET), str(ROUNDS))
    return subprocess.Popen(
        [sys.executable, "-m", "support.budget_race", *arguments],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_governors_in_two_processes_never_overspend_together(tmp_path, figure):
    path = tmp_path / "ledger.sqlite"
    racers = [start(path, f"racer-{number}") for number in range(PROCESSES)]
    for racer in racers:  # every thread of both was allowed, on a usage of nothing
        assert racer.stdout.readline() == "ready\n"
    ended = Counter()
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        output, _ = racer.communicate(timeout=120)
        assert racer.returncode == 0
        ended.update({word: int(count) for word, count in map(str.split, output.splitlines())})

    asked = PROCESSES * THREADS * ROUNDS
    with SqliteLedger.open(path, SIGNER) as ledger:
        kinds = Counter(entry.kind for _, entry in ledger.entries(limit=1_000))
        days = {entry.time[:10] for _, entry in ledger.entries(limit=1_000)}
        spent = {day: ledger.usage(example_request().principal.id, day).images for day in days}
        assert list(ledger.verify()) == []
    print(
        f"\nadmitted {kinds[EntryKind.INTENT]} of a budget of {BUDGET}, denied {kinds[EntryKind.DENIED]} of {asked} asked"
    )
    assert max(spent.values()) == BUDGET
    assert kinds[EntryKind.INTENT] == sum(spent.values())
    assert kinds[EntryKind.INTENT] == kinds[EntryKind.RELEASED] == ended["released"]
    assert kinds[EntryKind.DENIED] == ended["budget.images"] == asked - sum(spent.values())
    assert EntryKind.FAILED not in kinds
