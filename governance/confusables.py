"""Tables of characters that are written in place of others. `governance.normalise` says when each applies.

First cut of the shapes that Unicode Technical Standard 39 calls confusable, chosen by hand: Latin look-alikes of Cyrillic
and Greek letters, letters drawn as symbols, and digits and signs that stand for letters.
"""

# ruff: noqa: RUF001  (these tables are about ambiguous characters)

from __future__ import annotations


def _pairs(source: str, target: str) -> dict[int, str]:
    return {ord(left): right for left, right in zip(source, target, strict=True)}


def _alphabet(first: int) -> dict[int, str]:
    return {first + index: chr(ord("a") + index) for index in range(26)}


SYMBOL_LETTERS = _alphabet(0x1F150) | _alphabet(0x1F170) | _alphabet(0x1F1E6)
"""Negative circled and squared letters and regional indicators, which NFKC leaves alone."""

LATIN_VARIANTS = _pairs("ıøłđħŧɑɡɩʟʀɴᴀʙᴄᴅᴇɢʜɪᴊᴋᴍᴏᴘꜱᴛᴜᴠᴡʏᴢ", "ioldhtagilrnabcdeghijkmopstuvwyz") | {
    ord("æ"): "ae",
    ord("œ"): "oe",
}
"""Latin letters that do not decompose: stroked, dotless, small capitals, ligatures. They always apply."""

MIXED_SCRIPT = _pairs("авекмнорстухіјѕԁһԛԝьгпи", "abekmhopctyxijsdhqwbrnu") | _pairs(
    "αβεζηικμνορτυχγω", "abeznikuvoptuxyw"
)
"""Cyrillic and Greek letters inside a word that also has Latin ones: nobody mixes scripts in a word by accident."""

WHOLE_SCRIPT = _pairs("асеорхуіјѕһԁԛԝ", "aceopxyijshdqw") | _pairs("αορνικχυ", "aopvikxu")
"""Letters whose small forms are the same drawing: a word of nothing else reads as Latin."""

LEET = _pairs("0345789@$€£+", "oeastbgaselt") | {ord("6"): "g"}
"""Digits and signs that stand for one letter. `1`, `!` and `|` stand for `i` or `l`: see `BARS`."""

BARS = "1!|"
"""Upright strokes, read as `i` or `l`."""

LETTER_SIGNS = "@$€£"
"""Signs that are mostly letters when they stand inside a word."""

DIVIDING_SIGNS = "!|+"
"""Signs that mostly divide words, and sometimes stand for letters."""

SIGNS = LETTER_SIGNS + DIVIDING_SIGNS
"""All signs that may be part of a disguised word."""
