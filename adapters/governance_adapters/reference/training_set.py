"""The reference model's own training set as a dataset: an image folder with `metadata.jsonl`, ready for an audit.

`provenance.json` beside this file names the SHA-256 of the 64 bytes of every record that the model was made with. Each record is
checked against it before it is written, so that what is audited is what is stated.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np

from governance.canonical import Json
from governance.errors import ModelError, StorageError

from .digits import DIGIT_WORDS, Pixels, load_records

METADATA: Final = "metadata.jsonl"
SOURCE_URL: Final = "https://doi.org/10.24432/C50P49"
"""Where the records come from, by the DOI that `provenance.json` states."""

LEVELS: Final = 15
"""A record's values 0..16 are written as grey 0..240: each picture gives its record back exactly."""
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def write_training_set(folder: Path) -> int:
    """Write every record that the reference model was made with as a PNG of 8x8 pixels; returns how many those are.

    The files are the same on every machine: nothing in them is left to a library's choice.

    Raises:
        ModelError: scikit-learn packages other records than those that the model was made with.
        StorageError: the folder cannot be written.
    """
    stated = json.loads(Path(__file__).with_name("provenance.json").read_text(encoding="utf-8"))
    pixels, labels = load_records()
    lines = []
    try:
        (folder / "digits").mkdir(parents=True, exist_ok=True)
        for index, label, sha256 in stated["records"]:
            record = pixels[index]
            if hashlib.sha256(record.tobytes()).hexdigest() != sha256 or int(labels[index]) != label:
                raise ModelError(
                    f"Record {index} of the digits is not the one that the reference model was made with.",
                    remedy="Install the version of scikit-learn in constraints.txt.",
                )
            name = f"digits/{index:04d}.png"
            (folder / name).write_bytes(grey_png(np.asarray(record * LEVELS, dtype=np.uint8)))
            lines.append(stated_line(name, f"digit-{index:04d}", f"the digit {DIGIT_WORDS[label]}", stated["source"]))
        (folder / METADATA).write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written: {error.strerror or error}.", remedy="Name a folder of yours with room in it."
        ) from error
    return len(lines)


def stated_line(name: str, record_id: str, caption: str, source: Any) -> str:
    """What is stated of one file, as a line of `metadata.jsonl`; what nobody stated is left out."""
    line: dict[str, Json] = {
        "file_name": name,
        "id": record_id,
        "caption": caption,
        "licence": source["licence"],
        "source": SOURCE_URL,
        "source_kind": "public",
        "owner": ", ".join(source["creators"]),
        "synthetic": "no",
    }
    return json.dumps(line, ensure_ascii=False) + "\n"


def stated_source() -> dict[str, Any]:
    """What `provenance.json` says of where the records come from: title, creators, publisher, DOI, licence."""
    text = Path(__file__).with_name("provenance.json").read_text(encoding="utf-8")
    source: dict[str, Any] = json.loads(text)["source"]
    return source


def grey_png(pixels: Pixels) -> bytes:
    """A picture (H, W) of 0..255 as a grey PNG (ISO/IEC 15948), its data stored as they are (RFC 1951, section 3.2.4).

    At most 65,535 bytes of rows: one stored block.
    """
    height, width = pixels.shape
    rows = b"".join(b"\0" + pixels[row].tobytes() for row in range(height))
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(rows), len(rows) ^ 0xFFFF) + rows
    data = stored + struct.pack(">I", zlib.adler32(rows))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
