"""Paths as sites write them where they say what may be fetched, or trained with."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Location:
    """A path as TDMRep and RFC 9309 write it: `*` is anything, `$` at the end is the end; escapes are resolved.

    No regular expression: a site that writes many `*` would have one try for hours.
    """

    pieces: tuple[str, ...]
    ends: bool

    @classmethod
    def of(cls, text: str) -> Location:
        """The location that is written so."""
        return cls(tuple(map(unquote, text.removesuffix("$").split("*"))), text.endswith("$"))

    def match(self, path: str) -> bool:
        """Whether it names `path`: what each piece takes is the first that it can."""
        first, *others = self.pieces
        if not path.startswith(first):
            return False
        place = len(first)
        if self.ends and not others:
            return place == len(path)
        last = others.pop() if self.ends else ""
        for piece in others:
            if (found := path.find(piece, place)) < 0:
                return False
            place = found + len(piece)
        return not self.ends or (len(path) - len(last) >= place and path.endswith(last))
