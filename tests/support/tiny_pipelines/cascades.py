"""Wuerstchen and Stable Cascade: a prior, a decoder of its embeddings, and both in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMWuerstchenScheduler, DiffusionPipeline, StableCascadeUNet
from diffusers.pipelines.deprecated.wuerstchen.modeling_paella_vq_model import PaellaVQModel
from diffusers.pipelines.deprecated.wuerstchen.modeling_wuerstchen_diffnext import WuerstchenDiffNeXt
from diffusers.pipelines.deprecated.wuerstchen.modeling_wuerstchen_prior import WuerstchenPrior

from support.tiny_pipelines import parts
from support.tiny_pipelines.instance import Tiny

CHANNELS = 4
# 256 px is 6 of a prior's embeddings, 64 of a decoder's latents.
EMBEDDED = {"image_embeddings": torch.randn(1, CHANNELS, 6, 6, generator=torch.Generator().manual_seed(0))}
ASKED = {"prompt": "a b", "num_inference_steps": 1}
WITH_PRIOR = ASKED | {"prior_num_inference_steps": 1, "height": parts.SIDE, "width": parts.SIDE}


def _vqgan() -> PaellaVQModel:
    return parts.seeded(PaellaVQModel, levels=2, bottleneck_blocks=1, embed_dim=8, num_vq_embeddings=32)


def _cascade_unet(**more: Any) -> StableCascadeUNet:
    return parts.seeded(
        StableCascadeUNet,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        timestep_ratio_embedding_dim=16,
        conditioning_dim=parts.WIDTH,
        block_out_channels=(16, 32),
        num_attention_heads=(2, 4),
        down_num_layers_per_block=(1, 1),
        up_num_layers_per_block=(1, 1),
        block_types_per_layer=(
            ("SDCascadeResBlock", "SDCascadeTimestepBlock"),
            ("SDCascadeResBlock", "SDCascadeTimestepBlock", "SDCascadeAttnBlock"),
        ),
        clip_text_pooled_in_channels=parts.WIDTH,
        dropout=(0.0, 0.0),
        **more,
    )


def _cascade(name: str, folder: Path) -> DiffusionPipeline:
    prior = _cascade_unet(clip_text_in_channels=parts.WIDTH, clip_image_in_channels=parts.WIDTH, switch_level=(False,))
    made = {
        "text_encoder": parts.clip_text_projected(),
        "tokenizer": parts.clip_tokenizer(folder),
        "scheduler": DDPMWuerstchenScheduler(),
    }
    return parts.put_together(
        name,
        decoder=_cascade_unet(effnet_in_channels=CHANNELS),
        vqgan=_vqgan(),
        prior=prior,
        prior_prior=prior,
        feature_extractor=parts.clip_pictures(),
        image_encoder=parts.clip_vision(),
        prior_feature_extractor=parts.clip_pictures(),
        prior_image_encoder=parts.clip_vision(),
        prior_text_encoder=parts.clip_text_projected(),
        prior_tokenizer=parts.clip_tokenizer(folder, "prior_tokenizer"),
        prior_scheduler=DDPMWuerstchenScheduler(),
        **made,
    )


def _wuerstchen(name: str, folder: Path) -> DiffusionPipeline:
    decoder = parts.seeded(
        WuerstchenDiffNeXt,
        c_cond=parts.WIDTH,
        c_hidden=[16, 16],
        nhead=[-1, 2],
        blocks=[1, 1],
        level_config=["CT", "CTA"],
        inject_effnet=[False, True],
        effnet_embd=CHANNELS,
        clip_embd=parts.WIDTH,
        patch_size=2,
        c_r=16,
        dropout=0.0,
    )
    prior = parts.seeded(
        WuerstchenPrior, c_in=CHANNELS, c=16, c_cond=parts.WIDTH, c_r=16, depth=1, nhead=2, dropout=0.0
    )
    return parts.put_together(
        name,
        tokenizer=parts.clip_tokenizer(folder),
        text_encoder=parts.clip_text(),
        decoder=decoder,
        scheduler=DDPMWuerstchenScheduler(),
        vqgan=_vqgan(),
        prior=prior,
        prior_prior=prior,
        prior_tokenizer=parts.clip_tokenizer(folder, "prior_tokenizer"),
        prior_text_encoder=parts.clip_text(),
        prior_scheduler=DDPMWuerstchenScheduler(),
    )


TINY = {
    name: Tiny(
        lambda folder, make=make, name=name: make(name, folder),
        call,
        refused=refused,
        said={} if "height" in call else {"size": (parts.SIDE, parts.SIDE)},
    )
    for name, make, call, refused in (
        ("StableCascadeDecoderPipeline", _cascade, ASKED | EMBEDDED, None),
        ("StableCascadeCombinedPipeline", _cascade, WITH_PRIOR, None),
        ("StableCascadePriorPipeline", _cascade, ASKED, "embeddings"),
        ("WuerstchenDecoderPipeline", _wuerstchen, ASKED | EMBEDDED, None),
        ("WuerstchenCombinedPipeline", _wuerstchen, WITH_PRIOR, None),
        ("WuerstchenPriorPipeline", _wuerstchen, ASKED, "embeddings"),
    )
}
