"""The certificates in a time stamp, in the order that DER wants them in.

OpenSSL's time-stamp authority writes the signer first; the parser of `rfc3161-client` takes only a sorted set (X.690,
section 11.6) and refuses the whole stamp otherwise. The set is unsigned (RFC 5652, section 5.1): its order says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_SEQUENCE: Final = 0x30
_CONTEXT_0: Final = 0xA0
_SHORT: Final = 0x80
_MOST_LENGTH_BYTES: Final = 4

# Where the certificates are: TimeStampResp, its token (RFC 3161, section 2.4.2), its content, SignedData, certificates
# (RFC 5652, sections 3 and 5.1). Each step: the tag, and which element with this tag.
_PATH: Final = ((_SEQUENCE, 0), (_SEQUENCE, 1), (_CONTEXT_0, 0), (_SEQUENCE, 0), (_CONTEXT_0, 0))


@dataclass(frozen=True, slots=True)
class _Element:
    """One element: its tag, where it begins, where its content begins, and where it ends."""

    tag: int
    start: int
    content: int
    end: int


def certificates_in_order(stamp: bytes) -> bytes:
    """`stamp` (a DER `TimeStampResp`) with its certificates sorted; as it is where there are none to be found."""
    try:
        place = _Element(0, 0, 0, len(stamp))
        for tag, number in _PATH:
            place = [each for each in _elements(stamp, place) if each.tag == tag][number]
        parts = [stamp[each.start : each.end] for each in _elements(stamp, place)]
    except (IndexError, ValueError):
        return stamp
    return stamp[: place.content] + b"".join(sorted(parts)) + stamp[place.end :]


def _elements(stamp: bytes, within: _Element) -> Iterator[_Element]:
    """The elements side by side in the content of one.

    Raises:
        IndexError: one is cut off.
        ValueError: one is longer than what holds it, or written otherwise than DER writes it.
    """
    at = within.content
    while at < within.end:
        length, content = stamp[at + 1], at + 2
        if length >= _SHORT:
            count = length - _SHORT
            if not 1 <= count <= _MOST_LENGTH_BYTES:
                raise ValueError("no definite length")
            length, content = int.from_bytes(stamp[content : content + count], "big"), content + count
        if content + length > within.end:
            raise ValueError("longer than what holds it")
        yield _Element(stamp[at], at, content, content + length)
        at = content + length
