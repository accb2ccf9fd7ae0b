"""The typefaces of one document: of each font only the characters near those that stand in it, so that it is quick.

Fonts are those of the extra `labels`, which are variable: a weight is cut out of them (OpenType 1.9, `fvar`). What goes into the file is smaller still: fpdf2 takes only what it draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from governance.errors import ConfigurationError

REGULAR: Final = 400
BOLD: Final = 700
_BLOCK: Final = 64
"""How many characters go together: another text mostly needs the same blocks."""
_ALWAYS: Final = frozenset({*map(chr, range(0x20, 0x7F)), "\u2013"})
"""Page numbers, and what stands before points."""


@dataclass(frozen=True, slots=True)
class Typeface:
    """A font file of some characters: its bytes in the two weights."""

    regular: bytes
    bold: bytes


@dataclass(frozen=True, slots=True)
class Typefaces:
    """The faces that have the characters of a document, the first for all that it has; `lacking` has no face."""

    faces: tuple[Typeface, ...]
    lacking: frozenset[str]


def typefaces(texts: Iterable[str], fonts: Sequence[Path]) -> Typefaces:
    """The faces for `texts`, out of `fonts`, preferred first.

    Raises:
        ConfigurationError: there is no font at all, or a file is none.
    """
    wanted = _ALWAYS | {character for text in texts for character in text if character != "\n"}
    faces = []
    for path in fonts:
        known = {character for character in wanted if ord(character) in _cmap(path)}
        if known:
            blocks = frozenset(ord(character) // _BLOCK for character in known)
            faces.append(Typeface(_cut(path, blocks, REGULAR), _cut(path, blocks, BOLD)))
            wanted -= known
        if not wanted:
            break
    if not faces:
        raise ConfigurationError(
            "There is no font to write a PDF with.", remedy="Install it: pip install 'diffusion-governance[evidence]'."
        )
    return Typefaces(tuple(faces), frozenset(wanted))


@lru_cache(maxsize=16)
def _cut(path: Path, blocks: frozenset[int], weight: int) -> bytes:
    """The font at `path` with the characters of these blocks only, in one weight."""
    from io import BytesIO

    from fontTools.subset import Options, Subsetter
    from fontTools.varLib.instancer import instantiateVariableFont

    subsetter = Subsetter(Options(layout_features=["*"], notdef_outline=True, recalc_timestamp=False))
    subsetter.populate(unicodes=[block * _BLOCK + offset for block in sorted(blocks) for offset in range(_BLOCK)])
    target = BytesIO()
    with _opened(path) as font:
        subsetter.subset(font)
        if "fvar" in font:
            axes = {axis.axisTag: axis.defaultValue for axis in font["fvar"].axes}
            instantiateVariableFont(font, {**axes, **({"wght": weight} if "wght" in axes else {})}, inplace=True)
        font.save(target)
    return target.getvalue()


@lru_cache(maxsize=16)
def _cmap(path: Path) -> frozenset[int]:
    with _opened(path) as font:
        return frozenset(font.getBestCmap())


def _opened(path: Path) -> Any:
    from fontTools.ttLib import TTFont, TTLibError

    try:
        return TTFont(path, lazy=True, recalcTimestamp=False)
    except (OSError, TTLibError) as error:
        raise ConfigurationError(f"{path} is no font: {error}.", remedy="Name a .ttf or .otf file.") from error


def drawable(text: str, lacking: frozenset[str]) -> Iterator[str]:
    """The characters of `text` so that each can be seen: what moves the line or has no glyph is written as its number."""
    for character in text:
        if character in lacking or not (character.isprintable() or character == "\n"):
            yield f"[U+{ord(character):04X}]"
        else:
            yield character
