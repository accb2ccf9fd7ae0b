"""The ledger on a real file: group commit, several processes, every way the file can fail, and every alteration."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import signal
import sqlite3
import stat
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from governance.canonical import digest
from governance.checkpoint import LogSigner, verify_receipt
from governance.entries import Entry, EntryKind, Receipt, Record
from governance.errors import BudgetError, ConflictError, GovernanceError, LedgerError
from governance.testing.example_records import ALGORITHM, KEY_ID, intent_record, outcome_record, released_record
from governance.testing.ledger_budgets import DAY, spending_record
from governance.types import Usage, new_id
from governance_adapters.storage.ledger import SqliteLedger

SIGNER = LogSigner.generate("log.example.org/test")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path):
    with SqliteLedger.open(path, SIGNER, busy_timeout_s=0.2) as opened:
        yield opened


def query(path, *statements):
    """What any other program could do to the file; returns the rows of the last statement."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [connection.execute(*statement).fetchall() for statement in statements][-1]


@contextmanager
def write_lock(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def append_together(path, ledger, records):
    """Append from one thread each, all queued while the file is locked; returns receipts and errors by position."""
    return call_together(path, [partial(ledger.append, record) for record in records])


def call_together(path, calls):
    """Call from one thread each, all queued while the file is locked; returns results and errors by position."""
    results = [None] * len(calls)

    def work(position):
        try:
            results[position] = calls[position]()
        except GovernanceError as error:
            results[position] = error

    threads = [threading.Thread(target=work, args=(position,)) for position in range(len(calls))]
    with write_lock(path):
        for thread in threads:
            thread.start()
        time.sleep(0.3)
    for thread in threads:
        thread.join()
    return results


@pytest.fixture
def patient(path):
    with SqliteLedger.open(path, SIGNER, busy_timeout_s=20) as opened:
        yield opened


def test_appends_that_wait_together_share_one_checkpoint(path, patient):
    results = append_together(path, patient, [intent_record(new_id()) for _ in range(20)])
    assert sorted(receipt.index for receipt in results) == list(range(20))
    for receipt in results:
        verify_receipt(receipt, SIGNER.key)
    # One for the empty tree, one for the first waiter, one for those that queued behind it (and slack for a slow start).
    assert query(path, ("SELECT count(*) FROM checkpoint",))[0][0] <= 6
    assert list(patient.verify()) == []


def test_one_bad_record_does_not_fail_its_siblings(path, patient):
    known = intent_record("known")
    patient.append(known)
    huge = released_record("huge", b"huge", mark_id=2**70)
    good = [intent_record(new_id()) for _ in range(6)]
    results = append_together(path, patient, [*good[:3], known, huge, *good[3:]])
    assert [isinstance(result, LedgerError) for result in results] == [False] * 3 + [True] * 2 + [False] * 3
    for receipt in (*results[:3], *results[5:]):
        verify_receipt(receipt, SIGNER.key)
    assert len(patient.entries()) == 7
    assert list(patient.verify()) == []


def test_one_that_is_above_its_budget_does_not_fail_its_siblings(path, patient):
    known = spending_record("bob")
    patient.append(known)
    records = [spending_record(each, {"images": 2}) for each in ("ann", "bob", "ann", "ann", "cleo", "bob", "ann")]
    results = append_together(path, patient, [*records, known])
    fitted = [records[at].spending.principal_id for at in range(len(records)) if isinstance(results[at], Receipt)]
    assert sorted(fitted) == ["ann", "ann", "bob", "cleo"]
    assert [type(result) for result in results if not isinstance(result, Receipt)] == [BudgetError] * 3 + [LedgerError]
    for receipt in results:
        if isinstance(receipt, Receipt):
            verify_receipt(receipt, SIGNER.key)
    assert [patient.usage(each, DAY).images for each in ("ann", "bob", "cleo")] == [2, 2, 1]
    assert len(patient.entries()) == 5
    assert list(patient.verify()) == []


def test_a_job_that_fails_among_spending_appends_changes_no_sum(path, patient):
    patient.begin("ann", "r", digest(b"facts"), "g")
    conflict = partial(patient.begin, "ann", "r", digest(b"others"), "h")
    appends = [partial(patient.append, spending_record(budget={"images": 3})) for _ in range(5)]
    results = call_together(path, [*appends[:2], conflict, *appends[2:4], conflict, *appends[4:]])
    assert [type(result) for result in results if isinstance(result, GovernanceError)].count(ConflictError) == 2
    assert sorted(result.index for result in results if isinstance(result, Receipt)) == [0, 1, 2]
    assert patient.usage("ann", DAY) == Usage(3, 90, 300, 9_000)
    assert list(patient.verify()) == []


def test_two_ledgers_over_one_file_count_together(path, ledger):
    budget = {"images": 2}
    with SqliteLedger.open(path, SIGNER) as other:
        ledger.append(spending_record(budget=budget))
        other.append(spending_record(budget=budget))
        for each in (ledger, other):
            with pytest.raises(BudgetError, match="2 of the 2") as caught:
                each.append(spending_record(budget=budget))
            assert caught.value.remedy
        assert ledger.usage("ann", DAY) == other.usage("ann", DAY)


def test_usage_can_be_erased_and_names_nobody(path, ledger):
    ledger.append(spending_record("designer@example.org", {"images": 1}))
    ((principal, day, *sums),) = query(path, ("SELECT * FROM usage",))
    assert (len(principal), day, sums) == (64, DAY, [1, 30, 100, 3_000])
    assert principal != hashlib.sha256(b"designer@example.org").hexdigest()
    query(path, ("DELETE FROM usage",))
    assert list(ledger.verify()) == []
    assert ledger.append(spending_record("designer@example.org", {"images": 1})).index == 1


def test_a_full_disk_spends_nothing(path, ledger):
    ledger.append(spending_record())
    with ledger._held().database.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    for number in range(100):
        try:
            ledger.append(spending_record(f"principal {number}"))
        except BudgetError:
            raise
        except LedgerError:
            break
    assert [ledger.usage(f"principal {each}", DAY).images for each in (number - 1, number)] == [int(number > 0), 0]
    assert len(ledger.entries(limit=1_000)) == 1 + number


def test_a_locked_file_is_an_error_until_it_is_free(path, ledger):
    with write_lock(path):
        for call in (
            lambda: ledger.append(intent_record("g")),
            lambda: ledger.begin("ann", "r", digest(b""), "g"),
            lambda: ledger.next_mark(ALGORITHM, KEY_ID, 20),
        ):
            with pytest.raises(LedgerError, match="locked") as caught:
                call()
            assert caught.value.remedy
        with pytest.raises(LedgerError, match="locked"):
            SqliteLedger.open(path, SIGNER, busy_timeout_s=0.1)
        assert ledger.entries() == []
    assert ledger.append(intent_record("g")).index == 0


def append_until_it_fails(ledger):
    """How many records of 3 kB still fit, 100 at most."""
    for count in range(100):
        try:
            ledger.append(intent_record("g", prompt="x" * 3_000))
        except LedgerError:
            return count
    return 100


def test_a_full_disk_loses_the_append_and_nothing_else(path, ledger):
    ledger.append(intent_record("g"))
    with ledger._held().database.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 12}")
    with pytest.raises(LedgerError, match="disk is full") as caught:
        ledger.append(intent_record("g", prompt="x" * 100_000))
    assert "space" in caught.value.remedy
    recorded = 1 + append_until_it_fails(ledger)
    assert 1 < recorded < 100
    assert len(ledger.entries(limit=1_000)) == recorded
    with ledger._held().database.writing() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=100000")
    assert ledger.append(intent_record("g", prompt="x" * 100_000)).index == recorded
    assert list(ledger.verify()) == []


@contextmanager
def unprivileged():
    """File permissions mean nothing to root: act as nobody meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder():
    """A folder that nobody may reach, unlike those of tmp_path."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_read_only_file_or_folder_is_an_error_for_writers_and_none_for_auditors(open_folder):
    path = open_folder / "ledger.sqlite"
    with SqliteLedger.open(path, SIGNER) as ledger:
        record = intent_record("g")
        ledger.append(record)
    path.chmod(0o444)
    open_folder.chmod(0o555)
    with unprivileged():
        for create in (True, False):
            with pytest.raises(LedgerError) as caught:
                SqliteLedger.open(path, SIGNER, create=create, busy_timeout_s=0.1)
            assert "writable" in caught.value.remedy or "write" in caught.value.remedy
        with pytest.raises(LedgerError, match="cannot be made"):
            SqliteLedger.open(open_folder / "new" / "ledger.sqlite", SIGNER)
        with SqliteLedger.open_read_only(path, SIGNER.key) as reader:
            assert reader.entry(record.entry.id) == record.entry
            assert list(reader.verify()) == []
    path.chmod(0o000)
    with unprivileged(), pytest.raises(LedgerError):
        SqliteLedger.open_read_only(path, SIGNER.key)


def test_an_auditor_reads_beside_a_writer_and_cannot_write(path, ledger):
    intent = intent_record("g")
    record = released_record("g", b"bytes", mark_id=1, intent=intent)
    ledger.append(intent)
    ledger.append(record)
    with SqliteLedger.open_read_only(path, SIGNER.key) as reader:
        ledger.append(intent_record("later"))
        assert len(reader.entries()) == 3
        assert verify_receipt(reader.receipt(record.entry.id), SIGNER.key) == record.entry
        assert list(reader.verify()) == []
        for call in (
            lambda: reader.append(intent_record("g")),
            lambda: reader.begin("ann", "r", digest(b""), "g"),
            lambda: reader.finish("g", repeatable=True),
            lambda: reader.next_mark(ALGORITHM, KEY_ID, 20),
            reader.recover,
        ):
            with pytest.raises(LedgerError, match="reading only"):
                call()


def test_without_a_key_the_signatures_are_reported_as_unchecked(path, ledger):
    with SqliteLedger.open_read_only(path) as reader:
        (line,) = reader.verify()
    assert "not checked" in line


def test_another_key_neither_extends_nor_verifies_the_ledger(path, ledger):
    ledger.append(intent_record("g"))
    stranger = LogSigner.generate("log.example.org/test")
    with pytest.raises(LedgerError, match="does not verify with this log key"):
        SqliteLedger.open(path, stranger)
    with SqliteLedger.open_read_only(path, stranger.key) as reader:
        assert any("has not signed it" in line for line in reader.verify())


@pytest.mark.parametrize("content", [b"this is no database, and quite long enough to be sure", b"\x00" * 4096])
def test_a_file_that_is_no_database_is_an_error(path, content):
    path.write_bytes(content)
    with pytest.raises(LedgerError):
        SqliteLedger.open(path, SIGNER)
    assert path.read_bytes() == content


def test_another_programs_database_is_left_alone(path):
    query(path, ("CREATE TABLE theirs (x)",))
    for opening in (lambda: SqliteLedger.open(path, SIGNER), lambda: SqliteLedger.open_read_only(path, SIGNER.key)):
        with pytest.raises(LedgerError, match="not a ledger"):
            opening()
    assert query(path, ("SELECT name FROM sqlite_master",)) == [("theirs",)]


def test_a_missing_ledger_is_not_made_unless_asked(path):
    for opening in (
        lambda: SqliteLedger.open(path, SIGNER, create=False),
        lambda: SqliteLedger.open_read_only(path, SIGNER.key),
    ):
        with pytest.raises(LedgerError, match="There is no ledger"):
            opening()
    assert not path.exists()


def test_an_empty_file_is_no_ledger_for_readers(path):
    path.touch()
    with pytest.raises(LedgerError, match="empty"):
        SqliteLedger.open_read_only(path, SIGNER.key)


def test_only_its_user_can_read_a_ledger(path, ledger):
    ledger.append(intent_record("g"))
    for file in path.parent.glob("ledger.sqlite*"):
        if file.is_file():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_path_with_odd_characters_works(tmp_path):
    path = tmp_path / "a b?c#d%20é" / "ledger.sqlite"
    with SqliteLedger.open(path, SIGNER) as ledger:
        ledger.append(intent_record("g"))
    assert path.exists()
    with SqliteLedger.open_read_only(path, SIGNER.key) as reader:
        assert list(reader.verify()) == []


def test_a_closed_ledger_says_so(path):
    ledger = SqliteLedger.open(path, SIGNER)
    ledger.append(intent_record("g"))
    ledger.close()
    ledger.close()
    for call in (lambda: ledger.append(intent_record("g")), ledger.entries, lambda: list(ledger.verify())):
        with pytest.raises(LedgerError, match="closed"):
            call()


def test_a_forgotten_ledger_lets_go(path):
    ledger = SqliteLedger.open(path, SIGNER)
    ledger.begin("ann", "r", digest(b""), "g")
    threads = [thread for thread in threading.enumerate() if thread.name == "governance-ledger-writer"]
    assert threads
    del ledger
    gc.collect()
    assert not [thread for thread in threads if thread.is_alive()]
    with SqliteLedger.open(path, SIGNER) as ledger:
        ledger.recover()
        assert ledger.open_claims() == 0


def test_an_interrupt_goes_on_only_when_the_ledgers_answer_is_final(path, patient):
    record = intent_record("generation")
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.8, other.execute, ("ROLLBACK",))
        release.start()
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(KeyboardInterrupt):
                patient.append(record)
            assert patient.entry(record.entry.id) == record.entry
        finally:
            signal.signal(signal.SIGALRM, handler)
            release.join()
    assert patient.append(intent_record("another")).index == 1
    assert list(patient.verify()) == []


# Alterations. `verify` must name each; where it can, with index and id.

PROMPT = "a personal prompt"


def sample(ledger):
    """Three hundred entries (two tiles, two levels) with everything beside them; returns the ids by index."""
    records = [intent_record(f"g{number}", prompt=f"{PROMPT} {number}") for number in range(300)]
    records[7] = released_record("g6", b"released bytes", mark_id=42, intent=records[6])
    return [ledger.append(record).entry.id for record in records]


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample") / "ledger.sqlite"
    with SqliteLedger.open(path, SIGNER) as ledger:
        ids = sample(ledger)
        assert list(ledger.verify()) == []
    return path, ids


OTHER_LEAF = Entry(EntryKind.DENIED, "forged", {"version": 1}).leaf()
ALTERATIONS = {
    "leaf replaced": ("UPDATE entry SET leaf = ? WHERE seq = 5", (OTHER_LEAF,), "Entry 5 ({5}) was altered"),
    "leaf of another type": ("UPDATE entry SET leaf = 'text' WHERE seq = 5", (), "wrong type"),
    "leaf emptied": ("UPDATE entry SET leaf = x'' WHERE seq = 5", (), "Entry 5 ({5}) was altered"),
    "id": ("UPDATE entry SET id = 'forged' WHERE seq = 7", (), "column id"),
    "kind": ("UPDATE entry SET kind = 'denied' WHERE seq = 5", (), "Entry 5 ({5}): the column kind"),
    "subject": ("UPDATE entry SET subject = 'x' WHERE seq = 5", (), "Entry 5 ({5}): the column subject"),
    "time": ("UPDATE entry SET time = 'x' WHERE seq = 5", (), "Entry 5 ({5}): the column time"),
    "asset digest": ("UPDATE entry SET asset_digest = 'x' WHERE seq = 7", (), "Entry 7 ({7}): the column asset_digest"),
    "asset digest given": ("UPDATE entry SET asset_digest = 'x' WHERE seq = 5", (), "the column asset_digest"),
    "entry removed": ("DELETE FROM entry WHERE seq = 7", (), "Entry 7 is missing"),
    "last entry removed": ("DELETE FROM entry WHERE seq = 299", (), "Entry 299 is missing"),
    "entries removed": ("DELETE FROM entry", (), "Entry 0 is missing"),
    "entries exchanged": ("UPDATE entry SET seq = 1000000 - seq WHERE seq IN (5, 6)", (), "Entry 5 is missing"),
    "entry added": (
        "INSERT INTO entry (seq, id, kind, subject, time, leaf) VALUES (300, 'f', 'denied', 'g', 't', ?)",
        (OTHER_LEAF,),
        "Entry 300 (f) is not covered",
    ),
    "leaf tile": (
        "UPDATE tile SET hashes = CAST(x'00' || substr(hashes, 2) AS BLOB) WHERE level = 0 AND number = 0",
        (),
        "Entry 0 ",
    ),
    "short tile": (
        "UPDATE tile SET hashes = substr(hashes, 1, 64) WHERE level = 0 AND number = 1",
        (),
        "Tile 0/1 holds",
    ),
    "long tile": (
        "UPDATE tile SET hashes = CAST(hashes || hashes AS BLOB) WHERE level = 0 AND number = 1",
        (),
        "Tile 0/1 holds",
    ),
    "upper tile": ("UPDATE tile SET hashes = zeroblob(32) WHERE level = 1", (), "Tile 1/0 was altered"),
    "upper tile removed": ("DELETE FROM tile WHERE level = 1", (), "Tile 1/0 was altered"),
    "tile added": ("INSERT INTO tile VALUES (2, 0, zeroblob(32))", (), "Tile 2/0 lies beyond"),
    "checkpoint root": ("UPDATE checkpoint SET root = zeroblob(32) WHERE size = 100", (), "of size 100 says something"),
    "checkpoint note": ("UPDATE checkpoint SET note = 'x' WHERE size = 100", (), "of size 100 does not verify"),
    "newest note": ("UPDATE checkpoint SET note = 'x' WHERE size = 300", (), "No newest checkpoint that verifies"),
    "checkpoint moved": ("UPDATE checkpoint SET size = 9999 WHERE size = 300", (), "of size 9999 covers more"),
    "older checkpoint moved": ("UPDATE checkpoint SET size = 9999 WHERE size = 100", (), "of size 9999 covers more"),
    "newest checkpoint removed": ("DELETE FROM checkpoint WHERE size = 300", (), "Entry 299 ({299}) is not covered"),
    "checkpoints removed": ("DELETE FROM checkpoint", (), "No newest checkpoint"),
    "document": ("UPDATE document SET content = x'7b7d'", (), "Document"),
    "document removed": ("DELETE FROM document", (), "is missing"),
    "personal value": (
        "UPDATE personal_field SET value = x'2278' || x'22' WHERE entry_id = '{5}'",
        (),
        "Entry 5 ({5}): personal",
    ),
    "personal value broken": (
        "UPDATE personal_field SET value = x'ff' WHERE entry_id = '{5}'",
        (),
        "Entry 5 ({5}): personal",
    ),
    "salt": ("UPDATE personal_field SET salt = zeroblob(32) WHERE entry_id = '{5}'", (), "Entry 5 ({5}): personal"),
    "salt shortened": ("UPDATE personal_field SET salt = x'00' WHERE entry_id = '{5}'", (), "Entry 5 ({5}): personal"),
    "field renamed": ("UPDATE personal_field SET name = 'x' WHERE entry_id = '{5}'", (), "does not commit to it"),
    "field removed": ("DELETE FROM personal_field WHERE entry_id = '{5}'", (), "'/prompts/0' is missing"),
    "field of no entry": (
        "UPDATE personal_field SET entry_id = 'x' WHERE entry_id = '{5}'",
        (),
        "which does not exist",
    ),
    "mark id": ("UPDATE mark SET mark_id = 43", (), "Entry 7 ({7}): watermark 43 leads here"),
    "mark asset": ("UPDATE mark SET asset_id = 'x'", (), "Entry 7 ({7}): watermark 42 leads to another asset"),
    "mark digest": ("UPDATE mark SET asset_digest = 'x'", (), "Watermark 42"),
    "mark removed": ("DELETE FROM mark", (), "Entry 7 ({7}): watermark 42 is missing"),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_every_alteration_is_named(name, sampled, path):
    source, ids = sampled
    shutil.copy(source, path)
    statement, values, expected = ALTERATIONS[name]
    names = {f"{{{index}}}": entry_id for index, entry_id in enumerate(ids)}
    for place, entry_id in names.items():
        statement, expected = statement.replace(place, entry_id), expected.replace(place, entry_id)
    query(path, (statement, values))
    with SqliteLedger.open_read_only(path, SIGNER.key) as reader:
        problems = list(reader.verify())
    assert any(expected in line for line in problems), problems
    assert len(problems) < 700


def test_every_table_is_altered_above():
    altered = {
        statement.split()[2 if statement.startswith(("INSERT", "DELETE")) else 1]
        for statement, _, _ in ALTERATIONS.values()
    }
    assert altered == {"entry", "tile", "checkpoint", "document", "personal_field", "mark"}


def test_a_damaged_file_is_reported(sampled, path):
    source, _ = sampled
    content = bytearray(source.read_bytes())
    for page in range(12, len(content) // 4096, 5):
        content[page * 4096 : page * 4096 + 200] = os.urandom(200)
    path.write_bytes(content)
    with SqliteLedger.open_read_only(path, SIGNER.key) as reader:
        assert list(reader.verify())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tile SET hashes = zeroblob(length(hashes))",
        "DELETE FROM entry WHERE seq = 299",
        "UPDATE checkpoint SET note = replace(note, '300', '301') WHERE size = 300",
        "DELETE FROM checkpoint WHERE size = 300",
        "DELETE FROM checkpoint",
    ],
)
def test_nothing_is_signed_on_top_of_an_altered_tip(sampled, path, statement):
    shutil.copy(sampled[0], path)
    with SqliteLedger.open(path, SIGNER) as ledger:
        query(path, (statement,))
        with pytest.raises(LedgerError):
            ledger.append(intent_record("g"))
    with pytest.raises(LedgerError):
        SqliteLedger.open(path, SIGNER)


def test_altered_rows_are_not_handed_out(sampled, path):
    shutil.copy(sampled[0], path)
    ids = sampled[1]
    wrong = digest(b"other bytes")
    query(
        path,
        ("UPDATE entry SET asset_digest = ? WHERE seq = 7", (wrong,)),
        ("UPDATE entry SET leaf = ? WHERE seq = 8", (OTHER_LEAF,)),
        ("UPDATE entry SET subject = 'g12', kind = 'denied' WHERE seq = 11",),
        ("UPDATE tile SET hashes = zeroblob(length(hashes))",),
    )
    with SqliteLedger.open_read_only(path, SIGNER.key) as reader:
        for call in (
            lambda: reader.entries(subject="g12"),
            lambda: reader.entries(kind=EntryKind.DENIED),
            lambda: reader.find_asset(wrong),
            lambda: reader.entry(ids[8]),
            lambda: reader.receipt(ids[9]),
        ):
            with pytest.raises(LedgerError):
                call()


def test_a_claim_stays_with_the_ledger_that_holds_it(path, ledger):
    ledger.begin("ann", "r", digest(b""), "g")
    with SqliteLedger.open(path, SIGNER) as other:
        assert list(other.recover()) == []
        assert other.open_claims() == 1
        other.append(outcome_record(EntryKind.FAILED, "g"))
    assert len(ledger.entries(subject="g")) == 1
    assert len(list(Path(f"{path}.owners").iterdir())) == 1


def test_a_claim_whose_end_could_not_be_written_does_not_block_its_request(path, ledger):
    facts = digest(b"facts")
    ledger.begin("designer@example.org", "order-1", facts, "first")
    ledger.append(intent_record("first"))
    with write_lock(path), pytest.raises(LedgerError):
        ledger.finish("first", repeatable=True)
    assert ledger.begin("designer@example.org", "order-1", facts, "second").number == 2
    assert [entry.kind for _, entry in ledger.entries()] == [EntryKind.INTENT, EntryKind.ABANDONED]


def test_marks_that_two_ledgers_reserve_never_meet(path, ledger):
    with SqliteLedger.open(path, SIGNER) as other:
        given = [each.next_mark(ALGORITHM, KEY_ID, 20) for _ in range(100) for each in (ledger, other)]
    assert len(set(given)) == 200
    with pytest.raises(LedgerError):
        ledger.next_mark(ALGORITHM, KEY_ID, 63)


@pytest.mark.parametrize("gone", ["another generation", "later", "never there", "altered"])
def test_a_release_must_follow_the_intent_that_it_names(ledger, gone):
    intent, stranger = intent_record("g"), intent_record("h")
    named = {"another generation": stranger, "never there": None}.get(gone, intent)
    release = released_record("g", b"bytes", intent=named)
    if gone == "altered":
        body = {**release.entry.body, "intent": {"id": intent.entry.id, "leaf": "0" * 64}}
        release = replace(release, entry=replace(release.entry, body=body))
    for record in (stranger, release, intent) if gone == "later" else (stranger, intent, release):
        ledger.append(record)
    (problem,) = ledger.verify()
    assert release.entry.id in problem
    assert "intent" in problem


def test_a_record_is_bound_whole(ledger):
    record = released_record("g", b"bytes", mark_id=3)
    with pytest.raises(LedgerError):
        ledger.append(Record(record.entry, mark=replace(record.mark, key_id="another")))
    assert ledger.entries() == []
