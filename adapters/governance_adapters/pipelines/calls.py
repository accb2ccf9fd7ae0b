"""The calls of one governed pipeline: in turn, one after another, or with the finishing of one beside the next."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from diffusers import DiffusionPipeline

from governance.assets import GovernedResult
from governance.errors import ConfigurationError, ModelError, RequestError, SealedError, WithheldError
from governance.governor import Governor
from governance.overlap import Job, Overlap
from governance.types import GenerationRequest
from governance_adapters.pipelines.arguments.asked import Asked, Defaults
from governance_adapters.pipelines.arguments.binding import BoundArguments, bind
from governance_adapters.pipelines.bound import BoundPipeline
from governance_adapters.pipelines.outputs.output import governed_output, named_output_class
from governance_adapters.pipelines.sealing import turns
from governance_adapters.pipelines.sealing.callbacks import asked_tensors, guarded_callbacks
from governance_adapters.pipelines.sealing.callers_code import refuse_callers_code
from governance_adapters.pipelines.sealing.origins import refuse_remote_code
from governance_adapters.pipelines.sealing.seals import Seal
from governance_adapters.pipelines.sealing.taps import refuse_taps

logger = logging.getLogger(__name__)


class Calls:
    """Binds, judges and makes one batch at a time: schedulers and generators keep state.

    `original` is the pipeline's own class, whose call runs; `seal` goes on whatever the pipeline holds when it is called.
    """

    def __init__(self, original: type[Any], governor: Governor, defaults: Defaults, seal: Seal) -> None:
        self._original, self._own_call = original, original.__call__
        self._governor, self._defaults, self._seal = governor, defaults, seal
        self._output_class = named_output_class(original)
        self._overlap = Overlap[Any]()

    def run(self, pipe: DiffusionPipeline, args: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
        """One call, down the whole line before the next begins."""
        with self._turn(pipe):
            arguments, request, bound = self._bind(pipe, args, keywords)
            try:
                result = self._governor.generate(request, bound)
            except WithheldError:
                bound.advance_generators()
                raise
            bound.advance_generators()
            return self._output(arguments, bound, result)

    def submit(self, pipe: DiffusionPipeline, args: Sequence[Any], keywords: Mapping[str, Any]) -> Future[Any]:
        """One call, generated after those submitted before it and finished beside those after it."""
        self._refuse_nested(pipe)
        return self._overlap.submit(self._job(pipe, args, keywords))

    def stream(self, pipe: DiffusionPipeline, calls: Iterator[Mapping[str, Any]]) -> Iterator[Any]:
        """Many calls so; see `Overlap.stream`."""
        self._refuse_nested(pipe)
        return self._overlap.stream(self._job(pipe, (), keywords) for keywords in calls)

    def _job(self, pipe: DiffusionPipeline, args: Sequence[Any], keywords: Mapping[str, Any]) -> Job[Any]:
        def first() -> Callable[[], Any]:
            with self._turn(pipe):
                arguments, request, bound = self._bind(pipe, args, keywords)
                generation = self._governor.begin(request, bound)
                bound.advance_generators()  # now: the next call binds before this one is finished
            return lambda: self._output(arguments, bound, generation.finish())

        return first

    def _bind(
        self, pipe: DiffusionPipeline, args: Sequence[Any], keywords: Mapping[str, Any]
    ) -> tuple[BoundArguments, GenerationRequest, BoundPipeline]:
        _drop_fixed_mark(pipe)
        try:
            refuse_remote_code(pipe)
            self._seal.close(pipe)
            refuse_taps(pipe)
            refuse_callers_code(pipe)
            asked, own = self._defaults.taken_from(keywords)
            tensors = asked_tensors(own)
            arguments = guarded_callbacks(bind(pipe, self._own_call, args, own), tensors)
        except (ConfigurationError, ModelError, RequestError, SealedError) as error:
            self._governor.refuse(error)
            raise
        bound = BoundPipeline(pipe, self._own_call, arguments)
        return arguments, self._request(arguments, asked), bound

    def _request(self, arguments: BoundArguments, asked: Asked) -> GenerationRequest:
        name = self._original.__name__
        return arguments.request(asked.request_id, asked.principal, asked.purpose, name, asked.markets)

    def _output(self, arguments: BoundArguments, bound: BoundPipeline, result: GovernedResult) -> Any:
        self._output_class = bound.output_class or self._output_class
        decode = self._governor.parts.codecs.decode
        decoded = [None if item.asset is None else decode(item.asset.content) for item in result.items]
        return governed_output(
            self._output_class, bound.made, result, decoded, arguments.output_type, return_dict=arguments.return_dict
        )

    @contextmanager
    def _turn(self, pipe: DiffusionPipeline) -> Iterator[None]:
        self._refuse_nested(pipe)
        with turns.taken(pipe, turns.parts_of(pipe)):
            yield

    def _refuse_nested(self, pipe: DiffusionPipeline) -> None:
        """A call from within a call, as a callback makes it, would wait for itself; so would one that shares its parts."""
        if turns.held_here((pipe, *turns.parts_of(pipe))):
            nested = RequestError(
                f"This {self._original.__name__} is called from within its own call, or from one that shares its parts.",
                remedy="Call it when that has returned.",
            )
            self._governor.refuse(nested)
            raise nested


def _drop_fixed_mark(pipe: Any) -> None:
    """SDXL pipelines embed the same 48 bits in every image when they can; ours takes that mark's place."""
    if getattr(pipe, "watermark", None) is not None:
        pipe.watermark = None
