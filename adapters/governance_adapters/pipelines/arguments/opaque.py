"""Arguments whose content policy cannot read: tensors, arrays and callbacks. Policy learns that they are there, and which."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from governance.canonical import Digest
from governance.errors import UnsupportedArgumentError
from governance.types import OpaqueArgument, OpaqueKind

_NUMBERS: Final = "biuf"
"""Kinds of numpy's dtypes that have no other bytes than their numbers."""


@dataclass(frozen=True, slots=True)
class HeldArgument:
    """What policy is told of an argument, and a private copy of it for the pipeline."""

    argument: OpaqueArgument
    value: Any


def are_tensors(items: Sequence[Any]) -> bool:
    """Whether there are items, and all are tensors that can be read: they then stand for one argument."""
    return bool(items) and all(map(_readable, items))


def hold_tensors(name: str, kind: OpaqueKind, value: Any) -> HeldArgument | None:
    """`value`, given as `name`: a tensor, a list or tuple of them, or an array of numbers; None if it is none that can be read.

    The digest covers dtype, shape and bytes of each in order.

    Raises:
        UnsupportedArgumentError: a tensor cannot be copied.
    """
    if type(value) is np.ndarray:
        if value.dtype.kind not in _NUMBERS:
            return None
        array = np.array(value, copy=True, order="C")
        return HeldArgument(OpaqueArgument(name, kind, _digest([array])), array)
    tensors = value if type(value) in (list, tuple) else [value]
    if not are_tensors(tensors):
        return None
    try:
        copies = [tensor.detach().clone() for tensor in tensors]
        bytes_of = [tensor.cpu().contiguous() for tensor in copies]
        argument = OpaqueArgument(name, kind, _digest(bytes_of))
    except RuntimeError as error:
        raise UnsupportedArgumentError(
            f"The argument {name!r} holds a tensor that cannot be copied or read: {str(error).splitlines()[0]}.",
            remedy="Give a plain tensor with memory of its own.",
        ) from error
    return HeldArgument(argument, copies[0] if tensors is not value else type(value)(copies))


def hold_callback(name: str, value: Any) -> HeldArgument:
    """A callback, which stays what it is. It has no digest: whatever it closes over can change, so none says what it does."""
    return HeldArgument(OpaqueArgument(name, OpaqueKind.CALLBACK), value)


def _readable(value: Any) -> bool:
    """Whether `value` is a plain tensor: a subclass could be another each time it is looked at, and a meta one is empty."""
    return type(value) is torch.Tensor and value.layout is torch.strided and not (value.is_quantized or value.is_meta)


def _digest(values: Sequence[torch.Tensor | NDArray[Any]]) -> Digest:
    state = hashlib.sha256()
    for value in values:
        state.update(f"{value.dtype} {tuple(value.shape)}\n".encode())
        array = value.reshape(-1).view(torch.uint8).numpy() if isinstance(value, torch.Tensor) else value
        state.update(array.tobytes())
    return Digest(state.hexdigest())
