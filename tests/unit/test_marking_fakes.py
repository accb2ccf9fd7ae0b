"""The fakes misbehave exactly as they are told to: failure tests elsewhere rest on it."""

from __future__ import annotations

import numpy as np
import pytest

from governance.errors import MarkError
from governance.testing.examples import example_picture
from governance.testing.expect import expect
from governance.testing.marking import FakeEncoder, FakeFingerprinter, FakeLabeller
from governance.testing.watermark import FakeWatermarker


def test_embeddings_fail_on_command_and_are_recorded():
    marker, pixels = FakeWatermarker(fail_first=2), example_picture()
    found = [list(marker.extract(marker.embed(pixels, 9, strength))) for strength in marker.strengths]
    assert found == [[], [], [9]]
    assert marker.calls == marker.strengths


def test_a_lossy_encoder_destroys_the_fake_mark():
    marked = FakeWatermarker().embed(example_picture(), 9, 1.0)
    for lossy, found in ((False, (9,)), (True, ())):
        encoder = FakeEncoder(lossy=lossy)
        assert FakeWatermarker().extract(encoder.decode(encoder.encode(marked, "image/png"))) == found


def test_a_fake_file_may_carry_a_trailer():
    content = FakeEncoder().encode(example_picture(), "image/png")
    assert np.array_equal(FakeEncoder().decode(content + b"trailer"), example_picture())


def test_the_fake_label_reads_back_under_the_fake_mark():
    labelled = FakeLabeller().label(example_picture(), "AI-generated")
    assert FakeLabeller.read(FakeWatermarker().embed(labelled, 9, 1.0)) == "AI-generated"


def test_every_fake_raises_what_it_is_given():
    error, pixels = MarkError("told to", remedy="none needed"), example_picture()
    for call in (
        lambda: FakeWatermarker(error=error).embed(pixels, 1, 1.0),
        lambda: FakeEncoder(error=error).encode(pixels, "image/png"),
        lambda: FakeFingerprinter(error=error).fingerprint(pixels),
        lambda: FakeLabeller(error=error).label(pixels, "x"),
    ):
        with pytest.raises(MarkError, match="told to"):
            call()


def test_expect_is_strict():
    with pytest.raises(AssertionError, match="was not raised"), expect(MarkError):
        pass
    with pytest.raises(AssertionError, match="no remedy"), expect(MarkError):
        raise MarkError("without a remedy")
    with pytest.raises(ValueError, match="other"), expect(MarkError):
        raise ValueError("other")
