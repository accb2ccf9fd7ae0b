"""How far two pictures, clips or sounds are apart, value by value, and what is still the same one made elsewhere.

The same weights, seed and call give other numbers on another machine: sums are rounded in another order. Measured on two
x86-64 cores with the reference model, 20 steps, 256 px, eight pictures each; the largest difference in levels of 0..255 and
the share of values that differ, before and after marking:

| what was other | draft | marked PNG | marked JPEG |
|---|---|---|---|
| two threads instead of one | 1 in 0.004 % | 1 in 0.007 % | 3 in 0.18 % |
| alone instead of two in a batch | 1 in 0.004 % | 1 in 0.007 % | 3 in 0.13 % |
| bfloat16, two in a batch (another model, measured before) | 2 in 2.8 % | | |
| bfloat16 instead of float32 weights | 15 in 45 % | 15 in 46 % | 20 in 63 % |

So the default lets a value differ by 4 levels, and 5 % of them differ at all: somewhat more than rounding has been seen to do,
and far less than other weights do. It is a statement about rounding, not about looks.

Clips are written with loss, and what one frame lost the next ones build on: of a marked clip of 8 frames of 256 px, one level in
60 of 1.6 million values came to 7 levels in 3.4 % of them. So a clip may differ by 12 levels, in 10 % of its values. Where the
encoder loses more, as of frames of noise, so little comes to far more, and no limit would tell it from other weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from governance.canonical import Json
from governance.errors import ConfigurationError
from governance.media import Clip, Media, Sound
from governance.types import MediaKind

MILLION: Final = 1_000_000
_PIECE: Final = 1 << 22
"""Values that are compared at once: differences of a long clip would not fit the memory."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What still counts as the same: no value differs by more than `levels`, and at most `share_millionths` of them differ.

    A level is one of the 256 of a colour, or one of the 65,536 of a sample of sound.

    Raises:
        ConfigurationError: `levels` is not within 0..255, or the share not within 0..1,000,000.
    """

    levels: int
    share_millionths: int

    def __post_init__(self) -> None:
        if not 0 <= self.levels <= 255 or not 0 <= self.share_millionths <= MILLION:
            raise ConfigurationError(
                f"{self.levels} levels in {self.share_millionths} millionths of the values are no tolerance.",
                remedy="Give 0 to 255 levels, and a share from 0 to 1.",
            )

    def as_json(self) -> dict[str, Json]:
        """The two limits by name."""
        return {"levels": self.levels, "share_millionths": self.share_millionths}


_DEFAULTS: Final = {
    MediaKind.IMAGE: Tolerance(4, 50_000),
    MediaKind.VIDEO: Tolerance(12, 100_000),
    MediaKind.AUDIO: Tolerance(4, 50_000),
}


def tolerance_of(kind: MediaKind, *, levels: int | None = None, share_millionths: int | None = None) -> Tolerance:
    """The tolerance for one kind of media: what is stated, and else the default.

    Raises:
        ConfigurationError: what is stated is no tolerance.
    """
    default = _DEFAULTS[kind]
    return Tolerance(
        default.levels if levels is None else levels,
        default.share_millionths if share_millionths is None else share_millionths,
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two arrays of `values` values differ: in how many places, by how much at most, and by how much in sum."""

    values: int
    differing: int
    largest: int
    total: int

    @property
    def share_millionths(self) -> int:
        """The share of the values that differ, rounded up."""
        return math.ceil(Fraction(self.differing * MILLION, self.values))

    @property
    def mean_millionths(self) -> int:
        """The mean difference in millionths of a level, rounded up."""
        return math.ceil(Fraction(self.total * MILLION, self.values))

    def within(self, tolerance: Tolerance) -> bool:
        """Whether neither limit is exceeded."""
        return self.largest <= tolerance.levels and self.share_millionths <= tolerance.share_millionths

    def as_json(self) -> dict[str, Json]:
        """The numbers by name."""
        return {
            "values": self.values,
            "differing": self.differing,
            "largest": self.largest,
            "share_millionths": self.share_millionths,
            "mean_millionths": self.mean_millionths,
        }


def compare(kept: Media, made: Media) -> Comparison | None:
    """Each value of `kept` with its value of `made`; None where they are of another kind, shape or rate."""
    (rate, before), (other_rate, now) = _values(kept), _values(made)
    if rate != other_rate or before.shape != now.shape or not before.size:
        return None
    first, second = before.reshape(-1), now.reshape(-1)
    differing = largest = total = 0
    for start in range(0, first.size, _PIECE):
        piece = slice(start, start + _PIECE)
        apart = np.abs(first[piece].astype(np.int32) - second[piece].astype(np.int32))
        differing += int(np.count_nonzero(apart))
        largest = max(largest, int(apart.max()))
        total += int(apart.sum(dtype=np.int64))
    return Comparison(first.size, differing, largest, total)


def _values(media: Media) -> tuple[tuple[str, int], NDArray[Any]]:
    """Kind and rate, and the numbers."""
    if isinstance(media, Clip):
        return ("clip", media.frame_rate), media.frames
    if isinstance(media, Sound):
        return ("sound", media.sample_rate), media.samples
    return ("picture", 0), media
