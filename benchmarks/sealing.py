"""What sealing costs: a generation of the reference pipeline bare and sealed, wrapping, and memory over many calls.

    python benchmarks/sealing.py [--rounds 15] [--steps 20] [--calls 1000]

Bare and sealed generations alternate in one run, on one thread, each pair in the other order than the one before; what is
compared is the CPU time of that thread, which other programs hardly change. A second figure counts the module calls of a
generation and times one seal alone. The memory is that of the wrapper alone: binding, sealing, describing, generating and making
the output, under a governor that keeps nothing. Reads /proc, so Linux.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from governance.assets import GovernedResult
from governance.governor import Governor
from governance.ports import Pipeline
from governance.testing import fake_parts
from governance.types import GenerationRequest, Principal, new_id
from governance_adapters.pipelines.diffusers import wrap
from governance_adapters.pipelines.loading import quiet_libraries
from governance_adapters.pipelines.sealing.own_call import own_output
from governance_adapters.pipelines.sealing.running import running
from governance_adapters.pipelines.sealing.seals import Seal, modules_of
from governance_adapters.pipelines.sealing.taps import refuse_taps
from governance_adapters.reference import load_reference_pipeline

PROMPT = "a red seven on a blue background"
OVERHEAD, WRAPPING_MS = 0.01, 50.0
WRAPPINGS = 7


class Forgetful(Governor):
    """Lets the pipeline run, and keeps nothing of it."""

    def generate(self, request: GenerationRequest, pipeline: Pipeline) -> GovernedResult:
        """Describe, generate, and throw away."""
        pipeline.describe()
        pipeline.generate(_seeded(request))
        return GovernedResult(request.id, new_id(), 1, ())


def main() -> None:
    """Measure and print the three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="generations of each kind")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--calls", type=int, default=1000, help="calls whose memory is looked at")
    options = parser.parse_args()
    quiet_libraries()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    overhead(options.rounds, options.steps)
    wrapping()
    memory(options.calls)


def overhead(rounds: int, steps: int) -> None:
    """A generation by the bare pipeline, and by a sealed one, with what each call does to seal anew."""
    bare, sealed = load_reference_pipeline(), load_reference_pipeline()
    seal = Seal("StableDiffusionPipeline", logging.getLogger(__name__).warning)
    seal.close(sealed)

    def arguments() -> dict[str, Any]:
        return {"prompt": PROMPT, "num_inference_steps": steps, "generator": torch.Generator().manual_seed(7)}

    def run_bare() -> None:
        with torch.no_grad():
            type(bare).__call__(bare, **arguments())

    def run_sealed() -> None:
        seal.close(sealed)
        refuse_taps(sealed)
        with torch.no_grad():
            own_output(sealed, type(sealed).__call__, arguments())

    run_bare(), run_sealed()  # whatever is made at first use
    pairs: list[tuple[float, float]] = []
    for number in range(rounds):
        order = (run_bare, run_sealed) if number % 2 else (run_sealed, run_bare)
        took = {run: seconds(run, time.thread_time) for run in order}
        pairs.append((took[run_bare], took[run_sealed]))
    once, again = statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)
    ratio = statistics.median(b / a for a, b in pairs) - 1
    calls, price = module_calls(bare, run_bare), price_of_a_seal()
    closing = statistics.median(seconds(lambda: (seal.close(sealed), refuse_taps(sealed))) for _ in range(rounds))
    print(
        f"a generation of {steps} steps, {sum(1 for _ in modules_of(sealed))} modules, {rounds} pairs, CPU time of one thread"
    )
    print(f"  bare {once:.3f} s, sealed {again:.3f} s (medians); median of the pairs {100 * ratio:+.2f} %")
    print(f"  fastest of each: {100 * (min(b for _, b in pairs) / min(a for a, _ in pairs) - 1):+.2f} %")
    print(f"  sealing anew at each call: {1000 * closing:.2f} ms, {100 * closing / once:.2f} % of it")
    print(
        f"  {calls} module calls at {1e9 * price:.0f} ns a seal: {1000 * calls * price:.2f} ms, {100 * calls * price / once:.2f} %"
    )
    print(f"target: <= {100 * OVERHEAD:.0f} %; by the count {100 * (closing + calls * price) / once:.2f} %")


def wrapping() -> None:
    """`wrap` of a loaded pipeline. It takes no digest: a model is described when it is called."""
    governor = Governor(fake_parts())
    pipes = [load_reference_pipeline() for _ in range(WRAPPINGS)]
    took = [seconds(lambda: wrap(pipe, governor, Principal("bench"), "")) for pipe in pipes]  # noqa: B023 - called at once
    print(f"wrapping: median {1000 * statistics.median(took):.1f} ms, slowest {1000 * max(took):.1f} ms", end="; ")
    print(f"target: <= {WRAPPING_MS:.0f} ms")


def memory(calls: int) -> None:
    """RSS and live Python objects of one governed pipeline over many calls."""
    pipe = wrap(load_reference_pipeline(), Forgetful(fake_parts()), Principal("bench"), "bench")
    print(f"memory of the wrapper over {calls} calls of 1 step")
    print(f"  {'calls':>6}{'RSS MiB':>10}{'live objects':>14}")
    for number in range(1, calls + 1):
        pipe(PROMPT, num_inference_steps=1)
        if number in (1, 10, calls // 10, calls // 2, calls):
            gc.collect()
            print(f"  {number:>6}{resident_mib():>10.1f}{len(gc.get_objects()):>14}")


def seconds(act: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long `act` takes."""
    start = clock()
    act()
    return clock() - start


def module_calls(pipe: Any, run: Callable[[], None]) -> int:
    """How many modules run in one generation; of a bare pipeline, since a sealed one takes no hook of ours."""
    count = 0

    def counted(_module: object, _args: object) -> None:
        nonlocal count
        count += 1

    hooks = [module.register_forward_pre_hook(counted) for module, _ in modules_of(pipe)]
    run()
    for hook in hooks:
        hook.remove()
    return count


def price_of_a_seal(calls: int = 100_000, rounds: int = 7) -> float:
    """Seconds that a seal adds to the call of a module that does nothing."""
    bare, sealed = torch.nn.Identity(), torch.nn.Identity()
    holder: Any = torch.nn.Module()
    holder.part = sealed
    Seal("bench").close(holder)

    def run(module: torch.nn.Module) -> None:
        for _ in range(calls):
            module(None)

    with running():
        took = [[seconds(lambda m=m: run(m), time.thread_time) for m in (bare, sealed)] for _ in range(rounds)]  # type: ignore[misc]
    return (min(b for _, b in took) - min(a for a, _ in took)) / calls


def resident_mib() -> float:
    """Memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _seeded(request: GenerationRequest) -> GenerationRequest:
    return replace(request, seeds=(7,) * request.images)


if __name__ == "__main__":
    main()
