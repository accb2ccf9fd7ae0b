"""What is done to a work before it is printed, so that a picture made by doing the same is found.

The work is where the variants are: they cost time once, when a work is added. A picture that is checked is only looked at
whole, without its even border, and at its centre.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, cast

import cv2
import numpy as np

from governance.errors import DetectorError
from governance.types import Pixels

VERSION: Final = 1
"""Goes into the detector's digest: another set of variants finds other copies."""

WORK_SIDE: Final = 512
"""Pictures are compared at this many pixels on the longest side at most: as much as the previews of works keep."""

MIN_SIDE: Final = 16
ANGLES: Final = (-15, -10, -5, 5, 10, 15)
CENTRES: Final = (95, 90, 85, 80, 75, 70, 65, 60, 55, 50)
"""Shares of each side in percent. Half of the photographs are still found after a zoom of 3 %,
so steps of 5 % leave gaps: of random centre crops 78 % are found."""

CORNERS: Final = {
    "top_left": (0.0, 0.0),
    "top_right": (1.0, 0.0),
    "bottom_left": (0.0, 1.0),
    "bottom_right": (1.0, 1.0),
}
_EVEN: Final = 16
"""Levels that one line of a border may span: JPEG leaves that much of an even colour."""


def shrunk(pixels: Pixels) -> Pixels:
    """`pixels` at most 512 px on the longest side, never enlarged, each side at least a pixel."""
    height, width = pixels.shape[:2]
    scale = min(1.0, WORK_SIDE / max(height, width))
    return resized(pixels, (max(1, round(width * scale)), max(1, round(height * scale)))) if scale < 1 else pixels


def work_picture(pixels: Pixels) -> Pixels:
    """`pixels` as a work is printed: see `shrunk`.

    Raises:
        DetectorError: fewer than 16 px are left on the shorter side.
    """
    picture = shrunk(pixels)
    if min(picture.shape[:2]) < MIN_SIDE:
        height, width = pixels.shape[:2]
        raise DetectorError(
            f"A picture of {width} x {height} px is too small or too narrow to be found again.",
            remedy=f"Use at least {MIN_SIDE} px, and sides that differ at most {WORK_SIDE // MIN_SIDE} times.",
        )
    return picture


def hashed_variants(picture: Pixels) -> Iterator[tuple[str, Pixels]]:
    """What PDQ is made of: the 8 flips and turns, small rotations with and without their corners, crops, no border."""
    yield "as_is", picture
    yield "mirror", picture[:, ::-1]
    yield "upside_down", picture[::-1]
    yield "turn_180", picture[::-1, ::-1]
    turned = np.swapaxes(picture, 0, 1)
    yield "transpose", turned
    yield "turn_90", turned[::-1]
    yield "turn_270", turned[:, ::-1]
    yield "transverse", turned[::-1, ::-1]
    for angle in ANGLES:
        rotated = rotate(picture, angle)
        name = f"rotate_{'minus_' if angle < 0 else ''}{abs(angle)}"
        yield name, rotated
        yield f"{name}_inside", centre_of(rotated, *_inside(picture, angle))
    for percent in CENTRES:
        yield f"centre_{percent}", crop(picture, percent, 0.5, 0.5)
    for percent in (80, 50):
        yield from _corners(picture, percent)
    bare = trimmed(picture)
    if bare is not picture:
        yield "trimmed", bare


def embedded_variants(picture: Pixels) -> Iterator[tuple[str, Pixels]]:
    """What embeddings are made of: the whole, its centre and its corners. Flips and small turns hardly move them."""
    yield "as_is", picture
    yield "centre_60", crop(picture, 60, 0.5, 0.5)
    yield from _corners(picture, 65)


def seen_views(picture: Pixels) -> Iterator[tuple[str, Pixels]]:
    """How a picture that is checked is embedded: whole, and its centre, which a frame or the corners of a rotation leave."""
    yield "", picture
    yield "centre_75", crop(picture, 75, 0.5, 0.5)


def crop(picture: Pixels, percent: int, across: float, down: float) -> Pixels:
    """`percent` of each side, at least a pixel; `across` and `down` in 0..1 say where, 0.5 is the middle."""
    height, width = picture.shape[:2]
    rows, columns = max(1, round(height * percent / 100)), max(1, round(width * percent / 100))
    top, left = round((height - rows) * down), round((width - columns) * across)
    return picture[top : top + rows, left : left + columns]


def rotate(picture: Pixels, degrees: float) -> Pixels:
    """Turned counterclockwise about its middle within its frame; what was outside is black."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return cast(
        "Pixels", cv2.warpAffine(np.ascontiguousarray(picture), matrix, (width, height), flags=cv2.INTER_LINEAR)
    )


def centre_of(picture: Pixels, height: int, width: int) -> Pixels:
    """The middle `height` x `width` px."""
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


def trimmed(picture: Pixels) -> Pixels:
    """`picture` without a border of one even colour, at most a quarter from each side; itself where there is none."""
    height, width = picture.shape[:2]
    top, bottom = _even_lines(picture, height // 4), height - _even_lines(picture[::-1], height // 4)
    columns = np.swapaxes(picture, 0, 1)
    left, right = _even_lines(columns, width // 4), width - _even_lines(columns[::-1], width // 4)
    return picture if (top, bottom, left, right) == (0, height, 0, width) else picture[top:bottom, left:right]


def resized(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """Exactly `size`, width and height, its shape ignored; by the mean of the area where it shrinks."""
    height, width = picture.shape[:2]
    method = cv2.INTER_AREA if size[0] <= width and size[1] <= height else cv2.INTER_LINEAR
    return cast("Pixels", cv2.resize(np.ascontiguousarray(picture), size, interpolation=method))


def resized_to(picture: Pixels, least: int, most: int) -> Pixels:
    """Each side brought into least..most px, by the mean of the area where it shrinks."""
    height, width = picture.shape[:2]
    size = min(max(width, least), most), min(max(height, least), most)
    return picture if size == (width, height) else resized(picture, size)


def _corners(picture: Pixels, percent: int) -> Iterator[tuple[str, Pixels]]:
    for corner, (across, down) in CORNERS.items():
        yield f"{corner}_{percent}", crop(picture, percent, across, down)


def _even_lines(lines: Pixels, most: int) -> int:
    """How many lines from the first on are of one colour, the first one's."""
    first = lines[0].mean(axis=0) if most else None
    for count in range(most):
        line = lines[count]
        uneven = int((line.max(axis=0).astype(int) - line.min(axis=0)).max()) > _EVEN
        if uneven or np.abs(line.mean(axis=0) - first).max() > _EVEN:
            return count
    return most


def _inside(picture: Pixels, degrees: float) -> tuple[int, int]:
    """Height and width of the largest upright rectangle within a rotated one, by its area."""
    height, width = picture.shape[:2]
    sine, cosine = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    longer, shorter = max(width, height), min(width, height)
    if shorter <= 2 * sine * cosine * longer:  # two corners touch the longer sides
        half = shorter / 2
        wide, high = (half / sine, half / cosine) if width >= height else (half / cosine, half / sine)
    else:
        doubled = cosine * cosine - sine * sine
        wide, high = (width * cosine - height * sine) / doubled, (height * cosine - width * sine) / doubled
    return max(1, int(high)), max(1, int(wide))
