"""Does the picture that carries a mark look like the picture that the mark was put on?

A mark can be copied onto another picture, so a mark alone attributes nothing. Two independent looks decide: PDQ (a
256-bit perceptual hash of luma, Facebook 2019) and the grid of 8 x 8 mean colours. PDQ alone ignores colour: a red
seven and a green seven are at distance 0. The grid alone ignores shape finer than an eighth of the side.

The limits were chosen by measurement: 21 photographs of scikit-image and scikit-learn at 256 and 512 px, and 336 drawn
digits in 9 colours at 256 px, all marked. Worst case of PDQ distance / mean / largest grid difference:

| what happened to the picture | photographs | digits, quality >= 50 | digits, quality < 50 |
|---|---|---|---|
| JPEG 90, 75 | 10 / 0.3 / 4 | 8 / 0.9 / 3 | 58 / 0.8 / 3 |
| JPEG 50 | 20 / 0.5 / 4 | 10 / 1.0 / 4 | 100 / 1.0 / 3 |
| resize 0.5, 2 | 38 / 0.2 / 1 | 18 / 0.4 / 1 | 42 / 0.1 / 1 |
| resize 0.5, then JPEG 75 | 38 / 0.6 / 5 | 22 / 1.1 / 6 | 88 / 0.9 / 5 |
| brightness +-10 % | 34 / 17 / 25 | 10 / 24 / 26 | 12 / 23 / 26 |
| crop to 98 % (median PDQ 23, 14, 18) | 82 / 3.5 / 25 | 26 / 3.6 / 17 | 96 / 1.9 / 14 |
| another picture, at least | 102 / 5.1 / 18 | 6 / 6.2 / 92 | 70 / 3.1 / 46 |
| the same shape in other colours, at least | | 0 / 8.6 / 84 | 0 / 8.6 / 84 |

CLOSE (2 / 8) stands between 1.1 / 6 and 3.1 / 46; NEAR (5 / 20) between 3.6 / 17 and 8.6 / 84; 31 is PDQ's usual limit.
Below PDQ quality 50 the hash wavers, so there only a close grid attributes, with a wider limit for the hash (other
photographs begin at 102, unrelated hashes lie near 128). A copy that was brightened, or cropped by more than 2 %, reads
SIMILAR: a missed attribution is a nuisance, a wrong one an accusation.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from governance.errors import MarkError
from governance.pixels import require_pixels
from governance.types import Fingerprint, Pixels

CELLS: Final = 8
GRID_BYTES: Final = CELLS * CELLS * 3
PDQ_BYTES: Final = 32

MIN_QUALITY: Final = 50
PDQ_MATCH: Final = 31
PDQ_RELATED: Final = 90


@dataclass(frozen=True, slots=True)
class GridLimit:
    """How far two grids may be apart: mean and largest absolute difference of their 192 values, in levels 0..255."""

    mean: float
    largest: int

    def holds(self, mean: float, largest: int) -> bool:
        """Whether both distances are within the limit."""
        return mean <= self.mean and largest <= self.largest


CLOSE: Final = GridLimit(mean=2.0, largest=8)
NEAR: Final = GridLimit(mean=5.0, largest=20)
RELATED: Final = GridLimit(mean=30.0, largest=64)


class Grade(StrEnum):
    """What may be said of a picture that carries a verified mark."""

    ATTRIBUTED = "attributed"
    SIMILAR = "mark present, picture similar"
    DIFFERS = "mark present, picture differs"


@dataclass(frozen=True, slots=True)
class Attribution:
    """The grade, and the distances it rests on.

    `pdq_distance` 0..256, `quality` the lower of the two PDQ qualities, `grid_mean` and `grid_largest` in levels 0..255.
    """

    grade: Grade
    pdq_distance: int
    quality: int
    grid_mean: float
    grid_largest: int


def attribute(stored: Fingerprint, seen: Fingerprint) -> Attribution:
    """Grade a picture `seen` with a verified mark against the fingerprint `stored` for that mark's record.

    Raises:
        MarkError: a hash or a grid has the wrong length.
    """
    distance = hamming(stored.pdq, seen.pdq)
    mean, largest = grid_distance(stored.grid, seen.grid)
    quality = min(stored.quality, seen.quality)
    return Attribution(_grade(distance, quality, mean, largest), distance, quality, mean, largest)


def _grade(distance: int, quality: int, mean: float, largest: int) -> Grade:
    close = CLOSE.holds(mean, largest)
    if quality >= MIN_QUALITY:
        attributed = distance <= PDQ_MATCH and NEAR.holds(mean, largest)
        similar = distance <= PDQ_RELATED and RELATED.holds(mean, largest)
    else:
        attributed = distance <= PDQ_RELATED and close
        # A hash of such low quality cannot speak against a grid that matches closely.
        similar = close or (distance <= PDQ_RELATED and RELATED.holds(mean, largest))
    if attributed:
        return Grade.ATTRIBUTED
    return Grade.SIMILAR if similar else Grade.DIFFERS


def grid(pixels: Pixels) -> bytes:
    """The mean colours of 8 x 8 equal cells, rounded to levels 0..255: 192 bytes, row-major RGB.

    Raises:
        MarkError: not pixels, or fewer than 8 x 8 of them.
    """
    image = require_pixels(pixels)
    height, width = image.shape[:2]
    if min(height, width) < CELLS:
        raise MarkError(f"A picture of {width} x {height} has no 8 x 8 cells.", remedy="Use at least 8 x 8 pixels.")
    top, left = _edges(height), _edges(width)
    rows = np.add.reduceat(image, top[:-1], axis=0, dtype=np.uint64)
    sums = np.add.reduceat(rows, left[:-1], axis=1)
    area = np.diff(top)[:, None, None] * np.diff(left)[None, :, None]
    means: Pixels = np.rint(sums / area).astype(np.uint8)
    return means.tobytes()


def hamming(one: bytes, other: bytes) -> int:
    """In how many of their 256 bits two PDQ hashes differ.

    Raises:
        MarkError: a hash does not have 32 bytes.
    """
    if len(one) != PDQ_BYTES or len(other) != PDQ_BYTES:
        raise MarkError(f"A PDQ hash has {PDQ_BYTES} bytes.", remedy="The stored fingerprint is damaged.")
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def grid_distance(one: bytes, other: bytes) -> tuple[float, int]:
    """Mean and largest absolute difference of two grids, in levels 0..255.

    Raises:
        MarkError: a grid does not have 192 bytes.
    """
    if len(one) != GRID_BYTES or len(other) != GRID_BYTES:
        raise MarkError(f"A colour grid has {GRID_BYTES} bytes.", remedy="The stored fingerprint is damaged.")
    first, second = (np.frombuffer(value, dtype=np.uint8).astype(np.int16) for value in (one, other))
    apart = np.abs(first - second)
    return float(apart.mean()), int(apart.max())


def _edges(length: int) -> NDArray[np.int64]:
    return np.arange(CELLS + 1, dtype=np.int64) * length // CELLS
