"""Tiny instances of the pictures' pipelines whose text a language model reads: Lumina, CogView4, HiDream, Z-Image, Ovis."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    CogView4ControlPipeline,
    CogView4Pipeline,
    CogView4Transformer2DModel,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    HiDreamImagePipeline,
    HiDreamImageTransformer2DModel,
    Lumina2Pipeline,
    Lumina2Transformer2DModel,
    LuminaNextDiT2DModel,
    LuminaPipeline,
    OvisImagePipeline,
    OvisImageTransformer2DModel,
    PRXPipeline,
    PRXTransformer2DModel,
    ZImageControlNetModel,
    ZImageControlNetPipeline,
    ZImageImg2ImgPipeline,
    ZImageInpaintPipeline,
    ZImagePipeline,
    ZImageTransformer2DModel,
)

from support.tiny_pipelines import autoencoders, encoders, spelling
from support.tiny_pipelines.given import MASK, PICTURE
from support.tiny_pipelines.instance import Tiny

_HEADS = {"num_attention_heads": 2, "attention_head_dim": 16}


def _lumina(folder: Path) -> LuminaPipeline:
    del folder
    torch.manual_seed(0)
    return LuminaPipeline(
        transformer=LuminaNextDiT2DModel(
            sample_size=32,
            in_channels=4,
            hidden_size=32,
            num_layers=1,
            num_attention_heads=2,
            num_kv_heads=1,
            multiple_of=16,
            cross_attention_dim=32,
            ffn_dim_multiplier=1.0,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoders.pictures(),
        text_encoder=encoders.gemma(),
        tokenizer=spelling.gemma(),
    )


def _lumina2(folder: Path) -> Lumina2Pipeline:
    del folder
    torch.manual_seed(0)
    return Lumina2Pipeline(
        transformer=Lumina2Transformer2DModel(
            sample_size=32,
            in_channels=4,
            hidden_size=32,
            num_layers=1,
            num_refiner_layers=1,
            num_attention_heads=2,
            num_kv_heads=1,
            multiple_of=16,
            ffn_dim_multiplier=1.0,
            axes_dim_rope=(4, 4, 8),
            axes_lens=(256, 64, 64),
            cap_feat_dim=32,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoders.flow_pictures(),
        text_encoder=encoders.gemma2(),
        tokenizer=spelling.gemma(256),
    )


def _cogview4(pipeline: type[DiffusionPipeline], folder: Path, *, read: int = 4) -> DiffusionPipeline:
    del folder
    torch.manual_seed(0)
    return pipeline(
        tokenizer=spelling.byte_level(padding_side="left"),
        text_encoder=encoders.glm(),
        vae=autoencoders.pictures(),
        transformer=CogView4Transformer2DModel(
            **_HEADS,
            in_channels=read,
            out_channels=4,
            num_layers=1,
            text_embed_dim=32,
            time_embed_dim=32,
            condition_dim=8,
            sample_size=32,
            pos_embed_max_size=32,
            rope_axes_dim=(32, 32),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(base_shift=0.25, max_shift=0.75, use_dynamic_shifting=True),
    )


def _hidream(folder: Path) -> HiDreamImagePipeline:
    torch.manual_seed(0)
    return HiDreamImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoders.flow_pictures(factor=2),  # it always paints 128 * 128 latents
        text_encoder=encoders.clip_projected(),
        tokenizer=spelling.clip(folder, "tokenizer"),
        text_encoder_2=encoders.clip_projected(),
        tokenizer_2=spelling.clip(folder, "tokenizer_2"),
        text_encoder_3=encoders.t5(),
        tokenizer_3=spelling.t5(),
        text_encoder_4=encoders.llama_with_head(),
        tokenizer_4=spelling.llama(),
        transformer=HiDreamImageTransformer2DModel(
            **_HEADS,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            num_single_layers=1,
            caption_channels=[32, 32],
            text_emb_dim=64,
            num_routed_experts=2,
            num_activated_experts=1,
            axes_dims_rope=(4, 4, 8),
            max_resolution=(64, 64),
            llama_layers=[0, 1],
            force_inference_output=True,
        ),
    )


def _zimage(pipeline: type[DiffusionPipeline], folder: Path, *, controlled: bool = False) -> DiffusionPipeline:
    """A pipeline of Z-Image; the network that controls it shares layers with the one that it controls."""
    del folder
    torch.manual_seed(0)
    more: dict[str, Any] = {}
    if controlled:
        more["controlnet"] = ZImageControlNetModel(
            control_layers_places=[0], control_in_dim=4, dim=32, n_refiner_layers=1, n_heads=2, n_kv_heads=2
        )
    return pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoders.flow_pictures(),
        text_encoder=encoders.qwen3(),
        tokenizer=spelling.qwen(),
        transformer=ZImageTransformer2DModel(
            in_channels=4,
            dim=32,
            n_layers=1,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=32,
            axes_dims=[4, 4, 8],
            axes_lens=[256, 32, 32],
        ),
        **more,
    )


def _ovis(folder: Path) -> OvisImagePipeline:
    del folder
    torch.manual_seed(0)
    return OvisImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoders.flow_pictures(),
        text_encoder=encoders.qwen3(),
        tokenizer=spelling.qwen(),
        transformer=OvisImageTransformer2DModel(
            **_HEADS,
            in_channels=16,
            out_channels=16,
            num_layers=1,
            num_single_layers=1,
            joint_attention_dim=32,
            axes_dims_rope=(4, 4, 8),
        ),
    )


def _prx(folder: Path) -> PRXPipeline:
    del folder
    torch.manual_seed(0)
    return PRXPipeline(
        transformer=PRXTransformer2DModel(
            in_channels=4, context_in_dim=32, hidden_size=32, mlp_ratio=2.0, num_heads=2, depth=1, axes_dim=[8, 8]
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=encoders.gemma2(),
        tokenizer=spelling.gemma(),
        vae=autoencoders.flow_pictures(),
        default_sample_size=256,
    )


_ASKED: dict[str, Any] = {"prompt": "a red fox", "num_inference_steps": 1, "height": 256, "width": 256}
_SHORT = {"max_sequence_length": 32}
_FROM = {"image": PICTURE, "strength": 1.0}

TINY = {
    "LuminaPipeline": Tiny(_lumina, _ASKED | _SHORT | {"negative_prompt": "fog"}),
    "Lumina2Pipeline": Tiny(_lumina2, _ASKED | {"max_sequence_length": 64, "system_prompt": "You draw well."}),
    "CogView4Pipeline": Tiny(partial(_cogview4, CogView4Pipeline), _ASKED | _SHORT),
    "CogView4ControlPipeline": Tiny(
        partial(_cogview4, CogView4ControlPipeline, read=8), _ASKED | _SHORT | {"control_image": PICTURE}
    ),
    "HiDreamImagePipeline": Tiny(_hidream, _ASKED | _SHORT | {"prompt_4": "a blue fox"}),
    "ZImagePipeline": Tiny(partial(_zimage, ZImagePipeline), _ASKED | {"max_sequence_length": 64}),
    "ZImageControlNetPipeline": Tiny(
        partial(_zimage, ZImageControlNetPipeline, controlled=True),
        _ASKED | {"control_image": PICTURE, "max_sequence_length": 64},
    ),
    "ZImageImg2ImgPipeline": Tiny(
        partial(_zimage, ZImageImg2ImgPipeline), _ASKED | _FROM | {"max_sequence_length": 64}
    ),
    "ZImageInpaintPipeline": Tiny(
        partial(_zimage, ZImageInpaintPipeline), _ASKED | _FROM | {"mask_image": MASK, "max_sequence_length": 64}
    ),
    "OvisImagePipeline": Tiny(_ovis, _ASKED | {"max_sequence_length": 256}),
    "PRXPipeline": Tiny(_prx, _ASKED | {"use_resolution_binning": False, "skip_text_cleaning": True}),
}
