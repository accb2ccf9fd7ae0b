"""Where an image file keeps its XMP packets: all of them, for Pillow gives the last one only, and not of every format.

Places as ISO 16684-3 names them: segments of JPEG, also those of a packet that one segment does not hold, chunks of PNG, the
application extension of GIF, and for the others what Pillow found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from PIL import ImageFile

MOST: Final = 16
"""The most packets that are read; who writes more hides something."""

_MAIN: Final = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENSION: Final = b"http://ns.adobe.com/xmp/extension/\0"
_GUID, _HEAD = (
    32,
    40,
)  # an extension's segment begins with whose it is, then the whole length and its offset, 4 bytes each
_GIF: Final = b"XMP DataXMP"
_GIF_END: Final = b"\x01\xff\xfe\xfd"
_PNG_TEXTS: Final = frozenset({b"iTXt", b"tEXt", b"zTXt"})
_PNG_NAME: Final = "XML:com.adobe.xmp"
_PNG_PROFILE: Final = "Raw profile type xmp"


def xmp_packets(picture: ImageFile.ImageFile, content: bytes) -> list[bytes]:
    """The XMP packets of an opened picture, whose file is `content`.

    Raises:
        ValueError: there are more than can be read, or one is cut short.
    """
    packets = list(dict.fromkeys(_packets(picture, content)))
    if len(packets) > MOST:
        raise ValueError(f"{len(packets)} packets")
    return packets


def _packets(picture: ImageFile.ImageFile, content: bytes) -> Iterator[bytes]:
    for found in (picture.info.get("xmp"), picture.info.get(_PNG_NAME)):
        if found:
            yield _bytes(found)
    yield from _jpeg(getattr(picture, "applist", ()))
    if picture.format == "PNG":
        if sum(_is_packet(kind, text) for kind, text in _png_texts(content)) > 1:
            raise ValueError("a PNG with several packets")
        if profile := picture.info.get(_PNG_PROFILE):
            yield bytes.fromhex("".join(_bytes(profile).decode("ascii").split()[2:]))
    elif picture.format == "GIF" and (begin := content.find(_GIF)) >= 0:
        yield content[begin + len(_GIF) : content.index(_GIF_END, begin)]


def _jpeg(segments: Any) -> Iterator[bytes]:
    """The packet of each segment, and each that several segments hold together, in the order of their offsets."""
    pieces: dict[bytes, list[tuple[bytes, bytes]]] = {}
    for marker, text in segments:
        if marker == "APP1" and text.startswith(_MAIN):
            yield text[len(_MAIN) :]
        elif marker == "APP1" and text.startswith(_EXTENSION):
            piece = text[len(_EXTENSION) :]
            pieces.setdefault(piece[:_GUID], []).append((piece[_GUID + 4 : _HEAD], piece[_HEAD:]))
    for each in pieces.values():
        yield b"".join(text for _, text in sorted(each))


def _png_texts(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The type and the first bytes of each chunk (ISO 15948, section 5.3)."""
    place = 8
    while place + 8 <= len(content):
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + len(_PNG_NAME) + 1]
        place += 12 + int.from_bytes(content[place : place + 4], "big")


def _is_packet(kind: bytes, text: bytes) -> bool:
    return kind in _PNG_TEXTS and text == _PNG_NAME.encode() + b"\0"


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)
