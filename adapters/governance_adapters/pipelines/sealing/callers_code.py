"""Code of the caller's that a pipeline would run in the middle of its call, though no argument of the call names it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import torch
from diffusers import DiffusionPipeline

from governance.errors import SealedError
from governance_adapters.pipelines.sealing.taps import is_own

PLAIN = (bool, int, float, str, type(None))
"""Values that run nothing, however a pipeline uses them; an heir of these classes may."""

_BAR = "_progress_bar_config"
"""Where a pipeline keeps what `set_progress_bar_config` was given; it goes to tqdm as it is."""
_FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType, partial)


def pipelines_of(pipe: DiffusionPipeline) -> Iterator[DiffusionPipeline]:
    """`pipe`, and every pipeline that it is made of, once."""
    known: set[int] = set()
    waiting: list[Any] = [pipe]
    while waiting:
        part = waiting.pop()
        if isinstance(part, DiffusionPipeline) and id(part) not in known:
            known.add(id(part))
            yield part
            for value in vars(part).values():
                waiting += value if type(value) in (list, tuple) else (value,)


def refuse_callers_code(pipe: DiffusionPipeline) -> None:
    """Refuse functions that were put on `pipe` or a pipeline in it, and a progress bar that is more than plain settings.

    Raises:
        SealedError: there are such. Policy is told of callbacks that are arguments, and of no others.
    """
    for each in pipelines_of(pipe):
        state = vars(each)
        if not _plain_bar(state.get(_BAR)):
            raise SealedError(
                f"The progress bar of a governed {type(each).__name__} would run code of the caller's inside its call.",
                remedy="Give set_progress_bar_config true or false, numbers and texts only, and no file.",
            )
        parts = state.get("_internal_dict", ())
        for name, value in state.items():
            if name not in parts and _runs(value) and not is_own(value):
                raise SealedError(
                    f"{name} of a governed {type(each).__name__} is code of the caller's, which would run inside its call.",
                    remedy="Leave it to the pipeline's own; a callback is an argument of the call, which policy decides on.",
                )


def _plain_bar(settings: Any) -> bool:
    if settings is None:
        return True
    return type(settings) is dict and all(
        type(name) is str and name != "file" and type(value) in PLAIN for name, value in settings.items()
    )


def _runs(value: Any) -> bool:
    if isinstance(value, _FUNCTIONS):
        return True
    return callable(value) and not isinstance(value, (type, torch.nn.Module, DiffusionPipeline))
