"""What a tiny pipeline of a class is: how it is built, and one call that it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diffusers import DiffusionPipeline


@dataclass(frozen=True)
class Tiny:
    """A pipeline of random weights, built from configuration: what it paints is noise of at least 256 x 256 px.

    `build` is given an empty folder, for the vocabularies of tokenizers. `call` holds the arguments of one call, without
    a generator and with as few steps as the pipeline takes. `said` is what a governed call says beside that, where
    nothing else tells how large the outcome will be. `made` counts what one call makes, of each kind of medium.
    `refused` is a word of the reason why `govern` refuses the class, where it does.
    """

    build: Callable[[Path], DiffusionPipeline]
    call: Mapping[str, Any] = field(default_factory=dict)
    media: tuple[str, ...] = ("image",)
    made: int = 1
    refused: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict)

    def quiet(self, folder: Path) -> DiffusionPipeline:
        """The pipeline, which shows no bars."""
        folder.mkdir(parents=True, exist_ok=True)
        pipe = self.build(folder)
        pipe.set_progress_bar_config(disable=True)
        return pipe
