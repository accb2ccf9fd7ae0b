"""The state of plain Python objects of diffusers and transformers, as canonical JSON: no attribute is left unread."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from transformers import AddedToken

from governance.canonical import Json, canonical_bytes, digest, without_floats
from governance.errors import ModelError

_LIBRARIES = ("diffusers", "transformers", "tokenizers", "sentencepiece")
_OF_THE_PLACE = re.compile(
    r"(_|^)(cache|file|path|init_kwargs|init_input|files_loaded|processor_class|verbose|deprecation_warning|context_manager)s?$"
)
"""Attributes that say where something was loaded from, or how often it was used; not what it does."""
_DEEPEST = 32


def is_of_libraries(value: Any) -> bool:
    """Whether the class of `value` is one that the libraries ship: its name says what it does."""
    return type(value).__module__.partition(".")[0] in _LIBRARIES


def class_of(value: Any) -> str:
    """The name of a class that the libraries ship; of another one with the module that it comes from."""
    kind = type(value)
    return kind.__name__ if is_of_libraries(value) else f"{kind.__module__}.{kind.__qualname__}"


def attributes_of(name: str, value: Any) -> dict[str, Json]:
    """The state of each attribute of `value`, but for those that only say where it was loaded from.

    Raises:
        ModelError: an attribute of a kind that cannot be described.
    """
    return _attributes(name, value, ())


def plain_state(name: str, value: Any) -> Json:
    """The state of `value` as canonical JSON; what is large stands there as its SHA-256.

    Raises:
        ModelError: a kind that cannot be described, or an object that holds itself.
    """
    return _state(name, value, ())


def _state(name: str, value: Any, within: tuple[int, ...]) -> Json:
    if (known := _leaf(value)) is not None or value is None:
        return known
    if len(within) > _DEEPEST or id(value) in within:
        raise indescribable(name, value)
    inner = (*within, id(value))
    if isinstance(value, Mapping):
        return _mapping(name, value, inner)
    if isinstance(value, (list, tuple)):
        return [_state(f"{name}[{index}]", item, inner) for index, item in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return sorted((_state(name, item, inner) for item in value), key=canonical_bytes)
    return _object(name, value, inner)


def _leaf(value: Any) -> Json:
    """The state of what holds nothing else; None for all other things."""
    if isinstance(value, (Enum, torch.dtype, torch.device, re.Pattern)):
        return str(value)
    if isinstance(value, (bool, int, float, str, np.generic)):
        return _scalar(value)
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": digest(bytes(value))}
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return _array(value)
    if isinstance(value, (type, FunctionType, BuiltinFunctionType, MethodType)):
        return f"{value.__module__}.{value.__qualname__}"
    return None


def _object(name: str, value: Any, within: tuple[int, ...]) -> Json:
    if isinstance(value, AddedToken):
        parts = ("content", "single_word", "lstrip", "rstrip", "normalized", "special")
        return {part: getattr(value, part) for part in parts}
    if hasattr(value, "serialized_model_proto"):  # sentencepiece
        return {"model": digest(value.serialized_model_proto())}
    if isinstance(value, torch.nn.Module) or not is_of_libraries(value) or not hasattr(value, "__dict__"):
        raise indescribable(name, value)
    return {"class": class_of(value), "state": _attributes(name, value, within)}


def _attributes(name: str, value: Any, within: tuple[int, ...]) -> dict[str, Json]:
    inner = (*within, id(value))
    return {
        attribute: _state(f"{name}.{attribute}", held, inner)
        for attribute, held in sorted(vars(value).items())
        if not _OF_THE_PLACE.search(attribute)
    }


def _scalar(value: Any) -> Json:
    plain = value.item() if isinstance(value, np.generic) else value
    return str(plain) if isinstance(plain, float) and not math.isfinite(plain) else without_floats(plain)


def _array(value: np.ndarray[Any, Any] | torch.Tensor) -> Json:
    array = (
        value
        if isinstance(value, np.ndarray)
        else value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    )
    return {
        "dtype": str(value.dtype),
        "shape": list(value.shape),
        "sha256": hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest(),
    }


def _mapping(name: str, value: Mapping[Any, Any], within: tuple[int, ...]) -> Json:
    if all(type(key) is str and type(item) is int for key, item in value.items()):  # a vocabulary, which may be large
        return {"table": digest(json.dumps(dict(value), sort_keys=True).encode("utf-8", "surrogatepass"))}
    pairs: list[Json] = [
        [_state(name, key, within), _state(f"{name}[{key!r}]", item, within)] for key, item in value.items()
    ]
    return sorted(pairs, key=canonical_bytes)


def indescribable(name: str, value: Any) -> ModelError:
    """The error for a thing of an unknown kind."""
    return ModelError(
        f"The component {name!r} is a {type(value).__name__}, which cannot be described.",
        remedy="Remove it from the pipeline, or ask for support of its kind.",
    )
