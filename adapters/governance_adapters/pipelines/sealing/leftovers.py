"""What a call leaves behind in a pipeline: schedulers keep what they last worked on, and some pipelines note tensors.

After a call that was denied that would be the picture. So schedulers, and attributes that hold tensors, are put back to what
they were before; numbers and texts that a pipeline notes about its call stay. The parts themselves are compared, not put back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, SchedulerMixin
from PIL import Image

from governance_adapters.pipelines.sealing.callers_code import pipelines_of

_PICTURES = (torch.Tensor, np.ndarray, Image.Image)
_DEEPEST = 4
_ABSENT = object()


@contextmanager
def left_as_found(pipe: DiffusionPipeline) -> Iterator[None]:
    """Afterwards every scheduler of `pipe` is as it was, and no attribute of it holds a tensor that it did not hold."""
    pipelines = [(each, _kept(each)) for each in pipelines_of(pipe)]
    schedulers = {id(part): (part, _kept(part)) for each, _ in pipelines for part in _schedulers(each)}
    try:
        yield
    finally:
        for part, kept in schedulers.values():
            _put_back(part, kept, set(vars(part)) | set(kept))
        for each, kept in pipelines:
            parts = vars(each).get("_internal_dict", ())
            noted = {name for name, value in vars(each).items() if name not in parts and _holds(value, _DEEPEST)}
            _put_back(each, kept, noted)


def _schedulers(pipe: DiffusionPipeline) -> Iterator[Any]:
    for value in vars(pipe).values():
        for part in value if type(value) in (list, tuple) else (value,):
            if isinstance(part, SchedulerMixin):
                yield part


def _kept(part: Any) -> dict[str, tuple[Any, Any]]:
    """Each attribute, and where it is a list or a dictionary, what is in it."""
    return {name: (value, value.copy() if type(value) in (list, dict) else None) for name, value in vars(part).items()}


def _put_back(part: Any, kept: Mapping[str, tuple[Any, Any]], names: set[str]) -> None:
    state = vars(part)  # past what is intercepted: this is no edit
    for name in names:
        value, inside = kept.get(name, (_ABSENT, None))
        if value is _ABSENT:
            del state[name]
            continue
        state[name] = value
        if type(value) is list:
            value[:] = inside
        elif type(value) is dict:
            value.clear()
            value.update(inside)


def _holds(value: Any, deepest: int) -> bool:
    """Whether a picture or a tensor is in `value`, or in what it is made of."""
    if isinstance(value, _PICTURES):
        return True
    if deepest == 0 or isinstance(value, (torch.nn.Module, DiffusionPipeline, type)):
        return False
    if isinstance(value, Mapping):
        return any(_holds(item, deepest - 1) for item in value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(_holds(item, deepest - 1) for item in value)
    return any(_holds(item, deepest - 1) for item in getattr(value, "__dict__", {}).values())
