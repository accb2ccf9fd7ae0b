"""The ledger on PostgreSQL: many writers, sessions that break, rows that others put in, and a backup while they write."""

from __future__ import annotations

import os
import threading
import warnings
from contextlib import closing, contextmanager

import psycopg
import pytest

from governance.canonical import digest
from governance.checkpoint import LogSigner, parse_checkpoint, verify_checkpoint, verify_receipt
from governance.entries import Attempt, EntryKind, Recorded
from governance.errors import (
    ConfigurationError,
    EmptyLedgerError,
    LedgerError,
    LedgerTooNewError,
    NoEntryError,
    ProofError,
)
from governance.testing.example_records import intent_record, outcome_record, released_record
from governance_adapters.storage.guards import key_of
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.numbering import BATCH
from governance_adapters.storage.postgres import PostgresDatabase, parsed_url
from governance_adapters.storage.postgres_ledger import PostgresLedger
from governance_adapters.storage.transaction import Prepared
from governance_adapters.storage.waiting import NUMBERING, InBatches

SIGNER = LogSigner.generate("log.example.org/test")
FACTS = digest(b"facts")


def plain(url):
    """The URL as psycopg itself takes it."""
    return url.replace("postgresql+psycopg://", "postgresql://")


@contextmanager
def session(url, **options):
    with closing(psycopg.connect(plain(url), **options)) as connection:
        yield connection


def execute(url, statement, *values):
    with session(url, autocommit=True) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def write_sessions(url):
    """The backends that hold claims: those that write."""
    return [
        pid
        for (pid,) in execute(
            url,
            "SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
    ]


@pytest.fixture
def opened():
    ledgers = []
    yield ledgers
    for ledger in ledgers:
        ledger.close()


@pytest.fixture
def open_ledger(opened, postgres_url):
    def open_one(**options):
        ledger = PostgresLedger.open(postgres_url, SIGNER, **options)
        opened.append(ledger)
        return ledger

    return open_one


def test_many_writers_make_one_log_without_gaps(open_ledger):
    ledgers = [open_ledger() for _ in range(3)]
    receipts, errors = [], []

    def write(ledger, name):
        try:
            for number in range(20):
                receipts.append(ledger.append(intent_record(f"{name}-{number}")))
        except LedgerError as error:
            errors.append(error)

    threads = [
        threading.Thread(target=write, args=(ledger, f"{at}-{each}"))
        for at, ledger in enumerate(ledgers)
        for each in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(receipt.index for receipt in receipts) == list(range(240))
    for receipt in receipts:
        verify_receipt(receipt, SIGNER.key)
    assert list(ledgers[0].verify()) == []
    assert verify_checkpoint(ledgers[1].checkpoint(), SIGNER.key).size == 240


def test_one_sequencer_at_a_time_and_what_waited_is_numbered_by_whoever_comes_next(open_ledger, postgres_url):
    ledger = open_ledger(busy_timeout_s=0.3)
    record = intent_record("g")
    with session(postgres_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (key_of(*NUMBERING),))
        with pytest.raises(LedgerError, match="no index yet"):
            ledger.append(record)
        # It is durable, and nobody may take it for absent: the ledger does not answer rather than say that it lacks it.
        with pytest.raises(LedgerError, match="locked"):
            ledger.entries(subject="g")
        with pytest.raises(NoEntryError):
            ledger.entry(record.entry.id)
        assert parse_checkpoint(ledger.checkpoint()).size == 0
        assert list(ledger.verify()) == []
    assert [entry for _, entry in ledger.entries(subject="g")] == [record.entry]
    verify_receipt(ledger.receipt(record.entry.id), SIGNER.key)
    assert list(ledger.verify()) == []


def test_what_a_vanished_writer_left_waiting_is_numbered_when_the_ledger_is_opened(open_ledger, postgres_url):
    ledger = open_ledger(busy_timeout_s=0.3)
    record = intent_record("g")
    with session(postgres_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (key_of(*NUMBERING),))
        with pytest.raises(LedgerError):
            ledger.append(record)
    ledger.close()
    with PostgresLedger.open_read_only(postgres_url, SIGNER.key) as reader:
        assert reader.entries() == []
    assert open_ledger().entries() == [(0, record.entry)]


def test_however_many_wait_nobody_takes_the_last_for_absent(open_ledger, postgres_url):
    ledger = open_ledger()
    prepared = [Prepared.of(intent_record(f"g{number}")) for number in range(BATCH + 50)]
    with closing(PostgresDatabase(parsed_url(postgres_url))) as database, database.writing() as connection:
        InBatches(SIGNER).insert(connection, [each.row() for each in prepared])
    last = prepared[-1].record.entry
    assert [entry for _, entry in ledger.entries(subject=last.subject)] == [last]
    assert verify_checkpoint(ledger.checkpoint(), SIGNER.key).size == len(prepared)


@pytest.mark.parametrize("column", ["kind", "subject", "asset_digest"])
def test_a_page_of_what_is_looked_up_is_read_in_the_order_of_the_log(open_ledger, postgres_url, column):
    open_ledger().append(intent_record("g"))
    with session(postgres_url) as connection:
        connection.execute("SET enable_seqscan = off")
        question = f"EXPLAIN SELECT leaf FROM entry WHERE {column} = 'x' AND seq > 7 ORDER BY seq LIMIT 100"
        plan = "\n".join(line for (line,) in connection.execute(question))
    assert f"ix_entry_{column}" in plan
    assert "Sort" not in plan


def test_a_servers_own_defaults_change_nothing(postgres_cluster, postgres_url):
    name = postgres_url.rpartition("/")[2]
    for setting in ("default_transaction_isolation = 'repeatable read'", "default_transaction_read_only = on"):
        postgres_cluster.execute(f'ALTER DATABASE "{name}" SET {setting}')
    with PostgresLedger.open(postgres_url, SIGNER) as first, PostgresLedger.open(postgres_url, SIGNER) as second:
        threads = [
            threading.Thread(target=lambda ledger=ledger: [ledger.append(intent_record("g")) for _ in range(20)])
            for ledger in (first, second)
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(first.entries(limit=1000)) == 120
        assert list(second.verify()) == []


def test_a_row_that_no_holder_of_the_key_wrote_is_never_signed(open_ledger, postgres_url):
    ledger = open_ledger()
    entry = intent_record("forged").entry
    execute(
        postgres_url,
        "INSERT INTO entry (id, kind, subject, time, leaf) VALUES (%s, 'intent', 'forged', %s, %s)",
        entry.id,
        entry.time,
        entry.leaf(),
    )
    with pytest.raises(ProofError, match=entry.id):
        ledger.append(intent_record("g"))
    assert parse_checkpoint(ledger.checkpoint()).size == 0
    execute(postgres_url, "DELETE FROM entry WHERE id = %s", entry.id)
    assert ledger.append(intent_record("g")).index == 0


def test_a_broken_session_is_replaced_and_its_claims_stay(open_ledger, postgres_url):
    ledger = open_ledger()
    assert isinstance(ledger.begin("ann", "r", FACTS, "g"), Attempt)
    ledger.append(intent_record("g"))
    (writer,) = write_sessions(postgres_url)
    execute(postgres_url, "SELECT pg_terminate_backend(%s)", writer)
    with pytest.raises(LedgerError, match=r"broke|going down"):
        ledger.append(outcome_record(EntryKind.DENIED, "g"))
    # Nobody looked meanwhile: the claim is this ledger's still.
    ledger.append(outcome_record(EntryKind.DENIED, "g"))
    ledger.finish("g", repeatable=False)
    assert isinstance(ledger.begin("ann", "r", FACTS, "h"), Recorded)
    assert list(ledger.verify()) == []


def test_a_call_that_was_closed_while_its_session_was_broken_releases_nothing(open_ledger, postgres_url):
    cut_off = open_ledger()
    intent = intent_record("g")
    cut_off.begin("ann", "r", FACTS, "g")
    cut_off.append(intent)
    (writer,) = write_sessions(postgres_url)
    execute(postgres_url, "SELECT pg_terminate_backend(%s)", writer)
    other = open_ledger()
    assert [entry.kind for entry in other.recover()] == [EntryKind.ABANDONED]
    released = released_record("g", b"bytes", mark_id=1, intent=intent)
    for _ in range(2):  # the first finds the session broken, the second a new one
        with pytest.raises(LedgerError):
            cut_off.append(released)
    with pytest.raises(LedgerError, match="abandoned"):
        cut_off.append(released)
    assert other.find_asset(digest(b"bytes")) is None
    assert cut_off.append(intent_record("h")).index == 2
    assert list(other.verify()) == []


def test_claims_of_a_living_process_are_not_taken(open_ledger):
    first, second = open_ledger(), open_ledger()
    first.begin("ann", "r", FACTS, "g")
    first.append(intent_record("g"))
    assert second.recover() == []
    first.close()
    assert [entry.kind for entry in second.recover()] == [EntryKind.ABANDONED]


def test_a_forked_child_has_connections_of_its_own(open_ledger):
    ledger = open_ledger()
    ledger.append(intent_record("parent"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the parent has threads, as any program with a writer has
        child = os.fork()
    if child == 0:
        try:
            ledger.append(intent_record("child"))
            ledger.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    ledger.append(intent_record("parent"))
    assert [entry.subject for _, entry in ledger.entries()] == ["parent", "child", "parent"]


def test_a_backup_is_whole_while_others_write(open_ledger, tmp_path):
    ledgers, done, errors = [open_ledger(), open_ledger()], threading.Event(), []

    def write(ledger):
        while not done.is_set():
            try:
                ledger.append(intent_record("g"))
            except LedgerError as error:
                errors.append(error)

    threads = [threading.Thread(target=write, args=(ledger,)) for ledger in ledgers for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        checkpoints = [ledgers[0].back_up(tmp_path / f"{number}.sqlite3") for number in range(3)]
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert errors == []
    for number, checkpoint in enumerate(checkpoints):
        with SqliteLedger.open_read_only(tmp_path / f"{number}.sqlite3", SIGNER.key) as backup:
            assert list(backup.verify()) == []
            assert verify_checkpoint(backup.checkpoint(), SIGNER.key) == checkpoint
    with pytest.raises(LedgerError, match="exists"):
        ledgers[0].back_up(tmp_path / "0.sqlite3")


class TestOpening:
    def test_an_empty_database_is_filled_only_when_asked(self, postgres_url):
        with pytest.raises(EmptyLedgerError):
            PostgresLedger.open(postgres_url, SIGNER, create=False)
        with pytest.raises(EmptyLedgerError):
            PostgresLedger.open_read_only(postgres_url)
        PostgresLedger.open(postgres_url, SIGNER).close()
        PostgresLedger.open(postgres_url, SIGNER, create=False).close()

    def test_another_programs_database_is_left_alone(self, postgres_url):
        execute(postgres_url, "CREATE TABLE theirs (id INT)")
        with pytest.raises(LedgerError, match="not a ledger"):
            PostgresLedger.open(postgres_url, SIGNER)
        assert execute(postgres_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(1,)]

    def test_a_schema_newer_than_the_code_is_named(self, open_ledger, postgres_url):
        open_ledger().close()
        execute(postgres_url, "UPDATE alembic_version SET version_num = '9999'")
        for opening in (
            lambda: PostgresLedger.open(postgres_url, SIGNER),
            lambda: PostgresLedger.open_read_only(postgres_url),
        ):
            with pytest.raises(LedgerTooNewError, match="9999"):
                opening()

    def test_another_key_is_refused(self, open_ledger, postgres_url):
        open_ledger().close()
        with pytest.raises(LedgerError, match="does not verify"):
            PostgresLedger.open(postgres_url, LogSigner.generate("log.example.org/test"))

    def test_who_reads_writes_nothing(self, open_ledger, postgres_url):
        open_ledger().append(intent_record("g"))
        with PostgresLedger.open_read_only(postgres_url, SIGNER.key) as reader:
            assert len(reader.entries(subject="g")) == 1
            with pytest.raises(LedgerError, match="reading only"):
                reader.append(intent_record("g"))
            assert list(reader.verify()) == []

    @pytest.mark.parametrize(
        "address", ["sqlite:///ledger.sqlite3", "postgresql://host", "no url", "postgresql://h:x/d", "mysql://h/d"]
    )
    def test_what_is_no_url_of_a_database_is_refused_without_quoting_it(self, address):
        with pytest.raises(ConfigurationError, match="password file") as refused:
            PostgresLedger.open(address, SIGNER)
        assert address not in str(refused.value)

    def test_a_server_that_is_not_there_is_named_without_its_password(self):
        with pytest.raises(LedgerError, match="connection") as refused:
            PostgresLedger.open("postgresql://ann:hidden@127.0.0.1:1/ledger", SIGNER)
        assert "hidden" not in str(refused.value)
        assert "127.0.0.1:1/ledger" in str(refused.value)

    def test_a_password_among_the_options_is_not_quoted_either(self):
        with pytest.raises(LedgerError) as refused:
            PostgresLedger.open("postgresql://ann@127.0.0.1:1/ledger?password=hidden", SIGNER)
        assert "hidden" not in str(refused.value)

    def test_a_server_that_could_lose_what_it_acknowledged_is_named(self, open_ledger, postgres_cluster):
        if postgres_cluster.folder is None:
            pytest.skip("the settings of a server that is not ours stay as they are")
        ledger = open_ledger()
        try:
            postgres_cluster.execute("ALTER SYSTEM SET full_page_writes = off")
            postgres_cluster.execute("SELECT pg_reload_conf()")
            for _ in range(100):
                (problem,) = list(ledger.verify()) or [""]
                if problem:
                    break
            assert "full_page_writes" in problem
        finally:
            postgres_cluster.execute("ALTER SYSTEM RESET full_page_writes")
            postgres_cluster.execute("SELECT pg_reload_conf()")
