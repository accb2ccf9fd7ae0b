"""The metadata writer's contract, and a fake that keeps the properties as JSON behind the picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from governance.errors import MarkError
from governance.metadata import FileMetadata
from governance.ports import Encoder, MetadataWriter
from governance.testing.examples import example_picture
from governance.testing.expect import expect
from governance.testing.marking import FAKE_IMAGE

_MAGIC = b"FAKE-METADATA/1\n"
_END = b"\nEND-METADATA\n"
_PICTURES = (FAKE_IMAGE, b"\x89PNG", b"\xff\xd8\xff", b"RIFF")


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
        if not media_type.startswith("image/"):
            raise MarkError(f"{media_type} carries no metadata.", remedy="Write an image.")
        kept = self.read(content)
        picture, _, _ = content.partition(_MAGIC)
        return picture + _MAGIC + json.dumps({**kept, **properties}).encode() + _END

    def read(self, content: bytes) -> Mapping[str, str]:
        """See MetadataWriter.read."""
        if not content.startswith(_PICTURES):
            raise MarkError("These bytes are no picture.", remedy="Encode one first.")
        _, found, rest = content.partition(_MAGIC)
        properties: dict[str, str] = json.loads(rest.partition(_END)[0]) if found else {}
        return properties


class MetadataWriterContract:
    """What every metadata writer does. Subclasses say which one, and what writes pictures for it."""

    def writer(self) -> MetadataWriter:
        """The metadata writer."""
        raise NotImplementedError

    def encoder(self) -> Encoder:
        """An encoder whose formats it knows."""
        raise NotImplementedError

    def test_what_is_written_is_read_in_every_format_and_the_picture_stays(self) -> None:
        writer, encoder = self.writer(), self.encoder()
        for media_type in encoder.media_types:
            content = encoder.encode(example_picture(40, 24), media_type)
            properties = example_metadata().properties(media_type)
            written = writer.write(content, media_type, properties)
            assert dict(writer.read(written)) == properties
            assert encoder.decode(written).tobytes() == encoder.decode(content).tobytes()

    def test_a_file_without_properties_reads_empty(self) -> None:
        encoder = self.encoder()
        for media_type in encoder.media_types:
            assert dict(self.writer().read(encoder.encode(example_picture(40, 24), media_type))) == {}

    def test_properties_of_the_same_names_are_replaced_and_others_stay(self) -> None:
        writer, encoder = self.writer(), self.encoder()
        for media_type in encoder.media_types:
            content = encoder.encode(example_picture(40, 24), media_type)
            first = writer.write(content, media_type, {"xmp:CreatorTool": "one", "dc:identifier": "kept"})
            second = writer.write(first, media_type, {"xmp:CreatorTool": "two"})
            assert dict(writer.read(second)) == {"xmp:CreatorTool": "two", "dc:identifier": "kept"}

    def test_text_that_means_something_to_a_parser_comes_back_as_it_was(self) -> None:
        writer, encoder = self.writer(), self.encoder()
        hostile = "</rdf:RDF><script>alert('x')</script> & \"quotes\" ]]> =cmd|' /C calc'!A0 \u4e2d\u00e9\U0001f600"
        for media_type in encoder.media_types:
            content = encoder.encode(example_picture(40, 24), media_type)
            written = writer.write(content, media_type, {"Iptc4xmpExt:AIPromptInformation": hostile})
            assert writer.read(written)["Iptc4xmpExt:AIPromptInformation"] == hostile

    def test_what_is_no_picture_and_another_format_are_refused(self) -> None:
        writer, encoder = self.writer(), self.encoder()
        content = encoder.encode(example_picture(40, 24), encoder.media_types[0])
        with expect(MarkError):
            writer.write(content, "text/plain", {"xmp:CreatorTool": "one"})
        for broken in (b"", b"not a picture"):
            with expect(MarkError):
                writer.read(broken)
            with expect(MarkError):
                writer.write(broken, encoder.media_types[0], {"xmp:CreatorTool": "one"})
