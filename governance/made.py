"""Have we made this? The released files that a picture at hand is, carries the mark of, or looks like.

Three looks, and the first that finds something answers: the same bytes; a watermark of ours in the pixels, with how much the
picture resembles its record; the perceptual hash. Nothing found means nothing alike among what is kept: a picture that was
cropped, released without a watermark or erased is not found, and where a picture was made, no look can say.

Of a clip, frames spread over it are searched for a mark, and its middle frame stands for what it looks like. A sound carries
nothing to find it by but its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from governance.attribution import Attribution, Grade
from governance.canonical import Json, digest
from governance.entries import Entry, MarkRecord
from governance.frames import shown
from governance.marks import MarkReader, found_marks, nearest
from governance.media import Media, Sound, frames_of
from governance.ports import Ledger
from governance.records import asset_digest, asset_id
from governance.types import Fingerprint

MOST: Final = 10
"""How many pictures that look alike are named."""


class Ground(StrEnum):
    """What a match rests on."""

    BYTES = "same bytes"
    MARK = "watermark"
    LOOKS = "looks alike"


_LOOKS: Final = {
    Grade.ATTRIBUTED: "shapes and colours match",
    Grade.SIMILAR: "shapes match, colours are similar",
    Grade.DIFFERS: "shapes match, colours differ",
}


@dataclass(frozen=True, slots=True)
class Match:
    """A released file, and what leads from the picture to it. `attribution` has the distances; None for the same bytes."""

    ground: Ground
    asset_id: str
    asset_digest: str
    entry: Entry | None
    attribution: Attribution | None = None

    @property
    def grade(self) -> str:
        """How good the match is, in words. Where there is a mark, see `governance.attribution.Grade`."""
        if self.attribution is None:
            return "these exact bytes were released"
        return self.attribution.grade.value if self.ground is Ground.MARK else _LOOKS[self.attribution.grade]

    def as_json(self) -> dict[str, Json]:
        """For programs; distances of colours in thousandths of a level."""
        seen = self.attribution
        return {
            "by": self.ground.value,
            "grade": self.grade,
            "asset_id": self.asset_id,
            "asset_digest": self.asset_digest,
            "entry": None if self.entry is None else self.entry.id,
            "released": None if self.entry is None else self.entry.time,
            "pdq_distance": None if seen is None else seen.pdq_distance,
            "quality": None if seen is None else seen.quality,
            "grid_mean_thousandths": None if seen is None else round(seen.grid_mean * 1000),
            "grid_largest": None if seen is None else seen.grid_largest,
        }


class PictureFinder:
    """Finds the records of a picture in one ledger."""

    def __init__(self, ledger: Ledger, marks: MarkReader) -> None:
        self._ledger, self._marks = ledger, marks

    def find(self, content: bytes) -> tuple[Match, ...]:
        """The matches of a file, the best first; none where nothing alike is kept.

        Raises:
            MarkError: it is no picture, clip or sound that can be read.
            LedgerError: the ledger cannot be read, or not be searched yet.
        """
        released = self._ledger.find_asset(digest(content))
        if released is not None:
            return (Match(Ground.BYTES, asset_id(released) or "", asset_digest(released) or "", released),)
        media = self._marks.codecs.decode(content)
        if isinstance(media, Sound):
            return ()
        seen = [self._marks.fingerprinter.fingerprint(shown(media))]
        marked = tuple(dict.fromkeys(self._marked(media)))
        if marked:
            seen = [self._marks.fingerprinter.fingerprint(frame) for frame in frames_of(media)]
            return tuple(self._match(Ground.MARK, record, seen) for record in marked)
        return tuple(self._match(Ground.LOOKS, record, seen) for record in self._ledger.alike(seen[0], limit=MOST))

    def _marked(self, media: Media) -> Iterator[MarkRecord]:
        """The records of the marks in a picture, or in frames of a clip, spread over it."""
        for found in found_marks(self._marks, media):
            record = self._ledger.find_mark(found.watermarker.algorithm, self._marks.key.key_id, found.mark_id)
            if record is not None:  # a short check passes by chance now and then, and then leads nowhere
                yield record

    def _match(self, ground: Ground, record: MarkRecord, seen: Sequence[Fingerprint]) -> Match:
        entry = self._ledger.find_asset(record.asset_digest)
        return Match(ground, record.asset_id, record.asset_digest, entry, nearest(record.fingerprint, seen))
