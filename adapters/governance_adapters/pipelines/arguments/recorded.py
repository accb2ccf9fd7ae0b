"""The arguments of a call as JSON that `governance replay` reads; `restored` leads back to the arguments.

Scalars, lists, tuples and mappings stand as they are. What is personal or large does not stand there: a text that a person
wrote, an input image and what policy cannot read are named by their places among the request's prompts, inputs and opaque
arguments. So the form holds nothing personal, and what was erased cannot be restored from it.

| value | JSON |
|---|---|
| null, bool, integer within 2^53-1, text that is an option | itself |
| float, other integer | `{"float": "0.5"}`, `{"integer": "9007199254740993"}` |
| list, tuple | `[...]`, `{"tuple": [...]}` |
| mapping | `{"mapping": {...}}`; `{"pairs": [[0, {"float": "0.5"}]]}` where not every key is a text |
| member of an enumeration, dataclass of diffusers | `{"of": "module:Class", "member": "NAME"}`, `{"of": "module:Class", "fields": {...}}` |
| prompt | `{"prompt": 0}` |
| picture | `{"input": 0, "form": "RGB"}`, or `"L"` |
| array of pictures | `{"input": 0, "form": "array", "shape": [2, 64, 64, 3]}`: the pictures from 0 on |
| what policy cannot read | `{"opaque": 0}` |
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Final

from governance.canonical import MAX_SAFE_INTEGER, Json
from governance.errors import UnsupportedArgumentError

LINE_ARGUMENTS: Final = frozenset({"generator", "output_type", "return_dict"})
"""Parameters that the line fills by itself; they are not among the recorded ones."""


@dataclass(frozen=True, slots=True)
class PromptPlace:
    """Where a text stands among the prompts of the request."""

    index: int

    def as_json(self) -> Json:
        """The place, as it is recorded."""
        return {"prompt": self.index}


@dataclass(frozen=True, slots=True)
class PicturePlace:
    """Where a picture stands among the inputs of the request; `grey` where the pipeline gets one channel."""

    index: int
    grey: bool = False

    def as_json(self) -> Json:
        """The place, as it is recorded."""
        return {"input": self.index, "form": "L" if self.grey else "RGB"}


@dataclass(frozen=True, slots=True)
class ArrayPlace:
    """Where the pictures of one array begin among the inputs.

    `shape` is that of the array: (H, W), (H, W, C), (N, H, W, C) or (B, N, H, W, C).
    """

    index: int
    shape: tuple[int, ...]

    def as_json(self) -> Json:
        """The place, as it is recorded."""
        return {"input": self.index, "form": "array", "shape": list(self.shape)}


@dataclass(frozen=True, slots=True)
class OpaquePlace:
    """Where an argument stands among the opaque ones of the request."""

    index: int

    def as_json(self) -> Json:
        """The place, as it is recorded."""
        return {"opaque": self.index}


@dataclass(frozen=True, slots=True)
class Made:
    """A dataclass of diffusers, as one argument: its class, and its fields with places in them."""

    kind: type
    fields: Mapping[str, Any]


Place = PromptPlace | PicturePlace | ArrayPlace | OpaquePlace


def recorded(value: Any) -> Json:
    """The JSON form of one argument: plain values, and places where what stands there is not recorded.

    Raises:
        UnsupportedArgumentError: something else, or a number that is not finite.
    """
    if isinstance(value, Place):
        return value.as_json()
    if isinstance(value, Enum):
        return {"of": _name(type(value)), "member": value.name}
    record = _RECORDED.get(type(value))
    if record is None:
        raise UnsupportedArgumentError(
            f"A {type(value).__name__} cannot be recorded.",
            remedy="Give numbers, texts, and lists or mappings of them.",
        )
    return record(value)


def _integer(value: int) -> Json:
    return value if abs(value) <= MAX_SAFE_INTEGER else {"integer": str(value)}


def _float(value: float) -> Json:
    if not math.isfinite(value):
        raise UnsupportedArgumentError(f"{value} is not a number that can be recorded.", remedy="Use a finite value.")
    return {"float": repr(value)}


def _mapping(value: dict[Any, Any]) -> Json:
    if all(type(name) is str for name in value):
        return {"mapping": {name: recorded(item) for name, item in value.items()}}
    return {"pairs": [[recorded(name), recorded(item)] for name, item in value.items()]}


def _made(value: Made) -> Json:
    return {"of": _name(value.kind), "fields": {name: recorded(item) for name, item in value.fields.items()}}


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


_RECORDED: Final[Mapping[type, Callable[[Any], Json]]] = {
    type(None): lambda _: None,
    bool: bool,
    str: str,
    int: _integer,
    float: _float,
    list: lambda value: [recorded(item) for item in value],
    tuple: lambda value: {"tuple": [recorded(item) for item in value]},
    dict: _mapping,
    Made: _made,
}


def is_own_dataclass(kind: type) -> bool:
    """Whether `kind` is a dataclass of diffusers itself, which pipelines take as an argument, and not one that says it is."""
    module = sys.modules.get(kind.__module__)
    found = getattr(module, kind.__qualname__, None)
    return found is kind and kind.__module__.startswith("diffusers.") and is_dataclass(kind)


def field_names(kind: Any) -> tuple[str, ...]:
    """The names of a dataclass's fields, in order."""
    return tuple(field.name for field in fields(kind))
