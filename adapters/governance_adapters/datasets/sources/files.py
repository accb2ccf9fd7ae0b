"""The files of a source: listed in one order, and known again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from governance.canonical import Digest
from governance.errors import DatasetChangedError, DatasetError
from governance_adapters.datasets.sources.locations import quoted, unquoted


def files_under(root: str) -> Iterator[str]:
    """The quoted names of all files under `root`, relative to it, folder by folder, sorted. Linked folders are left out.

    Raises:
        DatasetError: a folder cannot be read.
    """
    for folder, folders, names in os.walk(root, onerror=_refuse):
        folders.sort(key=os.fsencode)
        relative = os.path.relpath(folder, root)
        for name in sorted(names, key=os.fsencode):
            yield quoted(name if relative == os.curdir else f"{relative}/{name}")


def linked_folders(root: str) -> Iterator[str]:
    """The quoted names of the linked folders, which `files_under` leaves out, each with a slash."""
    for folder, folders, _ in os.walk(root, onerror=_refuse):
        for each in folders:
            if (path := Path(folder, each)).is_symlink():
                yield quoted(os.path.relpath(path, root)) + "/"


def fingerprint(root: str, names: Iterable[str]) -> Digest:
    """SHA-256 over the name, size and time of change of each file, by its quoted name under `root`.

    Raises:
        DatasetError: a file cannot be looked at.
    """
    seen = hashlib.sha256()
    for name in names:
        try:
            status = path_of(root, name).lstat()
        except OSError as error:
            raise _cannot(name, error) from error
        seen.update(json.dumps([name, status.st_size, status.st_mtime_ns]).encode() + b"\n")
    return Digest(seen.hexdigest())


def path_of(root: str, name: str) -> Path:
    """The path of a file by its quoted name."""
    return Path(root, unquoted(name))


def read_span(root: str, name: str, offset: int, size: int) -> bytes:
    """Bytes of a file of the source itself.

    Raises:
        DatasetError: it cannot be read.
        DatasetChangedError: it has become shorter.
    """
    try:
        with path_of(root, name).open("rb") as file:
            file.seek(offset)
            content = file.read(size)
    except OSError as error:
        raise _cannot(name, error) from error
    if len(content) != size:
        raise changed(name)
    return content


def changed(name: str) -> DatasetChangedError:
    """The error of a file that is not what it was when the source was cut into parts."""
    return DatasetChangedError(
        f"{name} was changed while the dataset was read.", remedy="Audit the dataset when nobody writes to it any more."
    )


def existing(location: str) -> tuple[str, tuple[str, ...]]:
    """The folder and the quoted names of the files that `location` names: one file, or those that fit a pattern.

    Raises:
        DatasetError: there is none.
    """
    path = Path(location)
    found = [path] if path.is_file() else sorted(path.parent.glob(path.name)) if "*" in path.name else []
    if not found:
        raise DatasetError(f"There is no dataset at {location}.", remedy="Check the path.")
    return str(path.parent), tuple(quoted(each.name) for each in found if each.is_file())


def _refuse(error: OSError) -> None:
    raise _cannot(str(error.filename), error)


def _cannot(name: str, error: OSError) -> DatasetError:
    return DatasetError(f"{quoted(name)} cannot be read: {error.strerror}.", remedy="Make it readable, or remove it.")
