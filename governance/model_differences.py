"""What differs between a model as it was recorded and one that is here now, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from governance.canonical import Json, canonical_bytes
from governance.errors import LedgerError
from governance.types import ModelFacts

_SHOWN = 60
"""Characters of a value that are shown: a list of a thousand timesteps says no more than that it is another."""
_DIGEST_SHOWN = 12
_NOTHING = "nothing"


class ModelPart(StrEnum):
    """Which part of a model differs."""

    COMPONENTS = "components"
    ADAPTERS = "adapters"
    SCHEDULER = "scheduler"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class ModelDifference:
    """One thing that differs: the part that it belongs to, and what was recorded and what is here, in words."""

    part: ModelPart
    text: str


def model_differences(recorded: Mapping[str, Json], present: ModelFacts) -> tuple[ModelDifference, ...]:
    """What differs between the model's document `recorded` (`ModelFacts.as_json`) and `present`; empty where nothing does.

    In order: components, adapters with their scales, scheduler, and last all that belongs to the place: device, dtype,
    versions, threads and the rest of the environment. A record of version 1 says less; what it does not say is named
    once, and counts as a difference.

    Raises:
        LedgerError: `recorded` is no model's document.
    """
    here: Any = present.as_json()
    try:
        return tuple(_differences(recorded, here))
    except (KeyError, TypeError, AttributeError) as error:
        raise LedgerError(
            f"Recorded model facts cannot be read: {error!r}.", remedy="Run `governance ledger verify`."
        ) from error


def _differences(recorded: Mapping[str, Any], present: Mapping[str, Any]) -> Iterator[ModelDifference]:
    whole = "environment" in recorded and "environment" in present
    for text in (*_pipeline(recorded, present), *_components(recorded["components"], present["components"])):
        yield ModelDifference(ModelPart.COMPONENTS, text)
    for text in _adapters(recorded["adapters"], present["adapters"], with_modules=whole):
        yield ModelDifference(ModelPart.ADAPTERS, text)
    for text in _scheduler(recorded["scheduler"], present["scheduler"]):
        yield ModelDifference(ModelPart.SCHEDULER, text)
    for name in ("device", "dtype"):
        yield from _place(name, recorded[name], present[name])
    yield from _place("version of", dict(recorded["versions"]), dict(present["versions"]), joint=" ")
    if whole:
        yield from _place("", recorded["environment"], present["environment"])
    elif "environment" in present:
        yield ModelDifference(ModelPart.ENVIRONMENT, "the record does not say with which threads and switches it ran")
    elif "environment" in recorded:
        yield ModelDifference(ModelPart.ENVIRONMENT, "nothing is known of the threads and switches here")


def _pipeline(recorded: Mapping[str, Any], present: Mapping[str, Any]) -> Iterator[str]:
    if recorded["pipeline"] != present["pipeline"]:
        yield f"pipeline: {shown_value(recorded['pipeline'])} recorded, {shown_value(present['pipeline'])} here"


def _components(recorded: Mapping[str, str], present: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*recorded, *present}):
        before, now = recorded.get(name), present.get(name)
        if before is None:
            yield f"component {name}: not in the record, {_digest(now)} here"
        elif now is None:
            yield f"component {name}: {_digest(before)} recorded, missing here"
        elif before != now:
            yield f"component {name}: other weights, configuration or class ({_digest(before)} recorded, {_digest(now)} here)"


def _adapters(recorded: list[Any], present: list[Any], *, with_modules: bool) -> Iterator[str]:
    before, now = ({adapter["name"]: adapter for adapter in adapters} for adapters in (recorded, present))
    for name in sorted({*before, *now}):
        if name not in before:
            yield f"adapter {name}: not in the record, in force here with scale {_scale(now[name])}"
        elif name not in now:
            yield f"adapter {name}: recorded with scale {_scale(before[name])}, missing here"
        else:
            yield from _adapter(name, before[name], now[name], with_modules=with_modules)


def _adapter(name: str, before: Mapping[str, Any], now: Mapping[str, Any], *, with_modules: bool) -> Iterator[str]:
    if before["digest"] != now["digest"]:
        yield f"adapter {name}: other weights ({_digest(before['digest'])} recorded, {_digest(now['digest'])} here)"
    modules = sorted({*before["scales"], *now["scales"]}) if with_modules else []
    changed = [module for module in modules if before["scales"].get(module) != now["scales"].get(module)]
    if before["scale_thousandths"] != now["scale_thousandths"]:
        where = f", in {len(changed)} of {len(modules)} modules" if changed else ""
        yield f"adapter {name}: scale {_scale(before)} recorded, {_scale(now)} here{where}"
    elif changed:
        first = changed[0]
        yield (
            f"adapter {name}: other scales in {len(changed)} of {len(modules)} modules ({first}: "
            f"{before['scales'].get(first, _NOTHING)} recorded, {now['scales'].get(first, _NOTHING)} here)"
        )


def _scheduler(recorded: Mapping[str, Any], present: Mapping[str, Any]) -> Iterator[str]:
    if recorded["class"] != present["class"]:
        yield f"scheduler: {shown_value(recorded['class'])} recorded, {shown_value(present['class'])} here"
        return  # another class has other options: each of them would be a difference of its own
    for name, before, now in differing_leaves("scheduler option", recorded["config"], present["config"], " "):
        yield f"{name}: {shown_value(before)} recorded, {shown_value(now)} here"


def _place(name: str, recorded: Json, present: Json, joint: str = ".") -> Iterator[ModelDifference]:
    for path, before, now in differing_leaves(name, recorded, present, joint):
        yield ModelDifference(ModelPart.ENVIRONMENT, f"{path}: {shown_value(before)} recorded, {shown_value(now)} here")


def differing_leaves(path: str, before: Json, now: Json, joint: str = ".") -> Iterator[tuple[str, Json, Json]]:
    """Each place in two values where they differ, as far down as both are mappings."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in sorted({*before, *now}):
            inner = f"{path}{joint}{name}" if path else name
            yield from differing_leaves(inner, before.get(name), now.get(name))
    elif canonical_bytes(before) != canonical_bytes(now):  # True is not 1 here
        yield path, before, now


def _scale(adapter: Mapping[str, Any]) -> str:
    return f"{int(adapter['scale_thousandths']) / 1000:g}"


def _digest(value: object) -> str:
    return f"{str(value)[:_DIGEST_SHOWN]}..."


def shown_value(value: Json) -> str:
    """A recorded value in a sentence: at most 60 characters of it, and a word where there is nothing."""
    if value is None or value in ("", {}, []):
        return _NOTHING
    text = value if isinstance(value, str) else canonical_bytes(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
