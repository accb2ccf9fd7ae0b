"""Tiny instances of the pipelines of Sana."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    SanaControlNetModel,
    SanaControlNetPipeline,
    SanaPAGPipeline,
    SanaPipeline,
    SanaSprintImg2ImgPipeline,
    SanaSprintPipeline,
    SanaTransformer2DModel,
    SCMScheduler,
)

from support.tiny_pipelines import autoencoders, encoders, spelling
from support.tiny_pipelines.given import PICTURE
from support.tiny_pipelines.instance import Tiny

_SIZES = {
    "in_channels": 4,
    "out_channels": 4,
    "num_layers": 1,
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "num_cross_attention_heads": 2,
    "cross_attention_head_dim": 16,
    "cross_attention_dim": 32,
    "caption_channels": 32,
    "sample_size": 8,
}


def _built(
    pipeline: type[DiffusionPipeline], folder: Path, *, few_steps: bool = False, controlled: bool = False, **more: Any
) -> DiffusionPipeline:
    del folder
    torch.manual_seed(0)
    if controlled:
        more["controlnet"] = SanaControlNetModel(**_SIZES)
    guided = {"guidance_embeds": True, "qk_norm": "rms_norm_across_heads"} if few_steps else {}
    return pipeline(
        tokenizer=spelling.gemma(),
        text_encoder=encoders.gemma2(),
        vae=autoencoders.deep_pictures(),
        transformer=SanaTransformer2DModel(**_SIZES, **guided),
        scheduler=SCMScheduler() if few_steps else FlowMatchEulerDiscreteScheduler(),
        **more,
    )


_ASKED = {
    "prompt": "a red fox",
    "num_inference_steps": 2,
    "height": 256,
    "width": 256,
    "max_sequence_length": 16,
    "use_resolution_binning": False,
    "complex_human_instruction": None,
}

TINY = {
    "SanaPipeline": Tiny(partial(_built, SanaPipeline), _ASKED | {"negative_prompt": "fog"}),
    "SanaPAGPipeline": Tiny(
        partial(_built, SanaPAGPipeline, pag_applied_layers="transformer_blocks.0"), _ASKED | {"pag_scale": 1.0}
    ),
    "SanaControlNetPipeline": Tiny(
        partial(_built, SanaControlNetPipeline, controlled=True), _ASKED | {"control_image": PICTURE}
    ),
    "SanaSprintPipeline": Tiny(partial(_built, SanaSprintPipeline, few_steps=True), _ASKED),
    "SanaSprintImg2ImgPipeline": Tiny(
        partial(_built, SanaSprintImg2ImgPipeline, few_steps=True),
        _ASKED | {"image": PICTURE, "strength": 1.0},
    ),
}
