"""Watermark payloads: which numbers a mark carries, and how a number that was read is recognised as ours.

A payload is an index, not a proof. High bits first it is `id || check`:

| payload | id | check | chance that a random candidate passes |
|---|---|---|---|
| 64 bits | 40 | 24 | 2^-24, about 6e-8 |
| 32 bits | 20 | 12 | 2^-12, about 2.4e-4 |

- id: a keyed permutation of a counter, so that ids neither repeat nor tell how many images there are. It is a balanced
  Feistel network (Luby and Rackoff, 1988) whose round function is HMAC-SHA-256 (RFC 2104), keyed per (algorithm, width).
- check: the first bits of an HMAC-SHA-256 over the id, keyed per (algorithm, width).

An extractor may return several candidates, so an unmarked image passes with the chance above times their number. A
candidate that passes still has to lead to a record, and the record to a picture that looks the same
(`governance.attribution`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from governance.errors import ConfigurationError, MarkError

MIN_SECRET_BYTES: Final = 32
CHECK_BITS: Final = {64: 24, 32: 12}
"""Bits of the keyed check by bits of the payload; the rest is the id."""

_ROUNDS: Final = 10
_DOMAIN: Final = b"diffusion-governance/mark/v1"


@dataclass(frozen=True, slots=True)
class MarkKey:
    """The secret behind the marks: it permutes counters into ids, checks payloads and seeds patterns.

    Raises:
        ConfigurationError: the secret has fewer than 32 bytes.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < MIN_SECRET_BYTES:
            raise ConfigurationError(
                f"A watermark key has at least {MIN_SECRET_BYTES} bytes, not {len(self.secret)}.",
                remedy="Make one with `governance keys init`.",
            )

    @classmethod
    def generate(cls) -> MarkKey:
        """A fresh random key."""
        return cls(secrets.token_bytes(MIN_SECRET_BYTES))

    @property
    def key_id(self) -> str:
        """16 hexadecimal digits that name the key and reveal nothing of it."""
        return hashlib.sha256(_DOMAIN + b"/key-id\0" + self.secret).hexdigest()[:16]

    def derive(self, purpose: str, length: int) -> bytes:
        """`length` bytes for one purpose: the same for the same key and purpose, unrelated between purposes.

        SHAKE-256 (FIPS 202) over an HMAC-SHA-256 of the purpose, so a pattern made from them does not depend on the
        random generators of any library version.
        """
        return hashlib.shake_256(self._subkey("derive", purpose)).digest(length)

    def payload(self, counter: int, bits: int, algorithm: str) -> int:
        """The payload of the counter-th image marked with `algorithm`.

        Raises:
            MarkError: the counter does not fit into the id, or there is no payload of `bits` bits.
        """
        mark_id = self.permute(counter, bits, algorithm)
        return mark_id << CHECK_BITS[bits] | self._check(mark_id, bits, algorithm)

    def id_of(self, payload: int, bits: int, algorithm: str) -> int | None:
        """The id in `payload`, or None when its keyed check fails: not ours, another algorithm, or misread.

        The comparison takes constant time.

        Raises:
            MarkError: there is no payload of `bits` bits.
        """
        ids = id_bits(bits)
        if not 0 <= payload < 1 << bits:
            return None
        mark_id = payload >> CHECK_BITS[bits]
        width = (bits - ids + 7) // 8
        read = (payload & ((1 << CHECK_BITS[bits]) - 1)).to_bytes(width)
        expected = self._check(mark_id, bits, algorithm).to_bytes(width)
        return mark_id if hmac.compare_digest(read, expected) else None

    def permute(self, counter: int, bits: int, algorithm: str) -> int:
        """The id of `counter`; a bijection of 0..2^id_bits - 1 for each (algorithm, bits).

        Raises:
            MarkError: the counter does not fit, or there is no payload of `bits` bits.
        """
        return self._feistel(counter, bits, algorithm, inverse=False)

    def counter_of(self, mark_id: int, bits: int, algorithm: str) -> int:
        """The counter of `mark_id`: the inverse of `permute`.

        Raises:
            MarkError: the id does not fit, or there is no payload of `bits` bits.
        """
        return self._feistel(mark_id, bits, algorithm, inverse=True)

    def _feistel(self, value: int, bits: int, algorithm: str, *, inverse: bool) -> int:
        ids = id_bits(bits)
        if not 0 <= value < 1 << ids:
            raise MarkError(
                f"{value} does not fit into the {ids}-bit ids of `{algorithm}`.", remedy="Rotate the watermark key."
            )
        half, key = ids // 2, self._subkey("permutation", algorithm, bits)
        mask = (1 << half) - 1
        left, right = value >> half, value & mask
        for number in range(_ROUNDS):
            # The inverse runs the same rounds backwards with the halves exchanged.
            index = _ROUNDS - 1 - number if inverse else number
            if inverse:
                left, right = right ^ (_round(key, index, left) & mask), left
            else:
                left, right = right, left ^ (_round(key, index, right) & mask)
        return left << half | right

    def _check(self, mark_id: int, bits: int, algorithm: str) -> int:
        key = self._subkey("check", algorithm, bits)
        tag = hmac.digest(key, mark_id.to_bytes(8), "sha256")
        return int.from_bytes(tag[:8]) >> (64 - CHECK_BITS[bits])

    def _subkey(self, use: str, name: str, bits: int = 0) -> bytes:
        label = f"{use}/{bits}".encode()
        return hmac.digest(self.secret, _DOMAIN + b"\0" + label + b"\0" + name.encode(), "sha256")


def id_bits(bits: int) -> int:
    """Bits of the id in a payload of `bits` bits: 40 of 64, 20 of 32.

    Raises:
        MarkError: there is no payload of `bits` bits.
    """
    if bits not in CHECK_BITS:
        raise MarkError(f"There is no payload of {bits} bits.", remedy="Payloads have 64 or 32 bits.")
    return bits - CHECK_BITS[bits]


def require_payload(payload: int, bits: int) -> int:
    """`payload` if it fits into `bits` bits.

    Raises:
        MarkError: it does not.
    """
    if not 0 <= payload < 1 << bits:
        raise MarkError(f"{payload} is not a payload of {bits} bits.", remedy="Make payloads with MarkKey.payload().")
    return payload


def _round(key: bytes, index: int, half: int) -> int:
    """The round function; 8 bytes are more than the 20 bits that the widest half needs."""
    return int.from_bytes(hmac.digest(key, bytes([index]) + half.to_bytes(8), "sha256")[:8])
