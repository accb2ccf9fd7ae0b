"""The register of works on disk: what survives a crash, what two processes do to it, and files that are none."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.canonical import digest
from governance.checkpoint import LogSigner
from governance.entries import EntryKind
from governance.errors import LedgerError, NoWorkError, WorkError, WorkExistsError
from governance.testing import FakeLedger
from governance.testing.works import FAKE_EMBEDDING, KEEPER, example_image, example_work
from governance.types import new_id
from governance.work_records import disagreements
from governance.works import PDQ_SIGNAL, NewWork, Preview, WorkAction, WorkPrint
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.works import SqliteWorks
from governance_adapters.storage.works_reader import SqliteWorksReader

ROOT = Path(__file__).resolve().parents[2]
SIGNER = LogSigner("log.example.org/test", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
LOST = LedgerError("The disk is gone.", remedy="Bring it back.")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "works.sqlite3"


@pytest.fixture
def ledger():
    return FakeLedger()


@pytest.fixture
def register(path, ledger):
    return SqliteWorks(path, ledger, create=True)


def interrupt(ledger, *, recorded):
    """From now on the ledger is gone as soon as an entry is appended, or was about to be."""
    ledger.errors["entries"] = LOST
    if recorded:
        ledger.interrupt[EntryKind.WORK] = KeyboardInterrupt()
    else:
        ledger.refuse[EntryKind.WORK] = KeyboardInterrupt()


def mend(ledger):
    ledger.errors.clear()
    ledger.interrupt.clear()
    ledger.refuse.clear()


@pytest.mark.parametrize("recorded", [False, True])
class TestInterrupted:
    def test_adding_protects_until_it_is_settled(self, register, ledger, path, recorded):
        interrupt(ledger, recorded=recorded)
        new = example_work()
        with pytest.raises(KeyboardInterrupt):
            register.add(new, KEEPER)
        reader = SqliteWorksReader(path)
        assert reader.unsettled() == [new.work.id]
        assert [row.work_id for row in reader.prints(PDQ_SIGNAL)] == [new.work.id]
        with pytest.raises(LedgerError):
            SqliteWorks(path, ledger)
        mend(ledger)
        assert list(disagreements(reader, ledger)) == []
        again = SqliteWorks(path, ledger)
        assert again.unsettled() == []
        assert again.list() == ([new.work] if recorded else [])
        assert list(disagreements(again, ledger)) == []

    def test_removing_protects_until_it_is_settled(self, register, ledger, path, recorded):
        work = register.add(example_work(), KEEPER)
        interrupt(ledger, recorded=recorded)
        with pytest.raises(KeyboardInterrupt):
            register.remove(work.id, KEEPER)
        assert [row.work_id for row in SqliteWorksReader(path).prints(PDQ_SIGNAL)] == [work.id]
        mend(ledger)
        again = SqliteWorks(path, ledger)
        assert again.list() == ([] if recorded else [work])
        assert list(disagreements(again, ledger)) == []

    @pytest.mark.parametrize("action", [WorkAction.ALLOW, WorkAction.DENY])
    def test_changing_protects_by_the_stricter_action_until_it_is_settled(
        self, register, ledger, path, recorded, action
    ):
        work = register.add(example_work(action=WorkAction.REVIEW), KEEPER)
        interrupt(ledger, recorded=recorded)
        after = replace(work, action=action, title="Renamed")
        with pytest.raises(KeyboardInterrupt):
            register.change(after, KEEPER)
        (row,) = SqliteWorksReader(path).prints(PDQ_SIGNAL)
        assert row.action is WorkAction.strictest(WorkAction.REVIEW, action)
        mend(ledger)
        again = SqliteWorks(path, ledger)
        assert again.list() == [after if recorded else work]
        assert [row.action for row in again.prints(PDQ_SIGNAL)] == [action if recorded else WorkAction.REVIEW]
        assert list(disagreements(again, ledger)) == []

    def test_the_next_change_settles_it_too(self, register, ledger, recorded):
        interrupt(ledger, recorded=recorded)
        new, other = example_work(1), example_work(2)
        with pytest.raises(KeyboardInterrupt):
            register.add(new, KEEPER)
        with pytest.raises(LedgerError):
            register.add(other, KEEPER)
        mend(ledger)
        register.add(other, KEEPER)
        assert register.list() == ([new.work, other.work] if recorded else [other.work])
        assert register.unsettled() == []

    def test_what_was_settled_is_seen_by_its_revision(self, register, ledger, recorded):
        work = register.add(example_work(), KEEPER)
        interrupt(ledger, recorded=recorded)
        with pytest.raises(KeyboardInterrupt):
            register.change(replace(work, action=WorkAction.REVIEW), KEEPER)
        before = register.revision
        mend(ledger)
        register.remove(register.add(example_work(2), KEEPER).id, KEEPER)
        assert register.revision != before


def test_works_of_a_batch_that_the_ledger_refuses_are_not_there_and_their_siblings_are(register, ledger):
    ledger.refuse[3] = LOST
    news = [example_work(number) for number in range(6)]
    done = []
    with pytest.raises(LedgerError):
        done.extend(register.add_all(iter(news), KEEPER))
    assert register.count() == len(ledger.records) == 5
    assert register.unsettled() == []
    assert list(disagreements(register, ledger)) == []


def test_an_error_says_where_it_is_not_known_whether_it_was_recorded(register, ledger):
    ledger.errors.update(append=LOST, entries=LOST)
    with pytest.raises(LedgerError) as raised:
        register.add(example_work(), KEEPER)
    assert "the next change settles it" in raised.value.__notes__[0]
    mend(ledger)
    with pytest.raises(NoWorkError):
        register.remove("another", KEEPER)
    assert register.unsettled() == []
    assert register.count() == 0


def test_a_register_that_is_gone_is_not_begun_anew(register, ledger, path, tmp_path):
    register.add(example_work(), KEEPER)
    with pytest.raises(WorkError, match="is missing") as raised:
        SqliteWorks(tmp_path / "another.sqlite3", ledger, create=True)
    assert "Restore it" in raised.value.remedy
    assert not (tmp_path / "another.sqlite3").exists()


def test_there_is_none_unless_it_is_asked_for(path, ledger):
    for opened in (lambda: SqliteWorksReader(path), lambda: SqliteWorks(path, ledger)):
        with pytest.raises(WorkError, match="no register"):
            opened()
    assert not path.exists()


def test_it_is_for_its_user_only(register, path):
    register.add(example_work(), KEEPER)
    assert all(file.stat().st_mode & 0o077 == 0 for file in path.parent.iterdir())


def test_other_files_are_refused(path, ledger, tmp_path):
    path.write_bytes(b"no database, " * 100)
    for opened in (lambda: SqliteWorksReader(path), lambda: SqliteWorks(path, ledger, create=True)):
        with pytest.raises(WorkError, match="not a register"):
            opened()
    other = tmp_path / "ledger.sqlite3"
    SqliteLedger.open(other, SIGNER).close()
    with pytest.raises(WorkError, match="not a register"):
        SqliteWorks(other, ledger, create=True)


def test_a_newer_schema_is_refused(register, path, ledger):
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(WorkError, match="schema 99"):
        SqliteWorks(path, ledger)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE print SET vals = zeroblob(length(vals))",
        "UPDATE print SET vals = substr(vals, 2)",
        "UPDATE print SET qualities = x'00'",
        "UPDATE print SET variants = 'as_is'",
        "DELETE FROM image",
        "UPDATE work SET action = 'whatever'",
    ],
)
def test_damaged_prints_are_an_error_and_never_nothing(register, path, damage):
    register.add(example_work(), KEEPER)
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    with pytest.raises(WorkError, match="damaged"):
        list(register.prints(PDQ_SIGNAL))


def test_a_damaged_file_is_an_error(register, path):
    for number in range(50):
        register.add(example_work(number), KEEPER)
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))
    with pytest.raises(WorkError):
        list(register.prints(PDQ_SIGNAL))


def test_prints_of_another_length_are_refused(register, ledger):
    register.add(example_work(1), KEEPER)
    other = replace(example_image(2), prints=(WorkPrint(PDQ_SIGNAL, "as_is", b"short"),))
    new = NewWork(replace(example_work(2).work, images=(other.digest,)), (other,))
    with pytest.raises(WorkError, match="16 bytes in the register, not 5"):
        register.add(new, KEEPER)
    assert register.count() == len(ledger.records) == 1


def test_a_signal_that_no_image_has_any_more_may_come_back_with_another_length(register):
    image = register.add(example_work(), KEEPER).images[0]
    register.reprint({image: [WorkPrint("embedding:one", "as_is", b"1" * 8)]})
    register.reprint({image: [WorkPrint("embedding:two", "as_is", b"2" * 9)]})
    register.reprint({image: [WorkPrint("embedding:one", "as_is", b"3" * 10)]})
    assert [row.values for row in register.prints("embedding:one")] == [b"3" * 10]
    assert list(register.prints("embedding:two")) == []


def test_text_that_is_no_unicode_is_an_error(register):
    for ask in (register.show, register.preview, lambda text: register.list(after=text)):
        with pytest.raises(WorkError):
            ask("\ud800")


def test_readers_see_one_moment(register):
    for number in range(3):
        register.add(example_work(number), KEEPER)
    reading = register.prints(PDQ_SIGNAL)
    next(reading)
    register.remove(register.list()[-1].id, KEEPER)
    assert len(list(reading)) == 2


PRINTS = st.dictionaries(
    st.tuples(st.sampled_from([PDQ_SIGNAL, FAKE_EMBEDDING]), st.text("abc_09 é", min_size=1).filter(str.strip)),
    st.tuples(st.binary(min_size=7, max_size=7), st.integers(0, 100)),
    min_size=1,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(PRINTS, st.binary(max_size=100))
def test_prints_and_previews_come_back_byte_by_byte(tmp_path, prints, content):
    register = SqliteWorks(tmp_path / f"{new_id()}.sqlite3", FakeLedger(), create=True)
    made = tuple(WorkPrint(signal, variant, *rest) for (signal, variant), rest in prints.items())
    image = replace(example_image(), prints=made, preview=Preview(content, "image/png"))
    work = register.add(NewWork(example_work(images=1).work, (image,)), KEEPER)
    assert register.preview(work.images[0]) == image.preview
    for name in {one.signal for one in made}:
        (row,) = register.prints(name)
        size = len(row.values) // len(row.variants)
        values = [row.values[at : at + size] for at in range(0, len(row.values), size)]
        back = [WorkPrint(name, *rest) for rest in zip(row.variants, values, row.qualities, strict=True)]
        assert back == [one for one in made if one.signal == name]


def test_threads_add_side_by_side(register, ledger):
    refused = []

    def add(worker):
        for number in (*range(worker * 10, worker * 10 + 10), 1000):
            try:
                register.add(example_work(number), KEEPER)
            except WorkExistsError:
                refused.append(number)

    threads = [threading.Thread(target=add, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == [1000] * 3
    assert register.count() == len(ledger.records) == 41
    assert list(disagreements(register, ledger)) == []


def test_a_change_waits_for_another_ones_and_then_gives_up(path, ledger):
    register = SqliteWorks(path, ledger, create=True, busy_timeout_s=0.1)
    other = SqliteWorks(path, ledger)
    with other._changing(), pytest.raises(WorkError, match="Somebody else"):
        register.add(example_work(), KEEPER)
    register.add(example_work(), KEEPER)


SCRIPT = """
import os, sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from governance.checkpoint import LogSigner
from governance.errors import WorkExistsError
from governance.testing.works import KEEPER, example_work
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.works import SqliteWorks
folder, name = Path(sys.argv[1]), sys.argv[2]
signer = LogSigner("log.example.org/test", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
ledger = SqliteLedger.open(folder / "ledger.sqlite3", signer, busy_timeout_s=30)

class Dying:
    def __init__(self, when):
        self.when = when
    def __getattr__(self, name):
        return getattr(ledger, name)
    def append(self, record):
        if self.when == "before":
            os.kill(os.getpid(), 9)
        receipt = ledger.append(record)
        if self.when == "after":
            os.kill(os.getpid(), 9)
        return receipt
"""


def child(script, *arguments):
    paths = os.pathsep.join([str(ROOT), str(ROOT / "adapters")])
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT + textwrap.dedent(script), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def real(tmp_path):
    """A ledger and an empty register on disk."""
    with SqliteLedger.open(tmp_path / "ledger.sqlite3", SIGNER) as ledger:
        SqliteWorks(tmp_path / "works.sqlite3", ledger, create=True)
    return tmp_path


def checked(folder):
    """The works, once everything holds: settled, agreed, and the log verified."""
    with SqliteLedger.open(folder / "ledger.sqlite3", SIGNER) as ledger:
        register = SqliteWorks(folder / "works.sqlite3", ledger)
        assert register.unsettled() == []
        assert list(disagreements(register, ledger)) == []
        assert list(ledger.verify()) == []
        return register.list(limit=1000)


@pytest.mark.parametrize(("when", "titles"), [("before", []), ("after", ["Example work 1"])])
def test_a_process_killed_between_the_steps_leaves_nothing_half_done(real, when, titles):
    process = child(
        """
        works = SqliteWorks(folder / "works.sqlite3", Dying(name))
        works.add(example_work(1), KEEPER)
        """,
        real,
        when,
    )
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert SqliteWorksReader(real / "works.sqlite3").count() == 1
    assert [work.title for work in checked(real)] == titles


@pytest.mark.parametrize(("when", "count"), [("before", 1), ("after", 0)])
def test_a_process_killed_while_it_removes_leaves_nothing_half_done(real, when, count):
    process = child(
        """
        work = SqliteWorks(folder / "works.sqlite3", ledger).add(example_work(1), KEEPER)
        SqliteWorks(folder / "works.sqlite3", Dying(name)).remove(work.id, KEEPER)
        """,
        real,
        when,
    )
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert len(checked(real)) == count


def test_two_processes_add_the_same_works_once(real):
    script = """
    works = SqliteWorks(folder / "works.sqlite3", ledger, busy_timeout_s=60)
    added = refused = 0
    for number in (*range(int(name), int(name) + 15), *range(900, 910)):
        try:
            works.add(example_work(number), KEEPER)
            added += 1
        except WorkExistsError:
            refused += 1
    print(added, refused)
    ledger.close()
    """
    processes = [child(script, real, first) for first in (0, 100)]
    said = [tuple(map(int, process.communicate(timeout=120)[0].split())) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert [sum(column) for column in zip(*said, strict=True)] == [40, 10]
    works = checked(real)
    assert len({work.title for work in works}) == len(works) == 40
    assert {image for work in works for image in work.images} >= {digest(b"image 900000")}


def test_a_revision_never_comes_again_after_a_backup_was_restored(register, path, tmp_path, ledger):
    register.add(example_work(1), KEEPER)
    backup = tmp_path / "backup.sqlite3"
    with sqlite3.connect(path) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    register.add(example_work(2), KEEPER)
    lost = register.revision
    with sqlite3.connect(backup) as source, sqlite3.connect(path) as target:
        source.backup(target)
    SqliteWorks(path, ledger).add(example_work(3), KEEPER)
    assert SqliteWorksReader(path).revision != lost
