"""Where weights and code may come from: safetensors, and classes that the libraries ship. Never pickles, never remote code."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from governance.errors import ModelError

PICKLED = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle")
"""Suffixes of files that run code when they are loaded."""

_SAFE = ".safetensors"
_REMOTE = frozenset({"diffusers_modules", "transformers_modules"})
"""The packages that diffusers and transformers put downloaded code into."""


def refuse_remote_code(pipe: object) -> None:
    """Refuse a pipeline whose class, or the class of a part, was loaded from a model's own files.

    Raises:
        ModelError: it was.
    """
    for part in (pipe, *vars(pipe).values()):
        for kind in type(part).__mro__:
            if kind.__module__.partition(".")[0] in _REMOTE:
                raise ModelError(
                    f"{kind.__name__} is code that came with a model, not with diffusers or transformers.",
                    remedy="Only models of classes that these libraries ship are governed; convert the model.",
                )


def check_loading(method: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords that the loader `method` may run with: they let it read safetensors only.

    Raises:
        ModelError: pickled weights, or code of somebody else's, are asked for.
    """
    if keywords.get("use_safetensors") is False:
        raise _pickled(f"{method}(use_safetensors=False)")
    for option in ("trust_remote_code", "custom_pipeline"):
        if keywords.get(option):
            raise ModelError(
                f"{method}({option}={keywords[option]!r}) would run code that came with a model.",
                remedy="Only classes that diffusers and transformers ship are governed.",
            )
    _refuse_pickled(args, keywords)
    if method == "load_ip_adapter":  # takes no option for it, and looks for an image encoder beside its weights
        for folder in filter(os.path.isdir, _texts(args[:1])):
            for found in sorted(Path(folder).rglob("*")):
                if found.suffix.lower() in PICKLED:
                    raise _pickled(found.name)
        return dict(keywords)
    return {**keywords, "use_safetensors": True}


def _refuse_pickled(args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    for text in _texts((*args, *keywords.values())):
        if text.lower().endswith(PICKLED):
            raise _pickled(Path(text).name)
    for name in _texts([keywords.get("weight_name")]):
        if not name.lower().endswith(_SAFE):
            raise _pickled(name)


def _texts(values: Sequence[Any]) -> Iterator[str]:
    """Every text and path among `values`, and one level of lists below."""
    for value in values:
        if isinstance(value, (str, os.PathLike)):
            yield os.fspath(value)
        elif isinstance(value, (list, tuple)):
            yield from _texts([item for item in value if isinstance(item, (str, os.PathLike))])


def _pickled(what: str) -> ModelError:
    return ModelError(
        f"{what} would load pickled weights, which run code when they are loaded.",
        remedy="Convert them to safetensors.",
    )
