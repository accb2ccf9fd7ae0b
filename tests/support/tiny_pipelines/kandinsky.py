"""Kandinsky 2.1, 2.2 and 3, with priors of their own or with image embeddings that the call gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, DiffusionPipeline, Kandinsky3UNet, PriorTransformer, UnCLIPScheduler
from diffusers.pipelines.kandinsky.text_encoder import MCLIPConfig, MultilingualCLIP
from transformers import XLMRobertaTokenizer

from support.tiny_pipelines import encoders, parts, spelling
from support.tiny_pipelines.instance import Tiny
from support.tiny_pipelines.unconditional import vq

SIZE = {"height": parts.SIDE, "width": parts.SIDE}
_EMBEDS = torch.randn(2, parts.WIDTH, generator=torch.Generator().manual_seed(0))
EMBEDS = {"image_embeds": _EMBEDS[:1], "negative_image_embeds": _EMBEDS[1:], "num_inference_steps": 1}
HINT = torch.randn(1, 3, parts.SIDE, parts.SIDE, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
SHOWN = {"image": parts.PICTURE}
CUT = {"image": parts.PICTURE, "mask_image": parts.MASK}
EDIT = SHOWN | {"strength": 0.6, "num_inference_steps": 2}
ASKED = {"prompt": "a b", "num_inference_steps": 1}
WITH_PRIOR = ASKED | {"prior_num_inference_steps": 2} | SIZE


def _scheduler() -> DDPMScheduler:
    return DDPMScheduler(variance_type="learned_range", clip_sample=False)


def prior_parts(folder: Path) -> dict[str, Any]:
    """What makes an image embedding of words."""
    return {
        "prior": parts.seeded(
            PriorTransformer, num_attention_heads=2, attention_head_dim=8, embedding_dim=parts.WIDTH, num_layers=1
        ),
        "image_encoder": parts.clip_vision(),
        "text_encoder": parts.clip_text_projected(),
        "tokenizer": parts.clip_tokenizer(folder, "prior_tokenizer"),
        "scheduler": UnCLIPScheduler(
            variance_type="fixed_small_log", prediction_type="sample", num_train_timesteps=1000, clip_sample=True
        ),
        "image_processor": parts.clip_pictures(),
    }


def _prefixed(made: dict[str, Any]) -> dict[str, Any]:
    return {f"prior_{name}": part for name, part in made.items()}


def _second_two(name: str, *, channels: int = 4, hinted: bool = False) -> Callable[[Path], DiffusionPipeline]:
    """Kandinsky 2.2: its denoiser takes `channels`, and image embeddings, with a hint beside them or not.

    A hint is shrunk eight times, whatever the autoencoder does.
    """

    def build(folder: Path) -> DiffusionPipeline:
        unet = parts.unet(
            in_channels=channels,
            out_channels=8,
            encoder_hid_dim=parts.WIDTH,
            encoder_hid_dim_type="image_proj",
            addition_embed_type="image_hint" if hinted else "image",
        )
        prior = _prefixed(prior_parts(folder))
        return parts.put_together(
            name, unet=unet, scheduler=_scheduler(), movq=vq(8 if hinted else parts.FACTOR), **prior
        )

    return build


def words() -> XLMRobertaTokenizer:
    """A tokenizer of XLM-RoBERTa that knows letters."""
    special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    letters = [(letter, -3.0) for letter in spelling.LETTERS]
    return XLMRobertaTokenizer(vocab=[*special, *letters, ("<mask>", 0.0)], model_max_length=77)


def _reader() -> MultilingualCLIP:
    config = MCLIPConfig(
        transformerDimSize=parts.WIDTH,
        imageDimSize=parts.WIDTH,
        vocab_size=spelling.VOCABULARY,
        hidden_size=parts.WIDTH,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=96,
    )
    return parts.seeded(MultilingualCLIP, config)


def _second_one(name: str, *, channels: int = 4) -> Callable[[Path], DiffusionPipeline]:
    """Kandinsky 2.1: words and an image embedding together."""

    def build(folder: Path) -> DiffusionPipeline:
        unet = parts.unet(
            in_channels=channels,
            out_channels=8,
            encoder_hid_dim=parts.WIDTH,
            encoder_hid_dim_type="text_image_proj",
            addition_embed_type="text_image",
        )
        return parts.put_together(
            name,
            text_encoder=_reader(),
            tokenizer=words(),
            unet=unet,
            scheduler=_scheduler(),
            movq=vq(),
            **_prefixed(prior_parts(folder)),
        )

    return build


def _third(name: str) -> Callable[[Path], DiffusionPipeline]:
    def build(_: Path) -> DiffusionPipeline:
        unet = parts.seeded(
            Kandinsky3UNet,
            time_embedding_dim=32,
            groups=2,
            attention_head_dim=4,
            layers_per_block=2,
            block_out_channels=(16, 16, 16, 16),
            cross_attention_dim=16,
            encoder_hid_dim=encoders.WIDTH,
        )
        return parts.put_together(
            name,
            tokenizer=spelling.t5(128),
            text_encoder=encoders.t5(),
            unet=unet,
            scheduler=DDPMScheduler(clip_sample=False),
            movq=vq(8),
        )

    return build


_CALLS_22 = {
    "KandinskyV22Pipeline": EMBEDS | SIZE,
    "KandinskyV22Img2ImgPipeline": EMBEDS | SIZE | EDIT,
    "KandinskyV22CombinedPipeline": WITH_PRIOR,
    "KandinskyV22Img2ImgCombinedPipeline": WITH_PRIOR | EDIT,
}
_CALLS_21 = {
    "KandinskyPipeline": ASKED | EMBEDS | SIZE,
    "KandinskyImg2ImgPipeline": ASKED | EMBEDS | SIZE | EDIT,
    "KandinskyCombinedPipeline": WITH_PRIOR,
    "KandinskyImg2ImgCombinedPipeline": WITH_PRIOR | EDIT,
}
_PRIORS = ("KandinskyPriorPipeline", "KandinskyV22PriorPipeline", "KandinskyV22PriorEmb2EmbPipeline")

TINY = (
    {name: Tiny(_second_two(name), call) for name, call in _CALLS_22.items()}
    | {name: Tiny(_second_one(name), call) for name, call in _CALLS_21.items()}
    | {
        name: Tiny(
            lambda folder, name=name: parts.put_together(name, **prior_parts(folder)),
            ASKED | {"num_inference_steps": 2},
            refused="embeddings",
        )
        for name in _PRIORS
    }
    | {
        "KandinskyV22InpaintPipeline": Tiny(
            _second_two("KandinskyV22InpaintPipeline", channels=9), EMBEDS | SIZE | CUT
        ),
        "KandinskyV22InpaintCombinedPipeline": Tiny(
            _second_two("KandinskyV22InpaintCombinedPipeline", channels=9), WITH_PRIOR | CUT
        ),
        "KandinskyV22ControlnetPipeline": Tiny(
            _second_two("KandinskyV22ControlnetPipeline", channels=8, hinted=True),
            EMBEDS | SIZE | {"hint": HINT},
        ),
        "KandinskyV22ControlnetImg2ImgPipeline": Tiny(
            _second_two("KandinskyV22ControlnetImg2ImgPipeline", channels=8, hinted=True),
            EMBEDS | SIZE | EDIT | {"hint": HINT},
        ),
        "KandinskyInpaintPipeline": Tiny(
            _second_one("KandinskyInpaintPipeline", channels=9), ASKED | EMBEDS | SIZE | CUT
        ),
        "KandinskyInpaintCombinedPipeline": Tiny(
            _second_one("KandinskyInpaintCombinedPipeline", channels=9), WITH_PRIOR | CUT
        ),
        "Kandinsky3Pipeline": Tiny(_third("Kandinsky3Pipeline"), ASKED | SIZE),
        "Kandinsky3Img2ImgPipeline": Tiny(_third("Kandinsky3Img2ImgPipeline"), ASKED | EDIT),
    }
)
