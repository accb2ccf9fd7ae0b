"""What tiny pipelines are put together from: encoders, autoencoders, denoisers of a few thousand random weights.

Autoencoders make pictures sixteen times larger than their latents, so that 256 px cost a denoiser 16 x 16.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    DiffusionPipeline,
    UNet2DConditionModel,
    UNet2DModel,
)
from PIL import Image
from transformers import (
    CLIPImageProcessorPil,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from governance.testing import example_picture
from support.tiny import tokenizer as letters

SIDE = 256
FACTOR = 16
WIDTH = 32
PICTURE = Image.fromarray(example_picture(SIDE, SIDE))
SMALL = PICTURE.resize((64, 64))
MASK = Image.fromarray((np.asarray(PICTURE)[..., 0] > 128).astype(np.uint8) * 255)


def put_together(name: str, **parts: Any) -> DiffusionPipeline:
    """A pipeline of the class `name` of diffusers, given those of `parts` that its constructor takes."""
    kind = getattr(diffusers, name)
    taken = inspect.signature(kind.__init__).parameters
    return kind(**{key: part for key, part in parts.items() if key in taken})


def seeded(build: Callable[..., Any], *given: Any, **more: Any) -> Any:
    """What `build` makes, with weights that are the same at every time."""
    torch.manual_seed(0)
    made = build(*given, **more)
    return made.eval() if isinstance(made, torch.nn.Module) else made


def clip_tokenizer(folder: Path, name: str = "tokenizer") -> CLIPTokenizer:
    """A CLIP tokenizer of single letters."""
    return letters(folder / name)


def _text_config(**changed: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        **{
            "vocab_size": 60,
            "hidden_size": WIDTH,
            "intermediate_size": 37,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "projection_dim": WIDTH,
            "bos_token_id": 52,
            "eos_token_id": 53,
            "pad_token_id": 53,
        }
        | changed
    )


def clip_text(**changed: Any) -> CLIPTextModel:
    """A CLIP text encoder of two layers."""
    return seeded(CLIPTextModel, _text_config(**changed))


def clip_text_projected(**changed: Any) -> CLIPTextModelWithProjection:
    """The same with a projection, as the second encoder of SDXL."""
    return seeded(CLIPTextModelWithProjection, _text_config(**changed))


def clip_vision(**changed: Any) -> CLIPVisionModelWithProjection:
    """A CLIP image encoder of 32 px pictures."""
    config = CLIPVisionConfig(
        **{
            "hidden_size": WIDTH,
            "intermediate_size": 37,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "projection_dim": WIDTH,
            "image_size": 32,
            "patch_size": 8,
        }
        | changed
    )
    return seeded(CLIPVisionModelWithProjection, config)


def clip_pictures() -> CLIPImageProcessorPil:
    """What prepares pictures for `clip_vision`."""
    return CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


def vae(factor: int = FACTOR, channels: int = 4, **changed: Any) -> AutoencoderKL:
    """An autoencoder whose latents are `factor` times smaller than the picture."""
    levels = factor.bit_length()
    return seeded(
        AutoencoderKL,
        **{
            "block_out_channels": (8,) * levels,
            "norm_num_groups": 2,
            "down_block_types": ("DownEncoderBlock2D",) * levels,
            "up_block_types": ("UpDecoderBlock2D",) * levels,
            "latent_channels": channels,
        }
        | changed,
    )


def unet(**changed: Any) -> UNet2DConditionModel:
    """A denoiser of 16 x 16 latents with cross attention in its lower level."""
    return seeded(
        UNet2DConditionModel,
        **{
            "sample_size": SIDE // FACTOR,
            "block_out_channels": (16, 32),
            "layers_per_block": 1,
            "norm_num_groups": 8,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "cross_attention_dim": WIDTH,
            "attention_head_dim": 8,
        }
        | changed,
    )


def plain_unet(**changed: Any) -> UNet2DModel:
    """A denoiser without conditions."""
    return seeded(
        UNet2DModel,
        **{
            "sample_size": SIDE,
            "block_out_channels": (8, 8, 8),
            "layers_per_block": 1,
            "norm_num_groups": 4,
            "down_block_types": ("DownBlock2D",) * 3,
            "up_block_types": ("UpBlock2D",) * 3,
            "attention_head_dim": 4,
            "add_attention": False,
        }
        | changed,
    )


def controlnet(**changed: Any) -> ControlNetModel:
    """A control network beside `unet`, for control pictures sixteen times larger than the latents."""
    return seeded(
        ControlNetModel,
        **{
            "block_out_channels": (16, 32),
            "layers_per_block": 1,
            "norm_num_groups": 8,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "cross_attention_dim": WIDTH,
            "attention_head_dim": 8,
            "conditioning_embedding_out_channels": (8, 8, 8, 8, 8),
        }
        | changed,
    )


def scheduler() -> DDIMScheduler:
    """The scheduler that Stable Diffusion takes here."""
    return DDIMScheduler(clip_sample=False, steps_offset=1)
