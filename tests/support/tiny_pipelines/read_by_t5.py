"""Tiny instances of the pictures' pipelines whose text T5 reads: PixArt, AuraFlow, HunyuanDiT, Chroma, CogView3, Bria."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AuraFlowPipeline,
    AuraFlowTransformer2DModel,
    BriaPipeline,
    BriaTransformer2DModel,
    ChromaImg2ImgPipeline,
    ChromaInpaintPipeline,
    ChromaPipeline,
    ChromaTransformer2DModel,
    CogVideoXDDIMScheduler,
    CogView3PlusPipeline,
    CogView3PlusTransformer2DModel,
    DDPMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    HunyuanDiT2DControlNetModel,
    HunyuanDiT2DModel,
    HunyuanDiTControlNetPipeline,
    HunyuanDiTPAGPipeline,
    HunyuanDiTPipeline,
    PixArtAlphaPipeline,
    PixArtSigmaPAGPipeline,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
)
from transformers import BertConfig, BertModel

from support.tiny_pipelines import autoencoders, encoders, spelling
from support.tiny_pipelines.given import MASK, PICTURE
from support.tiny_pipelines.instance import Tiny

_HEADS = {"num_attention_heads": 2, "attention_head_dim": 16}


def _pixart(pipeline: type[DiffusionPipeline], folder: Path, **more: Any) -> DiffusionPipeline:
    del folder
    torch.manual_seed(0)
    return pipeline(
        tokenizer=spelling.t5(),
        text_encoder=encoders.t5(),
        vae=autoencoders.pictures(),
        transformer=PixArtTransformer2DModel(
            **_HEADS,
            num_layers=1,
            cross_attention_dim=32,
            caption_channels=32,
            sample_size=32,
            use_additional_conditions=False,
        ),
        scheduler=DPMSolverMultistepScheduler(),
        **more,
    )


def _aura(folder: Path) -> AuraFlowPipeline:
    del folder
    torch.manual_seed(0)
    return AuraFlowPipeline(
        tokenizer=spelling.t5(),
        text_encoder=encoders.umt5(),
        vae=autoencoders.pictures(),
        transformer=AuraFlowTransformer2DModel(
            **_HEADS,
            sample_size=32,
            num_mmdit_layers=1,
            num_single_dit_layers=1,
            joint_attention_dim=32,
            caption_projection_dim=32,
            pos_embed_max_size=256,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


def _bert() -> BertModel:
    torch.manual_seed(0)
    return BertModel(
        BertConfig(
            vocab_size=spelling.VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
        )
    ).eval()


def _hunyuan(
    pipeline: type[DiffusionPipeline], folder: Path, *, controlled: bool = False, **more: Any
) -> DiffusionPipeline:
    del folder
    torch.manual_seed(0)
    sizes = {
        **_HEADS,
        "in_channels": 4,
        "patch_size": 2,
        "sample_size": 32,
        "hidden_size": 32,
        "cross_attention_dim": 32,
        "cross_attention_dim_t5": 32,
        "pooled_projection_dim": 16,
        "text_len": 77,
        "text_len_t5": 256,
        "activation_fn": "gelu-approximate",
        "mlp_ratio": 2.0,
        "use_style_cond_and_image_meta_size": True,
    }
    if controlled:
        more["controlnet"] = HunyuanDiT2DControlNetModel(**sizes, transformer_num_layers=4)
    return pipeline(
        vae=autoencoders.pictures(),
        text_encoder=_bert(),
        tokenizer=spelling.bert(),
        transformer=HunyuanDiT2DModel(**sizes, num_layers=4 if controlled else 2),
        scheduler=DDPMScheduler(prediction_type="v_prediction"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        text_encoder_2=encoders.t5(),
        tokenizer_2=spelling.t5(256),
        **more,
    )


def _chroma(pipeline: type[DiffusionPipeline], folder: Path) -> DiffusionPipeline:
    del folder
    torch.manual_seed(0)
    transformer = ChromaTransformer2DModel(
        **_HEADS,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        joint_attention_dim=32,
        axes_dims_rope=(4, 4, 8),
        approximator_num_channels=64,
        approximator_hidden_dim=32,
        approximator_layers=1,
    )
    transformer.register_to_config(guidance_embeds=False)  # the inpainting pipeline asks for it
    return pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoders.flow_pictures(),
        text_encoder=encoders.t5(),
        tokenizer=spelling.t5(),
        transformer=transformer,
    )


def _cogview3(folder: Path) -> CogView3PlusPipeline:
    del folder
    torch.manual_seed(0)
    return CogView3PlusPipeline(
        tokenizer=spelling.t5(),
        text_encoder=encoders.t5(),
        vae=autoencoders.pictures(),
        transformer=CogView3PlusTransformer2DModel(
            **_HEADS,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            text_embed_dim=32,
            time_embed_dim=32,
            condition_dim=8,
            pos_embed_max_size=32,
            sample_size=32,
        ),
        scheduler=CogVideoXDDIMScheduler(),
    )


def _bria(folder: Path) -> BriaPipeline:
    del folder
    torch.manual_seed(0)
    return BriaPipeline(
        transformer=BriaTransformer2DModel(
            **_HEADS,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            joint_attention_dim=32,
            axes_dims_rope=[4, 4, 8],
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoders.pictures(),
        text_encoder=encoders.t5(),
        tokenizer=spelling.t5(),
    )


_ASKED = {"prompt": "a red fox", "num_inference_steps": 1, "height": 256, "width": 256}
_SHORT = {"max_sequence_length": 16}
_AS_GIVEN = {"use_resolution_binning": False}

TINY = {
    "PixArtAlphaPipeline": Tiny(
        partial(_pixart, PixArtAlphaPipeline),
        _ASKED | _SHORT | _AS_GIVEN | {"negative_prompt": "fog", "num_inference_steps": 2},
    ),
    "PixArtSigmaPipeline": Tiny(partial(_pixart, PixArtSigmaPipeline), _ASKED | _SHORT | _AS_GIVEN),
    "PixArtSigmaPAGPipeline": Tiny(
        partial(_pixart, PixArtSigmaPAGPipeline, pag_applied_layers="blocks.0"), _ASKED | _SHORT | _AS_GIVEN
    ),
    "AuraFlowPipeline": Tiny(_aura, _ASKED | _SHORT),
    "HunyuanDiTPipeline": Tiny(partial(_hunyuan, HunyuanDiTPipeline), _ASKED | _AS_GIVEN),
    "HunyuanDiTPAGPipeline": Tiny(
        partial(_hunyuan, HunyuanDiTPAGPipeline, pag_applied_layers="blocks.1"), _ASKED | _AS_GIVEN
    ),
    "HunyuanDiTControlNetPipeline": Tiny(
        partial(_hunyuan, HunyuanDiTControlNetPipeline, controlled=True),
        _ASKED | _AS_GIVEN | {"control_image": PICTURE},
    ),
    "ChromaPipeline": Tiny(partial(_chroma, ChromaPipeline), _ASKED | _SHORT),
    "ChromaImg2ImgPipeline": Tiny(
        partial(_chroma, ChromaImg2ImgPipeline), _ASKED | _SHORT | {"image": PICTURE, "strength": 1.0}
    ),
    "ChromaInpaintPipeline": Tiny(
        partial(_chroma, ChromaInpaintPipeline),
        _ASKED | _SHORT | {"image": PICTURE, "mask_image": MASK, "strength": 1.0},
    ),
    "CogView3PlusPipeline": Tiny(_cogview3, _ASKED | _SHORT),
    "BriaPipeline": Tiny(_bria, _ASKED | _SHORT),
}
