"""How one module computes, as far as neither its weights nor its configuration say: what callers switch and hang on it."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any

import torch
from diffusers import ModelMixin

from governance.canonical import Json
from governance_adapters.pipelines.description.layers import layers_digest
from governance_adapters.pipelines.description.plain_state import class_of

_OURS = "governance_adapters."
_OF_NO_EFFECT = (_OURS, "transformers.utils.output_capturing.")
"""Where hooks come from that change nothing: our seals, and what transformers hangs on its models when they first run."""
_FREE_U = ("s1", "s2", "b1", "b2")
_PLANAR = (4, 5)
"""Dimensions of weights for pictures and for clips."""


def computation_of(module: torch.nn.Module) -> dict[str, Json]:
    """How `module`, a component, computes; what is as it usually is does not stand there.

    - `dtypes`: of its floating parameters, with how many there are of each;
    - `attention`: the attention processors with how many layers have them, and the implementation that transformers chose;
    - `layers`: the SHA-256 of the classes of its layers and their plain constants, such as the scale of an attention;
    - `flags`: tiling, slicing and the other public switches of a diffusers model, and FreeU's factors;
    - `memory_format`, `training`, `compiled`, `hooks`: where they are not the usual.
    """
    parts = list(module.named_modules())
    found: dict[str, Json] = {"dtypes": _counted(_dtypes(module)), "attention": _counted(_attention(module, parts))}
    found["layers"] = layers_digest(parts)
    optional = {
        "flags": dict(_flags(module, parts)),
        "hooks": _counted(_hooks(parts)),
        "training": sum(part.training for _, part in parts),
        "memory_format": _counted(_unusual_formats(module)),
        "compiled": sum(vars(part).get("_compiled_call_impl") is not None for _, part in parts),
    }
    return {**found, **{name: value for name, value in optional.items() if value}}


def _counted(names: Iterator[str]) -> dict[str, Json]:
    return dict(sorted(Counter(names).items()))


def _dtypes(module: torch.nn.Module) -> Iterator[str]:
    return (str(each.dtype).removeprefix("torch.") for each in module.parameters() if each.is_floating_point())


def _attention(module: torch.nn.Module, parts: list[tuple[str, torch.nn.Module]]) -> Iterator[str]:
    implementation = getattr(getattr(module, "config", None), "_attn_implementation", None)
    if isinstance(implementation, str):
        yield implementation
    for _, part in parts:
        held = vars(part)
        processor = held.get("processor") or held["_modules"].get("processor")
        if processor is not None and hasattr(type(part), "set_processor"):
            switches = {
                name: value for name, value in vars(processor).items() if _is_switch(value) and name != "training"
            }
            backend = getattr(processor, "_attention_backend", None)
            if backend is not None:
                switches["_attention_backend"] = str(getattr(backend, "value", backend))
            said = ", ".join(f"{name}={value!r}" for name, value in sorted(switches.items()))
            yield f"{class_of(processor)}({said})" if said else class_of(processor)


def _flags(module: torch.nn.Module, parts: list[tuple[str, torch.nn.Module]]) -> Iterator[tuple[str, Json]]:
    if isinstance(module, ModelMixin):
        for name, value in vars(module).items():
            if not name.startswith("_") and name != "training" and _is_switch(value):
                yield name, repr(value) if isinstance(value, float) else value
    for place, part in parts:
        held = vars(part)
        for name in _FREE_U:
            if isinstance(value := held.get(name), (int, float)):
                yield f"{place}.{name}", repr(float(value))


def _is_switch(value: object) -> bool:
    return isinstance(value, (bool, int, float))


def _hooks(parts: list[tuple[str, torch.nn.Module]]) -> Iterator[str]:
    """What somebody hung on a part of the module that runs with it; the sealing is ours, and changes nothing."""
    for _, part in parts:
        held = vars(part)
        for hook in (*held["_forward_pre_hooks"].values(), *held["_forward_hooks"].values()):
            yield from _named(hook)
        if "forward" in held:
            yield from _named(held["forward"])
        yield from (f"diffusers:{name}" for name in getattr(held.get("_diffusers_hook"), "hooks", ()))
        if (accelerate := held.get("_hf_hook")) is not None:
            yield f"accelerate:{type(accelerate).__name__}"


def _named(hook: Any) -> Iterator[str]:
    """What a hook is called; of one of ours, what it wraps."""
    held: tuple[Any, ...] = ()
    while isinstance(hook, functools.partial):
        held, hook = (*held, *hook.args), hook.func
    known = hook if hasattr(hook, "__qualname__") else type(hook)
    name = f"{known.__module__}.{known.__qualname__}"
    if not name.startswith(_OF_NO_EFFECT):
        yield name
        return
    for wrapped in held if name.startswith(_OURS) else ():
        if isinstance(wrapped, (FunctionType, MethodType, functools.partial)):
            yield from _named(wrapped)


def _unusual_formats(module: torch.nn.Module) -> Iterator[str]:
    """The memory formats of weights for pictures and clips that do not lie row by row."""
    for parameter in module.parameters():
        if parameter.dim() in _PLANAR and not parameter.is_contiguous():
            planar = torch.channels_last if parameter.dim() == min(_PLANAR) else torch.channels_last_3d
            yield "channels_last" if parameter.is_contiguous(memory_format=planar) else "strided"
