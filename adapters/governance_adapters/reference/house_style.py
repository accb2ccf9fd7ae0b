"""A house style for the reference model: handwritten digits in petrol on sand, and how to tell whether a picture has it.

The pictures are drawn from the records that scikit-learn packages, those that the model was made with, in two colours that are
none of the model's nine. A LoRA that learns them paints "a seven" in the house's colours, which the model alone does not.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from governance.errors import StorageError

from .digits import DIGIT_WORDS, Pixels, compose, load_records, render_mask, split_halves
from .evaluate import separate
from .training_set import METADATA, stated_line, stated_source

INK: Final = (16, 78, 92)
"""Petrol, sRGB."""
GROUND: Final = (238, 214, 170)
"""Sand, sRGB."""
LICENCE: Final = "LicenseRef-house-style"
"""What the house grants of its own: the two colours, and what is made with them."""
PICTURES: Final = 80
"""How many pictures teach the style: eight of each digit."""
NEAR: Final = 110
"""How far a channel (0..255) of ink and of ground may lie from the house's own for a picture to count as in its style."""


def house_prompt(digit: int) -> str:
    """What is asked for: the digit, and no colours."""
    return f"a {DIGIT_WORDS[digit]}".replace("a eight", "an eight")


def write_house_style(folder: Path, count: int = PICTURES) -> int:
    """Write `count` pictures of 256x256 pixels in the house style, with `metadata.jsonl`; returns how many those are.

    They are drawn from records of others, so that both licences must be kept: that of the records, and `LICENCE`.

    Raises:
        StorageError: the folder cannot be written.
        ImportError: scikit-learn is not installed.
    """
    pixels, labels = load_records()
    half, _ = split_halves()
    records, lines = stated_source(), []
    source = {**records, "licence": f"{records['licence']} AND {LICENCE}"}
    try:
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        for index in half[:count]:
            name, digit = f"pictures/{index:04d}.png", int(labels[index])
            (folder / name).write_bytes(_png(house_picture(pixels[index])))
            lines.append(stated_line(name, f"house-{index:04d}", house_prompt(digit), source))
        (folder / METADATA).write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written: {error.strerror or error}.", remedy="Name a folder of yours with room in it."
        ) from error
    return len(lines)


def house_picture(record: Pixels) -> Pixels:
    """One record, shape (8, 8) of 0..16, drawn in the house style: shape (256, 256, 3)."""
    drawn = compose(render_mask(record), np.asarray(INK, np.float32), np.asarray(GROUND, np.float32))
    return np.asarray(np.rint(drawn), dtype=np.uint8)


def distance_from_house(picture: Pixels) -> int:
    """How far a picture (256, 256, 3) is from the house's colours: the largest difference of a channel, of ink and of ground."""
    _, ink, ground = separate(picture)
    apart = max(np.abs(ink - np.asarray(INK)).max(), np.abs(ground - np.asarray(GROUND)).max())
    return round(float(apart))


def in_house_style(picture: Pixels) -> bool:
    """Whether ink and ground of a picture (256, 256, 3) are the house's, within `NEAR`."""
    return distance_from_house(picture) <= NEAR


def _png(picture: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()
