"""Folders of images, with what is said of them in `metadata.jsonl` or `metadata.csv` beside, or in a file for each.

A row of the metadata names its image by `file_name`, from the folder where the metadata lie. Beside `a.png`, `a.txt` may
hold its caption and `a.json` an object of what is stated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from governance.canonical import Digest
from governance.errors import DatasetError
from governance_adapters.datasets.sources import files
from governance_adapters.datasets.sources.beside import METADATA, MetadataRows, Row, metadata_rows, unread_members
from governance_adapters.datasets.sources.images import as_ignored, ending, is_image
from governance_adapters.datasets.sources.jsonl import json_object, stated_objects
from governance_adapters.datasets.sources.locations import Contents, read_location, unquoted
from governance_adapters.datasets.sources.names import NAMES
from governance_adapters.datasets.sources.raw import raw_table
from governance_adapters.datasets.sources.source import SourceForm, SourcePart
from governance_adapters.datasets.sources.tables import Reading, numbered

if TYPE_CHECKING:
    import pyarrow as pa

_CAPTION, _OBJECT = "txt", "json"


@dataclass(frozen=True, slots=True)
class FolderSource:
    """See `governance_adapters.datasets.sources.source.Source`.

    `beside` are the endings of files that say something. Where there are patterns `includes`, only images that fit one of
    them are records.
    """

    location: str
    root: str
    reading: Reading
    beside: tuple[str, ...]
    ignored: tuple[str, ...]
    includes: tuple[str, ...] = ()
    pictures: bool = True
    kind: SourceForm = SourceForm.FOLDER

    @classmethod
    def open(cls, location: str, reading: Reading, *, includes: tuple[str, ...] = ()) -> FolderSource:
        """The source of a folder.

        Raises:
            DatasetError: it cannot be read, has nothing to audit, or its metadata lack a column that is named.
        """
        names = list(files.files_under(location))
        stems = {name.rpartition(".")[0] for name in names if _is_record(name, includes)}
        ignored, beside, metadata = set(files.linked_folders(location)), set[str](), False
        for name in names:
            if name.rpartition("/")[2] in METADATA:
                metadata = True
                ignored.update(unread_members(location, name, reading))
            elif ending(name) in {_CAPTION, _OBJECT} and name.rpartition(".")[0] in stems:
                beside.add(ending(name))
            elif not _is_record(name, includes):
                ignored.add(as_ignored(name))
        if not stems and not metadata:
            raise DatasetError(f"There is no image in {location}.", remedy="Name another folder, or another form.")
        return cls(location, location, reading, tuple(sorted(beside)), tuple(sorted(ignored)), includes)

    def fingerprint(self) -> Digest:
        """See `Source.fingerprint`. It covers every file of the folder."""
        return files.fingerprint(self.root, files.files_under(self.root))

    def parts(self) -> Sequence[SourcePart]:
        """See `Source.parts`. A detail is a pair for each record: the location, and the `Row` of the metadata or None.

        The images come first, folder by folder, then what the metadata name and the folder has not.
        """
        most, records = self.reading.part_rows(pictures=True), list(self._records())
        pieces = [tuple(records[first : first + most]) for first in range(0, len(records), most)]
        return [SourcePart(*each) for each in numbered([(len(piece), piece) for piece in pieces])]

    def read(self, part: SourcePart) -> pa.Table:
        """See `Source.read`. A record's id is its file's name, where none is stated."""
        import pyarrow as pa

        contents, rows = Contents(self.root), MetadataRows(self.root)
        objects = [self._object(contents, rows, *each) for each in part.detail]
        locations = pa.array([location for location, _ in part.detail], pa.string())
        return raw_table(
            stated_objects(objects, lambda: _ids(part), self.reading.columns, locations), self.reading.defaults
        )

    def read_bytes(self, location: str) -> bytes:
        """See `Source.read_bytes`."""
        return read_location(location, self.root)

    def _records(self) -> Iterator[tuple[str, Row | None]]:
        images: list[str] = []
        said: dict[str, list[Row | None]] = {}
        for name in files.files_under(self.root):
            if _is_record(name, self.includes):
                images.append(name)
            elif name.rpartition("/")[2] in METADATA:
                for location, row in metadata_rows(self.root, name, self.reading.columns):
                    said.setdefault(location, []).append(row)
        for name in images:
            yield from ((name, row) for row in said.pop(name, [None]))
        for location, rows in said.items():
            yield from ((location, row) for row in rows)

    def _object(self, contents: Contents, rows: MetadataRows, location: str, row: Row | None) -> dict[str, Any] | None:
        """What is stated of one image: in the metadata, else in the files beside it. None where any of it is broken."""
        said = {} if row is None else rows.read(row)
        if said is None or not location:
            return None
        stem = location.rpartition(".")[0]
        if _OBJECT in self.beside and isinstance(content := contents.read(f"{stem}.{_OBJECT}"), bytes):
            found = json_object(content)
            if found is None:
                return None
            said = {**found, **said}
        name = self.reading.columns.get("caption", "caption")
        stated = any(said.get(each) for each in (name, *NAMES["caption"]))
        if _CAPTION in self.beside and not stated and isinstance(text := contents.read(f"{stem}.{_CAPTION}"), bytes):
            said = {**said, name: text.decode("utf-8", "surrogateescape")}
        return said


def _is_record(name: str, includes: tuple[str, ...]) -> bool:
    return is_image(name) and (not includes or any(fnmatchcase(unquoted(name), each) for each in includes))


def _ids(part: SourcePart) -> Any:
    """The names of the files, and of rows that name none the place of the row."""
    import pyarrow as pa

    return pa.array([location or f"{row[0]}:{row[1]}" for location, row in part.detail], pa.string())
