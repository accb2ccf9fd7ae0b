"""What a diffusers pipeline is: a digest of every component, its scheduler, its adapters, where it runs.

A component is known by the SHA-256 of its class, its configuration and every parameter and buffer in its own dtype.
Weights loaded in another dtype are other weights. LoRA layers (peft) are taken out of the component they sit in and
described as adapters, so that the base model keeps its digest and the adapter and its scale are seen.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import torch
from diffusers import SchedulerMixin

from governance.canonical import Digest
from governance.errors import ModelError
from governance.types import AdapterFacts, ModelFacts
from governance_adapters.pipelines.components import component_digest, config_of, content_digest
from governance_adapters.pipelines.modules import describe_module

_LIBRARIES = ("diffusers", "torch", "transformers")


def describe(pipe: Any) -> ModelFacts:
    """The facts of `pipe`, a diffusers pipeline, as it stands now.

    Raises:
        ModelError: a component of a kind that cannot be described, tensors without data, or an adapter with uneven
            scales.
    """
    components: dict[str, Digest] = {}
    adapters: list[AdapterFacts] = []
    scheduler, scheduler_config = "", {}
    for name, component in pipe.components.items():
        if component is None:
            continue
        if name == "scheduler" and isinstance(component, SchedulerMixin):
            scheduler, scheduler_config = type(component).__name__, config_of(component)
        elif isinstance(component, torch.nn.Module):
            described = describe_module(name, component)
            components[name] = component_digest(component, described.weights)
            adapters.extend(described.adapters)
        else:
            components[name] = component_digest(component, content_digest(name, component))
    if not components or not scheduler:
        raise ModelError(
            f"{type(pipe).__name__} has no components or no scheduler that could be described.",
            remedy="Govern a pipeline that was loaded with from_pretrained.",
        )
    return ModelFacts(
        pipeline=type(pipe).__name__,
        components=components,
        scheduler=scheduler,
        scheduler_config=scheduler_config,
        device=str(pipe.device),
        dtype=str(pipe.dtype).removeprefix("torch."),
        adapters=tuple(adapters),
        versions={library: version(library) for library in _LIBRARIES},
    )
