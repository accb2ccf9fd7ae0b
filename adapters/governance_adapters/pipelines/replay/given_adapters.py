"""LoRA files that somebody says were in force: put on a loaded pipeline under the names and scales of the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance.errors import ConfigurationError, ModelError

_SAFE = ".safetensors"


@dataclass(frozen=True, slots=True)
class GivenAdapter:
    """A LoRA file, and its scale; None for the recorded one."""

    path: Path
    scale: float | None = None

    @classmethod
    def parse(cls, text: str) -> GivenAdapter:
        """`FILE`, or `FILE=SCALE`.

        Raises:
            ConfigurationError: no safetensors file, or a scale that is no number.
        """
        name, equals, scale = text.rpartition("=")
        path = Path(name if equals else text)
        if path.suffix != _SAFE or not path.is_file():
            raise ConfigurationError(
                f"{path} is no safetensors file.",
                remedy="Give --lora FILE, or --lora FILE=SCALE; pickled ones run code.",
            )
        try:
            return cls(path, float(scale) if equals else None)
        except ValueError as error:
            raise ConfigurationError(f"{scale!r} is no scale.", remedy="Give a number, such as 0.8.") from error


def put_on(pipe: Any, given: Sequence[GivenAdapter], recorded: Sequence[Mapping[str, Any]]) -> Any:
    """`pipe` with the `given` LoRA files on it, named as the `recorded` adapters are, in their order.

    Raises:
        ModelError: a file does not fit the pipeline.
    """
    names = list(dict.fromkeys(str(each["name"]).partition("/")[2] for each in recorded))
    scales = {str(each["name"]).partition("/")[2]: each["scale_thousandths"] / 1000 for each in recorded}
    put: dict[str, float] = {}
    for number, adapter in enumerate(given):
        name = names[number] if number < len(names) else f"given_{number}"
        try:
            pipe.load_lora_weights(
                str(adapter.path.parent), weight_name=adapter.path.name, adapter_name=name, local_files_only=True
            )
        except Exception as error:  # diffusers and peft raise what they like: this file is no adapter of this pipeline
            raise ModelError(
                f"{adapter.path} cannot be put on this {type(pipe).__name__}: {type(error).__name__}: {error}.",
                remedy="Give the LoRA file that was in force.",
            ) from error
        put[name] = scales.get(name, 1.0) if adapter.scale is None else adapter.scale
    if put:
        pipe.set_adapters(list(put), list(put.values()))
    return pipe
