"""Tiny instances of the pipelines of Flux 2."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLFlux2,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinInpaintPipeline,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)

from support.tiny_pipelines import encoders, spelling
from support.tiny_pipelines.given import MASK, PICTURE
from support.tiny_pipelines.instance import Tiny

LATENTS = 4

_READ = (0, 1, 2)
"""The layers of the text encoder that the transformer is told."""


def _autoencoder() -> AutoencoderKLFlux2:
    torch.manual_seed(0)
    return AutoencoderKLFlux2(
        block_out_channels=(8, 8, 8, 8), layers_per_block=1, latent_channels=LATENTS, norm_num_groups=4, sample_size=256
    ).eval()


def _built(pipeline: type[DiffusionPipeline], folder: Path) -> DiffusionPipeline:
    del folder
    torch.manual_seed(0)
    return pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=_autoencoder(),
        text_encoder=encoders.qwen3_with_head(),
        tokenizer=spelling.qwen(),
        transformer=Flux2Transformer2DModel(
            in_channels=4 * LATENTS,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=len(_READ) * encoders.WIDTH,
            timestep_guidance_channels=16,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
    )


_ASKED: dict[str, Any] = {
    "prompt": "a red fox",
    "num_inference_steps": 1,
    "height": 256,
    "width": 256,
    "max_sequence_length": 32,
    "text_encoder_out_layers": _READ,
}

TINY = {
    "Flux2KleinPipeline": Tiny(partial(_built, Flux2KleinPipeline), _ASKED | {"image": [PICTURE]}),
    "Flux2KleinInpaintPipeline": Tiny(
        partial(_built, Flux2KleinInpaintPipeline), _ASKED | {"image": PICTURE, "mask_image": MASK, "strength": 1.0}
    ),
}
