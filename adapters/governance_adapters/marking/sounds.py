"""Port `SoundEncoder`: WAV, linear PCM of 16 bits, by the standard library."""

from __future__ import annotations

import io
import wave
from typing import Final

import numpy as np

from governance.errors import MarkError
from governance.media import MAX_CHANNELS, MAX_SAMPLE_RATE, Sound, frozen
from governance_adapters.marking.containers import WAV
from governance_adapters.marking.riff import is_wav, riff_chunks

MAX_BYTES: Final = 2**31 - 2**20
"""The most bytes of samples: WAV counts in 32 bits, and the manifest needs room too."""

_BYTES: Final = 2


class WaveEncoder:
    """Encodes sounds to WAV, sample by sample as they are; decodes WAV of 16 bits. Safe to share between threads."""

    media_types: tuple[str, ...] = (WAV,)

    def reads(self, content: bytes) -> bool:
        """Whether a file begins like a WAV file."""
        return is_wav(content)

    def encode(self, sound: Sound, media_type: str) -> bytes:
        """`sound` as a WAV file.

        Raises:
            MarkError: another media type, no sound, or more than 2 GiB of it.
        """
        if media_type != WAV:
            raise MarkError(f"`{media_type}` cannot be written.", remedy=f"Ask for {WAV}.")
        whole = frozen(sound)
        if not isinstance(whole, Sound):
            raise MarkError("This is no sound.", remedy="Pass a governance.media.Sound.")
        if whole.samples.nbytes > MAX_BYTES:
            raise MarkError("The sound is too long for a WAV file.", remedy="Ask for a shorter one.")
        file = io.BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setnchannels(whole.samples.shape[0])
            writer.setsampwidth(_BYTES)
            writer.setframerate(whole.sample_rate)
            writer.writeframes(whole.samples.T.astype("<i2").tobytes())
        return file.getvalue()

    def decode(self, content: bytes) -> Sound:
        """The sound in a WAV file of 16-bit samples.

        Raises:
            MarkError: the bytes are no such file, or are cut short.
        """
        riff_chunks(content)  # refuses what is cut short
        try:
            with wave.open(io.BytesIO(content), "rb") as reader:
                channels, width, rate = reader.getnchannels(), reader.getsampwidth(), reader.getframerate()
                raw = reader.readframes(reader.getnframes())
        except (wave.Error, EOFError) as error:
            raise _unreadable(str(error) or "it ends early") from error
        if width != _BYTES or not 1 <= channels <= MAX_CHANNELS or not 1 <= rate <= MAX_SAMPLE_RATE:
            raise _unreadable(f"it has {channels} channels of {8 * width} bits at {rate} Hz")
        samples = np.frombuffer(raw, "<i2")
        if not len(samples) or len(samples) % channels:
            raise _unreadable("samples are missing")
        return Sound(np.ascontiguousarray(samples.reshape(-1, channels).T.astype(np.int16)), rate)


def _unreadable(why: str) -> MarkError:
    return MarkError(f"These bytes are not a readable WAV file: {why}.", remedy="Pass a complete WAV file of 16 bits.")
