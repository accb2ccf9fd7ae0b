"""Records as a trainer needs them: square pictures of one size, each with its text."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from governance.errors import TrainingError
from governance.training.data import TrainingRecord
from governance.types import Pixels

MAX_PIXELS: Final = 100_000_000
"""The most pixels of a picture that is decoded."""


@dataclass(frozen=True, slots=True)
class Example:
    """A picture, shape (side, side, 3), and the text that is to lead to it."""

    caption: str
    pixels: Pixels = field(repr=False)


def examples(records: Iterable[TrainingRecord], side: int, *, caption: str = "") -> Iterator[Example]:
    """Each record as an example of `side` pixels; `caption` takes the place of the records' own.

    Raises:
        TrainingError: a record is no picture, is too large, or has no text and none is given.
    """
    for given in records:
        text = caption or given.caption
        if not text:
            raise TrainingError(
                f"Record {given.record.id!r} of {given.dataset} has no caption.",
                remedy="Give a caption for all of them, or audit the dataset with a column of captions.",
            )
        yield Example(text, square(given.content, side, called=given.record.id))


def square(content: bytes, side: int, *, called: str = "the file") -> Pixels:
    """The middle square of a picture, resized to `side` pixels.

    Raises:
        TrainingError: the bytes are no picture that can be read, or one of too many pixels.
    """
    try:
        with Image.open(io.BytesIO(content)) as file:
            if file.width * file.height > MAX_PIXELS:
                raise TrainingError(
                    f"{called} has {file.width} x {file.height} pixels.", remedy=f"At most {MAX_PIXELS} are decoded."
                )
            picture = file.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise TrainingError(
            f"{called} cannot be read as a picture: {type(error).__name__}.",
            remedy="Train with pictures; an audit names the records that are none.",
        ) from error
    shortest = min(picture.size)
    left, top = (picture.width - shortest) // 2, (picture.height - shortest) // 2
    cut = picture.crop((left, top, left + shortest, top + shortest))
    resized = cut if cut.size == (side, side) else cut.resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(resized, dtype=np.uint8)
