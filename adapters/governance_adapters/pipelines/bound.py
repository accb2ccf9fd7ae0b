"""One bound call of a diffusers pipeline, as the port `Pipeline`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers import DiffusionPipeline

from governance.errors import GenerationError, GovernanceError
from governance.types import Draft, GenerationRequest, ModelFacts
from governance_adapters.pipelines.arguments import BoundArguments
from governance_adapters.pipelines.describe import describe
from governance_adapters.pipelines.output import flags_of, makes_images, pixels_of


class BoundPipeline:
    """One bound call of one pipeline, as the port `Pipeline`.

    `output_class` and `flags` are all that is kept of what the pipeline returned: the class of its output, if it has
    images, and the fields of one bool per image.
    """

    def __init__(self, pipe: DiffusionPipeline, call: Callable[..., Any], arguments: BoundArguments) -> None:
        self._pipe, self._call, self._arguments = pipe, call, arguments
        self._used: list[torch.Generator] | None = None
        self.output_class: type | None = None
        self.flags: dict[str, list[bool]] = {}

    def describe(self) -> ModelFacts:
        """What would generate now."""
        return describe(self._pipe)

    @torch.no_grad()
    def generate(self, request: GenerationRequest) -> list[Draft]:
        """Run the pipeline's own call; one generator per image unless the caller gave generators.

        The caller's generators stay where they are: clones of them run.

        Raises:
            GenerationError: the pipeline raised, or returned something other than finite images.
        """
        clones = self._arguments.generators.clones()
        generators = clones or [torch.Generator("cpu").manual_seed(seed) for seed in request.seeds]
        keywords = dict(self._arguments.keywords)
        keywords["generator"] = generators[0] if len(generators) == 1 else generators
        keywords["output_type"] = "np"
        if "return_dict" in keywords:
            keywords["return_dict"] = True
        try:
            output = self._call(self._pipe, **keywords)
        except GovernanceError:
            raise
        except Exception as error:  # whatever a pipeline raises, nothing was generated: fail closed
            raise GenerationError(
                f"{type(self._pipe).__name__} failed: {type(error).__name__}: {error}.",
                remedy="Check the arguments against the pipeline's own documentation.",
            ) from error
        model = describe(self._pipe)
        pixels = pixels_of(getattr(output, "images", None))
        self.output_class = type(output) if makes_images(type(output)) else None
        self.flags = flags_of(output, len(pixels))
        self._used = clones
        return [
            Draft(index, image, model, seed)
            for index, (image, seed) in enumerate(zip(pixels, request.seeds, strict=True))
        ]

    def advance_generators(self) -> None:
        """Move the caller's generators on by what this call drew from them; nothing if it did not generate."""
        if self._used:
            self._arguments.generators.advance(self._used)
