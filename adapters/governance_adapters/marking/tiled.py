"""The default watermark: a keyed spread-spectrum tile of 128 px in luma, repeated over the picture.

What it survives is measured in `tests/integration/test_tiled_robustness.py`: re-encoding, cropping to 90 % and scaling.
What it does not: rotation by more than a fraction of a degree, mirroring, arbitrary anisotropic scaling, and an
attacker who holds many pictures marked with one key and averages them. It is an index into records, not a proof.

An unmarked picture yields at most 32 candidates (2 scales with 16 each), so with the 24-bit keyed check of
`governance.watermark` one picture in half a million would carry a number that passes; such a number still has to be one
that was issued, and the picture has to look like that record's (`governance.attribution`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from governance.pixels import require_pixels
from governance.types import Pixels
from governance.watermark import MarkKey, require_payload
from governance_adapters.marking.limits import STRENGTHS, fits, require_markable, require_strength, require_strengths
from governance_adapters.marking.spread import TILE, Floats, Reading, SpreadPattern

ALGORITHM: Final = "org.diffusion-governance.tiled.1"
PAYLOAD_BITS: Final = 64

# Amplitude of the mark in levels of luma, as a function of the local standard deviation: a little everywhere, more in
# texture that hides it, and more again where the picture is drawn flat, because there JPEG rounds a weak mark away.
_FLOOR: Final = 0.8
_TEXTURE: Final = 0.14
_FLAT: Final = 1.2
_FLAT_DECAY: Final = 0.7
_CEILING: Final = 5.0
_WINDOW: Final = (7, 7)
_HEADROOM: Final = 0.6
"""How far, in amplitudes, saturated channels are pulled back so that clipping does not swallow the mark."""

_STRONG_PEAK: Final = 7.5
_WEAK_PEAK: Final = 4.4
_SCALES: Final = (2.0, 4 / 3, 1.25, 1.5, 10 / 9, 1 / 1.1, 0.8, 0.75, 2 / 3, 0.5)
_USUAL_SIDES: Final = (256, 384, 512, 640, 768, 832, 896, 1024, 1152, 1216, 1280, 1344, 1536, 2048)
_SCALE_RANGE: Final = (0.4, 2.6)
_SAME_SCALE: Final = 0.002
_MAX_SIDE: Final = 2048
_MAX_SEARCH_SIDE: Final = 768
_KEPT_READINGS: Final = 2


class TiledWatermarker:
    """Port `Watermarker`: 64 bits in pictures of at least 256 x 256 px, photographs and flat art.

    `strengths` multiply the amplitude, weakest first. Safe to share between threads.

    Raises:
        ConfigurationError: strengths that do not rise from above zero.
    """

    algorithm = ALGORITHM
    payload_bits = PAYLOAD_BITS

    def __init__(self, key: MarkKey, strengths: tuple[float, ...] = STRENGTHS) -> None:
        self.strengths = require_strengths(strengths)
        self._pattern = SpreadPattern(key)

    def fits(self, height: int, width: int) -> bool:
        """Whether both sides have at least 256 px."""
        return fits(height, width)

    def embed(self, pixels: Pixels, payload: int, strength: float) -> Pixels:
        """`pixels` with `payload` in their luma; all three channels of a pixel move by the same number of levels.

        Raises:
            ImageTooSmallError: a side has fewer than 256 px.
            MarkError: not pixels, not a payload, or a strength that is not above zero.
        """
        image = require_markable(pixels)
        require_strength(strength)
        height, width = image.shape[:2]
        tile = self._pattern.tile(require_payload(payload, PAYLOAD_BITS))
        amplitude = _amplitude(_luma(image)) * np.float32(strength)
        mark = np.tile(tile, (-(-height // TILE), -(-width // TILE)))[:height, :width] * amplitude
        return _add(image, mark, amplitude)

    def extract(self, pixels: Pixels) -> Sequence[int]:
        """At most 32 candidate payloads, best first. Unverified: `MarkKey.id_of` decides.

        A clear synchronisation peak at the picture's own scale ends the search; otherwise usual scales are tried.

        Raises:
            MarkError: not pixels.
        """
        luma = _luma(require_pixels(pixels))
        reading = self._pattern.read(_fold(_centre(luma, _MAX_SIDE)))
        if reading.peak >= _STRONG_PEAK:
            return reading.candidates
        readings = [reading]
        for scaled in _rescaled(luma):
            reading = self._pattern.read(_fold(scaled))
            if reading.peak >= _STRONG_PEAK:
                return reading.candidates
            readings.append(reading)
        readings.sort(key=_by_peak, reverse=True)
        found = [r for r in readings[:_KEPT_READINGS] if r.peak >= _WEAK_PEAK]
        return tuple(candidate for r in found for candidate in r.candidates)


def _by_peak(reading: Reading) -> float:
    return reading.peak


def _luma(image: Pixels) -> Pixels:
    """BT.601 luma, the one that JPEG keeps."""
    return cast("Pixels", cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def _amplitude(luma: Pixels) -> Floats:
    values = luma.astype(np.float32)
    mean = cv2.blur(values, _WINDOW)
    variance = cv2.blur(values * values, _WINDOW) - mean * mean
    # Blurred once more, so that the mark does not swell into a halo along hard edges.
    deviation = cv2.blur(np.sqrt(np.maximum(variance, 0)), _WINDOW)
    amplitude = _FLOOR + _TEXTURE * deviation + _FLAT * np.exp(deviation * np.float32(-1 / _FLAT_DECAY))
    return cast("Floats", np.minimum(amplitude, _CEILING).astype(np.float32))


def _add(image: Pixels, mark: Floats, amplitude: Floats) -> Pixels:
    """`image + mark`, after its channels were pulled into [room, 255 - room]."""
    room = np.minimum(np.rint(amplitude * _HEADROOM), 127).astype(np.uint8)
    bottom = cv2.merge([room] * 3)
    within = cv2.min(cv2.max(image, bottom), cv2.bitwise_not(bottom))
    step = np.rint(mark).astype(np.int16)
    return cast("Pixels", cv2.add(within, cv2.merge([step] * 3), dtype=cv2.CV_8U))


def _fold(luma: Pixels) -> Floats:
    """What could be the mark, levelled and summed over all tiles: (128, 128), unit weight per pixel."""
    values = luma.astype(np.float32)
    detail = values - cv2.GaussianBlur(values, (0, 0), 3.0)
    deviation = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 3.0)) + np.float32(1.5)
    # Edges are limited, not left out: the mark is strongest beside them.
    levelled = np.clip(detail / deviation, -2, 2)
    height, width = levelled.shape
    tall, wide = -(-height // TILE), -(-width // TILE)
    padded = np.zeros((tall * TILE, wide * TILE), dtype=np.float32)
    padded[:height, :width] = levelled
    folded = padded.reshape(tall, TILE, wide, TILE).sum(axis=(0, 2))
    weight = np.outer(_cover(height), _cover(width))
    return cast("Floats", (folded / np.sqrt(np.maximum(weight, 1))).astype(np.float32))


def _cover(length: int) -> NDArray[np.float32]:
    """How many pixels along one side fall onto each position of the tile."""
    return np.bincount(np.arange(length) % TILE, minlength=TILE).astype(np.float32)


def _centre(image: Pixels, side: int) -> Pixels:
    height, width = image.shape
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    return image[top : top + side, left : left + side]


def _rescaled(luma: Pixels) -> Iterator[Pixels]:
    """`luma` at other scales; large pictures only with their centre, which bounds the time of the search."""
    for scale in _scales(*luma.shape):
        part = _centre(luma, int(_MAX_SEARCH_SIDE / scale))
        size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
        if min(size) >= TILE:
            method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
            yield cast("Pixels", cv2.resize(part, size, interpolation=method))


def _scales(height: int, width: int) -> list[float]:
    """Scales worth trying: those that lead back to sides that pipelines generate, and those people usually pick."""
    guesses = [side / length for side in _USUAL_SIDES for length in (width, height)]
    scales: list[float] = []
    for scale in (*_SCALES, *sorted(guesses, key=lambda guess: abs(np.log(guess)))):
        known = (1.0, *scales)
        if _SCALE_RANGE[0] <= scale <= _SCALE_RANGE[1] and all(abs(scale / k - 1) > _SAME_SCALE for k in known):
            scales.append(scale)
    return scales
