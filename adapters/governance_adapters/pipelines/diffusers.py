"""Any diffusers pipeline, governed: its own call keeps working, and nothing leaves it ungoverned."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any
from weakref import WeakKeyDictionary

from diffusers import DiffusionPipeline

from governance.errors import ConfigurationError
from governance.governor import Governor
from governance.overlap import Streamed
from governance.types import Principal
from governance_adapters.pipelines.arguments.asked import Defaults
from governance_adapters.pipelines.calls import Calls
from governance_adapters.pipelines.kinds import refusal
from governance_adapters.pipelines.sealing.intercepts import Edits, intercepted
from governance_adapters.pipelines.sealing.origins import refuse_remote_code
from governance_adapters.pipelines.sealing.seals import Seal

logger = logging.getLogger(__name__)


def wrap(
    pipe: DiffusionPipeline, governor: Governor, principal: Principal, purpose: str, markets: Sequence[str] = ()
) -> DiffusionPipeline:
    """Govern `pipe` itself: its class becomes a subclass whose call runs down the line.

    Every reference to `pipe` is governed from here on; `isinstance` and the class name stay what they were. Its modules run
    inside governed calls only, and its loaders, edits and copies are intercepted: see docs/sealing.md. The call
    takes the pipeline's own arguments and five more:

    - `principal`: who asks this time, a Principal, or a text: an asserted id. Without it the one given here asks.
    - `roles`: the roles of a `principal` given as text, a list or tuple of texts. Another person never inherits the
      roles of the principal given here: without `roles` they have none.
    - `purpose`: what for, this time.
    - `markets`: where the images of this call will be used, a list or tuple of the policy's names; none means everywhere.
    - `request_id`: the idempotency key; a fresh one each call without it.

    Where a pipeline does not say how large or long what it makes is, the call does, with `size`, `frame_count` and
    `frames_per_second`: see docs/inputs.md.

    The caller's generators move on when the pipeline ran and every item was decided on. After a failure, and for a
    recorded result, they are where they were, so that trying again is the same request.

    `pipe.submit(...)` takes the same arguments and returns a `concurrent.futures.Future` of the same output;
    `pipe.stream(calls)` takes an iterable of keyword arguments, one mapping for each call, and yields a
    `governance.overlap.Streamed` for each, in order: one that fails or is withheld carries its error, and the others go
    on. With both, a call is finished (checked, marked, signed, recorded) while the next one generates. Arguments are read
    when a call's turn comes, and the caller's generators move on when it has generated.

    Raises:
        ConfigurationError: `pipe` is no diffusers pipeline, makes nothing that can be governed, or is governed already.
        ModelError: its class, or that of a part, is code that came with a model.
    """
    original = _wrappable(pipe)
    seal = Seal(original.__name__, governor.refuse)
    defaults = Defaults(principal, purpose, tuple(markets))
    lines: WeakKeyDictionary[DiffusionPipeline, Calls] = WeakKeyDictionary()

    def calls(pipe: DiffusionPipeline) -> Calls:
        """The calls of `pipe`: the pipeline that was wrapped, or a copy of it, which goes down the same line."""
        return lines.setdefault(pipe, Calls(original, governor, defaults, seal)) if pipe not in lines else lines[pipe]

    def governed_call(self: DiffusionPipeline, *args: Any, **keywords: Any) -> Any:
        return calls(self).run(self, args, keywords)

    def submit(self: DiffusionPipeline, *args: Any, **keywords: Any) -> Future[Any]:
        """Call the pipeline beside others; see `governance_adapters.govern`."""
        return calls(self).submit(self, args, keywords)

    def stream(self: DiffusionPipeline, asked: Iterable[Mapping[str, Any]]) -> Iterator[Streamed[Any]]:
        """Call the pipeline for each mapping of keyword arguments; see `governance_adapters.govern`."""
        return calls(self).stream(self, iter(asked))

    governed_call.__doc__ = original.__call__.__doc__
    own = {"__call__": governed_call, "submit": submit, "stream": stream, "governed": True}
    members = {**intercepted(original, Edits(seal, governor)), **own, "__module__": original.__module__}
    seal.close(pipe)
    pipe.__class__ = type(original.__name__, (original,), members)
    return pipe


def _wrappable(pipe: Any) -> type[Any]:
    """The class of `pipe`, which can be governed."""
    if not isinstance(pipe, DiffusionPipeline):
        raise ConfigurationError(
            f"A {type(pipe).__name__} is no diffusers pipeline.", remedy="Pass a DiffusionPipeline."
        )
    original = type(pipe)
    if getattr(original, "governed", False):
        raise ConfigurationError("This pipeline is governed already.", remedy="Use it as it is.")
    if why := refusal(original):
        raise ConfigurationError(
            f"A {original.__name__} cannot be governed: {why}.",
            remedy="Govern a pipeline that makes pictures, videos or sounds, and can be described.",
        )
    refuse_remote_code(pipe)
    if getattr(pipe, "watermark", None) is not None:
        logger.warning("%s embeds a fixed watermark of its own; the governed one takes its place", original.__name__)
    return original
