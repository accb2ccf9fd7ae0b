"""Characters of a prompt in the form in which words are read: small letters, no accents, dividers and spaces.

Compatibility forms (Unicode TR15, NFKC), case, invisible characters and accents, Latin letters that do not decompose,
digits of all scripts, Hiragana as Katakana. What is no part of a word becomes a divider or a space.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from governance.confusables import ARABIC_VARIANTS, LATIN_VARIANTS, SIGNS, SYMBOL_LETTERS

DIVIDER = "-"

_APOSTROPHES = "'`\u2018\u2019\u00b4\u02bc"
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
_INVISIBLE = frozenset("\u034f\u0640\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {
    chr(code) for code in range(0x180B, 0x1810)
}
"""Fillers, joiners and selectors that are not format characters; the Arabic stretch of a word (tatweel)."""
_KANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
_LETTERS = LATIN_VARIANTS | ARABIC_VARIANTS | _KANA
_MARK_RUN = 30
"""As many marks on one letter as real text has: the Stream-Safe Text Format of Unicode TR15."""


def fold(text: str) -> str:
    """`text` in small letters and dividers. Time is linear in its length."""
    if text.isascii():
        return text.lower().translate(_ASCII_ROLES)
    text = text.translate(SYMBOL_LETTERS)
    # Accents go first: Unicode's rules would otherwise sort a long run of them.
    text = unicodedata.normalize("NFKC", _short_runs(_stripped(text)))
    text = unicodedata.normalize("NFKC", text.casefold())
    text = unicodedata.normalize("NFC", _stripped(unicodedata.normalize("NFD", text)))
    text = text.translate(_LETTERS).lower()
    return text.translate({ord(character): _role(character) for character in set(text)})


def _stripped(text: str) -> str:
    return text.translate({ord(character): None for character in set(text) if _vanishes(character)})


def _short_runs(text: str) -> str:
    """No more than `_MARK_RUN` marks in a row that Unicode's rules would sort."""
    marks = {character for character in set(text) if unicodedata.combining(character)}
    if not marks or len(text) <= _MARK_RUN:
        return text
    several = f"[{re.escape(''.join(sorted(marks)))}]"
    return re.sub(f"({several}{{{_MARK_RUN}}}){several}+", r"\1", text)


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
    """What stands for `character`: itself, a digit, a space, a divider, or nothing."""
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    if character.isalnum() or character in SIGNS or unicodedata.category(character).startswith("M"):
        return character
    if character.isspace() or character == "\u2800":
        return " "
    if character in _APOSTROPHES or unicodedata.category(character) == "Cc":
        return ""
    return DIVIDER


_ASCII_ROLES = {code: _role(chr(code)) for code in range(128)}
