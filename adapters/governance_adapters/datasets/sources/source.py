"""What every source of a dataset offers, and the columns of what it reads.

A source is cut into parts of bounded size, always the same ones as long as its files do not change. Each part is read by
itself, in any order, on any machine that sees the files: sources and parts are plain values that can be pickled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from governance.canonical import Digest

if TYPE_CHECKING:
    import pyarrow as pa

ROWS: Final = 20_000
"""The most records of a part that is words only."""

PICTURE_ROWS: Final = 1_000
"""The most records of a part whose images are files or values of the source."""

FIELDS: Final[Mapping[str, str]] = {
    "id": "id",
    "location": "location",
    "content": "content_stated",
    "caption": "caption",
    "licence": "licence_stated",
    "source": "source",
    "source_kind": "source_kind",
    "owner": "owner",
    "contract": "contract",
    "consent": "consent",
    "collected": "collected",
    "synthetic": "synthetic_stated",
    "media_type": "media_type",
}
"""What a record may state, by the name that `columns` and `defaults` use, and the raw column that it goes into."""

RAW_COLUMNS: Final = (*FIELDS.values(), "problems")
"""The columns of what `Source.read` returns: texts, empty where nothing is stated; `problems` is a list of texts."""


class SourceForm(StrEnum):
    """How a dataset lies there. `auto` is found by the files' names."""

    AUTO = "auto"
    FOLDER = "folder"
    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"
    WEBDATASET = "webdataset"
    HUGGINGFACE = "huggingface"
    CROISSANT = "croissant"


@dataclass(frozen=True, slots=True)
class SourcePart:
    """One part of a source: `rows` records, the first of them the record `first` of the whole (from 0).

    `number` counts the parts from 0. `detail` is the source's own: where in its files the part lies.
    """

    number: int
    first: int
    rows: int
    detail: tuple[Any, ...]


class Source(Protocol):
    """A dataset, to be read."""

    @property
    def kind(self) -> SourceForm:
        """How it lies there; never `auto`."""

    @property
    def location(self) -> str:
        """What was opened: the path of a file or a folder, or a pattern."""

    @property
    def root(self) -> str:
        """The folder that the locations of records are relative to, and that none of them leaves."""

    @property
    def pictures(self) -> bool:
        """Whether its records have locations that images can be read from."""

    @property
    def ignored(self) -> tuple[str, ...]:
        """What is there and is not read: columns, and files by `*.ending`; sorted."""

    def fingerprint(self) -> Digest:
        """Over the names, sizes and times of change of its files: another one whenever a file was changed.

        Raises:
            DatasetError: a file cannot be looked at.
        """

    def parts(self) -> Sequence[SourcePart]:
        """Its parts, in order; none where it has no records.

        Raises:
            DatasetError: a file cannot be read, or is broken so that nobody can say where its records are.
        """

    def read(self, part: SourcePart) -> pa.Table:
        """The records of a part: `RAW_COLUMNS`, `part.rows` rows, in the order of the files. No image is read.

        Raises:
            DatasetError: the files cannot be read.
            DatasetChangedError: they do not hold that part any more.
        """

    def read_bytes(self, location: str) -> bytes:
        """The bytes of one record's content, as `locations.read_location`.

        Raises:
            DatasetError: there is no such content, or it cannot be read.
        """


def raw_schema() -> pa.Schema:
    """The Arrow schema of `RAW_COLUMNS`."""
    import pyarrow as pa

    texts = [pa.field(name, pa.string(), nullable=False) for name in FIELDS.values()]
    return pa.schema([*texts, pa.field("problems", pa.list_(pa.string()), nullable=False)])
