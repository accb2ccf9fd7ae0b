"""Hooks that would see, or change, what a governed call makes before policy does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from diffusers import DiffusionPipeline
from torch.nn.modules import module as torch_modules

from governance.errors import SealedError
from governance_adapters.pipelines.sealing.seals import modules_of

_OWN = frozenset({"torch", "accelerate", "diffusers", "transformers", "peft", "governance_adapters"})
"""The libraries whose hooks are part of how a model runs: weight norms, offloading, adapters."""

_EVERYWHERE = ("_global_forward_hooks", "_global_forward_pre_hooks")


def refuse_taps(pipe: DiffusionPipeline) -> None:
    """Refuse forward hooks of anybody but the libraries that run the model, on modules and on all modules at once.

    Raises:
        SealedError: there is one.
    """
    pipeline = type(pipe).__name__
    for name in _EVERYWHERE:
        _refuse(pipeline, "every module of this process", getattr(torch_modules, name).values())
    for module, _ in modules_of(pipe):
        state = module.__dict__
        for hooks in (state.get("_forward_hooks"), state.get("_forward_pre_hooks")):
            if hooks:
                _refuse(pipeline, f"a {type(module).__name__}", hooks.values())
        if around := [*_of_accelerate(state.get("_hf_hook")), *_of_diffusers(state.get("_diffusers_hook"))]:
            _refuse(pipeline, f"a {type(module).__name__}", around)


def _of_accelerate(hook: Any) -> Iterator[Any]:
    """The hook that accelerate keeps on a module, and those that it is made of."""
    if hook is not None:
        yield hook
        for inner in getattr(hook, "hooks", ()):
            yield from _of_accelerate(inner)


def _of_diffusers(registry: Any) -> Iterator[Any]:
    """The hooks in the registry that diffusers keeps on a module."""
    if registry is not None:
        yield registry
        yield from getattr(registry, "hooks", {}).values()


def is_own(code: Any) -> bool:
    """Whether a function, or an object's class, is of the libraries that run the model, and all that a function goes around."""
    known: set[int] = set()
    while code is not None and id(code) not in known:
        known.add(id(code))
        if isinstance(code, (partial, MethodType)):
            code = code.func if isinstance(code, partial) else code.__func__
            continue
        homes = [getattr(code, "__module__", None) or type(code).__module__]
        if isinstance(code, FunctionType):  # what it says of itself may be what it goes around
            homes.append(code.__globals__.get("__name__"))
        if any(str(home).partition(".")[0] not in _OWN for home in homes):
            return False
        code = getattr(code, "__wrapped__", None)
    return True


def _refuse(pipeline: str, where: str, hooks: Iterable[Any]) -> None:
    for hook in list(hooks):
        if not is_own(hook):
            raise SealedError(
                f"A forward hook on {where} would see what the governed {pipeline} makes before anything was decided on.",
                remedy="Remove it for governed calls.",
            )
