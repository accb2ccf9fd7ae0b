"""Autoencoders of random weights and few channels, for pictures and for clips."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderDC, AutoencoderKL, AutoencoderKLQwenImage, AutoencoderKLWan


def pictures(channels: int = 4, factor: int = 8, **more: Any) -> AutoencoderKL:
    """An autoencoder whose latents have `channels` channels and are `factor` (2, 4, 8, ...) times smaller."""
    torch.manual_seed(0)
    levels = factor.bit_length()
    return AutoencoderKL(
        block_out_channels=(8,) * levels,
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        latent_channels=channels,
        sample_size=256,
        **more,
    ).eval()


def flow_pictures(channels: int = 4, factor: int = 8, **more: Any) -> AutoencoderKL:
    """The same, with the shift of the models that flow from noise to pictures, and without the quantisation's layers."""
    return pictures(
        channels,
        factor,
        use_quant_conv=False,
        use_post_quant_conv=False,
        shift_factor=0.06,
        scaling_factor=1.5,
        **more,
    )


def deep_pictures(channels: int = 4) -> AutoencoderDC:
    """The deep compression autoencoder of Sana: latents 32 times smaller."""
    torch.manual_seed(0)
    wide = (8, 8, 16, 16, 16, 16)
    return AutoencoderDC(
        latent_channels=channels,
        attention_head_dim=4,
        encoder_block_types=("ResBlock",) * len(wide),
        decoder_block_types=("ResBlock",) * len(wide),
        encoder_block_out_channels=wide,
        decoder_block_out_channels=wide,
        encoder_layers_per_block=(1,) * len(wide),
        decoder_layers_per_block=(1,) * len(wide),
        encoder_qkv_multiscales=((),) * len(wide),
        decoder_qkv_multiscales=((),) * len(wide),
        scaling_factor=0.4,
    ).eval()


def _causal(channels: int, base: int) -> dict[str, Any]:
    return {
        "base_dim": base,
        "z_dim": channels,
        "dim_mult": [1, 1, 1, 1],
        "num_res_blocks": 1,
        "latents_mean": [0.0] * channels,
        "latents_std": [1.0] * channels,
    }


def qwen_pictures(channels: int = 4) -> AutoencoderKLQwenImage:
    """The autoencoder of Qwen-Image: a clip's, for clips of one frame; latents 8 times smaller."""
    torch.manual_seed(0)
    return AutoencoderKLQwenImage(**_causal(channels, base=2)).eval()


def wan_clips(channels: int = 4, **more: Any) -> AutoencoderKLWan:
    """The autoencoder of Wan: latents 8 times smaller in space and 4 times in time."""
    torch.manual_seed(0)
    return AutoencoderKLWan(**_causal(channels, base=4), **more).eval()
