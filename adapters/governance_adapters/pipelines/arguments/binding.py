"""From a diffusers call to a request that policy can see, and to the keyword arguments that run it.

Each argument of the call is taken by `taking`: numbers and options become facts, texts prompts, pictures inputs, and of
tensors and callbacks policy is told that they are there. An argument that policy cannot see is refused. What is passed on are
exact copies, so that nothing changes between check and call.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from diffusers import DiffusionPipeline

from governance.canonical import Json
from governance.errors import RequestError, UnsupportedArgumentError
from governance.types import GenerationRequest, InputImage, MediaKind, OpaqueArgument, Parameter, Principal, Prompt
from governance_adapters.pipelines.arguments.counts import (
    BATCH_SIZE,
    FRAME_COUNT,
    PER_PROMPT,
    STEPS,
    counted_frames,
    counted_images,
    counted_steps,
    repeated_passes,
)
from governance_adapters.pipelines.arguments.generators import CallerGenerators
from governance_adapters.pipelines.arguments.held_texts import held_texts
from governance_adapters.pipelines.arguments.recorded import LINE_ARGUMENTS, recorded
from governance_adapters.pipelines.arguments.rewriting import refuse_rewriting
from governance_adapters.pipelines.arguments.sizes import SIZE, generated_size
from governance_adapters.pipelines.arguments.takes import Takes, taken_by
from governance_adapters.pipelines.arguments.taking import Taken, Taking, exact
from governance_adapters.pipelines.kinds import output_kind

OUTPUT_TYPES: Final = ("pil", "np", "pt")
FRAME_RATE: Final = "frames_per_second"
"""Our own argument for pipelines that take no frame rate."""
OWN_ARGUMENTS: Final = (SIZE, FRAME_COUNT, FRAME_RATE)
"""What a call says of its output beside the pipeline's own arguments, where the pipeline does not."""
_FACTS_ALREADY: Final = frozenset({STEPS, "width", "height", "frames", BATCH_SIZE, *PER_PROMPT, *LINE_ARGUMENTS})
"""Arguments that are facts of their own, or of the line, so that they are not among the parameters."""


@dataclass(frozen=True, slots=True)
class BoundArguments:
    """One call, bound: private copies of its arguments, and what it means.

    `width` and `height` are pixels, `frames` those of each video: what it makes at most. `arguments` is the call as it was
    filled, for the record.
    """

    keywords: Mapping[str, Any]
    prompts: tuple[Prompt, ...]
    parameters: Mapping[str, Parameter]
    steps: int
    width: int
    height: int
    images: int
    generators: CallerGenerators
    output_type: str
    return_dict: bool
    opaque: tuple[OpaqueArgument, ...] = ()
    inputs: tuple[InputImage, ...] = ()
    media: tuple[MediaKind, ...] = (MediaKind.IMAGE,)
    frames: int = 1
    arguments: Mapping[str, Json] = field(default_factory=dict)

    def request(
        self, request_id: str, principal: Principal, purpose: str, model: str, markets: Sequence[str] = ()
    ) -> GenerationRequest:
        """The call as a request."""
        seeds = self.generators.seeds
        return GenerationRequest(
            id=request_id,
            principal=principal,
            purpose=purpose,
            prompts=self.prompts,
            steps=self.steps,
            width=self.width,
            height=self.height,
            images=self.images,
            model=model,
            inputs=self.inputs,
            parameters=self.parameters,
            seeds=seeds * (self.images if len(seeds) == 1 else 1),
            generators=self.generators.recorded,
            markets=tuple(markets),
            opaque=self.opaque,
            media=self.media,
            frames=self.frames,
            arguments=self.arguments,
        )


def bind(
    pipe: DiffusionPipeline, call: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> BoundArguments:
    """Bind `args` and `kwargs` to the signature of `call`, the pipeline's own `__call__`.

    Beside the pipeline's own arguments, `kwargs` may have ours: `size`, `frame_count` and `frames_per_second`, unless the
    pipeline has arguments of these names. numpy scalars become the Python numbers they stand for.

    Raises:
        UnsupportedArgumentError: an argument that policy could not see, or one that has the prompt rewritten.
        RequestError: the arguments do not fit the signature, or nothing says how large what they make is.
    """
    signature = inspect.signature(call)
    takes = taken_by(signature)
    own = {name: kwargs[name] for name in OWN_ARGUMENTS if name in kwargs and name not in takes}
    given = _given(pipe, signature, args, {name: value for name, value in kwargs.items() if name not in own})
    taking = Taking()
    taken = {name: _taken(taking, takes[name], value) for name, value in given.items()}
    taken |= {name: taking.take(Takes.of(_own_parameter(name)), value) for name, value in own.items()}
    keywords = {name: taken[name].value for name in given}
    defaults = {name: each.default for name, each in takes.items() if name not in given}
    return _bound(pipe, taking, taken, keywords, defaults)


def _bound(
    pipe: DiffusionPipeline,
    taking: Taking,
    taken: Mapping[str, Taken],
    keywords: dict[str, Any],
    defaults: Mapping[str, Any],
) -> BoundArguments:
    """What the call means. `keywords` are those given, `defaults` what the others are."""
    for name, default in defaults.items():
        if isinstance(default, (bool, int, float)):
            taking.take(Takes.of(_own_parameter(name)), default)
    values = {**defaults, **keywords}
    refuse_rewriting(type(pipe).__name__, values)
    said = {name: taken[name].value for name in OWN_ARGUMENTS if name in taken and name not in values}
    kind = output_kind(type(pipe))
    media = (MediaKind.IMAGE,) if kind is None else kind.media
    images = counted_images(values)
    on_pipeline, settings = held_texts(pipe)
    seen = MediaKind.AUDIO not in media or len(media) > 1
    width, height = generated_size(pipe, values, taking.inputs, said.get(SIZE)) if seen else (1, 1)
    return BoundArguments(
        keywords={**{name: deepcopy(default) for name, default in defaults.items()}, **keywords},
        prompts=(*taking.prompts, *on_pipeline),
        parameters={
            **{name: value for name, value in taking.parameters.items() if name not in _FACTS_ALREADY},
            **settings,
        },
        steps=counted_steps(values) * repeated_passes(pipe),
        width=width,
        height=height,
        images=images,
        generators=CallerGenerators.read(values.get("generator"), images),
        output_type=_output_type(values),
        return_dict=bool(values.get("return_dict", True)),
        opaque=tuple(taking.opaque),
        inputs=tuple(taking.inputs),
        media=media,
        frames=counted_frames(pipe, values, taking.inputs, said.get(FRAME_COUNT)) if MediaKind.VIDEO in media else 1,
        arguments={name: recorded(each.place) for name, each in taken.items() if name not in LINE_ARGUMENTS},
    )


def _given(
    pipe: DiffusionPipeline, signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments that were given, by name."""
    try:
        bound = signature.bind(pipe, *args, **kwargs)
    except TypeError as error:
        raise RequestError(
            f"These arguments do not fit {type(pipe).__name__}: {error}.", remedy="Check the call."
        ) from error
    values = dict(list(bound.arguments.items())[1:])
    for name, parameter in signature.parameters.items():
        variadic = parameter.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        if variadic and (unknown := values.pop(name, None)):
            raise UnsupportedArgumentError(
                f"{type(pipe).__name__} does not say what {', '.join(map(str, unknown))} would do.",
                remedy="Leave it out: only parameters of the pipeline's own signature can be governed.",
            )
    return values


def _taken(taking: Taking, takes: Takes, value: Any) -> Taken:
    if takes.name in LINE_ARGUMENTS:
        return Taken(
            exact(value) if isinstance(value, str) else value, None
        )  # the line fills these, or runs clones of them
    if _is_default(value, takes.default):
        copy = deepcopy(takes.default)
        if isinstance(copy, (bool, int, float)):
            taking.take(takes, copy)
        return Taken(copy, copy)
    return taking.take(takes, value)


def _own_parameter(name: str) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)


def _output_type(values: Mapping[str, Any]) -> str:
    output_type = values.get("output_type", OUTPUT_TYPES[0])
    if type(output_type) is not str or output_type not in OUTPUT_TYPES:
        raise UnsupportedArgumentError(
            f"output_type={output_type!r} would hand out what no detector has seen.",
            remedy=f"Use one of {', '.join(OUTPUT_TYPES)}.",
        )
    return output_type


def _is_default(value: Any, default: Any) -> bool:
    """Whether an argument is its parameter's plain default: the same object, or plain values all equal."""
    if value is default:
        return True
    if type(value) is not type(default):
        return False
    if type(value) in (list, tuple):
        return len(value) == len(default) and all(map(_is_default, value, default))
    if type(value) is dict:
        return value.keys() == default.keys() and all(_is_default(value[name], default[name]) for name in default)
    return type(value) in (str, int, float, bool) and bool(value == default)
