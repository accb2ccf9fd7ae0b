"""Port `Labeller`: one line of text in a corner, light on a dark box, drawn with the font that Pillow brings along."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from governance.errors import ImageTooSmallError, MarkError
from governance.pixels import require_pixels
from governance.types import Pixels

_BOX: Final = (0, 0, 0)
_INK: Final = (255, 255, 255)
_MIN_SIZE: Final = 10
"""Below 10 px the bundled font is no longer readable."""

_SHARE: Final = 24
"""The text is as tall as one 24th of the picture's shorter side where it fits."""

_UNASSIGNED: Final = "\U0010ffff"
"""No font has a glyph for it: it is drawn as every missing character is."""


class TextLabeller:
    """Draws the label at the bottom left. White on black reads on every picture."""

    def label(self, pixels: Pixels, text: str) -> Pixels:
        """`pixels` with `text` on them, as large as fits up to one 24th of the shorter side, at least 10 px.

        Raises:
            ImageTooSmallError: the text does not fit at 10 px.
            MarkError: not pixels, the text is empty or not one printable line, or the font lacks one of its characters.
        """
        image = require_pixels(pixels)
        if not text.strip() or not text.isprintable():
            raise MarkError("A visible label is one printable line of text.", remedy="Set visible_label in the policy.")
        _check_drawable(text)
        height, width = image.shape[:2]
        for size in range(max(_MIN_SIZE, min(height, width) // _SHARE), _MIN_SIZE - 1, -1):
            font = ImageFont.load_default(size)
            left, top, right, bottom = font.getbbox(text)
            margin = max(2, size // 3)
            box = (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin)
            if box[0] <= width and box[1] <= height // 4:
                return _draw(image, text, font, box, (margin - left, height - box[1] + margin - top))
        raise ImageTooSmallError(
            f"The label does not fit readably on {width} x {height} px.",
            remedy="Shorten the text that policy obliges, or generate a larger picture.",
        )


def _check_drawable(text: str) -> None:
    """An empty box in place of a character says nothing to whoever must be told."""
    font = ImageFont.load_default(_MIN_SIZE)
    missing = bytes(font.getmask(_UNASSIGNED))
    lacking = sorted({character for character in text if bytes(font.getmask(character)) == missing})
    if lacking:
        raise MarkError(
            f"The label {text!r} cannot be drawn: the font has no {', '.join(lacking)}.",
            remedy="Oblige a label in characters that it has, such as Latin ones.",
        )


def _draw(
    image: Pixels,
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    box: tuple[int, int],
    at: tuple[float, float],
) -> Pixels:
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    height = image.shape[0]
    draw.rectangle((0, height - box[1], box[0] - 1, height - 1), fill=_BOX)
    draw.text(at, text, fill=_INK, font=font)
    return np.array(canvas, dtype=np.uint8)
