"""Just enough Markdown to hold the documents against the code."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def blocks(text, *kinds):
    """The fenced blocks of these kinds, in order."""
    return [found["code"] for found in _FENCE.finditer(text) if found["kind"] in kinds]


def prose(text):
    """`text` without its fenced blocks."""
    return _FENCE.sub("", text)


def inline_code(text):
    """Everything that stands in single backticks."""
    return _INLINE.findall(prose(text))


def links(text):
    """The targets of links and images."""
    return _LINK.findall(prose(text))


def anchor(heading):
    """The anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def headings(text):
    """(level, title) of every heading."""
    return [(len(marks), title) for marks, title in re.findall(r"^(#+) (.+)$", prose(text), re.MULTILINE)]


def section(text, title):
    """What stands under a heading, down to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert found, f"there is no heading {title!r}"
    level = len(found[1])
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{level}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def table(text):
    """The rows of the first table in `text` as lists of cells; the head is left out."""
    lines = re.search(r"(?:^\|.*\n)+", prose(text) + "\n", re.MULTILINE)
    assert lines, "there is no table"
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[0].splitlines()]
    return [[cell.replace("\\|", "|") for cell in row] for row in rows[2:]]


def names(text):
    """What stands in backticks in the first column of the first table, none twice."""
    found = [name for row in table(text) for name in inline_code(row[0])]
    assert len(found) == len(set(found)), f"twice: {sorted(name for name in found if found.count(name) > 1)}"
    return set(found)


def command_lines(text):
    """The `governance ...` lines of shell blocks, without prompt and comment."""
    lines = [line.removeprefix("$ ") for block in blocks(text, "sh", "console") for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines if line.startswith("governance ")]
