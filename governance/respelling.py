"""Other texts that a text may be: upside down, right to left, in capitals run together, in letters drawn with signs.

Unlike the readings of a word these need the text as it was sent, with its capitals and signs. Each is given with its
neighbours, so that terms of several words are found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from governance.confusables import DRAWN, TURNED, TURNED_MARKS

NEIGHBOURS = 2
"""How many words on each side belong to a term of three words at most."""

_OVERRIDE = re.compile("\u202e([^\u202c\n]*)")
_CAPITAL_I = re.compile(r"(?<=[a-z])I")
_BEFORE_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")
_SIGNS = re.compile("|".join(map(re.escape, DRAWN)))
_TURNED = re.compile(f"[{TURNED_MARKS}]")
_TAG = re.compile("[\U000e0020-\U000e007e]")
_LETTERS_OF_TAGS = {0xE0000 + code: chr(code) for code in range(0x20, 0x7F)}

_WORDS: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (_CAPITAL_I, lambda word: _CAPITAL_I.sub("l", word)),
    (_BEFORE_CAPITAL, lambda word: _BEFORE_CAPITAL.sub(" ", word)),
    (_SIGNS, lambda word: _SIGNS.sub(lambda found: DRAWN[found[0]], word)),
    (_TAG, lambda word: word.translate(_LETTERS_OF_TAGS)),
)
"""What shows that a word may be spelt in another way, and how."""


def respelt(text: str) -> Iterator[str]:
    """Further texts in place of parts of `text`. Time is linear in its length."""
    for sign, spell in _WORDS:
        if sign.search(text):
            words = text.split()
            yield from replaced(words, {index: spell(word) for index, word in enumerate(words) if sign.search(word)})
    for found in _OVERRIDE.finditer(text):
        yield found[1][::-1]
    if _TURNED.search(text):
        words = text.split()
        for start, stop in windows([index for index, word in enumerate(words) if _TURNED.search(word)], len(words), 1):
            turned = " ".join(words[start:stop]).translate(_UPRIGHT)
            yield turned[::-1]
            yield turned


def replaced(words: Sequence[str], others: dict[int, str]) -> Iterator[str]:
    """`words` around those that `others` replaces, by index."""
    for start, stop in windows(sorted(others), len(words), NEIGHBOURS):
        yield " ".join(others.get(index, words[index]) for index in range(start, stop))


def windows(indices: Sequence[int], length: int, neighbours: int) -> list[tuple[int, int]]:
    """Where `indices` stand, each with its neighbours on both sides, as ranges that do not touch."""
    found: list[tuple[int, int]] = []
    for index in indices:
        start, stop = max(0, index - neighbours), min(length, index + neighbours + 1)
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    return found


_UPRIGHT = {ord(turned): letter for turned, letter in TURNED.items()}
