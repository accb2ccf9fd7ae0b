"""Contracts and fakes of what encodes clips and sounds, and clips and sounds to look at and listen to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from governance.errors import GovernanceError, MarkError
from governance.media import Clip, Sound, frozen
from governance.ports import ClipEncoder, SoundEncoder
from governance.testing.examples import example_picture
from governance.testing.expect import expect

FAKE_CLIP = b"FAKE-CLIP/1\n"
"""How a file of `FakeClipEncoder` begins."""
FAKE_SOUND = b"FAKE-SOUND/1\n"
"""How a file of `FakeSoundEncoder` begins."""

_NUMBER = 8


def example_clip(frames: int = 4, height: int = 64, width: int = 64, *, seed: int = 1, frame_rate: int = 8000) -> Clip:
    """A clip of a picture that moves: no two frames are the same."""
    wide = example_picture(height, width + frames, seed)
    return Clip(np.stack([wide[:, place : place + width] for place in range(frames)]), frame_rate)


def example_sound(channels: int = 2, samples: int = 4000, *, sample_rate: int = 16_000, seed: int = 1) -> Sound:
    """A chord, one tone for each channel; another for each seed."""
    times = np.arange(samples) / sample_rate
    tones = [np.sin(2 * np.pi * (220 + 20 * seed) * (channel + 1) * times) for channel in range(channels)]
    return Sound((np.stack(tones) * 12_000).astype(np.int16), sample_rate)


@dataclass(frozen=True, slots=True)
class FakeClipEncoder:
    """Writes the values as they are, behind a header; what follows them is ignored, so a file can carry a trailer.

    `losing`: so many of the first frames lose their lowest bits, and with them the fake watermark, except in the lossless
    format. `error`: what `encode` raises instead.
    """

    media_types: tuple[str, ...] = ("video/mp4",)
    lossless: str = "image/apng"
    losing: int = 0
    error: GovernanceError | None = None

    def reads(self, content: bytes) -> bool:
        """See ClipEncoder.reads."""
        return content.startswith(FAKE_CLIP)

    def encode(self, clip: Clip, media_type: str) -> bytes:
        """See ClipEncoder.encode."""
        if self.error is not None:
            raise self.error
        if media_type not in (*self.media_types, self.lossless):
            raise MarkError(f"{media_type} cannot be written.", remedy=f"Use one of {self.media_types}.")
        whole = frozen(clip)
        if not isinstance(whole, Clip):
            raise MarkError("This is no clip.", remedy="Pass a Clip.")
        frames = whole.frames.copy()
        if media_type != self.lossless:
            frames[: self.losing] &= 0xFE
        numbers = (*frames.shape[:3], whole.frame_rate)
        return FAKE_CLIP + b"".join(number.to_bytes(_NUMBER) for number in numbers) + frames.tobytes()

    def decode(self, content: bytes) -> Clip:
        """See ClipEncoder.decode."""
        if not self.reads(content):
            raise MarkError("These bytes are no fake clip.", remedy="Use FakeClipEncoder.encode.")
        count, height, width, rate = _numbers(content, len(FAKE_CLIP), 4)
        start = len(FAKE_CLIP) + 4 * _NUMBER
        values = content[start : start + count * height * width * 3]
        if not values or len(values) != count * height * width * 3 or not rate:
            raise MarkError("This fake clip is cut short.", remedy="Use FakeClipEncoder.encode.")
        return Clip(np.frombuffer(values, np.uint8).reshape(count, height, width, 3).copy(), rate)


@dataclass(frozen=True, slots=True)
class FakeSoundEncoder:
    """Writes the values as they are, behind a header; what follows them is ignored, so a file can carry a trailer.

    `error`: what `encode` raises instead.
    """

    media_types: tuple[str, ...] = ("audio/wav",)
    error: GovernanceError | None = None

    def reads(self, content: bytes) -> bool:
        """See SoundEncoder.reads."""
        return content.startswith(FAKE_SOUND)

    def encode(self, sound: Sound, media_type: str) -> bytes:
        """See SoundEncoder.encode."""
        if self.error is not None:
            raise self.error
        whole = frozen(sound)
        if media_type not in self.media_types or not isinstance(whole, Sound):
            raise MarkError(f"{media_type} cannot be written.", remedy=f"Use one of {self.media_types}.")
        numbers = (*whole.samples.shape, whole.sample_rate)
        return FAKE_SOUND + b"".join(number.to_bytes(_NUMBER) for number in numbers) + whole.samples.tobytes()

    def decode(self, content: bytes) -> Sound:
        """See SoundEncoder.decode."""
        if not self.reads(content):
            raise MarkError("These bytes are no fake sound.", remedy="Use FakeSoundEncoder.encode.")
        channels, samples, rate = _numbers(content, len(FAKE_SOUND), 3)
        start = len(FAKE_SOUND) + 3 * _NUMBER
        values = content[start : start + channels * samples * 2]
        if not values or len(values) != channels * samples * 2 or not rate:
            raise MarkError("This fake sound is cut short.", remedy="Use FakeSoundEncoder.encode.")
        return Sound(np.frombuffer(values, np.int16).reshape(channels, samples).copy(), rate)


def _numbers(content: bytes, start: int, count: int) -> list[int]:
    return [int.from_bytes(content[start + _NUMBER * each : start + _NUMBER * (each + 1)]) for each in range(count)]


def not_clips() -> tuple[Any, ...]:
    """What callers pass by mistake: a picture, floats, grey, no frames, no rate, nothing at all."""
    clip = example_clip()
    spoilt: tuple[Any, ...] = (clip.frames[0], clip.frames.astype(np.float32), clip.frames[..., 0], clip.frames[:0])
    return (*(Clip(frames, clip.frame_rate) for frames in spoilt), Clip(clip.frames, 0), clip.frames[0], None)


def not_sounds() -> tuple[Any, ...]:
    """What callers pass by mistake: floats, one channel without its axis, no samples, no rate, nothing at all."""
    sound = example_sound()
    spoilt: tuple[Any, ...] = (sound.samples.astype(np.float32), sound.samples[0], sound.samples[:, :0])
    return (*(Sound(samples, sound.sample_rate) for samples in spoilt), Sound(sound.samples, 0), sound.samples, None)


class ClipEncoderContract:
    """What every encoder of clips does. Subclasses say which one; pytest runs the `test_` methods."""

    def encoder(self) -> ClipEncoder:
        """The encoder."""
        raise NotImplementedError

    def test_its_lossless_format_keeps_every_value(self) -> None:
        encoder = self.encoder()
        still = Clip(np.repeat(example_picture(32, 48)[None], 3, axis=0), 29_970)
        for clip in (example_clip(5, 40, 24), example_clip(1, 7, 9, frame_rate=1), still):
            content = encoder.encode(clip, encoder.lossless)
            decoded = encoder.decode(content)
            assert encoder.reads(content)
            assert decoded.frames.dtype == np.uint8
            assert np.array_equal(decoded.frames, clip.frames)
            assert decoded.frame_rate == clip.frame_rate

    def test_every_format_it_names_keeps_frames_size_and_rate(self) -> None:
        encoder = self.encoder()
        assert encoder.media_types
        for media_type in encoder.media_types:
            assert media_type.startswith("video/")
            for rate in (8000, 23_976, 500):
                clip = example_clip(6, 64, 96, frame_rate=rate)
                content = encoder.encode(clip, media_type)
                decoded = encoder.decode(content)
                assert encoder.reads(content)
                assert decoded.frames.shape == clip.frames.shape
                assert decoded.frame_rate == rate
                assert np.abs(decoded.frames.astype(int) - clip.frames).mean() < 12

    def test_the_same_clip_gives_the_same_bytes(self) -> None:
        encoder = self.encoder()
        for media_type in (*encoder.media_types, encoder.lossless):
            one, other = (encoder.encode(example_clip(), media_type) for _ in range(2))
            assert one == other

    def test_another_format_is_refused(self) -> None:
        with expect(MarkError):
            self.encoder().encode(example_clip(), "video/x-unheard-of")

    def test_what_is_no_clip_is_refused(self) -> None:
        encoder = self.encoder()
        for wrong in not_clips():
            for media_type in (encoder.media_types[0], encoder.lossless):
                with expect(MarkError):
                    encoder.encode(wrong, media_type)

    def test_what_is_no_file_is_refused(self) -> None:
        encoder = self.encoder()
        for media_type in (encoder.media_types[0], encoder.lossless):
            whole = encoder.encode(example_clip(), media_type)
            for content in (b"", b"no clip", whole[:20], whole[: len(whole) // 2]):
                with expect(MarkError):
                    encoder.decode(content)


class SoundEncoderContract:
    """What every encoder of sounds does. Subclasses say which one; pytest runs the `test_` methods."""

    def encoder(self) -> SoundEncoder:
        """The encoder."""
        raise NotImplementedError

    def test_every_format_it_names_keeps_every_sample(self) -> None:
        encoder = self.encoder()
        assert encoder.media_types
        for media_type in encoder.media_types:
            assert media_type.startswith("audio/")
            for sound in (example_sound(), example_sound(1, 1), example_sound(6, 999, sample_rate=44_100)):
                content = encoder.encode(sound, media_type)
                decoded = encoder.decode(content)
                assert encoder.reads(content)
                assert decoded.samples.dtype == np.int16
                assert np.array_equal(decoded.samples, sound.samples)
                assert decoded.sample_rate == sound.sample_rate

    def test_another_format_is_refused(self) -> None:
        with expect(MarkError):
            self.encoder().encode(example_sound(), "audio/x-unheard-of")

    def test_what_is_no_sound_is_refused(self) -> None:
        encoder = self.encoder()
        for wrong in not_sounds():
            with expect(MarkError):
                encoder.encode(wrong, encoder.media_types[0])

    def test_what_is_no_file_is_refused(self) -> None:
        encoder = self.encoder()
        whole = encoder.encode(example_sound(), encoder.media_types[0])
        for content in (b"", b"no sound", whole[:20], whole[: len(whole) // 2]):
            with expect(MarkError):
                encoder.decode(content)
