"""The arguments of calls that were recorded before arguments were: put together from what else the record says of them."""

from __future__ import annotations

import inspect
from typing import Any

from governance.errors import ReplayError
from governance.recorded_calls import Obstacle, RecordedCall
from governance.types import PromptKind

_COUNT = "num_images_per_prompt"


def older_arguments(pipe: Any, call: RecordedCall) -> dict[str, Any]:
    """Keyword arguments of `pipe` that fit the facts of `call`; how lists were nested and what was a default is not known.

    Raises:
        ReplayError: the call had pictures, or parameters that this pipeline does not have.
    """
    if call.inputs or call.opaque:
        raise ReplayError(
            "The record does not say how the pictures of this call were given.",
            Obstacle.ARGUMENTS_UNKNOWN,
            remedy="Only newer records do.",
        )
    facts: Any = call.call
    known = inspect.signature(type(pipe).__call__).parameters
    numbers = {**facts["parameters"], **{name: float(text) for name, text in facts["floats"].items()}}
    keywords: dict[str, Any] = {name: int(v) if _is_large(v) else v for name, v in numbers.items()}
    texts = _texts(call)
    batch = max((len(found) for found in texts.values()), default=1)
    keywords |= {name: found[0] if len(found) == 1 else found for name, found in texts.items()}
    lines = {"num_inference_steps": facts["steps"], "width": facts["width"], "height": facts["height"]}
    keywords |= {name: value for name, value in lines.items() if name in known}
    if facts["images"] != batch:
        keywords[_COUNT if _COUNT in known else "batch_size"] = facts["images"] // batch
    if unknown := sorted(keywords.keys() - known.keys()):
        raise ReplayError(
            f"This {type(pipe).__name__} does not take {', '.join(unknown)}, which the call was given.",
            Obstacle.ARGUMENTS_UNKNOWN,
        )
    return keywords


def _texts(call: RecordedCall) -> dict[str, list[str]]:
    """The texts of each parameter in their places; the empty negative ones among them were not recorded."""
    found: dict[str, dict[int, str]] = {}
    kinds = {}
    for prompt in filter(None, call.prompts):
        found.setdefault(prompt.parameter, {})[prompt.position] = prompt.text
        kinds[prompt.parameter] = prompt.kind
    batch = max((max(places) + 1 for places in found.values()), default=1)
    return {
        name: [places.get(at, "") for at in range(batch if kinds[name] is PromptKind.NEGATIVE else max(places) + 1)]
        for name, places in found.items()
    }


def _is_large(value: Any) -> bool:
    """Whether a recorded parameter is an integer beyond 2^53-1, which stands there as text."""
    return isinstance(value, str) and len(value) > 15 and value.removeprefix("-").isdecimal()
