"""A compact LoRA trainer (peft) for pipelines of the Stable Diffusion kind, with DreamBooth's prior where one is asked for.

Latents and embeddings are made once; a step then runs the UNet alone. Every random number comes from one seed, drawn on the
processor, so that one machine makes the same weights again. Nothing is saved in between.

LoRA: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021. DreamBooth: Ruiz et al., "DreamBooth: Fine Tuning
Text-to-Image Diffusion Models for Subject-Driven Generation", 2022, section 3.2 (the loss that keeps the prior).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from governance.canonical import Json, without_floats
from governance.errors import TrainingError
from governance_adapters.training.examples import Example
from governance_adapters.training.latents import Noise, check_trainable, embeddings_of, latents_of

ATTENTION: Final = ("to_q", "to_k", "to_v", "to_out.0")
"""The layers that get a LoRA: the projections of every attention."""

_WARM_UP: Final = 10
_LEAST_RATE: Final = 0.05
"""The share of the rate at which the last steps go."""
_LARGEST_GRADIENT: Final = 1.0


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """How a LoRA is trained.

    `rank` (1 to 512) is that of each pair of matrices; its scale is 1. `rate` is the learning rate after a short rise; it
    falls linearly. `empty` (0 to 1) is the share of texts that are left out, from which guidance learns. `prior` weighs the
    loss on pictures of the class that the base itself drew (DreamBooth); it counts only where there are any.
    """

    steps: int = 160
    batch: int = 8
    rank: int = 8
    rate: float = 4e-3
    empty: float = 0.1
    seed: int = 0
    prior: float = 1.0

    def __post_init__(self) -> None:
        """Raises TrainingError for a value out of its range."""
        whole = 1 <= self.steps <= 1_000_000 and 1 <= self.batch <= 4096 and 1 <= self.rank <= 512
        real = 0 < self.rate < 1 and 0 <= self.empty < 1 and 0 <= self.prior <= 100 and 0 <= self.seed < 2**63
        if not (whole and real):
            raise TrainingError(
                f"These settings are out of range: {self}.",
                remedy="steps 1 to 1000000, batch 1 to 4096, rank 1 to 512, rate and empty between 0 and 1, prior 0 to 100.",
            )

    def as_json(self) -> dict[str, Json]:
        """The settings without floats, as a run records them."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: without_floats(value) for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class Fit:
    """How the loss (mean squared error) fell: the mean over the first and the last tenth of the steps."""

    steps: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class _Set:
    """What is drawn from: latents, and the embedding of each one's text."""

    latents: torch.Tensor
    embeddings: torch.Tensor


def train_lora(
    pipe: Any,
    examples: Sequence[Example],
    settings: LoraSettings,
    *,
    name: str,
    prior: Sequence[Example] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Fit:
    """Put a new LoRA `name` into the UNet of `pipe` and train it; everything else of `pipe` stays as it is.

    `prior` are pictures of the class that the subject belongs to, made by the base itself: with them this is DreamBooth.
    `progress` is told the step and how many there are.

    Raises:
        TrainingError: the pipeline is of a kind that is not known here, there are no examples, or the loss is no number.
    """
    check_trainable(pipe)
    if not examples:
        raise TrainingError("There is nothing to train with.", remedy="Take at least one record.")
    random = torch.Generator().manual_seed(settings.seed)
    sets = [_set(pipe, examples), *([_set(pipe, prior)] if prior else [])]
    nothing = embeddings_of(pipe, [""])
    weights = _added(pipe.unet, settings, name)
    optimizer = torch.optim.AdamW(weights, lr=settings.rate)
    noise, losses = Noise(pipe), list[float]()
    for step in range(settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * _share(step, settings.steps)
        parts = [_loss(pipe.unet, each, nothing, noise, settings, random) for each in sets]
        loss = parts[0] + (settings.prior * parts[1] if prior else 0.0)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(weights, _LARGEST_GRADIENT)
        optimizer.step()
        losses.append(float(loss.detach()))
        if progress is not None:
            progress(step + 1, settings.steps)
    pipe.unet.requires_grad_(False)
    return _fit(losses)


def _set(pipe: Any, examples: Sequence[Example]) -> _Set:
    texts = list(dict.fromkeys(example.caption for example in examples))
    embedded = dict(zip(texts, embeddings_of(pipe, texts), strict=True))
    return _Set(latents_of(pipe, examples), torch.stack([embedded[example.caption] for example in examples]))


def _added(unet: Any, settings: LoraSettings, name: str) -> list[torch.nn.Parameter]:
    """Freeze the UNet, put the LoRA in, and give the weights that learn."""
    from peft import LoraConfig

    unet.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):  # peft draws the first matrices with torch's own generator
        torch.manual_seed(settings.seed)
        config = LoraConfig(r=settings.rank, lora_alpha=settings.rank, target_modules=list(ATTENTION))
        unet.add_adapter(config, adapter_name=name)
    return [weight for weight in unet.parameters() if weight.requires_grad]


def _loss(
    unet: Any, drawn: _Set, nothing: torch.Tensor, noise: Noise, settings: LoraSettings, random: torch.Generator
) -> torch.Tensor:
    """The loss of one batch, its steps of noise spread evenly."""
    count, device = settings.batch, drawn.latents.device
    chosen = torch.randint(len(drawn.latents), (count,), generator=random)
    clean = drawn.latents[chosen]
    spread = (torch.arange(count) + torch.rand(count, generator=random)) / count
    times = (spread * noise.steps).long().clamp(max=noise.steps - 1).to(device)
    left_out = (torch.rand(count, generator=random) < settings.empty).to(device)
    said = torch.where(left_out[:, None, None], nothing, drawn.embeddings[chosen])
    random_noise = torch.randn(clean.shape, generator=random).to(device, clean.dtype)
    noisy, target = noise.added(clean, random_noise, times)
    predicted = unet(noisy, times, encoder_hidden_states=said).sample
    return torch.nn.functional.mse_loss(predicted.float(), target.float())


def _share(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / _WARM_UP) * max(_LEAST_RATE, 1.0 - step / steps)


def _fit(losses: Sequence[float]) -> Fit:
    tenth = max(1, len(losses) // 10)
    first, last = sum(losses[:tenth]) / tenth, sum(losses[-tenth:]) / tenth
    if not all(map(torch.isfinite, torch.tensor(losses))):
        raise TrainingError("The loss is no number any more.", remedy="Train with a lower rate.")
    return Fit(len(losses), first, last)
