"""The mark step: label if obliged, watermark, encode, and extract the watermark again from the encoded bytes."""

from __future__ import annotations

from dataclasses import dataclass

from governance.errors import MarkError, ObligationError
from governance.manifest import WatermarkBinding
from governance.obligations import Obligations
from governance.parts import Parts
from governance.types import Pixels
from governance.watermark import id_bits


@dataclass(frozen=True, slots=True)
class Marked:
    """An encoded image that carries its marks, and its pixels as decoded again from `content`.

    `watermark` and `mark_id` are None where policy dropped the watermark.
    """

    content: bytes
    media_type: str
    pixels: Pixels
    watermark: WatermarkBinding | None = None
    mark_id: int | None = None


def mark(parts: Parts, pixels: Pixels, obligations: Obligations) -> Marked:
    """Mark and encode `pixels` as `obligations` demand; a watermark that does not read back is embedded stronger.

    Raises:
        ObligationError: no allowed output format can be written.
        ImageTooSmallError: the image cannot carry the watermark or the label.
        MarkError: the watermark does not survive encoding at any strength.
    """
    media_type = _media_type(parts, obligations)
    if obligations.visible_label:
        pixels = parts.labeller.label(pixels, obligations.visible_label)
    if not obligations.watermark:
        content = parts.encoder.encode(pixels, media_type)
        return Marked(content, media_type, parts.encoder.decode(content))

    marker, key = parts.watermarker, parts.mark_key
    counter = parts.ledger.next_mark(marker.algorithm, key.key_id, id_bits(marker.payload_bits))
    width = (marker.payload_bits, marker.algorithm)
    payload = key.payload(counter, *width)
    for strength in marker.strengths:
        content = parts.encoder.encode(marker.embed(pixels, payload, strength), media_type)
        decoded = parts.encoder.decode(content)
        if payload in marker.extract(decoded):
            binding = WatermarkBinding(
                algorithm=marker.algorithm, key_id=key.key_id, payload=payload, payload_bits=marker.payload_bits
            )
            return Marked(content, media_type, decoded, binding, key.id_of(payload, *width))
    raise MarkError(
        f"The watermark could not be read back at any of the strengths {marker.strengths}.",
        remedy="Generate again with another seed, or let policy oblige a visible label instead.",
    )


def _media_type(parts: Parts, obligations: Obligations) -> str:
    allowed = obligations.output_formats or parts.encoder.media_types
    for media_type in parts.encoder.media_types:
        if media_type in allowed:
            return media_type
    raise ObligationError(
        f"Policy allows the formats {', '.join(allowed)}, of which none can be written.",
        remedy=f"Allow one of {', '.join(parts.encoder.media_types)} in the bundle's output_formats.",
    )
