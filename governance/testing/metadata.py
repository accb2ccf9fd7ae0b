"""The metadata writer's contract, and a fake that keeps the properties as JSON behind the picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from governance.codecs import Codecs
from governance.errors import MarkError
from governance.media import Media, media_digest
from governance.metadata import FileMetadata
from governance.ports import MetadataWriter
from governance.testing.examples import example_picture
from governance.testing.expect import expect
from governance.testing.marking import FAKE_IMAGE
from governance.testing.media import FAKE_CLIP, FAKE_SOUND, example_clip, example_sound
from governance.types import MediaKind

_MAGIC = b"FAKE-METADATA/1\n"
_END = b"\nEND-METADATA\n"
_FILES = (FAKE_IMAGE, FAKE_CLIP, FAKE_SOUND, b"\x89PNG", b"\xff\xd8\xff", b"RIFF")
_KINDS = ("image/", "video/", "audio/")


def example_metadata() -> FileMetadata:
    """What a file might say of itself."""
    return FileMetadata(
        asset_id="0198c3a0-0000-7000-8000-000000000001",
        created_at="2026-11-01T12:00:00.000Z",
        provider="Example Provider",
        system="diffusion-governance",
        version="1.2.3",
        model_name="StableDiffusionPipeline",
        visible_label="AI-generated",
        label_language="en",
    )


@dataclass(frozen=True, slots=True)
class FakeMetadataWriter:
    """Writes the properties behind a picture, fake or real, before any manifest. `error`: what `write` raises instead."""

    error: MarkError | None = None

    def write(self, content: bytes, media_type: str, properties: Mapping[str, str]) -> bytes:
        """See MetadataWriter.write."""
        if self.error is not None:
            raise self.error
        if not media_type.startswith(_KINDS):
            raise MarkError(f"{media_type} carries no metadata.", remedy="Write an image, a video or a sound.")
        kept = self.read(content)
        picture, _, _ = content.partition(_MAGIC)
        return picture + _MAGIC + json.dumps({**kept, **properties}).encode() + _END

    def read(self, content: bytes) -> Mapping[str, str]:
        """See MetadataWriter.read."""
        if not content.startswith(_FILES):
            raise MarkError("These bytes are no picture.", remedy="Encode one first.")
        _, found, rest = content.partition(_MAGIC)
        properties: dict[str, str] = json.loads(rest.partition(_END)[0]) if found else {}
        return properties


class MetadataWriterContract:
    """What every metadata writer does. Subclasses say which one, and what writes pictures for it."""

    def writer(self) -> MetadataWriter:
        """The metadata writer."""
        raise NotImplementedError

    def codecs(self) -> Codecs:
        """Encoders whose formats it knows."""
        raise NotImplementedError

    def files(self) -> Iterator[tuple[str, bytes]]:
        """The media type and the content of a file of each format."""
        codecs = self.codecs()
        samples: tuple[Media, ...] = (example_picture(40, 24), example_clip(), example_sound())
        for kind, sample in zip(MediaKind, samples, strict=True):
            for media_type in codecs.media_types(kind):
                yield media_type, codecs.encode(sample, media_type)

    def test_what_is_written_is_read_in_every_format_and_what_is_seen_or_heard_stays(self) -> None:
        writer, decode = self.writer(), self.codecs().decode
        for media_type, content in self.files():
            properties = example_metadata().properties(media_type)
            written = writer.write(content, media_type, properties)
            assert dict(writer.read(written)) == properties
            assert media_digest(decode(written)) == media_digest(decode(content))

    def test_a_file_without_properties_reads_empty(self) -> None:
        for _, content in self.files():
            assert dict(self.writer().read(content)) == {}

    def test_properties_of_the_same_names_are_replaced_and_others_stay(self) -> None:
        writer, decode = self.writer(), self.codecs().decode
        for media_type, content in self.files():
            first = writer.write(content, media_type, {"xmp:CreatorTool": "one", "dc:identifier": "kept"})
            second = writer.write(first, media_type, {"xmp:CreatorTool": "two"})
            assert dict(writer.read(second)) == {"xmp:CreatorTool": "two", "dc:identifier": "kept"}
            assert media_digest(decode(second)) == media_digest(decode(content))

    def test_text_that_means_something_to_a_parser_comes_back_as_it_was(self) -> None:
        writer = self.writer()
        hostile = "</rdf:RDF><script>alert('x')</script> & \"quotes\" ]]> =cmd|' /C calc'!A0 \u4e2d\u00e9\U0001f600"
        for media_type, content in self.files():
            written = writer.write(content, media_type, {"Iptc4xmpExt:AIPromptInformation": hostile})
            assert writer.read(written)["Iptc4xmpExt:AIPromptInformation"] == hostile

    def test_what_is_no_file_and_another_format_are_refused(self) -> None:
        writer = self.writer()
        for media_type, content in self.files():
            with expect(MarkError):
                writer.write(content, "text/plain", {"xmp:CreatorTool": "one"})
            for broken in (b"", b"not a picture"):
                with expect(MarkError):
                    writer.read(broken)
                with expect(MarkError):
                    writer.write(broken, media_type, {"xmp:CreatorTool": "one"})
