"""The similarity detector keeps the contract of its port, with an empty register and with works in it."""

from __future__ import annotations

from governance.ports import Detector
from governance.testing.detector import DetectorContract
from governance.testing.works import FakeWorkRegister
from governance_adapters.detectors.similarity.detector import SimilarityDetector
from support.similarity import ColourEmbedder, picture, registered


class TestWithWorks(DetectorContract):
    def detector(self) -> Detector:
        register, _ = registered(picture(1), picture(2))
        return SimilarityDetector(register, ColourEmbedder())

    def images(self):
        return [*super().images(), picture(1)]


class TestWithoutWorks(DetectorContract):
    def detector(self) -> Detector:
        return SimilarityDetector(FakeWorkRegister(), ColourEmbedder())
