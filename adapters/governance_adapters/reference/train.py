"""Trains the reference model from nothing and exports it.

    python -m governance_adapters.reference.train --out DIR

DIR then holds `weights/` (the pipeline), `weights.sha256`, `provenance.json` and `training.log`. All random
numbers come from one seed; how long it takes depends on the machine alone (about an hour on two cores).
"""

from __future__ import annotations

import argparse
import copy
import platform
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from diffusers import StableDiffusionPipeline
from torch import Tensor
from transformers import CLIPTokenizer

from . import denoiser, vae
from .denoiser import DenoiserSettings
from .evaluate import Evaluation, evaluate, train_judge
from .provenance import checksums, write_statement
from .tokenizer import build_tokenizer
from .training_data import draw_masks, select_records
from .vae import Log, Network, PolishSettings, VaeSettings

GUIDANCE = (7.5, 5.0, 3.0)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that shapes a run; `vae_copies` are the placements drawn of each record for the autoencoder."""

    seed: int = 0
    threads: int = 2
    vae_copies: int = 6
    vae: VaeSettings = field(default_factory=VaeSettings)
    polish: PolishSettings = field(default_factory=PolishSettings)
    denoiser: DenoiserSettings = field(default_factory=DenoiserSettings)


def open_log(path: Path) -> Log:
    """Give a function that writes a line to the file and to the terminal, with the seconds since the start."""
    begun = time.monotonic()

    def log(line: str) -> None:
        text = f"[{time.monotonic() - begun:7.1f}] {line}"
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text + "\n")

    return log


def obtain_vae(masks: Tensor, settings: Settings, keep: Path, log: Log) -> Network:
    """Train the autoencoder, or load the one that an earlier run with the same folder finished."""
    torch.manual_seed(settings.seed + 1)
    made = vae.build_vae()
    if keep.is_file():
        log("autoencoder of the earlier run in this folder taken up")
        made.load_state_dict(torch.load(keep, weights_only=True))
        return made.eval()
    vae.train_vae(made, masks, settings.vae, settings.seed + 2, log)
    torch.save(made.state_dict(), keep)
    return made


def export(
    folder: Path,
    networks: tuple[Network, Network, Network],
    tokenizer: CLIPTokenizer,
) -> None:
    """Write the pipeline, in half precision, in place of the folder; the networks given stay as they are."""
    parts = [copy.deepcopy(part).to(memory_format=torch.contiguous_format).half() for part in networks]
    kind: Any = StableDiffusionPipeline
    pipe = kind(
        vae=parts[0],
        text_encoder=parts[1],
        tokenizer=tokenizer,
        unet=parts[2],
        scheduler=denoiser.build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    pipe.save_pretrained(fresh, safe_serialization=True)
    for path in fresh.rglob("*.safetensors"):
        path.chmod(0o644)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def describe(found: Evaluation) -> str:
    """Write an evaluation as one line."""
    return (
        f"digit {found.read_as_intended:.3f} colours {found.colours_right:.3f} both {found.all_right:.3f} "
        f"of {found.count}; misread (meant, read) {list(found.misread)}; miscoloured {list(found.miscolored)}"
    )


def report(folder: Path, log: Log, *, count: int = 200) -> None:
    """Load what was exported and judge it at several strengths of guidance, numbers of steps, and seeds."""
    kind: Any = StableDiffusionPipeline
    pipe = kind.from_pretrained(
        folder,
        dtype=torch.float32,
        local_files_only=True,
        safety_checker=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    judge = train_judge()
    log(
        f"judge on real digits: held-out of half B {judge.held_out:.4f}, half A {judge.half_a:.4f}, "
        f"half A drawn {judge.half_a_drawn:.4f}"
    )
    for guidance in GUIDANCE:
        for steps in (20, 30):
            for seed in (0, 1):
                found = evaluate(pipe, count=count, seed=seed, steps=steps, guidance=guidance, judge=judge)
                log(f"guidance {guidance} steps {steps} seed {seed}: {describe(found)}")


def train(out: Path, settings: Settings) -> None:
    """Do the whole run: data, autoencoder, latents, denoiser with text encoder, export, evaluation."""
    out.mkdir(parents=True, exist_ok=True)
    log = open_log(out / "training.log")
    torch.set_num_threads(settings.threads)
    log(f"{settings}")
    log(
        f"python {platform.python_version()} torch {torch.__version__} diffusers {diffusers.__version__} "
        f"transformers {transformers.__version__} numpy {np.__version__} {sys.platform} {platform.machine()}"
    )
    records = select_records()
    log(f"{len(records.labels)} records of half A used, {len(records.dropped)} dropped")
    write_statement(records, out / "provenance.json")

    masks, _ = draw_masks(records, settings.vae_copies, np.random.default_rng(settings.seed + 1))
    autoencoder = obtain_vae(masks, settings, out / "vae-trained.pt", log)
    found = denoiser.make_latents(autoencoder, records, settings.denoiser.copies, settings.seed + 3, log)
    data = denoiser.normalize_latents(autoencoder, found, log)

    torch.manual_seed(settings.seed + 4)
    tokenizer = build_tokenizer()
    text_encoder, unet = denoiser.build_text_encoder(tokenizer), denoiser.build_unet()
    networks = (autoencoder, text_encoder, unet)

    def checkpoint() -> None:
        export(out / "weights", networks, tokenizer)
        log("exported what is learned so far")

    denoiser.train_denoiser(unet, text_encoder, tokenizer, data, settings.denoiser, settings.seed + 5, log, checkpoint)
    torch.save([network.state_dict() for network in networks], out / "networks.pt")
    vae.polish_decoder(autoencoder, masks, settings.polish, settings.seed + 6, log)
    export(out / "weights", networks, tokenizer)
    (out / "weights.sha256").write_text(checksums(out / "weights"), encoding="utf-8")
    log("exported")
    report(out / "weights", log)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results; made where missing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="processor threads")
    arguments = parser.parse_args()
    train(arguments.out, Settings(seed=arguments.seed, threads=arguments.threads))


if __name__ == "__main__":
    main()
