"""Tiny instances of the pictures' pipelines whose text and pictures Qwen2.5-VL reads: Qwen-Image, Kandinsky 5, LongCat."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    Kandinsky5I2IPipeline,
    Kandinsky5T2IPipeline,
    Kandinsky5Transformer3DModel,
    LongCatImageEditPipeline,
    LongCatImagePipeline,
    LongCatImageTransformer2DModel,
    QwenImageControlNetModel,
    QwenImageControlNetPipeline,
    QwenImageEditPipeline,
    QwenImageEditPlusPipeline,
    QwenImageImg2ImgPipeline,
    QwenImageInpaintPipeline,
    QwenImageLayeredPipeline,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
)

from support.tiny_pipelines import autoencoders, encoders, readers, spelling
from support.tiny_pipelines.given import MASK, PICTURE
from support.tiny_pipelines.instance import Tiny

_HEADS = {"num_attention_heads": 2, "attention_head_dim": 16}


def _qwen(
    pipeline: type[DiffusionPipeline], folder: Path, *, reads: bool = False, controlled: bool = False, **more: Any
) -> DiffusionPipeline:
    """A pipeline of Qwen-Image; one that `reads` shows the picture to the text encoder too."""
    del folder
    torch.manual_seed(0)
    sizes = {**_HEADS, "in_channels": 16, "num_layers": 1, "joint_attention_dim": 32, "axes_dims_rope": (4, 4, 8)}
    parts: dict[str, Any] = {}
    if reads:
        parts["processor"] = readers.reader()
    if controlled:
        parts["controlnet"] = QwenImageControlNetModel(**sizes, out_channels=4)
    return pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=autoencoders.qwen_pictures(),
        text_encoder=encoders.qwen_vl(),
        tokenizer=spelling.qwen(),
        transformer=QwenImageTransformer2DModel(**sizes, out_channels=4, **more),
        **parts,
    )


def kandinsky5(
    pipeline: type[DiffusionPipeline],
    folder: Path,
    *,
    vae: Callable[[], Any] = autoencoders.pictures,
    conditioned: bool = False,
) -> DiffusionPipeline:
    """A Kandinsky 5; `conditioned` is one that is told in a channel of its own which pictures are given."""
    torch.manual_seed(0)
    return pipeline(
        transformer=Kandinsky5Transformer3DModel(
            in_visual_dim=4,
            in_text_dim=32,
            in_text_dim2=32,
            time_dim=32,
            out_visual_dim=4,
            model_dim=32,
            ff_dim=32,
            num_text_blocks=1,
            num_visual_blocks=1,
            axes_dims=(4, 4, 8),
            visual_cond=conditioned,
        ),
        vae=vae(),
        text_encoder=encoders.qwen_vl(),
        tokenizer=readers.reader(),
        text_encoder_2=encoders.clip(),
        tokenizer_2=spelling.clip(folder),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


def _longcat(pipeline: type[DiffusionPipeline], folder: Path) -> DiffusionPipeline:
    del folder
    torch.manual_seed(0)
    return pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoders.flow_pictures(16),
        text_encoder=encoders.qwen_vl(),
        tokenizer=spelling.qwen(),
        text_processor=readers.reader(),
        transformer=LongCatImageTransformer2DModel(
            **_HEADS,
            in_channels=64,
            num_layers=1,
            num_single_layers=1,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=[4, 4, 8],
        ),
    )


_ASKED: dict[str, Any] = {"prompt": "a red fox", "num_inference_steps": 1, "height": 256, "width": 256}
_GUIDED = {"negative_prompt": "fog", "true_cfg_scale": 2.0}
_LARGE = {"height": 1024, "width": 1024}
"""The only square that Kandinsky 5 paints."""
_FROM = {"image": PICTURE}
_ANEW = {**_FROM, "strength": 1.0}
_OVER = {**_ANEW, "mask_image": MASK}

TINY = {
    "QwenImagePipeline": Tiny(partial(_qwen, QwenImagePipeline), _ASKED | _GUIDED),
    "QwenImageImg2ImgPipeline": Tiny(partial(_qwen, QwenImageImg2ImgPipeline), _ASKED | _ANEW),
    "QwenImageInpaintPipeline": Tiny(partial(_qwen, QwenImageInpaintPipeline), _ASKED | _OVER),
    "QwenImageControlNetPipeline": Tiny(
        partial(_qwen, QwenImageControlNetPipeline, controlled=True), _ASKED | {"control_image": PICTURE}
    ),
    "QwenImageEditPipeline": Tiny(partial(_qwen, QwenImageEditPipeline, reads=True), _ASKED | _FROM),
    "QwenImageEditPlusPipeline": Tiny(
        partial(_qwen, QwenImageEditPlusPipeline, reads=True), _ASKED | {"image": [PICTURE]}
    ),
    "QwenImageLayeredPipeline": Tiny(
        partial(_qwen, QwenImageLayeredPipeline, reads=True, use_additional_t_cond=True, use_layer3d_rope=True),
        _ASKED | _FROM,
        refused="transparent",
    ),
    "Kandinsky5T2IPipeline": Tiny(partial(kandinsky5, Kandinsky5T2IPipeline), _ASKED | _LARGE),
    "Kandinsky5I2IPipeline": Tiny(
        partial(kandinsky5, Kandinsky5I2IPipeline, conditioned=True), _ASKED | _LARGE | _FROM
    ),
    "LongCatImagePipeline": Tiny(partial(_longcat, LongCatImagePipeline), _ASKED | {"enable_prompt_rewrite": False}),
    "LongCatImageEditPipeline": Tiny(
        partial(_longcat, LongCatImageEditPipeline),
        {"prompt": "a red fox", "num_inference_steps": 1, **_FROM},
        said={"size": (1024, 1024)},
    ),
}
