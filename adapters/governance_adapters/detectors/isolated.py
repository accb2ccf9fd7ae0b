"""A detector in a process of its own: what the model does wrong there fails an image, never the host."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
from typing import Any, Final

from governance.canonical import Digest
from governance.errors import ConfigurationError, DetectorError, GovernanceError
from governance.types import Finding, Pixels
from governance_adapters.detectors.pictures import checked
from governance_adapters.detectors.processes import Job, Process

_PASSED_ON: Final = {kind.__name__: kind for kind in (ConfigurationError, DetectorError)}
_HEX: Final = frozenset("0123456789abcdef")


class IsolatedDetector:
    """Implements `governance.ports.Detector` over a detector that a process of its own makes and runs.

    A crash, a hang or an answer that is none fails the call; the process is started again for the next one. For any
    number of threads, one image at a time; made anew in a forked child; the process ends with this object, and with the
    host however that ends.
    """

    def __init__(self, job: Job) -> None:
        """Start the process and let it load.

        Raises:
            ConfigurationError: the detector says so of its configuration.
            DetectorError: it cannot be loaded; the process cannot be started, died, or passed its time.
        """
        self._job = job
        self._process = _Holder()
        weakref.finalize(self, self._process.end)
        _living.add(self)
        self._reset()
        self._name, self._digest, self._labels = self._started()

    @property
    def name(self) -> str:
        """What the detector calls itself."""
        return self._name

    @property
    def digest(self) -> Digest:
        """The digest of what makes the scores, as the detector said when it was loaded."""
        return self._digest

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of its findings, in their order."""
        return self._labels

    @property
    def pid(self) -> int | None:
        """The id of the process, None while there is none."""
        process = self._process.held
        return process.pid if process and process.alive else None

    def detect(self, images: Sequence[Pixels]) -> Sequence[tuple[Finding, ...]]:
        """One finding per label for each image.

        Raises:
            DetectorError: an image is not (H, W, 3) uint8 or could not be scored; the process died, passed its time or
                answered something else; or others asked for too long.
        """
        pictures = [checked(index, image) for index, image in enumerate(images)]
        if not self._turn.acquire(timeout=self._job.seconds * max(1, len(pictures))):
            raise DetectorError(
                f"{self._name} was busy with other images for {self._job.seconds:g} s each.",
                remedy="Ask for less at a time, or give the detector more threads.",
            )
        try:
            return [self._findings(picture) for picture in pictures]
        finally:
            self._turn.release()

    def close(self) -> None:
        """End the process. A later image starts it again."""
        self._process.end()

    def _findings(self, pixels: Pixels) -> tuple[Finding, ...]:
        process = self._process.held
        if process is None or not process.alive:
            self._process.end()
            if self._started() != (self._name, self._digest, self._labels):
                self._process.end()
                raise DetectorError(
                    f"{self._name} is not what it was when it was loaded first.",
                    remedy="Start the process again, so that its model is checked anew.",
                )
        try:
            return self._believed(self._process.asked(pixels))
        except _Unusable as error:
            self._process.end()
            raise DetectorError(
                f"{self._name} answered something that is no score of its labels: {error}.",
                remedy="Replace its model; a new process will answer the next image.",
            ) from error

    def _started(self) -> tuple[str, Digest, tuple[str, ...]]:
        """Start a process; name, digest and labels as its detector tells them."""
        self._process.held = process = Process(self._job)
        try:
            said = process.description
            _raise_error(said, self._job.name)
            name, digest, labels = said["name"], said["digest"], tuple(said["labels"])
            sound = len(digest) == 64 and set(digest) <= _HEX and labels and len(set(labels)) == len(labels)
            if not sound or not all(isinstance(text, str) and text for text in (name, *labels)):
                raise ValueError(f"{said!r:.200}")
        except GovernanceError:
            self._process.end()
            raise
        except (TypeError, KeyError, ValueError) as error:
            self._process.end()
            raise DetectorError(
                f"The process of {self._job.name} does not describe a detector: {error}.",
                remedy="Install diffusion-governance again.",
            ) from error
        return name, Digest(digest), labels

    def _believed(self, answer: Any) -> tuple[Finding, ...]:
        """The findings of an answer: every label once, in order, with a number in [0, 1]. NaN is in no range."""
        _raise_error(answer, self._name)
        try:
            scores = [(label, score) for label, score in answer["scores"]]
        except (TypeError, KeyError, ValueError) as error:
            raise _Unusable("not a list of labels and scores") from error
        if [label for label, _ in scores] != list(self._labels):
            raise _Unusable("other labels than its own")
        if not all(type(score) is float and 0.0 <= score <= 1.0 for _, score in scores):
            raise _Unusable("a score that is not in [0, 1]")
        return tuple(Finding(self._name, self._digest, label, score) for label, score in scores)

    def _reset(self) -> None:
        self._turn = threading.Lock()

    def _forget(self) -> None:
        """In a forked child: leave the parent's process alone, and start another when there is something to score."""
        if self._process.held:
            self._process.held.forget()
            self._process.held = None
        self._reset()


class _Holder:
    """The process of a detector, where there is one: what outlives the detector by the moment it takes to end it."""

    held: Process | None = None

    def asked(self, pixels: Pixels) -> Any:
        assert self.held
        height, width, _ = pixels.shape
        return self.held.ask(height, width, pixels.tobytes())

    def end(self) -> None:
        if self.held:
            self.held.end()
            self.held = None


class _Unusable(Exception):  # noqa: N818
    """An answer that is none."""


def _raise_error(answer: Any, name: str) -> None:
    """Raise what went wrong in the process, if that is its answer."""
    if not isinstance(answer, dict) or "error" not in answer:
        return
    said = answer["error"]
    kind, message, remedy = map(str, said) if isinstance(said, list) and len(said) == 3 else ("", repr(said)[:200], "")
    if kind in _PASSED_ON:
        raise _PASSED_ON[kind](message, remedy=remedy)
    raise DetectorError(f"{name} failed: {kind}: {message}.", remedy="Install what it needs, or replace its model.")


def _start_over() -> None:
    for detector in list(_living):
        detector._forget()  # noqa: SLF001


_living: weakref.WeakSet[IsolatedDetector] = weakref.WeakSet()
os.register_at_fork(after_in_child=_start_over)
