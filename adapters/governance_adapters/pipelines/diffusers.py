"""Any diffusers pipeline that makes images, governed: its own call keeps working, and nothing leaves it ungoverned."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput
from PIL import Image

from governance.errors import ConfigurationError, GenerationError, GovernanceError, RequestError
from governance.governor import Governor
from governance.types import (
    Draft,
    GenerationRequest,
    GovernedItem,
    GovernedResult,
    ModelFacts,
    Pixels,
    Principal,
    new_id,
)
from governance_adapters.pipelines.arguments import BoundArguments, bind
from governance_adapters.pipelines.describe import describe

logger = logging.getLogger(__name__)


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


class BoundPipeline:
    """One bound call of one pipeline, as the port `Pipeline`."""

    def __init__(self, pipe: DiffusionPipeline, call: Callable[..., Any], arguments: BoundArguments) -> None:
        self._pipe, self._call, self._arguments = pipe, call, arguments
        self.output: Any = None

    def describe(self) -> ModelFacts:
        """What would generate now."""
        return describe(self._pipe)

    def generate(self, request: GenerationRequest) -> list[Draft]:
        """Run the pipeline's own call; one generator per image unless the caller gave generators.

        Raises:
            GenerationError: the pipeline raised, or returned something other than finite images.
        """
        generators = list(self._arguments.generators) or [
            torch.Generator("cpu").manual_seed(seed) for seed in request.seeds
        ]
        keywords = dict(self._arguments.keywords)
        keywords["generator"] = generators[0] if len(generators) == 1 else generators
        keywords["output_type"], keywords["return_dict"] = "np", True
        try:
            self.output = self._call(self._pipe, **keywords)
        except GovernanceError:
            raise
        except Exception as error:  # whatever a pipeline raises, nothing was generated: fail closed
            raise GenerationError(
                f"{type(self._pipe).__name__} failed: {type(error).__name__}: {error}.",
                remedy="Check the arguments against the pipeline's own documentation.",
            ) from error
        model = describe(self._pipe)
        pixels = _pixels(getattr(self.output, "images", None))
        return [
            Draft(index, image, model, seed)
            for index, (image, seed) in enumerate(zip(pixels, request.seeds, strict=True))
        ]


def wrap(pipe: DiffusionPipeline, governor: Governor, principal: Principal, purpose: str) -> DiffusionPipeline:
    """Govern `pipe` itself: its class becomes a subclass whose call runs down the line.

    Every reference to `pipe` is governed from here on; `isinstance` and the class name stay what they were. The call
    also takes `principal`, `purpose` and `request_id`.

    Raises:
        ConfigurationError: `pipe` is no diffusers pipeline, makes no images, or is governed already.
    """
    if not isinstance(pipe, DiffusionPipeline):
        raise ConfigurationError(
            f"A {type(pipe).__name__} is no diffusers pipeline.", remedy="Pass a DiffusionPipeline."
        )
    original = type(pipe)
    if getattr(original, "governed", False):
        raise ConfigurationError("This pipeline is governed already.", remedy="Use it as it is.")
    own_call = original.__call__
    for name in ("generator", "output_type"):
        if name not in inspect.signature(own_call).parameters:
            raise ConfigurationError(
                f"{original.__name__} takes no {name!r}, so what it makes cannot be described or checked.",
                remedy="Govern a pipeline that makes images.",
            )
    if getattr(pipe, "watermark", None) is not None:
        logger.warning("%s embeds a fixed watermark of its own; the governed one takes its place", original.__name__)
    running = threading.Lock()

    def governed_call(
        self: DiffusionPipeline,
        *args: Any,
        principal: Principal = principal,
        purpose: str = purpose,
        request_id: str | None = None,
        **kwargs: Any,
    ) -> Any:
        _drop_fixed_mark(self)
        try:
            arguments = bind(self, own_call, args, kwargs)
        except RequestError as error:
            governor.refuse(error)
            raise
        bound = BoundPipeline(self, own_call, arguments)
        request = arguments.request(request_id or new_id(), principal, purpose, original.__name__)
        with running:  # schedulers keep state: one pipeline makes one batch at a time
            result = governor.generate(request, bound)
        return _output(bound, arguments, result, governor)

    governed_call.__doc__ = own_call.__doc__
    governed = type(
        original.__name__,
        (original,),
        {"__call__": torch.no_grad()(governed_call), "__module__": original.__module__, "governed": True},
    )
    pipe.__class__ = governed
    return pipe


def _drop_fixed_mark(pipe: Any) -> None:
    """SDXL pipelines embed the same 48 bits in every image when they can; ours takes that mark's place."""
    if getattr(pipe, "watermark", None) is not None:
        pipe.watermark = None


def _pixels(images: Any) -> list[Pixels]:
    """(N, H, W, 3) floats in [0, 1] as N arrays of uint8, rounded as diffusers rounds for PIL."""
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


def _output(bound: BoundPipeline, arguments: BoundArguments, result: GovernedResult, governor: Governor) -> Any:
    """The pipeline's own kind of output, its images decoded from the released bytes."""
    decoded = [
        None if item.asset is None else governor.parts.encoder.decode(item.asset.content) for item in result.items
    ]
    images = _converted(decoded, arguments.output_type)
    output = bound.output
    if output is None:  # a recorded result: nothing was generated this time
        output_class: Any = ImagePipelineOutput
        output = output_class(images=images)
    for field in fields(output):
        value = getattr(output, field.name)
        if field.name == "images":
            output.images = images
        elif not (isinstance(value, list) and all(isinstance(item, bool) for item in value)):
            setattr(output, field.name, None)
    if not arguments.return_dict:
        return (images, *(getattr(output, field.name) for field in fields(output) if field.name != "images"))
    output.__dict__["items"] = GovernedItems.of(result.items, type(output).items.__get__(output))
    output.__dict__["governance"] = result
    return output
