"""Datasets that Hugging Face `datasets` saved with `save_to_disk`: Arrow streams that `state.json` names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from governance.canonical import Digest
from governance.errors import DatasetError
from governance_adapters.datasets.sources import files
from governance_adapters.datasets.sources.arrow_files import stream
from governance_adapters.datasets.sources.columns import CellsOf, stated_columns, taken
from governance_adapters.datasets.sources.locations import quoted, read_location
from governance_adapters.datasets.sources.names import chosen, unread
from governance_adapters.datasets.sources.raw import Stated, numbered_ids, raw_table
from governance_adapters.datasets.sources.source import SourceForm, SourcePart
from governance_adapters.datasets.sources.tables import PART_BYTES, Reading, numbered

if TYPE_CHECKING:
    import pyarrow as pa

STATE: Final = "state.json"
SPLITS: Final = "dataset_dict.json"


@dataclass(frozen=True, slots=True)
class HuggingFaceSource:
    """See `governance_adapters.datasets.sources.source.Source`. `names` are the Arrow files of all splits."""

    location: str
    root: str
    names: tuple[str, ...]
    reading: Reading
    pictures: bool
    ignored: tuple[str, ...]
    kind: SourceForm = SourceForm.HUGGINGFACE

    @classmethod
    def open(cls, location: str, reading: Reading) -> HuggingFaceSource:
        """The source of a folder that holds one dataset, or one for each split.

        Raises:
            DatasetError: it is no such folder, or lacks a column that is named.
        """
        names = tuple(_arrow_names(location))
        pictures, ignored = False, set[str]()
        for name in names:
            there = stream(files.path_of(location, name)).schema.names
            found = chosen(there, reading.columns, name)
            pictures = pictures or "location" in found
            ignored.update(unread(there, found))
        return cls(location, location, names, reading, pictures, tuple(sorted(ignored)))

    def fingerprint(self) -> Digest:
        """See `Source.fingerprint`."""
        return files.fingerprint(self.root, self.names)

    def parts(self) -> Sequence[SourcePart]:
        """See `Source.parts`. A detail is the file's name, its first row and the rows that the whole file has."""
        return [SourcePart(*each) for each in numbered(list(self._details()))]

    def read(self, part: SourcePart) -> pa.Table:
        """See `Source.read`. A class is stated by its name, not by its number."""
        name, first, held = part.detail
        opened = stream(files.path_of(self.root, name))
        if opened.count != held:
            raise files.changed(name)
        found = chosen(opened.schema.names, self.reading.columns, name)
        given = opened.rows(first, part.rows, stated_columns(found, opened.schema))
        stated = taken(found, opened.schema, given, CellsOf(name, first, part.rows))
        classes = _classes(opened.schema)
        named = {field: _named(stated[field], classes.get(column, ())) for field, column in found.items()}
        ids = partial(numbered_ids, name, first, part.rows)
        return raw_table(Stated(part.rows, ids, named), self.reading.defaults)

    def read_bytes(self, location: str) -> bytes:
        """See `Source.read_bytes`."""
        return read_location(location, self.root)

    def _details(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        for name in self.names:
            opened = stream(files.path_of(self.root, name))
            found = chosen(opened.schema.names, self.reading.columns, name)
            a_row = opened.bytes_a_row(stated_columns(found, opened.schema))
            most = self.reading.part_rows(pictures="location" in found)
            most = max(1, min(most, PART_BYTES // max(1, a_row)))
            for first in range(0, opened.count, most):
                yield min(most, opened.count - first), (name, first, opened.count)


def _arrow_names(folder: str) -> Iterator[str]:
    """The quoted names of the Arrow files that the states of the splits name."""
    splits = _json(Path(folder, SPLITS)).get("splits") if is_split(folder) else [""]
    for split in splits if isinstance(splits, list) else ():
        state = _json(Path(folder, str(split), STATE))
        if state.get("_indices_data_files"):
            raise DatasetError(
                f"{folder} keeps the order of its rows aside.", remedy="Save it again after `flatten_indices()`."
            )
        listed = state.get("_data_files")
        for each in listed if isinstance(listed, list) else ():
            name = str(each.get("filename")) if isinstance(each, Mapping) else ""
            if not name.endswith(".arrow") or Path(name).name != name or Path(str(split)).name != split:
                raise DatasetError(f"{folder} names the file {name!r}.", remedy="Save the dataset again.")
            yield quoted(f"{split}/{name}" if split else name)


def is_split(folder: str) -> bool:
    """Whether a folder holds a dataset for each split."""
    return Path(folder, SPLITS).is_file()


def _json(path: Path) -> Mapping[str, Any]:
    try:
        with path.open(encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path} cannot be read: {error}.", remedy="Name a folder that `save_to_disk` of `datasets` wrote."
        ) from error
    return found if isinstance(found, Mapping) else {}


def _classes(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """The names of the classes of each column that holds classes, as `datasets` keeps them in the schema."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {
            name: tuple(map(str, feature["names"]))
            for name, feature in features.items()
            if isinstance(feature, Mapping) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _named(column: Any, classes: tuple[str, ...]) -> Any:
    import pyarrow as pa

    if not classes or not pa.types.is_integer(column.type):
        return column
    numbers = column.to_pylist()
    texts = [classes[each] if each is not None and 0 <= each < len(classes) else None for each in numbers]
    return pa.array(texts, pa.string())
