"""From the recorded arguments of a call back to the arguments; see `recorded`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import numpy as np
from PIL import Image

from governance.canonical import Json
from governance.errors import RequestError
from governance.types import Pixels
from governance_adapters.pipelines.arguments.recorded import is_own_dataclass


def restored(
    arguments: Mapping[str, Json],
    prompts: Sequence[str | None],
    inputs: Sequence[Pixels | None],
    opaque: Sequence[Any] = (),
) -> dict[str, Any]:
    """The keyword arguments that were recorded as `arguments`, equal to those that the pipeline was given.

    `prompts` are the texts of the request's prompts in their order, `inputs` the pixels of its input images, `opaque` what
    was given for its opaque arguments; None stands for what is not known any more.

    Raises:
        RequestError: an argument needs what is not known, a picture of another size, or has a form that nobody wrote.
    """
    known = _Known(prompts, inputs, opaque)
    return {name: known.restored(name, value) for name, value in arguments.items()}


@dataclass(frozen=True, slots=True)
class _Known:
    """What recorded arguments name by its place."""

    prompts: Sequence[str | None]
    inputs: Sequence[Pixels | None]
    opaque: Sequence[Any]

    def restored(self, name: str, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self.restored(name, item) for item in value]
        if not isinstance(value, Mapping):
            return value
        read = _READ.get(frozenset(value))
        try:
            if read is not None:
                return read(self, name, value)
        except (TypeError, ValueError, AttributeError, KeyError, ImportError):
            pass  # whatever stands there, we did not write it
        raise RequestError(
            f"The recorded argument {name!r} has a form that cannot be read.",
            remedy="Use the version of the software that wrote the record.",
        )

    def text(self, name: str, value: Mapping[str, Any]) -> Any:
        return _known(f"A text of {name!r}", self.prompts, value["prompt"])

    def unread(self, name: str, value: Mapping[str, Any]) -> Any:
        return _known(f"The argument {name!r}, which nobody could read,", self.opaque, value["opaque"])

    def picture(self, name: str, value: Mapping[str, Any]) -> Image.Image:
        pixels = self._pixels(name, value["input"])
        return Image.fromarray(np.ascontiguousarray(pixels[..., 0]) if value["form"] == "L" else pixels)

    def array(self, name: str, value: Mapping[str, Any]) -> Any:
        """float32 from 0 to 1 of the recorded shape."""
        shape = tuple(value["shape"])
        several = len(shape) > 3
        channels = shape[-1] if len(shape) > 2 else 1
        height, width = shape[-3:-1] if several else shape[:2]
        pictures = [
            self._pixels(name, value["input"] + each) for each in range(int(np.prod(shape[:-3])) if several else 1)
        ]
        if any(picture.shape[:2] != (height, width) for picture in pictures):
            raise RequestError(
                f"A picture of {name!r} has another size than the recorded one.", remedy="Give the picture itself."
            )
        levels = np.stack([picture[..., :channels] for picture in pictures]).reshape(shape)
        return levels.astype(np.float32) / 255

    def mapping(self, name: str, value: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self.restored(name, item) for key, item in value["mapping"].items()}

    def pairs(self, name: str, value: Mapping[str, Any]) -> dict[Any, Any]:
        return {self.restored(name, key): self.restored(name, item) for key, item in value["pairs"]}

    def made(self, name: str, value: Mapping[str, Any]) -> Any:
        kind = _kind(value["of"])
        if not is_own_dataclass(kind):
            raise TypeError(kind)
        return kind(**{key: self.restored(name, item) for key, item in value["fields"].items()})

    def _pixels(self, name: str, index: int) -> Pixels:
        pixels: Pixels = _known(f"A picture of {name!r}", self.inputs, index)
        return pixels


def _known(what: str, values: Sequence[Any], index: int) -> Any:
    value = values[index] if 0 <= index < len(values) else None
    if value is None:
        raise RequestError(
            f"{what} is not known any more.", remedy="It was erased or never recorded: give it again, as it was."
        )
    return value


def _member(_: _Known, __: str, value: Mapping[str, Any]) -> Enum:
    kind = _kind(value["of"])
    if not issubclass(kind, Enum):
        raise TypeError(kind)
    return kind[value["member"]]


def _kind(name: str) -> type[Any]:
    """The class of diffusers that was recorded as `module:Class`."""
    module, _, path = name.partition(":")
    if not module.startswith("diffusers."):
        raise ValueError(name)
    kind: Any = getattr(importlib.import_module(module), path)
    if not isinstance(kind, type):
        raise TypeError(name)
    return kind


_READ: Final[Mapping[frozenset[str], Callable[[_Known, str, Mapping[str, Any]], Any]]] = {
    frozenset({"float"}): lambda _, __, value: float(value["float"]),
    frozenset({"integer"}): lambda _, __, value: int(value["integer"]),
    frozenset({"tuple"}): lambda known, name, value: tuple(known.restored(name, item) for item in value["tuple"]),
    frozenset({"mapping"}): _Known.mapping,
    frozenset({"pairs"}): _Known.pairs,
    frozenset({"of", "member"}): _member,
    frozenset({"of", "fields"}): _Known.made,
    frozenset({"prompt"}): _Known.text,
    frozenset({"opaque"}): _Known.unread,
    frozenset({"input", "form"}): _Known.picture,
    frozenset({"input", "form", "shape"}): _Known.array,
}
