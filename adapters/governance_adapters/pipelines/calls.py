"""The calls of one governed pipeline: in turn, one after another, or with the finishing of one beside the next."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from diffusers import DiffusionPipeline

from governance.assets import GovernedResult
from governance.errors import ConfigurationError, RequestError, WithheldError
from governance.governor import Governor
from governance.overlap import Job, Overlap
from governance.types import GenerationRequest
from governance_adapters.pipelines.arguments import BoundArguments, bind
from governance_adapters.pipelines.asked import Asked, Defaults
from governance_adapters.pipelines.bound import BoundPipeline
from governance_adapters.pipelines.output import governed_output, named_output_class

logger = logging.getLogger(__name__)


class Calls:
    """Binds, judges and makes one batch at a time: schedulers and generators keep state.

    `original` is the pipeline's own class, whose call runs.
    """

    def __init__(self, original: type[Any], governor: Governor, defaults: Defaults) -> None:
        self._original, self._own_call = original, original.__call__
        self._governor, self._defaults = governor, defaults
        self._running, self._holder = threading.Lock(), set[int]()
        self._output_class = named_output_class(original)
        self._overlap = Overlap[Any]()

    def run(self, pipe: DiffusionPipeline, args: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
        """One call, down the whole line before the next begins."""
        with self._turn():
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
        self._refuse_nested()
        return self._overlap.submit(self._job(pipe, args, keywords))

    def stream(self, pipe: DiffusionPipeline, calls: Iterator[Mapping[str, Any]]) -> Iterator[Any]:
        """Many calls so; see `Overlap.stream`."""
        self._refuse_nested()
        return self._overlap.stream(self._job(pipe, (), keywords) for keywords in calls)

    def _job(self, pipe: DiffusionPipeline, args: Sequence[Any], keywords: Mapping[str, Any]) -> Job[Any]:
        def first() -> Callable[[], Any]:
            with self._turn():
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
            asked, own = self._defaults.taken_from(keywords)
            arguments = bind(pipe, self._own_call, args, own)
        except (ConfigurationError, RequestError) as error:
            self._governor.refuse(error)
            raise
        bound = BoundPipeline(pipe, self._own_call, arguments)
        return arguments, self._request(arguments, asked), bound

    def _request(self, arguments: BoundArguments, asked: Asked) -> GenerationRequest:
        name = self._original.__name__
        return arguments.request(asked.request_id, asked.principal, asked.purpose, name, asked.markets)

    def _output(self, arguments: BoundArguments, bound: BoundPipeline, result: GovernedResult) -> Any:
        self._output_class = bound.output_class or self._output_class
        decode = self._governor.parts.encoder.decode
        decoded = [None if item.asset is None else decode(item.asset.content) for item in result.items]
        return governed_output(
            self._output_class, bound.flags, result, decoded, arguments.output_type, return_dict=arguments.return_dict
        )

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self._refuse_nested()
        with self._running:
            try:
                self._holder.add(threading.get_ident())
                yield
            finally:
                self._holder.clear()

    def _refuse_nested(self) -> None:
        """A call from within a call, as a callback makes it, would wait for itself."""
        if threading.get_ident() in self._holder:
            nested = RequestError(
                f"This {self._original.__name__} is called from within its own call.",
                remedy="Call it when it has returned.",
            )
            self._governor.refuse(nested)
            raise nested


def _drop_fixed_mark(pipe: Any) -> None:
    """SDXL pipelines embed the same 48 bits in every image when they can; ours takes that mark's place."""
    if getattr(pipe, "watermark", None) is not None:
        pipe.watermark = None
