"""Detectors side by side, each within its time.

A detector runs in a thread of its own, so that a slow one costs its own time and not the sum. What passes its time fails
the item, not the process: nothing can stop a thread, so it is left alone, and its detector is not asked again until it
has returned. The threads are daemons, one pool for the process; a forked child begins with none.

At the end of the program, what is running is given a moment: native code that comes back into an interpreter which is being
taken down would abort the process.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from governance.errors import DetectorError
from governance.facts import finding_facts
from governance.ports import Detector
from governance.types import Finding, Pixels

Findings = tuple[Finding, ...]

_EXIT_SECONDS = 5.0
_LOOK_SECONDS = 0.25


def inspect(detectors: Sequence[Detector], images: Sequence[Pixels], seconds: float) -> list[Findings]:
    """What every detector finds in each image: scores, never verdicts, in the order of the detectors.

    `seconds` is how long one detector may take for one image. All detectors are waited for until they return or their
    time is over; the first error, in their order, is raised then.

    Raises:
        DetectorError: there is no detector; one failed, passed its time or is still busy with a call that did; an image
            has no finding by one; a score is not in [0, 1].
    """
    if not detectors:
        raise DetectorError("There is no detector, so nothing would be checked.", remedy="Configure at least one.")
    if not images:
        return []
    found: list[Findings] = [() for _ in images]
    for detector, scored in zip(detectors, _side_by_side(detectors, images, seconds), strict=True):
        if len(scored) != len(images) or not all(scored):
            raise DetectorError(
                f"Detector {detector.name} gave no finding for an image.",
                remedy="An image without a score is an unchecked image: repair or replace the detector.",
            )
        found = [(*before, *new) for before, new in zip(found, scored, strict=True)]
    for finding in (finding for findings in found for finding in findings):
        finding_facts(finding)  # refuses a score outside [0, 1]
    return found


def _side_by_side(
    detectors: Sequence[Detector], images: Sequence[Pixels], seconds: float
) -> Sequence[Sequence[Findings]]:
    pool = _pool
    limit = seconds * len(images)
    deadline = time.monotonic() + limit
    calls: list[_Call | DetectorError] = []
    for detector in detectors:
        try:
            calls.append(pool.start(detector, images, deadline))
        except DetectorError as error:
            calls.append(error)  # raised below, once the others have ended
    for call in calls:
        if isinstance(call, _Call):
            call.wait(deadline)
    return [_answer(call, limit) for call in calls]


def _answer(call: _Call | DetectorError, limit: float) -> Sequence[Findings]:
    if isinstance(call, DetectorError):
        raise call
    if not call.ended.is_set():
        raise DetectorError(
            f"Detector {call.detector.name} did not answer within {limit:g} s.",
            remedy="Look whether the machine is overloaded, give it more threads, or raise `detector_seconds`.",
        )
    if call.error is not None:
        raise call.error
    return call.found


@dataclass(eq=False, slots=True)
class _Call:
    """One detector at work on some images, and what came of it."""

    detector: Detector
    images: Sequence[Pixels]
    deadline: float
    ended: threading.Event = field(default_factory=threading.Event)
    found: Sequence[Findings] = ()
    error: BaseException | None = None

    def run(self) -> None:
        try:
            self.found = self.detector.detect(self.images)
        except BaseException as error:  # noqa: BLE001 - raised again where the findings are asked for
            self.error = error
        finally:
            self.images = ()

    def wait(self, deadline: float) -> None:
        """Wait for its end, at most until `deadline`; in short waits, because a long one may begin just after an
        interrupt that Python has noted and not raised yet.
        """
        while not self.ended.is_set() and (rest := deadline - time.monotonic()) > 0:
            self.ended.wait(min(rest, _LOOK_SECONDS))


class _Pool:
    """Threads that wait for the next call; one more is started where none is idle."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[_Call] = []
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = threading.Semaphore(0)

    def start(self, detector: Detector, images: Sequence[Pixels], deadline: float) -> _Call:
        """Begin to detect.

        Raises:
            DetectorError: a call of this detector passed its time and has not returned; or no thread can be started.
        """
        call = _Call(detector, images, deadline)
        with self._lock:
            now = time.monotonic()
            if any(other.detector is detector and other.deadline <= now for other in self._running):
                raise DetectorError(
                    f"Detector {detector.name} is still busy with an image for which its time is over.",
                    remedy="Wait until it returns, or start the process again; if it recurs, replace the detector.",
                )
            if not self._idle.acquire(blocking=False):
                self._add_thread(detector)
            self._work.put(lambda: self._run(call))
            self._running.append(call)  # after: an interrupt in between must not leave a call that never ends
        return call

    def settle(self, seconds: float) -> None:
        """Wait until nothing runs any more, at most so long."""
        deadline = time.monotonic() + seconds
        with self._lock:
            running = list(self._running)
        for call in running:
            call.wait(deadline)

    def _add_thread(self, detector: Detector) -> None:
        try:
            threading.Thread(target=self._serve, name="detector", daemon=True).start()
        except RuntimeError as error:
            raise DetectorError(
                f"No thread can be started for detector {detector.name}.", remedy="Free memory or threads."
            ) from error

    def _serve(self) -> None:
        while True:
            self._work.get()()

    def _run(self, call: _Call) -> None:
        call.run()
        with self._lock:
            self._running = [other for other in self._running if other is not call]
            self._idle.release()
        call.ended.set()


_pool = _Pool()


def _start_over() -> None:
    """In a forked child: threads do not come along, and what they were busy with is none of the child's."""
    global _pool  # noqa: PLW0603 - one pool for the process
    _pool = _Pool()


os.register_at_fork(after_in_child=_start_over)
atexit.register(lambda: _pool.settle(_EXIT_SECONDS))
