"""What a released file was made from, as its manifest names it (C2PA 2.x, section "Ingredient").

A manifest is public and cannot be recalled, so it names an input image by the salted commitment under which the intent
entry holds it: whoever is shown the input's salt can check that it is meant, and nobody can guess.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from governance.canonical import Digest, Json, canonical_digest

MODEL: Final = "model"
"""What actions of a definition call the model."""
_BYTES: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputIngredient:
    """One input image, as a manifest names it: by its parameter and a commitment, never by a file's name or its contents.

    `position` counts the inputs of the call from 0. `commitment` is the intent entry's to `/inputs/<position>`.
    `media_type` is that of the file, empty for bare pixels. `opened` is the picture that was edited; every other one only
    went into the model.
    """

    position: int
    parameter: str
    commitment: Digest
    media_type: str = ""
    opened: bool = False

    @property
    def label(self) -> str:
        """What actions of the definition call it."""
        return f"input-{self.position}"

    def definition(self) -> dict[str, Json]:
        """The ingredient in a manifest definition."""
        return {
            "label": self.label,
            "title": self.parameter,
            "format": self.media_type or _BYTES,
            "instance_id": _named_by_hash(self.commitment),
            "relationship": "parentOf" if self.opened else "inputTo",
            "description": f"Commitment of the intent entry to /inputs/{self.position}",
        }


def model_ingredient(name: str, components: Mapping[str, Digest]) -> dict[str, Json]:
    """The model in a manifest definition: the weights alone, whatever device they ran on."""
    return {
        "label": MODEL,
        "title": name,
        "format": _BYTES,
        "instance_id": _named_by_hash(canonical_digest(dict(components))),
        "relationship": "inputTo",
        "description": "SHA-256 over the RFC 8785 object of the model's component digests",
        "data_types": [{"type": "c2pa.types.generator"}, {"type": "c2pa.types.model"}],
    }


def _named_by_hash(value: Digest) -> str:
    """RFC 6920: a thing named by its hash."""
    return f"ni:///sha-256;{base64.urlsafe_b64encode(bytes.fromhex(value)).rstrip(b'=').decode()}"
