"""Digests of torch modules, and of the adapters in them; taken again only when a byte of them changed."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeAlias
from weakref import WeakKeyDictionary

import torch

from governance.canonical import Digest
from governance.errors import ModelError
from governance.types import AdapterFacts
from governance_adapters.pipelines.description.files import FileIdentity, weight_files
from governance_adapters.pipelines.description.loaded_adapters import (
    LoadedAdapter,
    loaded_adapters,
    owner_of,
    owners_of,
)
from governance_adapters.pipelines.description.tensors import Tensors, content_of, tensors_digest, tensors_of

State: TypeAlias = tuple[object, ...]
_FILES_KEPT = 64
"""Digests that are remembered by file; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class DescribedModule:
    """A module's digests, the state of its tensors that they hold for, and its adapters as they are set now.

    Adapters have their names inside the module.
    """

    state: State
    weights: Digest
    adapters: tuple[AdapterFacts, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """A module that was read, and not yet hashed."""

    name: str
    module: torch.nn.Module
    tensors: Tensors
    adapters: Mapping[str, LoadedAdapter]
    owners: Mapping[str, tuple[str, str]]
    state: State

    def facts(self, digests: Mapping[str, Digest]) -> tuple[AdapterFacts, ...]:
        """The adapters with their scales as they are now."""
        return tuple(
            AdapterFacts(name, digests[name], adapter.scale_thousandths, adapter.exact_scales)
            for name, adapter in self.adapters.items()
        )


_described: WeakKeyDictionary[torch.nn.Module, DescribedModule] = WeakKeyDictionary()
_of_files: OrderedDict[FileIdentity, DescribedModule] = OrderedDict()
_lock = threading.Lock()


def describe_modules(modules: Mapping[str, torch.nn.Module]) -> dict[str, DescribedModule]:
    """The digests of components by their names: parameters and buffers, those that are not saved with them included.

    They are remembered for a module, and for the files that it was loaded from as long as these are unchanged. Either way
    they are believed only while names, shapes and layout are the same and `memory_checksum` over every byte is: writes that
    torch does not count, as fusing a LoRA makes them, are seen too. Scales are read anew. Several modules are hashed at
    once.

    Raises:
        ModelError: tensors without data, or an adapter that is merged.
    """
    described: dict[str, DescribedModule] = {}
    unknown: dict[int, _Read] = {}
    for name, module in modules.items():
        read = _read(name, module)
        if (known := _remembered(read)) is not None:
            described[name] = known
        else:
            unknown.setdefault(id(module), read)
    if len(unknown) > 1:
        with ThreadPoolExecutor(min(len(unknown), os.cpu_count() or 1)) as pool:
            hashed = dict(zip(unknown, pool.map(_hashed, unknown.values()), strict=True))
    else:
        hashed = {each: _hashed(read) for each, read in unknown.items()}
    return {name: described.get(name) or hashed[id(module)] for name, module in modules.items()}


def forget() -> None:
    """Forget every digest: the next description takes them all again."""
    with _lock:
        _described.clear()
        _of_files.clear()


def _read(name: str, module: torch.nn.Module) -> _Read:
    tensors, adapters = tensors_of(name, module), loaded_adapters(name, module)
    owners = owners_of(adapters)
    try:
        return _Read(name, module, tensors, adapters, owners, (tuple(owners.items()), content_of(tensors)))
    except (NotImplementedError, RuntimeError) as error:  # how torch says that a tensor has no bytes to read
        raise _unreadable(name, error) from error


def _remembered(read: _Read) -> DescribedModule | None:
    with _lock:
        known = _described.get(read.module)
        if known is None or known.state != read.state:
            known = _of_files.get(weight_files(read.module))
        if known is None or known.state != read.state:
            return None
        facts = read.facts({adapter.name: adapter.digest for adapter in known.adapters})
        if facts != known.adapters:
            known = replace(known, adapters=facts)
        _described[read.module] = known
        return known


def _hashed(read: _Read) -> DescribedModule:
    base: list[tuple[str, torch.Tensor]] = []
    own: dict[str, list[tuple[str, torch.Tensor]]] = {name: [] for name in read.adapters}
    for key, tensor in read.tensors:
        owned = owner_of(key, read.owners) if read.owners else None
        if owned is None:
            base.append((key.replace(".base_layer.", "."), tensor))
        else:
            own[owned[0]].append((owned[1], tensor))
    try:
        weights = tensors_digest(sorted(base, key=lambda item: item[0]))
        # An adapter is the same whatever it is called here: its name stands in no key that is hashed.
        adapters = {name: tensors_digest(sorted(each, key=lambda item: item[0])) for name, each in own.items()}
    except (NotImplementedError, RuntimeError) as error:  # see above
        raise _unreadable(read.name, error) from error
    described = DescribedModule(read.state, weights, read.facts(adapters))
    with _lock:
        _described[read.module] = described
        if files := weight_files(read.module):
            _of_files[files] = described
            _of_files.move_to_end(files)
            while len(_of_files) > _FILES_KEPT:
                _of_files.popitem(last=False)
    return described


def _unreadable(name: str, error: Exception) -> ModelError:
    return ModelError(
        f"The weights of {name!r} cannot be read: {str(error).partition(chr(10))[0]}",
        remedy="Load them as plain dense tensors.",
    )
