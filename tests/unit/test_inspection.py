"""Detectors side by side: order, time, and what becomes of one that does not come back."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from governance import inspection
from governance.entries import EntryKind
from governance.errors import DetectorError
from governance.governor import Governor
from governance.inspection import inspect
from governance.testing import FakePipeline, fake_parts
from governance.testing.detector import FakeDetector
from governance.testing.examples import example_picture, example_request
from governance.types import InputImage

AMPLE = 60
"""Seconds that nothing here takes: only what hangs would."""


def images(count=1):
    return [np.full((4, 4, 3), 10 * number, np.uint8) for number in range(count)]


class Waiting(FakeDetector):
    """Scores once `go` is set; `entered` says that it was asked."""

    def __init__(self, name="waiting"):
        super().__init__(name=name)
        self.go, self.entered, self.calls = threading.Event(), threading.Event(), 0

    def detect(self, images):
        self.calls += 1
        self.entered.set()
        assert self.go.wait(AMPLE)
        return super().detect(images)


@pytest.fixture
def waiting():
    detector = Waiting()
    yield detector
    detector.go.set()


def settled(detector):
    """Wait until `detector` is asked again and answers: until then it is busy."""
    while any(call.detector is detector for call in inspection._pool._running):
        time.sleep(0.001)
    return inspect([detector], images(), AMPLE)


class TestSideBySide:
    def test_detectors_work_at_the_same_time(self):
        # Each waits until all three are at work: one after the other, the barrier would break.
        barrier = threading.Barrier(3)

        class Meeting(FakeDetector):
            def detect(self, images):
                barrier.wait(AMPLE)
                return super().detect(images)

        ((*found,),) = inspect([Meeting(name=name) for name in "abc"], images(), AMPLE)
        assert [finding.detector for finding in found] == ["a", "b", "c"]

    def test_findings_stand_in_the_order_of_the_detectors_whoever_is_first(self, waiting):
        class Second(FakeDetector):
            def detect(self, images):
                assert waiting.entered.wait(AMPLE)
                scored = super().detect(images)
                waiting.go.set()
                return scored

        found = inspect([waiting, Second({"x": 0.5, "y": 0.25}, name="second")], images(2), AMPLE)
        assert [[(f.detector, f.label) for f in one] for one in found] == [
            [("waiting", "nsfw"), ("second", "x"), ("second", "y")]
        ] * 2

    def test_each_image_keeps_its_own_findings(self):
        detector = FakeDetector(lambda pixels: {"mean": float(pixels.mean()) / 255})
        found = inspect([detector], images(3), AMPLE)
        assert [one[0].score for one in found] == [0.0, 10 / 255, 20 / 255]

    def test_threads_are_used_again(self):
        detectors = [FakeDetector(name=name) for name in "abc"]

        def threads():
            return sum(thread.name == "detector" for thread in threading.enumerate())

        inspect(detectors, images(), AMPLE)
        before = threads()
        for _ in range(20):
            inspect(detectors, images(), AMPLE)
        assert threads() == before

    def test_several_callers_share_a_detector(self):
        barrier = threading.Barrier(2)

        class Shared(FakeDetector):
            def detect(self, images):
                barrier.wait(AMPLE)
                return super().detect(images)

        shared, found = Shared(), []
        callers = [threading.Thread(target=lambda: found.append(inspect([shared], images(), AMPLE))) for _ in "ab"]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(AMPLE)
        assert len(found) == 2

    def test_no_images_are_nothing_to_ask_about(self):
        failing = FakeDetector(failing=DetectorError("asked", remedy="Do not."))
        assert inspect([failing], [], AMPLE) == []

    def test_no_detector_is_no_check(self):
        with pytest.raises(DetectorError, match="no detector") as caught:
            inspect([], images(), AMPLE)
        assert caught.value.remedy


class TestErrors:
    @pytest.mark.parametrize(
        "spoil", [lambda found: found[:1], lambda found: [*found, found[0]], lambda found: [(), ()]]
    )
    def test_a_detector_that_leaves_an_image_unscored(self, spoil):
        class Spoilt(FakeDetector):
            def detect(self, images):
                return spoil(super().detect(images))

        with pytest.raises(DetectorError, match="no finding") as caught:
            inspect([FakeDetector(), Spoilt(name="spoilt")], images(2), AMPLE)
        assert "spoilt" in str(caught.value)
        assert caught.value.remedy

    @pytest.mark.parametrize("score", [float("nan"), float("inf"), -0.1, 1.1])
    def test_a_score_that_is_none(self, score):
        with pytest.raises(DetectorError):
            inspect([FakeDetector({"nsfw": score})], images(), AMPLE)

    def test_the_first_error_in_order_is_raised_after_all_have_ended(self, waiting):
        first, second = (DetectorError(name, remedy="Mend it.") for name in ("first", "second"))

        class Last(FakeDetector):
            def detect(self, images):
                waiting.go.set()
                raise second

        with pytest.raises(DetectorError) as caught:
            inspect([FakeDetector(name="a", failing=first), waiting, Last(name="b")], images(), AMPLE)
        assert caught.value is first
        assert waiting.seen == 1

    @pytest.mark.parametrize("error", [ValueError("theirs"), SystemExit(3), MemoryError()])
    def test_errors_that_are_not_ours_come_out_as_they_are(self, error):
        class Foreign(FakeDetector):
            def detect(self, images):
                raise error

        with pytest.raises(type(error)) as caught:
            inspect([Foreign()], images(), AMPLE)
        assert caught.value is error
        inspect([FakeDetector()], images(), AMPLE)


class TestTime:
    def test_a_slow_detector_fails_the_item_and_says_how_slow(self, waiting):
        with pytest.raises(DetectorError, match=r"waiting did not answer within 0\.1 s") as caught:
            inspect([FakeDetector(), waiting], images(2), 0.05)
        assert "detector_seconds" in caught.value.remedy

    def test_one_that_has_not_returned_is_not_asked_again_until_it_has(self, waiting):
        for _ in range(5):
            with pytest.raises(DetectorError):
                inspect([waiting], images(), 0.01)
        assert waiting.calls == 1
        with pytest.raises(DetectorError, match="still busy") as caught:
            inspect([waiting], images(), AMPLE)
        assert "waiting" in str(caught.value)
        assert caught.value.remedy
        waiting.go.set()
        assert settled(waiting)[0][0].detector == "waiting"
        assert waiting.calls == 2

    def test_its_siblings_are_scored_all_the_same(self, waiting):
        sibling = FakeDetector(name="sibling")
        for _ in range(2):
            with pytest.raises(DetectorError):
                inspect([waiting, sibling], images(), 0.01)
        assert sibling.seen == 2

    def test_in_the_line_it_fails_the_item_and_not_the_process(self, waiting):
        parts = fake_parts(detectors=(waiting,), detector_seconds=0.01)
        with pytest.raises(DetectorError):
            Governor(parts).generate(example_request(), FakePipeline())
        kinds = [entry.kind for _, entry in parts.ledger.entries()]
        assert kinds == [EntryKind.INTENT, EntryKind.FAILED]
        waiting.go.set()
        settled(waiting)
        Governor(fake_parts(detectors=(waiting,))).generate(example_request(), FakePipeline())

    def test_an_interrupt_gets_out(self, waiting):
        class Interrupting(FakeDetector):
            def detect(self, images):
                os.kill(os.getpid(), signal.SIGINT)
                return super().detect(images)

        with pytest.raises(KeyboardInterrupt):
            inspect([waiting, Interrupting(name="other")], images(), AMPLE)
        waiting.go.set()
        inspect([waiting], images(), AMPLE)

    def test_no_thread_is_an_error_of_the_item(self):
        class Exhausted(inspection._Pool):
            def _serve(self):
                raise AssertionError

        pool = Exhausted()
        before = threading.stack_size(2**47)  # more than any machine maps
        try:
            with pytest.raises(DetectorError, match="No thread"):
                pool.start(FakeDetector(), images(), time.monotonic() + AMPLE)
        finally:
            threading.stack_size(before)
        assert pool._running == []


def test_a_forked_child_begins_anew(waiting):
    with pytest.raises(DetectorError):
        inspect([waiting, FakeDetector(name="other")], images(), 0.01)
    child = os.fork()
    if child == 0:
        waiting.go = threading.Event()
        waiting.go.set()
        try:
            found = inspect([waiting, FakeDetector(name="other")], images(), AMPLE)
            os._exit(0 if len(found[0]) == 2 else 1)
        except BaseException:  # whatever it was: the child ends here, with a status that fails the test
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class TestInputImages:
    """What the caller gives is checked like what the model makes."""

    def request(self):
        inputs = (InputImage("image", example_picture(32, 32)), InputImage("mask", example_picture(16, 16)))
        return example_request(inputs=inputs)

    def test_every_detector_scores_every_input_before_policy_is_asked(self):
        detectors = FakeDetector({"nsfw": 0.25}, name="nsfw"), FakeDetector({"brand.logo": 0.5}, name="brand")
        parts = fake_parts(detectors=detectors)
        Governor(parts).generate(self.request(), FakePipeline())
        (_, admission), *_ = parts.policy.asked
        found = [[(f["detector"], f["score_millionths"]) for f in one["findings"]] for one in admission["inputs"]]
        assert found == [[("nsfw", 250_000), ("brand", 500_000)]] * 2
        assert [detector.seen for detector in detectors] == [3, 3]  # two inputs and the draft

    def test_an_input_that_cannot_be_scored_stops_the_call_before_any_compute(self):
        parts = fake_parts(detectors=(FakeDetector(failing=DetectorError("broken", remedy="Mend it.")),))
        pipeline = FakePipeline()
        with pytest.raises(DetectorError):
            Governor(parts).generate(self.request(), pipeline)
        ((_, entry),) = parts.ledger.entries()
        assert (entry.kind, entry.body["step"]) == (EntryKind.FAILED, "describe")


ENDING = """
import sys, threading, time
from pathlib import Path
from governance.inspection import inspect
from governance.testing.detector import FakeDetector
import numpy as np

entered = threading.Event()

class Slow(FakeDetector):
    def detect(self, images):
        entered.set()
        threading.Event().wait({seconds})
        Path(sys.argv[1]).write_text("scored")
        return super().detect(images)

picture = [np.zeros((4, 4, 3), np.uint8)]
threading.Thread(target=inspect, args=([Slow()], picture, 600), daemon=True).start()
entered.wait()
"""


@pytest.mark.parametrize(("seconds", "left"), [(0.5, True), (600, False)], ids=["soon done", "stuck"])
def test_a_program_that_ends_gives_what_runs_a_moment_and_no_more(tmp_path, seconds, left):
    trace = tmp_path / "trace"
    program = ENDING.format(seconds=seconds)
    command = [sys.executable, "-c", program, str(trace)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=AMPLE)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert trace.exists() is left
