"""The autoencoder of the reference model: 256x256 pixels to 8x8x8 latents and back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from .training_data import crops

Log = Callable[[str], None]

Network = Any
"""A network of diffusers, whose classes carry no types that a checker could use."""


@dataclass(frozen=True, slots=True)
class VaeSettings:
    """Settings of the autoencoder's training, on crops of `side` pixels.

    The rate falls as it would over `horizon` steps but stops falling after `steps`: what is still unsharp then is
    left to the decoder alone, which is polished once the latents are settled.
    """

    steps: int = 2800
    horizon: int = 3900
    batch: int = 16
    side: int = 128
    peak_rate: float = 2.5e-3
    kl_weight: float = 2e-4


@dataclass(frozen=True, slots=True)
class PolishSettings:
    """Settings of the decoder's polishing, on whole pictures; `noise` is the deviation added to the latents."""

    steps: int = 700
    batch: int = 4
    peak_rate: float = 1.2e-3
    noise: float = 0.05
    decay: float = 0.99


def build_vae() -> Network:
    """Build the untrained autoencoder.

    Six levels halve the side five times. Every norm has one group: with more, a flat colour is one constant per
    group, and the norm removes it.
    """
    levels = (8, 16, 32, 64, 64, 64)
    kind: Any = AutoencoderKL
    vae = kind(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * len(levels),
        up_block_types=("UpDecoderBlock2D",) * len(levels),
        block_out_channels=levels,
        layers_per_block=1,
        latent_channels=8,
        norm_num_groups=1,
        mid_block_add_attention=False,
        sample_size=256,
    )
    pass_through(vae)
    return vae.to(memory_format=torch.channels_last)


@torch.no_grad()
def pass_through(vae: Network) -> None:
    """Set the starting weights so that the untrained network hands averages of its input from level to level.

    A residual branch starts at nothing, a halving of the side as the average of 2x2, a doubling as a copy, and a
    change of width as a copy of the channels in turn. Colours then reach the far end from the first step on;
    with the usual random start the branches, whose norms hide a flat colour, drown them for thousands of steps.
    A little of the random start stays, to tell channels apart.
    """
    for name, module in vae.named_modules():
        if not isinstance(module, torch.nn.Conv2d) or module.bias is None:
            continue
        weight = module.weight
        if name.endswith("conv2"):
            weight.zero_()
        elif name.endswith(("conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv")):
            copied = torch.zeros_like(weight)
            out, given = weight.shape[:2]
            ways = torch.arange(max(out, given))
            if weight.shape[-1] == 1:
                copied[ways % out, ways % given, 0, 0] = min(1.0, out / given)
            elif module.stride[0] == 2:
                copied[ways % out, ways % given, :2, :2] = 0.25
            else:
                copied[ways % out, ways % given, 1, 1] = 1.0
            weight.copy_(copied + 0.3 * weight)
            module.bias.zero_()


def rate_at(step: int, steps: int, warm_up: int = 200) -> float:
    """Give the factor on the peak rate at `step` of `steps`: a linear warm-up, then half a cosine down to 0.01."""
    if step < warm_up:
        return (step + 1) / warm_up
    progress = (step - warm_up) / max(1, steps - warm_up)
    return 0.01 + 0.99 * 0.5 * (1.0 + float(np.cos(np.pi * progress)))


class Average:
    """An exponential moving average of a module's parameters."""

    def __init__(self, module: torch.nn.Module, decay: float) -> None:
        self._decay = decay
        self._count = 0
        self._live = list(module.parameters())
        self._kept = [parameter.detach().clone() for parameter in self._live]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the present parameters; the average forgets faster at the start."""
        self._count += 1
        decay = min(self._decay, (1 + self._count) / (10 + self._count))
        torch._foreach_lerp_(self._kept, [p.detach() for p in self._live], 1.0 - decay)

    @torch.no_grad()
    def store(self) -> list[Tensor]:
        """Write the average into the module; gives the parameters that it had, for `restore`."""
        before = [parameter.detach().clone() for parameter in self._live]
        self.restore(self._kept)
        return before

    @torch.no_grad()
    def restore(self, values: list[Tensor]) -> None:
        """Write parameters into the module, in its own order."""
        for live, value in zip(self._live, values, strict=True):
            live.copy_(value)


def train_vae(vae: Network, masks: Tensor, settings: VaeSettings, seed: int, log: Log) -> None:
    """Train in place on masks (n, 256, 256) of 0..255, coloured afresh at each step.

    The loss is the mean absolute plus the mean squared error of the picture, and a little of the divergence of
    the latents from the unit normal distribution (mean over latents), which keeps them smooth.
    """
    random = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=settings.peak_rate, weight_decay=1e-4, betas=(0.9, 0.99))
    parts = crops(masks, settings.batch, settings.side, random)
    vae.train()
    begun = time.monotonic()
    sums = np.zeros(3)
    for step in range(settings.steps):
        images = next(parts)
        for group in optimizer.param_groups:
            group["lr"] = settings.peak_rate * rate_at(step, settings.horizon)
        with torch.autocast("cpu", torch.bfloat16):
            spread = vae.encode(images).latent_dist
            latents = spread.mean + spread.std * torch.randn_like(spread.mean)
            shown = vae.decode(latents).sample.float()
        mean, log_variance = spread.mean.float(), spread.logvar.float()
        absolute = (shown - images).abs().mean()
        squared = (shown - images).square().mean()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean()
        optimizer.zero_grad(set_to_none=True)
        (absolute + squared + settings.kl_weight * divergence).backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        sums += np.array([absolute.item(), squared.item(), divergence.item()]) / 100
        if (step + 1) % 100 == 0:
            spent = time.monotonic() - begun
            log(
                f"vae step {step + 1}/{settings.horizon} absolute {sums[0]:.4f} squared {sums[1]:.5f} "
                f"divergence {sums[2]:.3f} seconds {spent:.0f}"
            )
            sums[:] = 0.0
    vae.eval()


def polish_decoder(vae: Network, masks: Tensor, settings: PolishSettings, seed: int, log: Log) -> None:
    """Train the decoder in place on whole pictures, the encoder as it is; the average is kept.

    A little noise on the latents makes it forgive what the denoiser leaves behind.
    """
    random = np.random.default_rng(seed)
    parts = torch.nn.ModuleList([vae.decoder, vae.post_quant_conv]).train()
    optimizer = torch.optim.AdamW(parts.parameters(), lr=settings.peak_rate, weight_decay=1e-4, betas=(0.9, 0.99))
    average = Average(parts, settings.decay)
    wholes = crops(masks, settings.batch, masks.shape[-1], random)
    begun = time.monotonic()
    sums = np.zeros(2)
    for step in range(settings.steps):
        images = next(wholes)
        for group in optimizer.param_groups:
            group["lr"] = settings.peak_rate * rate_at(step, settings.steps, 50)
        latents = encode(vae, images)
        with torch.autocast("cpu", torch.bfloat16):
            shown = vae.decode(latents + settings.noise * torch.randn_like(latents)).sample.float()
        absolute = (shown - images).abs().mean()
        squared = (shown - images).square().mean()
        optimizer.zero_grad(set_to_none=True)
        (absolute + squared).backward()
        torch.nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        optimizer.step()
        average.update()
        sums += np.array([absolute.item(), squared.item()]) / 50
        if (step + 1) % 50 == 0:
            spent = time.monotonic() - begun
            log(
                f"polish step {step + 1}/{settings.steps} absolute {sums[0]:.4f} squared {sums[1]:.5f} seconds {spent:.0f}"
            )
            sums[:] = 0.0
    average.store()
    vae.eval()


@torch.no_grad()
def encode(vae: Network, images: Tensor) -> Tensor:
    """Encode images (n, 3, 256, 256) in -1..1 to the unscaled means of their latents (n, 8, 8, 8)."""
    means: Tensor = vae.encode(images).latent_dist.mean
    return means
