"""Tiny instances of the sounds' pipelines without spectrograms: Stable Audio, Dance Diffusion, ACE-Step, LongCat-Audio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AceStepPipeline,
    AceStepTransformer1DModel,
    AutoencoderOobleck,
    DanceDiffusionPipeline,
    EDMDPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    IPNDMScheduler,
    LongCatAudioDiTPipeline,
    LongCatAudioDiTTransformer,
    LongCatAudioDiTVae,
    StableAudioDiTModel,
    StableAudioPipeline,
    StableAudioProjectionModel,
    UNet1DModel,
)
from diffusers.pipelines.ace_step import AceStepConditionEncoder

from support.tiny_pipelines import encoders, spelling
from support.tiny_pipelines.instance import Tiny

RATE = 16_000
"""Samples a second of what the tiny pipelines say."""


def _oobleck(channels: int = 4) -> AutoencoderOobleck:
    torch.manual_seed(0)
    return AutoencoderOobleck(
        encoder_hidden_size=8,
        downsampling_ratios=[4, 4, 8],
        channel_multiples=[1, 2, 2],
        decoder_channels=8,
        decoder_input_channels=channels,
        audio_channels=2,
        sampling_rate=RATE,
    ).eval()


def _stable_audio(folder: Path) -> StableAudioPipeline:
    del folder
    torch.manual_seed(0)
    return StableAudioPipeline(
        vae=_oobleck(),
        text_encoder=encoders.t5(),
        projection_model=StableAudioProjectionModel(
            text_encoder_dim=32, conditioning_dim=32, min_value=0, max_value=32
        ),
        tokenizer=spelling.t5(),
        transformer=StableAudioDiTModel(
            sample_size=128,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            num_key_value_attention_heads=2,
            cross_attention_dim=32,
            time_proj_dim=16,
            global_states_input_dim=64,
            cross_attention_input_dim=32,
        ),
        scheduler=EDMDPMSolverMultistepScheduler(solver_order=2, prediction_type="v_prediction", sigma_data=1.0),
    )


def _dance(folder: Path) -> DanceDiffusionPipeline:
    del folder
    torch.manual_seed(0)
    return DanceDiffusionPipeline(
        unet=UNet1DModel(
            block_out_channels=(32, 32, 64),
            extra_in_channels=64,
            sample_size=4096,
            sample_rate=RATE,
            in_channels=2,
            out_channels=2,
            flip_sin_to_cos=True,
            use_timestep_embedding=False,
            time_embedding_type="fourier",
            mid_block_type="UNetMidBlock1D",
            down_block_types=("DownBlock1DNoSkip", "DownBlock1D", "AttnDownBlock1D"),
            up_block_types=("AttnUpBlock1D", "UpBlock1D", "UpBlock1DNoSkip"),
        ),
        scheduler=IPNDMScheduler(),
    )


def _ace_step(folder: Path) -> AceStepPipeline:
    del folder
    torch.manual_seed(0)
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
    }
    return AceStepPipeline(
        vae=_oobleck(),
        text_encoder=encoders.qwen3(),
        tokenizer=spelling.qwen(),
        transformer=AceStepTransformer1DModel(
            **sizes, num_hidden_layers=2, in_channels=12, audio_acoustic_hidden_dim=4, is_turbo=True
        ),
        condition_encoder=AceStepConditionEncoder(
            **sizes,
            text_hidden_dim=32,
            timbre_hidden_dim=4,
            num_lyric_encoder_hidden_layers=1,
            num_timbre_encoder_hidden_layers=1,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


def _longcat(folder: Path) -> LongCatAudioDiTPipeline:
    del folder
    torch.manual_seed(0)
    return LongCatAudioDiTPipeline(
        vae=LongCatAudioDiTVae(
            channels=8,
            c_mults=[1, 2],
            strides=[4, 8],
            latent_dim=4,
            encoder_latent_dim=8,
            downsampling_ratio=32,
            sample_rate=RATE,
            final_tanh=True,
        ).eval(),
        text_encoder=encoders.umt5(),
        tokenizer=spelling.t5(),
        transformer=LongCatAudioDiTTransformer(dit_dim=32, dit_depth=1, dit_heads=2, dit_text_dim=32, latent_dim=4),
    )


_SAID: dict[str, Any] = {"prompt": "a fox barks", "num_inference_steps": 2}
_MADE = {"media": ("audio",)}

TINY = {
    "StableAudioPipeline": Tiny(_stable_audio, _SAID | {"audio_end_in_s": 0.5}, **_MADE),
    "DanceDiffusionPipeline": Tiny(_dance, {"num_inference_steps": 5, "audio_length_in_s": 0.25}, **_MADE),
    "AceStepPipeline": Tiny(_ace_step, _SAID | {"lyrics": "[verse]\na fox barks", "audio_duration": 0.5}, **_MADE),
    "LongCatAudioDiTPipeline": Tiny(_longcat, _SAID | {"audio_duration_s": 0.5}, **_MADE),
}
