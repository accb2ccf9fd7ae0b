"""Holds in the ledger's file: processes that race for them, and an audit that does not believe a row."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from governance.canonical import canonical_bytes
from governance.entries import EntryKind, HoldState, Record
from governance.errors import HeldError
from governance.governor import Governor
from governance.holds import hold_named, state_after
from governance.recovery import recover
from governance.review import ReviewDesk
from governance.testing import FakePipeline, fake_parts
from governance.types import Outcome, Stage
from governance_adapters.storage.ledger import SqliteLedger
from support.budget_race import SIGNER
from support.hold_race import line_in
from support.nursery import environment
from support.reviewing import ANN, BOB, CODES, HELD, ReviewPolicy, request

HOLDS = 12


def line_over(path, policy=None):
    ledger = SqliteLedger.open(path, SIGNER, busy_timeout_s=30)
    return fake_parts(ledger=ledger, log_key=SIGNER.key, policy=policy or ReviewPolicy())


def hold(parts, **changes):
    with suppress(HeldError):
        Governor(parts).generate(request(**changes), FakePipeline())
    return parts.ledger.holds(limit=1000)[-1]


@pytest.mark.parametrize("acts", [("approve", "approve"), ("approve", "reject", "settle")], ids="-".join)
def test_processes_that_race_end_each_hold_once(tmp_path, acts):
    parts = line_in(tmp_path, ReviewPolicy())
    hold(parts, images=HOLDS, seeds=tuple(range(HOLDS)))
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "support.hold_race", str(tmp_path), act],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for act in acts
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    ended = Counter()
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        output, _ = racer.communicate(timeout=120)
        assert racer.returncode == 0
        ended.update({word: int(count) for word, count in map(str.split, output.splitlines())})
    kinds = Counter(entry.kind for _, entry in parts.ledger.entries(limit=1000))
    assert ended["done"] == kinds[EntryKind.APPROVED] == kinds[EntryKind.RELEASED]
    assert ended["rejected"] == kinds[EntryKind.REJECTED]
    assert kinds[EntryKind.RELEASED] + kinds[EntryKind.REJECTED] == HOLDS
    assert sum(ended.values()) == HOLDS * len(acts)
    assert EntryKind.FAILED not in kinds
    states = Counter(record.state for record in parts.ledger.holds(limit=1000))
    assert states == +Counter({HoldState.DONE: ended["done"], HoldState.REJECTED: ended["rejected"]})
    assert list(parts.ledger.verify()) == []
    recover(parts.ledger, parts.vault, parts.quarantine)
    assert (parts.quarantine.holds(), parts.vault.staged()) == ([], [])
    for _, entry in parts.ledger.entries(kind=EntryKind.RELEASED, limit=1000):
        assert parts.vault.get(entry.body["asset"]["digest"])
    parts.ledger.close()


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """One hold in each state, at release, and a used one at admission."""
    path = tmp_path_factory.mktemp("holds") / "ledger.sqlite"
    parts = line_over(path, ReviewPolicy(needed=1))
    desk = ReviewDesk(parts)
    for name in ("open", "done", "rejected"):
        record = hold(parts, id=name)
        desk.lease(ANN, record.id)
        if name == "open":
            desk.escalate(ANN, record.id, "legal", CODES)
        else:
            getattr(desk, {"done": "approve", "rejected": "reject"}[name])(ANN, record.id, CODES)
    asked = ReviewPolicy(needed=1, admission=(Outcome.REVIEW, (HELD,), {}), release=(Outcome.ALLOW, (), {}))
    parts = replace(parts, policy=asked)
    record = hold(parts, id="admitted")
    desk = ReviewDesk(parts)
    desk.lease(BOB, record.id)
    desk.approve(BOB, record.id, CODES)
    Governor(parts).generate(request(id="admitted"), FakePipeline())
    assert list(parts.ledger.verify()) == []
    parts.ledger.close()
    return path


class TestAudit:
    @pytest.fixture
    def path(self, original, tmp_path):
        return Path(shutil.copy(original, tmp_path))

    def problems(self, path, *statements):
        with closing(sqlite3.connect(path)) as connection, connection:
            for statement, *values in statements:
                assert connection.execute(statement, values).rowcount > 0
        with SqliteLedger.open_read_only(path, SIGNER.key) as ledger:
            return list(ledger.verify())

    def test_all_is_well(self, path):
        assert self.problems(path) == []

    @pytest.mark.parametrize(
        ("stage", "before"), [("release", "open"), ("release", "done"), ("release", "rejected"), ("admission", "done")]
    )
    def test_a_row_in_another_state_is_named(self, path, stage, before):
        for after in {state.value for state in HoldState} - {before}:
            altered = shutil.copy(path, path.with_name(f"{after}.sqlite"))
            problems = self.problems(
                altered, ("UPDATE hold SET state = ? WHERE state = ? AND stage = ?", after, before, stage)
            )
            assert any(repr(after) in problem for problem in problems), after

    @pytest.mark.parametrize(
        "column", ["queue", "entry_id", "subject", "stage", "changed_by", "opened", "due", "expires", "item"]
    )
    def test_an_altered_row_is_named(self, path, column):
        assert self.problems(path, (f"UPDATE hold SET {column} = '7'",))

    def test_a_used_admission_made_usable_again_is_named(self, path):
        with SqliteLedger.open_read_only(path) as ledger:
            record = next(record for record in ledger.holds() if record.item is None)
            approved = [entry for _, entry in ledger.entries(subject=record.subject, kind=EntryKind.APPROVED)][-1]
        statement = "UPDATE hold SET state = 'approved', changed_by = ? WHERE id = ?"
        (problem,) = self.problems(path, (statement, approved.id, record.id))
        assert "leaves hold" in problem

    def test_a_missing_row_is_named(self, path):
        assert len(self.problems(path, ("DELETE FROM hold WHERE state = 'open'",))) >= 1
        assert len(self.problems(path, ("DELETE FROM hold",))) >= 4

    def test_a_row_that_nothing_opened_is_named(self, path):
        copied = (
            "INSERT INTO hold SELECT 'made-up', entry_id, subject, stage, item, queue, opened, state, due, expires, "
        )
        rest = "request, version, holder, leased_until, changed_by FROM hold WHERE state = 'done' LIMIT 1"
        (problem,) = self.problems(path, (copied + rest,))
        assert "made-up" in problem

    def test_a_lease_is_nobodys_record(self, path):
        assert (
            self.problems(path, ("UPDATE hold SET holder = 'ann', leased_until = '2999', version = version + 1",)) == []
        )

    @pytest.mark.parametrize("after", [False, True])
    def test_an_approval_that_was_written_after_its_use_is_named(self, original, tmp_path, after):
        with SqliteLedger.open(original, SIGNER) as ledger:
            (record,) = [each for each in ledger.holds(limit=1000) if each.stage is Stage.ADMISSION]
            named = [entry for _, entry in ledger.entries(limit=1000) if hold_named(entry) == record.id]
            kept = {entry.id: tuple(ledger.fields(entry.id)) for entry in named}
        opened, approved, used = named
        order = (opened, used, approved) if after else (opened, approved, used)
        with SqliteLedger.open(tmp_path / "other.sqlite", SIGNER) as ledger:
            for version, entry in enumerate(order):
                stands = replace(record, state=state_after(entry), version=version)
                ledger.append(Record(entry, kept[entry.id], hold=stands))
            found = [problem for problem in ledger.verify() if "its approvals are not the entries before it" in problem]
        assert bool(found) is after

    def test_an_approval_that_was_altered_is_named_where_it_is_used(self, path):
        with SqliteLedger.open_read_only(path) as ledger:
            approved = next(entry for _, entry in ledger.entries(kind=EntryKind.APPROVED))
        leaf = json.loads(approved.leaf())
        leaf["body"]["codes"] = ["brand.other"]
        problems = self.problems(path, ("UPDATE entry SET leaf = ? WHERE id = ?", canonical_bytes(leaf), approved.id))
        assert any("its approvals are not the entries" in problem for problem in problems)


def test_a_page_of_many_holds_is_quick_to_find(tmp_path):
    parts = line_over(tmp_path / "ledger.sqlite")
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as connection:
        for where in ("state = 'open'", "queue = 'legal' AND state = 'open'", "queue = 'legal'"):
            query = f"EXPLAIN QUERY PLAN SELECT * FROM hold WHERE id > 'x' AND {where} ORDER BY id LIMIT 50"
            plan = " ".join(row[-1] for row in connection.execute(query))
            assert "SCAN" not in plan, where
    parts.ledger.close()
