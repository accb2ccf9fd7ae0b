"""Croissant documents (MLCommons Croissant 1.0 and 1.1) over files that lie beside them.

Read here are record sets whose fields are columns of one table, or the files of one set of images. The digests that the
document states are checked. Nothing is fetched.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from governance.canonical import Digest
from governance.errors import DatasetChangedError, DatasetError
from governance_adapters.datasets.sources import files
from governance_adapters.datasets.sources.croissant_document import (
    CroissantField,
    document_of,
    listed,
    record_set,
    stated_licence,
)
from governance_adapters.datasets.sources.csv_files import CsvSource
from governance_adapters.datasets.sources.folder import FolderSource
from governance_adapters.datasets.sources.jsonl import JsonlSource
from governance_adapters.datasets.sources.locations import quoted
from governance_adapters.datasets.sources.names import chosen
from governance_adapters.datasets.sources.parquet import ParquetSource
from governance_adapters.datasets.sources.source import Source, SourceForm, SourcePart
from governance_adapters.datasets.sources.tables import Reading

if TYPE_CHECKING:
    import pyarrow as pa

TABLES: Final[Mapping[str, Any]] = {
    ".csv": CsvSource,
    ".tsv": CsvSource,
    ".parquet": ParquetSource,
    ".jsonl": JsonlSource,
    ".ndjson": JsonlSource,
}


@dataclass(frozen=True, slots=True)
class CroissantSource:
    """See `governance_adapters.datasets.sources.source.Source`: what the document names, and the document itself."""

    location: str
    document: str
    inner: Source
    kind: SourceForm = SourceForm.CROISSANT

    @classmethod
    def open(cls, location: str, reading: Reading) -> CroissantSource:
        """The source of a document, or of one record set of it: `PATH`, or `PATH#RECORD_SET`.

        Raises:
            DatasetError: the document cannot be read; its files lie elsewhere, are not those that it states, or are none
                that can be read here.
        """
        path, _, wanted = (location, "", "") if Path(location).is_file() else location.rpartition("#")
        document = document_of(path)
        root = str(Path(path).absolute().parent)
        name, fields = record_set(document, wanted, path)
        there = {str(each.get("@id") or each.get("name")): each for each in listed(document.get("distribution"))}
        licence = stated_licence(document)
        if licence:
            reading = replace(reading, defaults={"licence": licence, **reading.defaults})
        inner = _inner(_Set(path, root, name, fields, there), reading)
        return cls(location, quoted(Path(path).name), inner)

    @property
    def root(self) -> str:
        """See `Source.root`."""
        return self.inner.root

    @property
    def pictures(self) -> bool:
        """See `Source.pictures`."""
        return self.inner.pictures

    @property
    def ignored(self) -> tuple[str, ...]:
        """See `Source.ignored`."""
        return self.inner.ignored

    def fingerprint(self) -> Digest:
        """See `Source.fingerprint`. It covers the document, too."""
        own = files.fingerprint(self.inner.root, (self.document,))
        return Digest(hashlib.sha256(f"{own} {self.inner.fingerprint()}".encode()).hexdigest())

    def parts(self) -> Sequence[SourcePart]:
        """See `Source.parts`."""
        return self.inner.parts()

    def read(self, part: SourcePart) -> pa.Table:
        """See `Source.read`."""
        return self.inner.read(part)

    def read_bytes(self, location: str) -> bytes:
        """See `Source.read_bytes`."""
        return self.inner.read_bytes(location)


@dataclass(frozen=True, slots=True)
class _Set:
    """A record set of the document at `path`, and the files that the document names, by their ids."""

    path: str
    root: str
    name: str
    fields: Mapping[str, CroissantField]
    files: Mapping[str, Mapping[str, Any]]


def _inner(records: _Set, reading: Reading) -> Source:
    """What reads the files of a record set."""
    tables = {each.file for each in records.fields.values() if each.column}
    if len(tables) > 1:
        raise _unread(records, f"its fields come from {len(tables)} tables")
    if not tables:
        return _images(records, reading)
    (file,) = tables
    name = _local(records, file)
    source = TABLES.get(Path(name).suffix.lower())
    if source is None:
        raise _unread(records, f"{name} is no table in CSV, Parquet or JSONL")
    found = chosen(list(records.fields), reading.columns, f"The record set {records.name}")
    if elsewhere := [each for each in found.values() if not records.fields[each].column]:
        raise _unread(records, f"its field {elsewhere[0]!r} is no column of {name}")
    columns = {field: records.fields[each].column for field, each in found.items()}
    opened: Source = source.open(records.path, records.root, (name,), replace(reading, columns=columns))
    return opened


def _images(records: _Set, reading: Reading) -> Source:
    sets = {each.file for each in records.fields.values() if each.file}
    if len(sets) != 1:
        raise _unread(records, f"its fields come from {len(sets)} sets of files")
    (file,) = sets
    described = records.files.get(file, {})
    patterns = tuple(str(each) for each in listed(described.get("includes")))
    if not patterns:
        raise _unread(records, f"{file!r} is no set of files that lie beside the document")
    for inside in listed(described.get("containedIn")):
        _local_folder(records, str(inside.get("@id") if isinstance(inside, Mapping) else inside))
    return FolderSource.open(records.root, reading, includes=patterns)


def _local(records: _Set, file: str) -> str:
    """The quoted name of a file object that lies beside the document, its digest checked."""
    described = records.files.get(file, {})
    address = str(described.get("contentUrl") or "")
    if not address or "://" in address:
        raise DatasetError(
            f"{records.path} names {address or file!r}, which does not lie beside it; nothing is fetched.",
            remedy="Fetch the files, and write their paths as `contentUrl`.",
        )
    path = Path(records.root, address).resolve()
    if not path.is_relative_to(Path(records.root).resolve()):
        raise DatasetError(f"{records.path} names {address!r}, outside its folder.", remedy="Move the file beside it.")
    stated = str(described.get("sha256") or "").lower()
    if stated and stated != _sha256(path):
        raise DatasetChangedError(
            f"{address} is not the file that {records.path} describes: its SHA-256 is another.",
            remedy="Fetch the file again, or correct the document.",
        )
    return quoted(os.path.normpath(address))


def _local_folder(records: _Set, file: str) -> None:
    """Refuse sets of files in archives and repositories."""
    address = str(records.files.get(file, {}).get("contentUrl") or "")
    if "://" in address or not Path(records.root, address).is_dir():
        raise DatasetError(
            f"{records.path} has its images in {address or file!r}, which is no folder beside it.",
            remedy="Fetch and unpack it, and name the folder as `contentUrl`; a tar is audited as webdataset.",
        )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.", remedy="Put it beside the document.") from error


def _unread(records: _Set, why: str) -> DatasetError:
    return DatasetError(
        f"The record set {records.name} of {records.path} cannot be read here: {why}.",
        remedy="Audit its files themselves, as CSV, Parquet, JSONL, folder or WebDataset.",
    )
