"""The size of what a call will generate: what policy is told, and what the line then compares each draft with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from diffusers import DiffusionPipeline
from diffusers.image_processor import VaeImageProcessor

from governance.errors import RequestError
from governance.types import InputImage

_SIDES: Final = ("width", "height")
_EDITED: Final = "image"


def generated_size(pipe: DiffusionPipeline, values: Mapping[str, Any], inputs: Sequence[InputImage]) -> tuple[int, int]:
    """Width and height of the images that `pipe` makes of the arguments `values`.

    What the call asks for, or the pipeline's own size. A pipeline that takes no size, as those from image to image, makes
    the size of its picture, rounded down by its own image processor.

    Raises:
        RequestError: a size that is none, a picture too small for the pipeline, or no way to tell.
    """
    picture = next((image for image in inputs if image.parameter == _EDITED), None)
    if picture is not None and values.keys().isdisjoint(_SIDES):
        return _of_picture(pipe, picture)
    width, height = (_size(pipe, values, name) for name in _SIDES)
    return width, height


def _of_picture(pipe: DiffusionPipeline, picture: InputImage) -> tuple[int, int]:
    given = picture.pixels.shape[:2]
    height, width = given
    processor = getattr(pipe, "image_processor", None)
    if isinstance(processor, VaeImageProcessor):
        height, width = processor.get_default_height_width(picture.pixels, height, width)
    if not height or not width:
        raise RequestError(
            f"A picture of {given[1]} x {given[0]} px is too small for {type(pipe).__name__}.",
            remedy="Give a larger picture.",
        )
    return width, height


def _size(pipe: DiffusionPipeline, values: Mapping[str, Any], name: str) -> int:
    """The width or height asked for, or the one the pipeline makes by itself."""
    given = values.get(name)
    if given is not None:
        return whole(name, given)
    core = getattr(pipe, "unet", None) or getattr(pipe, "transformer", None)
    sample = getattr(getattr(core, "config", None), "sample_size", None) or getattr(pipe, "default_sample_size", None)
    if isinstance(sample, (list, tuple)) and len(sample) == 2:
        sample = sample[0 if name == "height" else 1]
    if not isinstance(sample, int):
        raise RequestError(f"{type(pipe).__name__} does not say which {name} it makes.", remedy=f"Give {name}=.")
    return sample * int(getattr(pipe, "vae_scale_factor", 1))


def whole(name: str, value: Any) -> int:
    """`value` if it is an integer from 1.

    Raises:
        RequestError: it is not.
    """
    if type(value) is not int or value < 1:
        raise RequestError(f"{name}={value!r} is not a positive integer.", remedy=f"Give {name} as an integer from 1.")
    return value
