"""Tiny instances of the sounds' pipelines that paint spectrograms, which a vocoder says: AudioLDM and AudioLDM 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AudioLDM2Pipeline,
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AudioLDMPipeline,
    DDIMScheduler,
    UNet2DConditionModel,
)
from transformers import (
    ClapAudioConfig,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    ClapTextModelWithProjection,
    GPT2Config,
    GPT2LMHeadModel,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
)

from support.tiny_pipelines import autoencoders, encoders, spelling
from support.tiny_pipelines.instance import Tiny
from support.tiny_pipelines.sounds import RATE


def _clap_text() -> dict[str, Any]:
    return {
        "vocab_size": spelling.VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "projection_dim": 32,
        "max_position_embeddings": 128,
    }


def _clap() -> ClapModel:
    torch.manual_seed(0)
    heard = ClapAudioConfig(
        spec_size=64,
        window_size=4,
        num_mel_bins=64,
        hidden_size=16,
        patch_embeds_hidden_size=4,
        depths=[1, 1],
        num_attention_heads=[1, 1],
        num_hidden_layers=2,
        patch_stride=[16, 16],
        patch_size=16,
        projection_dim=32,
    )
    return ClapModel(
        ClapConfig(
            text_config=ClapTextConfig(**_clap_text()).to_dict(), audio_config=heard.to_dict(), projection_dim=32
        )
    ).eval()


def _vocoder() -> SpeechT5HifiGan:
    torch.manual_seed(0)
    return SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=8,
            sampling_rate=RATE,
            upsample_initial_channel=16,
            upsample_rates=[4, 4],
            upsample_kernel_sizes=[8, 8],
            resblock_kernel_sizes=[3],
            resblock_dilation_sizes=[[1]],
            normalize_before=False,
            initializer_range=0.3,
        )
    ).eval()


_NETWORK: dict[str, Any] = {
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "sample_size": 32,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
}


def _spectral() -> dict[str, Any]:
    """What the pipelines about spectrograms share."""
    return {
        "vae": autoencoders.pictures(factor=4, in_channels=1, out_channels=1),
        "scheduler": DDIMScheduler(clip_sample=False, steps_offset=1),
        "vocoder": _vocoder(),
    }


def _told() -> UNet2DConditionModel:
    """A network that is told the text as a class."""
    return UNet2DConditionModel(
        **_NETWORK,
        attention_head_dim=4,
        cross_attention_dim=(8, 16),
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=32,
        class_embeddings_concat=True,
    )


def _audioldm(folder: Path) -> AudioLDMPipeline:
    del folder
    torch.manual_seed(0)
    text_encoder = ClapTextModelWithProjection(ClapTextConfig(**_clap_text())).eval()
    return AudioLDMPipeline(text_encoder=text_encoder, tokenizer=spelling.roberta(), unet=_told(), **_spectral())


def _audioldm2(folder: Path) -> AudioLDM2Pipeline:
    del folder
    torch.manual_seed(0)
    language = GPT2Config(
        vocab_size=spelling.VOCABULARY, n_embd=16, n_layer=2, n_head=2, n_positions=128, bos_token_id=0, eos_token_id=2
    )
    language.max_new_tokens = 4
    return AudioLDM2Pipeline(
        text_encoder=_clap(),
        text_encoder_2=encoders.t5(),
        projection_model=AudioLDM2ProjectionModel(text_encoder_dim=32, text_encoder_1_dim=32, langauge_model_dim=16),
        language_model=GPT2LMHeadModel(language).eval(),
        tokenizer=spelling.roberta(),
        tokenizer_2=spelling.t5(),
        feature_extractor=ClapFeatureExtractor(),
        unet=AudioLDM2UNet2DConditionModel(
            **_NETWORK, attention_head_dim=4, cross_attention_dim=([None, 16, 32], [None, 16, 32])
        ),
        **_spectral(),
    )


_ASKED: dict[str, Any] = {"prompt": "a fox barks", "num_inference_steps": 2, "audio_length_in_s": 0.25}
_MADE = {"media": ("audio",)}

TINY = {
    "AudioLDMPipeline": Tiny(_audioldm, _ASKED | {"negative_prompt": "wind"}, **_MADE),
    "AudioLDM2Pipeline": Tiny(_audioldm2, _ASKED, **_MADE),
}
