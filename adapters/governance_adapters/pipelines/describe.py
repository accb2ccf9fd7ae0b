"""What a diffusers pipeline is: a digest of every component, its scheduler, its adapters, where it runs.

A component is known by the SHA-256 of its class, its configuration and every tensor of its state dict in its own dtype.
Weights loaded in another dtype are other weights. LoRA layers (peft) are taken out of the component they sit in and
described as adapters, so that the base model keeps its digest and the adapter and its scale are seen.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from weakref import WeakKeyDictionary

import torch
from diffusers import SchedulerMixin
from transformers import PreTrainedTokenizerBase

from governance.canonical import Digest, Json, canonical_bytes, digest, without_floats
from governance.errors import GovernanceError, ModelError
from governance.types import AdapterFacts, ModelFacts

_LIBRARIES = ("diffusers", "torch", "transformers")
_VOLATILE_KEYS = frozenset({"transformers_version", "dtype", "torch_dtype", "architectures"})
"""Configuration keys that differ between library versions for one and the same model."""


@dataclass(frozen=True, slots=True)
class _Described:
    """A module's digests, and the state of its tensors that they hold for."""

    state: tuple[tuple[object, ...], ...]
    weights: Digest
    adapters: tuple[AdapterFacts, ...]


_described: WeakKeyDictionary[torch.nn.Module, _Described] = WeakKeyDictionary()
_tokenizers: WeakKeyDictionary[PreTrainedTokenizerBase, tuple[int, Digest]] = WeakKeyDictionary()
_lock = threading.Lock()


def describe(pipe: Any) -> ModelFacts:
    """The facts of `pipe`, a diffusers pipeline, as it stands now.

    Digests are taken again only when a tensor was replaced or changed in place (torch counts in-place changes; writing
    through `.data` or a numpy view is not counted, and not seen here).

    Raises:
        ModelError: a component of a kind that cannot be described, or an adapter with uneven scales.
    """
    components: dict[str, Digest] = {}
    adapters: list[AdapterFacts] = []
    scheduler, scheduler_config = "", {}
    for name, component in pipe.components.items():
        if component is None:
            continue
        if name == "scheduler" and isinstance(component, SchedulerMixin):
            scheduler, scheduler_config = type(component).__name__, _config(component)
        elif isinstance(component, torch.nn.Module):
            described = _describe_module(name, component)
            components[name] = _component_digest(component, described.weights)
            adapters.extend(described.adapters)
        else:
            components[name] = _component_digest(component, _content_digest(name, component))
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


def _describe_module(name: str, module: torch.nn.Module) -> _Described:
    tensors = sorted(module.state_dict().items())
    state = tuple(_tensor_state(key, tensor) for key, tensor in tensors) + tuple(_scales(module))
    with _lock:
        known = _described.get(module)
    if known is not None and known.state == state and not any(tensor.is_inference() for _, tensor in tensors):
        return known
    base = [(key.replace(".base_layer.", "."), tensor) for key, tensor in tensors if _adapter_of(key) is None]
    described = _Described(state, _tensors_digest(sorted(base)), tuple(_describe_adapters(name, module, tensors)))
    with _lock:
        _described[module] = described
    return described


def _tensor_state(key: str, tensor: torch.Tensor) -> tuple[object, ...]:
    counted = 0 if tensor.is_inference() else tensor._version  # noqa: SLF001 - torch's own change counter has no public name
    return key, tensor.data_ptr(), counted, tensor.dtype, tuple(tensor.shape), str(tensor.device)


def _describe_adapters(
    component: str, module: torch.nn.Module, tensors: list[tuple[str, torch.Tensor]]
) -> Iterator[AdapterFacts]:
    scales: dict[str, set[float]] = {}
    for _, adapter, scale in _scales(module):
        scales.setdefault(adapter, set()).add(scale)
    for adapter, values in sorted(scales.items()):
        if len(values) != 1:
            raise ModelError(
                f"The adapter {adapter!r} has {len(values)} different scales inside {component}.",
                remedy="Give an adapter one scale for the whole component.",
            )
        own = [(key, tensor) for key, tensor in tensors if _adapter_of(key) == adapter]
        yield AdapterFacts(f"{component}/{adapter}", _tensors_digest(own), round(values.pop() * 1000))


def _scales(module: torch.nn.Module) -> Iterator[tuple[str, str, float]]:
    """(layer, adapter, scale) of every peft layer; an adapter that is not active counts as scale 0."""
    for name, layer in module.named_modules():
        scaling = getattr(layer, "scaling", None)
        if isinstance(scaling, dict):
            active = getattr(layer, "active_adapters", ())
            merged = getattr(layer, "merged_adapters", ())
            for adapter, scale in sorted(scaling.items()):
                if adapter in merged:
                    raise ModelError(
                        f"The adapter {adapter!r} is merged into {name}.",
                        remedy="Fuse and unload it, and have the fused weights allowed, or unmerge it.",
                    )
                yield name, adapter, float(scale) if adapter in active else 0.0


def _adapter_of(key: str) -> str | None:
    """The adapter a state-dict key belongs to (`...lora_A.<adapter>.weight`), or None for the base model."""
    parts = key.split(".")
    for index, part in enumerate(parts[:-1]):
        if part.startswith("lora_"):
            return parts[index + 1]
    return None


def _tensors_digest(tensors: list[tuple[str, torch.Tensor]]) -> Digest:
    sha = hashlib.sha256()
    for key, tensor in tensors:
        sha.update(canonical_bytes([key, str(tensor.dtype), list(tensor.shape)]))
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        sha.update(raw.numpy().data)
    return Digest(sha.hexdigest())


def _content_digest(name: str, component: Any) -> Digest:
    """The digest of a component without tensors: a tokenizer's whole state; a processor is its configuration alone."""
    if isinstance(component, PreTrainedTokenizerBase):
        return _tokenizer_digest(component)
    if hasattr(component, "to_dict") or hasattr(component, "config"):
        return digest(b"")
    raise ModelError(
        f"The component {name!r} is a {type(component).__name__}, which cannot be described.",
        remedy="Remove it from the pipeline, or ask for support of its kind.",
    )


def _tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> Digest:
    """Vocabulary, merges and added tokens; taken again when the number of tokens changed."""
    tokens = len(tokenizer)
    with _lock:
        known = _tokenizers.get(tokenizer)
    if known is not None and known[0] == tokens:
        return known[1]
    backend = getattr(tokenizer, "backend_tokenizer", None)
    state: dict[str, Any] = json.loads(backend.to_str()) if backend is not None else {"vocab": tokenizer.get_vocab()}
    for key in ("truncation", "padding"):  # set anew by every call of the tokenizer
        state.pop(key, None)
    state["model_max_length"] = int(tokenizer.model_max_length)
    described = digest(canonical_bytes(without_floats(state)))
    with _lock:
        _tokenizers[tokenizer] = (tokens, described)
    return described


def _component_digest(component: Any, content: Digest) -> Digest:
    return digest(
        canonical_bytes({"class": type(component).__name__, "config": _config(component), "content": content})
    )


def _config(component: Any) -> dict[str, Json]:
    """The configuration that makes a difference: what is volatile between library versions left out."""
    raw = getattr(component, "config", None)
    if raw is None and hasattr(component, "to_dict"):
        raw = component.to_dict()
    if raw is None or isinstance(component, PreTrainedTokenizerBase):
        return {}
    values: Mapping[str, Any] = raw.to_diff_dict() if hasattr(raw, "to_diff_dict") else dict(raw)
    try:
        return {
            key: without_floats(value)
            for key, value in values.items()
            if not key.startswith("_") and key not in _VOLATILE_KEYS
        }
    except GovernanceError as error:
        raise ModelError(
            f"The configuration of {type(component).__name__} cannot be recorded: {error}",
            remedy="Remove values that are not plain JSON from the component's configuration.",
        ) from error
