"""Loading a pipeline from a local folder: safetensors only, no remote code, no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from governance.errors import ModelError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_PICKLED = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle")


def load_pipeline(path: Path, dtype: str = "float32") -> Any:
    """The diffusers pipeline in the folder `path`.

    Raises:
        ModelError: pickled weights, an unknown dtype, or a folder that does not load.
    """
    if dtype not in DTYPES:
        raise ModelError(f"{dtype!r} is no dtype to load a model in.", remedy=f"Use one of {', '.join(DTYPES)}.")
    pickled = sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.suffix.lower() in _PICKLED)
    if pickled:
        raise ModelError(
            f"{path} holds pickled weights, which run code when they are loaded: {', '.join(pickled[:3])}.",
            remedy="Convert them to safetensors and remove the pickled files.",
        )
    try:
        load: Any = DiffusionPipeline.from_pretrained
        pipe = load(path, dtype=DTYPES[dtype], local_files_only=True, use_safetensors=True, trust_remote_code=False)
    except Exception as error:  # diffusers raises what it likes; whatever it is, there is no model: fail closed
        raise ModelError(
            f"The pipeline in {path} does not load: {type(error).__name__}: {error}.",
            remedy="It must be a complete diffusers folder with safetensors weights.",
        ) from error
    pipe.set_progress_bar_config(disable=True)
    return pipe


def quiet_libraries() -> None:
    """Keep diffusers' and transformers' progress bars and notices off a command's output."""
    for library in (diffusers_logging, transformers_logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
