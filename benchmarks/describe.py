"""What describing a model costs: the digest of its weights, the same again unchanged, and the checksum; GB/s and ms.

    python benchmarks/describe.py [--megabytes 1024] [--threads N]

A UNet of random weights of about that size, and the reference model where its weights are. The baselines run in the same
run: plain SHA-256 over the same bytes, and over what a processor can at best read, the sum of the same words. Seconds are
those of the clock and those of the process's own processor time: on a busy machine the second say more.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from diffusers import AutoencoderKL, DDIMScheduler, LDMTextToImagePipeline, UNet2DConditionModel

from governance_adapters.pipelines.description import modules as described_modules
from governance_adapters.pipelines.description.checksums import memory_checksum
from governance_adapters.pipelines.description.describe import describe
from governance_adapters.pipelines.description.tensors import tensors_digest, tensors_of
from governance_adapters.reference import load_reference_pipeline, model_path

TARGET_DIGEST, TARGET_AGAIN_MS = 1.0, 50.0
"""GB/s of the digest; milliseconds that describing unchanged weights may take beyond the checksum of their bytes."""
GIGA = 1e9


def network(megabytes: int) -> UNet2DConditionModel:
    """A network of about so many megabytes of float32."""
    width = 32
    while True:
        with torch.device("meta"):
            found = of_width(width)
        if sum(each.nbytes for each in found.parameters()) >= megabytes << 20:
            return of_width(width)
        width += 32


def of_width(width: int) -> UNet2DConditionModel:
    """A network of three levels of that width and its multiples."""
    return UNet2DConditionModel(
        sample_size=32,
        block_out_channels=(width, 2 * width, 4 * width),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=64,
        norm_num_groups=8,
    )


def seconds(work: Callable[[], object], rounds: int = 3) -> tuple[float, float]:
    """The least (clock, processor) seconds of some runs."""
    taken = []
    for _ in range(rounds):
        clock, processor = time.perf_counter(), time.process_time()
        work()
        taken.append((time.perf_counter() - clock, time.process_time() - processor))
    return min(each[0] for each in taken), min(each[1] for each in taken)


def line(what: str, size: int, taken: tuple[float, float], target: str = "") -> None:
    """Print one row."""
    clock, processor = taken
    rates = f"{size / clock / GIGA:6.2f} {size / max(processor, 1e-9) / GIGA:6.2f} GB/s"
    print(f"  {what:<48} {rates}  {clock * 1000:9.1f} {processor * 1000:9.1f} ms  {target}")


def parts(module: torch.nn.Module) -> None:
    """The pieces, over one module: SHA-256, the digest, the sum of words, the checksum."""
    tensors = tensors_of("unet", module)
    size = sum(tensor.nbytes for _, tensor in tensors)
    storages = [tensor.untyped_storage() for _, tensor in tensors]
    raw = [tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().data for _, tensor in tensors]
    words = [tensor.detach().view(-1).view(torch.int32) for _, tensor in tensors]
    print(f"{size / GIGA:.2f} GB in {len(tensors)} tensors, {torch.get_num_threads()} threads   clock, processor")

    def plain() -> None:
        sha = hashlib.sha256()
        for each in raw:
            sha.update(each)

    baseline, own = seconds(plain), seconds(lambda: tensors_digest(tensors))
    line("plain SHA-256 (baseline)", size, baseline)
    line(
        "digest", size, own, f"target {TARGET_DIGEST} GB/s; {baseline[1] / own[1] * 100:.0f} % of the baseline's speed"
    )
    line("sum of the 32-bit words (baseline)", size, seconds(lambda: [each.sum() for each in words]))
    line("checksum", size, seconds(lambda: memory_checksum(storages)))


def whole(name: str, pipe: Any) -> None:
    """A pipeline: described first, and again."""
    components = [each for each in pipe.components.values() if isinstance(each, torch.nn.Module)]
    size = sum(tensor.nbytes for each in components for _, tensor in tensors_of("", each))
    storages = [tensor.untyped_storage() for each in components for _, tensor in tensors_of("", each)]

    def first() -> None:
        described_modules.forget()
        describe(pipe)

    print(f"{name}: {size / GIGA:.3f} GB in {len(components)} networks")
    line("described first (all networks at once)", size, seconds(first), f"target {TARGET_DIGEST} GB/s")
    again, checksum = seconds(lambda: describe(pipe)), seconds(lambda: memory_checksum(storages))
    line("described again, unchanged", size, again)
    line("  of it the checksum", size, checksum)
    beyond = (again[1] - checksum[1]) * 1000
    print(f"  {'  beyond the checksum':<48} {'':20}  {'':9} {beyond:9.1f} ms  target {TARGET_AGAIN_MS:.0f} ms")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    unet = network(asked.megabytes)
    parts(unet)
    pipe = LDMTextToImagePipeline(
        vqvae=AutoencoderKL(), bert=torch.nn.Linear(1, 1), tokenizer=None, unet=unet, scheduler=DDIMScheduler()
    )
    whole("random weights", pipe)
    if model_path().is_dir():
        whole("reference model", load_reference_pipeline())


if __name__ == "__main__":
    main()
