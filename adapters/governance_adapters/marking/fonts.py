"""Which font draws a visible label: one that has every character of it, in the forms of its language.

Pillow brings a font along that has the letters of ASCII, and none with accents. The extra `labels` brings Noto Sans
(Latin, Greek, Cyrillic) and Noto Sans SC, TC, JP and KR, all under the SIL Open Font License 1.1. A setting may name one
font in their place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from PIL import ImageFont, features

from governance.errors import ConfigurationError, MarkError

LATIN: Final = ("fontpkg_noto_sans", "files/NotoSans[[]wdth,wght[]].ttf")
EAST_ASIAN: Final = {
    name: ("justmytype_intl_cjk", f"fonts/ofl/notosans{name}/*.ttf") for name in ("sc", "tc", "jp", "kr")
}
"""Package and file of each font."""

_WEIGHT: Final = 500
"""Medium: the strokes of small characters stay white."""

_TESTED_AT: Final = 20
_UNASSIGNED: Final = "\U0010ffff"
"""No font has a glyph for it: it is drawn as every missing character is."""
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_TRADITIONAL: Final = frozenset({"hant", "tw", "hk", "mo"})


class Fonts:
    """The fonts of this installation: the one that is named, or those that are installed.

    Raises:
        ConfigurationError: the named file is no font.
    """

    def __init__(self, named: Path | None = None) -> None:
        self._named = named
        if named is not None:
            _load(str(named), _TESTED_AT)

    def font_for(self, text: str, language: str) -> str:
        """The path of a font that has every character of `text`; empty for Pillow's own.

        Raises:
            MarkError: the language is none, no font has all characters, or they need a layout that is not installed.
        """
        if language and not _LANGUAGE.fullmatch(language):
            raise MarkError(f"{language!r} is no language.", remedy="Oblige a BCP 47 tag such as `en` or `zh-Hans`.")
        _check_layout(text)
        lacking: set[str] = set(text)
        for path in self._candidates(language):
            lacks = _lacking(path, text)
            if not lacks:
                return path
            lacking &= set(lacks)
        raise MarkError(
            f"The label {text!r} cannot be drawn: no font has {', '.join(sorted(lacking)) or 'all of its characters'}.",
            remedy="Install the extra `labels`, set `label_font`, or oblige a label in other characters.",
        )

    def _candidates(self, language: str) -> Iterator[str]:
        if self._named is not None:
            yield str(self._named)
            return
        yield ""
        first = _script(language)
        order = (
            LATIN,
            *(EAST_ASIAN[name] for name in sorted(EAST_ASIAN, key=lambda name: (name != first, name != "sc"))),
        )
        for package, pattern in order:
            yield from _installed(package, pattern)


def installed_fonts() -> tuple[Path, ...]:
    """The font files of the extra `labels` that are installed, the one of most alphabets first."""
    return tuple(Path(path) for source in (LATIN, *EAST_ASIAN.values()) for path in _installed(*source))


def load(path: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font at `path` in `size` px; empty: Pillow's own."""
    return _load(path, size) if path else ImageFont.load_default(size)


def _script(language: str) -> str:
    """Whose forms of the shared characters `language` wants."""
    first, *rest = language.lower().split("-")
    if first == "zh":
        return "tc" if _TRADITIONAL & set(rest) else "sc"
    return {"ja": "jp", "ko": "kr"}.get(first, "sc")


@lru_cache(maxsize=8)
def _installed(package: str, pattern: str) -> tuple[str, ...]:
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    return tuple(str(path) for folder in folders or () for path in sorted(Path(folder).glob(pattern)))


def _load(path: str, size: int) -> ImageFont.FreeTypeFont:
    try:
        font = ImageFont.truetype(path, size)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} is no font: {error}.", remedy="Set `label_font` to a .ttf or .otf."
        ) from error
    try:
        axes = font.get_variation_axes()
    except OSError:  # a font of one weight
        return font
    font.set_variation_by_axes(
        [_WEIGHT if axis["name"] in {b"Weight", "Weight"} else axis["default"] or 0 for axis in axes]
    )
    return font


@lru_cache(maxsize=256)
def _lacking(path: str, text: str) -> tuple[str, ...]:
    """An empty box in place of a character says nothing to whoever must be told."""
    font = load(path, _TESTED_AT)
    missing = bytes(font.getmask(_UNASSIGNED))
    return tuple(sorted({character for character in text if bytes(font.getmask(character)) == missing}))


def _check_layout(text: str) -> None:
    """Right-to-left text and marks that sit on other characters come out wrong without a layout engine."""
    if features.check("raqm"):
        return
    hard = [
        character
        for character in text
        if unicodedata.bidirectional(character) in {"R", "AL", "AN"} or unicodedata.category(character) in {"Mn", "Mc"}
    ]
    if hard:
        raise MarkError(
            f"The label {text!r} needs a layout that is not installed.",
            remedy="Install libraqm for Pillow, or oblige a label that is written from left to right.",
        )
