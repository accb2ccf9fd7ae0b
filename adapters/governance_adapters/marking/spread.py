"""The keyed pattern of the tiled watermark: 64 bits as one 128 x 128 tile, and the way back.

The tile is made in the frequency domain. Its middle frequencies (0.04 to 0.25 cycles per pixel: above the slow shading
of pictures, below what JPEG discards first) offer some 3,000 real coefficients. The key shuffles them and gives each a
sign. Eight groups of 256 carry one byte each as one of 256 biorthogonal codewords (a Hadamard row, plain or negated);
what is left is the synchronisation pattern, the same in every tile of a key. All coefficients are equally strong.

Why bytes and not bits: a byte has the energy of eight bits behind it, which at equal visibility separates codewords
twice as far in amplitude as eight antipodal bits (Proakis, Digital Communications, chapter on biorthogonal signals).

Spread-spectrum marking: Cox, Kilian, Leighton and Shamoon, 1997. Tiling with a synchronisation pattern that survives
cropping: Honsinger and Rabbani, 2000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from governance.watermark import MarkKey

Floats = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

TILE: Final = 128
"""Side of the tile in pixels."""

_BAND: Final = (0.04, 0.25)
_SYMBOLS: Final = 8
_LENGTH: Final = 256
_CODEWORDS: Final = 128
_UNCERTAIN: Final = 4
_WHITENING: Final = 0.3
_LIMIT: Final = 2.5


@dataclass(frozen=True, slots=True)
class Reading:
    """One attempt to read a tile: the synchronisation peak in standard deviations, and candidates, best first."""

    peak: float
    candidates: tuple[int, ...]


class SpreadPattern:
    """The pattern of one key. Immutable after construction, so it may be shared between threads."""

    def __init__(self, key: MarkKey) -> None:
        rows = np.fft.fftfreq(TILE)[:, None]
        columns = np.fft.rfftfreq(TILE)[None, :]
        radius = np.hypot(rows, columns)
        # The column of frequency zero holds conjugate pairs; without it every coefficient is free.
        band = (radius > _BAND[0]) & (radius < _BAND[1]) & (columns > 0)
        self._band = np.flatnonzero(band)
        self._ramp = (2j * np.pi * rows.astype(np.float32), 2j * np.pi * columns.astype(np.float32))
        count = 2 * len(self._band)
        draws = np.frombuffer(key.derive("tiled.1/order", 8 * count), dtype="<u8")
        signs = np.frombuffer(key.derive("tiled.1/sign", count), dtype=np.uint8) & 1
        order = np.argsort(draws, kind="stable")
        self._signs: Floats = signs.astype(np.float32) * 2 - 1
        self._groups = order[: _SYMBOLS * _LENGTH].reshape(_SYMBOLS, _LENGTH)
        self._sync = order[_SYMBOLS * _LENGTH :]
        self._code = _hadamard(_LENGTH)[:_CODEWORDS]
        self._reference = np.conj(self._spectrum(self._sync_values()))

    def tile(self, payload: int) -> Floats:
        """The tile of a 64-bit payload: (128, 128) float32, zero mean, unit standard deviation, within +-2.5."""
        values = self._sync_values()
        for group, byte in zip(self._groups, payload.to_bytes(_SYMBOLS), strict=True):
            codeword = self._code[byte & 127]
            values[group] = (codeword if byte & 128 else -codeword) * self._signs[group]
        tile = np.fft.irfft2(self._spectrum(values), (TILE, TILE))
        limited = np.clip(tile / tile.std(), -_LIMIT, _LIMIT)
        return np.asarray(limited / limited.std(), dtype=np.float32)

    def read(self, folded: Floats) -> Reading:
        """Read a (128, 128) sum of tiles at any cyclic shift."""
        spectrum = np.fft.rfft2(folded).astype(np.complex64)
        size = np.abs(spectrum)
        level = float(size.ravel()[self._band].mean())
        if level <= 0.0:
            return Reading(0.0, ())
        # Equal say for every frequency: what is strong here is the picture, not the mark.
        spectrum /= size + np.float32(_WHITENING * level)
        match = np.fft.irfft2(spectrum * self._reference, (TILE, TILE))
        row, column = divmod(int(match.argmax()), TILE)
        peak = float((match.max() - match.mean()) / match.std())
        aligned = spectrum * np.exp(self._ramp[0] * row + self._ramp[1] * column)
        return Reading(peak, self._decode(aligned))

    def _decode(self, spectrum: NDArray[np.complexfloating]) -> tuple[int, ...]:
        coefficients = spectrum.ravel()[self._band]
        values = np.concatenate([coefficients.real, coefficients.imag]) * self._signs
        scores = values[self._groups] @ self._code.T
        # All 256 codewords: the negated ones are bytes 0..127, the plain ones 128..255.
        return _candidates(np.concatenate([-scores, scores], axis=1))

    def _sync_values(self) -> Floats:
        values = np.zeros(2 * len(self._band), dtype=np.float32)
        values[self._sync] = self._signs[self._sync]
        return values

    def _spectrum(self, values: Floats) -> Spectrum:
        half = len(self._band)
        spectrum = np.zeros(TILE * (TILE // 2 + 1), dtype=np.complex64)
        spectrum[self._band] = values[:half] + 1j * values[half:]
        return spectrum.reshape(TILE, TILE // 2 + 1)


def _candidates(scores: NDArray[np.floating]) -> tuple[int, ...]:
    """The best payload, then those with the runner-up in some of the four least certain bytes, likeliest first.

    At most 16, so that the keyed check of 24 bits lets an unmarked picture pass about once in a million attempts.
    """
    ranked = np.argsort(scores, axis=1)[:, :-3:-1]
    sorted_scores = np.take_along_axis(scores, ranked, axis=1)
    margins = sorted_scores[:, 0] - sorted_scores[:, 1]
    doubtful = np.argsort(margins)[:_UNCERTAIN]
    choices = sorted(product((0, 1), repeat=_UNCERTAIN), key=lambda swaps: float(np.dot(swaps, margins[doubtful])))
    return tuple(_payload(ranked, doubtful, swaps) for swaps in choices)


def _payload(ranked: NDArray[np.intp], doubtful: NDArray[np.intp], swaps: Sequence[int]) -> int:
    rank = np.zeros(_SYMBOLS, dtype=np.intp)
    rank[doubtful] = swaps
    return int.from_bytes(bytes(int(symbol) for symbol in ranked[np.arange(_SYMBOLS), rank]))


def _hadamard(order: int) -> Floats:
    """The Sylvester-Hadamard matrix of a power of two."""
    matrix = np.ones((1, 1), dtype=np.float32)
    while len(matrix) < order:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]]).astype(np.float32)
    return matrix
