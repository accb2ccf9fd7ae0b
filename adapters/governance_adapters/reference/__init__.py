"""A small text-to-image model that ships with the package: coloured handwritten digits from a sentence.

It is a genuine latent diffusion pipeline of the Stable Diffusion kind (text encoder, denoiser, autoencoder,
tokenizer, scheduler), only small: asked for "a red seven on a blue background" it paints a picture of 256x256
pixels that shows one. It exists so that whatever handles such pipelines can be shown and tested for real,
offline and on any machine. `TRAINING.md` beside this file tells how it came about and what it cannot do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from governance.errors import ModelError

from .digits import DIGIT_WORDS, PALETTE, TEMPLATES, Subject, colour_pairs, prompt

if TYPE_CHECKING:
    import torch
    from diffusers import StableDiffusionPipeline

__all__ = [
    "DIGIT_WORDS",
    "PALETTE",
    "TEMPLATES",
    "Subject",
    "colour_pairs",
    "load_reference_pipeline",
    "model_path",
    "prompt",
]


def model_path() -> Path:
    """The folder of the shipped pipeline.

    Raises:
        ModelError: the package was installed without it.
    """
    folder = Path(__file__).resolve().parent / "weights"
    if not (folder / "model_index.json").is_file():
        raise ModelError(
            "The reference model is not installed.", remedy="Install the wheel, or run `make reference` in a checkout."
        )
    return folder


def load_reference_pipeline(*, dtype: torch.dtype | None = None) -> StableDiffusionPipeline:
    """Load the shipped pipeline from its folder, never from the network.

    The weights lie on disk in half precision and are loaded as `dtype`, float32 where none is given. No safety checker
    is part of it, and its progress bar is off.

    Raises:
        ModelError: the weights are not installed.
        ImportError: the extra `diffusers` is not installed.
    """
    import torch
    from diffusers import StableDiffusionPipeline

    kind: Any = StableDiffusionPipeline
    pipe = kind.from_pretrained(
        model_path(),
        dtype=dtype or torch.float32,
        local_files_only=True,
        use_safetensors=True,
        safety_checker=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    loaded: StableDiffusionPipeline = pipe
    return loaded
