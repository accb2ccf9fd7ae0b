"""States where the reference model's training data come from, and what its weights files hold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from .training_data import TrainingRecords

SOURCE: Final[dict[str, Any]] = {
    "title": "Optical Recognition of Handwritten Digits (the part published as its test set, 1797 records)",
    "creators": ["E. Alpaydin", "C. Kaynak"],
    "year": 1998,
    "publisher": "UCI Machine Learning Repository",
    "doi": "10.24432/C50P49",
    "licence": "CC-BY-4.0",
    "obtained_through": "sklearn.datasets.load_digits, which packages the records without change",
}

SYNTHETIC: Final = (
    "Ink and ground colours, placements on the picture and prompts are drawn at random by the training script; "
    "no other data, and no pretrained weights, were used."
)


def statement(records: TrainingRecords) -> dict[str, Any]:
    """Describe every training record: index in the data set, label, SHA-256 of its 64 bytes of pixels 0..16."""
    return {
        "source": SOURCE,
        "synthetic": SYNTHETIC,
        "selection": (
            "half A of digits.split_halves without the records named in dropped_indices, which a reader "
            "cross-validated inside half A misreads; half B was never used"
        ),
        "pixel_format": "64 bytes of uint8, row by row, values 0..16",
        "dropped_indices": records.dropped.tolist(),
        "record_fields": ["index", "label", "sha256"],
        "records": [
            [int(index), int(label), hashlib.sha256(pixels.tobytes()).hexdigest()]
            for index, label, pixels in zip(records.indices, records.labels, records.pixels, strict=True)
        ],
    }


def write_statement(records: TrainingRecords, path: Path) -> None:
    """Write the statement as JSON, one record on a line."""
    stated = statement(records)
    listed = stated.pop("records")
    head = json.dumps(stated, indent=1)[: -len("\n}")]
    lines = ",\n".join("  " + json.dumps(record) for record in listed)
    path.write_text(f'{head},\n "records": [\n{lines}\n ]\n}}\n', encoding="utf-8")


def checksums(folder: Path) -> str:
    """List the SHA-256 of every file below the folder, as sha256sum does, with paths relative to its parent."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder.parent).as_posix()}\n"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    return "".join(lines)
