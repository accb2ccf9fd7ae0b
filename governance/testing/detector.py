"""The detector's contract, and a fake whose scores are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from governance.canonical import Digest, digest
from governance.errors import DetectorError
from governance.ports import Detector
from governance.testing.expect import expect
from governance.types import Finding, Pixels

_WEIGHTS = digest(b"fake detector weights")
Scores = Mapping[str, float] | Callable[[Pixels], Mapping[str, float]]


@dataclass
class FakeDetector:
    """Scores every image as given: label to risk, or a function of the pixels. `failing` is raised instead.

    `seen` counts the images that were scored.
    """

    scores: Scores = field(default_factory=lambda: {"nsfw": 0.01})
    name: str = "nsfw"
    digest: Digest = _WEIGHTS
    failing: DetectorError | None = None
    seen: int = 0

    def detect(self, images: Sequence[Pixels]) -> Sequence[tuple[Finding, ...]]:
        if self.failing is not None:
            raise self.failing
        found = []
        for image in images:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise DetectorError(f"Pixels of shape {image.shape}.", remedy="Give (H, W, 3) uint8.")
            scores = self.scores(image) if callable(self.scores) else self.scores
            if not scores:
                raise DetectorError("The scripted detector has no label.", remedy="Give it at least one score.")
            found.append(tuple(Finding(self.name, self.digest, label, score) for label, score in scores.items()))
        self.seen += len(found)
        return found


class DetectorContract:
    """What every detector keeps to. A subclass supplies `detector`."""

    def detector(self) -> Detector:
        raise NotImplementedError

    def images(self) -> list[Pixels]:
        """Three images of different size and content."""
        random = np.random.default_rng(7)
        shapes = ((64, 96), (256, 256), (1, 1))
        return [random.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]

    def test_its_name_and_digest_are_stable(self) -> None:
        first, second = self.detector(), self.detector()
        assert first.name
        assert (first.name, first.digest) == (second.name, second.digest)
        assert len(first.digest) == 64
        assert set(first.digest) <= set("0123456789abcdef")

    def test_every_image_has_findings_in_range(self) -> None:
        detector = self.detector()
        images = self.images()
        found = detector.detect(images)
        assert len(found) == len(images)
        for findings in found:
            assert findings
            for finding in findings:
                assert (finding.detector, finding.detector_digest) == (detector.name, detector.digest)
                assert finding.label
                assert 0.0 <= finding.score <= 1.0

    def test_a_score_depends_on_its_image_alone(self) -> None:
        detector = self.detector()
        images = self.images()
        together = detector.detect(images)
        assert [detector.detect([image])[0] for image in images] == list(together)
        assert list(detector.detect(images[::-1])) == list(together)[::-1]

    def test_nothing_to_score_is_no_finding(self) -> None:
        assert list(self.detector().detect([])) == []

    def test_pixels_are_left_as_they_were(self) -> None:
        images = self.images()
        self.detector().detect(images)
        assert all(np.array_equal(left, right) for left, right in zip(images, self.images(), strict=True))

    def test_pixels_of_another_kind_are_refused(self) -> None:
        wrong = np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32)
        for pixels in wrong:
            with expect(DetectorError):
                self.detector().detect([pixels])  # type: ignore[list-item]
