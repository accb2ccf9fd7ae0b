"""Arguments whose content policy cannot read: tensors and callbacks. Policy learns that they are there, and which."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from governance.canonical import Digest
from governance.errors import UnsupportedArgumentError
from governance.types import OpaqueArgument, OpaqueKind

_EMBEDDED_PROMPTS = "prompt_embeds"
_SCHEDULES = ("timesteps", "sigmas")


@dataclass(frozen=True, slots=True)
class HeldArgument:
    """What policy is told of an argument, and what the pipeline gets: a private copy of tensors, a callback as it is.

    `batch` is how many prompts it stands for: the rows of a tensor, or as many as a list has tensors.
    `steps` is how many denoising steps it makes by itself, where it is a schedule.
    """

    argument: OpaqueArgument
    value: Any
    batch: int = 1
    steps: int = 1


def hold_opaque(name: str, value: Any) -> HeldArgument | None:
    """The argument `name` as one that policy is told of; None if it is neither a tensor, a list of them, nor a callback.

    The digest covers dtype, shape and bytes of each tensor in order. A callback has none: whatever it closes over can
    change, so no digest could say what it does.

    Raises:
        UnsupportedArgumentError: a tensor cannot be copied or read.
    """
    if _readable(value):
        (copy,), argument = _taken(name, [value])
        batch = copy.shape[0] if name == _EMBEDDED_PROMPTS and copy.ndim else 1
        return HeldArgument(argument, copy, batch, _steps(name, [copy]))
    if type(value) in (list, tuple) and value and all(map(_readable, value)):
        copies, argument = _taken(name, value)
        batch = len(copies) if name == _EMBEDDED_PROMPTS else 1
        return HeldArgument(argument, type(value)(copies), batch, _steps(name, copies))
    if "callback" in name and callable(value):
        return HeldArgument(OpaqueArgument(name, OpaqueKind.CALLBACK), value)
    return None


def _taken(name: str, tensors: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], OpaqueArgument]:
    """Private copies of tensors, and what policy is told of them."""
    try:
        copies = [tensor.detach().clone() for tensor in tensors]
        return copies, OpaqueArgument(name, _kind(name), _digest(copies))
    except RuntimeError as error:
        raise UnsupportedArgumentError(
            f"The argument {name!r} holds a tensor that cannot be copied or read: {str(error).splitlines()[0]}.",
            remedy="Give a plain tensor with memory of its own.",
        ) from error


def _steps(name: str, tensors: Sequence[torch.Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors) if name in _SCHEDULES else 1


def _readable(value: Any) -> bool:
    """Whether `value` is a plain tensor: a subclass could be another each time it is looked at, and a meta one is empty."""
    return type(value) is torch.Tensor and value.layout is torch.strided and not (value.is_quantized or value.is_meta)


def _kind(name: str) -> OpaqueKind:
    if "latents" in name:
        return OpaqueKind.LATENTS
    return OpaqueKind.EMBEDDING if "embed" in name else OpaqueKind.OTHER


def _digest(tensors: list[torch.Tensor]) -> Digest:
    state = hashlib.sha256()
    for tensor in tensors:
        state.update(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
        state.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return Digest(state.hexdigest())
