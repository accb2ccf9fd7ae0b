"""What a diffusers pipeline is: a digest of every component, its scheduler, its adapters, where and how it runs.

A component is known by the SHA-256 of its class, its configuration and every parameter and buffer in its own dtype.
Weights loaded in another dtype are other weights. Adapters are taken out of the component they sit in and described for
themselves, so that the base model keeps its digest and the adapter and its scales are seen.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import Any

import torch
from diffusers import SchedulerMixin

from governance.canonical import Digest, Json
from governance.errors import ModelError
from governance.types import AdapterFacts, ModelFacts
from governance_adapters.pipelines.compiled import uncompiled
from governance_adapters.pipelines.description.components import component_digest, config_of, content_digest
from governance_adapters.pipelines.description.environment import environment_of
from governance_adapters.pipelines.description.layers import changed_in_place
from governance_adapters.pipelines.description.modules import describe_modules
from governance_adapters.pipelines.description.tokenizer_digests import set_by_calls

_LIBRARIES = ("diffusers", "torch", "transformers")
_SCHEDULER = "scheduler"


def describe(pipe: Any) -> ModelFacts:
    """The facts of `pipe`, a diffusers pipeline, as it stands now.

    Its scheduler is the component of that name, or else the first one of that kind; others are components like any other.
    A pipeline may have none: its class then says all there is to say.

    Raises:
        ModelError: a component of a kind that cannot be described, tensors without data, a merged adapter, or no weights.
    """
    present = components_of(pipe)
    modules = {name: each for name, each in present.items() if isinstance(each, torch.nn.Module)}
    if not modules:
        raise ModelError(
            f"{type(pipe).__name__} has no networks that could be described.",
            remedy="Govern a pipeline that was loaded with from_pretrained.",
        )
    scheduler = _scheduler_of(present)
    described = describe_modules(modules)
    kind: Any = type(pipe)
    left_out = set_by_calls(kind)
    components: dict[str, Digest] = {}
    adapters: list[AdapterFacts] = []
    for name, component in present.items():
        if name in modules:
            components[name] = component_digest(component, described[name].weights)
            adapters.extend(replace(each, name=f"{name}/{each.name}") for each in described[name].adapters)
        elif name != scheduler:
            components[name] = component_digest(component, content_digest(name, component, left_out=left_out))
    device, dtype = _place_of(pipe, modules)
    return ModelFacts(
        pipeline=type(pipe).__name__,
        components=components,
        scheduler=type(present[scheduler]).__name__ if scheduler else "",
        scheduler_config=_scheduler_config(present[scheduler]) if scheduler else {},
        device=str(device),
        dtype=str(dtype).removeprefix("torch."),
        adapters=tuple(adapters),
        versions=dict(_versions()),
        environment=environment_of(pipe, modules, device),
    )


def _scheduler_config(scheduler: SchedulerMixin) -> dict[str, Json]:
    """The configuration, and what was changed on the scheduler since it was made of it."""
    return {**config_of(scheduler), **changed_in_place(scheduler)}


def components_of(pipe: Any) -> dict[str, Any]:
    """The components of `pipe` by name, those that are None left out, and networks that it holds beside them.

    A module that torch compiled stands for the one that was compiled.

    Raises:
        ModelError: the pipeline does not have the components that its class needs, or one that torch compiled names another.
    """
    try:
        registered: dict[str, Any] = dict(pipe.components)
    except (AttributeError, ValueError) as error:
        raise ModelError(
            f"The components of this {type(pipe).__name__} cannot be listed: {str(error).partition(chr(10))[0]}",
            remedy="Register all of them with register_modules().",
        ) from error
    beside = {
        name: value
        for name, value in vars(pipe).items()
        if isinstance(value, (torch.nn.Module, SchedulerMixin)) and name not in registered
    }
    found = {**registered, **beside}
    return {name: uncompiled(name, value) for name, value in found.items() if value is not None}


def _place_of(pipe: Any, modules: dict[str, torch.nn.Module]) -> tuple[torch.device, torch.dtype]:
    """Device and dtype as the pipeline says; of one whose first network does not say, those of its first weight.

    Raises:
        ModelError: there is no weight.
    """
    try:
        return torch.device(pipe.device), pipe.dtype
    except AttributeError:  # diffusers asks the first network, and only its own and transformers' know
        for module in modules.values():
            for weight in module.parameters():
                return weight.device, weight.dtype
        raise ModelError(
            f"The networks of this {type(pipe).__name__} have no weights.",
            remedy="Govern a pipeline that was loaded with from_pretrained.",
        ) from None


def _scheduler_of(components: dict[str, Any]) -> str:
    """The name of the component that is the scheduler; empty without one."""
    if isinstance(components.get(_SCHEDULER), SchedulerMixin):
        return _SCHEDULER
    return next((name for name, each in components.items() if isinstance(each, SchedulerMixin)), "")


@cache
def _versions() -> dict[str, str]:
    return {library: version(library) for library in _LIBRARIES}
