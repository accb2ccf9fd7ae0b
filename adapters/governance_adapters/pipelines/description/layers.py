"""What layers and schedulers hold that neither weights nor configuration say: a constant or a class that was changed in place."""

from __future__ import annotations

import dis
import hashlib
import inspect
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import cache
from types import CodeType
from typing import Any, Final

import numpy as np
import torch
from diffusers import SchedulerMixin

from governance.canonical import Digest, Json, canonical_bytes, digest
from governance_adapters.pipelines.description.plain_state import class_of, plain_state

_PLAIN: Final = frozenset({bool, int, float, str})
_TABLES: Final = ("betas", "alphas", "alphas_cumprod", "final_alpha_cumprod", "init_noise_sigma")
"""What every step reads, also where a step moves it to another device."""
_SHAPES: Final = frozenset({"num_embeddings", "vocab_size"})
_RESCHEDULED: Final = "set_timesteps"
_KEPT: Final = 32

_fresh: OrderedDict[tuple[type, bytes], dict[str, Digest]] = OrderedDict()
_lock = threading.Lock()


def layers_digest(parts: list[tuple[str, torch.nn.Module]]) -> Digest:
    """SHA-256 over the classes of `parts`, the layers of a module in their order, and their plain public constants.

    The class of the module itself is part of its digest already. What a class's own methods set after it was made is left
    out, since it would differ after the first call; so is how many words there are, which the weights say.
    """
    sha = hashlib.sha256()
    for place, part in parts:
        kind: Any = type(part)
        left_out = _set_later(kind) | _SHAPES
        constants = [
            (name, value)
            for name, value in vars(part).items()
            if type(value) in _PLAIN and name[0] != "_" and name not in left_out
        ]
        sha.update(f"{class_of(part) if place else ''}{sorted(constants)!r}\n".encode("utf-8", "surrogatepass"))
    return Digest(sha.hexdigest())


def changed_in_place(scheduler: SchedulerMixin) -> dict[str, Json]:
    """The state of each attribute of `scheduler` that its configuration does not lead to, by its name after `changed.`.

    What calls set anew is not looked at; of one that cannot be made again, everything is told.

    Raises:
        ModelError: an attribute of a kind that cannot be described.
    """
    kind: Any = type(scheduler)
    held = dict(_constants(scheduler))
    made = _made_anew(kind, scheduler)
    return {f"changed.{name}": state for name, state in held.items() if made.get(name) != state}


def _made_anew(kind: Any, scheduler: Any) -> Mapping[str, Digest]:
    key = kind, repr(sorted(dict(scheduler.config).items())).encode("utf-8", "surrogatepass")
    with _lock:
        known = _fresh.get(key)
    if known is not None:
        return known
    try:
        made = dict(_constants(kind.from_config(scheduler.config)))
    except Exception:  # noqa: BLE001 - whatever a scheduler raises about its own options: nothing is known to follow from them
        made = {}
    with _lock:
        _fresh[key] = made
        while len(_fresh) > _KEPT:
            _fresh.popitem(last=False)
    return made


def _constants(scheduler: Any) -> Iterator[tuple[str, Digest]]:
    kind: Any = type(scheduler)
    anew, volatile = _stored_by(getattr(kind, _RESCHEDULED, None)), _set_later(kind)
    for name, value in sorted(vars(scheduler).items()):
        if name in (_TABLES if name in volatile else vars(scheduler)) and name not in anew and name[0] != "_":
            if isinstance(value, (torch.Tensor, np.ndarray)):
                yield name, digest(canonical_bytes(plain_state(name, value)))
            elif type(value) in _PLAIN or value is None:
                yield name, digest(repr(value).encode("utf-8", "surrogatepass"))


@cache
def _set_later(kind: type) -> frozenset[str]:
    """The attributes that the methods of a class set after its instances were made, and `training`."""
    found = {"training"}
    for each in kind.__mro__:
        if each is torch.nn.Module:
            break
        for name, member in vars(each).items():
            for function in (member, getattr(member, "fset", None), getattr(member, "__wrapped__", None)):
                if name != "__init__" and inspect.isfunction(function):
                    found.update(_stored_by(function))
    return frozenset(found)


@cache
def _stored_by(function: Any) -> frozenset[str]:
    function = inspect.unwrap(function) if callable(function) else None
    return frozenset(_stores(function.__code__)) if inspect.isfunction(function) else frozenset()


def _stores(code: CodeType) -> Iterator[str]:
    """The attributes that a piece of code assigns, of whatever object."""
    for step in dis.get_instructions(code):
        if step.opname == "STORE_ATTR":
            yield step.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _stores(constant)
