"""Clips as animated PNG (W3C PNG, third edition, section "Animation information"): every value of every frame comes back.

What waits for people is kept so: it is lossless, any browser shows it moving, and it is made without a file on disk. The
rate stands in a text chunk in thousandths of frames a second, because the delay of a frame is a fraction of two 16-bit
numbers and cannot say all of them; only files with that chunk are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import numpy as np

from governance.errors import MarkError
from governance.media import MAX_FRAME_RATE, MAX_FRAMES, Clip
from governance.types import Pixels
from governance_adapters.marking.containers import PNG_SIGNATURE, png_chunk, png_chunks
from governance_adapters.marking.encoding import PNG, ImageEncoder

APNG: Final = "image/apng"

_RATE_KEY: Final = b"frame-rate\0"
_HEADER: Final = 33
"""Signature and `IHDR` chunk: the rate stands right behind them."""
_TICKS: Final = 60_000
_NUMBER: Final = 4
_MOST_DIGITS: Final = len(str(MAX_FRAME_RATE))


def is_ours(content: bytes) -> bool:
    """Whether a file begins like one of these."""
    return content.startswith(PNG_SIGNATURE) and content[_HEADER + 4 :].startswith(b"tEXt" + _RATE_KEY)


def write(clip: Clip, images: ImageEncoder) -> bytes:
    """`clip` as one file.

    Raises:
        MarkError: a frame cannot be encoded.
    """
    chunks: list[bytes] = []
    sequence = 0
    height, width = clip.frames.shape[1:3]
    for place, frame in enumerate(clip.frames):
        parts = list(png_chunks(images.encode(frame, PNG)))
        if not place:
            chunks += [png_chunk(b"IHDR", parts[0][1]), png_chunk(b"tEXt", _RATE_KEY + str(clip.frame_rate).encode())]
            chunks.append(png_chunk(b"acTL", len(clip.frames).to_bytes(4) + bytes(4)))
        chunks.append(png_chunk(b"fcTL", _control(sequence, width, height, clip.frame_rate)))
        sequence += 1
        for data in (data for name, data in parts if name == b"IDAT"):
            if place:
                chunks.append(png_chunk(b"fdAT", sequence.to_bytes(_NUMBER) + data))
                sequence += 1
            else:
                chunks.append(png_chunk(b"IDAT", data))
    return PNG_SIGNATURE + b"".join((*chunks, png_chunk(b"IEND", b"")))


def read(content: bytes, images: ImageEncoder, max_values: int) -> Clip:
    """What `write` made.

    Raises:
        MarkError: the bytes are no such file, are cut short, or hold more than `max_values` values of colour.
    """
    chunks = list(png_chunks(content)) if is_ours(content) else []
    digits = chunks[1][1][len(_RATE_KEY) :] if len(chunks) > 3 and chunks[2][0] == b"acTL" else b""
    if not digits.isdigit() or len(digits) > _MOST_DIGITS:
        raise _unreadable("it is none of ours")
    header, rate, count = chunks[0][1], int(digits), int.from_bytes(chunks[2][1][:4])
    width, height = (int.from_bytes(header[at : at + 4]) for at in (0, 4))
    if not 1 <= rate <= MAX_FRAME_RATE or not 1 <= count <= MAX_FRAMES or width * height * 3 * count > max_values:
        raise _unreadable("it is larger than the limit, or has an impossible rate")
    packed = list(islice(_frames_data(chunks[3:]), count + 1))
    if len(packed) != count:  # before any is unpacked: a small file may hold as many as it likes
        raise _unreadable("it has other frames than it says")
    frames = np.empty((count, height, width, 3), np.uint8)
    for place, data in enumerate(packed):
        frames[place] = _frame(header, data, images)
    return Clip(frames, rate)


def _control(sequence: int, width: int, height: int, rate: int) -> bytes:
    """How long a frame stays: the nearest that 16 bits can say, for players."""
    numbers = b"".join(number.to_bytes(_NUMBER) for number in (sequence, width, height, 0, 0))
    delay, unit = (1000, rate) if rate <= _TICKS else (1, max(1, rate // 1000))
    return numbers + delay.to_bytes(2) + unit.to_bytes(2) + bytes(2)


def _frames_data(chunks: list[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """The compressed values of each frame."""
    data: list[bytes] = []
    for name, content in chunks:
        if name in (b"fcTL", b"IEND"):
            if data:
                yield b"".join(data)
            data = []
        elif name in (b"IDAT", b"fdAT"):
            data.append(content if name == b"IDAT" else content[_NUMBER:])


def _frame(header: bytes, data: bytes, images: ImageEncoder) -> Pixels:
    whole = (png_chunk(b"IHDR", header), png_chunk(b"IDAT", data), png_chunk(b"IEND", b""))
    return images.decode(PNG_SIGNATURE + b"".join(whole))


def _unreadable(why: str) -> MarkError:
    return MarkError(f"The held clip cannot be read: {why}.", remedy="Restore the quarantine from a backup.")
