"""Tiny instances of the pipelines of Stable Diffusion 3."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    SD3ControlNetModel,
    SD3Transformer2DModel,
    StableDiffusion3ControlNetInpaintingPipeline,
    StableDiffusion3ControlNetPipeline,
    StableDiffusion3Img2ImgPipeline,
    StableDiffusion3InpaintPipeline,
    StableDiffusion3PAGPipeline,
    StableDiffusion3Pipeline,
)

from support.tiny_pipelines import autoencoders, encoders, spelling
from support.tiny_pipelines.given import MASK, PICTURE
from support.tiny_pipelines.instance import Tiny

_SIZES = {
    "sample_size": 32,
    "patch_size": 2,
    "num_layers": 1,
    "attention_head_dim": 8,
    "num_attention_heads": 4,
    "joint_attention_dim": 32,
    "caption_projection_dim": 32,
    "pooled_projection_dim": 64,
    "pos_embed_max_size": 32,
}


def _built(
    pipeline: type[DiffusionPipeline], folder: Path, *, extra: int | None = None, **more: Any
) -> DiffusionPipeline:
    torch.manual_seed(0)
    if extra is not None:
        more["controlnet"] = SD3ControlNetModel(
            **_SIZES, in_channels=16, out_channels=16, extra_conditioning_channels=extra
        )
    return pipeline(
        transformer=SD3Transformer2DModel(**_SIZES, in_channels=16, out_channels=16),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoders.flow_pictures(16),
        text_encoder=encoders.clip_projected(),
        tokenizer=spelling.clip(folder, "tokenizer"),
        text_encoder_2=encoders.clip_projected(),
        tokenizer_2=spelling.clip(folder, "tokenizer_2"),
        text_encoder_3=encoders.t5(),
        tokenizer_3=spelling.t5(),
        **more,
    )


_ASKED = {"prompt": "a red fox", "num_inference_steps": 1, "height": 256, "width": 256, "max_sequence_length": 16}
_PAINTED_OVER = {"strength": 1.0, "image": PICTURE}

TINY = {
    "StableDiffusion3Pipeline": Tiny(
        partial(_built, StableDiffusion3Pipeline), _ASKED | {"prompt_3": "a blue fox", "negative_prompt": "fog"}
    ),
    "StableDiffusion3Img2ImgPipeline": Tiny(partial(_built, StableDiffusion3Img2ImgPipeline), _ASKED | _PAINTED_OVER),
    "StableDiffusion3InpaintPipeline": Tiny(
        partial(_built, StableDiffusion3InpaintPipeline), _ASKED | _PAINTED_OVER | {"mask_image": MASK}
    ),
    "StableDiffusion3PAGPipeline": Tiny(
        partial(_built, StableDiffusion3PAGPipeline, pag_applied_layers="blocks.0"), _ASKED
    ),
    "StableDiffusion3ControlNetPipeline": Tiny(
        partial(_built, StableDiffusion3ControlNetPipeline, extra=0), _ASKED | {"control_image": PICTURE}
    ),
    "StableDiffusion3ControlNetInpaintingPipeline": Tiny(
        partial(_built, StableDiffusion3ControlNetInpaintingPipeline, extra=1),
        _ASKED | {"control_image": PICTURE, "control_mask": MASK},
    ),
}
