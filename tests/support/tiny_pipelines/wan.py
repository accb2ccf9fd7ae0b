"""Tiny instances of the clips' pipelines about Wan's autoencoder: Wan, SkyReels 2, Sana-Video; and Kandinsky 5's."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    Kandinsky5T2VPipeline,
    SanaVideoPipeline,
    SanaVideoTransformer3DModel,
    SkyReelsV2DiffusionForcingPipeline,
    SkyReelsV2ImageToVideoPipeline,
    SkyReelsV2Pipeline,
    SkyReelsV2Transformer3DModel,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
    WanVACEPipeline,
    WanVACETransformer3DModel,
    WanVideoToVideoPipeline,
)

from support.tiny_pipelines import autoencoders, encoders, spelling
from support.tiny_pipelines.clips import hunyuan_clips
from support.tiny_pipelines.given import CLIP, PICTURE
from support.tiny_pipelines.instance import Tiny
from support.tiny_pipelines.read_by_qwen import kandinsky5

_HEADS = {"num_attention_heads": 2, "attention_head_dim": 16}


def _sizes(*, shown: bool) -> dict[str, Any]:
    """Sizes of a transformer; one that is `shown` a picture reads its latents, a mask, and what CLIP sees in it."""
    sizes = {
        **_HEADS,
        "in_channels": 2 * 4 + 4 if shown else 4,
        "out_channels": 4,
        "text_dim": 32,
        "freq_dim": 16,
        "ffn_dim": 32,
        "num_layers": 1,
        "rope_max_seq_len": 32,
    }
    return sizes | {"image_dim": encoders.WIDTH, "added_kv_proj_dim": 32} if shown else sizes


def _read() -> dict[str, Any]:
    return {
        "tokenizer": spelling.t5(),
        "text_encoder": encoders.umt5(),
        "vae": autoencoders.wan_clips(),
        "scheduler": UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000, flow_shift=3.0
        ),
    }


def _wan(pipeline: type[DiffusionPipeline], folder: Path, *, shown: bool = False) -> DiffusionPipeline:
    del folder
    torch.manual_seed(0)
    more: dict[str, Any] = {"transformer": WanTransformer3DModel(**_sizes(shown=shown))}
    if shown:
        more["image_encoder"] = encoders.clip_vision_plain()
        more["image_processor"] = encoders.picture_processor()
    return pipeline(**_read(), **more)


def _vace(folder: Path) -> WanVACEPipeline:
    del folder
    torch.manual_seed(0)
    transformer = WanVACETransformer3DModel(**_sizes(shown=False), vace_layers=[0], vace_in_channels=2 * 4 + 64)
    return WanVACEPipeline(**_read(), transformer=transformer)


def _skyreels(pipeline: type[DiffusionPipeline], folder: Path, *, shown: bool = False) -> DiffusionPipeline:
    del folder
    torch.manual_seed(0)
    more: dict[str, Any] = {}
    if shown:
        more["image_encoder"] = encoders.clip_vision()
        more["image_processor"] = encoders.picture_processor()
    return pipeline(**_read(), transformer=SkyReelsV2Transformer3DModel(**_sizes(shown=shown)), **more)


def _sana(folder: Path) -> SanaVideoPipeline:
    del folder
    torch.manual_seed(0)
    return SanaVideoPipeline(
        tokenizer=spelling.gemma(),
        text_encoder=encoders.gemma2(),
        vae=autoencoders.wan_clips(),
        transformer=SanaVideoTransformer3DModel(
            **_HEADS,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            num_cross_attention_heads=2,
            cross_attention_head_dim=16,
            cross_attention_dim=32,
            caption_channels=32,
            sample_size=32,
            rope_max_seq_len=32,
        ),
        scheduler=DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
    )


_SIZE = {"height": 256, "width": 256}
_SAID: dict[str, Any] = {"prompt": "a red fox runs", "num_inference_steps": 1, **_SIZE}
_SHORT = {"max_sequence_length": 16}
_ASKED = {**_SAID, **_SHORT, "num_frames": 5}
_FROM = {"image": PICTURE}
_MADE = {"media": ("video",)}

TINY = {
    "WanPipeline": Tiny(partial(_wan, WanPipeline), _ASKED | {"negative_prompt": "fog"}, **_MADE),
    "WanImageToVideoPipeline": Tiny(partial(_wan, WanImageToVideoPipeline, shown=True), _ASKED | _FROM, **_MADE),
    "WanVideoToVideoPipeline": Tiny(
        partial(_wan, WanVideoToVideoPipeline), _SAID | _SHORT | {"video": CLIP, "strength": 1.0}, **_MADE
    ),
    "WanVACEPipeline": Tiny(_vace, _ASKED | {"reference_images": [PICTURE]}, **_MADE),
    "SkyReelsV2Pipeline": Tiny(partial(_skyreels, SkyReelsV2Pipeline), _ASKED, **_MADE),
    "SkyReelsV2ImageToVideoPipeline": Tiny(
        partial(_skyreels, SkyReelsV2ImageToVideoPipeline, shown=True), _ASKED | _FROM, **_MADE
    ),
    "SkyReelsV2DiffusionForcingPipeline": Tiny(partial(_skyreels, SkyReelsV2DiffusionForcingPipeline), _ASKED, **_MADE),
    "SanaVideoPipeline": Tiny(
        _sana,
        _SAID | _SHORT | {"frames": 5, "use_resolution_binning": False, "complex_human_instruction": None},
        **_MADE,
    ),
    "Kandinsky5T2VPipeline": Tiny(
        partial(kandinsky5, Kandinsky5T2VPipeline, vae=hunyuan_clips, conditioned=True), _ASKED, **_MADE
    ),
}
