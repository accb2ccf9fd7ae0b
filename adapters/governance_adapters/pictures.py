"""Input images from files, so that what a file says of itself is checked and goes on into the manifest."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from PIL import Image

from governance.errors import MarkError, RequestError
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.reports import media_type_of
from governance_adapters.pipelines.arguments.images import FileImage

MAX_FILE_BYTES: Final = 256 * 2**20
"""The largest file that is read."""
_FRAMES: Final = {"image/png": "PNG", "image/webp": "WEBP"}
"""The formats that can be animated. What a JPEG file may hold beside its picture is for other screens."""


def open_image(file: str | Path | bytes) -> FileImage:
    """A PNG, JPEG or WebP file, by its path or its bytes, as a PIL image that carries the file.

    Pass it to a governed pipeline as it is: `pipe(prompt, image=open_image("photo.jpg"))`. It is turned upright, in 8-bit
    RGB, transparent parts white. What you make of it with PIL (another size, a crop) is a plain picture without a file.

    Raises:
        RequestError: there is no such file; it is no PNG, JPEG or WebP file, cut short, animated, larger than 256 MiB or
            8192 x 8192 pixels.
    """
    content = bytes(file) if isinstance(file, (bytes, bytearray, memoryview)) else _read(Path(file))
    media_type = media_type_of(content)
    if media_type is None:
        raise RequestError(
            "This is no PNG, JPEG or WebP file.", remedy="Convert it, or open it with PIL and pass the picture alone."
        )
    try:
        pixels = ImageEncoder().decode(content)
        if media_type in _FRAMES and _frames(content, _FRAMES[media_type]) > 1:
            raise RequestError("This file is animated.", remedy="Save the frame that you mean as a picture of its own.")
    except MarkError as error:
        raise RequestError("The file cannot be opened as a picture.", remedy=error.remedy) from error
    return FileImage.of(pixels, content, media_type)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}.", remedy="Check the path.") from error
    if len(content) > MAX_FILE_BYTES:
        raise RequestError(f"{path} is larger than {MAX_FILE_BYTES} bytes.", remedy="Give a smaller file.")
    return content


def _frames(content: bytes, kind: str) -> int:
    with Image.open(io.BytesIO(content), formats=(kind,)) as picture:
        return int(getattr(picture, "n_frames", 1))
