"""On which device a recorded call is made again."""

from __future__ import annotations

from typing import Any, Final

import torch

from governance.errors import ModelError

_CPU: Final = torch.device("cpu")


def device_for(recorded: str) -> torch.device:
    """The recorded device where it is the processor or a CUDA device that is here; else the processor."""
    try:
        device = torch.device(recorded)
    except RuntimeError:  # torch knows no such kind of device here
        return _CPU
    if device.type != "cuda" or (device.index or 0) >= torch.cuda.device_count():
        return _CPU
    return torch.device("cuda", device.index or 0)


def move(pipe: Any, recorded: str) -> None:
    """Have `pipe` on the device for a record of `recorded`, wherever the call before this one left it.

    Raises:
        ModelError: it cannot be moved there.
    """
    device = device_for(recorded)
    if getattr(pipe, "device", None) == device:  # some pipelines cannot say where they are
        return
    try:
        pipe.to(device)
    except Exception as error:  # whatever torch and diffusers raise: there is no model to run on that device
        raise ModelError(
            f"This {type(pipe).__name__} cannot be moved to {device}: {type(error).__name__}: {error}.",
            remedy="Replay where the model fits into the device's memory.",
        ) from error
