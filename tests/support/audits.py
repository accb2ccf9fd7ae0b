"""Small datasets to audit, and what an audit left of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow.parquet as pq

from governance.canonical import digest

PROOF_FILES = ("leaves.bin", "tree.bin", "report.json", "combinations.json")

KNOWN = {
    "licence": "CC-BY-4.0",
    "source_kind": "public",
    "consent": "not_needed",
    "collected": "2024-05-01T10:00:00Z",
    "source": "https://pictures.example.org/a.png",
    "owner": "somebody@example.org",
}


def manifest(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """A manifest of JSON lines: each row says what `KNOWN` does, unless it says otherwise."""
    with path.open("w") as file:
        for number, row in enumerate(rows):
            content = digest(b"content %d" % number)
            said = {"id": f"r{number:05}", "content": content, "caption": f"picture {number}", **KNOWN, **row}
            file.write(json.dumps({name: value for name, value in said.items() if value is not None}) + "\n")
    return path


def pictures(folder: Path, files: Mapping[str, bytes], said: Mapping[str, Mapping[str, object]] = {}) -> Path:
    """A folder of image files with `metadata.jsonl` beside them, which says what `KNOWN` does and `said` besides."""
    folder.mkdir(parents=True)
    with (folder / "metadata.jsonl").open("w") as lines:
        for name, content in files.items():
            (folder / name).write_bytes(content)
            row = {"file_name": name, **KNOWN, **said.get(name, {})}
            lines.write(json.dumps({key: value for key, value in row.items() if value is not None}) + "\n")
    return folder


def left(folder: Path) -> tuple[list[dict[str, object]], dict[str, bytes]]:
    """What an audit left that must not depend on when, where and how it ran: its records, and the proof's files."""
    return pq.read_table(folder / "records.parquet").to_pylist(), {
        name: (folder / name).read_bytes() for name in PROOF_FILES
    }


def by_id(folder: Path) -> dict[str, dict[str, object]]:
    """The records of an audit by their ids."""
    return {row["id"]: row for row in pq.read_table(folder / "records.parquet").to_pylist()}
