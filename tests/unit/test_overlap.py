"""Two-part jobs side by side: order, overlap, errors, cancelling - proved by events, never by time."""

import os
import subprocess
import sys
import threading
from concurrent.futures import CancelledError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.assets import Verdict
from governance.entries import EntryKind
from governance.errors import ConfigurationError, DeniedError, GenerationError, RequestError
from governance.governor import Governor
from governance.overlap import Overlap
from governance.testing import FailingAt, FakeDetector, FakePipeline, FakePolicyEngine, fake_parts
from governance.testing.examples import example_request as example
from governance.types import Outcome, Prompt, Stage, new_id

WAIT_S = 30


def a_request(**changes):
    settled = {"id": new_id(), "prompts": (Prompt("a red seven"),), "width": 64, "height": 64, "seeds": ()}
    return example(**{**settled, "parameters": {}, **changes})


def job(value, log=None):
    """A job that gives `value`, and says in `log` when its parts ran."""
    log = [] if log is None else log

    def first():
        log.append(("first", value))

        def second():
            log.append(("second", value))
            return value

        return second

    return first


class TestOverlap:
    def test_the_second_part_runs_beside_the_first_part_of_the_next(self):
        next_began, released = threading.Event(), threading.Event()

        def finishing():
            assert next_began.wait(WAIT_S), "the next job never began while this one was being finished"
            released.set()
            return 1

        def next_first():
            next_began.set()
            assert released.wait(WAIT_S)
            return lambda: 2

        overlap = Overlap()
        futures = [overlap.submit(lambda: finishing), overlap.submit(next_first)]
        assert [future.result(WAIT_S) for future in futures] == [1, 2]

    def test_first_parts_and_second_parts_run_in_order_and_one_at_a_time(self):
        log = []
        overlap = Overlap()
        futures = [overlap.submit(job(number, log)) for number in range(20)]
        assert [future.result(WAIT_S) for future in futures] == list(range(20))
        for part in ("first", "second"):
            assert [number for name, number in log if name == part] == list(range(20))

    def test_no_more_jobs_begin_than_may_be_unfinished(self):
        may_finish, begun = threading.Event(), []

        def blocked(number):
            def first():
                begun.append(number)
                return lambda: may_finish.wait(WAIT_S)

            return first

        overlap = Overlap(ahead=2)
        futures = [overlap.submit(blocked(number)) for number in range(6)]
        while len(begun) < 2:
            pass
        assert begun == [0, 1]
        may_finish.set()
        assert all(future.result(WAIT_S) for future in futures)
        assert begun == list(range(6))

    @given(st.lists(st.sampled_from(["fine", "first fails", "second fails"]), max_size=12))
    def test_an_error_is_its_own_jobs_and_nobody_elses(self, plan):
        def made(position, kind):
            def second():
                if kind == "second fails":
                    raise GenerationError(f"second {position}")
                return position

            def first():
                if kind == "first fails":
                    raise GenerationError(f"first {position}")
                return second

            return first

        streamed = list(Overlap(ahead=2).stream(made(*each) for each in enumerate(plan)))
        assert [each.position for each in streamed] == list(range(len(plan)))
        for each, kind in zip(streamed, plan, strict=True):
            if kind == "fine":
                assert each.get() == each.position
            else:
                with pytest.raises(GenerationError, match=f"{kind.split()[0]} {each.position}"):
                    each.get()

    def test_an_interrupt_in_a_part_reaches_who_waits(self):
        def first():
            raise KeyboardInterrupt

        overlap = Overlap()
        interrupted, after = overlap.submit(first), overlap.submit(job("after"))
        with pytest.raises(KeyboardInterrupt):
            interrupted.result(WAIT_S)
        assert after.result(WAIT_S) == "after"

    def test_what_has_not_begun_can_be_cancelled_and_the_rest_goes_on(self):
        go = threading.Event()

        def first():
            assert go.wait(WAIT_S)
            return lambda: "ran"

        overlap, log = Overlap(), []
        running, cancelled, after = (
            overlap.submit(first),
            overlap.submit(job("no", log)),
            overlap.submit(job("yes", log)),
        )
        assert cancelled.cancel()
        go.set()
        assert (running.result(WAIT_S), after.result(WAIT_S)) == ("ran", "yes")
        with pytest.raises(CancelledError):
            cancelled.result(WAIT_S)
        assert ("first", "no") not in log

    def test_a_stream_takes_only_what_it_needs_and_cancels_the_rest_when_left(self):
        taken, log = [], []

        def endless():
            number = 0
            while True:
                taken.append(number)
                yield job(number, log)
                number += 1

        stream = Overlap(ahead=2).stream(endless())
        assert [next(stream).get() for _ in range(3)] == [0, 1, 2]
        stream.close()
        assert len(taken) <= 7

    def test_an_iterable_that_fails_fails_the_stream_after_what_it_gave(self):
        def broken():
            yield job(1)
            raise OSError("the list ended badly")

        stream = Overlap(ahead=1).stream(broken())
        assert next(stream).get() == 1
        with pytest.raises(OSError, match="ended badly"):
            next(stream)

    def test_what_was_submitted_is_finished_although_the_program_ends(self):
        program = (
            "import time\n"
            "from governance.overlap import Overlap\n"
            "def first(number):\n"
            "    time.sleep(0.3)\n"  # the program has come to its end meanwhile
            "    return lambda: print('finished', number, flush=True)\n"
            "overlap = Overlap()\n"
            "for number in range(3):\n"
            "    overlap.submit(lambda number=number: first(number))\n"
        )
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
        assert ended.stdout.split("\n") == ["finished 0", "finished 1", "finished 2", ""]
        assert ended.stderr == ""

    def test_it_works_in_a_forked_child(self):
        overlap = Overlap()
        assert overlap.submit(job(1)).result(WAIT_S) == 1
        child = os.fork()
        if child == 0:
            try:
                os._exit(overlap.submit(job(7)).result(WAIT_S))
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7

    def test_nothing_ahead_is_refused(self):
        with pytest.raises(ConfigurationError, match="none at all"):
            Overlap(ahead=0)


class TestGovernorInTwoHalves:
    def test_the_halves_make_what_generate_makes(self):
        parts = fake_parts()
        result = Governor(parts).begin(a_request(images=2), FakePipeline()).finish()
        assert [item.verdict for item in result.items] == [Verdict.RELEASED] * 2
        assert [entry.kind for _, entry in parts.ledger.entries()] == [EntryKind.INTENT, *[EntryKind.RELEASED] * 2]
        assert parts.ledger.open_claims() == 0

    def test_nothing_is_released_before_it_is_finished(self):
        parts = fake_parts()
        generation = Governor(parts).begin(a_request(), FakePipeline())
        assert [entry.kind for _, entry in parts.ledger.entries()] == [EntryKind.INTENT]
        assert parts.ledger.open_claims() == 1
        generation.finish()
        assert parts.ledger.open_claims() == 0

    def test_a_generation_is_finished_once(self):
        parts = fake_parts()
        generation = Governor(parts).begin(a_request(), FakePipeline())
        generation.finish()
        with pytest.raises(RequestError, match="finished before"):
            generation.finish()
        assert len(parts.ledger.entries(kind=EntryKind.RELEASED)) == 1

    def test_a_failure_in_the_first_half_is_recorded_and_ends_the_claim(self):
        parts = fake_parts()
        request = a_request()
        with pytest.raises(GenerationError):
            Governor(parts).begin(request, FakePipeline(error=GenerationError("no")))
        assert [entry.kind for _, entry in parts.ledger.entries()] == [EntryKind.INTENT, EntryKind.FAILED]
        assert Governor(parts).begin(request, FakePipeline()).finish().attempt == 2

    @pytest.mark.parametrize("stage", [Stage.ADMISSION, Stage.RELEASE])
    def test_what_policy_denies_is_raised_by_the_second_half(self, stage):
        engine = FakePolicyEngine()
        parts = fake_parts(policy=FakePolicyEngine({stage: lambda asked, _: engine.answer(asked, Outcome.DENY)}))
        generation = Governor(parts).begin(a_request(), FakePipeline())
        with pytest.raises(DeniedError):
            generation.finish()
        assert parts.ledger.open_claims() == 0

    def test_a_failure_in_the_second_half_loses_no_sibling(self):
        detector = FailingAt(FakeDetector(), "detect", OSError("broken"), nth=2)
        parts = fake_parts(detectors=(detector,))
        overlap, governor = Overlap(), Governor(parts)
        requests = [a_request() for _ in range(4)]
        streamed = list(overlap.stream(lambda r=r: governor.begin(r, FakePipeline()).finish for r in requests))
        assert [each.error is None for each in streamed] == [True, False, True, True]
        assert [each.get().request_id for each in streamed if each.error is None] == [
            requests[position].id for position in (0, 2, 3)
        ]
        assert parts.ledger.open_claims() == 0
