"""What the tiny calls are given: a picture, a mask, and a clip."""

from __future__ import annotations

import numpy as np
from PIL import Image

SIDE = 256


def _picture(shift: int) -> Image.Image:
    ramp = np.add.outer(np.arange(SIDE), np.arange(SIDE)) + 16 * shift
    return Image.fromarray(np.stack([ramp, ramp // 2, SIDE - ramp], axis=-1).astype(np.uint8))


PICTURE = _picture(0)

MASK = Image.fromarray(np.where(np.arange(SIDE) < SIDE // 2, 255, 0).astype(np.uint8)[None].repeat(SIDE, 0))
"""White, what is painted anew, on the left."""

CLIP = [_picture(shift) for shift in range(5)]
