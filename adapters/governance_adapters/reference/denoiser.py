"""The text encoder and the denoiser of the reference model, and how they learn together."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from . import digits
from .digits import Indices, Subject
from .training_data import TrainingRecords, color_images, draw_masks
from .vae import Average, Log, Network, encode, rate_at

TEXT_WIDTH: Final = 128
CHECKPOINT: Final = 1000


@dataclass(frozen=True, slots=True)
class DenoiserSettings:
    """Settings of the joint training; `copies` are the pictures made of each record, `empty` the share of
    prompts left empty, from which classifier-free guidance learns.
    """

    copies: int = 14
    steps: int = 4000
    batch: int = 64
    peak_rate: float = 1.5e-3
    empty: float = 0.1
    decay: float = 0.999


@dataclass(frozen=True, slots=True)
class LatentSet:
    """Latents (n, 8, 8, 8) with zero mean and unit deviation in each channel, and what each of them shows."""

    latents: Tensor
    subjects: list[Subject]


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Build the untrained text encoder: two layers of width 128."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=tokenizer.model_max_length,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def build_unet() -> Network:
    """Build the untrained denoiser of 8x8x8 latents; it reads the text at the 4x4 level and in the middle."""
    kind: Any = UNet2DConditionModel
    return kind(
        sample_size=8,
        in_channels=8,
        out_channels=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 112),
        layers_per_block=1,
        attention_head_dim=4,
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=8,
    )


def build_scheduler() -> Any:
    """Build the noise schedule: ends in pure noise, so that a picture's mean colour is free to be anything."""
    kind: Any = DDIMScheduler
    return kind(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        steps_offset=1,
    )


def _draw_subjects(labels: Indices, random: np.random.Generator) -> list[Subject]:
    pairs = digits.colour_pairs()
    return [Subject(int(label), *pairs[random.integers(len(pairs))]) for label in labels]


@torch.no_grad()
def make_latents(vae: Network, records: TrainingRecords, copies: int, seed: int, log: Log) -> LatentSet:
    """Draw and colour each record `copies` times and encode the pictures, unscaled."""
    random = np.random.default_rng(seed)
    latents: list[Tensor] = []
    subjects: list[Subject] = []
    for copy in range(copies):
        masks, labels = draw_masks(records, 1, random)
        shown = _draw_subjects(labels, random)
        ink = np.stack([digits.jittered(subject.ink, random) for subject in shown])
        ground = np.stack([digits.jittered(subject.ground, random) for subject in shown])
        for start in range(0, len(masks), 32):
            part = slice(start, start + 32)
            latents.append(encode(vae, color_images(masks[part], ink[part], ground[part])).contiguous())
        subjects += shown
        if (copy + 1) % 10 == 0:
            log(f"latents of {len(subjects)} pictures made")
    return LatentSet(torch.cat(latents), subjects)


@torch.no_grad()
def normalize_latents(vae: Network, found: LatentSet, log: Log) -> LatentSet:
    """Fold the latents' mean and deviation, channel by channel, into the autoencoder's two 1x1 convolutions.

    Afterwards the autoencoder itself gives and takes latents of zero mean and unit deviation, so its scaling
    factor, the inverse of the measured deviation, is 1. Returns the latents so normalized.
    """
    mean = found.latents.mean(dim=(0, 2, 3))
    deviation = found.latents.std(dim=(0, 2, 3))
    log(f"latents before normalization: mean {mean.tolist()} deviation {deviation.tolist()}")
    channels = len(mean)
    out, back = vae.quant_conv, vae.post_quant_conv
    out.bias[:channels] = (out.bias[:channels] - mean) / deviation
    out.weight[:channels] /= deviation[:, None, None, None]
    out.bias[channels:] -= 2.0 * deviation.log()
    back.bias += torch.einsum("oihw,i->o", back.weight, mean)
    back.weight *= deviation[None, :, None, None]
    vae.register_to_config(scaling_factor=1.0)
    return LatentSet((found.latents - mean[:, None, None]) / deviation[:, None, None], found.subjects)


def draw_prompts(subjects: list[Subject], random: np.random.Generator, *, empty: float) -> list[str]:
    """Say each subject in a random form, the digit as a word or a numeral; a share `empty` stays empty."""
    texts: list[str] = []
    for subject in subjects:
        template = int(random.integers(len(digits.TEMPLATES))) if random.random() < 0.6 else 0
        text = digits.prompt(subject, template=template, numeral=random.random() < 0.3)
        texts.append("" if random.random() < empty else text)
    return texts


def token_ids(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """Turn texts into ids (n, 32), cut or filled as the pipeline does it."""
    ids: Tensor = tokenizer(
        texts,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids
    return ids


def train_denoiser(
    unet: Network,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    data: LatentSet,
    settings: DenoiserSettings,
    seed: int,
    log: Log,
    checkpoint: Callable[[], None],
) -> None:
    """Train both in place to predict the velocity; their averages are kept.

    The steps of noise are spread evenly over each batch, and the loss is the mean squared error. Every
    `CHECKPOINT` steps `checkpoint` is called while the networks hold their averages.
    """
    random = np.random.default_rng(seed)
    scheduler = build_scheduler()
    both = torch.nn.ModuleList([unet, text_encoder]).train()
    optimizer = torch.optim.AdamW(both.parameters(), lr=settings.peak_rate, weight_decay=1e-2, betas=(0.9, 0.99))
    average = Average(both, settings.decay)
    begun = time.monotonic()
    total = 0.0
    for step in range(settings.steps):
        chosen = random.integers(len(data.subjects), size=settings.batch)
        texts = draw_prompts([data.subjects[place] for place in chosen], random, empty=settings.empty)
        clean = data.latents[torch.from_numpy(chosen)]
        noise = torch.randn_like(clean)
        spread = (np.arange(settings.batch) + random.random(settings.batch)) / settings.batch
        times = torch.from_numpy((spread * 1000).astype(np.int64).clip(0, 999))
        noisy = scheduler.add_noise(clean, noise, times)
        velocity = scheduler.get_velocity(clean, noise, times)
        for group in optimizer.param_groups:
            group["lr"] = settings.peak_rate * rate_at(step, settings.steps)
        said = text_encoder(token_ids(tokenizer, texts)).last_hidden_state
        loss = (unet(noisy, times, said).sample - velocity).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()
        average.update()
        total += loss.item() / 250
        if (step + 1) % 250 == 0:
            log(f"denoiser step {step + 1}/{settings.steps} loss {total:.4f} seconds {time.monotonic() - begun:.0f}")
            total = 0.0
        if (step + 1) % CHECKPOINT == 0:
            live = average.store()
            checkpoint()
            average.restore(live)
    average.store()
    both.eval()
