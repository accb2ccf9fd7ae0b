"""The mark step: label if obliged, watermark, encode, metadata, and the watermark extracted again from those very bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from governance.canonical import Json
from governance.errors import MarkError, ObligationError
from governance.frames import changed, readable
from governance.manifest import COMPOSITE_ALGORITHMIC_MEDIA, TRAINED_ALGORITHMIC_MEDIA, WatermarkBinding
from governance.media import UNCHECKED_UNMARKED, Clip, Media, Sound, form_of
from governance.metadata import FileMetadata
from governance.obligations import Obligations
from governance.parts import Parts
from governance.types import Draft, MediaKind, Mode, Pixels, PromptKind, utc_now
from governance.watermark import id_bits

if TYPE_CHECKING:
    from governance.steps import Release

DISCLOSABLE = ("prompt",)
"""What the obligation `disclose` may name."""


@dataclass(frozen=True, slots=True)
class Marked:
    """An encoded picture, clip or sound that carries its marks, and itself as decoded again from `content`.

    `watermark` and `mark_id` are None where policy dropped the watermark.
    """

    content: bytes
    media_type: str
    media: Media
    metadata: FileMetadata
    watermark: WatermarkBinding | None = None
    mark_id: int | None = None

    @property
    def disclosed(self) -> dict[str, Json]:
        """What policy obliged to put in the clear, for the manifest."""
        return {"prompt": self.metadata.prompt} if self.metadata.prompt else {}


def file_metadata(
    parts: Parts, release: Release, draft: Draft, asset_id: str, mode: Mode = Mode.ENFORCE
) -> FileMetadata:
    """What the file of `draft` will say of itself, made now from the facts that its release was decided on.

    Raises:
        MarkError: a text cannot be written into a file, or what must be disclosed was erased.
    """
    obligations, facts = release.obligations, release.judged.policy_input
    return FileMetadata(
        asset_id=asset_id,
        created_at=utc_now(),
        system=parts.system,
        version=parts.version,
        model_name=draft.model.pipeline,
        provider=parts.provider,
        source_type=COMPOSITE_ALGORITHMIC_MEDIA if facts["inputs"] else TRAINED_ALGORITHMIC_MEDIA,
        prompt=prompt_of(facts, draft.index) if "prompt" in obligations.disclose else "",
        visible_label=obligations.visible_label,
        label_language=obligations.label_language if obligations.visible_label else "",
        mode=mode,
        caveat=UNCHECKED_UNMARKED if draft.kind is MediaKind.AUDIO else "",
    )


def prompt_of(facts: Mapping[str, Any], index: int) -> str:
    """What was wanted in image `index` of a call: its prompts, one a line, none twice; negative ones are left out.

    A pipeline makes the same number of images of each prompt, in the order of the prompts; a parameter with only one
    text means all images.

    Raises:
        MarkError: the text was erased.
    """
    texts: dict[str, dict[int, str]] = {}
    for prompt in facts["prompts"]:
        if not isinstance(prompt.get("text"), str):
            raise MarkError("Policy obliges to disclose a prompt that was erased.", remedy="Reject the hold.")
        if prompt["kind"] == PromptKind.PROMPT:
            texts.setdefault(prompt["parameter"], {})[prompt["position"]] = prompt["text"]
    batch = max((len(of_parameter) for of_parameter in texts.values()), default=1)
    images = facts["request"]["images"]
    position = index % images * batch // images
    wanted = (of_parameter.get(position if len(of_parameter) > 1 else 0, "") for of_parameter in texts.values())
    return "\n".join(dict.fromkeys(filter(None, wanted)))


def mark(parts: Parts, media: Media, obligations: Obligations, metadata: FileMetadata) -> Marked:
    """Mark and encode `media` as `obligations` demand, and write `metadata` into the file.

    A clip is labelled and watermarked frame by frame, with one payload. A watermark that does not read back from the finished
    bytes - of a clip, from nine in ten of all its frames - is embedded stronger. A sound is only encoded.

    Raises:
        ObligationError: no allowed output format can be written, or a sound is to be marked.
        ImageTooSmallError: the image cannot carry the watermark or the label.
        MarkError: the watermark does not survive encoding at any strength, or the metadata cannot be written and read.
    """
    media_type = _media_type(parts, media, obligations)
    if obligations.visible_label:
        media = changed(media, lambda pixels: _labelled(parts, pixels, obligations))
    properties = metadata.properties(media_type)
    if not obligations.watermark:
        content = _file(parts, media, media_type, properties)
        return Marked(content, media_type, _decoded(parts, content, media), metadata)

    marker, key = parts.watermarker, parts.mark_key
    counter = parts.ledger.next_mark(marker.algorithm, key.key_id, id_bits(marker.payload_bits))
    width = (marker.payload_bits, marker.algorithm)
    payload = key.payload(counter, *width)
    for strength in marker.strengths:
        stronger = partial(marker.embed, payload=payload, strength=strength)
        content = _file(parts, changed(media, stronger), media_type, properties)
        decoded = _decoded(parts, content, media)
        if readable(marker, decoded, payload):
            binding = WatermarkBinding(
                algorithm=marker.algorithm, key_id=key.key_id, payload=payload, payload_bits=marker.payload_bits
            )
            return Marked(content, media_type, decoded, metadata, binding, key.id_of(payload, *width))
    raise MarkError(
        f"The watermark could not be read back at any of the strengths {marker.strengths}.",
        remedy="Generate again with another seed, or let policy oblige a visible label instead.",
    )


def _labelled(parts: Parts, pixels: Pixels, obligations: Obligations) -> Pixels:
    return parts.labeller.label(
        pixels, obligations.visible_label, position=obligations.label_position, language=obligations.label_language
    )


def _decoded(parts: Parts, content: bytes, media: Media) -> Media:
    """What the finished file shows; a frame that is missing, or another size or rate, is an error of the encoder."""
    decoded = parts.codecs.decode(content)
    if form_of(decoded) != form_of(media):
        raise MarkError(
            f"The file reads back as {form_of(decoded)}, not as {form_of(media)}.", remedy="Repair the encoder."
        )
    return decoded


def _file(parts: Parts, media: Media, media_type: str, properties: Mapping[str, str]) -> bytes:
    """The finished file, but for its manifest; what it says of itself is read back before it is believed."""
    content = parts.metadata.write(parts.codecs.encode(media, media_type), media_type, properties)
    if dict(parts.metadata.read(content)) != dict(properties):
        raise MarkError("The file's metadata do not read back as they were written.", remedy="Repair the adapter.")
    return content


def _media_type(parts: Parts, media: Media, obligations: Obligations) -> str:
    kind = MediaKind.VIDEO if isinstance(media, Clip) else MediaKind.IMAGE
    written = parts.codecs.media_types(MediaKind.AUDIO if isinstance(media, Sound) else kind)
    allowed = obligations.output_formats or written
    for media_type in written:
        if media_type in allowed:
            return media_type
    raise ObligationError(
        f"Policy allows the formats {', '.join(allowed)}, of which none can be written.",
        remedy=f"Allow one of {', '.join(written)} in the bundle's output_formats.",
    )
