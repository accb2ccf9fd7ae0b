"""Reads the reference model's pictures with a judge that shares no record with the model's training.

The judge is a support vector machine trained on half B of the records only: three in four of them, each as the
data set gives it and as drawn at 256 pixels in three placements and read back. The rest of half B, and half A, show how well it
reads real digits. Nothing here is told which digit a picture was meant to show until the reading is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from . import digits
from .digits import PALETTE, Floats, Indices, Pixels, Subject

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

RIM: Final = 12
"""Width in pixels of the picture's rim, whose median colour is taken for the ground."""


def read_cells(mask: Floats) -> Floats:
    """Average a mask (256, 256) of 0..1 over the 8x8 cells of the digit box: (8, 8) in 0..16."""
    edge = (digits.IMAGE_SIZE - digits.DIGIT_BOX) // 2
    box = mask[edge : edge + digits.DIGIT_BOX, edge : edge + digits.DIGIT_BOX]
    return np.asarray(cv2.resize(box, (8, 8), interpolation=cv2.INTER_AREA) * 16.0, dtype=np.float32)


def separate(image: Pixels) -> tuple[Floats, Floats, Floats]:
    """Part ink from ground in a picture (256, 256, 3) of 0..255, from its pixels alone.

    The ground is the median colour of the rim; the ink that of the pixels which lie further from it than half
    of the furthest (the 99th percentile of the distances). Each pixel's share of ink is its place on the line
    between the two. Gives the mask (256, 256) of 0..1, the ink (3,) and the ground (3,), colours in 0..255.
    ValueError for another shape.
    """
    if image.shape != (digits.IMAGE_SIZE, digits.IMAGE_SIZE, 3):
        raise ValueError(f"a picture of 256x256x3 is needed, not {image.shape}")
    pixels = image.astype(np.float32)
    inside = np.zeros(image.shape[:2], dtype=bool)
    inside[RIM:-RIM, RIM:-RIM] = True
    ground = np.median(pixels[~inside], axis=0)
    distance = np.linalg.norm(pixels - ground, axis=-1)
    ink = np.median(pixels[distance >= 0.5 * np.percentile(distance, 99)], axis=0)
    line = ink - ground
    mask = np.clip((pixels - ground) @ line / max(float(line @ line), 1e-6), 0.0, 1.0).astype(np.float32)
    if (mask > 0.5).any() and (mask < 0.5).any():
        ink, ground = np.median(pixels[mask > 0.5], axis=0), np.median(pixels[mask < 0.5], axis=0)
    return mask, ink.astype(np.float32), ground.astype(np.float32)


def nearest_color(color: Floats) -> str:
    """Name the palette colour nearest to a colour (3,) of 0..255, by distance in sRGB."""
    return min(PALETTE, key=lambda name: float(np.linalg.norm(np.asarray(PALETTE[name]) - color)))


@dataclass(frozen=True, slots=True)
class Judge:
    """A reader of digits, with its accuracies 0..1 on real records it was not trained on.

    `held_out` is over the quarter of half B left out of its training, `half_a` over half A as in the data set,
    `half_a_drawn` over half A drawn at 256 pixels and read back.
    """

    classifier: Any
    held_out: float
    half_a: float
    half_a_drawn: float

    def read_cells(self, cells: Floats) -> int:
        """Read one digit 0..9 from cells (8, 8) of 0..16."""
        return int(self.classifier.predict(cells.reshape(1, 64))[0])


@dataclass(frozen=True, slots=True)
class Reading:
    """What a picture was read as: its digit 0..9, and the palette names nearest its ink and its ground."""

    digit: int
    ink: str
    ground: str


def train_judge() -> Judge:
    """Train the judge on three quarters of half B. ImportError where scikit-learn is not installed."""
    from sklearn.svm import SVC

    pixels, labels = digits.load_records()
    half_a, half_b = digits.split_halves()
    rank = np.arange(len(half_b))
    learned, held = half_b[rank % 4 != 3], half_b[rank % 4 == 3]
    classifier: Any = SVC(C=10.0, gamma=0.001)

    random = np.random.default_rng(0)

    def drawn(indices: Indices) -> Floats:
        masks = [digits.render_mask(pixels[index], digits.random_placement(random)) for index in indices]
        return np.stack([read_cells(mask) for mask in masks]).reshape(-1, 64)

    def given(indices: Indices) -> Floats:
        return pixels[indices].reshape(-1, 64).astype(np.float32)

    cells = [given(learned), drawn(learned), drawn(learned), drawn(learned)]
    classifier.fit(np.concatenate(cells), np.tile(labels[learned], len(cells)))
    return Judge(
        classifier,
        held_out=float(classifier.score(given(held), labels[held])),
        half_a=float(classifier.score(given(half_a), labels[half_a])),
        half_a_drawn=float(classifier.score(drawn(half_a), labels[half_a])),
    )


def read_digit(image: Pixels, judge: Judge) -> Reading:
    """Read a picture (256, 256, 3) of 0..255: its digit and its two colours. ValueError for another shape."""
    mask, ink, ground = separate(image)
    return Reading(judge.read_cells(read_cells(mask)), nearest_color(ink), nearest_color(ground))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Shares 0..1 of `count` pictures: digit read as intended, both colours right, and both of these at once.

    `misread` lists (intended, read) for each wrong digit, `miscolored` (intended ink, intended ground, read ink,
    read ground) for each wrong pair. `real_accuracy` is the judge's accuracy on held-out real records of half B,
    `drawn_accuracy` the one on half A drawn at 256 pixels.
    """

    count: int
    read_as_intended: float
    colours_right: float
    all_right: float
    real_accuracy: float
    drawn_accuracy: float
    misread: tuple[tuple[int, int], ...]
    miscolored: tuple[tuple[str, str, str, str], ...]


def subjects(count: int, seed: int) -> list[Subject]:
    """Draw `count` subjects, the digits in turn and the colour pairs at random from the seed."""
    random = np.random.default_rng(seed)
    pairs = digits.colour_pairs()
    return [Subject(place % 10, *pairs[random.integers(len(pairs))]) for place in range(count)]


def judge_pictures(pictures: Iterable[tuple[Subject, Pixels]], judge: Judge) -> Evaluation:
    """Compare pictures with what they were meant to show. ValueError where there is none."""
    readings = [(subject, read_digit(image, judge)) for subject, image in pictures]
    if not readings:
        raise ValueError("no picture to judge")
    digit_right = [meant.digit == read.digit for meant, read in readings]
    colors_right = [(meant.ink, meant.ground) == (read.ink, read.ground) for meant, read in readings]
    return Evaluation(
        count=len(readings),
        read_as_intended=float(np.mean(digit_right)),
        colours_right=float(np.mean(colors_right)),
        all_right=float(np.mean(np.logical_and(digit_right, colors_right))),
        real_accuracy=judge.held_out,
        drawn_accuracy=judge.half_a_drawn,
        misread=tuple((meant.digit, read.digit) for meant, read in readings if meant.digit != read.digit),
        miscolored=tuple(
            (meant.ink, meant.ground, read.ink, read.ground)
            for (meant, read), right in zip(readings, colors_right, strict=True)
            if not right
        ),
    )


def generate(
    pipe: StableDiffusionPipeline,
    wanted: list[Subject],
    *,
    seed: int,
    steps: int,
    guidance: float,
    batch: int,
) -> Iterator[tuple[Subject, Pixels]]:
    """Make a picture (256, 256, 3) of 0..255 for each subject, each from a seed of its own."""
    import torch

    for start in range(0, len(wanted), batch):
        part = wanted[start : start + batch]
        noise = [torch.Generator().manual_seed(seed * 100_003 + start + place) for place in range(len(part))]
        texts = [digits.prompt(subject) for subject in part]
        call: Any = pipe
        shown = call(
            texts, num_inference_steps=steps, guidance_scale=guidance, generator=noise, output_type="np"
        ).images
        for subject, image in zip(part, shown, strict=True):
            yield subject, np.round(image * 255.0).astype(np.uint8)


def evaluate(
    pipe: StableDiffusionPipeline,
    *,
    count: int = 200,
    seed: int = 0,
    steps: int = 20,
    guidance: float = 7.5,
    batch: int = 10,
    judge: Judge | None = None,
) -> Evaluation:
    """Let the pipeline make `count` pictures and judge them; a judge is trained where none is given.

    The same arguments give the same prompts and the same noise. ValueError for a count below 1.
    """
    judge = train_judge() if judge is None else judge
    pictures = generate(pipe, subjects(count, seed), seed=seed, steps=steps, guidance=guidance, batch=batch)
    return judge_pictures(pictures, judge)
