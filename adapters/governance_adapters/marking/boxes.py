"""Where MP4 files keep XMP: the boxes of ISO/IEC 14496-12, taken apart at the top level and never moved.

XMP lies in a `uuid` box with the identifier of ISO 16684-1, part 3 of the XMP specification, behind everything else: tables
inside the file count bytes from its beginning, so nothing before them may change its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from governance.errors import MarkError

_XMP: Final = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_LONGEST: Final = 2**32 - 1
"""The most bytes of a box whose length is written in 32 bits."""
_KINDS: Final = frozenset({b"ftyp", b"moov", b"mdat"})


@dataclass(frozen=True, slots=True)
class Box:
    """One top-level box: its four-letter kind, where it starts and ends, and where its content starts."""

    kind: bytes
    start: int
    content: int
    end: int


def is_mp4(content: bytes) -> bool:
    """Whether a file begins like an MP4 file."""
    return content[4:8] == b"ftyp"


def boxes(content: bytes) -> list[Box]:
    """The top-level boxes of a whole MP4 file, in order.

    Raises:
        MarkError: the file is no MP4 file, is cut short, or has no track or no data.
    """
    found: list[Box] = []
    place = 0
    while place < len(content):
        length, header = int.from_bytes(content[place : place + 4]), 8
        if length == 1:
            length, header = int.from_bytes(content[place + 8 : place + 16]), 16
        elif length == 0:
            length = len(content) - place
        if length < header or place + length > len(content):
            raise _broken("a box is cut short")
        found.append(Box(content[place + 4 : place + 8], place, place + header, place + length))
        place += length
    if not found or found[0].kind != b"ftyp" or not {box.kind for box in found} >= _KINDS:
        raise _broken("it has no track, or no data")
    return found


def mp4_packets(content: bytes) -> list[bytes]:
    """The XMP packets of an MP4 file.

    Raises:
        MarkError: the file's structure is broken.
    """
    return [content[box.content + len(_XMP) : box.end] for box in boxes(content) if _is_xmp(content, box)]


def mp4_with(content: bytes, packet: bytes) -> bytes:
    """The file with `packet` as its only XMP packet. One that it had becomes free space, so that nothing moves.

    Raises:
        MarkError: the file's structure is broken.
    """
    whole = bytearray(content)
    last = boxes(content)[-1]
    for box in boxes(content):
        if _is_xmp(content, box):
            whole[box.start + 4 : box.start + 8] = b"free"
            whole[box.content : box.end] = bytes(box.end - box.content)  # a length of 64 bits stays where it stands
    length = 8 + len(_XMP) + len(packet)
    if max(length, last.end - last.start) > _LONGEST:
        raise _broken("its last box, or its metadata, take 4 GiB")
    if int.from_bytes(content[last.start : last.start + 4]) == 0:  # it says that it goes on to the end of the file
        whole[last.start : last.start + 4] = (last.end - last.start).to_bytes(4)
    return bytes(whole) + length.to_bytes(4) + b"uuid" + _XMP + packet


def _is_xmp(content: bytes, box: Box) -> bool:
    return box.kind == b"uuid" and content.startswith(_XMP, box.content)


def _broken(what: str) -> MarkError:
    return MarkError(f"The file is no whole MP4 file: {what}.", remedy="Pass a complete MP4 file.")
