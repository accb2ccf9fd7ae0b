"""PDQ: a 256-bit hash of what a picture's brightness looks like (Facebook, 2019), by the package `pdqhash`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pdqhash

from governance.errors import DetectorError
from governance.types import Pixels
from governance_adapters.detectors.similarity.variants import hashed_variants, resized_to, trimmed

BITS: Final = 256
HASH_BYTES: Final = BITS // 8
MIN_QUALITY: Final = 50
"""Below this quality (0..100) a hash wavers: PDQ's own advice is not to trust it."""

_LEAST: Final = 64
_MOST: Final = 256
"""Pictures are area-averaged to at most 256 px a side first: PDQ then takes 0.9 ms, not 7 (512 px), and hardly differs."""


@dataclass(frozen=True, slots=True)
class Hash:
    """The hash as 32 bytes, its first bit highest, and PDQ's own quality 0..100; `variant` is what was hashed."""

    value: bytes
    quality: int
    variant: str = "as_is"


def hash_of(picture: Pixels, variant: str = "as_is") -> Hash:
    """The hash of `picture`, of any size from 1 x 1 px on.

    Raises:
        DetectorError: PDQ refuses.
    """
    try:
        bits, quality = pdqhash.compute(np.ascontiguousarray(resized_to(picture, _LEAST, _MOST)))
    except (ValueError, RuntimeError, TypeError) as error:
        raise DetectorError(
            f"PDQ could not hash the picture: {error}.", remedy="Check that it is an RGB picture."
        ) from error
    return Hash(np.packbits(bits).tobytes(), max(0, min(100, int(quality))), variant)


def work_hashes(picture: Pixels) -> Iterator[Hash]:
    """The hashes of a work and of its variants: 38, and one more where it has a border."""
    for variant, pixels in hashed_variants(picture):
        yield hash_of(pixels, variant)


def seen_hashes(picture: Pixels) -> tuple[Hash, ...]:
    """The hashes of a picture that is checked: whole, and without its even border if it has one."""
    bare = trimmed(picture)
    whole = hash_of(picture, "")
    return (whole,) if bare is picture else (whole, hash_of(bare, "trimmed"))
