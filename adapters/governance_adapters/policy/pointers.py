"""JSON pointers (RFC 6901) into policy inputs and into the data of a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from governance.canonical import Json


@dataclass(frozen=True, slots=True)
class Place:
    """Where a JSON pointer leads: to `value`, or (`there` False, `value` None) to nothing."""

    pointer: str
    there: bool
    value: Json = None


def pointer(*steps: str) -> str:
    """The pointer that goes these steps, each of them escaped."""
    return "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps)


def steps_of(text: str) -> tuple[str, ...]:
    """The steps of a pointer, none for the empty one."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:])


def place(document: Json, text: str) -> Place:
    """Where the pointer `text` leads in `document`. What is no pointer leads to nothing."""
    if text and not text.startswith("/"):
        return Place(text, there=False)
    value = document
    for step in steps_of(text):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, Sequence) and not isinstance(value, str) and _index(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return Place(text, there=False)
    return Place(text, there=True, value=value)


def _index(step: str) -> bool:
    """Whether `step` is an array index: decimal digits without a leading zero (RFC 6901, section 4)."""
    return step == "0" or (step.isascii() and step.isdecimal() and not step.startswith("0"))
