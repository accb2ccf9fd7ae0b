"""Digests of torch modules, and of the LoRA layers in them; taken again only when a tensor changed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from governance.canonical import Digest, canonical_bytes
from governance.errors import ModelError
from governance.types import AdapterFacts

Tensors: TypeAlias = list[tuple[str, torch.Tensor]]
_WORD = 8
_storage_reference: Any = StorageWeakRef


@dataclass(frozen=True, slots=True)
class DescribedModule:
    """A module's digests, and the state of its tensors that they hold for."""

    state: tuple[object, ...]
    weights: Digest
    adapters: tuple[AdapterFacts, ...]


_described: WeakKeyDictionary[torch.nn.Module, DescribedModule] = WeakKeyDictionary()
_lock = threading.Lock()


def describe_module(name: str, module: torch.nn.Module) -> DescribedModule:
    """The digests of the component `name`: parameters and buffers, those that are not saved with it included.

    They are remembered for as long as every tensor has the same living storage, the same count of in-place changes and
    the same checksum over all of its bytes. The checksum (a wrapping sum of 64-bit words) is for writes that torch does
    not count, those through `.data`, such as fusing a LoRA; one that happens to keep the sum is not seen.

    Raises:
        ModelError: tensors without data, or an adapter that is merged or has uneven scales.
    """
    tensors = _tensors(name, module)
    try:
        state = (*_states(tensors), *_scales(module))
        with _lock:
            known = _described.get(module)
        if known is not None and known.state == state and not any(tensor.is_inference() for _, tensor in tensors):
            return known
        base = [(key.replace(".base_layer.", "."), tensor) for key, tensor in tensors if _adapter_of(key) is None]
        adapters = tuple(_describe_adapters(name, module, tensors))
        described = DescribedModule(state, _tensors_digest(sorted(base, key=lambda item: item[0])), adapters)
    except (NotImplementedError, RuntimeError) as error:  # how torch says that a tensor has no bytes to read
        raise ModelError(
            f"The weights of {name!r} cannot be read: {str(error).partition(chr(10))[0]}",
            remedy="Load them as plain dense tensors.",
        ) from error
    with _lock:
        _described[module] = described
    return described


def _tensors(name: str, module: torch.nn.Module) -> Tensors:
    found: dict[str, Any] = {**dict(module.named_buffers(remove_duplicate=False)), **module.state_dict()}
    for key, tensor in found.items():
        if not isinstance(tensor, torch.Tensor):
            raise ModelError(
                f"The state {key!r} of {name!r} is a {type(tensor).__name__}, not a tensor.",
                remedy="Use weights without extra state.",
            )
        if tensor.device.type == "meta":
            raise ModelError(
                f"The tensor {key!r} of {name!r} has no data here (sequential offloading, or never loaded).",
                remedy="Load the weights, and offload whole models with enable_model_cpu_offload() if memory is short.",
            )
    return sorted(found.items())


def _states(tensors: Tensors) -> Iterator[object]:
    """What shows that a tensor is still the one that was hashed.

    A weak reference keeps the storage's identity from being given to another, as an address would be.
    """
    storages = {}
    for key, tensor in tensors:
        storage = tensor.untyped_storage()
        reference = _storage_reference(storage)
        storages[reference.cdata] = storage
        counted = 0 if tensor.is_inference() else tensor._version  # noqa: SLF001 - torch's own change counter has no public name
        place = (tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.storage_offset(), str(tensor.device))
        yield key, reference, counted, place
    yield tuple(_checksums(list(storages.values())))


def _checksums(storages: list[torch.UntypedStorage]) -> Iterator[int]:
    """The wrapping sum of the 64-bit words of each storage, and of its last few bytes. One transfer per device."""
    sums: dict[torch.device, list[torch.Tensor]] = {}
    for storage in storages:
        content = torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)
        whole = content.numel() // _WORD * _WORD
        sums.setdefault(storage.device, []).extend(
            (content[:whole].view(torch.int64).sum(), content[whole:].sum(dtype=torch.int64))
        )
    for of_device in sums.values():
        yield from torch.stack(of_device).tolist()


def _describe_adapters(component: str, module: torch.nn.Module, tensors: Tensors) -> Iterator[AdapterFacts]:
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


def _tensors_digest(tensors: Tensors) -> Digest:
    sha = hashlib.sha256()
    for key, tensor in tensors:
        sha.update(canonical_bytes([key, str(tensor.dtype), list(tensor.shape)]))
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        sha.update(raw.numpy().data)
    return Digest(sha.hexdigest())
