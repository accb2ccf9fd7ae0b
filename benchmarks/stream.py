"""What governing costs in throughput where the pipeline waits for something else: images a minute, bare and governed.

    python benchmarks/stream.py [--images 30] [--seconds 1.0] [--side 512]

The pipeline takes `--seconds` for an image and leaves the CPU idle, as one does whose work is on a GPU or on another
machine. Real parts otherwise: embedded policy, the default detectors, watermark, C2PA, SQLite with `synchronous=FULL`.
The baselines run in the same run: the bare pipeline, and the same calls governed one after another.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from skimage import data as photographs

from governance.governor import Governor
from governance.overlap import Overlap
from governance.testing import EXAMPLE_MODEL, FakePipeline, example_request
from governance.types import Draft, GenerationRequest, new_id
from governance_adapters import Settings
from governance_adapters.installation import initialise, ledger_for_appending
from governance_adapters.registrations import INSTALLER, allow_registered
from governance_adapters.wiring import open_governor

TARGET = 0.97


class Elsewhere(FakePipeline):
    """Takes its time and hands out a photograph."""

    picture: np.ndarray
    seconds = 1.0

    def generate(self, request: Any) -> list[Draft]:
        """The photograph, when the time is over."""
        time.sleep(self.seconds)
        return [Draft(0, self.picture, self.describe(), request.seeds[0])]


def governor_in(folder: Path) -> Governor:
    """A governor of real parts."""
    settings = Settings.load(home=folder)
    initialise(settings)
    with ledger_for_appending(settings) as ledger:
        allow_registered(ledger, settings.bundle_path, EXAMPLE_MODEL, INSTALLER, name="photographs", licence="CC0-1.0")
    return open_governor(settings)


def main() -> None:
    """Run the three and print images a minute."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=1.0, help="what one image takes")
    parser.add_argument("--side", type=int, default=512, help="pixels")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    pipeline = Elsewhere()
    photograph = photographs.astronaut()
    pipeline.seconds = options.seconds
    pipeline.picture = cv2.resize(photograph, (options.side, options.side), interpolation=cv2.INTER_AREA)

    def asked() -> GenerationRequest:
        return example_request(id=new_id(), width=options.side, height=options.side, images=1, seeds=(7,))

    with tempfile.TemporaryDirectory() as folder:
        governor = governor_in(Path(folder) / "installation")
        governor.generate(asked(), pipeline)  # loads what is loaded at first use

        def bare() -> None:
            for _ in range(options.images):
                pipeline.generate(asked())

        def one_after_another() -> None:
            for _ in range(options.images):
                governor.generate(asked(), pipeline)

        def streamed() -> None:
            jobs = (lambda: governor.begin(asked(), pipeline).finish for _ in range(options.images))
            for each in Overlap[Any]().stream(jobs):
                each.get()

        rates = {}
        for work in (bare, one_after_another, streamed):
            start = time.perf_counter()
            work()
            rates[work.__name__.replace("_", " ")] = 60 * options.images / (time.perf_counter() - start)

    print(f"{options.images} images of {options.side} px from a pipeline that takes {options.seconds} s an image")
    print(f"{'':<20}{'images a minute':>18}{'of bare':>10}")
    for name, rate in rates.items():
        print(f"{name:<20}{rate:>18.2f}{rate / rates['bare']:>10.3f}")
    print(f"target: streamed >= {TARGET} of bare; here {rates['streamed'] / rates['bare']:.3f}")


if __name__ == "__main__":
    main()
