"""Every pipeline class of diffusers: what it makes, what of its call policy is told, whether it can be governed.

The classes are found in the source of diffusers and imported one by one, so that one which lacks an optional library at run
time is listed too. Nothing is run.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, Final

import diffusers
from diffusers import DiffusionPipeline

from governance.types import MediaKind
from governance_adapters.pipelines.arguments.recorded import LINE_ARGUMENTS
from governance_adapters.pipelines.arguments.takes import Takes, taken_by, written
from governance_adapters.pipelines.kinds import output_kind, refusal

RUN: Final = Path(__file__).with_name("run_in_tests.json")
"""The names of the classes that the tests govern, call and verify, as a JSON array in order."""
_ROOT: Final = Path(diffusers.__file__).parent
_FOLDERS: Final = ("pipelines", "experimental")
_BASE: Final = "DiffusionPipeline"
_TENSOR: Final = re.compile("Tensor|ndarray")
_NUMBERS: Final = re.compile(r"\b(int|float|bool|None|NoneType|Optional|Union|[Ll]ist|[Tt]uple|typing)\b|[^\w]")
"""All there is in an annotation that takes numbers alone."""


class Standing(StrEnum):
    """Whether a class can be governed, and how well that is known."""

    RUN = "governed, run in the tests"
    SIGNATURE = "governed, by its signature"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class CataloguedPipeline:
    """One class: what it makes, the parameters of its call by what policy is told of them, and why it is refused, if it is.

    `prompts` take texts, `inputs` pictures, `opaque` tensors and callbacks only.
    """

    name: str
    module: str
    standing: Standing
    media: tuple[MediaKind, ...] = ()
    why: str = ""
    prompts: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()


def catalogue() -> list[CataloguedPipeline]:
    """Every class, in the order of their names."""
    run = frozenset(json.loads(RUN.read_text(encoding="utf-8")))
    return [_catalogued(name, kind, run) for name, kind in pipeline_classes().items()]


def counts(rows: Sequence[CataloguedPipeline]) -> dict[Standing, int]:
    """How many classes have each standing."""
    return {standing: sum(row.standing is standing for row in rows) for standing in Standing}


def pipeline_classes() -> dict[str, type[DiffusionPipeline]]:
    """Every subclass of DiffusionPipeline that diffusers defines, by name and in its order; the base is not among them."""
    defined = dict(_defined())
    names = sorted(name for name in defined if _is_pipeline(name, defined))
    with warnings.catch_warnings(action="ignore"):  # what diffusers warns of itself while it is imported
        return {name: getattr(importlib.import_module(defined[name].module), name) for name in names}


@dataclass(frozen=True, slots=True)
class _Definition:
    """Where a class is defined, and what it is made from."""

    module: str
    bases: tuple[str, ...]


def _defined() -> Iterator[tuple[str, _Definition]]:
    for folder in _FOLDERS:
        for file in sorted((_ROOT / folder).rglob("*.py")):
            module = ".".join(("diffusers", *file.relative_to(_ROOT).with_suffix("").parts))
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef):
                    bases = tuple(ast.unparse(base).rpartition(".")[2] for base in node.bases)
                    yield node.name, _Definition(module, bases)


def _is_pipeline(name: str, defined: Mapping[str, _Definition]) -> bool:
    bases = defined[name].bases if name in defined else ()
    return name != _BASE and any(base == _BASE or _is_pipeline(base, defined) for base in bases if base != name)


def _catalogued(name: str, kind: type[DiffusionPipeline], run: frozenset[str]) -> CataloguedPipeline:
    module = kind.__module__.removeprefix("diffusers.")
    why, makes = refusal(kind), output_kind(kind)
    if why is not None or makes is None:
        return CataloguedPipeline(name, module, Standing.REFUSED, why=why or "")
    call: Any = kind.__call__
    signature = inspect.signature(call)
    sorts: dict[_Sort | None, list[str]] = {}
    for each in taken_by(signature).values():
        if each.name not in LINE_ARGUMENTS:
            sorts.setdefault(_sort(each, written(signature.parameters[each.name].annotation)), []).append(each.name)
    texts, pictures, unread = (tuple(sorts.get(sort, ())) for sort in _Sort)
    standing = Standing.RUN if name in run else Standing.SIGNATURE
    return CataloguedPipeline(name, module, standing, makes.media, "", texts, pictures, unread)


class _Sort(Enum):
    """What a parameter is listed among."""

    TEXT = 1
    PICTURE = 2
    UNREAD = 3


def _sort(takes: Takes, annotation: str) -> _Sort | None:
    """Where a parameter is listed; None for one of numbers and settings alone."""
    if takes.listed or (annotation and not _NUMBERS.sub("", annotation)):
        return None
    if takes.callback:
        return _Sort.UNREAD
    if takes.pictures:
        return _Sort.PICTURE
    if takes.text:
        return _Sort.TEXT
    return _Sort.UNREAD if _TENSOR.search(annotation) else None
