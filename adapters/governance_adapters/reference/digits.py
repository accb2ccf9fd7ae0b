"""Data of the reference model: the grammar of its prompts, its colours, and its pictures of handwritten digits.

The digits are the 1797 records of 8x8 pixels with values 0..16 that scikit-learn packages. One half of them
(half A) is what the generator may see; the other (half B) is kept from it and judges its pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

IMAGE_SIZE: Final = 256
"""Width and height of a picture in pixels."""

DIGIT_BOX: Final = 208
"""Side in pixels of the centred square into which the 8x8 cells of a record are drawn."""

PALETTE: Final[dict[str, tuple[int, int, int]]] = {
    "red": (220, 25, 45),
    "orange": (255, 125, 0),
    "yellow": (255, 225, 30),
    "green": (25, 150, 70),
    "blue": (30, 85, 225),
    "purple": (115, 35, 160),
    "pink": (255, 140, 200),
    "black": (15, 15, 20),
    "white": (250, 250, 250),
}
"""The named colours as sRGB triples, each channel 0..255."""

DIGIT_WORDS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""The English word of each digit, at the digit's own index."""

TEMPLATES: Final = (
    "a {ink} {digit} on a {ground} background",
    "a {ink} {digit} on {ground}",
    "{ink} {digit} on {ground}",
    "{ink} {digit} on a {ground} background",
    "the digit {digit} in {ink} on a {ground} background",
    "the number {digit} in {ink} on a {ground} background",
    "a {ground} background with a {ink} {digit}",
    "a {ink} {digit} with a {ground} background",
    "a photo of a {ink} {digit} on a {ground} background",
    "a picture of a {ink} {digit} on a {ground} background",
    "an image of the digit {digit} in {ink} on {ground}",
    "a handwritten {ink} {digit} on a {ground} background",
)
"""The forms of a prompt; the first is the usual one."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What one picture shows: a digit 0..9, and the palette names of its ink and of its ground."""

    digit: int
    ink: str
    ground: str

    def __post_init__(self) -> None:
        """Raise ValueError for a digit out of range, an unknown colour, or ink and ground alike."""
        if not 0 <= self.digit <= 9:
            raise ValueError(f"digit must be 0..9, not {self.digit}")
        for name in (self.ink, self.ground):
            if name not in PALETTE:
                raise ValueError(f"unknown colour {name!r}; known are {', '.join(PALETTE)}")
        if self.ink == self.ground:
            raise ValueError("ink and ground must be two different colours")


def prompt(subject: Subject, *, template: int = 0, numeral: bool = False) -> str:
    """Say in words what the picture shows, in form `template` (an index of TEMPLATES).

    The digit is written as a word, or as a numeral where `numeral` is true. IndexError: no such template.
    """
    shown = str(subject.digit) if numeral else DIGIT_WORDS[subject.digit]
    text = TEMPLATES[template].format(ink=subject.ink, digit=shown, ground=subject.ground)
    return text.replace("a orange", "an orange")


def colour_pairs() -> list[tuple[str, str]]:
    """List every ordered pair (ink, ground) of two different palette names."""
    return [(ink, ground) for ink in PALETTE for ground in PALETTE if ink != ground]


def load_records() -> tuple[Pixels, Indices]:
    """Load the records: pixels of shape (1797, 8, 8), values 0..16, and labels of shape (1797,), 0..9.

    ImportError where scikit-learn is not installed.
    """
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    return np.asarray(data.images).astype(np.uint8), np.asarray(data.target).astype(np.int64)


def split_halves() -> tuple[Indices, Indices]:
    """Split the record indices into half A (the generator's) and half B (never shown to it), both sorted.

    Within each digit, the records are counted in the order of the data set: those at even places (0, 2, ...)
    form half A, those at odd places half B. So the split is the same everywhere, needs no random numbers, and
    holds every digit equally often, to within one record, in both halves.
    """
    _, labels = load_records()
    rank = np.zeros(len(labels), dtype=np.int64)
    for digit in range(10):
        rank[labels == digit] = np.arange(np.count_nonzero(labels == digit))
    return np.flatnonzero(rank % 2 == 0), np.flatnonzero(rank % 2 == 1)


@dataclass(frozen=True, slots=True)
class Placement:
    """How a digit lies on its picture: shift in pixels, scale as a factor, rotation in degrees."""

    shift_x: float = 0.0
    shift_y: float = 0.0
    scale: float = 1.0
    rotation: float = 0.0


def random_placement(random: np.random.Generator) -> Placement:
    """Draw a placement close to the centred upright one, so that a reader need not look for the digit."""
    shift_x, shift_y = random.uniform(-4.0, 4.0, size=2)
    return Placement(float(shift_x), float(shift_y), random.uniform(0.97, 1.03), random.uniform(-3.0, 3.0))


def render_mask(record: Pixels, placement: Placement = Placement()) -> Floats:
    """Draw one record of shape (8, 8), values 0..16, as a mask of shape (256, 256): 1 is ink, 0 is ground.

    A cell's value is the share of it that the pen covered. The shares are interpolated between the cells'
    centres and cut at a fixed level, which gives back smooth strokes; the narrow ramp at the cut is the
    antialiasing of their edges.
    """
    cells = np.pad(record.astype(np.float32) / 16.0, 2)
    fine = cv2.resize(cells, None, fx=16, fy=16, interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(fine, (0, 0), sigmaX=2.0)
    step = placement.scale * DIGIT_BOX / 128.0
    turn = cv2.getRotationMatrix2D(((fine.shape[1] - 1) / 2, (fine.shape[0] - 1) / 2), placement.rotation, step)
    turn[0, 2] += (IMAGE_SIZE - fine.shape[1]) / 2 + placement.shift_x
    turn[1, 2] += (IMAGE_SIZE - fine.shape[0]) / 2 + placement.shift_y
    large = cv2.warpAffine(fine, turn, (IMAGE_SIZE, IMAGE_SIZE), flags=cv2.INTER_CUBIC)
    ramp = np.clip((large - 0.48) / 0.10 + 0.5, 0.0, 1.0)
    return np.asarray(ramp * ramp * (3.0 - 2.0 * ramp), dtype=np.float32)


def compose(mask: Floats, ink: Floats, ground: Floats) -> Floats:
    """Lay ink over ground: mask (H, W) in 0..1 and two colours (3,) in 0..255 give (H, W, 3) in 0..255."""
    share = mask[..., None]
    return np.asarray(ink * share + ground * (1.0 - share), dtype=np.float32)


def jittered(name: str, random: np.random.Generator) -> Floats:
    """Give the named colour with a little noise of its own: float32 of shape (3,), within 0..255."""
    return np.clip(np.asarray(PALETTE[name]) + random.normal(0.0, 4.0, size=3), 0, 255).astype(np.float32)
