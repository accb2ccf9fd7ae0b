"""What a Croissant document says, without a look at its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from governance.errors import DatasetError

MAX_DOCUMENT: Final = 64 * 2**20
"""The most bytes of a document."""


@dataclass(frozen=True, slots=True)
class CroissantField:
    """Where a field comes from: the id of a file or of a set of files, and the column of it; empty for a whole file."""

    file: str
    column: str


def document_of(path: str) -> Mapping[str, Any]:
    """The document at `path`.

    Raises:
        DatasetError: there is none.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_DOCUMENT + 1)
        document = json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is no Croissant document: {error}.", remedy="Name a JSON-LD document.") from error
    if not is_croissant(document):
        raise DatasetError(
            f"{path} is no Croissant document.", remedy="It says no `conformsTo` of MLCommons Croissant."
        )
    found: Mapping[str, Any] = document
    return found


def is_croissant(document: object) -> bool:
    """Whether a JSON document says that it is Croissant."""
    if not isinstance(document, Mapping):
        return False
    return any("mlcommons.org/croissant" in str(each) for each in listed(document.get("conformsTo")))


def record_set(document: Mapping[str, Any], wanted: str, path: str) -> tuple[str, dict[str, CroissantField]]:
    """The name of the record set `wanted`, or of the only one that lies in files, and its fields by their names.

    Raises:
        DatasetError: there is none, or there are several.
    """
    found = {
        _name(each): fields
        for each in listed(document.get("recordSet"))
        if isinstance(each, Mapping) and (fields := _fields(each, path))
    }
    if wanted:
        found = {name: fields for name, fields in found.items() if name == wanted}
    if len(found) != 1:
        raise DatasetError(
            f"{path} has {len(found)} record sets {wanted!r} that lie in files."
            if wanted
            else f"{path} has {len(found)} record sets that lie in files.",
            remedy=f"Name one: `{path}#RECORD_SET`." if found else "Audit its files themselves.",
        )
    ((name, fields),) = found.items()
    return name, fields


def stated_licence(document: Mapping[str, Any]) -> str:
    """The licence of the whole dataset; empty where there is none, or more than one."""
    found = [
        str(each.get("url") or each.get("name") or each.get("@id") or "") if isinstance(each, Mapping) else str(each)
        for each in listed(document.get("license") or document.get("sc:license"))
    ]
    return found[0] if len(found) == 1 else ""


def listed(value: Any) -> list[Any]:
    """A value of JSON-LD as a list: one alone need not stand in one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _fields(records: Mapping[str, Any], path: str) -> dict[str, CroissantField]:
    """The fields that come from files. A field that is made over on its way is refused: what it says is not in the file."""
    found: dict[str, CroissantField] = {}
    for each in listed(records.get("field")):
        source = each.get("source") if isinstance(each, Mapping) else None
        if not isinstance(source, Mapping):
            continue
        file = next((_id(source[name]) for name in ("fileObject", "fileSet", "distribution") if name in source), "")
        extract = source.get("extract")
        extract = extract if isinstance(extract, Mapping) else {}
        if not file:
            continue
        if source.get("transform") or extract.get("jsonPath"):
            raise DatasetError(
                f"The field {_name(each)!r} of {path} is made from the file by a transform, which is not read here.",
                remedy="Write what it makes into a column of its own.",
            )
        found[_name(each)] = CroissantField(file, str(extract.get("column") or ""))
    return found


def _id(value: Any) -> str:
    return str(value.get("@id") or value.get("name") or "") if isinstance(value, Mapping) else str(value)


def _name(each: Mapping[str, Any]) -> str:
    """The name of a record set or a field: what stands behind the last slash of its id, or its name."""
    return str(each.get("name") or str(each.get("@id") or "").rpartition("/")[2])
