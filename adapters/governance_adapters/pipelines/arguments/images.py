"""Pictures among the arguments of a call: what policy and detectors see of them, and what the pipeline gets.

Both are the same picture in 8-bit RGB or grey, copied before anybody looks at it. What has no such form is refused:
what a detector saw must be what the model sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from governance.errors import RequestError
from governance.types import InputImage, Pixels
from governance_adapters.pipelines.arguments.recorded import ArrayPlace, PicturePlace

MAX_PIXELS: Final = 64 * 2**20
"""The most pixels of one picture: 8192 x 8192."""
MAX_INPUTS: Final = 128
"""The most pictures of one call; a video counts each of its frames."""

_WHITE: Final = (255, 255, 255, 255)
_DEEP: Final = ("I", "F")
_CHANNELS: Final = (1, 3, 4)
_PLAIN: Final = ("RGB", "L")


class FileImage(Image.Image):
    """A picture that was read from a file, and that file: `content` are its bytes, `media_type` their format.

    Whatever is made of it (a copy, a crop, another size) is a plain picture without a file. One that is changed in place
    keeps the file, and is refused when it is used: its pixels are no longer the file's.
    """

    content: bytes = b""
    media_type: str = ""

    @classmethod
    def of(cls, pixels: Pixels, content: bytes, media_type: str) -> FileImage:
        """The picture `pixels`, which is what `content` decodes to."""
        image = cls()
        height, width = pixels.shape[:2]
        image.__setstate__([{}, "RGB", (width, height), None, pixels.tobytes()])
        image.content, image.media_type = content, media_type
        return image


@dataclass(frozen=True, slots=True)
class HeldImages:
    """What policy is told of a picture or an array of them, and what the pipeline gets: a private copy.

    `form` says how the copy is made of the pictures, the first of which stands at 0.
    """

    inputs: tuple[InputImage, ...]
    value: Any
    form: PicturePlace | ArrayPlace


def hold_images(name: str, value: Any) -> HeldImages | None:
    """`value`, given as `name`, as pictures; None if it is neither a picture nor an array in the shape of some.

    Pictures are PIL images, and arrays (H, W), (H, W, 1 | 3 | 4), (N, H, W, 1 | 3 | 4) or (B, N, H, W, 1 | 3 | 4) in uint8 or
    as floats from 0 to 1. Transparent parts turn white. Arrays reach the pipeline as float32 from 0 to 1, rounded to the 256
    levels that detectors see.

    Raises:
        RequestError: a picture is too large, cut short, of more than 8 bits a channel, has values that are no levels, or
            is one of too many.
    """
    if isinstance(value, Image.Image):
        return _picture(name, value)
    return _array(name, value) if type(value) is np.ndarray and _has_pictures(value) else None


def check_count(images: int) -> None:
    """Refuse more than `MAX_INPUTS` pictures.

    Raises:
        RequestError: there are more.
    """
    if images > MAX_INPUTS:
        raise RequestError(
            f"There are more than {MAX_INPUTS} input images.", remedy=f"Give at most {MAX_INPUTS} in one call."
        )


def _picture(name: str, image: Image.Image) -> HeldImages:
    _check_size(name, *image.size)
    try:
        copy = Image.Image.copy(image)
        if type(copy) is not Image.Image:  # a subclass may make its copies itself: then it is theirs, and may change
            raise _refused(
                name, f"is a {type(image).__name__} whose copy is no plain picture", "Pass a plain PIL image."
            )
        if copy.mode.startswith(_DEEP):
            raise _refused(name, f"has mode {copy.mode}, of more than 8 bits a channel", "Convert it to 8 bits.")
        plain = Image.fromarray(np.array(_plain(copy)))  # without an Exif orientation that somebody might turn it by
        if plain.mode not in _PLAIN:
            raise _refused(name, f"turns into mode {plain.mode}", "Convert it to RGB.")
        pixels = np.array(plain.convert("RGB"), dtype=np.uint8)
    except RequestError:
        raise
    except Exception as error:  # Pillow raises many kinds for files that it reads late: each means, no picture
        raise _refused(name, f"cannot be read: {error}", "Pass a complete picture.") from error
    if isinstance(image, FileImage):
        file = bytes(image.content), str.__str__(image.media_type)
        return HeldImages((InputImage(name, pixels, *file),), plain, PicturePlace(0, plain.mode == "L"))
    return HeldImages((InputImage(name, pixels),), plain, PicturePlace(0, plain.mode == "L"))


def _plain(image: Image.Image) -> Image.Image:
    """RGB or grey: what is transparent lies over white."""
    if image.mode in _PLAIN and not image.has_transparency_data:
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, _WHITE)
        white.alpha_composite(image.convert("RGBA"))
        image = white
    return image.convert("RGB")


def _has_pictures(value: NDArray[Any]) -> bool:
    return value.ndim == 2 or (value.ndim in (3, 4, 5) and value.shape[-1] in _CHANNELS)


def _array(name: str, value: NDArray[Any]) -> HeldImages:
    pictures = int(np.prod(value.shape[:-3], dtype=np.int64))
    check_count(pictures)
    height, width = value.shape[-3:-1] if value.ndim > 2 else value.shape
    _check_size(name, width, height if pictures else 0)
    levels = _levels(name, np.array(value, copy=True, subok=False))
    if levels.ndim > 2 and levels.shape[-1] == 4:
        levels = _over_white(levels)
    grey = levels.ndim == 2 or levels.shape[-1] == 1
    pixels = levels.reshape(pictures, height, width, 1 if grey else 3)
    images = np.ascontiguousarray(np.broadcast_to(pixels, (pictures, height, width, 3)))
    inputs = tuple(InputImage(name, cast("Pixels", image)) for image in images)
    return HeldImages(inputs, levels.astype(np.float32) / 255, ArrayPlace(0, levels.shape))


def _levels(name: str, value: NDArray[Any]) -> NDArray[np.uint8]:
    """The 256 levels of an array: bytes as they are, floats from 0 to 1 rounded."""
    if value.dtype == np.uint8:
        return cast("NDArray[np.uint8]", value)
    if value.dtype == np.bool_:
        return value.astype(np.uint8) * np.uint8(255)
    if not np.issubdtype(value.dtype, np.floating):
        raise _refused(name, f"is an array of {value.dtype}", "Give uint8 from 0 to 255, or floats from 0 to 1.")
    if not (np.isfinite(value).all() and value.min() >= 0 and value.max() <= 1):
        raise _refused(name, "has values that are not from 0 to 1", "Scale floats to 0 to 1, or pass a PIL image.")
    return (value.astype(np.float64) * 255).round().astype(np.uint8)


def _over_white(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    tall = levels.reshape(-1, levels.shape[-2], 4)  # all pictures below each other: each pixel stands for itself
    return np.array(_plain(Image.fromarray(tall, "RGBA"))).reshape(*levels.shape[:-1], 3)


def _check_size(name: str, width: int, height: int) -> None:
    if not width or not height:
        raise _refused(name, "has no pixels", "Pass a picture of at least 1 x 1 pixel.")
    if width * height > MAX_PIXELS:
        raise _refused(name, f"has {width} x {height} pixels, more than {MAX_PIXELS}", "Scale it down.")


def _refused(name: str, why: str, remedy: str) -> RequestError:
    return RequestError(f"The picture given as {name!r} {why}.", remedy=remedy)
