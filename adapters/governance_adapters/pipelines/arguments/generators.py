"""The caller's random generators: run on private clones, moved on only when the pipeline ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from governance.errors import RequestError

_SEEDS = 2**64


@dataclass(frozen=True, slots=True)
class CallerGenerators:
    """Generators that a call was given: none, one for all images, or one per image; and their states before the call.

    Whatever happens to the caller's generators meanwhile, `clones()` start from the recorded states.
    """

    originals: tuple[torch.Generator, ...] = ()
    states: tuple[torch.Tensor, ...] = ()

    @classmethod
    def read(cls, value: Any, images: int) -> CallerGenerators:
        """Read what was given as `generator`.

        Raises:
            RequestError: not generators, not 1 or `images` of them, or the same one twice.
        """
        originals = () if value is None else tuple(value) if isinstance(value, (list, tuple)) else (value,)
        fits = value is None or len(originals) in (1, images)
        if not fits or not all(type(generator) is torch.Generator for generator in originals):
            raise RequestError(
                "`generator` must be one torch.Generator, or a list of one per image.",
                remedy=f"Give 1 or {images} generators, or none.",
            )
        if len({id(generator) for generator in originals}) != len(originals):
            raise RequestError(
                "The same generator stands twice in `generator`, so no image has a state of its own to record.",
                remedy="Give that generator alone, or a different one per image.",
            )
        return cls(originals, tuple(generator.get_state() for generator in originals))

    @property
    def recorded(self) -> tuple[bytes, ...]:
        """The states as bytes."""
        return tuple(state.cpu().numpy().tobytes() for state in self.states)

    @property
    def seeds(self) -> tuple[int, ...]:
        """What each generator was first seeded with, 0 <= seed < 2^64."""
        return tuple(clone.initial_seed() % _SEEDS for clone in self.clones())

    def clones(self) -> list[torch.Generator]:
        """Fresh generators in the recorded states, each on its original's device."""
        return [
            torch.Generator(original.device).set_state(state)
            for original, state in zip(self.originals, self.states, strict=True)
        ]

    def advance(self, used: Sequence[torch.Generator]) -> None:
        """Bring the caller's generators to where the clones `used` have come to."""
        for original, clone in zip(self.originals, used, strict=True):
            original.set_state(clone.get_state())
