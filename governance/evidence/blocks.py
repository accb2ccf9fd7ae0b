"""What a document for people is made of, before any format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from governance.canonical import Json


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text. `strong`: it must not be missed."""

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Points:
    """Short statements, one below the other."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, one a line."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text below column titles. `widths` are the columns' shares of the line; `title` stands above, if any."""

    columns: tuple[str, ...]
    widths: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text whose lines are kept as they are."""

    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The released picture, and what stands below it."""

    content: bytes
    caption: str


Block: TypeAlias = Heading | Paragraph | Points | Facts | Table | Verbatim | Picture
"""One piece of a document."""


@dataclass(frozen=True, slots=True)
class Story:
    """A document: its title, the line that stands on each page, when it was made (RFC 3339), by what, and its blocks."""

    title: str
    running: str
    made: str
    maker: str
    blocks: tuple[Block, ...]

    def texts(self) -> Iterator[str]:
        """Every text in it, for whoever must know what characters it needs."""
        yield from (self.title, self.running, self.made, self.maker)
        for block in self.blocks:
            match block:
                case Heading(text) | Paragraph(text) | Verbatim(text):
                    yield text
                case Points(texts):
                    yield from texts
                case Facts(rows):
                    yield from (text for row in rows for text in row)
                case Table(columns, _, rows, title):
                    yield from (title, *columns, *(text for row in rows for text in row))
                case Picture(_, caption):
                    yield caption


def plain(value: Json) -> str:
    """A JSON value in words: nested names with dots, lists with commas, nothing left out."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {plain(member)}" for name, member in value.items()) or "none"
    if isinstance(value, str):
        return value or "none"
    if isinstance(value, Sequence):
        return ", ".join(map(plain, value)) or "none"
    if value is None:
        return "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
