"""Text and picture encoders of random weights, 32 wide and two layers deep."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    CLIPImageProcessor,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    Gemma2Config,
    Gemma2Model,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    GemmaConfig,
    GemmaModel,
    GlmConfig,
    GlmModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    SiglipVisionConfig,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

from support.tiny import text_config
from support.tiny_pipelines.spelling import QWEN_WORDS, VOCABULARY

WIDTH = 32

PICTURE_SIDE = 224
"""Pixels a side of what the picture encoders look at."""

_DECODER = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": 2 * WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": WIDTH // 2,
    "pad_token_id": 0,
}


def clip() -> CLIPTextModel:
    torch.manual_seed(0)
    return CLIPTextModel(text_config()).eval()


def clip_projected(projection: int = WIDTH) -> CLIPTextModelWithProjection:
    torch.manual_seed(0)
    return CLIPTextModelWithProjection(text_config(projection)).eval()


def _vision(projection: int) -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=projection,
        image_size=PICTURE_SIDE,
        patch_size=32,
    )


def clip_vision(projection: int = WIDTH) -> CLIPVisionModelWithProjection:
    torch.manual_seed(0)
    return CLIPVisionModelWithProjection(_vision(projection)).eval()


def clip_vision_plain() -> CLIPVisionModel:
    torch.manual_seed(0)
    return CLIPVisionModel(_vision(WIDTH)).eval()


def picture_processor() -> CLIPImageProcessor:
    return CLIPImageProcessor(
        size={"shortest_edge": PICTURE_SIDE}, crop_size={"height": PICTURE_SIDE, "width": PICTURE_SIDE}
    )


def _t5_sizes() -> dict[str, Any]:
    return {
        "vocab_size": VOCABULARY,
        "d_model": WIDTH,
        "d_kv": WIDTH // 2,
        "d_ff": 2 * WIDTH,
        "num_layers": 2,
        "num_heads": 2,
    }


def t5() -> T5EncoderModel:
    torch.manual_seed(0)
    return T5EncoderModel(T5Config(**_t5_sizes())).eval()


def umt5() -> UMT5EncoderModel:
    torch.manual_seed(0)
    return UMT5EncoderModel(UMT5Config(**_t5_sizes())).eval()


def gemma() -> GemmaModel:
    torch.manual_seed(0)
    return GemmaModel(GemmaConfig(**_DECODER)).eval()


def gemma2() -> Gemma2Model:
    torch.manual_seed(0)
    return Gemma2Model(Gemma2Config(**_DECODER)).eval()


def gemma3() -> Gemma3ForConditionalGeneration:
    torch.manual_seed(0)
    seen = {
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 64,
        "patch_size": 8,
    }
    config = Gemma3Config(
        text_config=Gemma3TextConfig(**_DECODER).to_dict(),
        vision_config=SiglipVisionConfig(**seen).to_dict(),
        mm_tokens_per_image=16,
        image_token_index=VOCABULARY - 1,
        boi_token_index=VOCABULARY - 2,
        eoi_token_index=VOCABULARY - 3,
    )
    return Gemma3ForConditionalGeneration(config).eval()


def llama(layers: int = 2) -> LlamaModel:
    torch.manual_seed(0)
    return LlamaModel(LlamaConfig(**_DECODER | {"num_hidden_layers": layers})).eval()


def llama_with_head() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**_DECODER)).eval()


def glm() -> GlmModel:
    torch.manual_seed(0)
    return GlmModel(GlmConfig(**_DECODER)).eval()


def qwen3(layers: int = 2) -> Qwen3Model:
    torch.manual_seed(0)
    return Qwen3Model(Qwen3Config(**_DECODER | {"num_hidden_layers": layers})).eval()


def qwen3_with_head() -> Qwen3ForCausalLM:
    torch.manual_seed(0)
    return Qwen3ForCausalLM(Qwen3Config(**_DECODER)).eval()


def qwen_vl() -> Qwen2_5_VLForConditionalGeneration:
    """Qwen2.5-VL: it reads text and pictures."""
    torch.manual_seed(0)
    config = Qwen2_5_VLConfig(
        text_config={
            **{name: value for name, value in _DECODER.items() if name != "head_dim"},
            "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 3, 3]},
            "bos_token_id": None,
            "eos_token_id": QWEN_WORDS.index("<|im_end|>"),
        },
        vision_config={
            "depth": 2,
            "hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
            "fullatt_block_indexes": [1],
        },
        image_token_id=QWEN_WORDS.index("<|image_pad|>"),
        video_token_id=QWEN_WORDS.index("<|video_pad|>"),
        vision_start_token_id=QWEN_WORDS.index("<|vision_start|>"),
        vision_end_token_id=QWEN_WORDS.index("<|vision_end|>"),
    )
    return Qwen2_5_VLForConditionalGeneration(config).eval()
