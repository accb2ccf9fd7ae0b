"""Image files, opened with care: their size is known before a pixel is decoded, and whatever is broken is a finding."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from PIL import Image

from governance.datasets.records import Problem
from governance.types import Pixels
from governance_adapters.datasets.content.embedded import said_in
from governance_adapters.datasets.content.xmp import Said
from governance_adapters.upright import upright_rgb

MAX_PIXELS: Final = 64 * 2**20
"""The most pixels that are decoded: 8192 x 8192."""

MEDIA_TYPES: Final = MappingProxyType(
    {
        "PNG": "image/png",
        "JPEG": "image/jpeg",
        "MPO": "image/jpeg",
        "WEBP": "image/webp",
        "GIF": "image/gif",
        "BMP": "image/bmp",
        "TIFF": "image/tiff",
    }
)
"""The formats that are decoded, as Pillow names them, and their media types. Of an animation the first frame is."""

_FORMATS: Final = tuple(name for name in MEDIA_TYPES if name != "MPO")  # to Pillow, a JPEG until it has seen more of it


@dataclass(frozen=True, slots=True)
class Opened:
    """An image file: what its header and its metadata say, and its pixels where they could be decoded."""

    media_type: str = ""
    width: int = 0
    height: int = 0
    said: Said = field(default_factory=Said)
    pixels: Pixels | None = None
    problem: Problem | None = None


def opened(content: bytes) -> Opened:
    """The image in `content`. One of more than `MAX_PIXELS` is not decoded; one that is cut short or corrupt has no pixels.

    Width and height are those of the picture when it is upright.
    """
    try:
        picture = Image.open(io.BytesIO(content), formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # Pillow's own limit, higher than ours
        return Opened(problem=Problem.TOO_LARGE)
    except Exception:  # noqa: BLE001 - Pillow's parsers raise many kinds for malformed files: each means, no picture
        return Opened(problem=Problem.UNREADABLE)
    found = Opened(MEDIA_TYPES[str(picture.format)], *picture.size)
    if found.width * found.height > MAX_PIXELS:
        return replace(found, said=said_in(picture, content, decoded=False), problem=Problem.TOO_LARGE)
    try:
        picture.load()  # metadata may stand behind the pixels
        found = replace(found, said=said_in(picture, content))
        pixels = upright_rgb(picture)
    except Exception:  # noqa: BLE001 - as above, and the decoders' own
        return replace(found, said=said_in(picture, content, decoded=False), problem=Problem.UNREADABLE)
    return replace(found, width=pixels.shape[1], height=pixels.shape[0], pixels=pixels)


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow warns of what a finding says already: corrupt metadata, sizes near its own limit."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield
