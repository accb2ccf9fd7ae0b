"""What pipelines make beside pictures: clips and sounds. Both are whole numbers, so that a digest means the same everywhere.

A picture, each frame of a clip and each sample of a sound is rounded once, when the pipeline hands it over; from then on what
is inspected, held, marked and released is exactly that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from governance.canonical import Digest, digest
from governance.errors import MarkError
from governance.pixels import require_pixels

MAX_FRAMES: Final = 100_000
"""Frames of one clip: more is refused, whatever policy says."""
MAX_FRAME_RATE: Final = 1_000_000
"""Thousandths of frames a second: a thousand frames a second."""
_ROUNDED: Final = frozenset({1, 9})
"""Last digits of rates that lie one thousandth beside a rounder one."""
MAX_CHANNELS: Final = 32
MAX_SAMPLE_RATE: Final = 768_000


def can_be_written(frame_rate: int) -> bool:
    """Whether files can keep a rate in thousandths of frames a second: writers of MP4 take 8.001 for 8, as OpenCV does.

    So a rate that ends in 1 or 9 thousandths is none; those that film and television use all are.
    """
    return 1 <= frame_rate <= MAX_FRAME_RATE and frame_rate % 10 not in _ROUNDED


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A video without sound: `frames` of shape (T, H, W, 3), dtype uint8, RGB, sRGB values 0..255, T at least 1.

    `frame_rate` is in thousandths of frames a second: 8,000 is eight frames a second.
    """

    frames: NDArray[np.uint8]
    frame_rate: int

    @property
    def milliseconds(self) -> int:
        """How long it lasts, rounded down."""
        return len(self.frames) * 1_000_000 // self.frame_rate


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A sound: `samples` of shape (channels, N), dtype int16, linear PCM, N at least 1.

    `sample_rate` is in samples a second of one channel (Hz).
    """

    samples: NDArray[np.int16]
    sample_rate: int

    @property
    def milliseconds(self) -> int:
        """How long it lasts, rounded down."""
        return int(self.samples.shape[1]) * 1000 // self.sample_rate


UNCHECKED_UNMARKED: Final = "unchecked, unmarked"
"""What the file and the manifest of a sound say of it: no detector heard it, and it carries no mark."""

Media: TypeAlias = NDArray[np.uint8] | Clip | Sound
"""What one item of a call is: a picture (`governance.types.Pixels`), a clip or a sound."""


def form_of(media: Media) -> str:
    """Its shape and, of a clip or a sound, its rate: `8x256x256x3@8000`."""
    if isinstance(media, Sound):
        shape, rate = media.samples.shape, f"@{media.sample_rate}"
    elif isinstance(media, Clip):
        shape, rate = media.frames.shape, f"@{media.frame_rate}"
    else:
        shape, rate = media.shape, ""
    return "x".join(map(str, shape)) + rate


def media_digest(media: Media) -> Digest:
    """SHA-256 over the shape, the rate and the bytes of what was generated.

    A picture is written as `<height>x<width>x3`, a line feed and its RGB bytes, row by row; a clip as
    `<frames>x<height>x<width>x3@<thousandths of frames a second>`, a line feed and the frames; a sound as
    `<channels>x<samples>@<Hz>`, a line feed and its samples, channel by channel, 16 bits, the low byte first.
    """
    if isinstance(media, Sound):
        content = media.samples.astype("<i2").tobytes()
    else:
        content = media.frames.tobytes() if isinstance(media, Clip) else media.tobytes()
    return digest(f"{form_of(media)}\n".encode() + content)


def frames_of(media: Media) -> Sequence[NDArray[np.uint8]]:
    """The pictures in it: of a picture itself, of a clip its frames in order, of a sound none."""
    if isinstance(media, Clip):
        return tuple(media.frames)
    return () if isinstance(media, Sound) else (media,)


def frozen(media: object) -> Media:
    """A private copy that nobody can change between its check and its release.

    Raises:
        MarkError: it is no picture, clip or sound, or has none of what it should have.
    """
    if isinstance(media, Clip):
        return Clip(_unwritable(_frames(media)), media.frame_rate)
    if isinstance(media, Sound):
        return Sound(_unwritable(_samples(media)), media.sample_rate)
    return _unwritable(require_pixels(media))


def _unwritable(values: NDArray[Any]) -> NDArray[Any]:
    copy = np.array(values, order="C", copy=True, subok=False)
    copy.flags.writeable = False
    return copy


def _frames(clip: Clip) -> NDArray[np.uint8]:
    frames, rate = clip.frames, clip.frame_rate
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
        raise MarkError(f"A clip is a (T, H, W, 3) uint8 RGB array, not {_kind(frames)}.", remedy="Convert it first.")
    if 0 in frames.shape or len(frames) > MAX_FRAMES or type(rate) is not int or not 1 <= rate <= MAX_FRAME_RATE:
        raise MarkError(
            f"A clip has 1 to {MAX_FRAMES} frames at 0.001 to {MAX_FRAME_RATE // 1000} a second.",
            remedy="Ask for a clip within these limits.",
        )
    return frames


def _samples(sound: Sound) -> NDArray[np.int16]:
    samples, rate = sound.samples, sound.sample_rate
    if not isinstance(samples, np.ndarray) or samples.dtype != np.int16 or samples.ndim != 2:
        raise MarkError(f"A sound is a (channels, N) int16 array, not {_kind(samples)}.", remedy="Convert it first.")
    within = 1 <= samples.shape[0] <= MAX_CHANNELS and samples.shape[1] and type(rate) is int
    if not within or not 1 <= rate <= MAX_SAMPLE_RATE:
        raise MarkError(
            f"A sound has 1 to {MAX_CHANNELS} channels at 1 to {MAX_SAMPLE_RATE} samples a second, and not none of them.",
            remedy="Ask for a sound within these limits.",
        )
    return samples


def _kind(value: object) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
