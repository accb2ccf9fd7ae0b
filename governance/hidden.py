"""Readings of a prompt that no eye sees: text in base64, and letters rotated by 13 places.

They are hints, not proofs: what is found is looked up in the blocked terms like the prompt itself, and policy decides what
a hint by itself is worth.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from governance.normalise import ngrams, normalise

BASE64 = "base64"
ROT13 = "rot13"
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")


@dataclass(frozen=True, slots=True)
class HiddenReadings:
    """`hints`: the encodings that the text seems to use, each once. `ngrams`: those of what they decode to."""

    hints: tuple[str, ...] = ()
    ngrams: tuple[str, ...] = ()


def hidden_readings(text: str) -> HiddenReadings:
    """What `text` may say in an encoding. Time is linear in the length of `text`."""
    decoded = [found for run in _BASE64_RUN.findall(text) if (found := _from_base64(run))]
    if not decoded:
        return HiddenReadings()
    return HiddenReadings((BASE64,), ngrams(normalise(" ".join(decoded))))


def _from_base64(run: str) -> str:
    """The readable text that a run of base64 characters decodes to, or nothing."""
    body = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        text = base64.b64decode(body + "=" * (-len(body) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text if text.isprintable() and any(map(str.isalpha, text)) else ""
