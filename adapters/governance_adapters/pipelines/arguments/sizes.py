"""The size of what a call will generate: what policy is told, and what the line then compares each draft with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from diffusers import DiffusionPipeline
from diffusers.image_processor import VaeImageProcessor

from governance.errors import RequestError
from governance.types import InputImage

SIZE: Final = "size"
"""Our own argument for pipelines that do not say which size they make."""
_SIDES: Final = ("width", "height")
_EDITED: Final = "image"
_CORES: Final = ("super_res_last", "unet", "transformer", "decoder", "image_unet")
_DECODERS: Final = ("vae", "vqvae", "movq", "vqgan", "image_vae")
_LARGER: Final[Mapping[str, int]] = {"StableDiffusionLatentUpscalePipeline": 2}
"""Pipelines that make a picture this many times larger than theirs, and nothing in them says so."""
_LARGER_BY_DECODER: Final = frozenset({"StableDiffusionUpscalePipeline", "LDMSuperResolutionPipeline"})
"""Pipelines that denoise in the size of their picture, and decode to a larger one."""


def generated_size(
    pipe: DiffusionPipeline, values: Mapping[str, Any], inputs: Sequence[InputImage], said: Any = None
) -> tuple[int, int]:
    """Width and height, in pixels, of what `pipe` makes of the arguments `values`, or more; `said` is the call's own `size`.

    What the call asks for, or what the pipeline makes by itself. A pipeline that takes no size, as those from image to image,
    makes the size of its picture, rounded down by its own image processor, or a known multiple of it. Where both the
    pipeline's own size and that of a picture may be meant, the larger is told.

    Raises:
        RequestError: a size that is none, a picture too small for the pipeline, or no way to tell.
    """
    if said is not None:
        return _said(said)
    picture = next((image for image in inputs if image.parameter == _EDITED), None)
    if picture is not None and values.keys().isdisjoint(_SIDES):
        return _of_picture(pipe, picture)
    width, height = (_side(pipe, values, name, inputs) for name in _SIDES)
    return width, height


def compression(pipe: Any, *names: str) -> int:
    """How many times smaller latents are than what they are decoded to, by the pipeline's own attributes `names`; at least 1."""
    given = next((value for name in names if type(value := getattr(pipe, name, None)) is int), 0)
    return max(1, given)


def configured(pipe: Any, name: str) -> int | None:
    """The positive integer `name` in the configuration of what denoises, if there is one."""
    found = (getattr(getattr(getattr(pipe, core, None), "config", None), name, None) for core in _CORES)
    return next((value for value in found if type(value) is int and value > 0), None)


def _said(value: Any) -> tuple[int, int]:
    if type(value) not in (list, tuple) or len(value) != 2:
        raise RequestError(f"{SIZE}={value!r} is no width and height.", remedy=f"Write {SIZE}=(512, 512).")
    width, height = (whole(SIZE, side) for side in value)
    return width, height


def _of_picture(pipe: DiffusionPipeline, picture: InputImage) -> tuple[int, int]:
    given = picture.pixels.shape[:2]
    height, width = given
    larger = _times_larger(pipe)
    processor = getattr(pipe, "image_processor", None)
    if larger > 1:
        return width * larger, height * larger
    if isinstance(processor, VaeImageProcessor):
        height, width = processor.get_default_height_width(picture.pixels, height, width)
    else:
        height, width = max(height, _own(pipe, "height")), max(width, _own(pipe, "width"))
    if not height or not width:
        raise RequestError(
            f"A picture of {given[1]} x {given[0]} px is too small for {type(pipe).__name__}.",
            remedy="Give a larger picture.",
        )
    return width, height


def _times_larger(pipe: DiffusionPipeline) -> int:
    names = {kind.__name__ for kind in type(pipe).__mro__}
    known = next((_LARGER[name] for name in names if name in _LARGER), 1)
    return known if names.isdisjoint(_LARGER_BY_DECODER) else _decoded(pipe)


def _side(pipe: Any, values: Mapping[str, Any], name: str, inputs: Sequence[InputImage]) -> int:
    """The width or height asked for, or the most that the pipeline makes by itself."""
    if values.get(name) is not None:
        return whole(name, values[name])
    axis = 1 - _SIDES.index(name)
    pictures = [image.pixels.shape[axis] for image in inputs if "ip_adapter" not in image.parameter]
    most: int = max([_own(pipe, name), *pictures])
    if most < 1:
        raise RequestError(
            f"{type(pipe).__name__} does not say which {name} it makes.",
            remedy=f"Give {name}=, or say in {SIZE}=(width, height) what it is at most.",
        )
    return most


def _own(pipe: Any, name: str) -> int:
    """The side that a pipeline makes if nobody asks for one; 0 if it does not say."""
    for attribute in (f"default_{name}", f"default_sample_{name}"):
        if type(side := getattr(pipe, attribute, None)) is int:
            return side
    sample = configured(pipe, f"sample_{name}")
    for core in _CORES:
        sample = sample or _of_sample(
            getattr(getattr(getattr(pipe, core, None), "config", None), "sample_size", None), name
        )
    sample = sample or _of_sample(getattr(pipe, "default_sample_size", None), name)
    return (sample or 0) * _decoded(pipe)


def _of_sample(sample: Any, name: str) -> int | None:
    if isinstance(sample, (list, tuple)) and len(sample) == 2:
        sample = sample[0 if name == "height" else 1]
    return sample if type(sample) is int else None


def _decoded(pipe: Any) -> int:
    """How many times smaller than the picture latents are: as the pipeline says, or as its decoder is built."""
    given = compression(pipe, "vae_scale_factor", "vae_scale_factor_spatial", "movq_scale_factor")
    if given > 1:
        return given
    for name in _DECODERS:
        config = getattr(getattr(pipe, name, None), "config", None)
        levels = getattr(config, "block_out_channels", None)
        if levels:
            return 1 << (len(levels) - 1)
    return given


def whole(name: str, value: Any) -> int:
    """`value` if it is an integer from 1.

    Raises:
        RequestError: it is not.
    """
    if type(value) is not int or value < 1:
        raise RequestError(f"{name}={value!r} is not a positive integer.", remedy=f"Give {name} as an integer from 1.")
    return value
