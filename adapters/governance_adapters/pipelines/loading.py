"""Loading a pipeline from a local folder: safetensors only, no remote code, no network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline, pipelines
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from governance.errors import ModelError
from governance_adapters.pipelines.sealing.origins import PICKLED

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_LIBRARIES = ("diffusers", "transformers")


def load_pipeline(path: Path, dtype: str = "float32") -> Any:
    """The diffusers pipeline in the folder `path`.

    Raises:
        ModelError: pickled weights, code of the folder's own, an unknown dtype, or a folder that does not load.
    """
    if dtype not in DTYPES:
        raise ModelError(f"{dtype!r} is no dtype to load a model in.", remedy=f"Use one of {', '.join(DTYPES)}.")
    pickled = sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.suffix.lower() in PICKLED)
    if pickled:
        raise ModelError(
            f"{path} holds pickled weights, which run code when they are loaded: {', '.join(pickled[:3])}.",
            remedy="Convert them to safetensors and remove the pickled files.",
        )
    if code := sorted(_own_code(path)):
        raise ModelError(
            f"{path} wants to run code that is not in diffusers or transformers: {'; '.join(code[:3])}.",
            remedy="Only models of classes that these libraries ship are loaded; remove the code, or convert the model.",
        )
    try:
        load: Any = DiffusionPipeline.from_pretrained
        pipe = load(path, dtype=DTYPES[dtype], local_files_only=True, use_safetensors=True, trust_remote_code=False)
    except Exception as error:  # diffusers raises what it likes; whatever it is, there is no model: fail closed
        raise ModelError(
            f"The pipeline in {path} does not load: {type(error).__name__}: {_first_sentence(error)}.",
            remedy="It must be a complete diffusers folder with safetensors weights.",
        ) from error
    pipe.set_progress_bar_config(disable=True)
    return pipe


def quiet_libraries() -> None:
    """Keep diffusers' and transformers' progress bars and notices off a command's output."""
    for library in (diffusers_logging, transformers_logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


def _own_code(path: Path) -> Iterator[str]:
    """What in a model's folder would have its own code run: Python files, and configurations that name foreign classes."""
    for file in path.rglob("*.py"):
        yield f"the file {file.relative_to(path)}"
    for file in path.rglob("*.json"):
        if file.name.endswith(("config.json", "model_index.json")):
            value = _json(file)
            if isinstance(value, dict) and "auto_map" in value:
                yield f"the classes that `auto_map` in {file.relative_to(path)} names"
    index = _json(path / "model_index.json")
    for name, value in index.items() if isinstance(index, dict) else ():
        if isinstance(value, list) and value:
            module = value[0]
            shipped = module in _LIBRARIES or (isinstance(module, str) and hasattr(pipelines, module))
            if name == "_class_name" or not (module is None or shipped):
                yield f"the component {name} from {module}" if name != "_class_name" else f"the pipeline from {module}"


def _first_sentence(error: Exception) -> str:
    """What went wrong, without the advice that follows: it names options that are not offered here."""
    return str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")


def _json(file: Path) -> Any:
    """A configuration's content; None where there is none to read, which is for the loading itself to report."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
