"""Marks read again: from a picture, or from frames of a clip, by whoever has the keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from governance.attribution import Attribution, Grade, attribute
from governance.codecs import Codecs
from governance.frames import spread
from governance.media import Media
from governance.ports import Fingerprinter, Watermarker
from governance.types import Fingerprint
from governance.watermark import MarkKey

_GRADES = (Grade.ATTRIBUTED, Grade.SIMILAR, Grade.DIFFERS)


@dataclass(frozen=True, slots=True)
class MarkReader:
    """What reading marks needs: keys of ours. An outsider has none, and marks then read `not checked`."""

    watermarkers: tuple[Watermarker, ...]
    key: MarkKey
    codecs: Codecs
    fingerprinter: Fingerprinter


@dataclass(frozen=True, slots=True)
class FoundMark:
    """A mark that passes the keyed check, and what reads it."""

    watermarker: Watermarker
    mark_id: int


def found_marks(marks: MarkReader, media: Media) -> Iterator[FoundMark]:
    """The marks in a picture or in frames of a clip, spread over all of it, each once.

    As soon as one frame carries marks, the others are not read: all frames of a clip carry the same.
    """
    for watermarker in marks.watermarkers:
        found: dict[int, None] = {}
        for frame in spread(media):
            if found or not watermarker.fits(*frame.shape[:2]):
                break
            ids = (
                marks.key.id_of(payload, watermarker.payload_bits, watermarker.algorithm)
                for payload in watermarker.extract(frame)
            )
            found = dict.fromkeys(mark_id for mark_id in ids if mark_id is not None)
        for mark_id in found:
            yield FoundMark(watermarker, mark_id)


def nearest(recorded: Fingerprint, seen: Sequence[Fingerprint]) -> Attribution:
    """How a record compares with the frame that is most like it: the record of a clip holds that of its middle frame."""
    return min(
        (attribute(recorded, each) for each in seen),
        key=lambda graded: (_GRADES.index(graded.grade), graded.pdq_distance),
    )
