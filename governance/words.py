"""Where words begin and end: dividers, letters set apart, scripts that do not space their words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, groupby

from governance.folding import DIVIDER
from governance.readings import LETTERS_ONLY, LIKELY, REPEATED_LETTER, WHOLE, Reading, count_letters, read_word

CLUSTERED = "\u0e01-\u0e3a\u0e40-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Scripts that do not space their words and write several characters to a syllable, as a range of characters."""

SHORT = 2
"""Up to how many letters a piece of a word is one that was set apart."""

_UNSPACED = CLUSTERED + "\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u9fff\U00020000-\U0003ffff"
_UNSPACED_START = re.compile(f"[{_UNSPACED}]")
_SEGMENT = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_LONE_WORDS = frozenset("aio")
_MANY_PARTS = 4
_LONGEST_WHOLE = 40


def unspaced(word: str) -> bool:
    """Whether `word` begins with a character of a script that does not space its words."""
    return bool(_UNSPACED_START.match(word))


def read_words(folded: str) -> Iterator[dict[str, Reading]]:
    """Each word with its readings. Three or more single letters in a row are read as one word."""
    row: list[str] = []
    apart = False
    for part, wide, whole in chain(_parts(folded), [("", False, None)]):
        single = len(part) == 1 and not unspaced(part)
        if row and (wide or not single):
            yield from _row(row, apart, wide)
            row = []
        if single:
            apart = wide if not row else apart
            row.append(part)
        elif part:
            yield from _segments(part, whole)


def settled_rows(words: list[str]) -> list[str]:
    """`words`, where single letters in a row that would be read as something else are read so, as one word."""
    settled: list[str] = []
    for single, group in groupby(words, lambda word: len(word) == 1 and not unspaced(word)):
        row = list(group)
        if single and len(row) > 2:
            readings = list(_row(row, apart=False, ends=False))
            if any(len(reading) > 1 for reading in readings) or [*chain(*(read[LIKELY] for read in readings))] != row:
                row = list(read_word("".join(row))[LIKELY])
        settled += row
    return settled


def _parts(folded: str) -> Iterator[tuple[str, bool, str | None]]:
    """What stands between spaces and dividers, whether more than one space stood before, and what it may be all of.

    The last is the whole chunk for the first of many parts or of parts that may mix scripts, nothing for its other parts,
    None otherwise.
    """
    end = 0
    for match in re.finditer(r"\S+", folded):
        wide = match.start() - end > 1
        end = match.end()
        chunk = match.group()
        if DIVIDER not in chunk:
            yield chunk, wide, None
            continue
        parts = [part for part in chunk.split(DIVIDER) if part]
        together = "".join(parts)
        if len(parts) > 2 and all(len(part) <= SHORT for part in parts) and count_letters(together) > 2:
            parts = [together]
        many = len(parts) >= _MANY_PARTS or (len(parts) > 1 and not together.isascii())
        whole = many and len(together) <= _LONGEST_WHOLE and not any(map(unspaced, parts))
        for index, part in enumerate(parts):
            yield part, wide and index == 0, ("" if index else together) if whole else None


def _segments(part: str, whole: str | None) -> Iterator[dict[str, Reading]]:
    """The readings of one part, divided where scripts that space their words meet those that do not."""
    segments = _SEGMENT.findall(part)
    for index, segment in enumerate(segments):
        if unspaced(segment):
            yield {LIKELY: (REPEATED_LETTER.sub(r"\1", segment),)}
            continue
        readings = read_word(segment)
        if 0 < index < len(segments) - 1 and len(segment) <= SHORT:
            readings[LETTERS_ONLY] = ()
        if whole is not None:
            readings[WHOLE] = read_word(whole)[LIKELY] if whole and not index else ()
        yield readings


def _row(row: list[str], apart: bool, ends: bool) -> Iterator[dict[str, Reading]]:
    """The readings of single letters in a row: as letters, since they may spell several words.

    They are one word if more than one space stands before (`apart`) or behind (`ends`). The first letter may be a word
    itself (`a f a k e   i d`), and is one where the others are of another script.
    """
    foreign = not any(map(str.isascii, row[1:]))
    lone = len(row) > 3 and row[0] in _LONE_WORDS and (foreign or (ends and not apart))
    together = "".join(row)
    if (not (apart or ends) and len(row) < 3) or 2 * count_letters(together) < len(row) + 1:
        for letter in row:
            yield from _segments(letter, None)
        return
    readings = read_word(together[lone:])
    if not (apart or ends):
        readings = {view: tuple("".join(words)) for view, words in readings.items()}
    if lone and foreign:
        yield {LIKELY: (row[0],)}
    elif lone:
        yield {LIKELY: (row[0],), WHOLE: ()}
        readings[WHOLE] = read_word(together)[LIKELY]
    yield readings
