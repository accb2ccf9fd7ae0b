"""The bounds of the embedded engine: time, memory, size; and that whatever ends a process costs an error, never more."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest

from governance.errors import PolicyError
from governance.testing.policy import admission_facts, release_facts
from governance.types import Outcome, Stage
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.regorus import RegorusEngine
from support.embedded import ALLOW, LONG, admission_engine, asking, example_bundle, gone

MIB = 1 << 20
LARGE = f"""decision := {ALLOW} if count(large) >= 0

large := [[x, y] | some x in numbers.range(1, input.request.images); some y in numbers.range(1, input.request.images)]
"""
"""Takes as much memory as the square of the number of images."""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return example_bundle()


def test_a_rule_that_takes_too_long_is_stopped_and_the_next_decision_works() -> None:
    with closing(admission_engine(LONG, engines=1, timeout=0.5)) as engine:
        assert engine.decide(Stage.ADMISSION, asking(1)).outcome is Outcome.ALLOW
        before = engine.processes
        with pytest.raises(PolicyError, match=r"limit of 0\.5 s") as caught:
            engine.decide(Stage.ADMISSION, asking(1_000_000))
        assert caught.value.remedy
        assert gone(*before)
        assert engine.decide(Stage.ADMISSION, asking(1)).outcome is Outcome.ALLOW
        assert engine.decide(Stage.RELEASE, release_facts()).outcome is Outcome.ALLOW
        assert engine.processes != before


def test_a_rule_that_takes_too_much_memory_is_stopped_and_the_next_decision_works() -> None:
    with closing(admission_engine(LARGE, engines=1, timeout=60, memory=128 * MIB)) as engine:
        with pytest.raises(PolicyError, match="memory limit of 128 MiB") as caught:
            engine.decide(Stage.ADMISSION, asking(1_000_000))
        assert caught.value.remedy
        assert engine.decide(Stage.ADMISSION, asking(1)).outcome is Outcome.ALLOW


def test_an_answer_that_is_too_long_is_refused() -> None:
    rules = f"decision := {ALLOW}\n\nmany := [x | some x in numbers.range(1, 1000000)]"
    with closing(admission_engine(rules, timeout=30)) as engine:
        with pytest.raises(PolicyError, match="longer than"):
            engine.evaluate_unvalidated(Stage.ADMISSION, "{}", "many")
        assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW


@pytest.mark.parametrize(
    ("rules", "limits", "says"),
    [
        ("decision := 1 if { some x in numbers.range(1, 9999999); some y in [1, 2, 3]; x + y < 0 }",
         {"load_timeout": 0.4}, r"limit of 0\.4 s"),
        (f"decision := {'[' * 100_000}", {"load_timeout": 2}, "policy"),
        (f"decision := {'-' * 100_000}1", {"load_timeout": 2}, "policy"),
    ],
)  # fmt: skip
def test_loading_is_bounded_too(rules: str, limits: dict[str, float], says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        admission_engine(rules, **limits)


def test_more_data_than_fits_the_memory_is_refused_at_load(bundle: Bundle) -> None:
    terms = {f"term number {number}": {"category": "x"} for number in range(400_000)}
    large = dataclasses.replace(bundle, data={**bundle.data, "blocked_terms": terms})
    with pytest.raises(PolicyError, match="memory limit"):
        RegorusEngine(large, memory=128 * MIB)


def test_the_limit_holds_where_the_host_ignores_the_alarm() -> None:
    ignored = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    try:
        engine = admission_engine(LONG, timeout=0.3)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGALRM, ignored)
    with closing(engine), pytest.raises(PolicyError, match="longer than its limit"):
        engine.decide(Stage.ADMISSION, asking(1_000_000))


def test_a_process_that_stands_still_is_killed_by_the_host(bundle: Bundle) -> None:
    with closing(RegorusEngine(bundle, engines=1, timeout=0.3)) as engine:
        (process,) = engine.processes
        os.kill(process, signal.SIGSTOP)
        with pytest.raises(PolicyError, match=r"did not answer within 0\.3 s"):
            engine.decide(Stage.ADMISSION, admission_facts())
        assert gone(process)
        assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW


def test_a_process_that_died_while_idle_is_replaced_without_an_error(bundle: Bundle) -> None:
    with closing(RegorusEngine(bundle, engines=1)) as engine:
        (process,) = engine.processes
        os.kill(process, signal.SIGKILL)
        assert gone(process)
        assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW
        assert engine.processes != (process,)


def test_the_terminals_interrupt_does_not_end_a_process(bundle: Bundle) -> None:
    with closing(RegorusEngine(bundle, engines=1)) as engine:
        processes = engine.processes
        os.kill(processes[0], signal.SIGINT)
        assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW
        assert engine.processes == processes


def test_processes_killed_amid_decisions_cost_errors_and_never_a_wrong_answer(bundle: Bundle, figure) -> None:
    done = threading.Event()
    killed: list[int] = []
    said: list[str] = []

    def kill() -> None:
        while not done.wait(0.02):
            for process in random.sample(engine.processes, min(1, len(engine.processes))):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                    killed.append(process)

    def decide(score: float) -> Outcome | None:
        try:
            return engine.decide(Stage.RELEASE, release_facts(score=score)).outcome
        except PolicyError as error:
            said.append(str(error))
            return None

    with closing(RegorusEngine(bundle, engines=2)) as engine, ThreadPoolExecutor(5) as pool:
        killing = pool.submit(kill)
        scores = [0.0, 1.0] * 100
        outcomes = list(pool.map(decide, scores))
        done.set()
        killing.result()
        assert {outcome for outcome, score in zip(outcomes, scores, strict=True) if score == 0} <= {Outcome.ALLOW, None}
        assert {outcome for outcome, score in zip(outcomes, scores, strict=True) if score == 1} <= {Outcome.DENY, None}
        assert len(killed) >= 3
        assert all("SIGKILL" in text for text in said)
        figure(f"policy processes killed amid 200 decisions: {len(killed)}; errors: {outcomes.count(None)}; wrong: 0")
        assert engine.decide(Stage.RELEASE, release_facts(score=1.0)).outcome is Outcome.DENY


def test_an_interrupted_call_leaves_no_answer_for_the_next() -> None:
    class Interrupt(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupt

    previous = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with closing(admission_engine(LONG, engines=1, timeout=30)) as engine:
            timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1))
            timer.start()
            with pytest.raises(Interrupt):
                engine.decide(Stage.ADMISSION, asking(1_000_000))
            timer.join()
            assert engine.decide(Stage.RELEASE, release_facts(score=1.0)).outcome is Outcome.DENY
    finally:
        signal.signal(signal.SIGUSR1, previous)


def test_print_in_a_policy_says_nothing_here(capfd: pytest.CaptureFixture[str]) -> None:
    with closing(admission_engine(f'decision := {ALLOW} if print("a private prompt")')) as engine:
        assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW
    assert "".join(capfd.readouterr()) == ""
