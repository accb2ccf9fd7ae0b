"""What the scores of a folder of images say about thresholds. No threshold is judged here: people choose it from this.

Scores are in millionths, rounded up, as policy compares them: an image is caught by a threshold if its score is at or
above it. A good image that is caught is a false positive; a bad one that is not, a miss.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from governance.canonical import Json
from governance.facts import finding_facts
from governance.types import Finding

TOP = 1_000_000
NEVER = TOP + 1
"""A threshold that no score reaches, as in the policy data."""
_TENTHS = tuple(range(100_000, TOP, 100_000))
_BUDGETS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True)
class Row:
    """What one threshold catches."""

    threshold: int
    false_positives: int
    caught: int


@dataclass(frozen=True, slots=True)
class LabelScores:
    """The scores of one label, in millionths, ascending: one for each good image and one for each bad one."""

    detector: str
    label: str
    good: tuple[int, ...]
    bad: tuple[int, ...] = ()

    def at(self, threshold: int) -> Row:
        """What `threshold` catches."""
        return Row(
            threshold,
            len(self.good) - bisect_left(self.good, threshold),
            len(self.bad) - bisect_left(self.bad, threshold),
        )

    def least(self, false_positives: int) -> int:
        """The lowest threshold from 1 that catches at most so many good images.

        That is `NEVER` where more of them than that have the highest score that there is.
        """
        if false_positives >= len(self.good):
            return 1
        return self.good[len(self.good) - 1 - false_positives] + 1

    def table(self, budget: int) -> tuple[Row, ...]:
        """Every tenth, and the lowest threshold for each round number of false positives and for `budget`."""
        budgets = {budget, *(number for number in _BUDGETS if number < len(self.good))}
        chosen = {*_TENTHS, *map(self.least, budgets)} - {NEVER}
        return tuple(self.at(threshold) for threshold in sorted(chosen))

    def thresholds(self, budget: int) -> dict[str, int] | None:
        """The row of `data.thresholds`: `review` catches at most `budget` good images, `deny` none.

        None where `review` would catch nothing at all: then the label tells nothing apart.
        """
        review = self.least(budget)
        return None if review == NEVER else {"deny": self.least(0), "review": review}

    def as_json(self, budget: int) -> dict[str, Json]:
        """The label's table for programs; `caught` counts bad images, and is left out where there are none."""
        rows: list[Json] = [
            {"threshold": row.threshold, "false_positives": row.false_positives}
            | ({"caught": row.caught} if self.bad else {})
            for row in self.table(budget)
        ]
        return {"detector": self.detector, "label": self.label, "table": rows}


def scores_by_label(
    good: Sequence[Sequence[Finding]], bad: Sequence[Sequence[Finding]] = ()
) -> tuple[LabelScores, ...]:
    """The scores of every label that was found anywhere, in the order in which they appear.

    An image counts once for a label, with its highest score; where it has no such finding, with 0.
    """
    found = {(one.detector, one.label): None for findings in (*good, *bad) for one in findings}
    per_good, per_bad = [_highest(findings) for findings in good], [_highest(findings) for findings in bad]
    return tuple(
        LabelScores(
            detector,
            label,
            tuple(sorted(image.get((detector, label), 0) for image in per_good)),
            tuple(sorted(image.get((detector, label), 0) for image in per_bad)),
        )
        for detector, label in found
    )


def _highest(findings: Iterable[Finding]) -> Mapping[tuple[str, str], int]:
    highest: dict[tuple[str, str], int] = {}
    for finding in findings:
        score = finding_facts(finding)["score_millionths"]
        assert isinstance(score, int)
        key = finding.detector, finding.label
        highest[key] = max(score, highest.get(key, 0))
    return highest
