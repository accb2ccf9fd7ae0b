from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from governance.attribution import GRID_BYTES, Grade, attribute, grid, grid_distance, hamming
from governance.errors import MarkError
from governance.pixels import require_pixels
from governance.types import Fingerprint

hashes = st.binary(min_size=32, max_size=32)
grids = st.binary(min_size=GRID_BYTES, max_size=GRID_BYTES)


def fingerprint(*, bits: int = 0, quality: int = 100, level: int = 100, cells: int = GRID_BYTES) -> Fingerprint:
    """The first `bits` bits of the hash set; the first `cells` grid values at `level`, the others at 100."""
    pdq = (((1 << bits) - 1) << (256 - bits)).to_bytes(32)
    return Fingerprint(pdq, quality, bytes([level] * cells + [100] * (GRID_BYTES - cells)))


BASE = fingerprint()

CASES = {
    "the same": (fingerprint(), Grade.ATTRIBUTED),
    "hash at its limit": (fingerprint(bits=31), Grade.ATTRIBUTED),
    "hash beyond its limit": (fingerprint(bits=32), Grade.SIMILAR),
    "hash of a related picture": (fingerprint(bits=90), Grade.SIMILAR),
    "hash of another picture": (fingerprint(bits=91), Grade.DIFFERS),
    "grid near": (fingerprint(level=105), Grade.ATTRIBUTED),
    "grid beyond near": (fingerprint(level=106), Grade.SIMILAR),
    "one cell at the limit": (fingerprint(level=120, cells=1), Grade.ATTRIBUTED),
    "one cell beyond": (fingerprint(level=121, cells=1), Grade.SIMILAR),
    "one cell of another colour": (fingerprint(level=165, cells=1), Grade.DIFFERS),
    "another brightness": (fingerprint(level=130), Grade.SIMILAR),
    "another colour, the same hash": (fingerprint(level=131), Grade.DIFFERS),
    "low quality, the same grid": (fingerprint(quality=49), Grade.ATTRIBUTED),
    "low quality, close grid": (fingerprint(quality=49, level=102), Grade.ATTRIBUTED),
    "low quality, wavering hash": (fingerprint(quality=20, bits=90), Grade.ATTRIBUTED),
    "low quality, grid near but not close": (fingerprint(quality=49, level=103), Grade.SIMILAR),
    "low quality, one cell not close": (fingerprint(quality=49, level=109, cells=1), Grade.SIMILAR),
    "low quality, hash of another, grid close": (fingerprint(quality=20, bits=128), Grade.SIMILAR),
    "low quality, hash of another, grid near": (fingerprint(quality=20, bits=128, level=103), Grade.DIFFERS),
    "low quality, another colour": (fingerprint(quality=20, level=131), Grade.DIFFERS),
}


@pytest.mark.parametrize(("seen", "grade"), CASES.values(), ids=CASES)
def test_grades(seen, grade):
    assert attribute(BASE, seen).grade is grade
    # The lower of both qualities counts, so it does not matter which side is which.
    assert attribute(seen, BASE).grade is grade


def test_distances_are_reported():
    found = attribute(BASE, fingerprint(bits=7, quality=60, level=112, cells=2))
    assert (found.pdq_distance, found.quality, found.grid_largest) == (7, 60, 12)
    assert found.grid_mean == pytest.approx(24 / GRID_BYTES)


def test_the_wording_of_the_grades():
    assert [str(grade) for grade in Grade] == [
        "attributed",
        "mark present, picture similar",
        "mark present, picture differs",
    ]


@given(hashes, hashes, hashes)
def test_hamming_is_a_distance(a, b, c):
    assert hamming(a, a) == 0
    assert hamming(a, b) == hamming(b, a) == sum(x != y for x, y in zip(_bits(a), _bits(b), strict=True))
    assert hamming(a, c) <= hamming(a, b) + hamming(b, c)


def _bits(value: bytes) -> str:
    return f"{int.from_bytes(value):0256b}"


@given(grids, grids)
def test_grid_distance_is_symmetric_and_bounded(one, other):
    mean, largest = grid_distance(one, other)
    assert (mean, largest) == grid_distance(other, one)
    assert 0 <= mean <= largest <= 255
    assert (largest == 0) == (one == other)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(8, 40), st.integers(8, 40), st.just(3))))
def test_the_grid_is_the_mean_of_each_cell(pixels):
    height, width = pixels.shape[:2]
    cells = np.frombuffer(grid(pixels), np.uint8).reshape(8, 8, 3)
    for row in range(8):
        for column in range(8):
            cell = pixels[row * height // 8 : (row + 1) * height // 8, column * width // 8 : (column + 1) * width // 8]
            assert np.abs(cells[row, column] - cell.mean(axis=(0, 1))).max() <= 0.5 + 1e-9


def test_a_grid_is_row_major_rgb():
    pixels = np.zeros((80, 160, 3), np.uint8)
    pixels[:10, 20:40] = (10, 20, 30)
    assert grid(pixels)[:6] == bytes([0, 0, 0, 10, 20, 30])


@pytest.mark.parametrize("shape", [(7, 100, 3), (100, 7, 3)])
def test_fewer_than_eight_pixels_have_no_grid(shape):
    with pytest.raises(MarkError, match="8 x 8"):
        grid(np.zeros(shape, np.uint8))


def test_damaged_fingerprints_are_errors():
    with pytest.raises(MarkError, match="32 bytes"):
        attribute(BASE, Fingerprint(b"short", 100, BASE.grid))
    with pytest.raises(MarkError, match="192 bytes"):
        attribute(Fingerprint(BASE.pdq, 100, b""), BASE)


@pytest.mark.parametrize(
    "wrong", [None, [[1, 2, 3]], np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_are_no_pixels(wrong):
    with pytest.raises(MarkError) as error:
        require_pixels(wrong)
    assert error.value.remedy


def test_pixels_become_contiguous_and_are_not_copied_without_need():
    whole = np.zeros((4, 6, 3), np.uint8)
    assert require_pixels(whole) is whole
    assert require_pixels(whole[:, ::2]).flags.c_contiguous
