"""Port `Encoder`: writes PNG, reads PNG, JPEG and WebP.

PNG (W3C PNG, third edition) is written by OpenCV at deflate level 1 with the run-length strategy: measured as the
fastest of the lossless choices that every viewer opens, and the smallest of the fast ones. Files are read by Pillow,
which sees the size in the header before it decodes anything.
"""

from __future__ import annotations

import io
from typing import Final, cast

import cv2
import numpy as np
from PIL import Image, ImageOps

from governance.errors import MarkError
from governance.pixels import require_pixels
from governance.types import Pixels

PNG: Final = "image/png"
MAX_PIXELS: Final = 64 * 2**20
"""The most pixels that are decoded: 8192 x 8192."""

_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_PNG_SETTINGS: Final = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
_WHITE: Final = (255, 255, 255, 255)


class ImageEncoder:
    """Encodes to PNG; decodes PNG, JPEG and WebP to 8-bit RGB.

    Decoding turns the picture upright by its EXIF orientation, lays transparency over white, keeps the high byte of
    16-bit grey, takes the first frame of an animation and ignores colour profiles.
    """

    media_types: tuple[str, ...] = (PNG,)

    def __init__(self, max_pixels: int = MAX_PIXELS) -> None:
        self._max_pixels = max_pixels

    def encode(self, pixels: Pixels, media_type: str) -> bytes:
        """`pixels` as a PNG file, bit for bit.

        Raises:
            MarkError: another media type, or not pixels.
        """
        if media_type != PNG:
            raise MarkError(
                f"`{media_type}` cannot be written.", remedy=f"Ask for one of {', '.join(self.media_types)}."
            )
        image = cv2.cvtColor(require_pixels(pixels), cv2.COLOR_RGB2BGR)
        try:
            done, content = cv2.imencode(".png", image, _PNG_SETTINGS)
        except cv2.error as error:
            raise MarkError(f"The picture cannot be encoded: {error}.", remedy="Generate a smaller picture.") from error
        if not done:
            raise MarkError("The picture cannot be encoded.", remedy="Generate a smaller picture.")
        return content.tobytes()

    def decode(self, content: bytes) -> Pixels:
        """The pixels of a PNG, JPEG or WebP file, upright.

        Raises:
            MarkError: the bytes are no such file, are cut short, or hold more pixels than the limit.
        """
        try:
            picture = Image.open(io.BytesIO(content), formats=_FORMATS)
            width, height = picture.size
            if width * height > self._max_pixels:
                raise MarkError(
                    f"A picture of {width} x {height} px exceeds {self._max_pixels} pixels.",
                    remedy="Scale it down before you pass it on.",
                )
            return _rgb(ImageOps.exif_transpose(picture))
        except MarkError:
            raise
        except Exception as error:  # Pillow's parsers raise many kinds for malformed files: each means, no picture
            raise MarkError(
                f"These bytes are not a readable PNG, JPEG or WebP picture: {error}.",
                remedy="Pass a complete file in one of these formats.",
            ) from error


def _rgb(picture: Image.Image) -> Pixels:
    if picture.mode.startswith("I"):
        # Pillow would clip 16-bit grey at 255 and make it white.
        grey = (np.asarray(picture).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
        return cast("Pixels", np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2)))
    if picture.has_transparency_data:
        opaque = Image.new("RGBA", picture.size, _WHITE)
        opaque.alpha_composite(picture.convert("RGBA"))
        picture = opaque
    return np.array(picture.convert("RGB"), dtype=np.uint8)
