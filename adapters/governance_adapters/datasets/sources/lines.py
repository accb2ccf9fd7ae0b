"""Where the records of a text file begin: found without reading more than a little of it at a time."""

from __future__ import annotations

import csv
import io
import mmap
import os
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from governance.errors import DatasetError
from governance_adapters.datasets.sources.files import path_of
from governance_adapters.datasets.sources.tables import PART_BYTES

BOM: Final = b"\xef\xbb\xbf"
MAX_LINE: Final = 16 * 2**20
"""The most bytes of one line, or of one record of a CSV file."""

_BLOCK: Final = 8 * 2**20
_TAIL: Final = 2**16
_SPACE: Final = b" \t\r\n"


def line_parts(root: str, name: str, skipped: int, rows: int) -> Iterator[tuple[int, int, int]]:
    """Offset, bytes and lines of each part of a file whose records are lines, from the offset `skipped` on.

    Raises:
        DatasetError: the file cannot be read, or a line is longer than `MAX_LINE`.
    """
    begin, last, lines = skipped, skipped, 0
    for end in line_ends(root, name, skipped):
        if end - last > MAX_LINE:
            raise too_long(name, last)
        if lines and (lines == rows or end - begin > PART_BYTES):
            yield begin, last - begin, lines
            begin, lines = last, 0
        last, lines = end, lines + 1
    if lines:
        yield begin, last - begin, lines


def csv_parts(root: str, name: str, skipped: int, rows: int, delimiter: str) -> Iterator[tuple[int, int, int]]:
    """The same of a CSV file, whose quoted fields may hold line ends; `skipped` is the end of its head.

    Raises:
        DatasetError: the file cannot be read, or a record is longer than `MAX_LINE`.
    """
    if not _has_quotes(root, name):
        yield from line_parts(root, name, skipped, rows)
        return
    begin, last, records = skipped, skipped, 0
    for end in _record_ends(root, name, skipped, delimiter):
        if records and (records == rows or end - begin > PART_BYTES):
            yield begin, last - begin, records
            begin, records = last, 0
        last, records = end, records + 1
    if records:
        yield begin, last - begin, records


def first_record(root: str, name: str, delimiter: str) -> tuple[list[str], int]:
    """The head of a CSV file, and where its records begin. An empty file has no head.

    Raises:
        DatasetError: it cannot be read.
    """
    for end, head in records(root, name, 0, delimiter):
        return [each.removeprefix("\N{BYTE ORDER MARK}") for each in head], end
    return [], 0


def csv_reader(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """The records of lines, each with its end. A field may be as long as a record."""
    csv.field_size_limit(MAX_LINE)
    return csv.reader(lines, delimiter=delimiter)


def lines_of(content: bytes) -> Iterator[str]:
    """The lines of CSV, each with its end: LF alone ends one, as everywhere here."""
    return iter(io.StringIO(content.decode("utf-8", "surrogateescape"), newline="\n"))


def broken(name: str, error: csv.Error) -> DatasetError:
    """The error of a file that is no CSV."""
    return DatasetError(f"{name} is no CSV file: {error}.", remedy="Write it again, with lines that end in LF or CRLF.")


def too_long(name: str, offset: int) -> DatasetError:
    """The error of a record that is longer than any record is."""
    return DatasetError(
        f"{name} has a record of more than {MAX_LINE} bytes at byte {offset}.",
        remedy="Close the quotes there, or cut the record: nothing behind it can be told apart.",
    )


def line_ends(root: str, name: str, skipped: int) -> Iterator[int]:
    """The offset behind each line; the last one need not end."""
    place = ended = skipped
    limit = _end(root, name)
    try:
        with path_of(root, name).open("rb") as file:
            file.seek(skipped)
            while block := file.read(min(_BLOCK, max(0, limit - place))):
                for each in (np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + place + 1).tolist():
                    yield each
                    ended = each
                place += len(block)
    except OSError as error:
        raise _cannot(name, error) from error
    if place > ended:
        yield place


def _record_ends(root: str, name: str, skipped: int, delimiter: str) -> Iterator[int]:
    return (end for end, _ in records(root, name, skipped, delimiter))


def records(root: str, name: str, skipped: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The offset behind each record of a CSV file, and its fields."""
    place = last = skipped
    limit = _end(root, name)

    def lines() -> Iterator[str]:
        nonlocal place
        with path_of(root, name).open("rb") as file:
            file.seek(skipped)
            while line := file.readline(min(MAX_LINE + 1, max(0, limit - place))):
                place += len(line)
                if place - last > MAX_LINE:
                    raise too_long(name, last)
                yield line.decode("utf-8", "surrogateescape")

    try:
        for record in csv_reader(lines(), delimiter):
            yield place, record
            last = place
    except csv.Error as error:
        raise broken(name, error) from error
    except OSError as error:
        raise _cannot(name, error) from error


def _end(root: str, name: str) -> int:
    """Where the last record ends: empty lines behind it are none."""
    try:
        with path_of(root, name).open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            while end:
                begin = max(0, end - _TAIL)
                file.seek(begin)
                tail = file.read(end - begin)
                if kept := len(tail.rstrip(_SPACE)):
                    line_end = tail.find(b"\n", kept)
                    return end if line_end < 0 else begin + line_end + 1
                end = begin
    except OSError as error:
        raise _cannot(name, error) from error
    return 0


def _has_quotes(root: str, name: str) -> bool:
    try:
        with path_of(root, name).open("rb") as file:
            if not file.read(1):
                return False
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
                return held.find(b'"') >= 0
    except (OSError, ValueError) as error:
        raise _cannot(name, error) from error


def _cannot(name: str, error: OSError | ValueError) -> DatasetError:
    return DatasetError(f"{name} cannot be read: {error}.", remedy="Make it readable, or remove it.")
