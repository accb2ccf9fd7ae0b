"""How fast what a pipeline makes is played: frames a second of a clip, samples a second of a sound."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from diffusers import DiffusionPipeline

from governance.errors import GenerationError, RequestError
from governance.media import MAX_FRAME_RATE, MAX_SAMPLE_RATE, can_be_written

FRAME_RATES: Final = ("frame_rate", "fps", "frames_per_second")
"""Arguments that say how many frames a second has: the pipelines' own, then ours."""
DEFAULT_FRAME_RATE: Final = 8000
"""Thousandths of frames a second, where nobody says."""
_HEARD: Final = ("vocoder", "audio_vae", "sound_tokenizer", "vae", "transformer", "unet")
"""The components that may know how many samples a second has, the last one before the loudspeaker first."""
_SAMPLE_RATES: Final = ("output_sampling_rate", "sampling_rate", "sample_rate", "audio_sampling_rate")


def frame_rate_of(arguments: Mapping[str, Any]) -> int:
    """The frame rate that the arguments of a call say, in thousandths of frames a second; 8,000 if they say none.

    Raises:
        RequestError: it is no number from 0.002 to 1000, or one that does not come back from a file.
    """
    said = next((arguments[name] for name in FRAME_RATES if arguments.get(name) is not None), None)
    if said is None:
        return DEFAULT_FRAME_RATE
    number = isinstance(said, (int, float)) and not isinstance(said, bool)
    rate = round(Decimal(repr(said)) * 1000) if number and 0 < said <= MAX_FRAME_RATE else 0
    if not can_be_written(rate):
        raise RequestError(
            f"{said!r} frames a second are none that can be written.",
            remedy="Give a number from 0.002 to 1000, in steps of 0.01 or not within 0.001 of one, such as 23.976.",
        )
    return rate


def sample_rate_of(pipe: DiffusionPipeline) -> int:
    """How many samples a second of the sounds of `pipe` has, in Hz.

    Raises:
        GenerationError: nothing says it.
    """
    places = [getattr(pipe, name, None) for name in _HEARD]
    for place in (*(getattr(each, "config", None) for each in places), *places, pipe):
        for name in _SAMPLE_RATES:
            rate = place.get(name) if isinstance(place, Mapping) else getattr(place, name, None)
            if type(rate) is int and 1 <= rate <= MAX_SAMPLE_RATE:
                return rate
    raise GenerationError(
        f"Nothing says how many samples a second of {type(pipe).__name__} has.",
        remedy="Load the pipeline with the configuration that its vocoder or autoencoder came with.",
    )
