"""RIFF files as their chunks; and where WAV files, which are such, keep XMP: the chunk `_PMX` (XMP specification, part 3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from governance.errors import MarkError

_XMP: Final = b"_PMX"
_LONGEST: Final = 2**32 - 1


def is_wav(content: bytes) -> bool:
    """Whether a file begins like a WAV file."""
    return content[:4] == b"RIFF" and content[8:12] == b"WAVE"


def riff_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """Name and content of each chunk of a whole WAV or WebP file, in order.

    A file may leave out the byte that fills it up to an even length; nothing else may lie behind what it names.

    Raises:
        MarkError: it is no RIFF file, or is cut short.
    """
    end = 8 + int.from_bytes(content[4:8], "little")
    if content[:4] != b"RIFF" or len(content) not in {end, end + end % 2}:
        raise _broken("its length is not the one that it names")
    chunks, place = [], 12
    while place < end:
        length = int.from_bytes(content[place + 4 : place + 8], "little")
        stop = place + 8 + length
        if stop > end:
            raise _broken("a chunk is cut short")
        chunks.append((content[place : place + 4], content[place + 8 : stop]))
        place = stop + length % 2
    return chunks


def riff_file(form: bytes, chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A file of the form `WAVE` or `WEBP` of these chunks.

    Raises:
        MarkError: it becomes longer than a RIFF file can be.
    """
    body = b"".join(name + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2) for name, data in chunks)
    if len(body) + 4 > _LONGEST:
        raise _broken("with its metadata it would be longer than 4 GiB")
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + form + body


def wav_packets(content: bytes) -> list[bytes]:
    """The XMP packets of a WAV file.

    Raises:
        MarkError: the file's structure is broken.
    """
    return [data for name, data in riff_chunks(content) if name == _XMP]


def wav_with(content: bytes, packet: bytes) -> bytes:
    """The file with `packet` as its only XMP packet, behind its samples.

    Raises:
        MarkError: the file's structure is broken, or it becomes longer than a WAV file can be.
    """
    chunks = [(name, data) for name, data in riff_chunks(content) if name != _XMP]
    return riff_file(b"WAVE", (*chunks, (_XMP, packet)))


def _broken(what: str) -> MarkError:
    return MarkError(f"The file is no whole WAV or WebP file: {what}.", remedy="Pass a complete file.")
