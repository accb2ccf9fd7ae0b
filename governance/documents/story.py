"""A document of record for people: as blocks for a PDF, and as Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from governance.canonical import Json
from governance.documents.answers import STATEMENT, Answer, DocumentKind, Section, said
from governance.documents.filing import Filing
from governance.evidence.blocks import Block, Facts, Heading, Paragraph, Points, Story, Table, Verbatim

_NUMBERED: Final = (DocumentKind.EU_SUMMARY, DocumentKind.AB2013, DocumentKind.MODEL_CARD)
"""Forms of laws and cards, which are read question by question; what standards ask is a table of fields."""

_BEGINNING: Final = re.compile(r"^(\d{1,9}(?=\.(?:\s|$))|(?=[-+=]))", re.ASCII)
"""What begins a list, a line across or a heading where a line begins with it."""

_NESTED: Final = 400
"""Above so many characters a nested value is written line by line."""


def story(filing: Filing) -> Story:
    """The document as blocks, gaps in shaded ones."""
    basis = filing.sources.basis
    return Story(filing.title, filing.subject, basis.made, basis.maker, tuple(_blocks(filing)))


def _blocks(filing: Filing) -> Iterator[Block]:
    yield Paragraph(STATEMENT)
    yield Facts(filing.basis_rows)
    yield Paragraph(gap_count(filing), strong=True)
    for section in filing.sections:
        yield Heading(f"{section.number} {section.title}".strip() if _numbered(filing, section) else section.title)
        if filing.kind in _NUMBERED:
            for answer in section.answers:
                yield from _answer(section, answer)
        elif section.answers:
            yield Table(("field", "as recorded", "not stated"), (33, 36, 31), tuple(map(_row, section.answers)))
    yield Heading("Entries of the log that this stands on")
    rows = tuple((cited.id, cited.kind, cited.time, cited.leaf) for cited in filing.entries)
    yield Table(("entry", "kind", "time", "leaf hash"), (25, 10, 23, 42), rows)


def gap_count(filing: Filing) -> str:
    """How much of the document is open."""
    questions = sum(len(section.answers) for section in filing.sections)
    return f"{len(filing.gaps)} of {questions} fields are not stated, or not in full, by any record."


def _numbered(filing: Filing, section: Section) -> bool:
    """Sections of the standards have names of ours in the place of numbers."""
    return filing.kind in _NUMBERED and bool(section.number)


def _row(answer: Answer) -> tuple[str, str, str]:
    """A field of a standard, what is recorded, and what is not stated."""
    value, gap = answer.reply.value, answer.gap
    return (
        answer.question.text,
        "" if value is None else "\n".join(_lines(value)),
        "" if gap is None else gap.text(),
    )


def _answer(section: Section, answer: Answer) -> Iterator[Block]:
    yield Paragraph(_asked(section, answer), strong=True)
    if answer.reply.value is not None:
        lines = tuple(_lines(answer.reply.value))
        yield Points(lines) if len(lines) > 1 else Paragraph(lines[0])
    if answer.gap is not None:
        yield Verbatim(answer.gap.text())  # shaded: it must not be missed


def _asked(section: Section, answer: Answer) -> str:
    """The question, with its number where that is not the section's."""
    number = answer.question.number
    return answer.question.text if number == section.number else f"{number.replace('.(', '(')} {answer.question.text}"


def _lines(value: Json) -> Iterator[str]:
    """A value in lines: one for each name of a mapping, split further where one is long."""
    if not isinstance(value, Mapping):
        yield said(value)
        return
    if not value:
        yield "none"
    for name, each in value.items():
        text = f"{name}: {said(each)}"
        if isinstance(each, Mapping) and len(text) > _NESTED:
            yield from (f"{name}: {line}" for line in _lines(each))
        else:
            yield text


def markdown(filing: Filing) -> str:
    """The document as Markdown (CommonMark). Values are escaped: nothing that a record says becomes markup."""
    lines = [*_front(filing), f"# {_escaped(filing.title)}", "", _escaped(STATEMENT), ""]
    lines += [f"- **{_escaped(name)}**: {_escaped(value)}" for name, value in filing.basis_rows]
    lines += ["", f"**{gap_count(filing)}**", ""]
    for section in filing.sections:
        number = f"{section.number} " if _numbered(filing, section) else ""
        lines += [f"## {_escaped(number + section.title)}", ""]
        for answer in section.answers:
            lines += [f"### {_escaped(_asked(section, answer))}", ""]
            if answer.reply.value is not None:
                lines += [*(f"- {_escaped(line)}" for line in _lines(answer.reply.value)), ""]
            if answer.gap is not None:
                lines += [f"**{_escaped(answer.gap.text())}**", ""]
    lines += ["## Entries of the log that this stands on", ""]
    lines += [f"- `{cited.id}` ({cited.kind}, {cited.time}), leaf hash `{cited.leaf}`" for cited in filing.entries]
    return "\n".join(lines) + "\n"


def _front(filing: Filing) -> list[str]:
    """The front matter, between lines of dashes: JSON values, which YAML 1.2 reads alike."""
    if not filing.front:
        return []
    rows = [f"{name}: {json.dumps(value, ensure_ascii=True)}" for name, value in filing.front.items()]
    return ["---", *rows, "---", ""]


def _escaped(text: str) -> str:
    """`text` as plain text of one line: every character of ASCII that Markdown or HTML could read is escaped."""
    one = "".join(f"\\{each}" if each in r"\`*_{}[]()<>#|!~&$" else each for each in " ".join(text.split()))
    return _BEGINNING.sub(r"\1\\", one)
