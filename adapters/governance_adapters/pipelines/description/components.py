"""Digests of the parts of a pipeline that are no torch modules - processors, guiders, helpers - and of configurations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import numpy as np
import torch
from diffusers import SchedulerMixin
from diffusers.guiders.guider_utils import BaseGuidance
from transformers import FeatureExtractionMixin, ImageProcessingMixin, PreTrainedTokenizerBase, ProcessorMixin

from governance.canonical import Digest, Json, canonical_bytes, digest, without_floats
from governance.errors import GovernanceError, ModelError
from governance_adapters.pipelines.description.layers import changed_in_place
from governance_adapters.pipelines.description.plain_state import (
    attributes_of,
    class_of,
    indescribable,
    is_of_libraries,
    plain_state,
)
from governance_adapters.pipelines.description.tokenizer_digests import tokenizer_digest

_VOLATILE_KEYS = frozenset({"transformers_version", "dtype", "torch_dtype", "architectures"})
"""Configuration keys that differ between library versions for one and the same model."""

_PROCESSORS = (ProcessorMixin, ImageProcessingMixin, FeatureExtractionMixin)
_DATA = (bool, int, float, str, list, tuple, dict, np.generic)


def component_digest(component: Any, content: Digest) -> Digest:
    """The digest of a component: its class, its configuration, and its content."""
    described: dict[str, Json] = {"class": class_of(component), "config": config_of(component), "content": content}
    if isinstance(component, torch.nn.Module) and getattr(component, "config", None) is None:
        described.update(_inner_configs(component))
    return digest(canonical_bytes(described))


def content_digest(name: str, component: Any, *, left_out: frozenset[str] = frozenset()) -> Digest:
    """The digest of what a component without weights holds beside its configuration.

    A tokenizer holds its whole state, a processor of several parts those parts, a scheduler what was changed on it, a guider whether it
    is switched on, another object of the libraries all of its attributes. Plain data is described as it is.
    `left_out` are the settings of tokenizers that the pipeline's own call sets.

    Raises:
        ModelError: a kind that cannot be described, or one that holds weights out of sight.
    """
    if isinstance(component, PreTrainedTokenizerBase):
        return tokenizer_digest(name, component, left_out=left_out)
    if isinstance(component, _DATA):
        return digest(canonical_bytes(plain_state(name, component)))
    if isinstance(component, SchedulerMixin):  # what it holds follows from its configuration, unless it was changed
        changed = changed_in_place(component)
        return digest(canonical_bytes(changed) if changed else b"")
    if isinstance(component, BaseGuidance):
        return digest(b"") if getattr(component, "_enabled", True) else digest(canonical_bytes({"enabled": False}))
    if hasattr(component, "to_dict") or hasattr(component, "config"):
        parts = dict(_parts(name, component, left_out))
        return digest(canonical_bytes(parts)) if parts else digest(b"")
    if not is_of_libraries(component):
        raise indescribable(name, component)
    return digest(canonical_bytes(attributes_of(name, component)))


def _parts(name: str, component: Any, left_out: frozenset[str]) -> Iterator[tuple[str, Json]]:
    """What a processor holds that its configuration does not describe."""
    for attribute, value in vars(component).items():
        place = f"{name}.{attribute}"
        if isinstance(value, (PreTrainedTokenizerBase, *_PROCESSORS)):
            yield attribute, component_digest(value, content_digest(place, value, left_out=left_out))
        elif isinstance(value, np.ndarray):  # such as the filters of an audio processor
            yield attribute, plain_state(place, value)
        elif _holds_state(value):
            raise indescribable(place, value)


def _inner_configs(module: torch.nn.Module) -> Iterator[tuple[str, Json]]:
    """The configurations and classes of the models in one that has none of its own, such as several control networks."""
    configs: dict[str, Json] = {
        name: {"class": class_of(inner), "config": config_of(inner)}
        for name, inner in module.named_modules()
        if name and getattr(inner, "config", None) is not None
    }
    if configs:
        yield "models", configs


def config_of(component: Any) -> dict[str, Json]:
    """The configuration that makes a difference: what is volatile between library versions left out.

    Raises:
        ModelError: the configuration holds something that is not plain JSON.
    """
    raw = getattr(component, "config", None)
    if raw is None and hasattr(component, "to_dict"):
        raw = component.to_dict()
    if raw is None or isinstance(component, (PreTrainedTokenizerBase, *_DATA)):
        return {}
    values: Mapping[str, Any] = raw.to_diff_dict() if hasattr(raw, "to_diff_dict") else dict(raw)
    try:
        return {
            key: without_floats(_plain(value))
            for key, value in values.items()
            if not key.startswith("_") and key not in _VOLATILE_KEYS
        }
    except GovernanceError as error:
        raise ModelError(
            f"The configuration of {type(component).__name__} cannot be recorded: {error}",
            remedy="Remove values that are not plain JSON from the component's configuration.",
        ) from error


def _plain(value: Any) -> Any:
    """`value` with infinities and NaN as `inf`, `-inf` and `nan`, which schedulers use for "no limit", and kinds as text."""
    if isinstance(value, torch.dtype) or (isinstance(value, Enum) and not isinstance(value, (int, str))):
        return str(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return repr(float(value))
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _holds_state(value: Any) -> bool:
    """Whether an attribute could be weights, or a tokenizer, that no configuration describes."""
    if isinstance(value, Mapping):
        return any(_holds_state(item) for item in value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(_holds_state(item) for item in value)
    kinds = (torch.Tensor, torch.nn.Module, np.ndarray, PreTrainedTokenizerBase, ProcessorMixin)
    return isinstance(value, kinds)
