"""Several processes find what one finds, word for word and in the same order, and none of them ends in silence."""

import os
import random
import signal
import threading
import time
import warnings
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import delete, insert

from governance.checkpoint import LogSigner
from governance.merkle import TILE_WIDTH
from governance.testing.example_records import intent_record
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.storage.audit import Audit
from governance_adapters.storage.audit_parts import SPAN, Told
from governance_adapters.storage.audit_processes import several
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.postgres_ledger import PostgresLedger
from governance_adapters.storage.tables import METADATA
from proof.alterations import ALTERATIONS, Altering
from proof.kills import DATABASES
from proof.mutations import prepared_on, snapshot
from support import postgres
from support.real import require

SIGNER = LogSigner.generate("log.example.org/verify")
TOGETHER = 5
"""Alterations at once, so that there is an order to keep."""
ROUNDS = 3
KINDS = 30
"""So many rounds and kinds a sample has, the databases together."""


@pytest.fixture(scope="module")
def prepared(request):
    if request.param == "postgresql":
        require("postgres", postgres.available(), postgres.WHY)
    with ExitStack() as stack:
        with warnings.catch_warnings(action="ignore", category=InsecureKeyWarning):
            found = stack.enter_context(prepared_on(request.param))
        yield found


def told(database):
    return Told(database.damage, database.translated)


def found_by(ledger, processes, span=TILE_WIDTH, key=None):
    """What an audit in parts of one tile finds."""
    database = ledger._held().database
    key = key or ledger._key
    with database.reading() as connection, several(database, connection, key, processes) as elsewhere:
        assert (elsewhere is not None) == (processes > 1), "the processes could not be had"
        return list(Audit(connection, key, told(database), span=span, elsewhere=elsewhere).problems())


@contextmanager
def altered(prepared, kinds, chance):
    """The ledger with these alterations, for everybody to see, and afterwards as it was."""
    with prepared.engine.connect() as connection:
        with connection.begin():
            rows = snapshot(connection)
        with connection.begin():
            for kind in kinds:
                with connection.begin_nested():
                    ALTERATIONS[kind](Altering(connection, rows, chance))
    try:
        yield
    finally:
        with prepared.engine.connect() as connection, connection.begin():
            restore(connection, rows)


def read_only(prepared):
    """The ledger as it stands, sound or not."""
    opener = PostgresLedger if "://" in prepared.where else SqliteLedger
    return opener.open_read_only(prepared.where, prepared.signer.key)


def restore(connection, rows):
    for name, table in METADATA.tables.items():
        connection.execute(delete(table))
        if rows[name]:
            connection.execute(insert(table), [dict(row) for row in rows[name]])


def independent(chance):
    """Some kinds of alterations that can be done one after the other: none looks for what another took away."""
    kinds = [kind for kind in ALTERATIONS if not kind.startswith(("entry: two swapped", "entry: deleted"))]
    return chance.sample(kinds, TOGETHER)


def pytest_generate_tests(metafunc):
    """What is done many times takes long: `make proof` does all of it on each database, the tests some of it on each."""
    every = metafunc.config.getoption("--every-class")
    kinds = sorted(ALTERATIONS) if every else random.Random(5).sample(sorted(ALTERATIONS), KINDS)
    many = {"kinds": kinds, "seeds": list(range(ROUNDS))}
    shared = 1 if every else len(DATABASES)
    for name in many.keys() & set(metafunc.fixturenames):
        given = [(database, many[name][place % shared :: shared]) for place, database in enumerate(DATABASES)]
        metafunc.parametrize(("prepared", name), given, ids=DATABASES, indirect=["prepared"], scope="module")


def test_parts_of_any_length_come_to_the_same(prepared, kinds):
    chance = random.Random(5)
    with prepared.engine.connect() as connection:
        with connection.begin():
            rows = snapshot(connection)
        for kind in kinds:
            with connection.begin() as transaction:
                ALTERATIONS[kind](Altering(connection, rows, chance))
                one, other = (
                    list(Audit(connection, prepared.signer.key, Told(lambda _: iter(())), span=span).problems())
                    for span in (TILE_WIDTH, SPAN)
                )
                transaction.rollback()
            assert one == other, kind
            assert one, kind
            assert len(one) == len(set(one)), kind


def test_several_processes_name_what_one_names(prepared, seeds):
    assert seeds
    for seed in seeds:
        look_with_several(prepared, random.Random(seed))


def look_with_several(prepared, chance):
    for _ in range(20):  # alterations that stand in each other's way are drawn again
        try:
            with altered(prepared, independent(chance), chance), read_only(prepared) as reader:
                one = found_by(reader, 1)
                assert one
                assert found_by(reader, 3) == one
                assert found_by(reader, 1, span=SPAN) == one
                assert list(reader.verify(processes=2)) == list(reader.verify()) == one
            return
        except (AssertionError, IndexError) as error:
            if "nothing would change" not in str(error) and not isinstance(error, IndexError):
                raise
    raise AssertionError("no alterations were done")


@pytest.fixture
def ledger(tmp_path):
    with SqliteLedger.open(tmp_path / "ledger.sqlite3", SIGNER) as opened:
        for number in range(20):
            opened.append(intent_record(f"g{number}"))
        yield opened


def test_a_ledger_that_grows_meanwhile_gives_no_false_problem(ledger):
    done = threading.Event()

    def write():
        while not done.is_set():
            ledger.append(intent_record("more"))

    writing = threading.Thread(target=write)
    writing.start()
    try:
        assert [list(ledger.verify(processes=2)) for _ in range(3)] == [[], [], []]
        assert found_by(ledger, 2) == []
    finally:
        done.set()
        writing.join()


def children():
    """The processes that share an audit of this one."""
    found = []
    for each in Path("/proc").iterdir():
        try:
            parent = (each / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid() and "audit_worker" in (each / "cmdline").read_text():
                found.append(int(each.name))
        except (OSError, ValueError, IndexError):
            continue
    return found


def test_a_process_that_is_killed_is_a_problem_and_never_sound(ledger):
    database = ledger._held().database
    with database.reading() as connection, several(database, connection, SIGNER.key, 2) as elsewhere:
        killed = children()[0]
        os.kill(killed, signal.SIGKILL)
        problems = list(Audit(connection, SIGNER.key, told(database), elsewhere=elsewhere).problems())
    assert "SIGKILL" in problems[-1]
    assert "not everything was looked at" in problems[-1]
    assert children() == []


def test_an_interrupt_gets_out_and_leaves_no_process(ledger):
    def interrupt():
        while not children():
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    other = threading.Thread(target=interrupt)
    other.start()
    interrupted = False
    try:
        for _ in range(50):
            assert list(ledger.verify(processes=2)) == []
    except KeyboardInterrupt:  # not kept: one that was just starting ends when nobody holds its pipes any more
        interrupted = True
    other.join()
    assert interrupted
    deadline = time.monotonic() + 20
    while children() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert children() == []


def test_where_no_process_can_read_the_database_one_does_it_all(ledger, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    assert list(ledger.verify(processes=2)) == []


def test_without_the_index_only_what_is_derived_is_left_out(ledger):
    with ledger._held().database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM posting")
    assert len(list(ledger.verify())) == 20
    assert list(ledger.verify(index=False)) == []
