"""WebDataset: tar files whose members belong together by their names, up to the first point of the last part."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from governance.canonical import Digest
from governance.datasets.records import Problem
from governance.errors import DatasetError
from governance_adapters.datasets.sources import files
from governance_adapters.datasets.sources.images import as_ignored, is_image
from governance_adapters.datasets.sources.jsonl import json_object, stated_objects
from governance_adapters.datasets.sources.locations import quoted, read_location, span
from governance_adapters.datasets.sources.names import NAMES
from governance_adapters.datasets.sources.raw import raw_table
from governance_adapters.datasets.sources.source import SourceForm, SourcePart
from governance_adapters.datasets.sources.tables import Reading, numbered

if TYPE_CHECKING:
    import pyarrow as pa

MAX_JSON: Final = 2**20
"""The most bytes of one member that says something of its image."""

_SAMPLE: Final = 1_000
_BLOCK: Final = 512


@dataclass(slots=True)
class Sample:
    """Members that belong together: a name and what each holds. `offset` is where the first one's header begins."""

    key: str
    offset: int
    members: dict[str, tarfile.TarInfo] = field(default_factory=dict)

    @property
    def images(self) -> list[str]:
        """The endings of those that are images."""
        return [each for each in self.members if is_image(f"a.{each}")]

    @property
    def records(self) -> int:
        """How many records it is: one for each image, and one where it has none."""
        return max(1, len(self.images))


@dataclass(frozen=True, slots=True)
class TarSource:
    """See `governance_adapters.datasets.sources.source.Source`."""

    location: str
    root: str
    names: tuple[str, ...]
    reading: Reading
    ignored: tuple[str, ...]
    pictures: bool = True
    kind: SourceForm = SourceForm.WEBDATASET

    @classmethod
    def open(cls, location: str, root: str, names: tuple[str, ...], reading: Reading) -> TarSource:
        """The source of the tar files `names` (quoted) in the folder `root`.

        Raises:
            DatasetError: one is no tar file, or is compressed.
        """
        ignored: set[str] = set()
        for name in names:
            with open_file(root, name) as file:
                for _, sample in zip(range(_SAMPLE), samples(file, name, 0), strict=False):
                    ignored.update(as_ignored(f"a.{each}") for each in sample.members if not _is_read(each))
        return cls(location, root, names, reading, tuple(sorted(ignored)))

    def fingerprint(self) -> Digest:
        """See `Source.fingerprint`."""
        return files.fingerprint(self.root, self.names)

    def parts(self) -> Sequence[SourcePart]:
        """See `Source.parts`. A detail is the file's name, the offset of the first header and the number of samples."""
        return [SourcePart(*each) for each in numbered(list(self._details()))]

    def read(self, part: SourcePart) -> pa.Table:
        """See `Source.read`. A record's id is the name that its members share, where none is stated."""
        import pyarrow as pa

        name, offset, count = part.detail
        objects: list[dict[str, Any] | None] = []
        ids: list[str] = []
        locations: list[str] = []
        with open_file(self.root, name) as file:
            found = [each for _, each in zip(range(count), samples(file, name, offset), strict=False)]
            for sample in found:
                stated = self._object(file, sample)
                for image in sample.images or [""]:
                    objects.append(stated)
                    ids.append(sample.key if len(sample.images) < 2 else f"{sample.key}.{image}")
                    locations.append(_location(name, sample.members.get(image)))
        if len(ids) != part.rows:
            raise files.changed(name)
        places = pa.array(locations, pa.string())
        raw = stated_objects(objects, lambda: pa.array(ids, pa.string()), self.reading.columns, places)
        raw.problems[Problem.MISSING] = pa.array([not each for each in locations], pa.bool_())
        return raw_table(raw, self.reading.defaults)

    def read_bytes(self, location: str) -> bytes:
        """See `Source.read_bytes`."""
        return read_location(location, self.root)

    def _details(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        most = self.reading.part_rows(pictures=True)
        for name in self.names:
            with open_file(self.root, name) as file:
                begin, records, count = 0, 0, 0
                for sample in samples(file, name, 0):
                    if count and records + sample.records > most:
                        yield records, (name, begin, count)
                        begin, records, count = sample.offset, 0, 0
                    records, count = records + sample.records, count + 1
                if count:
                    yield records, (name, begin, count)

    def _object(self, file: BinaryIO, sample: Sample) -> dict[str, Any] | None:
        """What a sample states; None where that is broken, or where a name or a link in it would lead elsewhere."""
        if any(not each.isreg() or each.issparse() or _leads_out(each.name) for each in sample.members.values()):
            return None
        said: dict[str, Any] = {}
        if (member := sample.members.get("json")) is not None:
            found = json_object(_content(file, member)) if member.size <= MAX_JSON else None
            if found is None:
                return None
            said = found
        name = self.reading.columns.get("caption", "caption")
        text = sample.members.get("txt")
        if text is not None and not any(said.get(each) for each in (name, *NAMES["caption"])):
            said = {**said, name: _content(file, text).decode("utf-8", "surrogateescape")}
        return said


def samples(file: BinaryIO, name: str, offset: int) -> Iterator[Sample]:
    """The samples of a tar file, from the header at `offset` on. A member that is there twice begins a sample of its own.

    Raises:
        DatasetError: the file is broken.
    """
    sample: Sample | None = None
    for member in _members(file, name, offset):
        if member.isdir():
            continue
        key, kind = _parted(member.name)
        if sample is None or sample.key != key or kind in sample.members:
            if sample is not None:
                yield sample
            sample = Sample(key, member.offset)
        sample.members[kind] = member
    if sample is not None:
        yield sample


def open_file(root: str, name: str) -> BinaryIO:
    """A tar file, opened for reading.

    Raises:
        DatasetError: it cannot be read.
    """
    try:
        return files.path_of(root, name).open("rb")
    except OSError as error:
        raise DatasetError(f"{name} cannot be read: {error.strerror}.", remedy="Make it readable.") from error


def _members(file: BinaryIO, name: str, offset: int) -> Iterator[tarfile.TarInfo]:
    """Each member, without a list of all of them. What ends without its end mark where a header should be is broken."""
    file.seek(offset)
    try:
        headers: Any = _Headers(file)  # a file as far as one is only read
        with tarfile.TarFile(fileobj=headers, mode="r", errors="surrogateescape", encoding="utf-8") as tar:
            while (member := tar.next()) is not None:
                if member.size < 0 or tar.offset <= member.offset:
                    raise ValueError(f"the member at byte {member.offset} ends before it begins")
                yield member
                tar.members = []  # type: ignore[attr-defined]  # else it keeps all of them
            file.seek(tar.offset if offset == 0 or tar.offset > offset else offset)
            rest = file.read(_BLOCK)
    except (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError) as error:
        raise _broken(name, str(error)) from error
    if rest.strip(b"\0"):
        raise _broken(name, f"no header at byte {tar.offset}")


class _Headers:
    """A file of which headers are read: none is longer than `MAX_JSON`, whatever it says of itself."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.name, self.seek, self.tell = getattr(file, "name", ""), file.seek, file.tell

    def read(self, size: int) -> bytes:
        """`size` bytes.

        Raises:
            ValueError: that is no size of a header.
        """
        if not 0 <= size <= MAX_JSON:
            raise ValueError(f"a header of {size} bytes")
        return self._file.read(size)


def _content(file: BinaryIO, member: tarfile.TarInfo) -> bytes:
    file.seek(member.offset_data)
    return file.read(min(member.size, MAX_JSON))


def _parted(name: str) -> tuple[str, str]:
    """The name of a sample, and which of its members this is."""
    folder, slash, last = quoted(name).removeprefix("./").rpartition("/")
    stem, _, kind = last.partition(".")
    return f"{folder}{slash}{stem}", kind.lower()


def _location(name: str, member: tarfile.TarInfo | None) -> str:
    if member is None or not member.isreg() or member.issparse():
        return ""
    return span(name, member.offset_data, member.size)


def _leads_out(name: str) -> bool:
    """Nothing is ever unpacked here; whoever unpacks this later may overwrite a file of theirs."""
    return name.startswith("/") or ".." in name.split("/")


def _is_read(kind: str) -> bool:
    return kind in {"json", "txt"} or is_image(f"a.{kind}")


def _broken(name: str, why: str) -> DatasetError:
    return DatasetError(
        f"{name} is no whole tar file: {why}.",
        remedy="Unpack it first if it is compressed; else fetch it again, or remove it from the dataset.",
    )
