"""The watermarker's contract, and a fake that really keeps the payload in the pixels: in their lowest bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from governance.errors import GovernanceError, ImageTooSmallError, MarkError
from governance.pixels import require_pixels
from governance.ports import Watermarker
from governance.testing.examples import example_picture
from governance.testing.expect import expect
from governance.testing.marking import not_pictures
from governance.types import Pixels
from governance.watermark import CHECK_BITS, MarkKey, require_payload

_MAGIC = 0b1011_0010_1110_0101
_MAGIC_BITS = 16


@dataclass
class FakeWatermarker:
    """Writes a 16-bit magic number and the payload into the lowest bits of the first values.

    `fail_first`: that many embeddings leave the pixels unmarked, as if the mark had not survived. `error`: what every
    embedding raises instead. `calls`: the strengths that embeddings were asked for, in order.
    """

    algorithm: str = "org.example.fake-watermark.1"
    payload_bits: int = 64
    strengths: tuple[float, ...] = (1.0, 1.5, 2.2)
    min_side: int = 8
    fail_first: int = 0
    error: GovernanceError | None = None
    calls: tuple[float, ...] = ()

    def fits(self, height: int, width: int) -> bool:
        """See Watermarker.fits."""
        return min(height, width) >= self.min_side

    def embed(self, pixels: Pixels, payload: int, strength: float) -> Pixels:
        """See Watermarker.embed."""
        marked = require_pixels(pixels).copy()
        number = _MAGIC << self.payload_bits | require_payload(payload, self.payload_bits)
        if not self.fits(*marked.shape[:2]):
            raise ImageTooSmallError("The picture is too small for the fake.", remedy="Use a larger one.")
        self.calls += (strength,)
        if self.error is not None:
            raise self.error
        if len(self.calls) <= self.fail_first:
            return marked
        values = marked.reshape(-1)
        length = _MAGIC_BITS + self.payload_bits
        bits = [number >> shift & 1 for shift in reversed(range(length))]
        values[:length] = values[:length] & 0xFE | np.array(bits, dtype=np.uint8)
        return marked

    def extract(self, pixels: Pixels) -> Sequence[int]:
        """See Watermarker.extract."""
        image = require_pixels(pixels)
        if not self.fits(*image.shape[:2]):
            return ()
        bits = image.reshape(-1)[: _MAGIC_BITS + self.payload_bits] & 1
        number = int("".join(map(str, bits.tolist())), 2)
        return (number & ((1 << self.payload_bits) - 1),) if number >> self.payload_bits == _MAGIC else ()


class WatermarkerContract:
    """What every watermarker does. Subclasses say which one; pytest runs the `test_` methods."""

    key = MarkKey(b"the watermark key of a contract.")
    other_key = MarkKey(b"another watermark key altogether")

    def watermarker(self, key: MarkKey) -> Watermarker:
        """A watermarker under `key`."""
        raise NotImplementedError

    def picture(self) -> Pixels:
        """A picture that it can mark."""
        return example_picture(320, 384)

    def test_it_names_itself(self) -> None:
        marker = self.watermarker(self.key)
        assert marker.algorithm.count(".") >= 2
        assert marker.payload_bits in CHECK_BITS
        assert marker.strengths
        assert list(marker.strengths) == sorted(set(marker.strengths))
        assert marker.strengths[0] > 0

    def test_an_id_reads_back_at_some_strength(self) -> None:
        marker = self.watermarker(self.key)
        for counter in (0, 1, 2**20 - 1):
            payload = self.key.payload(counter, marker.payload_bits, marker.algorithm)
            found = _survivor(marker, self.picture(), payload)
            mark_id = self.key.id_of(found, marker.payload_bits, marker.algorithm)
            assert mark_id is not None
            assert self.key.counter_of(mark_id, marker.payload_bits, marker.algorithm) == counter

    def test_every_bit_pattern_reads_back_at_some_strength(self) -> None:
        marker = self.watermarker(self.key)
        ones = (1 << marker.payload_bits) - 1
        for payload in (0, ones, ones // 3, ones // 3 * 2, 1, 1 << (marker.payload_bits - 1)):
            assert _survivor(marker, self.picture(), payload) == payload

    def test_embedding_keeps_shape_type_and_input(self) -> None:
        marker, pixels = self.watermarker(self.key), self.picture()
        before = pixels.copy()
        marked = marker.embed(pixels, 1, marker.strengths[-1])
        assert (pixels == before).all()
        assert marked.shape == pixels.shape
        assert marked.dtype == np.uint8
        assert not np.array_equal(marked, before)

    def test_an_unmarked_picture_holds_nothing_of_ours(self) -> None:
        marker = self.watermarker(self.key)
        blank = np.full_like(self.picture(), 128)
        for pixels in (self.picture(), blank, np.zeros((1, 1, 3), np.uint8)):
            assert _ids(marker, self.key, pixels) == []

    def test_another_key_finds_nothing_of_its_own(self) -> None:
        marker = self.watermarker(self.key)
        payload = self.key.payload(7, marker.payload_bits, marker.algorithm)
        marked = marker.embed(self.picture(), payload, marker.strengths[-1])
        assert _ids(self.watermarker(self.other_key), self.other_key, marked) == []

    def test_too_small_a_picture_is_refused(self) -> None:
        marker = self.watermarker(self.key)
        assert not marker.fits(1, 1)
        assert not marker.fits(4096, 1)
        for shape in ((1, 1, 3), (4096, 1, 3)):
            with expect(ImageTooSmallError):
                marker.embed(np.zeros(shape, np.uint8), 1, marker.strengths[0])

    def test_a_picture_that_fits_is_marked(self) -> None:
        marker, pixels = self.watermarker(self.key), self.picture()
        assert marker.fits(*pixels.shape[:2])
        marker.embed(pixels, 1, marker.strengths[0])

    def test_what_is_no_payload_is_refused(self) -> None:
        marker = self.watermarker(self.key)
        for payload in (-1, 1 << marker.payload_bits):
            with expect(MarkError):
                marker.embed(self.picture(), payload, marker.strengths[0])

    def test_what_is_no_picture_is_refused(self) -> None:
        marker = self.watermarker(self.key)
        for wrong in not_pictures():
            with expect(MarkError):
                marker.embed(wrong, 1, marker.strengths[0])
            with expect(MarkError):
                marker.extract(wrong)


def _survivor(marker: Watermarker, pixels: Pixels, payload: int) -> int:
    """The payload as extracted at the weakest strength at which it is."""
    for strength in marker.strengths:
        found = marker.extract(marker.embed(pixels, payload, strength))
        if payload in found:
            return found[found.index(payload)]
    raise AssertionError(f"{payload:#x} did not read back at any of {marker.strengths}")


def _ids(marker: Watermarker, key: MarkKey, pixels: Pixels) -> list[int]:
    candidates = marker.extract(pixels)
    ids = [key.id_of(candidate, marker.payload_bits, marker.algorithm) for candidate in candidates]
    return [mark_id for mark_id in ids if mark_id is not None]
