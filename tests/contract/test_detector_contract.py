"""Every detector keeps the port's contract."""

from __future__ import annotations

import numpy as np
import pytest

from governance.errors import DetectorError
from governance.ports import Detector
from governance.testing.detector import DetectorContract, FakeDetector
from governance_adapters.detectors.nsfw import OpenNsfwDetector


class TestFakeDetector(DetectorContract):
    def detector(self) -> Detector:
        return FakeDetector(lambda pixels: {"nsfw": float(pixels.mean()) / 255, "other": 0.5})

    def test_it_fails_as_told(self) -> None:
        failing = DetectorError("The detector is broken.", remedy="Mend it.")
        with pytest.raises(DetectorError) as caught:
            FakeDetector(failing=failing).detect([])
        assert caught.value is failing

    def test_it_needs_a_score(self) -> None:
        with pytest.raises(DetectorError):
            FakeDetector({}).detect([np.zeros((2, 2, 3), np.uint8)])

    def test_it_counts_what_it_saw(self) -> None:
        fake = FakeDetector()
        fake.detect(self.images())
        assert fake.seen == len(self.images())


class TestOpenNsfwDetector(DetectorContract):
    def detector(self) -> Detector:
        return OpenNsfwDetector()
