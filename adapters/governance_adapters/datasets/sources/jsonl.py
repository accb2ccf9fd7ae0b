"""Files of JSON objects, one a line, in UTF-8."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from governance.canonical import Digest
from governance.datasets.records import Problem
from governance.errors import DatasetError
from governance_adapters.datasets.sources import files
from governance_adapters.datasets.sources.lines import BOM, line_parts
from governance_adapters.datasets.sources.locations import quoted, read_location
from governance_adapters.datasets.sources.names import NAMES, chosen, unread
from governance_adapters.datasets.sources.raw import Stated, column_of, numbered_ids, raw_table
from governance_adapters.datasets.sources.source import SourceForm, SourcePart
from governance_adapters.datasets.sources.tables import Reading, numbered

if TYPE_CHECKING:
    import pyarrow as pa

_SAMPLE: Final = 1_000
"""So many lines at the head of a file say which columns it has."""


@dataclass(frozen=True, slots=True)
class JsonlSource:
    """See `governance_adapters.datasets.sources.source.Source`."""

    location: str
    root: str
    names: tuple[str, ...]
    reading: Reading
    pictures: bool
    ignored: tuple[str, ...]
    kind: SourceForm = SourceForm.JSONL

    @classmethod
    def open(cls, location: str, root: str, names: tuple[str, ...], reading: Reading) -> JsonlSource:
        """The source of the files `names` (quoted) in the folder `root`.

        Raises:
            DatasetError: one has no record that could be read, or lacks a column that is named.
        """
        pictures, ignored = False, set[str]()
        for name in names:
            there = _members(root, name)
            found = chosen(there, reading.columns, name)
            pictures = pictures or "location" in found
            ignored.update(unread(there, found))
        return cls(location, root, names, reading, pictures, tuple(sorted(ignored)))

    def fingerprint(self) -> Digest:
        """See `Source.fingerprint`."""
        return files.fingerprint(self.root, self.names)

    def parts(self) -> Sequence[SourcePart]:
        """See `Source.parts`. A detail is the file's name, the number of its first line there, offset and bytes."""
        most, details = self.reading.part_rows(pictures=self.pictures), list[tuple[int, tuple[Any, ...]]]()
        for name in self.names:
            before = 0
            for offset, size, lines in line_parts(self.root, name, 0, most):
                details.append((lines, (name, before, offset, size)))
                before += lines
        return [SourcePart(*each) for each in numbered(details)]

    def read(self, part: SourcePart) -> pa.Table:
        """See `Source.read`. A line that is no JSON object is a record with a problem, an empty line too."""
        name, before, offset, size = part.detail
        lines = files.read_span(self.root, name, offset, size).removesuffix(b"\n").split(b"\n")
        if len(lines) != part.rows:
            raise files.changed(name)
        objects = [json_object(line) for line in lines]
        ids = partial(numbered_ids, name, before, part.rows)
        return raw_table(stated_objects(objects, ids, self.reading.columns), self.reading.defaults)

    def read_bytes(self, location: str) -> bytes:
        """See `Source.read_bytes`."""
        return read_location(location, self.root)


def json_object(line: bytes) -> dict[str, Any] | None:
    """The JSON object that these bytes are; None where they are none."""
    try:
        found = json.loads(line.removeprefix(BOM).decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def stated_objects(
    objects: Sequence[Mapping[str, Any] | None],
    ids: Callable[[], Any],
    columns: Mapping[str, str],
    locations: Any = None,
) -> Stated:
    """What JSON objects state, those that are None with the problem that they were none.

    `locations` take the place of what the objects say of their location.
    """
    import pyarrow as pa

    seen = {name: None for each in objects if each is not None for name in each}
    alike: dict[str, list[str]] = {}
    for name in seen:
        alike.setdefault(name.casefold(), []).append(name)
    stated: dict[str, Any] = {}
    for field, names in NAMES.items():
        members = [columns[field]] if field in columns else [each for name in names for each in alike.get(name, ())]
        if members and not (field == "location" and locations is not None):
            stated[field] = column_of(_values(objects, members, field), field)
    if locations is not None:
        stated["location"] = locations
    broken = pa.array([each is None for each in objects], pa.bool_())
    return Stated(len(objects), ids, stated, {Problem.BAD_VALUE: broken}, named=locations is not None)


def _values(objects: Sequence[Mapping[str, Any] | None], names: Sequence[str], field: str) -> list[Any]:
    """The value of the first of `names` that states something in each object."""
    nothing: Mapping[str, Any] = {}
    name, *others = names
    found = [(each or nothing).get(name) for each in objects]
    for other in others:
        found = [
            (each or nothing).get(other) if one is None or one == "" else one
            for each, one in zip(objects, found, strict=True)
        ]
    return [quoted(each) if isinstance(each, str) else each for each in found] if field == "location" else found


def _members(root: str, name: str) -> list[str]:
    """The names of the members of the first objects of a file, in their order."""
    seen: dict[str, None] = {}
    objects = 0
    try:
        with files.path_of(root, name).open("rb") as file:
            for _, line in zip(range(_SAMPLE), file, strict=False):
                if (found := json_object(line)) is not None:
                    seen.update(dict.fromkeys(found))
                    objects += 1
    except OSError as error:
        raise DatasetError(f"{name} cannot be read: {error.strerror}.", remedy="Make it readable.") from error
    if not objects:
        raise DatasetError(
            f"{name} has no JSON object among its first {_SAMPLE} lines.", remedy="Write one JSON object a line."
        )
    return list(seen)
