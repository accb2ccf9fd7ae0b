"""Where the content of one record lies: a file, a span of one, or a value of a table.

A location is text: `images/a.png`, `train-000.tar#offset,size` or `data.parquet#row,column`, relative to the root of its
source. `%`, `#` in names, control characters and bytes that are no UTF-8 are written `%XX`, so every name is valid Unicode.
Nothing outside the root is ever read, whatever a name or a link says.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from governance.datasets.records import Problem
from governance.errors import DatasetError
from governance_adapters.datasets.sources import arrow_files, parquet_rows

MAX_BYTES: Final = 256 * 2**20
"""The most bytes of one record's content that are read."""

TABLES: Final = (".parquet", ".arrow")
"""The endings of files whose contents are values of rows."""

_QUOTED: Final = re.compile(r"[%#\x00-\x1f\x7f\udc80-\udcff]")
_UNWRITABLE: Final = re.compile("[\ud800-\udfff]")
_SPAN: Final = re.compile(r"(\d{1,18}),(\d{1,18})", re.ASCII)
_CELL: Final = re.compile(r"(\d{1,18}),(.+)", re.ASCII | re.DOTALL)
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def quoted(name: str) -> str:
    """A file's name as text that every program can read; `name` as `os.fsdecode` gives it."""
    return _QUOTED.sub(lambda found: f"%{_byte(found.group()):02X}", name)


def unquoted(name: str) -> str:
    """The name that was `quoted`, as `os.fsencode` takes it."""
    return os.fsdecode(unquote_to_bytes(name))


def span(name: str, offset: int, size: int) -> str:
    """The location of `size` bytes at `offset` of the file `name`, which is quoted."""
    return f"{name}#{offset},{size}"


def cell(name: str, row: int, column: str) -> str:
    """The location of the value of `column` in the row `row` (from 0) of the file `name`, which is quoted."""
    return f"{name}#{row},{quoted(column)}"


def read_location(location: str, root: str) -> bytes:
    """The bytes at `location` under the folder `root`.

    Raises:
        DatasetError: there are none, they are more than `MAX_BYTES`, or they lie outside `root`.
    """
    found = Contents(root).read(location)
    if isinstance(found, Problem):
        raise DatasetError(
            f"The content at {location[:200]!r} cannot be read: {found.value}.",
            remedy="Put the file back where it was when the dataset was audited, or audit the dataset again.",
        )
    return found


class Contents:
    """Reads contents under one root. Reading rows of a table in their order reads each page of it once."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._inside = f"{self._root.rstrip('/')}/"
        self._folders: dict[str, str] = {}

    def read(self, location: str) -> bytes | Problem:
        """The bytes at `location`, or why there are none."""
        name, _, inside = location.partition("#")
        if not name or _ADDRESS.match(name):
            return Problem.MISSING  # nothing is ever fetched
        path = self._path(unquoted(name))
        if path is None:
            return Problem.BAD_VALUE
        if not inside:
            return _span(path, 0, None)
        if name.endswith(TABLES):
            return self._cell(path, inside)
        found = _SPAN.fullmatch(inside)
        return _span(path, int(found[1]), int(found[2])) if found else Problem.BAD_VALUE

    def _path(self, name: str) -> str | None:
        """The real path of a file under the root; None where it lies outside."""
        if "\0" in name:
            return None
        # Not by pathlib: this runs for every record, and pathlib takes as long as reading a small file.
        folder, last = os.path.split(os.path.normpath(os.path.join(self._root, name)))  # noqa: PTH118
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        path = os.path.join(self._folders[folder], last)  # noqa: PTH118
        if os.path.islink(path):  # noqa: PTH114
            path = os.path.realpath(path)
        return path if path.startswith(self._inside) else None

    def _cell(self, path: str, inside: str) -> bytes | Problem:
        found = _CELL.fullmatch(inside)
        if found is None:
            return Problem.BAD_VALUE
        rows = parquet_rows if path.endswith(".parquet") else arrow_files
        try:
            value = rows.value(Path(path), int(found[1]), unquoted(found[2]))
        except DatasetError:
            return Problem.UNREADABLE if Path(path).exists() else Problem.MISSING
        return self._value(value)

    def _value(self, value: object) -> bytes | Problem:
        """The bytes of a value: binary, or a struct of `bytes` and `path`, as Hugging Face writes images."""
        if isinstance(value, dict):
            content, path = value.get("bytes"), value.get("path")
            if content is None and isinstance(path, str) and path:
                return self.read(quoted(path))
            value = content
        if not isinstance(value, bytes):
            return Problem.MISSING if value is None else Problem.BAD_VALUE
        return value if len(value) <= MAX_BYTES else Problem.TOO_LARGE


def _span(path: str, offset: int, size: int | None) -> bytes | Problem:
    """`size` bytes at `offset`, or the whole file."""
    try:
        # Not opened as usual: a pipe would wait for a writer for ever.
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(number, "rb", buffering=0):
            status = os.fstat(number)
            size = status.st_size if size is None else size
            if size > MAX_BYTES:
                return Problem.TOO_LARGE
            whole = stat.S_ISREG(status.st_mode) and offset + size <= status.st_size
            content = os.pread(number, size, offset) if whole else b""
            return content if whole and len(content) == size else Problem.UNREADABLE
    except (FileNotFoundError, NotADirectoryError):
        return Problem.MISSING
    except OSError:  # a folder, too
        return Problem.UNREADABLE


def _byte(character: str) -> int:
    return ord(character) - 0xDC00 if ord(character) >= 0xDC80 else ord(character)


def without_surrogates(text: str) -> str:
    """`text` with what is no character replaced by U+FFFD."""
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
