"""Where files keep metadata: taken apart and put together again without a look at what they show.

PNG (W3C, third edition) is chunks with a CRC each; JPEG (ITU-T T.81) segments up to the first scan; WebP (RFC 9649) a
RIFF of chunks, of which `VP8X` says what else there is. MP4 is `governance_adapters.marking.boxes`, WAV
`governance_adapters.marking.riff`. Every byte that is not asked about stays as it was.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from governance.errors import MarkError
from governance_adapters.marking.boxes import is_mp4, mp4_packets, mp4_with
from governance_adapters.marking.riff import is_wav, riff_chunks, riff_file, wav_packets, wav_with

MP4: Final = "video/mp4"
WAV: Final = "audio/wav"
PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD: Final = b"XML:com.adobe.xmp"
XMP_HEADER: Final = b"http://ns.adobe.com/xap/1.0/\0"
MAX_PACKET: Final = 1 << 20
"""The most bytes of one packet or text, also when it comes compressed."""
MAX_SEGMENT: Final = 0xFFFF - 2
"""The most bytes that one JPEG segment carries."""

_XMP_FLAG: Final = 0x04
_ALPHA_FLAG: Final = 0x10
_VP8_START: Final = b"\x9d\x01\x2a"
_NO_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})


def media_type_of(content: bytes) -> str:
    """The media type by the first bytes.

    Raises:
        MarkError: it is none of PNG, JPEG, WebP, MP4 and WAV.
    """
    if content.startswith(PNG_SIGNATURE):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if is_mp4(content):
        return MP4
    if is_wav(content):
        return WAV
    raise MarkError(
        "These bytes are no PNG, JPEG, WebP, MP4 or WAV file.", remedy="Pass a complete file in one of these formats."
    )


def packets(content: bytes) -> list[bytes]:
    """The XMP packets of a file: none or one, more where somebody added to it.

    Raises:
        MarkError: the file's structure is broken, or a packet is larger than 1 MiB.
    """
    kind = media_type_of(content)
    if kind == "image/png":
        found = [
            _international(data)
            for name, data in png_chunks(content)
            if name == b"iTXt" and _keyword(data) == XMP_KEYWORD
        ]
    elif kind == "image/jpeg":
        segments, _ = _jpeg(content)
        found = [_segment_packet(segment) for segment in segments if _is_xmp(segment)]
    elif kind in (MP4, WAV):
        found = mp4_packets(content) if kind == MP4 else wav_packets(content)
    else:
        found = [data for name, data in riff_chunks(content) if name == b"XMP "]
    if any(len(packet) > MAX_PACKET for packet in found):
        raise _broken(f"it carries an XMP packet of more than {MAX_PACKET} bytes")
    return found


def texts(content: bytes) -> list[tuple[str, str]]:
    """Key and text of each `tEXt` chunk of a PNG file; of any other file none.

    Raises:
        MarkError: the file's structure is broken.
    """
    if media_type_of(content) != "image/png":
        return []
    pairs = (data.partition(b"\0") for name, data in png_chunks(content) if name == b"tEXt")
    return [(key.decode("latin-1"), text.decode("latin-1")) for key, _, text in pairs]


def with_packet(content: bytes, packet: bytes, png_texts: dict[str, str]) -> bytes:
    """The file with `packet` as its only XMP packet and, if it is a PNG, with `png_texts` as text chunks.

    Raises:
        MarkError: the file's structure is broken, or a packet does not fit.
    """
    kind = media_type_of(content)
    if kind == "image/png":
        return _png_with(content, packet, png_texts)
    if kind in (MP4, WAV):
        return mp4_with(content, packet) if kind == MP4 else wav_with(content, packet)
    return _jpeg_with(content, packet) if kind == "image/jpeg" else _webp_with(content, packet)


def png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk of a PNG file, in order.

    Raises:
        MarkError: a chunk is cut short, or its checksum does not match.
    """
    position, name = len(PNG_SIGNATURE), b""
    while name != b"IEND":
        length = int.from_bytes(content[position : position + 4])
        end = position + 12 + length
        name, data = content[position + 4 : position + 8], content[position + 8 : end - 4]
        if end > len(content) or len(name) < 4:
            raise _broken("a chunk is cut short")
        if zlib.crc32(name + data) != int.from_bytes(content[end - 4 : end]):
            raise _broken(f"the checksum of its chunk {name!r} does not match")
        yield name, data
        position = end


def _png_with(content: bytes, packet: bytes, png_texts: dict[str, str]) -> bytes:
    chunks = [
        (name, data)
        for name, data in png_chunks(content)
        if not (name == b"iTXt" and _keyword(data) == XMP_KEYWORD)
        and not (name == b"tEXt" and _keyword(data).decode("latin-1") in png_texts)
    ]
    new = [(b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + packet)]
    new += [(b"tEXt", key.encode("latin-1") + b"\0" + text.encode("latin-1")) for key, text in png_texts.items()]
    pixels = next((place for place, (name, _) in enumerate(chunks) if name == b"IDAT"), None)
    if pixels is None:
        raise _broken("it has no pixels")
    whole = (*chunks[:pixels], *new, *chunks[pixels:])
    return PNG_SIGNATURE + b"".join(png_chunk(*chunk) for chunk in whole)


def png_chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file, with its length and its checksum."""
    return len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)


def _keyword(data: bytes) -> bytes:
    return data.partition(b"\0")[0]


def _international(data: bytes) -> bytes:
    """The text of an `iTXt` chunk: keyword, compression flag and method, language, translated keyword, text."""
    fields = data[len(XMP_KEYWORD) + 1 :]
    rest = fields[2:].split(b"\0", 2)
    if len(rest) < 3 or fields[0] > 1:
        raise _broken("its XMP chunk is cut short")
    if not fields[0]:
        return rest[2]
    try:
        return zlib.decompressobj().decompress(rest[2], MAX_PACKET + 1)
    except zlib.error as error:
        raise _broken("its XMP chunk cannot be unpacked") from error


def _jpeg(content: bytes) -> tuple[list[bytes], bytes]:
    """The segments up to the first scan, each with its marker, and everything from there."""
    segments: list[bytes] = []
    position = 2
    while True:
        marker = content[position : position + 2]
        if len(marker) < 2 or marker[0] != 0xFF:
            raise _broken("a segment is cut short")
        if marker == b"\xff\xff":  # fill bytes may stand before a marker
            position += 1
        elif marker[1] in {0xDA, 0xD9}:
            return segments, content[position:]
        elif marker[1] in _NO_LENGTH:
            raise _broken("a marker stands where none may stand")
        else:
            length = int.from_bytes(content[position + 2 : position + 4])
            end = position + 2 + length
            if length < 2 or end > len(content):
                raise _broken("a segment is cut short")
            segments.append(content[position:end])
            position = end


def _is_xmp(segment: bytes) -> bool:
    return segment[1] == 0xE1 and segment.startswith(XMP_HEADER, 4)


def _segment_packet(segment: bytes) -> bytes:
    return segment[4 + len(XMP_HEADER) :]


def _jpeg_with(content: bytes, packet: bytes) -> bytes:
    payload = XMP_HEADER + packet
    if len(payload) > MAX_SEGMENT:
        raise MarkError(
            f"The metadata take {len(packet)} bytes; a JPEG file carries {MAX_SEGMENT - len(XMP_HEADER)}.",
            remedy="Shorten the text, or let policy oblige PNG or WebP.",
        )
    segments, rest = _jpeg(content)
    kept = [segment for segment in segments if not _is_xmp(segment)]
    # JFIF and Exif want to stand first.
    first = next((place for place, segment in enumerate(kept) if segment[1] not in {0xE0, 0xE1}), len(kept))
    new = b"\xff\xe1" + (len(payload) + 2).to_bytes(2) + payload
    return b"\xff\xd8" + b"".join((*kept[:first], new, *kept[first:])) + rest


def _webp_with(content: bytes, packet: bytes) -> bytes:
    chunks = [(name, data) for name, data in riff_chunks(content) if name != b"XMP "]
    if not chunks:
        raise _broken("it has no pixels")
    has_header = chunks[0][0] == b"VP8X" and len(chunks[0][1]) == 10
    header = chunks.pop(0)[1] if has_header else _extended_header(*chunks[0])
    extended = (b"VP8X", bytes([header[0] | _XMP_FLAG]) + header[1:])
    return riff_file(b"WEBP", (extended, *chunks, (b"XMP ", packet)))


def _extended_header(name: bytes, data: bytes) -> bytes:
    """The `VP8X` chunk for a simple file: flags, three reserved bytes, width - 1 and height - 1 of three bytes each."""
    if name == b"VP8 " and data[3:6] == _VP8_START and len(data) >= 10:
        flags, sides = 0, [int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (6, 8)]
    elif name == b"VP8L" and data[:1] == b"\x2f" and len(data) >= 5:
        packed = int.from_bytes(data[1:5], "little")
        flags, sides = _ALPHA_FLAG * (packed >> 28 & 1), [(packed >> at & 0x3FFF) + 1 for at in (0, 14)]
    else:
        raise _broken("it has no pixels")
    if not all(sides):
        raise _broken("a side has no pixels")
    return bytes([flags, 0, 0, 0]) + b"".join((side - 1).to_bytes(3, "little") for side in sides)


def _broken(what: str) -> MarkError:
    return MarkError(f"The file is broken: {what}.", remedy="Pass a complete PNG, JPEG or WebP file.")
