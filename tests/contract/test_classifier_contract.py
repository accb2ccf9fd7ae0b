"""Classifiers keep the port's contract, in this process and in one of their own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from governance.ports import Detector
from governance.testing.detector import DetectorContract
from governance_adapters.detectors.classifiers import ImageClassifier, SafetyChecker
from governance_adapters.detectors.isolated import IsolatedDetector
from governance_adapters.detectors.processes import Job
from governance_adapters.detectors.weights import WeightsFolder
from support.classifiers import save_safety_checker, save_vit


@cache
def image_classifier() -> ImageClassifier:
    with TemporaryDirectory() as folder:
        path = save_vit(Path(folder))
        return ImageClassifier("brand", path, digest=WeightsFolder.read(path).digest)


@cache
def safety_checker() -> SafetyChecker:
    with TemporaryDirectory() as folder:
        path = save_safety_checker(Path(folder))
        return SafetyChecker("unsafe", path, digest=WeightsFolder.read(path).digest)


@pytest.fixture(autouse=True, scope="module")
def _ended():
    yield
    isolated().close()


class TestImageClassifier(DetectorContract):
    def detector(self) -> Detector:
        return image_classifier()


class TestSafetyChecker(DetectorContract):
    def detector(self) -> Detector:
        return safety_checker()


class TestIsolatedDetector(DetectorContract):
    def detector(self) -> Detector:
        return isolated()


@cache
def isolated() -> IsolatedDetector:
    return IsolatedDetector(Job("moody", "support.moody:Moody"))
