"""A detector in a process of its own: whatever happens there, the host answers with an error or with sound findings."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from governance.errors import ConfigurationError, DetectorError
from governance.inspection import inspect
from governance.types import Finding
from governance_adapters.detectors.isolated import IsolatedDetector
from governance_adapters.detectors.processes import Job
from support.moody import LABELS, Mood, Moody, picture
from support.nursery import environment

SHORT = 0.5
"""A limit for what would never end; nothing that ends is given it."""


def job(*, seconds=60, load_seconds=60, **arguments):
    return Job("moody", "support.moody:Moody", arguments, seconds=seconds, load_seconds=load_seconds)


def ended(pid):
    """Wait until the process is gone, as nobody's child or as a zombie of another parent's."""
    stat = Path(f"/proc/{pid}/stat")
    while True:
        try:
            if stat.read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)


@pytest.fixture(scope="module")
def detector():
    made = IsolatedDetector(job())
    yield made
    made.close()


class TestSound:
    def test_it_scores_as_the_detector_does_here(self, detector):
        pictures = [picture(0, side) for side in (1, 2, 300)]
        expected = [Moody().detect([one])[0] for one in pictures]
        assert detector.detect(pictures) == expected
        assert (detector.name, detector.digest, detector.labels) == ("moody", Moody.digest, LABELS)

    def test_it_runs_elsewhere_and_stays(self, detector):
        detector.detect([picture()])
        pid = detector.pid
        detector.detect([picture()])
        assert detector.pid == pid != os.getpid()

    def test_views_are_scored_as_what_they_show(self, detector):
        pixels = np.random.default_rng(1).integers(20, 256, (40, 60, 3), np.uint8)
        assert detector.detect([pixels[::2, ::-1]]) == detector.detect([np.ascontiguousarray(pixels[::2, ::-1])])

    def test_many_threads_share_it(self, detector):
        pictures = [np.full((8, 8, 3), 100 + level, np.uint8) for level in range(8)]
        found = {}

        def ask(at):
            found[at] = detector.detect([pictures[at]])[0]

        threads = [threading.Thread(target=ask, args=(at,)) for at in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found[at] for at in range(8)] == list(detector.detect(pictures))


MOODS = {
    Mood.CRASHES: "SIGSEGV",
    Mood.ABORTS: "SIGABRT",
    Mood.KILLED: "memory runs out",
    Mood.NAN: "not in",
    Mood.BEYOND: "not in",
    Mood.OTHER_LABELS: "other labels",
    Mood.REPEATS_A_LABEL: "other labels",
    Mood.NO_FINDING: "other labels",
    Mood.EXITS: "exit status 7",
    Mood.ANSWERS_ANOTHER: "out of turn",
    Mood.TALKS_OUT_OF_TURN: "out of turn",
    Mood.ENDLESS_LABEL: "out of turn",
}


class TestUnsound:
    @pytest.mark.parametrize("mood", MOODS, ids=lambda mood: mood.name.lower())
    def test_what_is_no_answer_fails_the_image_and_a_new_process_answers_the_next(self, detector, mood):
        before = detector.detect([picture()])
        pid = detector.pid
        with pytest.raises(DetectorError, match=MOODS[mood]) as caught:
            detector.detect([picture(), picture(mood), picture()])
        assert "moody" in str(caught.value)
        assert caught.value.remedy
        assert ended(pid)
        assert detector.detect([picture()]) == before
        assert detector.pid != pid

    @pytest.mark.parametrize(
        ("mood", "said"),
        [(Mood.RAISES, "RuntimeError: out of sorts"), (Mood.REFUSES, "no sense"), (Mood.TOO_MANY_IMAGES, "ValueError")],
    )
    def test_an_error_that_the_detector_raises_is_passed_on(self, detector, mood, said):
        detector.detect([picture()])
        pid = detector.pid
        with pytest.raises(DetectorError, match=said) as caught:
            detector.detect([picture(mood)])
        assert caught.value.remedy
        detector.detect([picture()])
        assert detector.pid == pid

    def test_one_that_hangs_is_ended_at_its_limit(self):
        moody = IsolatedDetector(job(seconds=SHORT))
        pid = moody.pid
        with pytest.raises(DetectorError, match=r"within 0\.5 s, and was ended") as caught:
            moody.detect([picture(Mood.SLEEPS)])
        assert "detector_seconds" in caught.value.remedy
        assert ended(pid)
        assert moody.pid is None
        moody.close()

    def test_a_process_that_stands_still_is_ended_by_the_host(self):
        moody = IsolatedDetector(job(seconds=SHORT))
        os.kill(moody.pid, signal.SIGSTOP)  # its own timer cannot end it now
        with pytest.raises(DetectorError, match="did not answer"):
            moody.detect([np.full((2000, 2000, 3), 50, np.uint8)])  # more than a pipe holds
        moody.close()

    def test_one_killed_between_two_images_costs_nothing(self, detector):
        detector.detect([picture()])
        pid = detector.pid
        os.kill(pid, signal.SIGKILL)
        ended(pid)
        assert detector.detect([picture()])
        assert detector.pid != pid

    def test_one_that_is_another_after_a_restart_is_refused(self, tmp_path):
        swapped = tmp_path / "swapped"
        moody = IsolatedDetector(job(changed=str(swapped)))
        swapped.touch()
        with pytest.raises(DetectorError):
            moody.detect([picture(Mood.CRASHES)])
        for _ in range(2):
            with pytest.raises(DetectorError, match="not what it was"):
                moody.detect([picture()])

    def test_who_waits_too_long_for_a_turn_is_told(self):
        moody = IsolatedDetector(job(seconds=SHORT))
        assert moody._turn.acquire()
        with pytest.raises(DetectorError, match="busy with other images"):
            moody.detect([picture()])
        moody.close()

    def test_an_interrupt_leaves_no_answer_behind(self):
        moody = IsolatedDetector(job())
        pid = moody.pid
        os.kill(pid, signal.SIGSTOP)
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            moody.detect([picture()])
        assert ended(pid)
        assert moody.detect([picture()])
        moody.close()


class TestLoading:
    @pytest.mark.parametrize(
        ("loading", "error", "said"),
        [
            ("raises", DetectorError, "RuntimeError: no such weights"),
            ("refuses", ConfigurationError, "not pinned. Pin it."),
            ("exits", DetectorError, "exit status 3"),
            ("repeats a label", DetectorError, "does not describe"),
            ("has no digest", DetectorError, "does not describe"),
            ("has no labels", DetectorError, "does not describe"),
        ],
    )
    def test_what_cannot_be_loaded_is_refused_at_construction(self, loading, error, said):
        with pytest.raises(error, match=said) as caught:
            IsolatedDetector(job(loading=loading))
        assert caught.value.remedy

    def test_what_loads_for_ever_is_ended(self):
        with pytest.raises(DetectorError, match="did not answer within"):
            IsolatedDetector(job(loading="sleeps", load_seconds=1.5))

    @pytest.mark.parametrize("factory", ["support.moody:Nobody", "support.nowhere:Moody"])
    def test_what_is_not_there_is_refused(self, factory):
        with pytest.raises(DetectorError) as caught:
            IsolatedDetector(Job("moody", factory))
        assert caught.value.remedy


class TestEnds:
    def test_the_process_ends_with_the_detector(self):
        moody = IsolatedDetector(job())
        pid, gone = moody.pid, weakref.ref(moody)
        del moody
        gc.collect()
        assert gone() is None
        assert ended(pid)

    def test_a_closed_one_starts_again(self):
        moody = IsolatedDetector(job())
        pid = moody.pid
        moody.close()
        assert ended(pid)
        assert moody.pid is None
        assert moody.detect([picture()])
        moody.close()

    @pytest.mark.parametrize("how", ["killed", "returns"])
    def test_no_process_outlives_its_host(self, how):
        program = (
            "import sys, time\n"
            "from governance_adapters.detectors.isolated import IsolatedDetector\n"
            "from governance_adapters.detectors.processes import Job\n"
            "detector = IsolatedDetector(Job('moody', 'support.moody:Moody'))\n"
            "print(detector.pid, flush=True)\n"
            "time.sleep(3600) if sys.argv[1] == 'killed' else None\n"
        )
        command = [sys.executable, "-c", program, how]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as host:
            pid = int(host.stdout.readline())
            if how == "killed":
                host.kill()
        assert ended(pid)

    def test_not_even_one_that_hangs(self):
        program = (
            "from governance_adapters.detectors.isolated import IsolatedDetector\n"
            "from governance_adapters.detectors.processes import Job\n"
            "from support.moody import Mood, picture\n"
            "detector = IsolatedDetector(Job('moody', 'support.moody:Moody', seconds=2))\n"
            "print(detector.pid, flush=True)\n"
            "detector.detect([picture(Mood.SLEEPS)])\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment()
        ) as host:
            pid = int(host.stdout.readline())
            time.sleep(0.3)  # until it is asked; were it not yet, it would end all the same
            host.kill()
        assert ended(pid)

    def test_a_forked_child_has_a_process_of_its_own(self):
        moody = IsolatedDetector(job())
        expected, pid = moody.detect([picture()]), moody.pid
        child = os.fork()
        if child == 0:
            sound = moody.pid is None and moody.detect([picture()]) == expected and moody.pid != pid
            moody.close()
            os._exit(0 if sound else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert moody.detect([picture()]) == expected
        assert moody.pid == pid
        moody.close()


def test_side_by_side_a_crash_fails_the_item_alone(detector):
    for mood, fails in ((0, False), (Mood.CRASHES, True), (0, False)):
        if fails:
            with pytest.raises(DetectorError):
                inspect([detector], [picture(mood)], 60)
        else:
            assert all(isinstance(found, Finding) for found in inspect([detector], [picture(mood)], 60)[0])
