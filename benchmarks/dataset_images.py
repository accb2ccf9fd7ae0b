"""What a look at the images of a dataset costs beside PDQ alone: images/s of one core, and the share of each step.

    python benchmarks/dataset_images.py [--side 512] [--images 200] [--rounds 3]

Photographs that scikit-image and scikit-learn ship, and crops of them, as JPEG and PNG files in a folder. The baseline runs
in the same run, over the same files in the same order, the two in turn: read, decode, area-average to 256 px, PDQ. A look
does that and more: SHA-256, header and metadata (EXIF, IPTC, XMP), the C2PA manifest where there is one, the columns.
Detectors are not part of it. Target: at least 0.9 x the baseline's rate.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import skimage
from PIL import Image
from sklearn.datasets import load_sample_images

from governance_adapters.datasets.content.eyes import Eyes, OpenEyes
from governance_adapters.datasets.content.looking import look, not_looked
from governance_adapters.datasets.sources.opening import open_source
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.fingerprint import PdqFingerprinter

TARGET = 0.9
"""Times the rate of PDQ alone."""


def photographs() -> list[np.ndarray]:
    """Whatever photographs the packages hold, as RGB."""
    folder = Path(skimage.__file__).parent / "data"
    names = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "retina.jpg", "ihc.png")
    found = [np.asarray(Image.open(folder / name).convert("RGB")) for name in names if (folder / name).exists()]
    return [*found, *load_sample_images().images]


def write(folder: Path, images: int, side: int) -> None:
    """So many files of side x side px, every fourth of them PNG, each a crop of its own."""
    shown, random = photographs(), np.random.default_rng(7)
    for number in range(images):
        photo = shown[number % len(shown)]
        height, width = photo.shape[:2]
        size = int(min(height, width) * random.uniform(0.6, 1))
        top, left = random.integers(0, height - size + 1), random.integers(0, width - size + 1)
        crop = cv2.resize(photo[top : top + size, left : left + size], (side, side), interpolation=cv2.INTER_AREA)
        file = io.BytesIO()
        kind = "PNG" if number % 4 == 3 else "JPEG"
        Image.fromarray(crop).save(file, kind, **({} if kind == "PNG" else {"quality": 92}))
        (folder / f"{number:05}.{kind.lower()}").write_bytes(file.getvalue())


def eyes() -> OpenEyes:
    """Eyes without detectors."""
    return OpenEyes(PdqFingerprinter())


def pdq_alone(folder: Path) -> None:
    """The baseline."""
    decoder, fingerprinter = ImageEncoder(), PdqFingerprinter()
    for path in sorted(folder.iterdir()):
        fingerprinter.fingerprint(decoder.decode(path.read_bytes()))


def whole_look(folder: Path) -> None:
    """Everything that an audit does with the images of a folder, but for its rights."""
    source = open_source(str(folder))
    for part in source.parts():
        look(source.read(part), Eyes(eyes), source.root)


def words_only(folder: Path) -> None:
    """The same source without a look at its images."""
    source = open_source(str(folder))
    for part in source.parts():
        not_looked(source.read(part))


def seconds(work: Callable[[Path], None], folder: Path) -> float:
    """Seconds of this process's own processor time: other processes take none of it."""
    begun = time.process_time()
    work(folder)
    return time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, chosen.images, chosen.side)
        whole_look(folder)  # warm: imports, and the files in memory
        works = {"PDQ alone": pdq_alone, "whole look": whole_look, "words only": words_only}
        taken = {what: list[float]() for what in works}
        for _ in range(chosen.rounds):
            for what, work in works.items():
                taken[what].append(seconds(work, folder))
        print(
            f"{chosen.images} images of {chosen.side} x {chosen.side} px, 3 of 4 JPEG; least of {chosen.rounds} rounds"
        )
        base = min(taken["PDQ alone"])
        for what, each in taken.items():
            rate, share = chosen.images / min(each), base / min(each)
            target = f"target >= {TARGET}: {'met' if share >= TARGET else 'MISSED'}" if what == "whole look" else ""
            print(
                f"  {what:<12} {rate:10.1f} images/s a core  {min(each) / chosen.images * 1000:8.3f} ms  {share:8.2f} x  {target}"
            )


if __name__ == "__main__":
    main()
