"""Doing to a draft again what was done to one that was released: label, watermark, encoding, as its entry says.

All of it is deterministic: the payload follows from the recorded id and the watermark key, and the strength is the weakest
that reads back, as it was then. What is left out is what does not touch a value: metadata and manifest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from governance.codecs import Codecs
from governance.entries import Entry
from governance.errors import MarkError, ReplayError
from governance.frames import changed, readable
from governance.media import Media
from governance.ports import Labeller, Watermarker
from governance.recorded_calls import Obstacle
from governance.records import mark_named
from governance.watermark import MarkKey


@dataclass(frozen=True, slots=True)
class Remarker:
    """Labels, marks and encodes as a `released` entry says. `watermarkers` are all that are installed."""

    watermarkers: tuple[Watermarker, ...]
    key: MarkKey
    labeller: Labeller
    codecs: Codecs

    def decoded(self, content: bytes) -> Media:
        """What is seen or heard in a file.

        Raises:
            MarkError: it cannot be decoded.
        """
        return self.codecs.decode(content)

    def again(self, released: Entry, draft: Media) -> Media:
        """`draft` as it is seen or heard in the file that `released` would have made of it.

        Raises:
            ReplayError: the mark needs another key, or a program that is not installed.
            MarkError: label, mark or encoding fail.
        """
        body: Any = released.body
        media_type = str(body["asset"]["media_type"])
        labelled = self._labelled(body, draft)
        named = mark_named(released)
        if named is None:
            return self.codecs.decode(self.codecs.encode(labelled, media_type))
        marker, payload = self._mark(*named)
        for strength in marker.strengths:
            marked = changed(labelled, partial(marker.embed, payload=payload, strength=strength))
            made = self.codecs.decode(self.codecs.encode(marked, media_type))
            if readable(marker, made, payload):
                return made
        raise MarkError("The watermark does not read back this time.", remedy="Compare the drafts instead.")

    def _labelled(self, body: Any, draft: Media) -> Media:
        text = body["visible_label"]
        if not text:
            return draft
        honoured = body["honoured"]
        position, language = honoured.get("label_position", ""), honoured.get("label_language", "")
        return changed(draft, lambda pixels: self.labeller.label(pixels, text, position=position, language=language))

    def _mark(self, algorithm: str, key_id: str, mark_id: str) -> tuple[Watermarker, int]:
        """What embeds the recorded mark, and its payload."""
        marker = next((each for each in self.watermarkers if each.algorithm == algorithm), None)
        if marker is None or key_id != self.key.key_id:
            lacking = f"{algorithm} is not installed" if marker is None else f"the watermark key {key_id} is not here"
            raise ReplayError(
                f"The released file carries a mark that cannot be made again: {lacking}.",
                Obstacle.MARK_UNREPEATABLE,
                remedy="Restore it, and replay again.",
            )
        width = (marker.payload_bits, algorithm)
        return marker, self.key.payload(self.key.counter_of(int(mark_id), *width), *width)
