"""The one check that every consumer of pixels makes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from governance.errors import MarkError

if TYPE_CHECKING:
    from governance.types import Pixels


def require_pixels(pixels: object) -> Pixels:
    """`pixels` as a C-contiguous (H, W, 3) uint8 array, H and W at least 1; not copied when it already is one.

    Raises:
        MarkError: anything else.
    """
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        kind = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise MarkError(f"Pixels are an (H, W, 3) uint8 RGB array, not {kind}.", remedy="Convert the image first.")
    if 0 in pixels.shape:
        raise MarkError("The image has no pixels.", remedy="Pass an image of at least 1 x 1 pixel.")
    return np.ascontiguousarray(pixels)
