"""What is done to pictures, done to each frame of a clip: marking, reading marks again, and what detectors found.

A picture counts as a clip of one frame. A sound has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from governance.errors import MarkError
from governance.media import Clip, Media, Sound, frames_of
from governance.ports import Watermarker
from governance.types import Finding, Pixels

READABLE: Final = (9, 10)
"""The share of a clip's frames from which its mark must read back before it is released."""
LOOKED_AT: Final = 16
"""How many frames of a clip are searched for a mark, spread over all of it."""
FRAME: Final = "frame"
"""The member of a finding's evidence that says in which frame, from 0, it was found."""
MOST_WORKS: Final = 8
"""Of how many works a clip's findings speak, for each label: an entry has room for so many."""
_FIRST_EVIDENCE: Final = 7
"""How much evidence of the detector's own stays beside the frame: schemas allow eight members."""


def changed(media: Media, change: Callable[[Pixels], Pixels]) -> Media:
    """A picture changed, or a clip whose every frame is.

    Raises:
        MarkError: it is a sound; or whatever `change` raises.
    """
    if isinstance(media, Sound):
        raise MarkError("A sound can carry neither label nor watermark.", remedy="Let policy oblige neither.")
    if isinstance(media, Clip):
        return Clip(np.stack([change(frame) for frame in media.frames]), media.frame_rate)
    return change(media)


def readable(marker: Watermarker, media: Media, payload: int) -> bool:
    """Whether `payload` reads back: from a picture, or from at least nine in ten of all frames of a clip."""
    frames = frames_of(media)
    missing = 0
    allowed = len(frames) * (READABLE[1] - READABLE[0]) // READABLE[1]
    for frame in frames:
        missing += payload not in marker.extract(frame)
        if missing > allowed:
            return False
    return bool(frames)


def shown(media: Media) -> Pixels:
    """The picture that stands for it: a picture itself, of a clip the middle frame.

    Raises:
        MarkError: it is a sound.
    """
    frames = frames_of(media)
    if not frames:
        raise MarkError("A sound shows nothing.", remedy="Ask for what is in a picture or a clip.")
    return frames[len(frames) // 2]


def spread(media: Media, most: int = LOOKED_AT) -> Sequence[Pixels]:
    """At most so many frames, evenly spread: the first and the last are among them."""
    frames = frames_of(media)
    if len(frames) <= most:
        return frames
    return tuple(frames[place] for place in np.linspace(0, len(frames) - 1, most).round().astype(int).tolist())


def inspected(frames: int, every: int) -> tuple[int, ...]:
    """Which of so many frames detectors look at: each `every`th from the first on, and the last."""
    return tuple(dict.fromkeys((*range(0, frames, every), frames - 1)))


def worst(places: Sequence[int], found: Sequence[tuple[Finding, ...]]) -> tuple[Finding, ...]:
    """The highest score of each detector for each label and work, and the frame that it was found in.

    `found` are the findings of the frames `places`, in their order. The first of equal scores stands. Of the works that one
    label is about, and of which the register says the same, the `MOST_WORKS` with the highest scores stay.
    """
    most: dict[tuple[str, str, str], dict[str, Finding]] = {}
    for place, findings in zip(places, found, strict=True):
        for finding in findings:
            by_work = most.setdefault((finding.detector, finding.label, finding.action), {})
            if finding.work not in by_work or finding.score > by_work[finding.work].score:
                evidence = dict(list(finding.evidence.items())[:_FIRST_EVIDENCE])
                by_work[finding.work] = replace(finding, evidence={**evidence, FRAME: place})
    return tuple(
        finding
        for by_work in most.values()
        for finding in sorted(by_work.values(), key=lambda each: each.score, reverse=True)[:MOST_WORKS]
    )
