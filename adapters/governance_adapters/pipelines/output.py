"""What a governed call hands out: the pipeline's own kind of output, built anew from released bytes alone.

diffusers' outputs are ordered dictionaries: a field that is set to None stays in the mapping. The output that a pipeline
returned, which holds images nobody has decided on, is therefore never handed on, nor any part of it but flags.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from types import FunctionType
from typing import Any, cast

import numpy as np
import torch
from diffusers import ImagePipelineOutput
from diffusers.utils.outputs import BaseOutput
from PIL import Image

from governance.assets import GovernedItem, GovernedResult
from governance.errors import GenerationError
from governance.types import Pixels


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


def makes_images(kind: object) -> bool:
    """Whether `kind` is a class of diffusers outputs with a field `images`."""
    return (
        isinstance(kind, type)
        and issubclass(kind, BaseOutput)
        and "images" in getattr(kind, "__dataclass_fields__", ())
    )


def named_output_class(pipeline: type) -> type:
    """The output class that a pipeline's call names in its own code, found without running it.

    The nearest `__call__` in the class's line of inheritance that names one decides; ImagePipelineOutput if none does.
    """
    for owner in pipeline.__mro__:
        call = inspect.unwrap(vars(owner).get("__call__", _no_call))
        if isinstance(call, FunctionType):
            named: Iterator[Any] = map(call.__globals__.get, call.__code__.co_names)
            for kind in filter(makes_images, named):
                return cast("type", kind)
    return cast("type", ImagePipelineOutput)


def _no_call() -> None:
    """Stands for a class without a call of its own."""


def flags_of(output: Any, images: int) -> dict[str, list[bool]]:
    """The fields of a pipeline's output that hold one plain bool per image, copied; nothing else is fit to hand on."""
    found: dict[str, list[bool]] = {}
    for field in fields(output) if makes_images(type(output)) else ():
        value = getattr(output, field.name)
        if type(value) is list and len(value) == images and all(type(item) is bool for item in value):
            found[field.name] = list(value)
    return found


def governed_output(
    kind: Any,
    flags: Mapping[str, list[bool]],
    result: GovernedResult,
    decoded: Sequence[Pixels | None],
    output_type: str,
    *,
    return_dict: bool,
) -> Any:
    """A fresh output of the class `kind`, or its fields as a tuple.

    `decoded`: the pixels of each item's released bytes, None where withheld. `flags`: one bool per image, by field;
    every other field but `images` is None.
    """
    images = _converted(decoded, output_type)
    values: dict[str, Any] = {
        field.name: images if field.name == "images" else flags.get(field.name) for field in fields(kind)
    }
    if not return_dict:
        return tuple(values.values())
    output = kind(**values)
    output.__dict__["items"] = GovernedItems.of(result.items, kind.items.__get__(output))
    output.__dict__["governance"] = result
    return output


def pixels_of(images: Any) -> list[Pixels]:
    """(N, H, W, 3) floats in [0, 1] as N arrays of uint8, rounded as diffusers rounds for PIL.

    Raises:
        GenerationError: no such batch, or pixels that are not numbers.
    """
    if not isinstance(images, np.ndarray) or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise GenerationError(
            "The pipeline returned no batch of RGB images.", remedy="Govern a pipeline that makes images."
        )
    if not np.isfinite(images).all():
        raise GenerationError("The pipeline made pixels that are not numbers.", remedy="Use a higher precision dtype.")
    rounded = (images.clip(0.0, 1.0) * 255).round().astype(np.uint8)
    return [np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3))) for image in rounded]


def _converted(decoded: Sequence[Pixels | None], output_type: str) -> Any:
    """Released images in the form asked for, None where withheld; one array or tensor if none was."""
    if output_type == "pil":
        return [None if image is None else Image.fromarray(image) for image in decoded]
    arrays = [None if image is None else image.astype(np.float32) / 255 for image in decoded]
    if output_type == "pt":
        tensors = [None if array is None else torch.from_numpy(array).permute(2, 0, 1) for array in arrays]
        whole = [tensor for tensor in tensors if tensor is not None]
        return torch.stack(whole) if len(whole) == len(tensors) else tensors
    present = [array for array in arrays if array is not None]
    return np.stack(present) if len(present) == len(arrays) else arrays
