"""What both watermark backends ask of pictures and strengths."""

from __future__ import annotations

import math
from typing import Final

from governance.errors import ConfigurationError, ImageTooSmallError, MarkError
from governance.pixels import require_pixels
from governance.types import Pixels

MIN_SIDE: Final = 256
"""The shortest side, in pixels, that carries a mark reliably: four tiles of the one, enough blocks of the other."""

STRENGTHS: Final = (1.0, 1.5, 2.2)


def fits(height: int, width: int) -> bool:
    """Whether both sides have at least 256 px."""
    return min(height, width) >= MIN_SIDE


def require_markable(pixels: object) -> Pixels:
    """`pixels` if they are pixels, and enough of them.

    Raises:
        ImageTooSmallError: a side has fewer than 256 px.
        MarkError: not pixels.
    """
    image = require_pixels(pixels)
    height, width = image.shape[:2]
    if not fits(height, width):
        raise ImageTooSmallError(
            f"A picture of {width} x {height} px is too small for the watermark.",
            remedy=f"Generate at least {MIN_SIDE} x {MIN_SIDE} px, or let policy oblige a visible label instead.",
        )
    return image


def require_strength(strength: float) -> float:
    """`strength` if it is finite and above zero.

    Raises:
        MarkError: it is not.
    """
    if not 0 < strength < math.inf:
        raise MarkError(f"{strength} is not a strength.", remedy="Use one of the watermarker's strengths.")
    return strength


def require_strengths(strengths: tuple[float, ...]) -> tuple[float, ...]:
    """`strengths` if there are any and they rise from above zero.

    Raises:
        ConfigurationError: they do not.
    """
    rising = all(weaker < stronger for weaker, stronger in zip((0.0, *strengths), strengths, strict=False))
    if not strengths or not rising:
        raise ConfigurationError(f"Strengths {strengths} do not rise from above zero.", remedy=f"Use {STRENGTHS}.")
    return strengths
