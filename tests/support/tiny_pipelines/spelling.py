"""Tokenizers of a few hundred tokens, that read any text letter by letter or byte by byte."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertTokenizer,
    CLIPTokenizer,
    GemmaTokenizer,
    LlamaTokenizer,
    Qwen2Tokenizer,
    RobertaTokenizer,
    T5Tokenizer,
)
from transformers import PreTrainedTokenizerFast as FastTokenizer

from support.tiny import tokenizer

LETTERS = string.ascii_letters + string.digits + string.punctuation

BYTES = sorted(ByteLevel.alphabet())

QWEN_WORDS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
    "<think>",
    "</think>",
)

VOCABULARY = 300
"""How many tokens a text encoder is given rows for: more than any tokenizer here has."""

TURNS = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""A chat template in the shape of Qwen's."""


def clip(folder: Path, name: str = "tokenizer") -> CLIPTokenizer:
    """A tokenizer of CLIP that knows small letters, 77 tokens at most."""
    return tokenizer(folder / name)


def t5(length: int = 32) -> T5Tokenizer:
    """A tokenizer of T5 that knows every printable character."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in LETTERS)]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=length)


def bert(length: int = 77) -> BertTokenizer:
    """A tokenizer of Bert that knows every printable character, within a word and at its head."""
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    pieces = [*special, *LETTERS, *("##" + letter for letter in LETTERS)]
    return BertTokenizer(vocab={piece: index for index, piece in enumerate(pieces)}, model_max_length=length)


def _numbered(*special: str) -> dict[str, int]:
    return {token: index for index, token in enumerate([*special, *BYTES])}


def qwen(length: int = 512) -> Qwen2Tokenizer:
    """A tokenizer of Qwen2 without merges: a token for each byte, and the words of its turns and pictures."""
    return Qwen2Tokenizer(
        vocab=_numbered(*QWEN_WORDS),
        merges=[],
        model_max_length=length,
        extra_special_tokens={
            "image_token": "<|image_pad|>",
            "video_token": "<|video_pad|>",
            "vision_bos_token": "<|vision_start|>",
            "vision_eos_token": "<|vision_end|>",
            "turn_start_token": "<|im_start|>",
            "turn_end_token": "<|im_end|>",
        },
        chat_template=TURNS,
    )


def roberta(length: int = 77) -> RobertaTokenizer:
    """A tokenizer of RoBERTa without merges: a token for each byte."""
    return RobertaTokenizer(
        vocab=_numbered("<s>", "<pad>", "</s>", "<unk>", "<mask>"), merges=[], model_max_length=length
    )


def gemma(length: int = 64, **more: Any) -> GemmaTokenizer:
    """A tokenizer of Gemma that knows every printable character."""
    special = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁")
    vocabulary = {token: index for index, token in enumerate([*special, *LETTERS])}
    return GemmaTokenizer(vocab=vocabulary, merges=[], model_max_length=length, **more)


def llama(length: int = 64, **more: Any) -> LlamaTokenizer:
    """A tokenizer of Llama that knows every printable character."""
    vocabulary = {token: index for index, token in enumerate(["<unk>", "<s>", "</s>", "▁", *LETTERS])}
    return LlamaTokenizer(vocab=vocabulary, merges=[], model_max_length=length, pad_token="</s>", **more)


def byte_level(length: int = 64, **more: Any) -> FastTokenizer:
    """A fast tokenizer of no family: a token for each byte, after one that begins the text."""
    spelled = Tokenizer(models.BPE(vocab=_numbered("<pad>", "<s>", "</s>", "<unk>"), merges=[]))
    spelled.pre_tokenizer = ByteLevel(add_prefix_space=False)
    spelled.decoder = decoders.ByteLevel()
    spelled.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return FastTokenizer(
        tokenizer_object=spelled,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=length,
        **more,
    )
