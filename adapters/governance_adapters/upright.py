"""Pictures that Pillow has opened, as upright 8-bit RGB: one way for all that decode."""

from __future__ import annotations

from typing import Final, cast

import numpy as np
from PIL import Image, ImageOps

from governance.types import Pixels

_WHITE: Final = (255, 255, 255, 255)


def upright_rgb(picture: Image.Image) -> Pixels:
    """The pixels of `picture`, which is changed: upright by its EXIF orientation, transparent parts white, 16-bit grey
    by its high byte, everything else as Pillow converts it; of an animation the frame at hand.

    Raises:
        Exception: Pillow's parsers raise many kinds for malformed files.
    """
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode == "RGB" and not picture.has_transparency_data:
        return np.array(picture, dtype=np.uint8)
    if picture.mode.startswith("I"):
        # Pillow would clip 16-bit grey at 255 and make it white.
        grey = (np.asarray(picture).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
        return cast("Pixels", np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2)))
    if picture.has_transparency_data:
        opaque = Image.new("RGBA", picture.size, _WHITE)
        opaque.alpha_composite(picture.convert("RGBA"))
        picture = opaque
    return np.array(picture.convert("RGB"), dtype=np.uint8)
