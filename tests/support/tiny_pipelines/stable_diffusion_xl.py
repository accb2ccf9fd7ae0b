"""Stable Diffusion XL, and what was made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffusers import DiffusionPipeline, DPMSolverMultistepScheduler

from support.tiny_pipelines import parts
from support.tiny_pipelines.instance import Tiny
from support.tiny_pipelines.stable_diffusion import EDIT, PAINT, SEEN, WORDS, with_ip_adapter

# What the second encoder's words and the picture's sizes add to a denoiser or a control network of SDXL.
CONDITIONS = {
    "cross_attention_dim": 2 * parts.WIDTH,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 6 * 8 + parts.WIDTH,
}
PAINT_XL = PAINT | {"num_inference_steps": 2}


def stable_xl(name: str, folder: Path, *, unet: dict[str, Any] | None = None, **other: Any) -> DiffusionPipeline:
    """A pipeline of the parts of SDXL; `unet` changes the denoiser's configuration, `other` the parts."""
    return parts.put_together(
        name,
        **{
            "vae": parts.vae(),
            "text_encoder": parts.clip_text(),
            "text_encoder_2": parts.clip_text_projected(),
            "tokenizer": parts.clip_tokenizer(folder),
            "tokenizer_2": parts.clip_tokenizer(folder, "tokenizer_2"),
            "unet": parts.unet(**CONDITIONS, **(unet or {})),
            "scheduler": parts.scheduler(),
            "image_encoder": None,
            "feature_extractor": None,
            "add_watermarker": False,
        }
        | other,
    )


def built_xl(name: str, unet: dict[str, Any] | None = None, **other: Callable[[], Any]) -> Callable[[Path], Any]:
    """How a pipeline of `name` is built: `other` makes the parts that are not those of SDXL."""
    return lambda folder: stable_xl(name, folder, unet=unet, **{key: make() for key, make in other.items()})


TINY = {
    "StableDiffusionXLPipeline": Tiny(built_xl("StableDiffusionXLPipeline"), WORDS),
    "StableDiffusionXLPipeline+ip_adapter": Tiny(
        lambda folder: with_ip_adapter(built_xl("StableDiffusionXLPipeline", **SEEN)(folder)),
        WORDS | {"ip_adapter_image": parts.SMALL},
    ),
    "StableDiffusionXLImg2ImgPipeline": Tiny(built_xl("StableDiffusionXLImg2ImgPipeline"), EDIT),
    "StableDiffusionXLInpaintPipeline": Tiny(
        built_xl("StableDiffusionXLInpaintPipeline", {"in_channels": 9}), PAINT_XL
    ),
    "StableDiffusionXLInstructPix2PixPipeline": Tiny(
        built_xl("StableDiffusionXLInstructPix2PixPipeline", {"in_channels": 8}), WORDS | {"image": parts.PICTURE}
    ),
    "StableDiffusionXLPAGPipeline": Tiny(built_xl("StableDiffusionXLPAGPipeline"), WORDS),
    "StableDiffusionXLPAGImg2ImgPipeline": Tiny(built_xl("StableDiffusionXLPAGImg2ImgPipeline"), EDIT),
    "StableDiffusionXLPAGInpaintPipeline": Tiny(built_xl("StableDiffusionXLPAGInpaintPipeline"), PAINT_XL),
    "LEditsPPPipelineStableDiffusionXL": Tiny(
        built_xl("LEditsPPPipelineStableDiffusionXL", scheduler=DPMSolverMultistepScheduler),
        {"editing_prompt": ["c"]},
        refused="before the call",
    ),
}
