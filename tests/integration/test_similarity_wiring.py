"""The settings open the detector and the printer over the installation's own register."""

from __future__ import annotations

import warnings

import pytest

from governance.errors import DetectorError
from governance.testing.works import KEEPER
from governance.works import WorkAction
from governance_adapters.detection import open_detectors
from governance_adapters.installation import existing_keys, initialise
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.settings import Settings
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.wiring import open_work_maker, open_works
from support.similarity import picture, save_onnx


@pytest.fixture
def settings(tmp_path):
    embedding = save_onnx(tmp_path / "own.onnx")
    made = Settings.load(home=tmp_path / "home", detectors=("similarity",), embedding=embedding, principal="counsel")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the development keys
        initialise(made)
    return made


def test_a_work_that_is_added_is_found_by_the_detector_that_was_opened_before(settings):
    (detector,) = open_detectors(settings)
    (nothing,) = detector.detect([picture(1)])
    assert [(one.label, one.score, one.work) for one in nothing] == [("copy", 0.0, "")]
    new = open_work_maker(settings).make(
        [("picture.png", ImageEncoder().encode(picture(1), "image/png"))],
        title="A picture",
        owner="Example house",
        licence="LicenseRef-example",
        action=WorkAction.DENY,
    )
    ledger = SqliteLedger.open(settings.ledger_path, existing_keys(settings).log(), create=False)
    try:
        open_works(settings, ledger).add(new, KEEPER)
    finally:
        ledger.close()
    (copy, derivative) = detector.detect([picture(1)])[0]
    assert (copy.work, copy.action, copy.score) == (new.work.id, "deny", 1.0)
    assert derivative.work == new.work.id
    (again,) = open_detectors(settings)
    assert again.detect([picture(1)]) == detector.detect([picture(1)])
    assert {path.name for path in (settings.home / "index").iterdir()} == {"hashes.checked", "vectors.checked"}


def test_without_a_register_nothing_is_compared_and_that_is_an_error(settings):
    settings.works_path.unlink()
    with pytest.raises(DetectorError, match="protected works"):
        open_detectors(settings)
