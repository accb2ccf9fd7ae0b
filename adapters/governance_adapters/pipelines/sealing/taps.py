"""Hooks that would see, or change, what a governed call makes before policy does."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
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
        _refuse(pipeline, "every module of this process", getattr(torch_modules, name))
    for module, _ in modules_of(pipe):
        state = module.__dict__
        for hooks in (state.get("_forward_hooks"), state.get("_forward_pre_hooks")):
            if hooks:
                _refuse(pipeline, f"a {type(module).__name__}", hooks)


def _refuse(pipeline: str, where: str, hooks: Mapping[int, Any]) -> None:
    for hook in list(hooks.values()):
        while isinstance(hook, partial):
            hook = hook.func  # noqa: PLW2901 - whose function it is, not what it is bound to
        home = str(getattr(hook, "__module__", None) or type(hook).__module__)
        if home.partition(".")[0] not in _OWN:
            raise SealedError(
                f"A forward hook on {where} would see what the governed {pipeline} makes before anything was decided on.",
                remedy="Remove it for governed calls.",
            )
