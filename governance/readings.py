"""How one word can be read: confusable scripts, digits and signs for letters, letters repeated.

Each function appends the likeliest reading to `words` and every further one to `others`. Readings hold letters only, so
that reading them again changes nothing.
"""

from __future__ import annotations

import re
import unicodedata

from governance.confusables import BARS, DIVIDING_SIGNS, LEET, LETTER_SIGNS, MIXED_SCRIPT, SIGNS, WHOLE_SCRIPT

_PLAIN = re.compile(r"[a-z]+")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_DIGITS = "0123456789"
_VOWELS = frozenset("aeiouy")


def read_word(word: str, words: list[str], others: list[str]) -> None:
    """Append the likeliest reading of `word` to `words` and every further one to `others`."""
    if _PLAIN.fullmatch(word) and not _REPEATED.search(word):
        words.append(word)
        return
    word = _latin(word)
    if all(map(_is_letter, word)):
        _unrepeat(word, words, others)
        return
    if not _disguised(word):
        words.extend(_divided(word, SIGNS))
        return
    for part in _divided(word, DIVIDING_SIGNS):
        core = _trimmed(part)
        target = words if _disguised(core) or count_letters(core) == len(core) else others
        _unrepeat(_unleet(core, None), target, others)
    for reading in (
        *(_unleet(word, bar) for bar in (None, "i", "l")),
        "".join(filter(_is_letter, word)),
        *("".join(filter(_is_letter, part)) for part in _divided(word, SIGNS)),
    ):
        _unrepeat(reading, others, others)


def _latin(word: str) -> str:
    if word.isascii():
        return word
    letters = [character for character in word if character.isalpha()]
    if any(map(str.isascii, letters)):
        return word.translate(MIXED_SCRIPT)
    if letters and all(ord(letter) in WHOLE_SCRIPT for letter in letters):
        return word.translate(WHOLE_SCRIPT)
    return word


def _disguised(word: str) -> bool:
    """Whether the digits and signs in `word` may stand for letters: not in `4k`, `mp3`, `1st` or `$20`."""
    letters = count_letters(word)
    if letters >= 3 or letters == len(word):
        return letters > 0
    odd = [character for character in word if not _is_letter(character)]
    inside = _is_letter(word[0]) and _is_letter(word[-1])
    return letters == 2 and (
        all(character in LETTER_SIGNS for character in odd)
        or (inside and all(ord(character) in LEET or character in BARS for character in odd))
    )


def _unleet(word: str, bar: str | None) -> str:
    """`word` in letters only. `bar` says how to read upright strokes; by default `l` before a vowel, else `i`."""
    if not any(character.isascii() and character.isalpha() for character in word):
        return "".join(filter(_is_letter, word))
    letters: list[str] = []
    following = ""
    for character in reversed(word.translate(LEET)):
        letter = (bar or ("l" if following in _VOWELS else "i")) if character in BARS else character
        if _is_letter(letter):
            letters.append(letter)
            following = letter
    return "".join(reversed(letters))


def _unrepeat(word: str, words: list[str], others: list[str]) -> None:
    """A letter three or more times in a row was one, or two."""
    single, double = _REPEATED.sub(r"\1", word), _REPEATED.sub(r"\1\1", word)
    if len(single) == 1:
        single = double
    if single:
        words.append(single)
        if double != single:
            others.append(double)


def _trimmed(word: str) -> str:
    """Without the digits at its ends, which disguise rather than spell; one digit in front spells (`4gent`)."""
    trimmed = word.rstrip(_DIGITS)
    inner = trimmed.lstrip(_DIGITS)
    return trimmed if len(trimmed) - len(inner) == 1 else inner


def _divided(word: str, signs: str) -> list[str]:
    return [part for part in re.split(f"[{re.escape(signs)}]+", word) if part]


def count_letters(word: str) -> int:
    """How many letters and marks `word` has."""
    return sum(map(_is_letter, word))


def _is_letter(character: str) -> bool:
    return character.isalpha() or unicodedata.category(character).startswith("M")
