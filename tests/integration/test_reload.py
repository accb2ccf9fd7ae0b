"""A bundle is replaced under threads that decide: no error, no half-old decision, and every change on the record."""

import logging
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from governance.entries import EntryKind
from governance.errors import ConfigurationError, PolicyError
from governance.in_force import RecordedPolicy
from governance.testing import FakeLedger
from governance.testing.policy import FakePolicyEngine, admission_facts
from governance.types import Outcome, Stage
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.regorus import RegorusEngine
from governance_adapters.policy.reload import ReloadingEngine, _Files
from support.bundles import bundle_at, data_text

CHANGES = 20
OFTEN, SOON = 0.005, 0.02


def numbered(number):
    """A change to the data that shows in the outcome and in the obligations."""

    def change(data):
        data["limits"]["steps"] = 10 if number % 2 else 100  # the example asks for 30
        data["obligations"]["retain_days"] = 1000 + number

    return change


def make(bundle):
    return RegorusEngine(bundle, engines=2)


def said(decision):
    codes = tuple(sorted(reason.code for reason in decision.reasons))
    return decision.outcome, codes, decision.obligations.get("retain_days")


def says(path):
    """What the bundle at `path` says of the example, and its revision."""
    engine = make(Bundle.load(path))
    return engine.bundle_revision, said(engine.decide(Stage.ADMISSION, admission_facts()))


def eventually(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it never happened")


@contextmanager
def deciding(policy, threads=4):
    """Threads that decide all the while; what came out, by revision, is in the dictionary."""
    stop, found = threading.Event(), {}

    def decide():
        while not stop.is_set():
            decision = policy.decide(Stage.ADMISSION, admission_facts())
            found.setdefault(decision.bundle_revision, set()).add(said(decision))

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(decide) for _ in range(threads)]
        try:
            yield found
        finally:
            stop.set()
        for each in running:
            each.result()  # an error in a thread is an error of the test


@contextmanager
def scribbling(path):
    """Somebody writes in the bundle at `path` all the while."""
    stop = threading.Event()

    def scribble():
        while not stop.is_set():
            with (path / "admission" / "notes.txt").open("a") as file:
                file.write("x")
            time.sleep(0.0005)

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def recorded_order(ledger):
    return [entry.body["revision"] for _, entry in ledger.entries(kind=EntryKind.POLICY, limit=1000)]


class TestUnderThreads:
    def test_folders_replaced_atomically(self, tmp_path):
        folders = [bundle_at(tmp_path / f"bundle-{n}", numbered(n)) for n in range(CHANGES + 1)]
        expected = dict(map(says, folders))
        (revisions, answers) = zip(*expected.items(), strict=True)
        assert {outcome for outcome, _, _ in answers} == {Outcome.ALLOW, Outcome.DENY}
        path = tmp_path / "in-force"
        path.symlink_to(folders[0])
        engine, ledger = ReloadingEngine(path, make, OFTEN, settle=SOON), FakeLedger()
        with deciding(RecordedPolicy(engine, ledger)) as found:
            for folder, revision in zip(folders, revisions, strict=True):
                link = tmp_path / "next"
                link.symlink_to(folder)
                link.rename(path)
                eventually(lambda revision=revision: revision in found)
        assert {revision: {answer} for revision, answer in expected.items()} == found
        assert recorded_order(ledger) == list(revisions)
        assert engine.problem == ""
        engine.close()

    def test_files_edited_in_place_and_left_half_written(self, tmp_path, caplog):
        path = bundle_at(tmp_path / "bundle", numbered(0))
        texts = [data_text(path, numbered(n)) for n in range(CHANGES + 1)]
        engine, ledger = ReloadingEngine(path, make, OFTEN, settle=SOON), FakeLedger()
        expected, problems = [says(path)], 0
        with deciding(RecordedPolicy(engine, ledger)) as found:
            for text in texts[1:]:
                with (path / "data.json").open("w") as file:
                    file.write(text[: len(text) // 2])
                    file.flush()
                    eventually(lambda: engine.problem)
                    problems += 1
                    file.write(text[len(text) // 2 :])
                expected.append(says(path))
                eventually(lambda: expected[-1][0] in found)
                eventually(lambda: not engine.problem)
        assert found == {revision: {answer} for revision, answer in expected}
        assert recorded_order(ledger) == [revision for revision, _ in expected]
        assert len([r for r in caplog.records if r.levelno == logging.ERROR]) >= problems == CHANGES
        engine.close()


class TestWhatDoesNotLoad:
    def test_the_old_bundle_stays_in_force_and_the_problem_is_named(self, tmp_path, caplog):
        path = bundle_at(tmp_path / "bundle")
        engine = ReloadingEngine(path, make, OFTEN, settle=0)
        before = engine.bundle_revision
        good = (path / "data.json").read_bytes()
        odd = path / "lib" / os.fsdecode(b"odd\xff.rego")
        odd.write_text("package odd\n")
        self._look(engine)
        assert engine.decide(Stage.ADMISSION, admission_facts()).bundle_revision == before
        assert "printable UTF-8" in engine.problem
        odd.unlink()
        for content, named in ((b"{", "data.json"), (b'{"normaliser": "0"}', "data.json")):
            (path / "data.json").write_bytes(content)
            self._look(engine)
            assert engine.decide(Stage.ADMISSION, admission_facts()).bundle_revision == before
            assert named in engine.problem
            assert any(named in record.message and record.levelno == logging.ERROR for record in caplog.records)
        (path / "data.json").write_bytes(good)
        self._look(engine)
        assert (engine.problem, engine.bundle_revision) == ("", before)

    def test_a_rule_that_does_not_compile(self, tmp_path):
        path = bundle_at(tmp_path / "bundle")
        engine = ReloadingEngine(path, make, 0)
        before = engine.bundle_revision
        (path / "admission" / "admission.rego").write_text("package governance.admission\n\ndecision := {\n")
        with pytest.raises(PolicyError, match=r"admission\.rego"):
            engine.reload()
        assert engine.bundle_revision == before
        assert "admission.rego" in engine.problem
        assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW

    def test_a_folder_that_is_gone(self, tmp_path):
        path = bundle_at(tmp_path / "bundle")
        engine = ReloadingEngine(path, make, OFTEN, settle=0)
        shutil.move(path, tmp_path / "elsewhere")
        self._look(engine)
        assert "There is no policy bundle" in engine.problem
        shutil.move(tmp_path / "elsewhere", path)
        self._look(engine)
        assert engine.problem == ""

    def test_the_first_one_must_load(self, tmp_path):
        with pytest.raises(PolicyError):
            ReloadingEngine(tmp_path / "nothing", make, 1)

    @pytest.mark.parametrize("times", [{"every": -1}, {"every": 1, "settle": -1}])
    def test_times_are_not_negative(self, tmp_path, times):
        with pytest.raises(ConfigurationError):
            ReloadingEngine(tmp_path, make, **times)

    def _look(self, engine):
        time.sleep(2 * OFTEN)
        engine.decide(Stage.ADMISSION, admission_facts())


class Counting(FakePolicyEngine):
    """A fake that says when it was closed, and decides only as long as it was not."""

    closed = False
    meanwhile = staticmethod(lambda: None)

    def decide(self, stage, facts):
        self.meanwhile()
        assert not self.closed
        return super().decide(stage, facts)

    def close(self):
        assert not self.closed
        self.closed = True


class TestEngines:
    @pytest.fixture(autouse=True)
    def _made(self, tmp_path):
        self.path = bundle_at(tmp_path / "bundle")
        self.made = []

    def make(self, bundle):
        self.made.append(Counting(bundle_revision=bundle.revision))
        return self.made[-1]

    def change(self, number):
        (self.path / "data.json").write_text(data_text(self.path, numbered(number)))

    def test_nothing_is_looked_at_where_reloading_is_off(self):
        engine = ReloadingEngine(self.path, self.make, 0)
        self.change(1)
        engine.decide(Stage.ADMISSION, admission_facts())
        assert len(self.made) == 1
        assert engine.reload()
        assert engine.bundle_revision == Bundle.load(self.path).revision == self.made[1].bundle_revision

    def test_the_old_engine_is_closed_when_another_takes_its_place(self):
        engine = ReloadingEngine(self.path, self.make, 0)
        self.change(1)
        engine.reload()
        assert [each.closed for each in self.made] == [True, False]
        engine.close()
        assert [each.closed for each in self.made] == [True, True]

    def test_an_engine_is_not_closed_under_a_decision(self):
        engine = ReloadingEngine(self.path, self.make, 0)
        (first,) = self.made

        def replaced():
            self.change(1)
            assert engine.reload()
            assert not first.closed

        first.meanwhile = replaced
        assert engine.decide(Stage.ADMISSION, admission_facts()).bundle_revision == first.bundle_revision
        assert first.closed

    def test_the_same_bundle_again_is_no_change(self):
        engine = ReloadingEngine(self.path, self.make, 0)
        os.utime(self.path / "data.json")
        (self.path / "admission" / "more_test.rego").write_text("package governance.admission_test\n")
        assert not engine.reload()
        assert len(self.made) == 1

    def test_files_that_change_right_now_are_left_alone(self):
        engine = ReloadingEngine(self.path, self.make, OFTEN, settle=3600)
        self.change(1)
        time.sleep(2 * OFTEN)
        engine.decide(Stage.ADMISSION, admission_facts())
        assert (len(self.made), engine.problem) == (1, "")

    def test_a_bundle_that_changes_while_it_is_read_is_not_taken(self):
        engine = ReloadingEngine(self.path, self.make, 0)
        self.change(1)
        with scribbling(self.path), pytest.raises(PolicyError, match="changed while it was read"):
            engine.reload()
        assert engine.reload()

    def test_the_first_one_is_read_whole_as_well(self):
        files = ReloadingEngine(self.path, self.make, 0)._loaded  # not even then: it is too new
        assert files is None
        with scribbling(self.path), pytest.raises(PolicyError, match="changed while it was read"):
            ReloadingEngine(self.path, self.make, 0)
        assert len(self.made) == 1

    def test_a_file_that_was_just_removed_counts_as_a_change(self):
        before = _Files.at(self.path)
        time.sleep(2 * SOON)
        (self.path / "lib" / "terms.rego").unlink()
        assert _Files.at(self.path).changed > before.changed

    def test_callers_do_not_wait_for_the_one_who_looks(self):
        engine = ReloadingEngine(self.path, self.make, OFTEN, settle=0)
        with engine._looking:
            time.sleep(2 * OFTEN)
            engine.decide(Stage.ADMISSION, admission_facts())
        self.change(1)
        time.sleep(2 * OFTEN)
        engine.decide(Stage.ADMISSION, admission_facts())
        assert len(self.made) == 2

    def test_a_forked_child_decides(self):
        engine = ReloadingEngine(self.path, self.make, OFTEN)
        engine._looking.acquire()  # as if another thread were just looking
        engine._using.acquire()
        child = os.fork()
        if not child:
            time.sleep(2 * OFTEN)
            engine.decide(Stage.ADMISSION, admission_facts())
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
