"""Which variants a work is printed in, and how a picture that is checked is looked at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import DetectorError
from governance_adapters.detectors.similarity import variants
from governance_adapters.detectors.similarity.pdq import hash_of, seen_hashes, work_hashes
from support.similarity import picture

SIDES = st.integers(16, 200)


@given(SIDES, SIDES)
def test_every_variant_is_a_picture_with_a_name_of_its_own(height, width):
    if min(height, width) * 512 // max(height, width) < 16:
        return
    made = list(variants.hashed_variants(picture(1, height, width)))
    assert len({name for name, _ in made}) == len(made) >= 38
    assert all(0 not in one.shape and one.ndim == 3 for _, one in made)


def test_the_eight_flips_and_turns_are_the_symmetries_of_the_square():
    square = picture(2, 64, 64)
    made = dict(variants.hashed_variants(square))
    assert np.array_equal(made["mirror"], np.fliplr(square))
    assert np.array_equal(made["upside_down"], np.flipud(square))
    assert np.array_equal(made["turn_90"], np.rot90(square, 1))
    assert np.array_equal(made["turn_180"], np.rot90(square, 2))
    assert np.array_equal(made["turn_270"], np.rot90(square, 3))
    assert np.array_equal(made["transpose"], square.transpose(1, 0, 2))
    assert np.array_equal(made["transverse"], np.rot90(square, 2).transpose(1, 0, 2))


def test_nothing_black_is_left_inside_a_rotation():
    made = dict(variants.hashed_variants(np.full((90, 130, 3), 255, np.uint8)))
    for angle in ("5", "10", "15", "minus_15"):
        assert made[f"rotate_{angle}"].min() == 0
        assert made[f"rotate_{angle}_inside"].min() > 200


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_an_even_border_is_cut_off_exactly(top, bottom, left, right):
    inner = np.random.default_rng(3).integers(0, 256, (80, 90, 3), np.uint8)
    framed = np.pad(inner, ((top, bottom), (left, right), (0, 0)), constant_values=200)
    assert np.array_equal(variants.trimmed(framed), inner)


def test_at_most_a_quarter_is_cut_off_each_side():
    assert variants.trimmed(np.zeros((80, 40, 3), np.uint8)).shape == (40, 20, 3)


def test_a_picture_without_border_is_seen_once_and_one_with_a_border_twice():
    bare = picture(4)
    framed = np.pad(bare, ((9, 9), (9, 9), (0, 0)), constant_values=30)
    assert [one.variant for one in seen_hashes(bare)] == [""]
    whole, trimmed = seen_hashes(framed)
    assert (whole.variant, trimmed.variant) == ("", "trimmed")
    assert trimmed.value == hash_of(bare).value != whole.value


def test_a_framed_work_is_also_printed_without_its_frame():
    framed = np.pad(picture(4), ((9, 9), (9, 9), (0, 0)), constant_values=30)
    assert {one.variant for one in work_hashes(framed)} - {one.variant for one in work_hashes(picture(4))} == {
        "trimmed"
    }


@pytest.mark.parametrize("shape", [(1, 1), (15, 400), (20_000, 300), (8, 8)])
def test_what_is_too_small_or_too_narrow_is_no_work(shape):
    with pytest.raises(DetectorError, match="too small or too narrow"):
        variants.work_picture(np.zeros((*shape, 3), np.uint8))


def test_a_huge_work_is_printed_from_512_px():
    assert variants.work_picture(np.zeros((20_000, 1000, 3), np.uint8)).shape == (512, 26, 3)
    assert variants.work_picture(np.zeros((400, 500, 3), np.uint8)).shape == (400, 500, 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (20_000, 3), (64, 64)])
def test_every_size_has_a_hash(shape):
    one = hash_of(np.full((*shape, 3), 90, np.uint8))
    assert len(one.value) == 32
    assert 0 <= one.quality < 50
