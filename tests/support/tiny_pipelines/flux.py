"""Tiny instances of the pipelines of Flux."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    FluxControlImg2ImgPipeline,
    FluxControlInpaintPipeline,
    FluxControlNetImg2ImgPipeline,
    FluxControlNetInpaintPipeline,
    FluxControlNetModel,
    FluxControlNetPipeline,
    FluxControlPipeline,
    FluxFillPipeline,
    FluxImg2ImgPipeline,
    FluxInpaintPipeline,
    FluxKontextInpaintPipeline,
    FluxKontextPipeline,
    FluxPipeline,
    FluxTransformer2DModel,
)

from support.tiny_pipelines import autoencoders, encoders, spelling
from support.tiny_pipelines.given import MASK, PICTURE
from support.tiny_pipelines.instance import Tiny

LATENTS = 4

PACKED = 4 * LATENTS
"""Channels of a token: of 2 x 2 latents."""

_SIZES = {
    "num_layers": 1,
    "num_single_layers": 1,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 32,
    "pooled_projection_dim": 32,
    "axes_dims_rope": (4, 4, 8),
}


def _built(
    pipeline: type[DiffusionPipeline], folder: Path, *, read: int = PACKED, controlled: bool = False
) -> DiffusionPipeline:
    """A pipeline whose transformer reads `read` channels a token."""
    torch.manual_seed(0)
    more: dict[str, Any] = {}
    if controlled:
        more["controlnet"] = FluxControlNetModel(in_channels=PACKED, **_SIZES)
    return pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoders.flow_pictures(LATENTS),
        text_encoder=encoders.clip(),
        tokenizer=spelling.clip(folder),
        text_encoder_2=encoders.t5(),
        tokenizer_2=spelling.t5(),
        transformer=FluxTransformer2DModel(in_channels=read, out_channels=PACKED, **_SIZES),
        **more,
    )


_ASKED = {"prompt": "a red fox", "num_inference_steps": 1, "height": 256, "width": 256, "max_sequence_length": 16}
_FROM = {"image": PICTURE, "strength": 1.0}
_OVER = {**_FROM, "mask_image": MASK}
_AFTER = {"control_image": PICTURE}
_FILLED = 2 * PACKED + 8 * 8 * 4
"""Channels of a token that holds the masked picture and the mask too."""

TINY = {
    "FluxPipeline": Tiny(
        partial(_built, FluxPipeline),
        _ASKED | {"negative_prompt": "fog", "true_cfg_scale": 2.0, "prompt_2": "a blue fox"},
    ),
    "FluxImg2ImgPipeline": Tiny(partial(_built, FluxImg2ImgPipeline), _ASKED | _FROM),
    "FluxInpaintPipeline": Tiny(partial(_built, FluxInpaintPipeline), _ASKED | _OVER),
    "FluxFillPipeline": Tiny(partial(_built, FluxFillPipeline, read=_FILLED), _ASKED | _OVER),
    "FluxControlPipeline": Tiny(partial(_built, FluxControlPipeline, read=2 * PACKED), _ASKED | _AFTER),
    "FluxControlImg2ImgPipeline": Tiny(
        partial(_built, FluxControlImg2ImgPipeline, read=2 * PACKED), _ASKED | _FROM | _AFTER
    ),
    "FluxControlInpaintPipeline": Tiny(
        partial(_built, FluxControlInpaintPipeline, read=2 * PACKED), _ASKED | _OVER | _AFTER
    ),
    "FluxControlNetPipeline": Tiny(partial(_built, FluxControlNetPipeline, controlled=True), _ASKED | _AFTER),
    "FluxControlNetImg2ImgPipeline": Tiny(
        partial(_built, FluxControlNetImg2ImgPipeline, controlled=True), _ASKED | _FROM | _AFTER
    ),
    "FluxControlNetInpaintPipeline": Tiny(
        partial(_built, FluxControlNetInpaintPipeline, controlled=True), _ASKED | _OVER | _AFTER
    ),
    "FluxKontextPipeline": Tiny(
        partial(_built, FluxKontextPipeline),
        _ASKED | {"image": PICTURE, "max_area": 256 * 256, "_auto_resize": False},
    ),
    "FluxKontextInpaintPipeline": Tiny(
        partial(_built, FluxKontextInpaintPipeline), _ASKED | _OVER | {"max_area": 256 * 256, "_auto_resize": False}
    ),
}
