"""The processes of the embedded engine: few, each for itself, and gone when nobody needs them."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from governance.errors import PolicyError
from governance.testing.policy import admission_facts, release_facts
from governance.types import Outcome, Stage
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.pool import Pool
from governance_adapters.policy.processes import Limits, Worker
from governance_adapters.policy.regorus import RegorusEngine
from support.embedded import example_bundle, gone, running

OWN_DESCRIPTORS = Path("/proc/self/fd")
LIMITS = Limits(seconds=0.5, load_seconds=20, memory=256 << 20, answer_bytes=1000)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return example_bundle()


def in_child(task: Callable[[], bool]) -> bool:
    """Whether `task` succeeds in a forked child."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            done = task()
        except BaseException:  # a forked child must not run on into pytest, whatever happens: it counts as a failure
            done = False
        os._exit(0 if done else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_one_caller_needs_one_process(bundle: Bundle) -> None:
    with closing(RegorusEngine(bundle, engines=8)) as engine:
        for _ in range(20):
            engine.decide(Stage.RELEASE, release_facts())
        assert len(engine.processes) == 1


def test_many_callers_share_the_processes_that_are_allowed(bundle: Bundle) -> None:
    with closing(RegorusEngine(bundle, engines=2)) as engine, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: engine.decide(Stage.RELEASE, release_facts()), range(64)))
        assert len(engine.processes) == 2


def test_an_engine_that_nobody_holds_leaves_nothing(bundle: Bundle) -> None:
    gc.collect()  # what other tests left
    descriptors = len([*OWN_DESCRIPTORS.iterdir()])
    engine = RegorusEngine(bundle)
    processes = engine.processes
    assert all(map(running, processes))
    del engine
    gc.collect()
    assert not any(Path(f"/proc/{process}").exists() for process in processes)  # no zombie either
    assert len([*OWN_DESCRIPTORS.iterdir()]) == descriptors


def test_a_closed_engine_decides_nothing_and_leaves_nothing(bundle: Bundle) -> None:
    engine = RegorusEngine(bundle)
    processes = engine.processes
    engine.close()
    engine.close()
    assert not any(Path(f"/proc/{process}").exists() for process in processes)
    with pytest.raises(PolicyError, match="closed"):
        engine.decide(Stage.ADMISSION, admission_facts())


def test_processes_hold_no_descriptor_but_their_own_three(bundle: Bundle) -> None:
    with closing(RegorusEngine(bundle)) as first, closing(RegorusEngine(bundle)) as second:
        for process in (*first.processes, *second.processes):
            assert {path.name for path in Path(f"/proc/{process}/fd").iterdir()} == {"0", "1", "2"}


def test_a_forked_child_decides_by_processes_of_its_own(bundle: Bundle) -> None:
    with closing(RegorusEngine(bundle)) as engine:
        processes = engine.processes

        def decides() -> bool:
            allowed = engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW
            own = engine.processes
            engine.close()
            return allowed and bool(own) and not set(own) & set(processes) and not any(map(running, own))

        assert in_child(decides)
        assert engine.processes == processes
        assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW


def test_a_forked_child_that_drops_the_engine_leaves_the_parents_process_alone(bundle: Bundle) -> None:
    with closing(RegorusEngine(bundle)) as engine:
        assert in_child(lambda: engine.close() is None)
        (process,) = engine.processes
        assert running(process)
        assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW
        assert engine.processes == (process,)


HOST = """
import os, sys, threading, time
from governance.types import Stage
from support.embedded import LONG, admission_engine, asking

engine = admission_engine(LONG, timeout=3)
child = os.fork() if "fork" in sys.argv else -1
if child == 0:
    time.sleep(60)
    os._exit(0)
if "busy" in sys.argv:
    threading.Thread(target=lambda: engine.decide(Stage.ADMISSION, asking(1_000_000)), daemon=True).start()
    time.sleep(0.3)
print(child, *engine.processes, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", ["idle", "busy", "fork"])
def test_a_host_that_is_killed_leaves_no_process(how: str) -> None:
    paths = os.pathsep.join(path for path in sys.path if path)
    with subprocess.Popen(
        [sys.executable, "-c", HOST, how], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
    ) as host:
        try:
            child, process = map(int, host.stdout.readline().split())
            assert running(process)
        finally:
            host.kill()
    assert gone(process)
    if child > 0:
        os.kill(child, signal.SIGKILL)


def test_a_caller_does_not_wait_for_ever() -> None:
    started, over = threading.Event(), threading.Event()

    class Busy:
        pid, alive = 0, True

        def ask(self, question: bytes) -> bytes:
            started.set()
            over.wait(20)
            return question

        def end(self) -> None:
            over.set()

    pool = Pool(Busy, 1, wait_seconds=0.2)
    with ThreadPoolExecutor(1) as executor:
        asked = executor.submit(pool.ask, b"x")
        started.wait(20)
        with pytest.raises(PolicyError, match=r"became free within 0\.2 s"):
            pool.ask(b"y")
        over.set()
        assert asked.result() == b"x"
    pool.close()


FRAME = (
    "import os, struct, sys, time\nos.read(0, 99)\nsend = lambda n, s, b: os.write(1, struct.pack('>QQ', n, s) + b)\n"
)


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("send(1, 2, b'A')", "out of turn"),  # the answer to another question
        ("send(1, 1, b'AB')", "out of turn"),  # more than it says
        ("send(4000000000, 1, b'A')", "out of turn"),  # more than is allowed
        ("send(9, 1, b'A'); time.sleep(60)", "did not answer"),
        ("send(9, 1, b'A')", "exit status 0"),
        ("sys.exit(3)", "exit status 3"),
        ("os.abort()", "memory limit of 256 MiB"),
        ("os.kill(os.getpid(), 40)", "signal 40"),
    ],
)
def test_what_is_no_answer_is_an_error(tmp_path: Path, program: str, says: str) -> None:
    (tmp_path / "program.py").write_text(FRAME + program)
    limits = Limits(0.5, 0.5, LIMITS.memory, LIMITS.answer_bytes) if "sleep" in program else LIMITS
    with pytest.raises(PolicyError, match=says) as caught:
        Worker(b"job", limits, tmp_path / "program.py")
    assert caught.value.remedy
