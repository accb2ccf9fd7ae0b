"""The addresses of a log's tiles, below its prefix (c2sp.org/tlog-tiles, section "Merkle Tree" and "Log entries")."""

from __future__ import annotations

import re
from dataclasses import dataclass

from governance.errors import LogSourceError
from governance.merkle import TILE_WIDTH

CHECKPOINT_PATH = "checkpoint"
ENTRIES = -1
"""The level below the leaves: the entries themselves."""
MAX_LEVEL = 63
MAX_NUMBER = 2**55 - 1
"""The last tile of leaves of a tree whose size fits 63 bits."""
NUMBER_PATTERN = r"(x[0-9]{3}/)*[0-9]{3}(\.p/[1-9][0-9]{0,2})?"
"""What stands behind the level: the number in groups of three digits, and the width of a tile that is not full."""

_ENTRIES = "entries"
_PATH = re.compile(
    r"tile/(?P<level>[0-9]{1,2}|entries)/(?P<number>(x[0-9]{3}/)*[0-9]{3})(\.p/(?P<width>[0-9]{1,3}))?", re.ASCII
)
_GROUP = 1000


@dataclass(frozen=True, slots=True)
class TilePath:
    """Which tile: its level (or `ENTRIES`), its number, and how many of its 256 places are meant.

    Raises:
        LogSourceError: there is no such tile in any tree.
    """

    level: int
    number: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not (
            ENTRIES <= self.level <= MAX_LEVEL and 0 <= self.number <= MAX_NUMBER and 1 <= self.width <= TILE_WIDTH
        ):
            raise LogSourceError(
                f"There is no tile {self.level}/{self.number} of width {self.width}.",
                remedy="Levels are 0 to 63, widths 1 to 256.",
            )

    def __str__(self) -> str:
        groups, rest = [f"{self.number % _GROUP:03}"], self.number // _GROUP
        while rest:
            groups.insert(0, f"x{rest % _GROUP:03}")
            rest //= _GROUP
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{_ENTRIES if self.level == ENTRIES else self.level}/{'/'.join(groups)}{partial}"

    @classmethod
    def parse(cls, text: str) -> TilePath | None:
        """The tile at this address, in the one spelling that `str` writes; None where no tile can be."""
        match = _PATH.fullmatch(text)
        if match is None:
            return None
        level = ENTRIES if match["level"] == _ENTRIES else int(match["level"])
        number = int(match["number"].replace("x", "").replace("/", ""))
        try:
            path = cls(level, number, int(match["width"] or TILE_WIDTH))
        except LogSourceError:
            return None
        return path if str(path) == text else None
