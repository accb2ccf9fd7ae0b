"""Texts that no argument has and the picture is made by all the same: those that sit on the pipeline itself.

Several pipelines keep an instruction to their text encoder, a template or a safety concept in an attribute. What their own
code writes there is part of the class, whose name and library are recorded. Any other text was put there by somebody, and is
shown to policy as a prompt, under the name `pipeline.ATTRIBUTE`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from types import CodeType
from typing import Any, Final

from diffusers import DiffusionPipeline

from governance.errors import UnsupportedArgumentError
from governance.types import Prompt

PREFIX: Final = "pipeline."
"""How the names of such prompts and parameters begin; no parameter of a call has a dot in its name."""
_NO_TEXTS: Final = frozenset({"_internal_dict", "_progress_bar_config"})
"""Attributes of every pipeline: its configuration, which is described for itself, and how it shows its progress."""
_NAMES_OF_LAYERS: Final = frozenset({"pag_applied_layers", "_pag_applied_layers"})
_JOINTS: Final = ("", " ", "\n")
_DEEPEST: Final = 8


def held_texts(pipe: DiffusionPipeline) -> tuple[list[Prompt], dict[str, str | tuple[str, ...]]]:
    """The texts that sit on `pipe` and are not its class's own: as prompts, and as parameters where they ask for nothing.

    Parameters are blank texts, which switch off what stands there otherwise, and the names of layers.

    Raises:
        UnsupportedArgumentError: a text of a class of somebody's own, which could say something else later.
    """
    prompts: list[Prompt] = []
    parameters: dict[str, str | tuple[str, ...]] = {}
    for name, kind, texts in _attributes(pipe, ""):
        own = _own_texts(kind)
        others = [text for text in texts if text not in own or not text.strip()]
        if name.rpartition(".")[2] in _NAMES_OF_LAYERS:
            if others:
                parameters[_shown(name)] = tuple(texts)
            continue
        told = [text for text in others if text.strip()]
        prompts.extend(Prompt(text, parameter=_shown(name), position=place) for place, text in enumerate(told))
        if len(told) < len(others):
            parameters[_shown(name)] = ""
    return prompts, parameters


def _shown(name: str) -> str:
    return PREFIX + ".".join(part.lstrip("_") for part in name.split("."))


def _attributes(pipe: DiffusionPipeline, within: str) -> Iterator[tuple[str, type, list[str]]]:
    """The attributes of `pipe` and of the pipelines in it that hold texts: their names, the class that has them, and the texts."""
    kind: type = type(pipe)
    if vars(kind).get("governed", False):  # made when it was wrapped; the one that was is kept in mind
        kind = kind.__mro__[1]
    for name, value in sorted(vars(pipe).items()):
        if isinstance(value, DiffusionPipeline):
            if within.count(".") < _DEEPEST:
                yield from _attributes(value, f"{within}{name}.")
        elif name in _NO_TEXTS or _is_configured(pipe, name, value):
            continue
        elif texts := list(_texts(f"{within}{name}", value, 0)):
            yield f"{within}{name}", kind, texts


def _texts(name: str, value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if type(value) is not str:
            raise _unreadable(name)
        yield value
    elif isinstance(value, (Mapping, list, tuple, set, frozenset)):
        if depth >= _DEEPEST:
            raise _unreadable(name)
        items = [part for pair in value.items() for part in pair] if isinstance(value, Mapping) else list(value)
        for item in sorted(items, key=repr) if isinstance(value, (set, frozenset)) else items:
            yield from _texts(name, item, depth + 1)


def _is_configured(pipe: Any, name: str, value: Any) -> bool:
    """Whether an attribute is what the constructor was given under its name, and the configuration says."""
    config: Mapping[str, Any] = pipe.config
    if name not in config or name not in inspect.signature(type(pipe).__init__).parameters:
        return False
    return type(value) is type(config[name]) and bool(value == config[name])


@cache
def _own_texts(kind: type) -> frozenset[str]:
    """The texts that stand in the code of a class of diffusers: in its functions, and in the modules that it is written in."""
    found: set[str] = set()
    for each in kind.__mro__:
        if each.__module__.partition(".")[0] == "diffusers" and not vars(each).get("governed", False):
            found.update(_constants(list(vars(sys.modules[each.__module__]).values())))
            for function in filter(inspect.isfunction, vars(each).values()):
                found.update(_constants((function.__code__, function.__defaults__, function.__kwdefaults__)))
    return frozenset(found)


def _constants(value: Any) -> Iterator[str]:
    """The texts among constants, also of nested code, and those that several in a row make together."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, CodeType):
        yield from _constants(value.co_consts)
    elif isinstance(value, (tuple, list)):
        if value and all(type(item) is str for item in value):
            yield from (joint.join(value) for joint in _JOINTS)
        for item in value:
            yield from _constants(item)
    elif isinstance(value, dict):
        yield from _constants([*value, *value.values()])


def _unreadable(name: str) -> UnsupportedArgumentError:
    return UnsupportedArgumentError(
        f"The attribute {name!r} of the pipeline holds a text that policy could not read.",
        remedy="Put a plain text there, or load the pipeline again.",
    )
