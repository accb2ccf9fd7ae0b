"""Port `Labeller`: one line of text in a corner, white on an opaque black box, so that it reads on every picture.

The contrast of white on black is 21:1 whatever the picture is; WCAG 2.2, success criterion 1.4.3, asks for 4.5:1. The
text is as tall as a 20th of the picture's shorter side, which is what GB 45438-2025 asks of a picture, where it fits.
"""

from __future__ import annotations

import math
from typing import Final, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from governance.errors import ImageTooSmallError, MarkError
from governance.obligations import LABEL_POSITIONS
from governance.pixels import require_pixels
from governance.types import Pixels
from governance_adapters.marking.fonts import Fonts, load

_BOX: Final = (0, 0, 0)
_INK: Final = (255, 255, 255)
MIN_SIZE: Final = 10
"""Below 10 px the fonts are no longer readable."""
SHARE: Final = 20
"""The text is as tall as one 20th of the picture's shorter side where it fits."""

_MEASURED_AT: Final = 100

_Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont


class TextLabeller:
    """Draws the label in a corner, with a font that has its characters."""

    def __init__(self, fonts: Fonts | None = None) -> None:
        self._fonts = fonts or Fonts()

    def label(self, pixels: Pixels, text: str, *, position: str = "", language: str = "") -> Pixels:
        """`pixels` with `text` on them: as tall as a 20th of the shorter side, smaller where it is long, at least 10 px.

        Raises:
            ImageTooSmallError: the text does not fit at 10 px.
            MarkError: not pixels, the text is empty or not one printable line, the position or the language is none, or
                no font has its characters.
        """
        image = require_pixels(pixels)
        if not text.strip() or not text.isprintable():
            raise MarkError("A visible label is one printable line of text.", remedy="Set visible_label in the policy.")
        corner = position or LABEL_POSITIONS[0]
        if corner not in LABEL_POSITIONS:
            raise MarkError(f"{position!r} is no position.", remedy=f"Use one of {', '.join(LABEL_POSITIONS)}.")
        path = self._fonts.font_for(text, language)
        if not load(path, _MEASURED_AT).getmask(text).getbbox():  # fillers of Hangul, say, count as printable
            raise MarkError(f"The label {text!r} draws nothing.", remedy="Oblige a label that can be read.")
        height, width = image.shape[:2]
        size = _wanted_size(path, text, min(height, width))
        while size >= MIN_SIZE:
            font = load(path, size)
            left, top, right, bottom = font.getbbox(text)
            margin = max(2, size // 3)
            box = (math.ceil(right - left) + 2 * margin, math.ceil(bottom - top) + 2 * margin)
            if box[0] <= width and box[1] <= height // 4:
                return _draw(image, text, font, box, (margin - left, margin - top), corner)
            size -= max(1, size // 20)
        raise ImageTooSmallError(
            f"The label does not fit readably on {width} x {height} px.",
            remedy="Shorten the text that policy obliges, or generate a larger picture.",
        )


def _wanted_size(path: str, text: str, side: int) -> int:
    _, top, _, bottom = load(path, _MEASURED_AT).getbbox(text)
    tall = max(1.0, bottom - top) / _MEASURED_AT
    wanted = math.ceil(side / SHARE) + 2  # outlines are rounded to pixels, and blend at their edges
    return max(MIN_SIZE, math.ceil(wanted / tall))


def _draw(
    image: Pixels, text: str, font: _Font, box: tuple[int, int], inset: tuple[float, float], corner: str
) -> Pixels:
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    height, width = image.shape[:2]
    x = width - box[0] if corner.endswith("right") else 0
    y = 0 if corner.startswith("top") else height - box[1]
    draw.rectangle((x, y, x + box[0] - 1, y + box[1] - 1), fill=_BOX)
    draw.text((x + inset[0], y + inset[1]), text, fill=_INK, font=font)
    return np.array(canvas, dtype=np.uint8)
