"""Real photographs and drawn flat art for the marking tests."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import skimage
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from governance.types import Pixels

PHOTOS = [
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "moon.png",
    "retina.jpg",
    "rocket.jpg",
    "page.png",
    "text.png",
    "cell.png",
    "color.png",
]

COLOURS = {
    "red": (220, 25, 45),
    "pure red": (255, 0, 0),
    "blue": (30, 85, 225),
    "pure blue": (0, 0, 255),
    "green": (25, 150, 70),
    "pure green": (0, 255, 0),
    "yellow": (255, 225, 30),
    "orange": (255, 125, 0),
    "purple": (115, 35, 160),
    "pink": (255, 140, 200),
    "cyan": (40, 200, 220),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}


def photographs(side: int) -> list[Pixels]:
    """21 pictures, cut square and scaled to `side`."""
    folder = Path(skimage.__file__).parent / "data"
    whole = [np.asarray(Image.open(folder / name).convert("RGB")) for name in PHOTOS]
    return [square(picture, side) for picture in (*whole, *load_sample_images().images)]


def square(picture: Pixels, side: int) -> Pixels:
    least = min(picture.shape[:2])
    top, left = (picture.shape[0] - least) // 2, (picture.shape[1] - least) // 2
    cut = picture[top : top + least, left : left + least]
    return cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA if least > side else cv2.INTER_CUBIC)


def digit_shape(index: int, side: int) -> np.ndarray:
    """A handwritten digit drawn smooth and large: coverage 0..1, (side, side)."""
    box = side * 13 // 16
    cells = cv2.resize(load_digits().images[index] / 16, (box, box), interpolation=cv2.INTER_CUBIC)
    inked = np.clip((cv2.GaussianBlur(cells, (0, 0), side / 64) - 0.45) * 8 + 0.5, 0, 1)
    margin = (side - box) // 2
    return np.pad(inked, (margin, side - box - margin))


def letter_shape(text: str, side: int) -> np.ndarray:
    """A printed sign: coverage 0..1, (side, side)."""
    ink = np.zeros((side, side), np.uint8)
    cv2.putText(
        ink, text, (side // 5, side * 4 // 5), cv2.FONT_HERSHEY_SIMPLEX, side / 42, 255, side // 16, cv2.LINE_AA
    )
    return ink / 255


def paint(shape: np.ndarray, ink: str, ground: str) -> Pixels:
    colours = [np.array(COLOURS[name], float) for name in (ink, ground)]
    return np.rint(shape[:, :, None] * colours[0] + (1 - shape[:, :, None]) * colours[1]).astype(np.uint8)


def flat_art(side: int) -> list[Pixels]:
    """26 drawings: every colour once as ink and once as ground, digits and letters in turn."""
    names = list(COLOURS)
    drawings = []
    for number in range(2 * len(names)):
        ink, ground = names[number % 13], names[(number % 13 + 1 + number // 13 * 4) % 13]
        shape = digit_shape(37 * number, side) if number % 2 else letter_shape("ARGB58"[number % 6], side)
        drawings.append(paint(shape, ink, ground))
    return drawings


def jpeg(quality: int) -> Callable[[Pixels], Pixels]:
    def save(pixels: Pixels) -> Pixels:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file).convert("RGB"))

    return save


def resize(factor: float) -> Callable[[Pixels], Pixels]:
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return lambda pixels: cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=method)


def crop(share: float) -> Callable[[Pixels], Pixels]:
    def cut(pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        top, left = int(height * (1 - share) * 0.4), int(width * (1 - share) * 0.6)
        return pixels[top : top + round(height * share), left : left + round(width * share)]

    return cut


def psnr(one: Pixels, other: Pixels) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))
