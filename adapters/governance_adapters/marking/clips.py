"""Port `ClipEncoder`: VP9 in MP4 through OpenCV's FFmpeg, which is LGPL and free of GPL encoders; and animated PNG.

Chosen by measurement, 8 frames of 256 x 256 px of a photograph that moves, marked with the tiled watermark, one core:

| | ms | KB | frames that read back at the weakest strength | players |
|---|---|---|---|---|
| VP9: **chosen** | 260 | 58 | 8 of 8 | every browser, VLC, ffmpeg |
| MPEG-4 part 2 | 4 | 25 | 8 of 8 | few browsers |
| PNG in MP4, lossless | 160 | 980 | 8 of 8 | no browser |
| FFV1 in MP4, lossless | 55 | 728 | 8 of 8 | no browser |
| H.264, HEVC, AV1 | - | - | that build has no encoder for them | |

VP9 keeps luma at 40 dB there and halves the resolution of colour. Its settings cannot be changed through OpenCV
(`VIDEOWRITER_PROP_QUALITY` is refused, `OPENCV_FFMPEG_WRITER_OPTIONS` changes nothing), and need not be: also on flat
drawings, on gradients and on black every frame reads back, and of pure noise 7 in 8 at the weakest strength and all at the
next. The same frames give the same bytes. OpenCV writes no sound.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from governance.errors import MarkError
from governance.media import MAX_FRAME_RATE, MAX_FRAMES, Clip, can_be_written, frozen
from governance_adapters.marking import apng
from governance_adapters.marking.boxes import boxes, is_mp4
from governance_adapters.marking.containers import MP4
from governance_adapters.marking.encoding import ImageEncoder

MAX_VALUES: Final = 2**31
"""The most values of colour, frames x height x width x 3, that are decoded: 2 GiB."""

_VP9: Final = cv2.VideoWriter.fourcc(*"vp09")
_VP9_READ: Final = b"VP90"
"""What OpenCV says of VP9 when it reads."""


class VideoEncoder:
    """Encodes clips to MP4 (VP9), and losslessly to animated PNG; decodes both, and MP4 with whatever FFmpeg decodes.

    OpenCV wants files: while an MP4 is made or read it lies in a folder of its own in the system's temporary folder, open to
    this user alone. What is held for people never does. Safe to share between threads.
    """

    media_types: tuple[str, ...] = (MP4,)
    lossless = apng.APNG

    def __init__(self, max_values: int = MAX_VALUES) -> None:
        self._max_values = max_values
        self._images = ImageEncoder()

    def reads(self, content: bytes) -> bool:
        """Whether a file begins like an MP4 file, or like an animated PNG of ours."""
        return is_mp4(content) or apng.is_ours(content)

    def encode(self, clip: Clip, media_type: str) -> bytes:
        """`clip` as MP4: as many frames of the same size at the same rate; or, value by value, as animated PNG.

        Raises:
            MarkError: another media type, no clip, a side of an odd number of pixels or a rate that would be rounded (both
                MP4 only), or the build of OpenCV has no VP9.
        """
        if media_type not in (MP4, self.lossless):
            raise MarkError(f"`{media_type}` cannot be written.", remedy=f"Ask for {MP4} or {self.lossless}.")
        whole = frozen(clip)
        if not isinstance(whole, Clip):
            raise MarkError("This is no clip.", remedy="Pass a governance.media.Clip.")
        if media_type == self.lossless:
            return apng.write(whole, self._images)
        if whole.frames.shape[1] % 2 or whole.frames.shape[2] % 2:
            raise MarkError(
                f"A video of {whole.frames.shape[2]} x {whole.frames.shape[1]} px has no MP4: VP9 wants even sides.",
                remedy="Ask for a width and a height that are multiples of 2.",
            )
        if not can_be_written(whole.frame_rate):
            raise MarkError(
                f"{whole.frame_rate} thousandths of frames a second have no MP4: OpenCV writes the next rounder rate.",
                remedy="Choose a rate that does not end in 1 or 9 thousandths.",
            )
        try:
            return _written(whole)
        except (cv2.error, OSError) as error:
            raise MarkError(f"The video cannot be encoded: {error}.", remedy="Check disk and memory.") from error

    def decode(self, content: bytes) -> Clip:
        """The clip in an MP4 file, or in an animated PNG of ours.

        Raises:
            MarkError: the bytes are no such file, are cut short, or hold more values than the limit.
        """
        if apng.is_ours(content):
            return apng.read(content, self._images, self._max_values)
        boxes(content)  # refuses what is cut short
        try:
            with _file() as path:
                path.write_bytes(content)
                return self._decoded(path)
        except cv2.error as error:
            raise _unreadable("FFmpeg cannot decode it") from error
        except OSError as error:
            raise _unreadable(f"it cannot be laid down: {error}") from error

    def _decoded(self, path: Path) -> Clip:
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened():
                raise _unreadable("FFmpeg cannot open it")
            width, height, announced = (
                round(capture.get(name))
                for name in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_COUNT)
            )
            rate = round(capture.get(cv2.CAP_PROP_FPS) * 1000)
            most = min(MAX_FRAMES, self._max_values // max(1, width * height * 3))
            if not 1 <= rate <= MAX_FRAME_RATE or announced > most:
                raise _unreadable("it is larger than the limit, or has an impossible rate")
            exact = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little") == _VP9_READ
            frames = _frames(capture, max(1, announced), self._max_values)
        finally:
            capture.release()
        if not len(frames) or (exact and len(frames) != announced):
            raise _unreadable("frames are missing")
        return Clip(frames, rate)


@contextmanager
def _file() -> Iterator[Path]:
    """Where a clip may lie for a moment. `mkdtemp` makes the folder for this user alone.

    OpenCV can read from memory too, but lets go of what it reads from without Python's lock: that has crashed.
    """
    with tempfile.TemporaryDirectory(prefix="clip-") as folder:
        yield Path(folder) / "clip.mp4"


def _written(clip: Clip) -> bytes:
    height, width = clip.frames.shape[1:3]
    with _file() as path:
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, _VP9, clip.frame_rate / 1000, (width, height))
        try:
            if not writer.isOpened():
                raise MarkError(
                    "This build of OpenCV cannot write VP9 in MP4.",
                    remedy="Install `opencv-python-headless` from PyPI; its FFmpeg has libvpx.",
                )
            for frame in clip.frames:
                writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        finally:
            writer.release()
        return path.read_bytes()


def _frames(capture: Any, announced: int, max_values: int) -> NDArray[np.uint8]:
    """All frames, RGB, laid side by side as they come; more values than `max_values` make the file unreadable."""
    frames: NDArray[np.uint8] = np.empty((0, 0, 0, 3), np.uint8)
    count = most = 0
    while True:
        there, frame = capture.read()
        if not there:
            return frames[:count]
        if not count:
            most = min(MAX_FRAMES, max_values // max(1, frame.size))
            frames = np.empty((min(announced, most), *frame.shape[:2], 3), np.uint8)
        if count == most or frame.shape != frames.shape[1:]:
            raise _unreadable("it is larger than the limit, or its frames differ in size")
        if count == len(frames):  # what a file announces is often a guess
            frames.resize((min(most, count + count // 4 + 1), *frame.shape), refcheck=False)
        cv2.cvtColor(frame, cv2.COLOR_BGR2RGB, dst=frames[count])
        count += 1


def _unreadable(why: str) -> MarkError:
    return MarkError(f"These bytes are not a readable MP4 video: {why}.", remedy="Pass a complete MP4 file.")
