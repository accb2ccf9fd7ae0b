"""Files of every kind of media, written and read by whoever knows the kind."""

from __future__ import annotations

from dataclasses import dataclass

from governance.media import Clip, Media, Sound
from governance.ports import ClipEncoder, Encoder, SoundEncoder
from governance.types import MediaKind


@dataclass(frozen=True, slots=True)
class Codecs:
    """The encoders of an installation, by what they encode."""

    pictures: Encoder
    clips: ClipEncoder
    sounds: SoundEncoder

    def media_types(self, kind: MediaKind) -> tuple[str, ...]:
        """The formats that files of `kind` can have, preferred first."""
        if kind is MediaKind.VIDEO:
            return self.clips.media_types
        return self.sounds.media_types if kind is MediaKind.AUDIO else self.pictures.media_types

    def lossless(self, media: Media) -> str:
        """The format in which `media` waits for people: every value of it comes back."""
        if isinstance(media, Clip):
            return self.clips.lossless
        return (self.sounds if isinstance(media, Sound) else self.pictures).media_types[0]

    def encode(self, media: Media, media_type: str) -> bytes:
        """`media` as a file of `media_type`.

        Raises:
            MarkError: the format is none of its kind, or it cannot be encoded.
        """
        if isinstance(media, Clip):
            return self.clips.encode(media, media_type)
        if isinstance(media, Sound):
            return self.sounds.encode(media, media_type)
        return self.pictures.encode(media, media_type)

    def decode(self, content: bytes) -> Media:
        """What is in a file.

        Raises:
            MarkError: it is of none of the formats that can be read, or too large to decode safely.
        """
        kind = self.kind_of(content)
        if kind is MediaKind.VIDEO:
            return self.clips.decode(content)
        return self.sounds.decode(content) if kind is MediaKind.AUDIO else self.pictures.decode(content)

    def kind_of(self, content: bytes) -> MediaKind:
        """What a file is by its beginning; a picture, where it is nothing else that is known."""
        if self.clips.reads(content):
            return MediaKind.VIDEO
        return MediaKind.AUDIO if self.sounds.reads(content) else MediaKind.IMAGE
