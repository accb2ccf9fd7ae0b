"""Tiny instances of the clips' pipelines that grew out of Stable Diffusion: AnimateDiff, PIA, ModelScope, SVD, I2VGen."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AnimateDiffControlNetPipeline,
    AnimateDiffPAGPipeline,
    AnimateDiffPipeline,
    AnimateDiffVideoToVideoPipeline,
    AutoencoderKLTemporalDecoder,
    ControlNetModel,
    DDIMScheduler,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    I2VGenXLPipeline,
    I2VGenXLUNet,
    MotionAdapter,
    PIAPipeline,
    StableVideoDiffusionPipeline,
    TextToVideoSDPipeline,
    UNet2DConditionModel,
    UNet3DConditionModel,
    UNetSpatioTemporalConditionModel,
    VideoToVideoSDPipeline,
)

from support.tiny_pipelines import autoencoders, encoders, spelling
from support.tiny_pipelines.given import CLIP, PICTURE
from support.tiny_pipelines.instance import Tiny

CHANNELS = (8, 16)

_FLAT = {
    "block_out_channels": CHANNELS,
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "cross_attention_dim": 32,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
}

_DEEP = {
    "sample_size": 32,
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "cross_attention_dim": 32,
    "down_block_types": ("CrossAttnDownBlock3D", "DownBlock3D"),
    "up_block_types": ("UpBlock3D", "CrossAttnUpBlock3D"),
}


def _read(folder: Path) -> dict[str, Any]:
    return {
        "vae": autoencoders.pictures(),
        "text_encoder": encoders.clip(),
        "tokenizer": spelling.clip(folder),
        "scheduler": DDIMScheduler(beta_schedule="linear", clip_sample=False, steps_offset=1),
    }


def _moved(
    pipeline: type[DiffusionPipeline], folder: Path, *, read: int = 4, controlled: bool = False, **more: Any
) -> DiffusionPipeline:
    """A pipeline whose pictures a motion adapter moves; its network reads `read` channels."""
    torch.manual_seed(0)
    adapter = MotionAdapter(
        block_out_channels=CHANNELS,
        motion_layers_per_block=1,
        motion_norm_num_groups=4,
        motion_num_attention_heads=2,
        conv_in_channels=None if read == 4 else read,
    )
    unet = UNet2DConditionModel(
        **_FLAT, sample_size=32, attention_head_dim=4, up_block_types=("CrossAttnUpBlock2D", "UpBlock2D")
    )
    if controlled:
        more["controlnet"] = ControlNetModel(
            **_FLAT, attention_head_dim=4, conditioning_embedding_out_channels=(4, 4, 4, 4)
        )
    return pipeline(unet=unet, motion_adapter=adapter, **_read(folder), **more)


def _deep(pipeline: type[DiffusionPipeline], folder: Path) -> DiffusionPipeline:
    torch.manual_seed(0)
    return pipeline(unet=UNet3DConditionModel(**_DEEP, norm_num_groups=8, attention_head_dim=8), **_read(folder))


def _i2vgen(folder: Path) -> I2VGenXLPipeline:
    torch.manual_seed(0)
    return I2VGenXLPipeline(
        unet=I2VGenXLUNet(**_DEEP, norm_num_groups=8, attention_head_dim=8),
        image_encoder=encoders.clip_vision(),
        feature_extractor=encoders.picture_processor(),
        **_read(folder),
    )


def _svd(folder: Path) -> StableVideoDiffusionPipeline:
    del folder
    torch.manual_seed(0)
    return StableVideoDiffusionPipeline(
        vae=AutoencoderKLTemporalDecoder(
            block_out_channels=(32,) * 4,
            down_block_types=("DownEncoderBlock2D",) * 4,
            layers_per_block=1,
            latent_channels=4,
        ).eval(),
        image_encoder=encoders.clip_vision(),
        unet=UNetSpatioTemporalConditionModel(
            sample_size=32,
            block_out_channels=(32, 64),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            cross_attention_dim=32,
            num_attention_heads=(2, 2),
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=24,
        ),
        scheduler=EulerDiscreteScheduler(
            prediction_type="v_prediction",
            interpolation_type="linear",
            use_karras_sigmas=True,
            timestep_type="continuous",
            timestep_spacing="leading",
            sigma_min=0.002,
            sigma_max=700.0,
            steps_offset=1,
        ),
        feature_extractor=encoders.picture_processor(),
    )


_SIZE = {"height": 256, "width": 256}
_SAID = {"prompt": "a red fox runs", "num_inference_steps": 1}
_ASKED: dict[str, Any] = {**_SAID, **_SIZE, "num_frames": 5}
_MADE = {"media": ("video",)}

TINY = {
    "AnimateDiffPipeline": Tiny(partial(_moved, AnimateDiffPipeline), _ASKED | {"negative_prompt": "fog"}, **_MADE),
    "AnimateDiffPAGPipeline": Tiny(
        partial(_moved, AnimateDiffPAGPipeline, pag_applied_layers="mid_block.*attn1"), _ASKED, **_MADE
    ),
    "AnimateDiffControlNetPipeline": Tiny(
        partial(_moved, AnimateDiffControlNetPipeline, controlled=True),
        _ASKED | {"conditioning_frames": CLIP},
        **_MADE,
    ),
    "AnimateDiffVideoToVideoPipeline": Tiny(
        partial(_moved, AnimateDiffVideoToVideoPipeline),
        _SAID | _SIZE | {"video": CLIP, "strength": 1.0},
        **_MADE,
    ),
    "PIAPipeline": Tiny(partial(_moved, PIAPipeline, read=9), _ASKED | {"image": PICTURE}, **_MADE),
    "TextToVideoSDPipeline": Tiny(partial(_deep, TextToVideoSDPipeline), _ASKED, **_MADE),
    "VideoToVideoSDPipeline": Tiny(
        partial(_deep, VideoToVideoSDPipeline), _SAID | {"video": CLIP, "strength": 1.0}, **_MADE
    ),
    "I2VGenXLPipeline": Tiny(_i2vgen, _ASKED | {"image": PICTURE, "target_fps": 8, "clip_skip": None}, **_MADE),
    "StableVideoDiffusionPipeline": Tiny(
        _svd, {"image": PICTURE, "num_frames": 4, "num_inference_steps": 1, "fps": 7, **_SIZE}, **_MADE
    ),
}
