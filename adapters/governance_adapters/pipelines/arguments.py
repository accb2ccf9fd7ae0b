"""From a diffusers call to a request that policy can see, and back to the keyword arguments that run it.

Texts, sizes, steps, counts, generators, scalars and pictures are understood. Tensors and callbacks are opaque: policy is
told that they are there and decides whether they may be. Everything else - lists of numbers, say - is refused unless it is
the parameter's default: an argument that policy cannot see is not passed on. What is passed on are exact copies, so that
nothing changes between check and call; only a callback is the caller's own.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from diffusers import DiffusionPipeline

from governance.errors import RequestError, UnsupportedArgumentError
from governance.facts import MAX_IMAGES
from governance.types import GenerationRequest, InputImage, OpaqueArgument, Principal, Prompt, PromptKind, Scalar
from governance_adapters.pipelines.generators import CallerGenerators
from governance_adapters.pipelines.images import check_count, hold_images
from governance_adapters.pipelines.opaque import hold_opaque
from governance_adapters.pipelines.sizes import generated_size, whole

OUTPUT_TYPES = ("pil", "np", "pt")
_COUNTS = ("num_images_per_prompt", "batch_size")
_STEPS = "num_inference_steps"
_LINE_ARGUMENTS = frozenset({"generator", "output_type", "return_dict", _STEPS, "width", "height", *_COUNTS})


@dataclass(frozen=True, slots=True)
class BoundArguments:
    """One call, bound: private copies of its arguments, and what it means."""

    keywords: Mapping[str, Any]
    prompts: tuple[Prompt, ...]
    parameters: Mapping[str, Scalar]
    steps: int
    width: int
    height: int
    images: int
    generators: CallerGenerators
    output_type: str
    return_dict: bool
    opaque: tuple[OpaqueArgument, ...] = ()
    inputs: tuple[InputImage, ...] = ()

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
        )


def bind(
    pipe: DiffusionPipeline, call: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> BoundArguments:
    """Bind `args` and `kwargs` to the signature of `call`, the pipeline's own `__call__`.

    numpy scalars become the Python numbers they stand for.

    Raises:
        UnsupportedArgumentError: an argument that policy could not see.
        RequestError: the arguments do not fit the signature, or name no size.
    """
    signature, values = _named(pipe, call, args, kwargs)
    prompts: list[Prompt] = []
    parameters: dict[str, Scalar] = {}
    keywords: dict[str, Any] = {}
    opaque: list[OpaqueArgument] = []
    inputs: list[InputImage] = []
    batch = steps = 1
    for name, value in values.items():
        default = signature.parameters[name].default
        if value is None or name in _LINE_ARGUMENTS:
            keywords[name] = value
        elif "prompt" in name and _is_text(value):
            keywords[name] = value
            texts = [value] if isinstance(value, str) else value
            prompts.extend(_prompts(name, texts))
            batch = max(batch, len(texts))
        elif isinstance(value, (bool, int, float)):
            keywords[name] = parameters[name] = value
        elif _is_default(value, default):
            keywords[name] = deepcopy(default) if type(default) in (list, tuple) else default
        elif (pictures := hold_images(name, value)) is not None:
            keywords[name] = pictures.value
            inputs.extend(pictures.inputs)
        elif (held := hold_opaque(name, value)) is not None:
            keywords[name] = held.value
            opaque.append(held.argument)
            batch, steps = max(batch, held.batch), max(steps, held.steps)
        else:
            raise UnsupportedArgumentError(
                f"The argument {name!r} of type {type(value).__name__} cannot be shown to policy.",
                remedy="Leave it out: texts, numbers, sizes, counts, generators, pictures, tensors and callbacks can be "
                "governed.",
            )
    check_count(len(inputs))
    understood = _bound(pipe, values, keywords, prompts, parameters, batch, tuple(inputs))
    return replace(understood, steps=max(understood.steps, steps), opaque=tuple(opaque))


def _named(
    pipe: DiffusionPipeline, call: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[inspect.Signature, dict[str, Any]]:
    """The signature of `call`, and the value of each of its parameters, defaults included."""
    signature = inspect.signature(call)
    try:
        bound = signature.bind(pipe, *args, **kwargs)
    except TypeError as error:
        raise RequestError(
            f"These arguments do not fit {type(pipe).__name__}: {error}.", remedy="Check the call."
        ) from error
    bound.apply_defaults()
    values = {name: _exact(value) for name, value in list(bound.arguments.items())[1:]}
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD and (unknown := values.pop(name, {})):
            raise UnsupportedArgumentError(
                f"{type(pipe).__name__} does not say what {', '.join(unknown)} would do.",
                remedy="Leave it out: only parameters of the pipeline's own signature can be governed.",
            )
    return signature, values


def _prompts(name: str, texts: Sequence[str]) -> list[Prompt]:
    """The texts of one parameter; empty negative prompts ask for nothing and are left out, the others keep their place."""
    kind = PromptKind.NEGATIVE if "negative" in name else PromptKind.PROMPT
    return [
        Prompt(text, kind, name, position) for position, text in enumerate(texts) if text or kind is PromptKind.PROMPT
    ]


def _bound(
    pipe: DiffusionPipeline,
    values: Mapping[str, Any],
    keywords: dict[str, Any],
    prompts: Sequence[Prompt],
    parameters: dict[str, Scalar],
    batch: int,
    inputs: tuple[InputImage, ...],
) -> BoundArguments:
    output_type = values.get("output_type", "pil")
    if type(output_type) is not str or output_type not in OUTPUT_TYPES:
        raise UnsupportedArgumentError(
            f"output_type={output_type!r} would hand out what no detector has seen.",
            remedy=f"Use one of {', '.join(OUTPUT_TYPES)}.",
        )
    images = batch
    for name in _COUNTS:
        images *= whole(name, 1 if values.get(name) is None else values[name])
    if images > MAX_IMAGES:
        raise RequestError(f"{images} images are too many.", remedy=f"Ask for at most {MAX_IMAGES} a call.")
    generators = CallerGenerators.read(values.get("generator"), images)
    width, height = generated_size(pipe, values, inputs)
    return BoundArguments(
        keywords=keywords,
        prompts=tuple(prompts),
        parameters=parameters,
        steps=_steps(values),
        width=width,
        height=height,
        images=images,
        generators=generators,
        output_type=output_type,
        return_dict=bool(values.get("return_dict", True)),
        inputs=inputs,
    )


def _steps(values: Mapping[str, Any]) -> int:
    """The denoising steps of all stages: some pipelines run a prior of their own, with steps of its own."""
    given = {name: value for name, value in values.items() if name == _STEPS or (name.endswith(_STEPS) and value)}
    return sum(whole(name, value) for name, value in given.items()) or 1


def _exact(value: Any) -> Any:
    """Scalars, texts and plain lists as exact builtin copies: a subclass could say one thing now and another later.

    A subclass of list or tuple stays as it is, which `bind` then refuses.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (int, np.integer)):
        return operator.index(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    if type(value) in (list, tuple):
        copied = [str.__str__(item) if isinstance(item, str) else item for item in value]
        return copied if type(value) is list else tuple(copied)
    return value


def _is_text(value: Any) -> bool:
    """Whether `value` is an exact text, or a list or tuple of them."""
    return type(value) is str or (
        type(value) in (list, tuple) and bool(value) and all(type(item) is str for item in value)
    )


def _is_default(value: Any, default: Any) -> bool:
    """Whether an argument is its parameter's plain default. Identity or equality of plain values, never of tensors."""
    if value is default:
        return True
    return type(value) is type(default) and type(value) in (str, tuple, list) and bool(value == default)
