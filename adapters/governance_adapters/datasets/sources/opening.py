"""Opens a source by what lies at its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from governance.errors import DatasetError
from governance_adapters.datasets.sources.croissant import CroissantSource
from governance_adapters.datasets.sources.croissant_document import MAX_DOCUMENT, is_croissant
from governance_adapters.datasets.sources.csv_files import CsvSource
from governance_adapters.datasets.sources.files import existing, files_under
from governance_adapters.datasets.sources.folder import FolderSource
from governance_adapters.datasets.sources.huggingface import STATE, HuggingFaceSource, is_split
from governance_adapters.datasets.sources.images import ending, is_image
from governance_adapters.datasets.sources.jsonl import JsonlSource
from governance_adapters.datasets.sources.names import checked_columns, checked_defaults
from governance_adapters.datasets.sources.parquet import ParquetSource
from governance_adapters.datasets.sources.source import Source, SourceForm
from governance_adapters.datasets.sources.tables import Reading
from governance_adapters.datasets.sources.tars import TarSource

ENDINGS: Final[Mapping[str, SourceForm]] = MappingProxyType(
    {
        "parquet": SourceForm.PARQUET,
        "csv": SourceForm.CSV,
        "tsv": SourceForm.CSV,
        "jsonl": SourceForm.JSONL,
        "ndjson": SourceForm.JSONL,
        "tar": SourceForm.WEBDATASET,
    }
)
"""The form of files, by their ending."""

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_FILES: Final[Mapping[SourceForm, Callable[[str, str, tuple[str, ...], Reading], Source]]] = {
    SourceForm.PARQUET: ParquetSource.open,
    SourceForm.CSV: CsvSource.open,
    SourceForm.JSONL: JsonlSource.open,
    SourceForm.WEBDATASET: TarSource.open,
}


def open_source(
    location: str,
    *,
    form: SourceForm = SourceForm.AUTO,
    columns: Mapping[str, str] = _NOTHING,
    defaults: Mapping[str, str] = _NOTHING,
    rows: int = 0,
) -> Source:
    """The dataset at `location`: a folder, a file, a pattern of files (`train-*.parquet`), or a document's record set.

    `columns` names the column of a field where it is not one of `names.NAMES`; `defaults` stand in records that state
    nothing. Both are keyed by the names of `source.FIELDS`. `rows` is the most records of a part; 0: the usual number.

    Raises:
        DatasetError: there is nothing there, nobody can tell what it is, it cannot be read, or a column is not there.
    """
    reading = Reading(checked_columns(columns), checked_defaults(defaults), rows)
    form = _found_form(location) if form is SourceForm.AUTO else form
    if form is SourceForm.CROISSANT:
        return CroissantSource.open(location, reading)
    if form in _FILES:
        root, names = _files(location, form)
        return _FILES[form](location, root, names, reading)
    if not Path(location).is_dir():
        raise DatasetError(f"There is no folder {location}.", remedy="Check the path.")
    return (
        HuggingFaceSource.open(location, reading)
        if form is SourceForm.HUGGINGFACE
        else FolderSource.open(location, reading)
    )


def _files(location: str, form: SourceForm) -> tuple[str, tuple[str, ...]]:
    """The folder and the quoted names of the files of a form."""
    if not Path(location).is_dir():
        root, names = existing(location)
    else:
        root, names = location, tuple(each for each in files_under(location) if ENDINGS.get(ending(each)) is form)
    if form is SourceForm.PARQUET and (other := next((each for each in names if ending(each) != "parquet"), "")):
        raise DatasetError(f"{other} does not end in `.parquet`.", remedy="Rename it, so that its rows can be named.")
    if not names:
        raise DatasetError(f"There is no file of the form {form.value} in {location}.", remedy="Name another form.")
    return root, names


def _found_form(location: str) -> SourceForm:
    if Path(location).is_dir():
        return _form_of_folder(location)
    path = location if Path(location).is_file() or "*" in location else location.rpartition("#")[0]
    if not path or not (Path(path).is_file() or "*" in path):
        raise DatasetError(f"There is no dataset at {location}.", remedy="Check the path.")
    if ending(path) in ENDINGS:
        return ENDINGS[ending(path)]
    if ending(path) in {"json", "jsonld"} and _says_croissant(path):
        return SourceForm.CROISSANT
    raise _unclear(location)


def _form_of_folder(location: str) -> SourceForm:
    """The form of a folder: what `datasets` saved, images, or tables and tars of one kind."""
    if is_split(location) or Path(location, STATE).is_file():
        return SourceForm.HUGGINGFACE
    forms: set[SourceForm] = set()
    for name in files_under(location):
        if is_image(name):
            return SourceForm.FOLDER
        if (form := ENDINGS.get(ending(name))) is not None:
            forms.add(form)
    if len(forms) != 1:
        raise _unclear(location)
    return forms.pop()


def _says_croissant(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return is_croissant(json.loads(file.read(MAX_DOCUMENT)))
    except (OSError, ValueError, RecursionError):
        return False


def _unclear(location: str) -> DatasetError:
    forms = ", ".join(form.value for form in SourceForm if form is not SourceForm.AUTO)
    return DatasetError(f"Nobody can tell in which form {location} is.", remedy=f"Name the form: one of {forms}.")
