"""Metadata beside the images of a folder: `metadata.jsonl` and `metadata.csv`, a row for each image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from governance_adapters.datasets.sources import files
from governance_adapters.datasets.sources.csv_files import CsvSource
from governance_adapters.datasets.sources.jsonl import JsonlSource, json_object
from governance_adapters.datasets.sources.lines import csv_reader, first_record, line_ends, lines_of, records
from governance_adapters.datasets.sources.locations import quoted, unquoted
from governance_adapters.datasets.sources.names import NAMES
from governance_adapters.datasets.sources.tables import Reading

METADATA: Final = ("metadata.jsonl", "metadata.csv")
"""The names of files that say something of the images in their folder."""

Row = tuple[str, int, int]
"""A row of such a file: the file's quoted name, offset and bytes."""


def unread_members(root: str, name: str, reading: Reading) -> tuple[str, ...]:
    """What a metadata file says that no record has.

    Raises:
        DatasetError: it has no row, or lacks a column that is named.
    """
    kind = CsvSource if name.endswith(".csv") else JsonlSource
    return kind.open(name, root, (name,), reading).ignored


def metadata_rows(root: str, name: str, columns: Mapping[str, str]) -> Iterator[tuple[str, Row]]:
    """The location that each row of a metadata file names, empty where it names none, and the row.

    Raises:
        DatasetError: the file cannot be read.
    """
    found = _csv_rows(root, name) if name.endswith(".csv") else _json_rows(root, name)
    named = [columns["location"]] if "location" in columns else NAMES["location"]
    folder = Path(unquoted(name)).parent
    for members, row in found:
        file = next((members[each] for each in named if members and isinstance(members.get(each), str)), "")
        yield quoted(os.path.normpath(folder / file)) if file else "", row


class MetadataRows:
    """Reads rows of metadata files again."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._heads: dict[str, list[str]] = {}

    def read(self, row: Row) -> dict[str, Any] | None:
        """What the row says; None where it is no JSON object, or has not as many fields as the head.

        Raises:
            DatasetError: the file cannot be read.
            DatasetChangedError: it has become shorter.
        """
        name, offset, size = row
        content = files.read_span(self._root, name, offset, size)
        if not name.endswith(".csv"):
            return json_object(content)
        if name not in self._heads:
            self._heads[name] = first_record(self._root, name, ",")[0]
        return _paired(self._heads[name], next(csv_reader(lines_of(content), ","), []))


def _json_rows(root: str, name: str) -> Iterator[tuple[dict[str, Any] | None, Row]]:
    begin = 0
    with files.path_of(root, name).open("rb") as file:
        for end in line_ends(root, name, 0):
            yield json_object(file.read(end - begin)), (name, begin, end - begin)
            begin = end


def _csv_rows(root: str, name: str) -> Iterator[tuple[dict[str, Any] | None, Row]]:
    head, begin = first_record(root, name, ",")
    for end, record in records(root, name, begin, ","):
        yield _paired(head, record), (name, begin, end - begin)
        begin = end


def _paired(head: list[str], record: list[str]) -> dict[str, Any] | None:
    return dict(zip(head, record, strict=True)) if len(head) == len(record) else None
