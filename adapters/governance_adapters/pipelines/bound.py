"""One bound call of a diffusers pipeline, as the port `Pipeline`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from diffusers import DiffusionPipeline

from governance.errors import GenerationError
from governance.media import Media
from governance.types import Draft, GenerationRequest, MediaKind, ModelFacts
from governance_adapters.pipelines.arguments.binding import BoundArguments
from governance_adapters.pipelines.description.describe import describe
from governance_adapters.pipelines.kinds import makes_media
from governance_adapters.pipelines.outputs.output import Made, flags_of
from governance_adapters.pipelines.outputs.rates import frame_rate_of, sample_rate_of
from governance_adapters.pipelines.outputs.returned import field_of, media_of, shape_of
from governance_adapters.pipelines.sealing.leftovers import left_as_found
from governance_adapters.pipelines.sealing.own_call import own_output


class BoundPipeline:
    """One bound call of one pipeline, as the port `Pipeline`.

    `output_class` and `made` are all that is kept of what the pipeline returned: the class of its output, if it has media,
    how its fields were shaped, and those of one bool per image.
    """

    def __init__(self, pipe: DiffusionPipeline, call: Callable[..., Any], arguments: BoundArguments) -> None:
        self._pipe, self._call, self._arguments = pipe, call, arguments
        self._used: list[torch.Generator] | None = None
        self.output_class: type | None = None
        self.made = Made(arguments.media)

    def describe(self) -> ModelFacts:
        """What would generate now.

        Raises:
            RequestError: the frame rate that was asked for is none.
            GenerationError: nothing says how many samples a second the sounds would have.
        """
        self._rates(self._arguments.media)  # better known before anything is generated
        return describe(self._pipe)

    @torch.no_grad()
    def generate(self, request: GenerationRequest) -> list[Draft]:
        """Run the pipeline's own call; one generator per image unless the caller gave generators.

        The caller's generators stay where they are: clones of them run.

        Raises:
            GenerationError: the pipeline raised, or returned something other than what was asked for, in finite numbers.
        """
        clones = self._arguments.generators.clones()
        generators = clones or [torch.Generator("cpu").manual_seed(seed) for seed in request.seeds]
        keywords = dict(self._arguments.keywords)
        keywords["generator"] = generators[0] if len(generators) == 1 else generators
        if "output_type" in keywords:
            keywords["output_type"] = "np"
        if "return_dict" in keywords:
            keywords["return_dict"] = True
        with left_as_found(self._pipe):
            output = own_output(self._pipe, self._call, keywords)
            model = describe(self._pipe)  # as the call left it
        media = self._media(output, request)
        self.output_class = type(output) if makes_media(type(output)) else None
        shapes = {
            name: shape_of(getattr(output, name))
            for name in (field_of(type(output), kind) for kind in request.media)
            if name is not None
        }
        self.made = Made(request.media, shapes, flags_of(output, request.images))
        self._used = clones
        return [Draft(index, each, model, request.seed_of(index)) for index, each in enumerate(media)]

    def _media(self, output: Any, request: GenerationRequest) -> list[Media]:
        """All that was made: of each kind of media as many as were asked for, in their order."""
        rate, heard = self._rates(request.media)
        found: list[Media] = []
        for kind in request.media:
            made = media_of(output, kind, rate, heard, request.images)
            if len(made) != request.images:
                raise GenerationError(
                    f"The pipeline made {len(made)} items of {kind.value} where {request.images} were admitted.",
                    remedy="Ask for as many as the pipeline returns.",
                )
            found += made
        return found

    def _rates(self, media: Sequence[MediaKind]) -> tuple[int, int]:
        """Thousandths of frames a second, and samples a second; 0 where there are none."""
        rate = frame_rate_of(self._arguments.parameters) if MediaKind.VIDEO in media else 0
        return rate, sample_rate_of(self._pipe) if MediaKind.AUDIO in media else 0

    def advance_generators(self) -> None:
        """Move the caller's generators on by what this call drew from them; nothing if it did not generate."""
        if self._used:
            self._arguments.generators.advance(self._used)
