"""The arguments of one call, taken one by one: a private copy for the pipeline, and what policy and record are told of it.

Every leaf of an argument ends in one place: a number or an option among the parameters, a text among the prompts, a picture
among the inputs, a tensor, an array or a callback among what policy cannot read. What fits nowhere is refused. What is passed
on are exact copies, so that nothing changes between check and call; only a callback is the caller's own.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from inspect import Signature
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from governance.errors import RequestError, UnsupportedArgumentError
from governance.types import InputImage, OpaqueArgument, OpaqueKind, Parameter, Prompt, PromptKind
from governance_adapters.pipelines.arguments.images import check_count, hold_images
from governance_adapters.pipelines.arguments.opaque import HeldArgument, are_tensors, hold_callback, hold_tensors
from governance_adapters.pipelines.arguments.recorded import (
    Made,
    OpaquePlace,
    PromptPlace,
    field_names,
    is_own_dataclass,
)
from governance_adapters.pipelines.arguments.takes import Takes, opaque_kind, shows

MAX_NESTED: Final = 8
"""The most lists, tuples, mappings and dataclasses within each other."""
MAX_LEAVES: Final = 10_000
"""The most values of one call, however they are nested."""
MAX_KEY: Final = 64
"""The most characters of a key of a mapping."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One argument: the private copy that the pipeline gets, and the same with places in it for the record."""

    value: Any
    place: Any


@dataclass(frozen=True, slots=True)
class _Path:
    """Where a value stands: its parameter, the keys that lead to it, whether it is one of several, and how deep."""

    takes: Takes
    keys: tuple[str, ...] = ()
    listed: bool = False
    depth: int = 0

    @property
    def name(self) -> str:
        """The parameter, and the keys after dots: `attention_kwargs.scale`."""
        return ".".join((self.takes.name, *self.keys))

    @property
    def last(self) -> str:
        """The name that says what the value is: the last key, or the parameter."""
        return self.keys[-1] if self.keys else self.takes.name

    def into(self, key: str | None = None) -> _Path:
        """The path of a part; of a list's, without a key."""
        if self.depth >= MAX_NESTED:
            raise UnsupportedArgumentError(
                f"The argument {self.takes.name!r} is nested more than {MAX_NESTED} deep.", remedy="Give a flatter one."
            )
        if key is None:
            return replace(self, listed=True, depth=self.depth + 1)
        return replace(self, keys=(*self.keys, key), depth=self.depth + 1)


@dataclass
class Taking:
    """Takes the arguments of one call; what it found stands in its fields, in the order in which it was found."""

    prompts: list[Prompt] = field(default_factory=list)
    inputs: list[InputImage] = field(default_factory=list)
    opaque: list[OpaqueArgument] = field(default_factory=list)
    _numbers: dict[str, list[bool | int | float | str]] = field(default_factory=dict)
    _single: set[str] = field(default_factory=set)
    _off: list[str] = field(default_factory=list)
    _texts: dict[str, int] = field(default_factory=dict)
    _leaves: int = 0

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Numbers and options by name: one alone as itself, several in a tuple."""
        found: dict[str, Parameter] = dict.fromkeys(self._off)
        for name, numbers in self._numbers.items():
            found[name] = numbers[0] if name in self._single and len(numbers) == 1 else tuple(numbers)
        return found

    def take(self, takes: Takes, value: Any) -> Taken:
        """The argument `value` of the parameter that takes `takes`.

        Raises:
            UnsupportedArgumentError: policy could not see it, or it has no exact copy.
            RequestError: a picture that cannot be read, or too much of something.
        """
        return self._take(_Path(takes), value)

    def _take(self, path: _Path, value: Any) -> Taken:
        self._leaves += 1
        if self._leaves > MAX_LEAVES:
            raise RequestError(f"The call has more than {MAX_LEAVES} values.", remedy="Give tensors, or fewer numbers.")
        if value is None:
            self._none(path)
            return Taken(None, None)
        scalar = exact(value)
        if isinstance(scalar, str):
            return self._text(path, scalar)
        return self._whole(path, value) if scalar is None else self._number(path, scalar)

    def _whole(self, path: _Path, value: Any) -> Taken:
        """What is neither a number nor a text."""
        by_type: Mapping[type, Callable[[_Path, Any], Taken]] = {
            list: self._sequence,
            tuple: self._sequence,
            dict: self._mapping,
            np.ndarray: self._array,
            torch.Tensor: self._tensors,
        }
        if type(value) in by_type:
            return by_type[type(value)](path, value)
        if isinstance(value, Image.Image) and (taken := self._pictures(path, value)):
            return taken
        if isinstance(value, Enum) and type(value) is type(path.takes.default):
            return self._option(path, value)
        if is_own_dataclass(type(value)):
            return self._dataclass(path, value)
        if path.takes.callback and not path.keys and callable(value):
            return self._unread(hold_callback(path.name, value))
        raise _unseen(path, value)

    def _none(self, path: _Path) -> None:
        """None is a fact where it switches something off that would be on without it."""
        if not path.depth and path.takes.default is not None and path.takes.default is not Signature.empty:
            self._off.append(path.name)

    def _number(self, path: _Path, value: bool | float) -> Taken:
        self._fact(path, value)
        return Taken(value, value)

    def _option(self, path: _Path, member: Enum) -> Taken:
        if member is not path.takes.default:
            self._fact(path, str(member.value))
        return Taken(member, member)

    def _fact(self, path: _Path, value: bool | float | str) -> None:
        self._numbers.setdefault(path.name, []).append(value)
        if not path.listed:
            self._single.add(path.name)

    def _text(self, path: _Path, value: str) -> Taken:
        takes = path.takes
        if (member := _member(takes.default, value)) is not None:
            return self._option(path, member)
        if value in takes.options or takes.listed:
            if value != takes.default:
                self._fact(path, value)
            return Taken(value, value)
        position = self._texts.get(path.name, 0)
        self._texts[path.name] = position + 1
        if not value and not (path.name == "prompt" and takes.kind is PromptKind.PROMPT):
            return Taken(value, value)  # it asks for nothing
        if not takes.text:
            raise UnsupportedArgumentError(
                f"The argument {path.name!r} takes no text that policy could read.",
                remedy="Open files yourself and give what is in them; leave other texts out.",
            )
        self.prompts.append(Prompt(value, takes.kind, path.name, position))
        return Taken(value, PromptPlace(len(self.prompts) - 1))

    def _sequence(self, path: _Path, value: Any) -> Taken:
        items = list(value)
        if are_tensors(items):
            return self._tensors(path, type(value)(items))
        inner = path.into()
        taken = [self._take(inner, item) for item in items]
        return Taken(type(value)(each.value for each in taken), type(value)(each.place for each in taken))

    def _mapping(self, path: _Path, value: dict[Any, Any]) -> Taken:
        copies: dict[Any, Any] = {}
        places: dict[Any, Any] = {}
        for key, item in list(value.items()):
            name = exact(key)
            if type(name) is int:
                self._fact(replace(path.into("keys"), listed=True), name)
                taken = self._take(path.into(), item)
            elif type(name) is str and name.isascii() and name.isidentifier() and len(name) <= MAX_KEY:
                taken = self._named(path, name, item)
            else:
                raise UnsupportedArgumentError(
                    f"The argument {path.name!r} has a key that is no name.", remedy="Use plain ASCII names as keys."
                )
            copies[name], places[name] = taken.value, taken.place
        return Taken(copies, places)

    def _named(self, path: _Path, name: str, item: Any) -> Taken:
        """What stands under a name. In a prompt the name is text too, which the pipeline writes out with the rest."""
        inner = path.into(name)
        if "prompt" in path.takes.name and path.takes.text:
            self._text(replace(path.into("keys"), listed=True), name)
        if item is None:
            self._off.append(inner.name)
        elif exact(item) == "":
            self._fact(inner, "")
        return self._take(inner, item)

    def _dataclass(self, path: _Path, value: Any) -> Taken:
        names = field_names(type(value))
        taken = {name: self._take(path.into(name), getattr(value, name)) for name in names}
        copy = type(value)(**{name: each.value for name, each in taken.items()})
        return Taken(copy, Made(type(value), {name: each.place for name, each in taken.items()}))

    def _array(self, path: _Path, value: Any) -> Taken:
        held = self._pictures(path, value) if _may_show(path) else None
        return held or self._tensors(path, value)

    def _pictures(self, path: _Path, value: Any) -> Taken | None:
        held = hold_images(path.name, value)
        if held is None:
            return None
        first = len(self.inputs)
        self.inputs.extend(held.inputs)
        check_count(len(self.inputs))
        return Taken(held.value, replace(held.form, index=first))

    def _tensors(self, path: _Path, value: Any) -> Taken:
        kind = opaque_kind(path.last)
        held = hold_tensors(path.name, path.takes.opaque if kind is OpaqueKind.OTHER else kind, value)
        if held is None:
            raise _unseen(path, value)
        return self._unread(held)

    def _unread(self, held: HeldArgument) -> Taken:
        self.opaque.append(held.argument)
        return Taken(held.value, OpaquePlace(len(self.opaque) - 1))


def _may_show(path: _Path) -> bool:
    """Whether an array that stands there is one of pictures: as the parameter says, or the last key of a mapping."""
    return path.takes.pictures if not path.keys else shows(path.last)


def exact(value: Any) -> bool | int | float | str | None:
    """A scalar or a text as its exact builtin copy: a subclass could say one thing now and another later. Else None."""
    if isinstance(value, Enum):
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (int, np.integer)):
        return operator.index(value)
    return float(value) if isinstance(value, (float, np.floating)) else None


def _member(default: Any, text: str) -> Enum | None:
    """The member of the default's enumeration that a text names."""
    if not isinstance(default, Enum):
        return None
    return next((member for member in type(default) if member.value == text), None)


def _unseen(path: _Path, value: Any) -> UnsupportedArgumentError:
    return UnsupportedArgumentError(
        f"The argument {path.name!r} of type {type(value).__name__} cannot be shown to policy.",
        remedy="Leave it out: texts, numbers, sizes, counts, generators, pictures, tensors and callbacks can be governed.",
    )
