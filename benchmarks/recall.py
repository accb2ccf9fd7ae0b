"""Which copies of a photograph the similarity detector finds, and how often it is wrong.

    python benchmarks/recall.py [--bundle policies]

Every photograph that scikit-image and scikit-learn ship is registered as a work. Each is changed in each way and shown to
the detector; a signal finds it where a finding about that very work reaches the threshold for review in the bundle. A
false alarm is a finding about another work that reaches it. The two halves of a stereo picture are one subject and are
not counted against each other.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import skimage
from PIL import Image
from sklearn.datasets import load_sample_images

from governance.ports import Detector
from governance.testing.works import KEEPER, FakeWorkRegister
from governance.types import Pixels
from governance.work_making import WorkMaker
from governance.works import WorkAction
from governance_adapters.detectors.similarity.detector import SimilarityDetector
from governance_adapters.detectors.similarity.opening import open_embedder
from governance_adapters.detectors.similarity.prints import SimilarityPrinter
from governance_adapters.marking.encoding import ImageEncoder

BUNDLE: Final = Path(__file__).parent.parent / "policies"
SIGNALS: Final = ("copy", "copy_unsure", "derivative")
PHOTOGRAPHS: Final = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "cell.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "color.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
SAME_SUBJECT: Final = frozenset({"motorcycle_left", "motorcycle_right"})
_LONGEST: Final = 640


@dataclass(frozen=True, slots=True)
class Row:
    """One way to change a picture: the share of works that each signal found, that any found, and the false alarms."""

    change: str
    found: Mapping[str, float]
    any: float
    false_alarms: int


def photographs() -> dict[str, Pixels]:
    """Every photograph by its name, in its own shape, at most 640 px on the longest side."""
    folder = Path(skimage.__file__).parent / "data"
    shown = {Path(name).stem: np.asarray(Image.open(folder / name).convert("RGB")) for name in PHOTOGRAPHS}
    shown |= dict(zip(("china", "flower"), load_sample_images().images, strict=True))
    return {name: fitted(picture) for name, picture in shown.items()}


def fitted(picture: Pixels) -> Pixels:
    scale = min(1.0, _LONGEST / max(picture.shape[:2]))
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def crop(percent: int, across: float, down: float) -> Callable[[Pixels], Pixels]:
    """`percent` of each side; 0.5, 0.5 is the centre."""

    def cut(picture: Pixels) -> Pixels:
        height, width = picture.shape[:2]
        rows, columns = round(height * percent / 100), round(width * percent / 100)
        top, left = round((height - rows) * down), round((width - columns) * across)
        return np.ascontiguousarray(picture[top : top + rows, left : left + columns])

    return cut


def rotate(degrees: float, keep: float = 1.0) -> Callable[[Pixels], Pixels]:
    """Turned within its frame, black outside; `keep` cuts the middle of it out, to that share of each side."""

    def turn(picture: Pixels) -> Pixels:
        height, width = picture.shape[:2]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
        return crop(round(keep * 100), 0.5, 0.5)(cv2.warpAffine(picture, matrix, (width, height)))

    return turn


def hue(picture: Pixels) -> Pixels:
    values = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    values[..., 0] = (values[..., 0].astype(int) + 30) % 180
    return cv2.cvtColor(values, cv2.COLOR_HSV2RGB)


def jpeg(picture: Pixels) -> Pixels:
    written = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return np.ascontiguousarray(cv2.imdecode(written, cv2.IMREAD_COLOR)[..., ::-1])


def text(picture: Pixels) -> Pixels:
    written, width = picture.copy(), picture.shape[1]
    place = width // 20, picture.shape[0] // 2
    return cv2.putText(
        written, "SALE TODAY", place, cv2.FONT_HERSHEY_SIMPLEX, width / 256, (255,) * 3, width // 80, cv2.LINE_AA
    )


def frame(picture: Pixels) -> Pixels:
    width = round(max(picture.shape[:2]) * 0.08)
    return cv2.copyMakeBorder(picture, *(width,) * 4, cv2.BORDER_CONSTANT, value=(30, 40, 90))


CHANGES: Final[Mapping[str, Callable[[Pixels], Pixels]]] = {
    "nothing": lambda picture: picture,
    "resize to 40 %": lambda picture: cv2.resize(picture, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA),
    "JPEG 40": jpeg,
    "crop 80, centre": crop(80, 0.5, 0.5),
    "crop 80, off centre": crop(80, 0.63, 0.34),
    "crop 50, centre": crop(50, 0.5, 0.5),
    "crop 50, off centre": crop(50, 0.63, 0.34),
    "flip": lambda picture: np.ascontiguousarray(picture[:, ::-1]),
    "rotate 10": rotate(10),
    "rotate 10, cut to 75 %": rotate(10, 0.75),
    "rotate -7": rotate(-7),
    "hue by 60 degrees": hue,
    "blur, sigma 3": lambda picture: cv2.GaussianBlur(picture, (0, 0), 3),
    "text": text,
    "frame": frame,
}


def open_detector(works: Mapping[str, Pixels], home: Path) -> tuple[Detector, dict[str, str]]:
    """A detector over a register of these works, and their names by id."""
    embedder, encoder = open_embedder(home), ImageEncoder()
    maker, register, names = WorkMaker(encoder, SimilarityPrinter(embedder)), FakeWorkRegister(), {}
    for name, picture in works.items():
        file = name, encoder.encode(picture, "image/png")
        new = maker.make(
            [file], title=name, owner="example.org", licence="LicenseRef-example", action=WorkAction.REVIEW
        )
        names[register.add(new, KEEPER).id] = name
    return SimilarityDetector(register, embedder), names


def thresholds(bundle: Path) -> dict[str, int]:
    """The score in millionths from which the bundle has a finding of each signal looked at."""
    levels = json.loads((bundle / "data.json").read_text())["thresholds"]
    return {signal: levels[signal]["review"] for signal in SIGNALS}


def reached(findings: Iterable[object], levels: Mapping[str, int], names: Mapping[str, str]) -> set[tuple[str, str]]:
    """Signal and work of each finding that reaches its threshold."""
    return {
        (one.label, names[one.work])
        for one in findings
        if one.work and math.ceil(one.score * 1_000_000) >= levels[one.label]
    }


def measure(home: Path, bundle: Path = BUNDLE) -> list[Row]:
    """The table: one row for each change."""
    works, levels = photographs(), thresholds(bundle)
    detector, names = open_detector(works, home)
    rows = []
    for change, apply in CHANGES.items():
        hits, alarms = [], 0
        for name, picture in works.items():
            said = reached(detector.detect([apply(picture)])[0], levels, names)
            hits.append({signal for signal, work in said if work == name})
            alarms += sum(work != name and not {work, name} <= SAME_SUBJECT for _, work in said)
        found = {signal: sum(signal in hit for hit in hits) / len(hits) for signal in SIGNALS}
        rows.append(Row(change, found, sum(map(bool, hits)) / len(hits), alarms))
    return rows


def as_table(rows: Iterable[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "| change | " + " | ".join(f"`{signal}`" for signal in SIGNALS) + " | any | false alarms |",
        "|---|" + "---|" * 5,
    ]
    for row in rows:
        shares = " | ".join(f"{row.found[signal]:.2f}" for signal in SIGNALS)
        lines.append(f"| {row.change} | {shares} | {row.any:.2f} | {row.false_alarms} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=BUNDLE, help="the bundle whose thresholds count")
    arguments = parser.parse_args()
    levels = ", ".join(f"{signal} {level}" for signal, level in thresholds(arguments.bundle).items())
    with tempfile.TemporaryDirectory() as home:
        rows = measure(Path(home), arguments.bundle)
    print(f"{len(photographs())} photographs; thresholds in millionths: {levels}\n\n{as_table(rows)}")


if __name__ == "__main__":
    main()
