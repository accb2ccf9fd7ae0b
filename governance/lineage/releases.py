"""Released files by the hundred thousand: what a recall needs to know of each, read without reading the whole entry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from governance.canonical import Digest, Json
from governance.entries import Entry, EntryKind
from governance.errors import ProofError

# An entry is RFC 8785: members are sorted, so `asset` is the first of the body of a release, and what follows the body is
# the end of the entry. Read from there backwards no text can be taken for a member: none of these may hold a quote.
_BEGINNING: Final = re.compile(
    rb'\{"body":\{"asset":\{"bytes":\d+,"digest":"([0-9a-f]{64})","id":"([^"\\]+)","media_type":"([^"\\]+)"\}'
)
_END: Final = re.compile(
    rb'\},"id":"([^"\\]+)","kind":"released","subject":"([^"\\]+)","time":"([^"\\]+)","version":1\}\Z'
)
_LONGEST_END: Final = 1024


@dataclass(frozen=True, slots=True)
class Release:
    """One released file: its `released` entry, the generation, when (RFC 3339, UTC), and the file by digest and id."""

    entry: str
    generation: str
    time: str
    digest: Digest
    asset: str
    media_type: str

    @classmethod
    def of(cls, entry: Entry) -> Release:
        """The release that an entry records.

        Raises:
            ProofError: it records none.
        """
        asset: Any = entry.body.get("asset") if entry.kind is EntryKind.RELEASED else None
        try:
            digest, name = str(asset["digest"]), str(asset["id"])
        except (KeyError, TypeError) as error:
            raise ProofError(f"Entry {entry.id} releases no file.", remedy="Run `governance ledger verify`.") from error
        return cls(entry.id, entry.subject, entry.time, Digest(digest), name, str(asset.get("media_type", "")))

    @classmethod
    def of_leaf(cls, leaf: bytes) -> Release:
        """The same from the canonical bytes of the entry: a tenth of the time where it is written as ours are.

        Raises:
            ProofError: the bytes are no entry, or one that releases no file.
        """
        beginning, end = _BEGINNING.match(leaf), _END.search(leaf, max(0, len(leaf) - _LONGEST_END))
        if beginning is None or end is None:
            return cls.of(Entry.from_leaf(leaf))
        digest, asset, media_type = beginning.group(1, 2, 3)
        entry, generation, time = end.group(1, 2, 3)
        names = entry.decode(), generation.decode(), time.decode()
        return cls(*names, Digest(digest.decode()), asset.decode(), media_type.decode())

    def as_json(self) -> dict[str, Json]:
        """Its values by name."""
        return {
            "entry": self.entry,
            "generation": self.generation,
            "time": self.time,
            "digest": self.digest,
            "asset": self.asset,
            "media_type": self.media_type,
        }
