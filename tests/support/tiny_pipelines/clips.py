"""Tiny instances of the clips' pipelines that are transformers: CogVideoX, LTX, Hunyuan, Mochi, Latte, EasyAnimate."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    AutoencoderKLHunyuanVideo,
    AutoencoderKLLTXVideo,
    AutoencoderKLMagvit,
    AutoencoderKLMochi,
    CogVideoXDDIMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
    CogVideoXVideoToVideoPipeline,
    DDIMScheduler,
    DiffusionPipeline,
    EasyAnimatePipeline,
    EasyAnimateTransformer3DModel,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoPipeline,
    HunyuanVideoTransformer3DModel,
    LattePipeline,
    LatteTransformer3DModel,
    LTXConditionPipeline,
    LTXImageToVideoPipeline,
    LTXPipeline,
    LTXVideoTransformer3DModel,
    MochiPipeline,
    MochiTransformer3DModel,
)

from support.tiny_pipelines import autoencoders, encoders, spelling
from support.tiny_pipelines.given import CLIP, PICTURE
from support.tiny_pipelines.instance import Tiny

_HEADS = {"num_attention_heads": 2, "attention_head_dim": 16}


def _cogvideo(pipeline: type[DiffusionPipeline], folder: Path, *, read: int = 4, **more: Any) -> DiffusionPipeline:
    del folder
    torch.manual_seed(0)
    return pipeline(
        tokenizer=spelling.t5(),
        text_encoder=encoders.t5(),
        vae=AutoencoderKLCogVideoX(
            block_out_channels=(4, 4, 4, 4),
            latent_channels=4,
            layers_per_block=1,
            norm_num_groups=1,
            temporal_compression_ratio=4,
            sample_height=256,
            sample_width=256,
        ).eval(),
        transformer=CogVideoXTransformer3DModel(
            **_HEADS,
            in_channels=read,
            out_channels=4,
            time_embed_dim=8,
            text_embed_dim=32,
            num_layers=1,
            sample_width=32,
            sample_height=32,
            sample_frames=5,
            max_text_seq_length=16,
            **more,
        ),
        scheduler=CogVideoXDDIMScheduler(),
    )


def _ltx(pipeline: type[DiffusionPipeline], folder: Path) -> DiffusionPipeline:
    del folder
    torch.manual_seed(0)
    return pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=AutoencoderKLLTXVideo(
            latent_channels=8,
            block_out_channels=(8, 8, 8, 8),
            decoder_block_out_channels=(8, 8, 8, 8),
            layers_per_block=(1, 1, 1, 1, 1),
            decoder_layers_per_block=(1, 1, 1, 1, 1),
        ).eval(),
        text_encoder=encoders.t5(),
        tokenizer=spelling.t5(),
        transformer=LTXVideoTransformer3DModel(
            **_HEADS, in_channels=8, out_channels=8, cross_attention_dim=32, num_layers=1, caption_channels=32
        ),
    )


def hunyuan_clips() -> AutoencoderKLHunyuanVideo:
    """The autoencoder of HunyuanVideo: latents 8 times smaller in space and 4 times in time."""
    torch.manual_seed(0)
    return AutoencoderKLHunyuanVideo(
        latent_channels=4, block_out_channels=(4, 4, 4, 4), layers_per_block=1, norm_num_groups=2
    ).eval()


def _hunyuan(folder: Path) -> HunyuanVideoPipeline:
    torch.manual_seed(0)
    return HunyuanVideoPipeline(
        text_encoder=encoders.llama(4),
        tokenizer=spelling.llama(),
        transformer=HunyuanVideoTransformer3DModel(
            **_HEADS,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            num_single_layers=1,
            num_refiner_layers=1,
            text_embed_dim=32,
            pooled_projection_dim=32,
            rope_axes_dim=(4, 4, 8),
        ),
        vae=hunyuan_clips(),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder_2=encoders.clip(),
        tokenizer_2=spelling.clip(folder),
    )


def _mochi(folder: Path) -> MochiPipeline:
    del folder
    torch.manual_seed(0)
    return MochiPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=AutoencoderKLMochi(
            latent_channels=4,
            encoder_block_out_channels=(32, 32, 32, 32),
            decoder_block_out_channels=(32, 32, 32, 32),
            layers_per_block=(0, 1, 1, 1, 0),
            latents_mean=None,
            latents_std=None,
        ).eval(),
        text_encoder=encoders.t5(),
        tokenizer=spelling.t5(),
        transformer=MochiTransformer3DModel(
            **_HEADS,
            num_layers=2,
            pooled_projection_dim=16,
            in_channels=4,
            text_embed_dim=32,
            time_embed_dim=8,
            max_sequence_length=16,
        ),
    )


def _latte(folder: Path) -> LattePipeline:
    del folder
    torch.manual_seed(0)
    return LattePipeline(
        tokenizer=spelling.t5(),
        text_encoder=encoders.t5(),
        vae=autoencoders.pictures(),
        transformer=LatteTransformer3DModel(
            **_HEADS,
            in_channels=4,
            out_channels=8,
            num_layers=1,
            cross_attention_dim=32,
            attention_bias=True,
            sample_size=32,
            patch_size=2,
            activation_fn="gelu-approximate",
            num_embeds_ada_norm=1000,
            norm_type="ada_norm_single",
            norm_elementwise_affine=False,
            caption_channels=32,
            video_length=4,
        ),
        scheduler=DDIMScheduler(),
    )


def _easyanimate(folder: Path) -> EasyAnimatePipeline:
    del folder
    torch.manual_seed(0)
    return EasyAnimatePipeline(
        vae=AutoencoderKLMagvit(
            latent_channels=4, block_out_channels=[4, 4, 4, 4], layers_per_block=1, norm_num_groups=2
        ).eval(),
        text_encoder=encoders.qwen_vl(),
        tokenizer=spelling.qwen(),
        transformer=EasyAnimateTransformer3DModel(
            **_HEADS,
            in_channels=4,
            out_channels=4,
            patch_size=2,
            sample_width=32,
            sample_height=32,
            num_layers=1,
            mmdit_layers=1,
            time_embed_dim=8,
            text_embed_dim=32,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


_SAID: dict[str, Any] = {"prompt": "a red fox runs", "num_inference_steps": 1}
_ASKED = _SAID | {"height": 256, "width": 256, "num_frames": 5}
_SHORT = {"max_sequence_length": 16}
_MADE = {"media": ("video",)}

TINY = {
    "CogVideoXPipeline": Tiny(partial(_cogvideo, CogVideoXPipeline), _ASKED | _SHORT | {"num_frames": 8}, **_MADE),
    "CogVideoXImageToVideoPipeline": Tiny(
        partial(
            _cogvideo,
            CogVideoXImageToVideoPipeline,
            read=8,
            use_rotary_positional_embeddings=True,
            use_learned_positional_embeddings=True,
        ),
        _ASKED | _SHORT | {"num_frames": 8, "image": PICTURE},
        **_MADE,
    ),
    "CogVideoXVideoToVideoPipeline": Tiny(
        partial(_cogvideo, CogVideoXVideoToVideoPipeline),
        _SAID | _SHORT | {"video": CLIP + CLIP[:3], "strength": 1.0, "height": 256, "width": 256},
        **_MADE,
    ),
    "LTXPipeline": Tiny(
        partial(_ltx, LTXPipeline), _ASKED | _SHORT | {"num_frames": 9, "negative_prompt": "fog"}, **_MADE
    ),
    "LTXImageToVideoPipeline": Tiny(
        partial(_ltx, LTXImageToVideoPipeline), _ASKED | _SHORT | {"num_frames": 9, "image": PICTURE}, **_MADE
    ),
    "LTXConditionPipeline": Tiny(
        partial(_ltx, LTXConditionPipeline), _ASKED | _SHORT | {"num_frames": 9, "image": PICTURE}, **_MADE
    ),
    "HunyuanVideoPipeline": Tiny(
        _hunyuan,
        _ASKED | _SHORT | {"prompt_template": {"template": "Describe: {}", "crop_start": 3}},
        **_MADE,
    ),
    "MochiPipeline": Tiny(_mochi, _ASKED | _SHORT | {"num_frames": 7, "num_inference_steps": 2}, **_MADE),
    "LattePipeline": Tiny(_latte, _SAID | {"height": 256, "width": 256, "video_length": 4}, **_MADE),
    "EasyAnimatePipeline": Tiny(_easyanimate, _ASKED | {"negative_prompt": "fog"}, **_MADE),
}
