"""DreamBooth: a LoRA that learns one subject under a name of its own, and keeps what the base knows of the class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from governance.canonical import Json
from governance.errors import TrainingError
from governance_adapters.training.examples import Example
from governance_adapters.training.latents import check_trainable, side_of

_STEPS: Final = 20
"""Denoising steps of a picture of the class."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is learnt: `instance` is the text for the subject, such as "a sks seven"; `kind` the text for its class, "a seven".

    `pictures` of the class are drawn by the base before it learns anything. Without any the prior is not kept.
    """

    instance: str
    kind: str = ""
    pictures: int = 0

    def __post_init__(self) -> None:
        """Raises TrainingError where a text is missing."""
        if not self.instance or (self.pictures and not self.kind) or not 0 <= self.pictures <= 10_000:
            raise TrainingError(
                "DreamBooth needs a text for the subject, and one for its class where pictures of it are drawn.",
                remedy="Give the instance prompt, and with pictures of the class (at most 10000) the class prompt.",
            )

    def as_json(self) -> dict[str, Json]:
        """As a run records it."""
        return {"instance": self.instance, "kind": self.kind, "pictures": self.pictures}


def drawn_prior(pipe: Any, subject: Subject, *, seed: int) -> Sequence[Example]:
    """Pictures of the subject's class that the base draws, each from a seed of its own; they never leave the process.

    Raises:
        TrainingError: the pipeline is of a kind that is not known here.
    """
    check_trainable(pipe)
    side = side_of(pipe)
    found = []
    for number in range(subject.pictures):
        random = torch.Generator().manual_seed((seed + 1_000_003 * (number + 1)) % 2**63)
        with torch.no_grad():
            drawn = pipe(
                subject.kind, height=side, width=side, num_inference_steps=_STEPS, generator=random, output_type="np"
            )
        found.append(Example(subject.kind, np.rint(drawn.images[0] * 255.0).astype(np.uint8)))
    return found
