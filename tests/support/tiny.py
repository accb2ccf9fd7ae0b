"""Tiny diffusers pipelines with random weights: for tests of wrapping and loading, never of what they paint."""

import json
from dataclasses import dataclass

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.utils import BaseOutput
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

SIDE = 64


def tokenizer(folder):
    """A CLIP tokenizer that knows letters only."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)


def text_config(projection=32):
    return CLIPTextConfig(
        vocab_size=60,
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=projection,
        bos_token_id=52,
        eos_token_id=53,
        pad_token_id=53,
    )


def vae(seed=0, factor=2):
    """An autoencoder whose latents are `factor` (2, 4, 8, ...) times smaller than the picture."""
    torch.manual_seed(seed)
    levels = factor.bit_length()
    return AutoencoderKL(
        block_out_channels=(32,) * levels,
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        latent_channels=4,
    )


def unet(seed=0, cross=32, sample=SIDE // 2, **extra):
    torch.manual_seed(seed)
    return UNet2DConditionModel(
        sample_size=sample,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=cross,
        attention_head_dim=8,
        **extra,
    )


def stable_diffusion(folder, seed=0, side=SIDE):
    """A StableDiffusionPipeline that paints noise, `side` x `side`: 64, or what the watermark needs, 256."""
    torch.manual_seed(seed)
    factor = 2 * side // SIDE
    pipe = StableDiffusionPipeline(
        vae=vae(seed, factor),
        text_encoder=CLIPTextModel(text_config()),
        tokenizer=tokenizer(folder / "tokenizer"),
        unet=unet(seed, sample=side // factor),
        scheduler=DDIMScheduler(clip_sample=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def stable_diffusion_xl(folder, seed=0, *, add_watermarker=None):
    """A StableDiffusionXLPipeline that paints noise, 64 x 64."""
    torch.manual_seed(seed)
    own = tokenizer(folder / "tokenizer")
    pipe = StableDiffusionXLPipeline(
        vae=vae(seed),
        text_encoder=CLIPTextModel(text_config()),
        text_encoder_2=CLIPTextModelWithProjection(text_config()),
        tokenizer=own,
        tokenizer_2=own,
        unet=unet(
            seed,
            64,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=80,
            transformer_layers_per_block=(1, 1),
        ),
        scheduler=DDIMScheduler(clip_sample=False, steps_offset=1),
        add_watermarker=add_watermarker,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


@dataclass
class TalkativeOutput(BaseOutput):
    """An output with more in it than images."""

    images: object
    raw_images: object = None
    flags: object = None
    notes: object = None


class TalkativePipeline(StableDiffusionPipeline):
    """A pipeline whose output holds its images a second time."""

    def __call__(self, prompt, num_inference_steps: int = 1, generator=None, output_type="pil", return_dict=True):
        made = super().__call__(
            prompt, num_inference_steps=num_inference_steps, generator=generator, output_type=output_type
        )
        return TalkativeOutput(made.images, made.images.copy(), [True] * len(made.images), [made.images.copy()])


def talkative(folder):
    """A TalkativePipeline."""
    pipe = stable_diffusion(folder)
    pipe.__class__ = TalkativePipeline
    return pipe
