"""Things to ask with and to look at, that nothing is wrong with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from governance.canonical import digest
from governance.types import GenerationRequest, ModelFacts, Pixels, Principal, Prompt, PromptKind

EXAMPLE_MODEL = ModelFacts(
    pipeline="StableDiffusionPipeline",
    components={
        "unet": digest(b"unet weights"),
        "vae": digest(b"vae weights"),
        "text_encoder": digest(b"text weights"),
    },
    scheduler="DDIMScheduler",
    scheduler_config={"num_train_timesteps": 1000},
    device="cpu",
    dtype="float32",
    versions={"diffusers": "0.42.1"},
    environment={"threads": {"intra": 1, "inter": 1}},
)


def example_request(text: str = "a red seven on a blue background", **changes: Any) -> GenerationRequest:
    """A modest request by a designer, for marketing: one image of 256 x 256; `changes` replace its fields."""
    request = GenerationRequest(
        id="request-1",
        principal=Principal("designer@example.org", ("designer",)),
        purpose="marketing",
        prompts=(Prompt(text), Prompt("blurry, low quality", PromptKind.NEGATIVE, "negative_prompt")),
        steps=30,
        width=256,
        height=256,
        model="example",
        parameters={"guidance_scale": 7.5, "eta": None, "clip_skip": 1},
        seeds=(123,),
    )
    return replace(request, **changes)


def example_picture(height: int = 64, width: int = 64, seed: int = 1) -> Pixels:
    """A picture with soft shapes, texture and colour, away from black and white; another for each seed."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    picture = np.full((height, width, 3), 128.0)
    for _ in range(12):
        across, down, phase = random.uniform((-6, -6, 0), (6, 6, 6.3)).tolist()
        wave = np.sin(2 * np.pi * (across * columns + down * rows) + phase)
        picture += wave[:, :, None] * random.uniform(-12, 12, 3)
    picture += random.normal(0, 4, (height, width, 1))
    return np.asarray(np.clip(picture, 24, 231), dtype=np.uint8)
