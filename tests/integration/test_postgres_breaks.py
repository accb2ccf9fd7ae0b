"""A connection that breaks in the middle of a commit: the append says what is true, and says it once."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from governance.checkpoint import LogSigner, verify_receipt
from governance.entries import EntryKind
from governance.errors import LedgerError
from governance.testing.example_records import intent_record, outcome_record
from governance_adapters.storage.guards import key_of
from governance_adapters.storage.postgres_ledger import PostgresLedger
from governance_adapters.storage.waiting import NUMBERING
from support.severed import Cut, wire

SIGNER = LogSigner.generate("log.example.org/test")
WRITERS = (
    "SELECT DISTINCT pid FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE datname = current_database()"
    " AND application_name = 'diffusion-governance' AND locktype = 'advisory' AND granted"
)

WAITING = (
    "SELECT DISTINCT pid FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE datname = current_database()"
    " AND application_name = 'diffusion-governance' AND locktype = 'advisory' AND NOT granted"
)


@pytest.fixture
def severed(postgres_url):
    with wire(postgres_url) as (between, url), PostgresLedger.open(url, SIGNER) as ledger:
        ledger.append(intent_record("g"))
        yield between, ledger


def test_a_commit_whose_answer_was_lost_is_an_append(severed):
    between, ledger = severed
    record = outcome_record(EntryKind.DENIED, "g")
    between.cut = Cut.ANSWER
    assert verify_receipt(ledger.append(record), SIGNER.key) == record.entry
    assert between.cuts == 1
    assert [entry for _, entry in ledger.entries()][1:] == [record.entry]
    assert ledger.append(intent_record("h")).index == 2
    assert list(ledger.verify()) == []


def test_a_commit_that_was_never_heard_of_is_an_error_and_leaves_nothing(severed):
    between, ledger = severed
    record = outcome_record(EntryKind.DENIED, "g")
    between.cut = Cut.QUESTION
    with pytest.raises(LedgerError, match="broke") as caught:
        ledger.append(record)
    assert caught.value.remedy
    assert between.cuts == 1
    assert len(ledger.entries()) == 1
    assert ledger.append(record).index == 1
    assert list(ledger.verify()) == []


@pytest.mark.parametrize("cut", Cut)
def test_a_commit_that_broke_off_waits_until_the_session_before_is_over_and_then_says_what_is_true(postgres_url, cut):
    """The server does not notice at once that a client is gone: until it does, nobody knows what its commit came to."""
    record, told = outcome_record(EntryKind.DENIED, "g"), []
    with (
        wire(postgres_url) as (between, url),
        PostgresLedger.open(url, SIGNER, busy_timeout_s=0.2) as ledger,
        psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as watcher,
    ):
        ledger.append(intent_record("g"))

        def append():
            try:
                told.append(ledger.append(record))
            except LedgerError as error:
                told.append(error)

        between.over, between.cut = threading.Event(), cut
        appending = threading.Thread(target=append)
        appending.start()
        waited = set()
        while (
            len(waited) < 2 and appending.is_alive()
        ):  # the first one gave up: the lock was waited for longer than once
            waited |= {pid for (pid,) in watcher.execute(WAITING).fetchall()}
        between.over.set()
        appending.join()
        assert len(waited) == 2
        (answer,) = told
        if cut is Cut.ANSWER:
            assert verify_receipt(answer, SIGNER.key) == record.entry
        else:
            assert isinstance(answer, LedgerError)
            assert answer.remedy
            assert len(ledger.entries()) == 1
            ledger.append(record)
        assert [entry for _, entry in ledger.entries()][1:] == [record.entry]
        assert list(ledger.verify()) == []


def test_a_session_that_ends_while_its_entry_waits_for_an_index_fails_nobody(postgres_url):
    address = postgres_url.replace("+psycopg", "")
    receipts = []
    record = intent_record("g")
    with PostgresLedger.open(postgres_url, SIGNER) as ledger, psycopg.connect(address, autocommit=True) as watcher:
        appending = threading.Thread(target=lambda: receipts.append(ledger.append(record)))
        with psycopg.connect(address) as numbering:
            numbering.execute("SELECT pg_advisory_xact_lock(%s)", (key_of(*NUMBERING),))
            appending.start()
            while not watcher.execute("SELECT 1 FROM entry WHERE seq IS NULL").fetchone():
                time.sleep(0.01)
            ((writer,),) = [row for row in watcher.execute(WRITERS).fetchall() if row[0] != numbering.info.backend_pid]
            watcher.execute("SELECT pg_terminate_backend(%s)", (writer,))
        appending.join()
        (receipt,) = receipts
        assert verify_receipt(receipt, SIGNER.key) == record.entry
        assert list(ledger.verify()) == []
