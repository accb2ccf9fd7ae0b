"""Any diffusers pipeline that makes images, governed: its own call keeps working, and nothing leaves it ungoverned."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import DiffusionPipeline

from governance.assets import GovernedResult
from governance.errors import ConfigurationError, GenerationError, GovernanceError, RequestError, WithheldError
from governance.governor import Governor
from governance.types import Draft, GenerationRequest, ModelFacts, Principal, new_id
from governance_adapters.pipelines.arguments import BoundArguments, bind
from governance_adapters.pipelines.describe import describe
from governance_adapters.pipelines.output import flags_of, governed_output, makes_images, named_output_class, pixels_of

logger = logging.getLogger(__name__)


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


def wrap(
    pipe: DiffusionPipeline, governor: Governor, principal: Principal, purpose: str, markets: Sequence[str] = ()
) -> DiffusionPipeline:
    """Govern `pipe` itself: its class becomes a subclass whose call runs down the line.

    Every reference to `pipe` is governed from here on; `isinstance` and the class name stay what they were. The call
    takes the pipeline's own arguments and five more:

    - `principal`: who asks this time, a Principal, or a text: an asserted id. Without it the one given here asks.
    - `roles`: the roles of a `principal` given as text, a list or tuple of texts. Another person never inherits the
      roles of the principal given here: without `roles` they have none.
    - `purpose`: what for, this time.
    - `markets`: where the images of this call will be used, a list or tuple of the policy's names; none means everywhere.
    - `request_id`: the idempotency key; a fresh one each call without it.

    The caller's generators move on when the pipeline ran and every item was decided on. After a failure, and for a
    recorded result, they are where they were, so that trying again is the same request.

    Raises:
        ConfigurationError: `pipe` is no diffusers pipeline, makes no images, or is governed already.
    """
    original = _wrappable(pipe)
    own_call = original.__call__
    running, holder = threading.Lock(), set[int]()
    output_classes = [named_output_class(original)]

    def governed_call(
        self: DiffusionPipeline,
        *args: Any,
        principal: str | Principal = principal,
        roles: Sequence[str] | None = None,
        purpose: str = purpose,
        markets: Sequence[str] = markets,
        request_id: str | None = None,
        **kwargs: Any,
    ) -> Any:
        if threading.get_ident() in holder:  # a callback does that; it would wait for itself
            nested = RequestError(
                f"This {original.__name__} is called from within its own call.", remedy="Call it when it has returned."
            )
            governor.refuse(nested)
            raise nested
        with _turn(running, holder):
            _drop_fixed_mark(self)
            try:
                who = _principal(principal, roles)
                where = market_names(markets)
                arguments = bind(self, own_call, args, kwargs)
            except (ConfigurationError, RequestError) as error:
                governor.refuse(error)
                raise
            bound = BoundPipeline(self, own_call, arguments)
            request = arguments.request(request_id or new_id(), who, purpose, original.__name__, where)
            result = _generate(governor, request, bound)
            output_classes[0] = bound.output_class or output_classes[0]
        decoded = [
            None if item.asset is None else governor.parts.encoder.decode(item.asset.content) for item in result.items
        ]
        return governed_output(
            output_classes[0],
            bound.flags,
            result,
            decoded,
            arguments.output_type,
            return_dict=arguments.return_dict,
        )

    governed_call.__doc__ = own_call.__doc__
    governed = type(
        original.__name__,
        (original,),
        {"__call__": torch.no_grad()(governed_call), "__module__": original.__module__, "governed": True},
    )
    pipe.__class__ = governed
    return pipe


@contextmanager
def _turn(running: threading.Lock, holder: set[int]) -> Iterator[None]:
    """Schedulers and generators keep state: one pipeline binds, judges and makes one batch at a time.

    `holder` has the thread whose turn it is.
    """
    with running:
        try:
            holder.add(threading.get_ident())
            yield
        finally:
            holder.clear()


def _wrappable(pipe: Any) -> type[Any]:
    """The class of `pipe`, which can be governed."""
    if not isinstance(pipe, DiffusionPipeline):
        raise ConfigurationError(
            f"A {type(pipe).__name__} is no diffusers pipeline.", remedy="Pass a DiffusionPipeline."
        )
    original = type(pipe)
    if getattr(original, "governed", False):
        raise ConfigurationError("This pipeline is governed already.", remedy="Use it as it is.")
    for name in ("generator", "output_type"):
        if name not in inspect.signature(original.__call__).parameters:
            raise ConfigurationError(
                f"{original.__name__} takes no {name!r}, so what it makes cannot be described or checked.",
                remedy="Govern a pipeline that makes images.",
            )
    if getattr(pipe, "watermark", None) is not None:
        logger.warning("%s embeds a fixed watermark of its own; the governed one takes its place", original.__name__)
    return original


def _generate(governor: Governor, request: GenerationRequest, bound: BoundPipeline) -> GovernedResult:
    """Run down the line, and move the caller's generators on if every draft was decided on."""
    try:
        result = governor.generate(request, bound)
    except WithheldError:
        bound.advance_generators()
        raise
    bound.advance_generators()
    return result


def _principal(principal: Any, roles: Any) -> Principal:
    """Who asks this time.

    Raises:
        ConfigurationError: neither a text nor a Principal, roles that are no list of texts, or roles twice.
    """
    if roles is not None and (not isinstance(roles, (list, tuple)) or not all(isinstance(role, str) for role in roles)):
        raise ConfigurationError(f"roles={roles!r} is no list of texts.", remedy='Write roles=("designer",).')
    if isinstance(principal, str):
        return Principal(str.__str__(principal), tuple(str.__str__(role) for role in roles or ()))
    if not isinstance(principal, Principal):
        raise ConfigurationError(
            f"principal= takes a text or a Principal, not a {type(principal).__name__}.", remedy="Say who asks."
        )
    if roles is not None:
        raise ConfigurationError(
            "roles= goes with a principal= given as text; a Principal has roles of its own.",
            remedy="Pass a Principal with these roles, or the principal's id as text.",
        )
    return principal


def market_names(markets: Any) -> tuple[str, ...]:
    """Names of markets as exact texts, each once, in order.

    Raises:
        ConfigurationError: it is no list or tuple of texts.
    """
    if not isinstance(markets, (list, tuple)) or not all(isinstance(market, str) for market in markets):
        raise ConfigurationError(f"markets={markets!r} is no list of texts.", remedy='Write markets=("EU",).')
    return tuple(sorted({str.__str__(market) for market in markets}))


def _drop_fixed_mark(pipe: Any) -> None:
    """SDXL pipelines embed the same 48 bits in every image when they can; ours takes that mark's place."""
    if getattr(pipe, "watermark", None) is not None:
        pipe.watermark = None
