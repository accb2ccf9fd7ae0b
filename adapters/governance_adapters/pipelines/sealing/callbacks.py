"""Callbacks of a governed call: they hear how far it is, and see tensors only where the caller asked and policy let them.

A callback that sees latents can take the picture before anything was decided on, and one that gives latents back decides
what the picture is. So the tensors that a callback asks for, by `callback_on_step_end_tensor_inputs` or by the `tensor_inputs`
of a callback of diffusers' own, are an argument of their own that policy is told of. Without them a callback is called with
an empty mapping, and what it gives back changes nothing. While it runs, the modules are closed to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from governance.errors import UnsupportedArgumentError
from governance.types import OpaqueArgument, OpaqueKind
from governance_adapters.pipelines.arguments.binding import BoundArguments
from governance_adapters.pipelines.sealing.running import set_aside

_ASKED = "_tensor_inputs"
"""What the parameter is called that names the tensors for a callback: the callback's own name, and this."""


def asked_tensors(keywords: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The names of the tensors that each callback of a call asks for; those given are taken out of its `keywords`.

    Raises:
        UnsupportedArgumentError: they are no list of texts.
    """
    asked: dict[str, tuple[str, ...]] = {}
    for callback in [name for name, value in keywords.items() if "callback" in name and callable(value)]:
        given = keywords.pop(callback + _ASKED, None) or ()
        if not isinstance(given, (list, tuple)) or not all(isinstance(name, str) for name in given):
            raise UnsupportedArgumentError(
                f"{callback + _ASKED} takes a list of texts.", remedy="Name the tensors, or leave it out."
            )
        names = map(str.__str__, (*given, *getattr(keywords[callback], "tensor_inputs", ())))
        asked[callback] = tuple(dict.fromkeys(names))
    return asked


def guarded_callbacks(arguments: BoundArguments, asked: Mapping[str, Sequence[str]]) -> BoundArguments:
    """`arguments` with each callback behind a guard, and with the tensors that it asks for as an argument of their own."""
    keywords, opaque = dict(arguments.keywords), list(arguments.opaque)
    for argument in arguments.opaque:
        if argument.kind is OpaqueKind.CALLBACK:
            name = argument.parameter
            names = asked.get(name, ()) if name + _ASKED in keywords else ()
            keywords[name] = guarded_callback(keywords[name], names)
            if name + _ASKED in keywords:
                keywords[name + _ASKED] = list(names)
            if names:
                opaque.append(OpaqueArgument(name + _ASKED, OpaqueKind.LATENTS))
    return replace(arguments, keywords=keywords, opaque=tuple(opaque))


def guarded_callback(callback: Callable[..., Any], asked: Sequence[str]) -> Callable[..., Any]:
    """`callback`, called with the tensors of the names in `asked` and with no other.

    A tensor of one number, as a timestep is, is passed as a copy. Of what it returns, the tensors it asked for are taken where
    it is a plain dictionary of plain tensors; nothing else of it, and no object of its own, comes into the pipeline's code.
    """
    seen = frozenset(asked)

    def guarded(*args: Any, **keywords: Any) -> Any:
        with set_aside():
            return answered(args, keywords)  # its frame ends in here, and with it what only the callback's answer held

    def answered(args: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, torch.Tensor]:
        answer = callback(
            *(_shown(value, seen) for value in args),
            **{name: _shown(value, seen) for name, value in keywords.items()},
        )
        if type(answer) is not dict:
            return {}
        return {name: value.detach() for name in asked if type(value := answer.get(name)) is torch.Tensor}

    return guarded


def _shown(value: Any, seen: frozenset[str]) -> Any:
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return deepcopy(value) if math.prod(value.shape) == 1 else None
    if isinstance(value, dict):
        return {name: item for name, item in value.items() if name in seen}
    if isinstance(value, (list, tuple)) and any(isinstance(item, (torch.Tensor, np.ndarray)) for item in value):
        return None
    return value
