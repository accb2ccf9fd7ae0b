"""Pipelines without a prompt: plain denoisers of pixels and latents, classes, and super resolution."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffusers import (
    CMStochasticIterativeScheduler,
    DDIMScheduler,
    DDPMScheduler,
    DiTTransformer2DModel,
    KarrasVeScheduler,
    PNDMScheduler,
    RePaintScheduler,
    ScoreSdeVeScheduler,
    VQModel,
)

from support.tiny_pipelines import parts
from support.tiny_pipelines.instance import Tiny

ONE = {"num_inference_steps": 1}
LATENTS = parts.SIDE // parts.FACTOR


def built(name: str, **made: Callable[[], Any]) -> Callable[[Path], Any]:
    """How a pipeline of `name` is built of the parts that `made` makes."""
    return lambda _: parts.put_together(name, **{key: make() for key, make in made.items()})


def vq(factor: int = parts.FACTOR, channels: int = 4, **changed: Any) -> VQModel:
    """A quantising autoencoder."""
    levels = factor.bit_length()
    return parts.seeded(
        VQModel,
        block_out_channels=(8,) * levels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        latent_channels=channels,
        norm_num_groups=2,
        num_vq_embeddings=32,
        **changed,
    )


def _dit() -> DiTTransformer2DModel:
    return parts.seeded(
        DiTTransformer2DModel,
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=8,
        num_layers=1,
        norm_num_groups=8,
        sample_size=LATENTS,
        num_embeds_ada_norm=1000,
    )


TINY = {
    "DDPMPipeline": Tiny(built("DDPMPipeline", unet=parts.plain_unet, scheduler=DDPMScheduler), ONE),
    "DDIMPipeline": Tiny(built("DDIMPipeline", unet=parts.plain_unet, scheduler=DDIMScheduler), ONE),
    "PNDMPipeline": Tiny(
        built("PNDMPipeline", unet=parts.plain_unet, scheduler=PNDMScheduler), {"num_inference_steps": 4}
    ),
    "ConsistencyModelPipeline": Tiny(
        built("ConsistencyModelPipeline", unet=parts.plain_unet, scheduler=CMStochasticIterativeScheduler), ONE
    ),
    "ConsistencyModelPipeline+class": Tiny(
        built(
            "ConsistencyModelPipeline",
            unet=lambda: parts.plain_unet(num_class_embeds=10),
            scheduler=CMStochasticIterativeScheduler,
        ),
        ONE | {"class_labels": 3},
    ),
    "ScoreSdeVePipeline": Tiny(built("ScoreSdeVePipeline", unet=parts.plain_unet, scheduler=ScoreSdeVeScheduler), ONE),
    "KarrasVePipeline": Tiny(
        built("KarrasVePipeline", unet=parts.plain_unet, scheduler=KarrasVeScheduler), {"num_inference_steps": 2}
    ),
    "RePaintPipeline": Tiny(
        built("RePaintPipeline", unet=parts.plain_unet, scheduler=RePaintScheduler),
        {
            "image": parts.PICTURE,
            "mask_image": parts.MASK,
            "num_inference_steps": 2,
            "jump_length": 1,
            "jump_n_sample": 1,
        },
    ),
    "DiTPipeline": Tiny(
        built("DiTPipeline", transformer=_dit, vae=parts.vae, scheduler=parts.scheduler), ONE | {"class_labels": [1]}
    ),
    "LDMPipeline": Tiny(
        built(
            "LDMPipeline",
            vqvae=vq,
            unet=lambda: parts.plain_unet(sample_size=LATENTS, in_channels=4, out_channels=4),
            scheduler=parts.scheduler,
        ),
        ONE,
    ),
    "LDMSuperResolutionPipeline": Tiny(
        built(
            "LDMSuperResolutionPipeline",
            vqvae=lambda: vq(4, 3),
            unet=lambda: parts.plain_unet(sample_size=64, in_channels=6, out_channels=3),
            scheduler=parts.scheduler,
        ),
        ONE | {"image": parts.SMALL},
    ),
}
