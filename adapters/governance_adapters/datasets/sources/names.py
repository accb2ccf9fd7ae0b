"""Which column of a dataset says what: by the names that datasets use, or as whoever audits says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from governance.datasets.records import Consent, SourceKind
from governance.errors import DatasetError
from governance_adapters.datasets.sources.source import FIELDS

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "__key__", "key", "uid", "image_id", "sample_id"),
    "location": ("location", "file_name", "filename", "filepath", "file", "path", "image_path", "image", "img"),
    "content": ("content", "sha256", "content_sha256"),
    "caption": ("caption", "text", "title", "prompt"),
    "licence": ("licence", "license"),
    "source": ("source", "url", "source_url", "image_url", "page_url"),
    "source_kind": ("source_kind",),
    "owner": ("owner", "author", "creator", "photographer", "rights_holder", "copyright_holder"),
    "contract": ("contract",),
    "consent": ("consent",),
    "collected": ("collected", "collected_at", "date", "timestamp", "downloaded"),
    "synthetic": ("synthetic", "is_synthetic"),
    "media_type": ("media_type", "mime_type", "mime", "content_type"),
}
"""The columns that are read where `columns` names none, the first that is there; small and capital letters are alike."""


def checked_columns(columns: Mapping[str, str]) -> dict[str, str]:
    """`columns`, where its keys are fields of a record.

    Raises:
        DatasetError: one is not.
    """
    for name in columns:
        if name not in FIELDS:
            raise DatasetError(f"A record has no field {name!r}.", remedy=f"Name one of {', '.join(FIELDS)}.")
    return dict(columns)


def checked_defaults(defaults: Mapping[str, str]) -> dict[str, str]:
    """`defaults`, where records can have these values.

    Raises:
        DatasetError: there is no such field, it has no such value, or it is different for every record.
    """
    for name, text in checked_columns(defaults).items():
        allowed = VALUES.get(name)
        if name in {"id", "location", "content"}:
            raise DatasetError(f"No two records share their {name}.", remedy=f"Name a column for {name} instead.")
        if allowed is not None and text not in allowed:
            raise DatasetError(f"{name} is never {text!r}.", remedy=f"Use one of {', '.join(allowed)}.")
    return dict(defaults)


VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "source_kind": tuple(SourceKind),
    "consent": tuple(Consent),
    "synthetic": ("yes", "no", "unknown"),
}
"""The values of the fields that have only some."""


def chosen(there: Sequence[str], columns: Mapping[str, str], where: str) -> dict[str, str]:
    """The column of each field that is stated, among those that are `there`.

    Raises:
        DatasetError: a column that `columns` names is not there.
    """
    alike: dict[str, str] = {}
    for name in there:
        alike.setdefault(name.casefold(), name)
    found: dict[str, str] = {}
    for field, names in NAMES.items():
        if field in columns:
            if columns[field] not in there:
                raise DatasetError(
                    f"{where} has no column {columns[field]!r}, which is to be the {field}.",
                    remedy=f"It has {', '.join(there) or 'none'}.",
                )
            found[field] = columns[field]
        elif name := next((alike[name] for name in names if name in alike), ""):
            found[field] = name
    return found


def unread(there: Iterable[str], found: Mapping[str, str]) -> tuple[str, ...]:
    """The columns that are there and say nothing that a record has."""
    return tuple(sorted(set(there) - set(found.values())))
