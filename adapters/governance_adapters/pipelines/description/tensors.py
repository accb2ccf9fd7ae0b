"""The tensors of a module: all of them, how they lie in memory, and the SHA-256 of what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from governance.canonical import Digest, canonical_bytes
from governance.errors import ModelError
from governance_adapters.pipelines.description.checksums import memory_checksum

Tensors: TypeAlias = Sequence[tuple[str, torch.Tensor]]
Content: TypeAlias = tuple[object, ...]
"""How tensors lie in their storages, and the checksum of these."""

_CHUNK = 64 << 20
"""Bytes that are copied from a device at a time."""


def tensors_of(name: str, module: torch.nn.Module) -> Tensors:
    """Parameters and buffers of the component `name`, those that are not saved with it included, by their keys.

    Raises:
        ModelError: state that is no tensor, or a tensor whose bytes are not here or are not what it reads as.
    """
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
        if _keeps_others(tensor):
            raise ModelError(
                f"The tensor {key!r} of {name!r} is a {type(tensor).__name__}, which keeps its weights in other tensors.",
                remedy="Load them as plain dense tensors.",
            )
        if tensor.is_neg() or tensor.is_conj():  # two tensors with the same bytes, and not the same numbers
            raise ModelError(
                f"The tensor {key!r} of {name!r} is negated or conjugated when it is read, which its bytes do not show.",
                remedy="Resolve it with torch.resolve_neg() and torch.resolve_conj() first.",
            )
    return sorted(found.items())


def _keeps_others(tensor: Any) -> bool:
    """Whether a tensor is only the outside of others, as quantised ones are."""
    return is_traceable_wrapper_subclass(tensor)


def content_of(tensors: Tensors) -> Content:
    """What is equal, wherever it lies, for tensors with equal names, layouts and bytes; see `memory_checksum`."""
    storages: dict[int, tuple[int, torch.UntypedStorage]] = {}
    places = []
    for key, tensor in tensors:
        storage = tensor.untyped_storage()
        number, _ = storages.setdefault(storage._cdata, (len(storages), storage))  # noqa: SLF001 - a storage's identity
        places.append((key, tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.storage_offset(), number))
    return (*places, memory_checksum([storage for _, storage in storages.values()]))


def tensors_digest(tensors: Iterable[tuple[str, torch.Tensor]]) -> Digest:
    """SHA-256 over name, dtype, shape and bytes of each tensor, in the order given.

    What is on a device is copied in pieces of 64 MiB; at no time is there a copy of the whole.
    """
    sha = hashlib.sha256()
    for key, tensor in tensors:
        sha.update(canonical_bytes([key, str(tensor.dtype), list(tensor.shape)]))
        for piece in _pieces(tensor):
            sha.update(piece.numpy().data)
    return Digest(sha.hexdigest())


def _pieces(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The bytes of a tensor, row-major, on the host."""
    content = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    if content.device.type == "cpu":
        yield content
        return
    for start in range(0, len(content), _CHUNK):
        yield content[start : start + _CHUNK].cpu()
