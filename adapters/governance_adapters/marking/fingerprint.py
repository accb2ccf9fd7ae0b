"""Port `Fingerprinter`: PDQ (Facebook, 2019) by the package `pdqhash`, and the colour grid of the core."""

from __future__ import annotations

from typing import Final, cast

import cv2
import numpy as np
import pdqhash

from governance.attribution import CELLS, grid
from governance.errors import MarkError
from governance.pixels import require_pixels
from governance.types import Fingerprint, Pixels

SIDE: Final = 256
"""Pictures are area-averaged to at most this side first: PDQ then takes 0.9 ms, not 7 (512 px), and hardly differs."""


class PdqFingerprinter:
    """PDQ hash, its quality, and the 8 x 8 mean-colour grid, of pictures of at least 8 x 8 px."""

    def fingerprint(self, pixels: Pixels) -> Fingerprint:
        """The fingerprint; `pdq` with the hash's first bit highest.

        Raises:
            MarkError: not pixels, fewer than 8 x 8 of them, or PDQ refuses.
        """
        image = require_pixels(pixels)
        height, width = image.shape[:2]
        if min(height, width) < CELLS:
            raise MarkError(
                f"A picture of {width} x {height} px is too small to hash.", remedy="Use at least 8 x 8 px."
            )
        size = (min(width, SIDE), min(height, SIDE))
        small = (
            image if size == (width, height) else cast("Pixels", cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        )
        try:
            bits, quality = pdqhash.compute(small)
        except (ValueError, RuntimeError, TypeError) as error:
            raise MarkError(f"PDQ could not hash the picture: {error}.", remedy="Check that it decodes.") from error
        return Fingerprint(np.packbits(bits).tobytes(), int(quality), grid(small))
