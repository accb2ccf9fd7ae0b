"""What detectors say of the images of a part, batch by batch, in the words of a record."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from governance.datasets.records import NOT_LOOKED
from governance.errors import DetectorError
from governance.facts import finding_facts
from governance.ports import Detector
from governance.types import Finding, Pixels
from governance.works import WorkAction

NSFW: Final = "nsfw"
SIMILARITY: Final = "similarity"
LABELS: Final = frozenset({"copy", "copy_unsure", "derivative"})
"""The labels of the similarity detector that are about a work."""

MIN_SIDE: Final = 8
"""Images with a shorter side, in pixels, show nothing that a detector could score: they are not looked at."""

BATCH: Final = 16
BATCH_PIXELS: Final = 16 * 2**20
"""The most images, and about the most pixels, that wait for the detectors."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one image, in hundredths, rounded up, or `NOT_LOOKED`; and the work that it is the most similar to."""

    nsfw: int = NOT_LOOKED
    similar: int = NOT_LOOKED
    work: str = ""
    work_action: str = ""


def scored(images: Sequence[Pixels], detectors: Iterable[Detector]) -> list[Scores]:
    """The scores of each image, in order.

    An image that a detector refuses, although it works, is one that it did not look at.

    Raises:
        DetectorError: a detector does not work at all.
    """
    scores = [Scores() for _ in images]
    for detector in detectors:
        for index, findings in enumerate(_detected(detector, images)):
            scores[index] = _with(scores[index], findings)
    return scores


def hundredths(finding: Finding) -> int:
    """The score of a finding in hundredths, rounded up.

    Raises:
        DetectorError: the score is not a number in [0, 1].
    """
    millionths = finding_facts(finding)["score_millionths"]
    return math.ceil(int(str(millionths)) / 10_000)


def _detected(detector: Detector, images: Sequence[Pixels]) -> Sequence[tuple[Finding, ...]]:
    try:
        return _checked(detector, images)
    except DetectorError:
        _checked(detector, [_probe()])  # raises where the detector is at fault, and not an image
    found: list[tuple[Finding, ...]] = []
    for image in images:
        try:
            found.extend(_checked(detector, [image]))
        except DetectorError:
            found.append(())
    return found


def _checked(detector: Detector, images: Sequence[Pixels]) -> Sequence[tuple[Finding, ...]]:
    found = detector.detect(images)
    if len(found) != len(images):
        raise DetectorError(
            f"The detector {detector.name} answered {len(found)} times about {len(images)} images.",
            remedy="Report this to whoever made the detector.",
        )
    return found


def _with(scores: Scores, findings: Iterable[Finding]) -> Scores:
    nsfw = [hundredths(each) for each in findings if each.detector == NSFW and each.label == NSFW]
    alike = [each for each in findings if each.detector == SIMILARITY and each.label in LABELS]
    if nsfw:
        scores = replace(scores, nsfw=max(nsfw))
    if alike:
        best = min(alike, key=_rank)
        scores = replace(scores, similar=hundredths(best), work=best.work, work_action=best.action)
    return scores


def _rank(finding: Finding) -> tuple[int, int, str]:
    """The highest score first; of equal ones the work that withholds most."""
    actions = [action.value for action in WorkAction]
    action = actions.index(finding.action) if finding.action in actions else len(actions)
    return -hundredths(finding), action, finding.work


def _probe() -> Pixels:
    """A picture that every working detector can score: soft shades over 256 x 256 px."""
    rows, columns = np.mgrid[0:256, 0:256]
    return np.stack([rows, columns, (rows + columns) // 2], axis=2).astype(np.uint8)
