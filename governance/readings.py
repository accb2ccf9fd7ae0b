"""How one word can be read: confusable scripts, digits and signs for letters, letters repeated.

A reading belongs to a view: one way of undoing disguises that is applied to all words of a text alike, so that a term of
several words is found although each of them could be read in several ways. Readings hold letters only, in one script where
that can be, and no letter three times in a row, so that reading them again changes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, groupby

from governance.confusables import (
    BARS,
    DIVIDING_SIGNS,
    LEET,
    LEET_NATIVE,
    LEET_OTHERWISE,
    LETTER_SIGNS,
    MIXED_SCRIPT,
    NATIVE,
    OTHER_SHAPES,
    SIGNS,
    WHOLE_SCRIPT,
)

Reading = tuple[str, ...]
"""The words that one word is read as: none, one or several."""

LIKELY = "likely"
REPEATED = "repeated"
REPEATED_OTHERWISE = "repeated otherwise"
LETTERS_ONLY = "letters only"
WHOLE = "whole"
VIEWS = (
    "as spelt",
    "bars as i",
    "bars as i, the last as l",
    "bars as l",
    "other digits",
    LETTERS_ONLY,
    "parts",
    "other shapes",
    "native script",
    REPEATED,
    REPEATED_OTHERWISE,
    WHOLE,
)
"""The views beside the likeliest. `WHOLE`: what marks divided is one word after all."""

REPEATS = re.compile(r"([^\W\d_])\1(?:\1|([^\W\d_])\2([^\W\d_])\3)")
"""A letter three times in a row, or three doubled letters in a row."""

REPEATED_LETTER = re.compile(r"([^\W\d_])\1{2,}")

_PLAIN = re.compile(r"[a-z]+")
_NATIVE = re.compile(
    "[\u0430-\u045f]+|[\u03b1-\u03c9]+|[\u0621-\u063a\u0641-\u064a]+|[\u05d0-\u05ea]+|[\u0900-\u0963]+|[\uac00-\ud7a3]+"
)
"""Words of one living script: a short way past the rest, with the same result."""
_DIGITS = "0123456789"
_DIGIT_RUN = re.compile("[0-9]+")
_NUMBERED = re.compile(r"\D+[0-9]{3,}")
_VOWELS = frozenset("aeiouy")
_NEVER_BEFORE_L = frozenset("dhjmnqrtvwx")
_LONG_DOUBLED = 6
"""From how many letters on a word in which every letter stands twice was written so on purpose."""
_MANY_RUNS = 3


def read_word(word: str) -> dict[str, Reading]:
    """The likeliest reading of `word`, and its readings in those `VIEWS` that differ."""
    if _PLAIN.fullmatch(word) and not REPEATS.search(word):
        return {LIKELY: (word,)}
    if _NATIVE.fullmatch(word) and not REPEATS.search(word):
        latin = word.translate(WHOLE_SCRIPT)
        return {LIKELY: (latin if latin.isascii() and len(word) > 1 else word,)}
    found: dict[str, Reading] = {}
    for view, parts in _readings(word):
        spellings = [_unrepeated(part) for part in parts if part]
        found.setdefault(view, tuple(spelling[0] for spelling in spellings))
        if any(len(spelling) > 1 for spelling in spellings):
            found.setdefault(REPEATED, tuple(spelling[min(1, len(spelling) - 1)] for spelling in spellings))
            found.setdefault(REPEATED_OTHERWISE, tuple(other for spelling in spellings for other in spelling[2:]))
    likely = found[LIKELY]
    return {view: words for view, words in found.items() if view == LIKELY or (words and words != likely)}


def count_letters(word: str) -> int:
    """How many letters and marks `word` has."""
    return sum(map(_is_letter, word))


# --- scripts


def _readings(word: str) -> Iterator[tuple[str, Reading]]:
    """Readings of `word` before repeated letters are looked at, the likeliest first."""
    forms = _in_one_script(word)
    likely = forms.pop(LIKELY)
    if count_letters(likely) == len(likely):
        yield LIKELY, (likely,)
    elif any(character.isascii() and character.isalpha() for character in likely):
        yield from _latin_readings(likely)
    else:
        yield from _native_readings(likely)
    for view, form in forms.items():
        if form != likely:
            yield view, (_letters(form),)


def _in_one_script(word: str) -> dict[str, str]:
    """`word` in Latin letters if its scripts are mixed, or if all its letters are drawn like Latin ones."""
    if word.isascii():
        return {LIKELY: word}
    letters = [character for character in word if character.isalpha()]
    scripts = set(map(_script, letters))
    if len(scripts) < 2:
        whole = len(letters) > 1 and all(ord(letter) in WHOLE_SCRIPT for letter in letters)
        return {LIKELY: word.translate(WHOLE_SCRIPT) if whole else word}
    latin = word.translate(MIXED_SCRIPT)
    otherwise = word.translate(OTHER_SHAPES).translate(MIXED_SCRIPT)
    if not _pure(latin) and _pure(otherwise):
        latin = otherwise
    native = [form for script in sorted(scripts & NATIVE.keys()) if _pure(form := word.translate(NATIVE[script]))]
    if native and not _pure(latin):
        return {LIKELY: native[0]}
    forms = {LIKELY: latin, "other shapes": otherwise}
    return forms | ({"native script": native[0]} if native else {})


def _pure(word: str) -> bool:
    return len({_script(character) for character in word if character.isalpha()}) < 2


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    """The first word of the character's name, which is that of its script for the scripts that are told apart here."""
    return "LATIN" if letter.isascii() else unicodedata.name(letter, "").partition(" ")[0]


# --- digits and signs


def _latin_readings(word: str) -> Iterator[tuple[str, Reading]]:
    if not _disguised(word):
        yield LIKELY, _divided(word, SIGNS)
        return
    likely: list[str] = []
    for part in _divided(word, DIVIDING_SIGNS):
        core = _trimmed(part)
        meant = _disguised(core) or _disguised(part) or count_letters(core) == len(core)
        likely += [_unleet(core, LEET)] if meant else _divided(part, SIGNS)
    yield LIKELY, tuple(likely)
    yield "as spelt", (_unleet(word, LEET),)
    yield "bars as i", (_unleet(word, LEET, "i"),)
    yield "bars as i, the last as l", (_unleet(word, LEET, "i", last="l"),)
    yield "bars as l", (_unleet(word, LEET, "l"),)
    yield "other digits", (_unleet(word, LEET_OTHERWISE),)
    yield LETTERS_ONLY, (_letters(word),)
    yield "parts", tuple(_letters(part) for part in _divided(word, SIGNS))


def _native_readings(word: str) -> Iterator[tuple[str, Reading]]:
    """Of words in other scripts, where digits and signs stand for letters only inside, and else are noise."""
    if not count_letters(word):
        yield LIKELY, _divided(word, SIGNS)
        return
    scripts = [_script(character) for character in word if character.isalpha()]
    tables = LEET_NATIVE.get(scripts[0] if scripts else "", ())
    core = word.strip(_DIGITS + SIGNS) if tables and len(word) > len(_letters(word)) + 2 else word
    likely, *others = [_letters(core.translate(table)) for table in tables] or [_letters(word)]
    yield LIKELY, (likely,)
    for view, other in zip(("other digits", "bars as l"), others, strict=False):
        yield view, (other,)
    yield LETTERS_ONLY, (_letters(word),)


def _disguised(word: str) -> bool:
    """Whether the digits and signs in `word` may stand for letters: not in `4k`, `mp3`, `1st` or `$20`, but in `f4k3` and
    `id2024`.
    """
    letters = count_letters(word)
    if letters >= 3 or letters == len(word):
        return letters > 0
    if letters == 2 and (len(_DIGIT_RUN.findall(word)) > 1 or _NUMBERED.fullmatch(word)):
        return True
    odd = [character for character in word if not _is_letter(character)]
    inside = _is_letter(word[0]) and _is_letter(word[-1])
    return letters == 2 and (
        all(character in LETTER_SIGNS for character in odd)
        or (inside and all(ord(character) in LEET or character in BARS for character in odd))
    )


def _unleet(word: str, table: dict[int, str], bar: str = "", last: str = "") -> str:
    """`word` in letters only. `bar` says how to read upright strokes, `last` one at the end; by default as English has it."""
    spelt = [character for character in word.translate(table) if _is_letter(character) or character in BARS]
    for index, character in enumerate(spelt):
        if character in BARS:
            before = spelt[index - 1] if index else ""
            after = spelt[index + 1] if index + 1 < len(spelt) else ""
            # `plastic`, `later`, `seal` have an l, `nation` and `exit` an i.
            open_ended = after in _VOWELS or (after and after in BARS)
            is_l = (before not in _NEVER_BEFORE_L) if open_ended else (not after and before in _VOWELS)
            spelt[index] = (not after and last) or bar or ("l" if is_l else "i")
    return "".join(spelt)


def _trimmed(word: str) -> str:
    """Without the digits at its ends, which disguise rather than spell; one digit in front spells (`4gent`)."""
    trimmed = word.rstrip(_DIGITS)
    inner = trimmed.lstrip(_DIGITS)
    return trimmed if len(trimmed) - len(inner) == 1 else inner


def _divided(word: str, signs: str) -> Reading:
    return tuple(part for part in re.split(f"[{re.escape(signs)}]+", word) if part)


def _letters(word: str) -> str:
    return "".join(filter(_is_letter, word))


def _is_letter(character: str) -> bool:
    return character.isalpha() or unicodedata.category(character).startswith("M")


# --- repetition


def _unrepeated(word: str) -> Reading:
    """What `word` says without repetition: such letters once, consonants among them twice, then other spellings."""
    if not REPEATS.search(word):
        return (word,)
    runs = [(letter, len(list(run))) for letter, run in groupby(word)]
    least = min(length for _, length in runs)
    if least > 1 and len(word) >= _LONG_DOUBLED and len(runs) > 1:
        return ("".join(letter * round(length / least) for letter, length in runs),)
    long = [index for index, (_, length) in enumerate(runs) if length > 2]
    if not long:
        return (word,)
    if len(runs) == 1:
        return (runs[0][0] * 2,)
    consonants = {index for index in long if runs[index][0] not in _VOWELS}
    if len(long) > _MANY_RUNS:
        twice = [set(), consonants, set(long), *({index} for index in long)]
    else:
        several = (set(chosen) for count in range(len(long), 0, -1) for chosen in combinations(long, count))
        twice = [set(), consonants, *several]
    spellings = (
        "".join(
            letter * (min(length, 2) if length < 3 or index in chosen else 1)
            for index, (letter, length) in enumerate(runs)
        )
        for chosen in twice
    )
    return tuple(dict.fromkeys(spellings))
