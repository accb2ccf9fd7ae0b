"""The mark step with fakes: the order of the marks, what a file says of itself, and what must not be believed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from governance.entries import EntryKind
from governance.errors import MarkError, ObligationError
from governance.governor import Governor
from governance.manifest import COMPOSITE_ALGORITHMIC_MEDIA, TRAINED_ALGORITHMIC_MEDIA, Provenance
from governance.marking import prompt_of
from governance.metadata import AIGC, CREATED, IDENTIFIER, LABEL, LABEL_LANGUAGE, PROMPT, PROVIDER
from governance.testing import (
    FakeEncoder,
    FakeLabeller,
    FakeMetadataWriter,
    FakePipeline,
    FakePolicyEngine,
    FakeWatermarker,
    example_picture,
    example_request,
    fake_parts,
)
from governance.types import InputImage, Outcome, Prompt, PromptKind, Stage


def answering(**obligations):
    engine = FakePolicyEngine()
    return FakePolicyEngine({Stage.RELEASE: lambda s, _: engine.answer(s, Outcome.ALLOW, **obligations)})


def released(parts, **request):
    """The items, and what their files say of themselves."""
    items = Governor(parts).generate(example_request(**request), FakePipeline()).items
    return items, [parts.metadata.read(item.asset.content) for item in items]


class Writer(FakeMetadataWriter):
    """Keeps what it was given, and may spoil it."""

    def __init__(self, spoil=lambda content, properties: (content, properties)):
        super().__init__()
        object.__setattr__(self, "spoil", spoil)

    def write(self, content, media_type, properties):
        content, properties = self.spoil(content, properties)
        return super().write(content, media_type, properties)


@dataclass(frozen=True)
class Whitening(FakeMetadataWriter):
    """Writes metadata and ruins the pixels on the way, as a careless container library would."""

    def write(self, content: bytes, media_type: str, properties: Mapping[str, str]) -> bytes:
        encoder = FakeEncoder()
        blank = encoder.encode(encoder.decode(content) * 0, media_type)
        return super().write(blank, media_type, properties)


class TestWhatAFileSays:
    def test_it_names_asset_provider_system_and_time_as_entry_and_manifest_do(self):
        parts = fake_parts()
        (item,), (said,) = released(parts)
        provenance = parts.signer.read(item.asset.content).provenance
        assert said[IDENTIFIER] == item.asset.id == provenance["asset"]
        assert said[PROVIDER] == parts.provider
        assert item.entry.body["metadata"] == {name: value for name, value in said.items() if name != "PNG:AIGC"}
        assert said[CREATED] <= item.entry.time
        assert json.loads(said[AIGC])["ProduceID"] == item.asset.id

    def test_pictures_that_were_given_make_it_a_composite(self):
        _, (plain,) = released(fake_parts())
        image = InputImage("image", example_picture(64, 64))
        _, (edited,) = released(fake_parts(), inputs=(image,))
        assert plain["Iptc4xmpExt:DigitalSourceType"] == TRAINED_ALGORITHMIC_MEDIA
        assert edited["Iptc4xmpExt:DigitalSourceType"] == COMPOSITE_ALGORITHMIC_MEDIA

    def test_the_label_stands_where_policy_wants_it_and_is_named_with_its_language(self):
        obligations = {"visible_label": "KI-erzeugt", "label_position": "top-right", "label_language": "de"}
        parts = fake_parts(policy=answering(**obligations))
        (item,), (said,) = released(parts)
        assert FakeLabeller.read(parts.encoder.decode(item.asset.content), "top-right") == "KI-erzeugt"
        assert (said[LABEL], said[LABEL_LANGUAGE]) == ("KI-erzeugt", "de")

    def test_a_language_without_a_label_says_nothing(self):
        _, (said,) = released(fake_parts(policy=answering(label_language="de")))
        assert LABEL_LANGUAGE not in said


class TestDisclosure:
    PROMPTS = (Prompt("a red kite"), Prompt("blurry", PromptKind.NEGATIVE, "negative_prompt"))

    def test_the_prompt_is_told_nowhere_unless_policy_obliges_it(self):
        parts = fake_parts()
        (item,), (said,) = released(parts, prompts=self.PROMPTS)
        assert PROMPT not in said
        assert b"red kite" not in item.asset.content
        assert "disclosed" not in parts.signer.read(item.asset.content).provenance

    def test_a_disclosed_prompt_stands_in_metadata_and_manifest_and_not_in_the_entry(self):
        parts = fake_parts(policy=answering(disclose=["prompt"]))
        (item,), (said,) = released(parts, prompts=self.PROMPTS)
        provenance = Provenance.from_assertion(parts.signer.read(item.asset.content).provenance)
        assert said[PROMPT] == provenance.disclosed["prompt"] == "a red kite"
        assert "red kite" not in json.dumps(dict(item.entry.body))

    def test_each_image_tells_its_own_prompt(self):
        parts = fake_parts(policy=answering(disclose=["prompt"]))
        prompts = (Prompt("a", position=0), Prompt("b", position=1), Prompt("both", parameter="prompt_2"))
        _, said = released(parts, prompts=prompts, images=4, seeds=())
        assert [each[PROMPT] for each in said] == ["a\nboth", "a\nboth", "b\nboth", "b\nboth"]

    def test_nothing_else_can_be_disclosed(self):
        with pytest.raises(ObligationError, match="principal"):
            released(fake_parts(policy=answering(disclose=["principal"])))

    def test_an_erased_prompt_cannot_be_disclosed(self):
        facts = {"prompts": [{"commitment": "0" * 64}], "request": {"images": 1}}
        with pytest.raises(MarkError, match="erased"):
            prompt_of(facts, 0)

    def test_what_no_file_can_carry_is_not_released(self):
        parts = fake_parts(policy=answering(disclose=["prompt"]))
        with pytest.raises(MarkError, match=r"U\+FFFE"):
            released(parts, prompts=(Prompt("a\ufffeb"),))
        assert not parts.vault.staged()


class TestWhatIsNotBelieved:
    def test_the_watermark_is_looked_for_in_the_finished_bytes(self):
        parts = fake_parts(metadata=Whitening())
        with pytest.raises(MarkError, match="could not be read back"):
            released(parts)
        assert [e.kind for _, e in parts.ledger.entries()] == [EntryKind.INTENT, EntryKind.FAILED]

    def test_metadata_that_read_back_otherwise_release_nothing(self):
        def forgetful(content, properties):
            return content, {name: value for name, value in properties.items() if name != PROVIDER}

        with pytest.raises(MarkError, match="do not read back"):
            released(fake_parts(metadata=Writer(forgetful)))

    def test_metadata_that_cannot_be_written_release_nothing(self):
        error = MarkError("told to", remedy="none needed")
        parts = fake_parts(metadata=FakeMetadataWriter(error=error))
        with pytest.raises(MarkError, match="told to"):
            released(parts)
        assert not parts.vault.staged()

    def test_metadata_are_written_without_a_watermark_too(self):
        parts = fake_parts(policy=answering(watermark=False, visible_label="AI"))
        _, (said,) = released(parts)
        assert said[LABEL] == "AI"

    def test_every_format_is_tried_stronger_until_the_mark_reads_back(self):
        marker = FakeWatermarker(fail_first=2)
        encoder = FakeEncoder(media_types=("image/png", "image/jpeg"))
        parts = fake_parts(watermarker=marker, encoder=encoder, policy=answering(output_formats=["image/jpeg"]))
        (item,), (said,) = released(parts)
        assert item.asset.media_type == "image/jpeg"
        assert marker.calls == marker.strengths[:3]
        assert "PNG:AIGC" not in said


def test_a_system_without_a_name_cannot_mark():
    with pytest.raises(MarkError, match="system"):
        released(replace(fake_parts(), system=""))
