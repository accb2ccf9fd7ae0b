"""The parts of a pipeline that a trainer uses: pictures to latents, texts to embeddings, noise; each checked before it is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel

from governance.errors import TrainingError
from governance_adapters.training.examples import Example

_BATCH: Final = 16
"""Pictures or texts that are encoded at a time."""
_TARGETS: Final = ("epsilon", "v_prediction", "sample")


def check_trainable(pipe: Any) -> None:
    """Refuse a pipeline that these trainers do not know: they know one UNet, one autoencoder and one text encoder.

    Raises:
        TrainingError: it is another kind, is governed, is not in single precision, or has adapters loaded.
    """
    unet: Any = getattr(pipe, "unet", None)
    vae: Any = getattr(pipe, "vae", None)
    if getattr(type(pipe), "governed", False):
        raise TrainingError("A governed pipeline cannot be trained.", remedy="Train it before it is governed.")
    fits = isinstance(unet, UNet2DConditionModel) and isinstance(vae, AutoencoderKL) and hasattr(pipe, "encode_prompt")
    if not fits or unet.config.addition_embed_type is not None or hasattr(pipe, "text_encoder_2"):
        raise TrainingError(
            f"These trainers do not know a {type(pipe).__name__}.",
            remedy="They know pipelines of the Stable Diffusion 1 and 2 kind. For any other, write the loop yourself inside "
            "`govern_training`, and feed it with `run.records()`.",
        )
    if unet.dtype != torch.float32:
        raise TrainingError(f"The base is loaded as {unet.dtype}.", remedy="Load it in float32 to train.")
    if getattr(unet, "peft_config", None):
        raise TrainingError("The base has an adapter loaded.", remedy="Load the base alone.")


def side_of(pipe: Any) -> int:
    """The side in pixels of the pictures that the pipeline was made for."""
    return int(pipe.unet.config.sample_size) * int(2 ** (len(pipe.vae.config.block_out_channels) - 1))


@torch.no_grad()
def latents_of(pipe: Any, examples: Sequence[Example]) -> torch.Tensor:
    """The latents of the examples' pictures, scaled as the UNet reads them: shape (n, channels, side, side)."""
    found = []
    for start in range(0, len(examples), _BATCH):
        pixels = np.stack([example.pixels for example in examples[start : start + _BATCH]])
        scaled = torch.from_numpy(pixels).to(pipe.device, pipe.vae.dtype).permute(0, 3, 1, 2) / 127.5 - 1.0
        found.append(pipe.vae.encode(scaled).latent_dist.mean)
    shift = getattr(pipe.vae.config, "shift_factor", None) or 0.0
    scaled_by = float(pipe.vae.config.scaling_factor)
    return (torch.cat(found) - shift) * scaled_by


@torch.no_grad()
def embeddings_of(pipe: Any, texts: Sequence[str]) -> torch.Tensor:
    """The embeddings of texts, one row of tokens each: shape (n, tokens, width)."""
    found = []
    for start in range(0, len(texts), _BATCH):
        embedded, _ = pipe.encode_prompt(list(texts[start : start + _BATCH]), pipe.device, 1, False)
        found.append(embedded)
    return torch.cat(found)


class Noise:
    """The noise of a pipeline's own schedule, and what its UNet is to predict."""

    def __init__(self, pipe: Any) -> None:
        """Raises TrainingError where the schedule predicts something that is not known here."""
        kind: Any = DDPMScheduler
        self._schedule = kind.from_config(pipe.scheduler.config)
        self.steps = int(self._schedule.config.num_train_timesteps)
        self._predicts = str(self._schedule.config.prediction_type)
        if self._predicts not in _TARGETS:
            raise TrainingError(
                f"A schedule that predicts {self._predicts!r} is not known here.",
                remedy=f"Known are {', '.join(_TARGETS)}.",
            )

    def added(self, clean: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """`clean` with `noise` of the steps `times`, and the target of the prediction."""
        noisy = self._schedule.add_noise(clean, noise, times)
        if self._predicts == "v_prediction":
            return noisy, self._schedule.get_velocity(clean, noise, times)
        return noisy, noise if self._predicts == "epsilon" else clean
