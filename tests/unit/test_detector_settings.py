"""Detectors by configuration: what the settings accept, what they become, and how many labels an entry holds."""

import json
from contextlib import chdir, suppress
from pathlib import Path

import pytest

from governance.canonical import digest
from governance.entries import MAX_ENTRY_BYTES, EntryKind
from governance.errors import ConfigurationError, WithheldError
from governance.governor import Governor
from governance.testing import FakePipeline, FakePolicyEngine, fake_parts
from governance.testing.detector import FakeDetector
from governance.testing.examples import example_request
from governance.types import Outcome, Reason, Stage
from governance_adapters import detection
from governance_adapters.detection import MAX_FINDINGS_BYTES, configured, open_detector, require_room
from governance_adapters.detectors.labels import MAX_CLASSES, MAX_LABEL
from governance_adapters.settings import ClassifierKind, ClassifierSettings, Settings
from support.markdown import ROOT, section, table

PINNED = digest(b"weights")
BRAND = {"kind": "image-classifier", "path": "models/brand", "digest": PINNED, "benign": ["fine"], "threads": 2}


def test_a_classifier_is_read_from_the_folder_s_settings(tmp_path):
    (tmp_path / "governance.toml").write_text(
        'detectors = ["nsfw", "brand"]\n[classifiers.brand]\n'
        + "".join(f"{key} = {json.dumps(value)}\n" for key, value in BRAND.items())
    )
    with chdir(tmp_path):
        settings = Settings.load()
    brand = settings.classifiers["brand"]
    assert settings.detectors == ("nsfw", "brand")
    assert (brand.kind, brand.path, brand.digest) == (ClassifierKind.IMAGE_CLASSIFIER, Path("models/brand"), PINNED)
    assert (brand.benign, brand.threads) == (("fine",), 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"detectors": ("brand", "nsfv")}, ("nsfv", "nsfw", "brand")),
        ({"classifiers": {"nsfw": BRAND}}, ("nsfw",)),
        ({"classifiers": {"similarity": BRAND}}, ("similarity",)),
        ({"classifiers": {"Brand": BRAND}}, ("Brand",)),
        ({"classifiers": {"a.b": BRAND}}, ("a.b",)),
        ({"classifiers": {"b" * 33: BRAND}}, ("classifiers",)),
        ({"classifiers": {"brand": {**BRAND, "kind": "oracle"}}}, ("kind",)),
        ({"classifiers": {"brand": {**BRAND, "digest": "abc"}}}, ("digest",)),
        ({"classifiers": {"brand": {**BRAND, "threads": 0}}}, ("threads",)),
        ({"classifiers": {"brand": {**BRAND, "trust_remote_code": True}}}, ("trust_remote_code",)),
        ({"classifiers": {"brand": {"kind": "image-classifier"}}}, ("path",)),
        ({"detector_seconds": 0}, ("detector_seconds",)),
        ({"detector_seconds": float("nan")}, ("detector_seconds",)),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(changes, words):
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(**{"classifiers": {"brand": BRAND}, **changes})
    for word in words:
        assert word in str(caught.value)


def test_a_detector_twice_is_refused():
    with pytest.raises(ConfigurationError, match="twice"):
        Settings.load(detectors=("nsfw", "nsfw"))


def test_those_in_use_come_first():
    settings = Settings.load(classifiers={"a": BRAND, "b": BRAND}, detectors=("b", "nsfw"))
    assert configured(settings) == ("b", "nsfw", "a")


def test_a_detector_that_is_nowhere_is_refused():
    with pytest.raises(ConfigurationError, match="no detector 'brand'"):
        open_detector(Settings.load(), "brand")


def test_a_classifier_becomes_a_job_with_its_limits():
    settings = Settings.load(classifiers={"brand": BRAND}, threads=3)
    job = detection._job("brand", settings.classifiers["brand"], settings)
    path = str(Path("models/brand").absolute())
    assert job.arguments == {"name": "brand", "path": path, "digest": PINNED, "benign": ["fine"]}
    assert (job.threads, job.seconds) == (2, settings.detector_seconds)
    assert job.factory == "governance_adapters.detectors.classifiers:ImageClassifier"


def test_what_a_safety_checker_cannot_have_is_refused():
    with pytest.raises(ConfigurationError, match="benign"):
        Settings.load(classifiers={"unsafe": {**BRAND, "kind": "safety-checker"}})


def test_every_key_of_a_classifier_is_documented():
    rows = table(section((ROOT / "docs" / "detectors.md").read_text(), "A classifier of your own"))
    assert [row[0].strip("`") for row in rows] == list(ClassifierSettings.model_fields)


class Wordy(FakeDetector):
    """A detector that tells its labels beforehand, each of the greatest length, all scored at greatest length."""

    def __init__(self, count, name="wordy"):
        self.labels = tuple(f"{name}.".ljust(MAX_LABEL - 3, "x") + f"{at:03}" for at in range(count))
        super().__init__(dict.fromkeys(self.labels, 1.2345678901234567e-05), name=name)


def most():
    """The most labels that are not refused."""
    count = 1
    while True:
        try:
            require_room([Wordy(count + 1)])
        except ConfigurationError:
            return count
        count += 1


class TestRoom:
    """Findings are written into entries, whose size is limited: too many labels would fail every image, too late."""

    def test_labels_beyond_the_room_are_refused_by_name(self):
        count = most()
        require_room([FakeDetector(), Wordy(count)])
        require_room([Wordy(count // 2), Wordy(count // 2, "other")])
        with pytest.raises(ConfigurationError, match=f"an entry has {MAX_FINDINGS_BYTES}") as caught:
            require_room([Wordy(1, "other"), Wordy(count)])
        assert "in place of wordy" in caught.value.remedy

    def test_all_classes_of_one_model_have_room_where_their_names_are_short(self):
        detector = Wordy(0, "classifier")
        detector.labels = tuple(f"classifier.a_class_{at:03}" for at in range(MAX_CLASSES))
        require_room([detector])

    @pytest.mark.parametrize("outcome", [Outcome.ALLOW, Outcome.REVIEW, Outcome.DENY])
    def test_what_is_not_refused_fits_an_entry_at_its_worst(self, outcome, figure):
        full = Wordy(most())
        engine = FakePolicyEngine()
        reasons = [Reason("finding.unjudged", "m", f"/findings/{at}") for at in range(len(full.labels) + 10)]
        release = engine.answer(Stage.RELEASE, outcome, *reasons, watermark=True, visible_label="AI-generated")
        similar = FakeDetector({f"{at} copies": 0.12345678901234567 for at in range(10)}, name="similarity")
        parts = fake_parts(policy=FakePolicyEngine({Stage.RELEASE: release}), detectors=(similar, full))
        with suppress(WithheldError):
            Governor(parts).generate(example_request(), FakePipeline())
        kinds = {Outcome.ALLOW: EntryKind.RELEASED, Outcome.REVIEW: EntryKind.HELD, Outcome.DENY: EntryKind.DENIED}
        *_, (_, entry) = parts.ledger.entries()
        assert entry.kind is kinds[outcome]
        size = len(entry.leaf())
        figure(f"{len(full.labels)} longest labels, each with a reason: an entry {entry.kind.value} of {size} bytes")
        assert size < MAX_ENTRY_BYTES - 4096
