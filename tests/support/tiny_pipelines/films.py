"""Tiny instances of the pipelines that make a clip and its sound: LTX 2."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLLTX2Audio,
    AutoencoderKLLTX2Video,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    LTX2ImageToVideoPipeline,
    LTX2Pipeline,
    LTX2VideoTransformer3DModel,
)
from diffusers.pipelines.ltx2 import LTX2TextConnectors, LTX2Vocoder

from support.tiny_pipelines import encoders, spelling
from support.tiny_pipelines.given import PICTURE
from support.tiny_pipelines.instance import Tiny

LATENTS = 4

MEL_BINS = 16

RATE = 16_000


def _video_autoencoder() -> AutoencoderKLLTX2Video:
    made = AutoencoderKLLTX2Video(
        latent_channels=LATENTS,
        block_out_channels=(8, 16, 32, 64),
        decoder_block_out_channels=(8, 16, 32),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1),
        spatial_compression_ratio=32,
        temporal_compression_ratio=8,
    ).eval()
    # Calmer noise: what differs from one pixel to the next is what a clip's encoding loses.
    made.decoder.conv_out.conv.weight.data *= 0.25
    return made


def _audio_autoencoder() -> AutoencoderKLLTX2Audio:
    return AutoencoderKLLTX2Audio(
        base_channels=8,
        latent_channels=2,
        num_res_blocks=1,
        sample_rate=RATE,
        mel_bins=MEL_BINS,
    ).eval()


def _built(pipeline: type[DiffusionPipeline], folder: Path) -> DiffusionPipeline:
    del folder
    torch.manual_seed(0)
    return pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=_video_autoencoder(),
        audio_vae=_audio_autoencoder(),
        text_encoder=encoders.gemma3(),
        tokenizer=spelling.gemma(),
        connectors=LTX2TextConnectors(
            caption_channels=encoders.WIDTH,
            text_proj_in_factor=3,
            video_connector_num_attention_heads=2,
            video_connector_attention_head_dim=16,
            video_connector_num_layers=1,
            video_connector_num_learnable_registers=8,
            audio_connector_num_attention_heads=2,
            audio_connector_attention_head_dim=16,
            audio_connector_num_layers=1,
            audio_connector_num_learnable_registers=8,
        ),
        transformer=LTX2VideoTransformer3DModel(
            in_channels=LATENTS,
            out_channels=LATENTS,
            num_attention_heads=2,
            attention_head_dim=16,
            cross_attention_dim=32,
            audio_in_channels=8,
            audio_out_channels=8,
            audio_num_attention_heads=2,
            audio_attention_head_dim=16,
            audio_cross_attention_dim=32,
            audio_sampling_rate=RATE,
            num_layers=1,
            caption_channels=encoders.WIDTH,
        ),
        vocoder=LTX2Vocoder(
            in_channels=2 * MEL_BINS,
            hidden_channels=32,
            upsample_kernel_sizes=[8, 8],
            upsample_factors=[4, 4],
            resnet_kernel_sizes=[3],
            resnet_dilations=[[1, 3]],
            output_sampling_rate=RATE,
        ),
    )


_ASKED: dict[str, Any] = {
    "prompt": "a red fox barks",
    "num_inference_steps": 1,
    "height": 256,
    "width": 256,
    "num_frames": 9,
    "frame_rate": 24.0,
    "max_sequence_length": 16,
    "stg_scale": 0.0,
    "audio_stg_scale": 0.0,
    "modality_scale": 1.0,
    "audio_modality_scale": 1.0,
}
_MADE = {"media": ("video", "audio"), "made": 1}

TINY = {
    "LTX2Pipeline": Tiny(partial(_built, LTX2Pipeline), _ASKED, **_MADE),
    "LTX2ImageToVideoPipeline": Tiny(
        partial(_built, LTX2ImageToVideoPipeline), _ASKED | {"image": PICTURE, "image_crf": 0}, **_MADE
    ),
}
