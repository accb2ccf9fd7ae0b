"""A recorded scheduler made again: its class, and the configuration that the record has in text where numbers were floats."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import diffusers
from diffusers import SchedulerMixin

from governance.errors import ReplayError
from governance.recorded_calls import Obstacle


def rebuilt_scheduler(recorded: Mapping[str, Any]) -> Any:
    """The scheduler of a model's document: `class` and `config`, as `governance.types.ModelFacts.as_json` writes them.

    Whether it is the same is for whoever describes it again.

    Raises:
        ReplayError: diffusers has no such scheduler here, or it does not take that configuration.
    """
    kind = getattr(diffusers, str(recorded["class"]), None)
    if not (isinstance(kind, type) and issubclass(kind, SchedulerMixin)):
        raise ReplayError(
            f"There is no scheduler {recorded['class']!r} in this diffusers.",
            Obstacle.MODEL_MISSING,
            remedy="Replay with the scheduler that is loaded.",
        )
    made: Any = kind
    parameters = inspect.signature(kind).parameters
    config = {name: _number(parameters.get(name), value) for name, value in recorded["config"].items()}
    try:
        return made.from_config(config)
    except Exception as error:  # whatever a scheduler raises about its options, there is none
        raise ReplayError(
            f"The recorded {recorded['class']} cannot be made again: {error}.",
            Obstacle.MODEL_MISSING,
            remedy="Replay with the scheduler that is loaded.",
        ) from error


def _number(parameter: inspect.Parameter | None, value: Any) -> Any:
    """`value`, as a number where it is the text of one and the parameter takes floats."""
    if parameter is None or not (isinstance(parameter.default, float) or "float" in str(parameter.annotation)):
        return value
    if isinstance(value, list):
        return [_number(parameter, item) for item in value]
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
