"""Ids that follow from what came before: of two entries that would both follow one, a ledger takes only the first."""

from __future__ import annotations

import hashlib


def following_id(domain: bytes, *parts: str) -> str:
    """The id that follows from `parts` (UUIDv8, RFC 9562, section 5.8): the first 16 bytes of SHA-256 over the domain and the
    parts, a zero byte before each.

    As a ledger holds no id twice, only one entry can follow another in its chain, and none is forgotten.
    """
    state = hashlib.sha256(domain + b"".join(b"\0" + part.encode() for part in parts))
    value = int.from_bytes(state.digest()[:16])
    value = value & ~(0xF << 76) | 8 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
