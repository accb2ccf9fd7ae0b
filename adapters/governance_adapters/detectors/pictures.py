"""What every detector asks of the pixels that it is given."""

from __future__ import annotations

import numpy as np

from governance.errors import DetectorError
from governance.types import Pixels


def checked(index: int, pixels: Pixels) -> Pixels:
    """`pixels`, C-contiguous, if they are an image.

    Raises:
        DetectorError: they are not of shape (H, W, 3), H and W at least 1, and type uint8; `index` says which.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise DetectorError(
            f"Image {index} has shape {pixels.shape} and type {pixels.dtype}.",
            remedy="Give RGB pixels of shape (H, W, 3) and type uint8.",
        )
    return np.ascontiguousarray(pixels)
