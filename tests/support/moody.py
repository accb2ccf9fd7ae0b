"""A detector that does to its process what the first pixel of an image says. Its process imports this module."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress
from enum import IntEnum

import numpy as np

from governance.canonical import Digest, digest
from governance.errors import ConfigurationError, DetectorError
from governance.types import Finding
from governance_adapters.detectors.worker import HEADER

LABELS = ("moody.dark", "moody.light")
FOREVER = 3600


class Mood(IntEnum):
    """The red of the first pixel; anything beyond is a good mood."""

    SLEEPS = 1
    CRASHES = 2
    NAN = 3
    BEYOND = 4
    NO_FINDING = 5
    OTHER_LABELS = 6
    REPEATS_A_LABEL = 7
    TOO_MANY_IMAGES = 8
    RAISES = 9
    REFUSES = 10
    EXITS = 11
    TALKS_OUT_OF_TURN = 12
    ENDLESS_LABEL = 13
    ABORTS = 14
    KILLED = 15
    ANSWERS_ANOTHER = 16


class Moody:
    """Scores how dark and how light an image is. `loading` says how even making it goes wrong."""

    name = "moody"
    digest: Digest = digest(b"moody")
    labels = LABELS

    def __init__(self, loading: str = "", *, changed: str = "") -> None:
        print("a line that no answer may be confused with", flush=True)
        if loading == "raises":
            raise RuntimeError("no such weights")
        if loading == "refuses":
            raise ConfigurationError("This is not pinned.", remedy="Pin it.")
        if loading == "exits":
            os._exit(3)
        if loading == "sleeps":
            time.sleep(FOREVER)
        if loading == "repeats a label":
            self.labels = ("moody.dark", "moody.dark")
        if loading == "has no digest":
            self.digest = Digest("none")
        if loading == "has no labels":
            self.labels = ()
        if changed and os.path.exists(changed):  # noqa: PTH110 - a name from JSON
            self.digest = digest(b"another")

    def detect(self, images):
        """One image at a time, as the process asks."""
        print("another such line", flush=True)
        (image,) = images
        light = float(image.mean()) / 255
        scores = [1 - light, light]
        labels = list(LABELS)
        mood = int(image[0, 0, 0])
        _act(mood)
        if mood == Mood.NAN:
            scores[1] = float("nan")
        if mood == Mood.BEYOND:
            scores[1] = 1.5
        if mood == Mood.OTHER_LABELS:
            labels[1] = "moody.other"
        if mood == Mood.REPEATS_A_LABEL:
            labels[1] = labels[0]
        if mood == Mood.ENDLESS_LABEL:
            labels[1] = "x" * 10_000_000
        if mood == Mood.NO_FINDING:
            return [()]
        found = tuple(Finding(self.name, self.digest, *pair) for pair in zip(labels, scores, strict=True))
        return [found, found] if mood == Mood.TOO_MANY_IMAGES else [found]


def _act(mood: int) -> None:
    if mood == Mood.SLEEPS:
        time.sleep(FOREVER)
    if mood in (Mood.CRASHES, Mood.ABORTS, Mood.KILLED):
        signals = {Mood.CRASHES: signal.SIGSEGV, Mood.ABORTS: signal.SIGABRT, Mood.KILLED: signal.SIGKILL}
        os.kill(os.getpid(), signals[Mood(mood)])
    if mood == Mood.RAISES:
        raise RuntimeError("out of sorts")
    if mood == Mood.REFUSES:
        raise DetectorError("This image has no sense.", remedy="Give another.")
    if mood == Mood.EXITS:
        sys.exit(7)
    if mood == Mood.ANSWERS_ANOTHER:
        answer = json.dumps({"scores": [[label, 0.0] for label in LABELS]}).encode()
        frame = HEADER.pack(len(answer), 1) + answer  # sound but for its number: the first question was the job
        for descriptor in range(3, 32):
            with suppress(OSError):
                os.write(descriptor, frame)
        time.sleep(FOREVER)
    if mood == Mood.TALKS_OUT_OF_TURN:
        for descriptor in range(3, 32):
            try:
                os.write(descriptor, b"\0" * 64)
            except OSError:
                continue


def picture(mood: int = 0, side: int = 16):
    """Grey pixels whose first says the mood."""
    pixels = np.full((side, side, 3), 200, np.uint8)
    pixels[0, 0, 0] = mood
    return pixels
