"""Readings of a prompt that no eye sees: text in base64, and letters rotated by 13 places.

They are hints, not proofs: what is found is looked up in the blocked terms like the prompt itself, and policy decides what
a hint by itself is worth. A hint for rotated letters is given only where the letters say so; words that could just be
rotated are looked up all the same.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import log2

from governance.normalise import BREAK, ngrams, normalise
from governance.readings import REPEATS
from governance.respelling import replaced

BASE64 = "base64"
ROT13 = "rot13"

_BASE64_RUN = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}|[A-Za-z0-9+/_-]{6,7}={1,2}")
_BASE64_PIECES = re.compile(r"(?<!\S)(?:[A-Za-z0-9+/_-]{4}\s+)+[A-Za-z0-9+/_-]{2,4}={0,2}(?![A-Za-z0-9+/_=-])")
_QUARTETS = frozenset("abcdef")
"""The small letters with which four characters of base64 begin that stand for ASCII: a short way past plain words."""
_PIECE = 4
_DEPTH = 2
_READABLE = 0.75
"""The share of letters, digits and spaces in what base64 must decode to: chance gives all sorts of signs."""

_MIXED = 6
"""From how many characters on a text may have Latin letters beside another script: chance gives all sorts of letters."""
_WRITTEN_TOGETHER = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "BOPOMOFO"})

_WORD = re.compile("[a-z]+")
_ROTATED = str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")
_PER_THOUSAND = dict(zip("etaoinshrdlcumwfgypbvkjxqz", (120, 91, 81, 77, 73, 70, 63, 59, 60, 43, 40, 27, 29, 26, 21, 23, 20, 21, 18, 15, 11, 7, 2, 2, 1, 1), strict=True))  # fmt: skip
"""How often letters stand in English text, roughly."""
_GAIN = {letter: log2(_PER_THOUSAND[letter.translate(_ROTATED)] / count) for letter, count in _PER_THOUSAND.items()}
"""How much likelier, in bits, a letter of English is behind `letter` than `letter` itself."""
_LOOKED_UP_ABOVE = -2.0
_HINTED_ABOVE = 8.0
_SHORTEST = 5


@dataclass(frozen=True, slots=True)
class HiddenReadings:
    """`hints`: the encodings that the text seems to use, each once. `ngrams`: those of what it may decode to."""

    hints: tuple[str, ...] = ()
    ngrams: tuple[str, ...] = ()


def hidden_readings(text: str) -> HiddenReadings:
    """What `text` may say in an encoding. Time is linear in the length of `text`; no text raises."""
    hints: dict[str, None] = {}
    lines: list[str] = []
    _read(text, hints, lines, _DEPTH)
    return HiddenReadings(tuple(hints), ngrams(BREAK.join(dict.fromkeys(lines))))


def _read(text: str, hints: dict[str, None], lines: list[str], depth: int) -> None:
    """Add the normalised texts that parts of `text` decode to, and those that these decode to in turn."""
    found: list[str] = []

    def take(run: re.Match[str]) -> str:
        plain = _from_base64(run[0])
        found.append(plain)
        return " " if plain else run[0]

    rest = _BASE64_RUN.sub(take, text)
    for plain in filter(None, chain(found, *map(_from_pieces, _BASE64_PIECES.findall(rest)))):
        hints[BASE64] = None
        lines.append(normalise(plain))
        if depth > 1:
            _read(plain, hints, lines, depth - 1)
    _rotate(rest, hints, lines)


def _from_base64(run: str) -> str:
    """The readable text that a run of base64 characters decodes to, or nothing."""
    if run.isalpha() and run[1:].islower() and not _QUARTETS.issuperset(run[4::4]):
        return ""
    text = _decoded(run)
    scripts = {_script(letter) for letter in text if letter.isalpha()}
    plain = sum(character.isalnum() or unicodedata.category(character)[0] in "MZ" for character in text)
    alike = len(scripts) == 1 or (len(text) >= _MIXED and len(scripts - {"LATIN"}) == 1)
    readable = text.isprintable() and alike and plain >= _READABLE * len(text)
    return text if readable else ""


def _script(letter: str) -> str:
    script = unicodedata.name(letter, "").partition(" ")[0]
    return "CJK" if script in _WRITTEN_TOGETHER else script


def _decoded(run: str) -> str:
    """The UTF-8 text that base64 stands for, in either alphabet and with or without padding, or nothing."""
    body = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _from_pieces(found: str) -> Iterator[str]:
    """What pieces of base64 with spaces between them decode to: those in a row that are readable ASCII one by one."""
    row = ""
    for piece in [*found.split(), ""]:
        decoded = _decoded(piece)
        if decoded and decoded.isascii() and decoded.isprintable():
            row += decoded
        else:
            if len(row) > _PIECE and row.replace(" ", "").isalpha():
                yield row
            row = ""


def _rotate(text: str, hints: dict[str, None], lines: list[str]) -> None:
    """Add words that are likelier, or nearly as likely, 13 places further on in the alphabet, with their neighbours."""
    words = [word for word in _WORD.findall(text.lower()) if not REPEATS.search(word)]
    gains = [sum(map(_GAIN.__getitem__, word)) for word in words]
    likely = [index for index, gain in enumerate(gains) if gain > _LOOKED_UP_ABOVE and len(words[index]) >= _SHORTEST]
    if likely:
        if max(sum(gains), *(gains[index] for index in likely)) > _HINTED_ABOVE:
            hints[ROT13] = None
        rotated = [word.translate(_ROTATED) for word in words]
        lines += replaced(rotated, {index: rotated[index] for index in likely})
