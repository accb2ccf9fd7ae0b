"""Writing a trained LoRA as the file that diffusers loads, and reading which weights a folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from governance.canonical import Digest, digest
from governance.errors import StorageError, TrainingError

WEIGHTS: Final = "pytorch_lora_weights.safetensors"
"""What diffusers calls the file of a LoRA."""

_TEXTS: Final = frozenset({".json", ".md", ".sig", ".txt"})
"""What may lie beside a LoRA: what no loader takes weights from."""


def save_lora(pipe: Any, name: str, folder: Path) -> Path:
    """Write the LoRA `name` of the UNet of `pipe` into `folder`, which must not have one; returns the file.

    Raises:
        TrainingError: there is one already, or no LoRA of this name.
        StorageError: the folder cannot be written.
    """
    from diffusers.utils import state_dict_utils
    from peft.utils import get_peft_model_state_dict

    file = folder / WEIGHTS
    if file.exists():
        raise TrainingError(f"{file} is there already.", remedy="Name another folder: results are never overwritten.")
    if name not in (getattr(pipe.unet, "peft_config", None) or {}):
        raise TrainingError(f"The pipeline has no LoRA {name!r}.", remedy="Train it first.")
    convert: Any = state_dict_utils.convert_state_dict_to_diffusers
    layers = convert(get_peft_model_state_dict(pipe.unet, adapter_name=name))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pipe.save_lora_weights(
            folder,
            unet_lora_layers={key: tensor.detach().cpu().contiguous() for key, tensor in layers.items()},
            weight_name=WEIGHTS,
        )
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written: {error.strerror or error}.", remedy="Name a folder of yours with room in it."
        ) from error
    return file


def weights_file(path: Path) -> Path:
    """The one safetensors file that `path` is, or that the folder `path` holds.

    Raises:
        TrainingError: there is none, or several.
    """
    files = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
    if len(files) != 1 or files[0].suffix != ".safetensors":
        raise TrainingError(
            f"{path} has {len(files)} files of weights, and the result of a run is one safetensors file.",
            remedy="Save the LoRA alone into a folder of its own, with `pipe.save_lora_weights`.",
        )
    return files[0]


def lone_weights(path: Path) -> Path:
    """The one safetensors file that `path` is or holds, in a folder that may be signed: nothing else there can be loaded.

    Raises:
        TrainingError: there is none, or there are several; or the folder, or one below it, holds other files than texts.
    """
    file = weights_file(path)
    others = sorted(each for each in file.parent.rglob("*") if each != file and not each.is_dir())
    if strange := [each for each in others if each.suffix.lower() not in _TEXTS]:
        raise TrainingError(
            f"{file.parent} holds {strange[0].relative_to(file.parent)} beside the LoRA, and would be signed with it.",
            remedy="Save the LoRA alone into a folder of its own, with `pipe.save_lora_weights`.",
        )
    return file


def file_digest(file: Path) -> Digest:
    """The SHA-256 of a file.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        return digest(file.read_bytes())
    except OSError as error:
        raise StorageError(
            f"{file} cannot be read: {error.strerror or error}.", remedy="Name the file that was trained."
        ) from error
