"""Digests of the parts of a pipeline that are no torch modules - tokenizers, processors - and of configurations."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from diffusers import SchedulerMixin
from transformers import FeatureExtractionMixin, ImageProcessingMixin, PreTrainedTokenizerBase, ProcessorMixin

from governance.canonical import Digest, Json, canonical_bytes, digest, without_floats
from governance.errors import GovernanceError, ModelError

_VOLATILE_KEYS = frozenset({"transformers_version", "dtype", "torch_dtype", "architectures"})
"""Configuration keys that differ between library versions for one and the same model."""

_SET_BY_CALLS = ("truncation", "padding")
"""Parts of a tokenizer's state that every call of it sets anew."""

_STATES_KEPT = 8

_tokenizers: WeakKeyDictionary[PreTrainedTokenizerBase, dict[Digest, Digest]] = WeakKeyDictionary()
_lock = threading.Lock()


def component_digest(component: Any, content: Digest) -> Digest:
    """The digest of a component: its class, its configuration, and its content."""
    return digest(
        canonical_bytes({"class": type(component).__name__, "config": config_of(component), "content": content})
    )


def content_digest(name: str, component: Any) -> Digest:
    """The digest of what a component without weights holds beside its configuration.

    A tokenizer holds its whole state, a processor of several parts those parts, other processors and schedulers nothing.

    Raises:
        ModelError: a kind that cannot be described, or one that holds weights out of sight.
    """
    if isinstance(component, PreTrainedTokenizerBase):
        return _tokenizer_digest(name, component)
    if not hasattr(component, "to_dict") and not hasattr(component, "config"):
        raise _indescribable(name, component)
    parts: dict[str, Json] = {}
    may_hold_tables = isinstance(component, SchedulerMixin)  # they follow from its configuration
    for attribute, value in vars(component).items():
        if isinstance(value, (PreTrainedTokenizerBase, ProcessorMixin, ImageProcessingMixin, FeatureExtractionMixin)):
            parts[attribute] = component_digest(value, content_digest(f"{name}.{attribute}", value))
        elif not may_hold_tables and _holds_state(value):
            raise _indescribable(f"{name}.{attribute}", value)
    return digest(canonical_bytes(parts)) if parts else digest(b"")


def config_of(component: Any) -> dict[str, Json]:
    """The configuration that makes a difference: what is volatile between library versions left out.

    Raises:
        ModelError: the configuration holds something that is not plain JSON.
    """
    raw = getattr(component, "config", None)
    if raw is None and hasattr(component, "to_dict"):
        raw = component.to_dict()
    if raw is None or isinstance(component, PreTrainedTokenizerBase):
        return {}
    values: Mapping[str, Any] = raw.to_diff_dict() if hasattr(raw, "to_diff_dict") else dict(raw)
    try:
        return {
            key: without_floats(_with_infinities_as_text(value))
            for key, value in values.items()
            if not key.startswith("_") and key not in _VOLATILE_KEYS
        }
    except GovernanceError as error:
        raise ModelError(
            f"The configuration of {type(component).__name__} cannot be recorded: {error}",
            remedy="Remove values that are not plain JSON from the component's configuration.",
        ) from error


def _with_infinities_as_text(value: Any) -> Any:
    """`value` with infinities and NaN as `inf`, `-inf` and `nan`: schedulers use them for "no limit"."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(float(value))
    if isinstance(value, Mapping):
        return {key: _with_infinities_as_text(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_infinities_as_text(item) for item in value]
    return value


def _holds_state(value: Any) -> bool:
    """Whether an attribute could be weights, or a tokenizer, that no configuration describes."""
    if isinstance(value, Mapping):
        return any(_holds_state(item) for item in value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(_holds_state(item) for item in value)
    kinds = (torch.Tensor, torch.nn.Module, np.ndarray, PreTrainedTokenizerBase, ProcessorMixin)
    return isinstance(value, kinds)


def _indescribable(name: str, component: Any) -> ModelError:
    return ModelError(
        f"The component {name!r} is a {type(component).__name__}, which cannot be described.",
        remedy="Remove it from the pipeline, or ask for support of its kind.",
    )


def _tokenizer_digest(name: str, tokenizer: PreTrainedTokenizerBase) -> Digest:
    """Normaliser, pre-tokenizer, vocabulary, merges and added tokens, and what the Python side adds.

    The whole state is written out and hashed each time; it is parsed again only when it is another state.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(
            f"The tokenizer {name!r} is a {type(tokenizer).__name__} in plain Python, whose state cannot be described.",
            remedy="Load the fast tokenizer of the same model.",
        )
    around = _python_side(tokenizer)
    raw: str = backend.to_str()
    key = digest(canonical_bytes(around) + raw.encode())
    with _lock:
        known = _tokenizers.setdefault(tokenizer, {}).get(key)
    if known is not None:
        return known
    state: dict[str, Any] = json.loads(raw)
    for volatile in _SET_BY_CALLS:
        state.pop(volatile, None)
    described = digest(canonical_bytes({"backend": without_floats(state), "tokenizer": around}))
    with _lock:
        states = _tokenizers.setdefault(tokenizer, {})
        if len(states) >= _STATES_KEPT:
            states.clear()
        states[key] = described
    return described


def _python_side(tokenizer: PreTrainedTokenizerBase) -> dict[str, Json]:
    """What transformers itself adds to the backend's work."""
    special: Any = tokenizer.special_tokens_map
    template = getattr(tokenizer, "chat_template", None)
    return {
        "model_max_length": str(tokenizer.model_max_length),
        "padding_side": str(tokenizer.padding_side),
        "truncation_side": str(tokenizer.truncation_side),
        "split_special_tokens": bool(getattr(tokenizer, "split_special_tokens", False)),
        "input_names": [str(name) for name in tokenizer.model_input_names],
        "special_tokens": {str(kind): str(token) for kind, token in special.items()},
        "chat_template": template if isinstance(template, str) else json.dumps(template, sort_keys=True),
    }
