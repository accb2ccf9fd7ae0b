"""What a governed call hands out: the pipeline's own kind of output, built anew from released bytes alone.

diffusers' outputs are ordered dictionaries: a field that is set to None stays in the mapping. The output that a pipeline
returned, which holds images nobody has decided on, is therefore never handed on, nor any part of it but flags.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, cast

import numpy as np
import torch
from diffusers import ImagePipelineOutput
from PIL import Image

from governance.assets import GovernedItem, GovernedResult
from governance.errors import GenerationError
from governance.frames import shown
from governance.media import Media, Sound, frames_of
from governance.types import MediaKind, Pixels
from governance_adapters.pipelines.kinds import makes_media, output_class
from governance_adapters.pipelines.outputs.returned import FULL_SCALE, Shape, field_of

_ONE_CLIP: Final = 4
"""Dimensions of a field that holds one clip and no batch of them."""
_FLAT: Final = 2
"""Dimensions of a batch of sounds without an axis for channels."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a call makes, and how the pipeline itself shaped it: `shapes` by the field of the output, `flags` by field too.

    Both are empty for a result that was recorded before.
    """

    media: tuple[MediaKind, ...]
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    flags: Mapping[str, list[bool]] = field(default_factory=dict)


class GovernedItems(tuple[GovernedItem, ...]):  # noqa: SLOT001 - a tuple that carries one attribute
    """The items of a governed call. Called like the mapping method it stands in for, it answers that method's question:
    diffusers' outputs are ordered dictionaries and use their own `items()`.
    """

    _mapping_items: Callable[[], Any]

    @classmethod
    def of(cls, items: Sequence[GovernedItem], mapping_items: Callable[[], Any]) -> GovernedItems:
        """`items`, standing in for the method `mapping_items`."""
        self = cls(items)
        self._mapping_items = mapping_items
        return self

    def __call__(self) -> Any:
        """What the output's own `items()` returns."""
        return self._mapping_items()


def named_output_class(pipeline: type) -> type:
    """The output class that a pipeline's call names in its own code; ImagePipelineOutput if it names none with media."""
    return output_class(pipeline) or cast("type", ImagePipelineOutput)


def flags_of(output: Any, images: int) -> dict[str, list[bool]]:
    """The fields of a pipeline's output that hold one plain bool per image, copied; nothing else is fit to hand on."""
    found: dict[str, list[bool]] = {}
    for each in fields(output) if makes_media(type(output)) else ():
        value = getattr(output, each.name)
        if type(value) is list and len(value) == images and all(type(item) is bool for item in value):
            found[each.name] = list(value)
    return found


def governed_output(
    kind: Any,
    made: Made,
    result: GovernedResult,
    decoded: Sequence[Media | None],
    output_type: str,
    *,
    return_dict: bool,
) -> Any:
    """A fresh output of the class `kind`, or its fields as a tuple.

    `decoded`: the media of each item's released bytes, None where withheld. `made`: what was asked for, and what is known of
    the output that the pipeline itself returned; every other field of the output is None.
    """
    values: dict[str, Any] = {each.name: made.flags.get(each.name) for each in fields(kind)}
    count = len(decoded) // len(made.media)
    for place, medium in enumerate(made.media):
        name = field_of(kind, medium)
        if name is not None:
            own = decoded[place * count : (place + 1) * count]
            values[name] = _converted(own, medium, output_type, made.shapes.get(name, _usual(name, medium)))
    if not return_dict:
        return tuple(values.values())
    output = kind(**values)
    output.__dict__["items"] = GovernedItems.of(result.items, kind.items.__get__(output))
    output.__dict__["governance"] = result
    return output


def _usual(name: str, kind: MediaKind) -> Shape | None:
    """How a field is shaped where nobody saw it: frames that are called images are those of one clip alone."""
    return Shape(_ONE_CLIP, tensor=False, listed=False) if kind is MediaKind.VIDEO and name == "images" else None


def _converted(decoded: Sequence[Media | None], kind: MediaKind, output_type: str, shape: Shape | None) -> Any:
    """Released media in the form asked for, None where withheld; one array or tensor if none was."""
    if kind is MediaKind.AUDIO:
        return _joined([None if each is None else _heard(each, output_type, shape) for each in decoded])
    if kind is MediaKind.VIDEO:
        seen = [None if each is None else _seen(list(frames_of(each)), output_type) for each in decoded]
        alone = shape is not None and shape.dimensions == _ONE_CLIP
        return seen[0] if alone and len(seen) == 1 else _joined(seen)
    if output_type == "pil":
        return [None if each is None else Image.fromarray(shown(each)) for each in decoded]
    return _joined([None if each is None else _seen([shown(each)], output_type)[0] for each in decoded])


def _seen(frames: Sequence[Pixels], output_type: str) -> Any:
    """Pictures as a list of PIL images, an array (T, H, W, 3) or a tensor (T, 3, H, W), both from 0 to 1."""
    if output_type == "pil":
        return [Image.fromarray(frame) for frame in frames]
    array = np.stack(frames).astype(np.float32) / 255
    return torch.from_numpy(array).permute(0, 3, 1, 2) if output_type == "pt" else array


def _heard(media: Media, output_type: str, shape: Shape | None) -> Any:
    """A sound as floats from -1 to 1, with an axis for its channels where the pipeline itself has one."""
    if not isinstance(media, Sound):
        raise GenerationError("A released sound is none.", remedy="Run `governance ledger verify`.")
    samples = media.samples.astype(np.float32) / FULL_SCALE
    tensor = output_type == "pt" or (output_type == "pil" and shape is not None and shape.tensor)
    flat = (shape is None or shape.dimensions == _FLAT) and len(samples) == 1
    samples = samples[0] if flat else samples
    return torch.from_numpy(samples) if tensor else samples


def _joined(items: list[Any]) -> Any:
    """One array or tensor of all, where all are there and of one size; else a list."""
    whole = [item for item in items if item is not None]
    alike = whole and len(whole) == len(items) and len({getattr(item, "shape", None) for item in whole}) == 1
    if alike and isinstance(whole[0], torch.Tensor):
        return torch.stack(whole)
    return np.stack(whole) if alike and isinstance(whole[0], np.ndarray) else items
