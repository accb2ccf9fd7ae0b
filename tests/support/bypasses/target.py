"""A governed pipeline that is tried, and what the attempts have in common."""

import functools
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig

from governance.governor import Governor
from governance_adapters.pipelines.diffusers import wrap
from support.tiny import stable_diffusion
from support.wrapped import PRINCIPAL

SIDE, FACTOR = 256, 8
LATENTS = torch.ones(1, 4, SIDE // FACTOR, SIDE // FACTOR)
TOKENS = torch.ones(1, 77, dtype=torch.long)
EMBEDDED = torch.ones(1, 77, 32)


@dataclass
class Target:
    """A governed pipeline, and what was at hand before it was governed."""

    pipe: Any
    governor: Governor
    folder: Path
    unet_before: Any
    forward_before: Any

    def ask(self, pipe=None, **keywords):
        """An ordinary call."""
        return (pipe or self.pipe)(**{"prompt": "a", "num_inference_steps": 1, **keywords})


def target(folder, governor):
    """A fresh governed pipeline, 256 x 256."""
    pipe = stable_diffusion(folder, side=SIDE)
    unet, forward = pipe.unet, pipe.vae.decoder.forward
    return Target(wrap(pipe, governor, PRINCIPAL, "marketing"), governor, folder, unet, forward)


def style(pipe, scale=1.0):
    """Put a LoRA into the UNet."""
    pipe.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False), "style")
    pipe.unet.set_adapters(["style"], [scale])


def denoised(unet):
    return unet(LATENTS, 1, EMBEDDED).sample


def in_a_call(target, taken, **keywords):
    """Do something, in another thread, while a governed call runs; what came of it."""
    got, step = [], target.pipe.scheduler.step

    @functools.wraps(step)
    def meanwhile(*args, **kwargs):
        thread = threading.Thread(target=lambda: got.append(outcome(taken)))
        thread.start()
        thread.join()
        return step(*args, **kwargs)

    target.pipe.scheduler.step = meanwhile
    target.ask(**keywords)
    del target.pipe.scheduler.step
    (result,) = got
    if isinstance(result, Exception):
        raise result
    return result


def outcome(act):
    try:
        return act()
    except Exception as error:  # an attempt in a thread of its own: its error is handed to whoever started it
        return error
