"""How much a call asks for: pictures, denoising steps over all stages, frames of each video."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch

from governance.errors import RequestError
from governance.facts import MAX_IMAGES
from governance.types import InputImage
from governance_adapters.pipelines.arguments.sizes import compression, configured, whole

PER_PROMPT: Final = ("num_images_per_prompt", "num_videos_per_prompt", "num_waveforms_per_prompt")
BATCH_SIZE: Final = "batch_size"
STEPS: Final = "num_inference_steps"
FRAMES: Final = ("num_frames", "frames", "video_length")
FRAME_COUNT: Final = "frame_count"
"""Our own argument for pipelines that do not say how many frames they make."""
_LEADING: Final = ("prompt", "prompt_embeds")
_OTHER_LEADERS: Final = ("class_labels", "image_embeds", "image_embeddings", "task_prompt", "content_prompt")
_PICTURES: Final = ("image", "example_image")
_BATCH_OF_PICTURES: Final = 4
"""Dimensions of an array of several pictures."""
_SCHEDULES: Final = ("timesteps", "sigmas")
_RESAMPLED: Final = "jump_n_sample"
"""How often a pipeline that goes back and forth goes over each stretch."""


def counted_images(keywords: Mapping[str, Any]) -> int:
    """How many pictures, videos or sounds a call makes: as many as it has prompts, times those of each.

    `keywords` are the arguments with the defaults of those left out. A list of prompts, or the rows of their embeddings, say
    how many there are; for a pipeline without prompts its pictures do.

    Raises:
        RequestError: a count that is none, or more than 1000.
    """
    images = _batch(keywords)
    counts = PER_PROMPT if _PICTURES[0] in keywords else (*PER_PROMPT, BATCH_SIZE)
    for name in counts:
        images *= whole(name, 1 if keywords.get(name) is None else keywords[name])
    if images > MAX_IMAGES:
        raise RequestError(f"{images} images are too many.", remedy=f"Ask for at most {MAX_IMAGES} a call.")
    return images


def _batch(keywords: Mapping[str, Any]) -> int:
    for name in _LEADING:
        if keywords.get(name) is not None:
            return _rows(keywords[name])
    texts = [name for name in keywords if "prompt" in name and "negative" not in name and "editing" not in name]
    most = max(
        (_rows(keywords[name]) for name in (*texts, *_OTHER_LEADERS) if keywords.get(name) is not None), default=1
    )
    if _LEADING[0] in keywords:
        return most
    return max((most, *(_pictures(keywords[name]) for name in _PICTURES if keywords.get(name) is not None)))


def _rows(value: Any) -> int:
    """How many a value stands for: a list of texts or tensors for each of them, a tensor for its rows."""
    if isinstance(value, (list, tuple)):
        return 1 if any(isinstance(item, dict) for item in value) else max(1, len(value))
    return max(1, value.shape[0]) if isinstance(value, (torch.Tensor, np.ndarray)) and value.ndim else 1


def _pictures(value: Any) -> int:
    single = isinstance(value, (torch.Tensor, np.ndarray)) and value.ndim < _BATCH_OF_PICTURES
    return 1 if single else _rows(value)


def counted_steps(keywords: Mapping[str, Any]) -> int:
    """The denoising steps of all stages: some pipelines run a prior of their own, with steps or a schedule of its own.

    Raises:
        RequestError: steps that are none, or a pipeline that leaves it to itself how many it takes.
    """
    stages: dict[str, int] = {}
    for name, value in keywords.items():
        if STEPS in name and value is not None:
            stage = name.partition(STEPS)[0]
            stages[stage] = max(stages.get(stage, 0), sum(whole(name, each) for each in _each(value)))
    for name, value in keywords.items():
        schedule = next((each for each in _SCHEDULES if name.endswith(each)), None)
        if schedule and isinstance(value, (list, tuple, torch.Tensor, np.ndarray)):
            stage = name.removesuffix(schedule)
            stages[stage] = max(stages.get(stage, 0), _length(value))
    if not stages and STEPS in keywords:
        raise RequestError("The pipeline does not say how many steps it takes.", remedy=f"Give {STEPS}=.")
    return max(1, sum(stages.values())) * whole(_RESAMPLED, keywords.get(_RESAMPLED, 1))


def repeated_passes(pipe: Any) -> int:
    """How often the pipeline goes through all of its steps: several times once `enable_free_init()` was called on it.

    Raises:
        RequestError: a number of times that is none.
    """
    return whole("num_iters", getattr(pipe, "_free_init_num_iters", None) or 1)


def _each(value: Any) -> Iterable[Any]:
    return value if isinstance(value, (list, tuple)) else (value,)


def _length(value: Any) -> int:
    """How many numbers a schedule has, nested ones too."""
    if isinstance(value, (list, tuple)):
        return sum(map(_length, value))
    return int(np.prod(value.shape)) if isinstance(value, (torch.Tensor, np.ndarray)) else 1


def counted_frames(pipe: Any, keywords: Mapping[str, Any], inputs: Sequence[InputImage], said: Any = None) -> int:
    """How many frames each video has at most: as the call says, as many as the video it is given, or as the pipeline is made.

    Pipelines round to what their autoencoder can compress; the count is rounded up.

    Raises:
        RequestError: a count that is none, or nothing says how many there are.
    """
    if said is not None:
        return whole(FRAME_COUNT, said)
    asked = next((keywords[name] for name in FRAMES if keywords.get(name) is not None), None)
    if asked is None:
        asked = _of_video(inputs) or configured(pipe, "num_frames") or configured(pipe, "sample_frames")
    if asked is not None:
        count, step = whole("num_frames", asked), compression(pipe, "vae_scale_factor_temporal")
        return max(count, count // step * step + 1 if step > 1 else count)
    raise RequestError(
        f"{type(pipe).__name__} does not say how many frames it makes.",
        remedy=f"Say how many there are at most: {FRAME_COUNT}=.",
    )


def _of_video(inputs: Sequence[InputImage]) -> int:
    """The frames of the longest video among the inputs; 0 if there is none."""
    names = [each.parameter for each in inputs if "video" in each.parameter]
    return max(map(names.count, names), default=0)
