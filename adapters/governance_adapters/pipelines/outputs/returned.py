"""What a pipeline returned, as pictures, clips and sounds: whole numbers, rounded once, or refused.

Arrays and tensors of floats count from 0 to 1 (pictures) or from -1 to 1 (sounds); bytes and 16-bit samples are taken as they
are. What a detector would not see as it is - transparency, more than 8 bits, values that are no numbers - is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from governance.errors import GenerationError
from governance.media import MAX_CHANNELS, Clip, Media, Sound
from governance.types import MediaKind, Pixels
from governance_adapters.pipelines.kinds import FIELDS

_FIELDS: Final[Mapping[MediaKind, tuple[str, ...]]] = {
    kind: tuple(name for name, held in FIELDS.items() if held is kind) for kind in MediaKind
}
_FRAMES: Final = tuple(name for name, held in FIELDS.items() if held is MediaKind.IMAGE)
"""Where some keep the frames of one video."""
FULL_SCALE: Final = 32767
"""The 16-bit sample that stands for 1.0."""
_PICTURES: Final = 4
"""Dimensions of a batch of pictures, which is also one clip alone."""
_COLOURS: Final = (1, 3)
_PRECISION: Final = "Use a higher precision dtype."


@dataclass(frozen=True, slots=True)
class Shape:
    """How a pipeline shapes a field: how many dimensions it has, whether it is a tensor, whether it is a list of items."""

    dimensions: int
    tensor: bool
    listed: bool


def field_of(output: Any, kind: MediaKind) -> str | None:
    """The field of an output, or of a class of outputs, that holds media of this kind; None if it has none."""
    names = getattr(output, "__dataclass_fields__", ())
    fields = (*_FIELDS[kind], *_FRAMES) if kind is MediaKind.VIDEO else _FIELDS[kind]
    return next((name for name in fields if name in names), None)


def shape_of(value: Any) -> Shape:
    """How a field is shaped, as the pipeline returned it."""
    listed = isinstance(value, (list, tuple))
    first = value[0] if listed and len(value) else value
    dimensions = int(getattr(first, "ndim", 3)) + listed
    return Shape(dimensions, isinstance(first, torch.Tensor), listed)


def pictures_of(value: Any) -> list[Pixels]:
    """A batch of pictures, (N, H, W, C) or a list of them.

    Raises:
        GenerationError: it is none, or holds what no detector would see.
    """
    levels = _levels(value, _PICTURES, "images")
    return list(levels)


def clips_of(value: Any, frame_rate: int) -> list[Clip]:
    """A batch of clips, (N, T, H, W, C) or a list of lists of pictures; or one clip alone, (T, H, W, C).

    `frame_rate` is in thousandths of frames a second.

    Raises:
        GenerationError: it is none, or holds what no detector would see.
    """
    if _depth(value) == _PICTURES:
        return [Clip(_levels(value, _PICTURES, "frames"), frame_rate)]
    batch = value if isinstance(value, (list, tuple, np.ndarray, torch.Tensor)) else ()
    return [Clip(_levels(each, _PICTURES, "frames"), frame_rate) for each in batch]


def sounds_of(value: Any, sample_rate: int, expected: int) -> list[Sound]:
    """A batch of sounds, (N, samples) or (N, channels, samples) or a list of them; or one sound alone.

    `sample_rate` is in Hz, `expected` how many sounds were asked for.

    Raises:
        GenerationError: it is none, or holds values that are no samples.
    """
    if isinstance(value, (list, tuple)):
        return [_sound(_array(each), sample_rate) for each in value]
    samples = _array(value)
    alone = samples.ndim == 1 or (samples.ndim == 2 and expected == 1 and samples.shape[0] != 1)
    return [_sound(each, sample_rate) for each in (samples[None] if alone else samples)]


def media_of(output: Any, kind: MediaKind, frame_rate: int, sample_rate: int, expected: int) -> Sequence[Media]:
    """All media of one kind in what a pipeline returned.

    Raises:
        GenerationError: the output has none, or holds what cannot be checked.
    """
    name = field_of(type(output), kind)
    value = None if name is None else getattr(output, name)
    if value is None:
        raise GenerationError(
            f"The pipeline returned no {kind.value}.", remedy="Govern a pipeline that makes what was asked for."
        )
    if kind is MediaKind.VIDEO:
        return clips_of(value, frame_rate)
    return sounds_of(value, sample_rate, expected) if kind is MediaKind.AUDIO else pictures_of(value)


def _depth(value: Any) -> int:
    """How many dimensions it has, each list counting as one and a PIL image as three."""
    if isinstance(value, (list, tuple)):
        return 1 + (_depth(value[0]) if value else 0)
    return 3 if isinstance(value, Image.Image) else int(getattr(value, "ndim", 0))


def _levels(value: Any, dimensions: int, what: str) -> NDArray[np.uint8]:
    """(N, H, W, 3) levels from 0 to 255, rounded as diffusers rounds for PIL."""
    array = _array(value)
    if isinstance(_first(value), torch.Tensor) and array.ndim == dimensions and array.shape[-1] not in _COLOURS:
        array = np.moveaxis(array, 1, -1)
    if array.ndim == dimensions - 1 and isinstance(_first(value), Image.Image):
        array = array[..., None]  # grey pictures of PIL have no axis for their one channel
    if array.ndim != dimensions or 0 in array.shape:
        raise GenerationError(
            f"The pipeline returned no batch of RGB {what}.", remedy="Govern a pipeline that makes pictures."
        )
    if array.shape[-1] not in _COLOURS:
        raise GenerationError(
            f"The pipeline returned {what} of {array.shape[-1]} channels; what is transparent, no detector sees.",
            remedy="Govern a pipeline that makes RGB pictures.",
        )
    levels = array if array.dtype == np.uint8 else _rounded(array, what)
    return np.ascontiguousarray(np.broadcast_to(levels, (*levels.shape[:-1], 3)))


def _rounded(array: NDArray[Any], what: str) -> NDArray[np.uint8]:
    if not np.issubdtype(array.dtype, np.floating):
        raise GenerationError(
            f"The pipeline returned {what} as {array.dtype}, which has more than 8 bits a channel, or fewer.",
            remedy="Govern a pipeline that makes pictures of 8 bits a channel.",
        )
    if not np.isfinite(array).all():
        raise GenerationError("The pipeline made pixels that are not numbers.", remedy=_PRECISION)
    return (array.clip(0.0, 1.0) * 255).round().astype(np.uint8)


def _first(value: Any) -> Any:
    return _first(value[0]) if isinstance(value, (list, tuple)) and value else value


def _array(value: Any) -> NDArray[Any]:
    """An array of what may be a tensor, a PIL image, or a list of these of one size."""
    if isinstance(value, torch.Tensor):
        tensor = value.detach().cpu()
        return np.asarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())
    if isinstance(value, (list, tuple)):
        arrays = [_array(item) for item in value]
        if not arrays:
            return np.empty(0)
        if len({(array.shape, array.dtype) for array in arrays}) != 1:
            raise GenerationError("The pipeline returned things of different sizes.", remedy="Ask for one at a time.")
        return np.stack(arrays)
    return np.asarray(value) if isinstance(value, (np.ndarray, Image.Image)) else np.empty(0)


def _sound(array: NDArray[Any], sample_rate: int) -> Sound:
    samples = array[None] if array.ndim == 1 else array
    if samples.ndim != 2 or 0 in samples.shape or min(samples.shape) > MAX_CHANNELS:
        raise GenerationError("The pipeline returned no sounds.", remedy="Govern a pipeline that makes sounds.")
    if samples.shape[0] > MAX_CHANNELS:
        samples = samples.T  # samples first, then channels
    if samples.dtype == np.int16:
        return Sound(np.ascontiguousarray(samples), sample_rate)
    if not np.issubdtype(samples.dtype, np.floating):
        raise GenerationError(
            f"The pipeline returned sounds as {samples.dtype}.", remedy="Govern one that makes floats from -1 to 1."
        )
    if not np.isfinite(samples).all():
        raise GenerationError("The pipeline made samples that are not numbers.", remedy=_PRECISION)
    return Sound((samples.clip(-1.0, 1.0) * FULL_SCALE).round().astype(np.int16), sample_rate)
