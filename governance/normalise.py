"""Prompts in the form in which blocked terms are looked up: without disguise, and the same however they are spelt.

The normalised form is for searching, not for reading. It holds each word in its likeliest reading, in order, and after
them further readings of words that can be read in several ways (`passport1`, `exp1osive`, `passsport`). A blocked term
must be a fixed point of `normalise` and one of its own n-grams (`is_term`), or it could never be found.

In order: compatibility forms (Unicode TR15, NFKC), case, invisible characters and accents; letters spaced or dotted
apart; confusable scripts; digits and signs for letters; letters repeated. The output for one version never changes:
bundles name the version that their terms are written for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from governance.confusables import LATIN_VARIANTS, SIGNS, SYMBOL_LETTERS
from governance.errors import RequestError
from governance.readings import count_letters, read_word

NORMALISER_VERSION = "1"
MAX_PROMPT_CHARACTERS = 4000
NGRAM_WORDS = 3
NGRAM_CHARACTERS = 8

_DIVIDER = "-"
_APOSTROPHES = "'`\u2018\u2019\u00b4\u02bc"
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u9fff\U00020000-\U0003ffff"
)
_UNSPACED_START = re.compile(f"[{_UNSPACED}]")
_SEGMENT = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_ACCENTS = (
    (0x0300, 0x036F),
    (0x0483, 0x0489),
    (0x0591, 0x05C7),
    (0x064B, 0x065F),
    (0x0670, 0x0670),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE20, 0xFE2F),
)
"""Marks that decorate: general, Cyrillic, Hebrew and Arabic. Marks of other scripts spell vowels and stay."""
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {chr(code) for code in range(0x180B, 0x1810)}
_LONE_WORDS = frozenset("aio")
_SETTLING_PASSES = 8


def check_prompt(text: str) -> None:
    """Refuse text that cannot be a prompt, before any work is spent on it.

    Raises:
        RequestError: longer than `MAX_PROMPT_CHARACTERS`, blank, or binary (control characters, lone surrogates).
    """
    if len(text) > MAX_PROMPT_CHARACTERS:
        raise RequestError(
            f"A prompt has {len(text)} characters.", remedy=f"Shorten it to at most {MAX_PROMPT_CHARACTERS}."
        )
    if not text.strip():
        raise RequestError("A prompt is empty.", remedy="Say in words what the image should show.")
    for character in sorted(set(text)):
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n\r":
            raise RequestError(
                f"A prompt holds the character U+{ord(character):04X}, so it is binary data or broken text.",
                remedy="Send valid Unicode text without control characters.",
            )


def normalise(text: str) -> str:
    """The form in which blocked terms are looked up. Normalising it again changes nothing.

    Time is linear in the length of `text` (a run of marks of scripts that need them is sorted by Unicode's rules; the
    length cap of `check_prompt` bounds that).
    """
    for _ in range(_SETTLING_PASSES):
        settled = _normalise_once(text)
        if settled == text:
            break
        text = settled
    return text


def ngrams(normalised: str, limit: int = NGRAM_WORDS) -> tuple[str, ...]:
    """What a normalised text is looked up by, without repetition, in order of appearance.

    Each word; each sequence of up to `limit` words, spaced and written together (`pass port`); and, where a script does
    not space its words, each sequence of up to `NGRAM_CHARACTERS` characters.
    """
    return tuple(dict.fromkeys(_ngrams(normalised.split(), limit)))


def is_term(text: str) -> bool:
    """Whether `text` can be a blocked term: a fixed point of `normalise`, and one of its own n-grams."""
    return bool(text) and normalise(text) == text and text in ngrams(text)


def _ngrams(words: Sequence[str], limit: int) -> Iterator[str]:
    for index, word in enumerate(words):
        yield word
        if unspaced(word):
            for start in range(len(word)):
                for stop in range(start + 1, min(start + NGRAM_CHARACTERS, len(word)) + 1):
                    yield word[start:stop]
        for size in range(2, min(limit, len(words) - index) + 1):
            sequence = words[index : index + size]
            yield " ".join(sequence)
            if not any(map(unspaced, sequence)):
                yield "".join(sequence)


def _normalise_once(text: str) -> str:
    words: list[str] = []
    others: list[str] = []
    for token in _joined_letters(_tokens(_fold(text))):
        for segment in _SEGMENT.findall(token):
            if unspaced(segment):
                if words and unspaced(words[-1]):
                    words[-1] += segment
                else:
                    words.append(segment)
            else:
                read_word(segment, words, others)
    known = set(words)
    return " ".join([*words, *(word for word in dict.fromkeys(others) if word not in known)])


# --- characters


def _fold(text: str) -> str:
    """Compatibility forms, small letters, no accents; what is no part of a word becomes a divider or a space."""
    text = text.translate(SYMBOL_LETTERS)
    if not text.isascii():
        # Accents go first: a long run of them would otherwise be sorted.
        text = unicodedata.normalize("NFKC", _stripped(text))
        text = unicodedata.normalize("NFKC", text.casefold())
        text = unicodedata.normalize("NFC", _stripped(unicodedata.normalize("NFD", text)))
        text = text.translate(LATIN_VARIANTS)
    text = text.lower()
    return text.translate({ord(character): _role(character) for character in set(text)})


def _stripped(text: str) -> str:
    return text.translate({ord(character): None for character in set(text) if _vanishes(character)})


@lru_cache(maxsize=4096)
def _vanishes(character: str) -> bool:
    code = ord(character)
    return (
        unicodedata.category(character) in ("Cf", "Cs", "Co")
        or character in _INVISIBLE
        or 0xFE00 <= code <= 0xFE0F
        or 0xE0000 <= code <= 0xE0FFF
        or any(first <= code <= last for first, last in _ACCENTS)
    )


@lru_cache(maxsize=4096)
def _role(character: str) -> str:
    if character.isalnum() or character in SIGNS or unicodedata.category(character).startswith("M"):
        return character
    if character.isspace() or character == "\u2800":
        return " "
    if character in _APOSTROPHES or unicodedata.category(character) == "Cc":
        return ""
    return _DIVIDER


# --- letters set apart


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """The parts of each chunk between spaces, and whether more than one space stood before."""
    end = 0
    for match in re.finditer(r"\S+", text):
        wide = match.start() - end > 1
        end = match.end()
        chunk = match.group()
        parts = [part for part in chunk.split(_DIVIDER) if part] if _DIVIDER in chunk else [chunk]
        if len(parts) > 2 and all(len(part) <= 2 for part in parts) and count_letters("".join(parts)) > 2:
            parts = ["".join(parts)]
        for index, part in enumerate(parts):
            yield part, wide and index == 0


def _joined_letters(tokens: Iterator[tuple[str, bool]]) -> Iterator[str]:
    """Three or more single letters in a row become one word; a wide gap ends the row."""
    row: list[str] = []
    for token, wide in tokens:
        single = len(token) == 1 and not unspaced(token)
        if row and (wide or not single):
            yield from _row(row)
            row = []
        if single:
            row.append(token)
        else:
            yield token
    yield from _row(row)


def _row(row: list[str]) -> list[str]:
    if len(row) < 3 or 2 * count_letters("".join(row)) < len(row) + 1:
        return row
    if len(row) > 4 and row[0] in _LONE_WORDS:
        return [row[0], "".join(row[1:])]
    return ["".join(row)]


def unspaced(word: str) -> bool:
    """Whether `word` begins with a character of a script that does not space its words."""
    return bool(_UNSPACED_START.match(word))
