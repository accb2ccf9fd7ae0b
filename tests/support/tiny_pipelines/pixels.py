"""Pipelines that denoise pixels: DeepFloyd IF and UnCLIP, each with its super resolution."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffusers import DDPMScheduler, DiffusionPipeline, UnCLIPScheduler
from diffusers.pipelines.deprecated.unclip.text_proj import UnCLIPTextProjModel

from support.tiny_pipelines import encoders, parts, spelling
from support.tiny_pipelines.instance import Tiny
from support.tiny_pipelines.kandinsky import prior_parts

# Cross attention that an attention mask belongs to.
SIMPLE = {
    "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
}
_LEVELS = {
    "block_out_channels": (8, 8, 16),
    "norm_num_groups": 4,
    "attention_head_dim": 4,
    "down_block_types": ("ResnetDownsampleBlock2D", "ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D", "ResnetUpsampleBlock2D"),
    "sample_size": parts.SIDE,
    "out_channels": 6,
    "encoder_hid_dim": encoders.WIDTH,
    "addition_embed_type": "text",
    "addition_embed_type_num_heads": 2,
}
ASKED = {"prompt": "a b", "num_inference_steps": 1}
EDIT = {"image": parts.PICTURE, "strength": 0.6, "num_inference_steps": 2}
SHARPEN = {"image": parts.SMALL}
STEPS = {"decoder_num_inference_steps": 2, "super_res_num_inference_steps": 2}


def floyd(name: str, *, larger: bool) -> Callable[[Path], DiffusionPipeline]:
    """DeepFloyd IF; the `larger` ones are shown a small picture beside the noise."""

    def build(_: Path) -> DiffusionPipeline:
        shown = {"in_channels": 6, "class_embed_type": "timestep"} if larger else {"in_channels": 3}
        return parts.put_together(
            name,
            tokenizer=spelling.t5(77),
            text_encoder=encoders.t5(),
            unet=parts.unet(**_LEVELS, **shown),
            scheduler=DDPMScheduler(variance_type="learned_range"),
            image_noising_scheduler=DDPMScheduler(),
            safety_checker=None,
            feature_extractor=None,
            watermarker=None,
            requires_safety_checker=False,
        )

    return build


def _unclip(name: str) -> Callable[[Path], DiffusionPipeline]:
    def build(folder: Path) -> DiffusionPipeline:
        made = prior_parts(folder)
        sharper = parts.plain_unet(in_channels=6, out_channels=3)
        return parts.put_together(
            name,
            prior=made["prior"],
            image_encoder=made["image_encoder"],
            feature_extractor=made["image_processor"],
            text_encoder=made["text_encoder"],
            tokenizer=made["tokenizer"],
            decoder=parts.unet(**SIMPLE, in_channels=3, out_channels=6, sample_size=32, class_embed_type="identity"),
            text_proj=parts.seeded(
                UnCLIPTextProjModel,
                clip_embeddings_dim=parts.WIDTH,
                time_embed_dim=64,
                cross_attention_dim=parts.WIDTH,
            ),
            super_res_first=sharper,
            super_res_last=parts.plain_unet(in_channels=6, out_channels=3),
            prior_scheduler=made["scheduler"],
            decoder_scheduler=UnCLIPScheduler(variance_type="learned_range", prediction_type="epsilon"),
            super_res_scheduler=UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="epsilon"),
        )

    return build


_FLOYD: dict[str, dict[str, Any]] = {
    "IFPipeline": ASKED,
    "IFImg2ImgPipeline": ASKED | EDIT,
    "IFInpaintingPipeline": ASKED | EDIT | {"mask_image": parts.MASK},
}
_FLOYD_LARGER: dict[str, dict[str, Any]] = {
    "IFSuperResolutionPipeline": ASKED | SHARPEN,
    "IFImg2ImgSuperResolutionPipeline": ASKED | EDIT | SHARPEN | {"original_image": parts.PICTURE},
    "IFInpaintingSuperResolutionPipeline": ASKED
    | EDIT
    | SHARPEN
    | {"original_image": parts.PICTURE, "mask_image": parts.MASK},
}

TINY = (
    {name: Tiny(floyd(name, larger=False), call) for name, call in _FLOYD.items()}
    | {name: Tiny(floyd(name, larger=True), call) for name, call in _FLOYD_LARGER.items()}
    | {
        "UnCLIPPipeline": Tiny(_unclip("UnCLIPPipeline"), {"prompt": "a b", "prior_num_inference_steps": 2} | STEPS),
        "UnCLIPImageVariationPipeline": Tiny(_unclip("UnCLIPImageVariationPipeline"), {"image": parts.PICTURE} | STEPS),
    }
)
