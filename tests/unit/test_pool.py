"""Workers for many threads: wherever a caller is interrupted, nobody after it goes without or hears its answer."""

import linecache
import sys

import pytest

from governance.errors import PolicyError
from governance_adapters.policy import pool as pool_module
from governance_adapters.policy.pool import Pool


class Echo:
    """A worker that answers with the question, as long as it was not ended."""

    pid = 0

    def __init__(self):
        self.alive = True

    def ask(self, question):
        assert self.alive
        return question

    def end(self):
        self.alive = False


def interrupted(pool, at):
    """Ask, with an interrupt at line `at` of those that the pool runs before it gives back; whether it came so far."""
    passed = 0

    def trace(frame, event, _argument):
        nonlocal passed
        if frame.f_code.co_filename != pool_module.__file__ or frame.f_code.co_name == "_give":
            return None
        if event == "line" and "_give" not in linecache.getline(frame.f_code.co_filename, frame.f_lineno):
            passed += 1
            if passed == at:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        pool.ask(b"interrupted")
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("warm", [False, True])
def test_an_interrupt_anywhere_costs_no_slot(warm):
    lines = 1
    while True:
        pool = Pool(Echo, 1, wait_seconds=0.05)
        if warm:
            pool.ask(b"first")
        if not interrupted(pool, lines):
            break
        assert pool.ask(b"next") == b"next", lines
        lines += 1
    assert lines > 8


def test_a_worker_whose_answer_was_not_taken_is_ended():
    made = []

    class Failing(Echo):
        def __init__(self):
            super().__init__()
            made.append(self)

        def ask(self, question):
            if question == b"bad":
                raise PolicyError("No.", remedy="None.")
            return super().ask(question)

    pool = Pool(Failing, 1, wait_seconds=0.05)
    with pytest.raises(PolicyError):
        pool.ask(b"bad")
    assert pool.ask(b"good") == b"good"
    assert [each.alive for each in made] == [False, True]
