"""The pipeline's own call, run inside the seal, and what it raises in our words."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers import DiffusionPipeline

from governance.errors import GenerationError, GovernanceError
from governance_adapters.pipelines.sealing.running import running


def own_output(pipe: DiffusionPipeline, call: Callable[..., Any], keywords: Mapping[str, Any]) -> Any:
    """What `call`, the own `__call__` of the class of `pipe`, makes of `keywords`.

    Raises:
        GenerationError: it raised; when memory ran out, what the call held is given back first.
    """
    name = type(pipe).__name__
    try:
        with running():
            return call(pipe, **keywords)
    except GovernanceError:
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        _give_back(error)
        raise GenerationError(
            f"{name} ran out of memory: {str(error).partition(chr(10))[0] or type(error).__name__}.",
            remedy="Ask for fewer or smaller images in one call, or offload the models. The pipeline can be called again.",
        ) from None
    except Exception as error:  # whatever a pipeline raises, nothing was generated: fail closed
        raise GenerationError(
            f"{name} failed: {type(error).__name__}: {error}.",
            remedy="Check the arguments against the pipeline's own documentation.",
        ) from error


def _give_back(error: BaseException) -> None:
    """Let go of the tensors in the frames that the error came through, and of the device's memory that they filled."""
    traceback.clear_frames(error.__traceback__)
    error.__traceback__ = None
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
