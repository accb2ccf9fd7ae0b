"""Pictures for training, drawn from half A only, and the choice of the records that may be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from . import digits
from .digits import Floats, Indices, Pixels

FOLDS: Final = 10


@dataclass(frozen=True, slots=True)
class TrainingRecords:
    """The records used: their data-set indices (n,), pixels (n, 8, 8) of 0..16, labels (n,), and those dropped."""

    indices: Indices
    pixels: Pixels
    labels: Indices
    dropped: Indices


def select_records() -> TrainingRecords:
    """Take half A without the records that a reader trained on the rest of half A misreads.

    The reader is a support vector machine, cross-validated in ten folds inside half A, once on the records as
    they are and once as drawn; a record that is misread either way would teach a digit that cannot be told.
    Half B takes no part in this.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.svm import SVC

    from .evaluate import read_cells

    pixels, labels = digits.load_records()
    half, _ = digits.split_halves()
    drawn = np.stack([read_cells(digits.render_mask(pixels[index])) for index in half])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    keep = np.ones(len(half), dtype=bool)
    for cells in (pixels[half].astype(np.float32), drawn):
        read = cross_val_predict(SVC(C=10.0, gamma=0.001), cells.reshape(len(half), 64), labels[half], cv=folds)
        keep &= read == labels[half]
    used = half[keep]
    return TrainingRecords(used, pixels[used], labels[used], half[~keep])


def draw_masks(records: TrainingRecords, copies: int, random: np.random.Generator) -> tuple[Tensor, Indices]:
    """Draw every record `copies` times in random placements.

    Gives uint8 masks of shape (copies * n, 256, 256), 255 is ink, and the digit of each.
    """
    count = copies * len(records.labels)
    masks = np.empty((count, digits.IMAGE_SIZE, digits.IMAGE_SIZE), dtype=np.uint8)
    for place in range(count):
        record = records.pixels[place % len(records.labels)]
        mask = digits.render_mask(record, digits.random_placement(random))
        masks[place] = np.round(mask * 255.0).astype(np.uint8)
    return torch.from_numpy(masks), np.tile(records.labels, copies)


def color_images(masks: Tensor, ink: Floats, ground: Floats) -> Tensor:
    """Colour masks (n, h, w) of 0..255 with colours (n, 3) of 0..255: images (n, 3, h, w) in -1..1."""
    share = masks.unsqueeze(1).float() / 255.0
    high = torch.from_numpy(ink / 127.5 - 1.0)[:, :, None, None]
    low = torch.from_numpy(ground / 127.5 - 1.0)[:, :, None, None]
    return (low + (high - low) * share).contiguous(memory_format=torch.channels_last)


def draw_colors(count: int, random: np.random.Generator, *, arbitrary: float) -> tuple[Floats, Floats]:
    """Draw `count` inks and grounds, each (count, 3) in 0..255; a share `arbitrary` of them from all of sRGB."""
    pairs = digits.colour_pairs()
    chosen = [pairs[place] for place in random.integers(len(pairs), size=count)]
    ink = np.stack([digits.jittered(name, random) for name, _ in chosen])
    ground = np.stack([digits.jittered(name, random) for _, name in chosen])
    free = random.random(count) < arbitrary
    ink[free] = random.uniform(0.0, 255.0, size=(int(free.sum()), 3))
    ground[free] = random.uniform(0.0, 255.0, size=(int(free.sum()), 3))
    return ink, ground


def crops(masks: Tensor, batch: int, side: int, random: np.random.Generator) -> Iterator[Tensor]:
    """Yield without end batches (batch, 3, side, side) in -1..1 of random pictures, cut at multiples of 32."""
    places = (digits.IMAGE_SIZE - side) // 32 + 1
    while True:
        chosen = random.integers(len(masks), size=batch)
        corners = random.integers(places, size=(batch, 2)) * 32
        cut = [
            masks[index, top : top + side, left : left + side]
            for index, (top, left) in zip(chosen, corners, strict=True)
        ]
        yield color_images(torch.stack(cut), *draw_colors(batch, random, arbitrary=0.2))
