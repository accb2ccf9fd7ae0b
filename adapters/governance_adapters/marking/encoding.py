"""Port `Encoder`: writes and reads PNG, JPEG and WebP.

Chosen by measurement, 10 photographs and 10 flat drawings with the tiled watermark at its weakest, one core:

| 512 px | ms | KB | watermark read back |
|---|---|---|---|
| PNG, OpenCV, deflate level 1, run-length strategy: **chosen** | 11 | 323 | all |
| JPEG 85, 4:4:4 | 1.0 | 51 | all |
| JPEG 95, 4:4:4: **chosen**, for what others will do to it yet | 1.1 | 90 | all |
| WebP lossless, Pillow, method 0, effort 0: **chosen** | 7.4 | 183 | all |
| WebP lossless, OpenCV | 102 | 142 | all |
| WebP 95, method 0 | 7.2 | 57 | all |

Files are read by Pillow, which sees the size in the header before it decodes anything.
"""

from __future__ import annotations

import io
from typing import Final

import cv2
from PIL import Image, UnidentifiedImageError

from governance.errors import MarkError
from governance.pixels import require_pixels
from governance.types import Pixels
from governance_adapters.upright import upright_rgb

PNG: Final = "image/png"
JPEG: Final = "image/jpeg"
WEBP: Final = "image/webp"
MAX_PIXELS: Final = 64 * 2**20
"""The most pixels that are decoded: 8192 x 8192."""

_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_PNG_SETTINGS: Final = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
_JPEG_SETTINGS: Final = (
    cv2.IMWRITE_JPEG_QUALITY,
    95,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,  # halved chroma would smear drawn edges, and cost nothing to keep
)


class ImageEncoder:
    """Encodes to PNG and WebP bit for bit, and to JPEG; decodes all three to 8-bit RGB.

    Decoding turns the picture upright by its EXIF orientation, lays transparency over white, keeps the high byte of
    16-bit grey and colour, converts CMYK, takes only the first frame of an animation and ignores colour profiles.
    """

    media_types: tuple[str, ...] = (PNG, JPEG, WEBP)

    def __init__(self, max_pixels: int = MAX_PIXELS) -> None:
        self._max_pixels = max_pixels

    def encode(self, pixels: Pixels, media_type: str) -> bytes:
        """`pixels` as a file of `media_type`: PNG and WebP bit for bit, JPEG at quality 95 without chroma subsampling.

        Raises:
            MarkError: another media type, not pixels, or more of them than the format holds (WebP: 16,383 px a side).
        """
        if media_type not in self.media_types:
            raise MarkError(
                f"`{media_type}` cannot be written.", remedy=f"Ask for one of {', '.join(self.media_types)}."
            )
        image = require_pixels(pixels)
        if media_type == WEBP:
            return _webp(image)
        return (
            _by_opencv(image, ".png", _PNG_SETTINGS) if media_type == PNG else _by_opencv(image, ".jpg", _JPEG_SETTINGS)
        )

    def decode(self, content: bytes) -> Pixels:
        """The pixels of a PNG, JPEG or WebP file, upright.

        Raises:
            MarkError: the bytes are no such file, are cut short, or hold more pixels than the limit.
        """
        try:
            picture = Image.open(io.BytesIO(content), formats=_FORMATS)
            width, height = picture.size
            if width * height > self._max_pixels:
                raise self._too_large(f"A picture of {width} x {height} px")
            return upright_rgb(picture)
        except MarkError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # Pillow's own, higher limit
            raise self._too_large("The picture") from error
        except Exception as error:  # Pillow's parsers raise many kinds for malformed files: each means, no picture
            # What Pillow says of a file that it does not know is an address in memory.
            why = "" if isinstance(error, UnidentifiedImageError) else f": {error}"
            raise MarkError(
                f"These bytes are not a readable PNG, JPEG or WebP picture{why}.",
                remedy="Pass a complete file in one of these formats.",
            ) from error

    def _too_large(self, what: str) -> MarkError:
        return MarkError(f"{what} exceeds {self._max_pixels} pixels.", remedy="Scale it down before you pass it on.")


def _by_opencv(image: Pixels, extension: str, settings: tuple[int, ...]) -> bytes:
    try:
        done, content = cv2.imencode(extension, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
    except cv2.error as error:
        raise _cannot_encode(error) from error
    if not done:
        raise _cannot_encode("OpenCV gave up")
    return bytes(content.tobytes())


def _webp(image: Pixels) -> bytes:
    file = io.BytesIO()
    try:
        Image.fromarray(image).save(file, "WEBP", lossless=True, quality=0, method=0)
    except (OSError, ValueError) as error:
        raise _cannot_encode(error) from error
    return file.getvalue()


def _cannot_encode(why: object) -> MarkError:
    return MarkError(f"The picture cannot be encoded: {why}.", remedy="Generate a smaller picture.")
