"""Contracts and fakes of the encoder, the fingerprinter and the labeller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from governance.attribution import GRID_BYTES, PDQ_BYTES, Grade, attribute, grid
from governance.errors import GovernanceError, ImageTooSmallError, MarkError
from governance.obligations import LABEL_POSITIONS
from governance.pixels import require_pixels
from governance.ports import Encoder, Fingerprinter, Labeller
from governance.testing.examples import example_picture
from governance.testing.expect import expect
from governance.types import Fingerprint, Pixels

FAKE_IMAGE = b"FAKE-IMAGE/1\n"
"""How a file of `FakeEncoder` begins."""

_SIZE_BYTES = 4
_LABEL_ROWS = 4
_TOP, _BOTTOM = slice(_LABEL_ROWS, 2 * _LABEL_ROWS), slice(-_LABEL_ROWS, None)
"""Where the strips are: the first rows are the fake watermark's."""


def not_pictures() -> tuple[Any, ...]:
    """What callers pass by mistake: grey, floats, nothing at all."""
    pixels = example_picture(320, 384)
    return pixels[:, :, 0], pixels.astype(np.float32), np.zeros((0, 512, 3), np.uint8), None


@dataclass(frozen=True, slots=True)
class FakeEncoder:
    """Writes the values as they are, behind a header; what follows them is ignored, so a file can carry a trailer.

    `lossy`: lowest bits are lost, and with them the fake watermark. `error`: what `encode` raises instead.
    """

    media_types: tuple[str, ...] = ("image/png",)
    lossy: bool = False
    error: GovernanceError | None = None

    def encode(self, pixels: Pixels, media_type: str) -> bytes:
        """See Encoder.encode."""
        if self.error is not None:
            raise self.error
        if media_type not in self.media_types:
            raise MarkError(f"{media_type} cannot be written.", remedy=f"Use one of {self.media_types}.")
        image = require_pixels(pixels)
        values = image & 0xFE if self.lossy else image
        size = b"".join(side.to_bytes(_SIZE_BYTES) for side in image.shape[:2])
        return FAKE_IMAGE + size + values.tobytes()

    def decode(self, content: bytes) -> Pixels:
        """See Encoder.decode."""
        start = len(FAKE_IMAGE) + 2 * _SIZE_BYTES
        height = int.from_bytes(content[len(FAKE_IMAGE) : len(FAKE_IMAGE) + _SIZE_BYTES])
        width = int.from_bytes(content[len(FAKE_IMAGE) + _SIZE_BYTES : start])
        values = content[start : start + height * width * 3]
        if not content.startswith(FAKE_IMAGE) or not values or len(values) != height * width * 3:
            raise MarkError("These bytes are not a fake picture.", remedy="Use FakeEncoder.encode.")
        return np.frombuffer(values, dtype=np.uint8).reshape(height, width, 3).copy()


@dataclass(frozen=True, slots=True)
class FakeFingerprinter:
    """The real colour grid, and as hash whether each of 16 x 16 sampled places is brighter than their median.

    `quality`: what it says of every picture. `error`: what it raises instead.
    """

    quality: int = 100
    error: GovernanceError | None = None

    def fingerprint(self, pixels: Pixels) -> Fingerprint:
        """See Fingerprinter.fingerprint."""
        if self.error is not None:
            raise self.error
        image = require_pixels(pixels)
        colours = grid(image)
        height, width = image.shape[:2]
        rows, columns = ((np.arange(16) * 2 + 1) * side // 32 for side in (height, width))
        samples = image[np.ix_(rows, columns)].astype(np.int32).sum(axis=2)
        return Fingerprint(np.packbits(samples > np.median(samples)).tobytes(), self.quality, colours)


@dataclass(frozen=True, slots=True)
class FakeLabeller:
    """A black strip of four rows at the top or the bottom whose first bytes are the text; `read` gets it back.

    `error`: what `label` raises instead.
    """

    error: GovernanceError | None = None

    def label(self, pixels: Pixels, text: str, *, position: str = "", language: str = "") -> Pixels:
        """See Labeller.label."""
        if self.error is not None:
            raise self.error
        if not text or position not in ("", *LABEL_POSITIONS) or language.startswith("-"):
            raise MarkError("A label has a text, a known position and a language or none.", remedy="Pass them.")
        labelled = require_pixels(pixels).copy()
        rows = _TOP if position.startswith("top") else _BOTTOM
        strip = labelled[rows].reshape(-1)
        content = text.encode()
        if len(labelled) <= 3 * _LABEL_ROWS or len(content) >= strip.size:
            raise ImageTooSmallError("The label does not fit.", remedy="Use a larger picture.")
        strip[:] = 0
        strip[: len(content)] = np.frombuffer(content, dtype=np.uint8)
        return labelled

    @staticmethod
    def read(pixels: Pixels, position: str = "") -> str:
        """The text of a labelled picture, as long as its lowest bits were left alone."""
        rows = _TOP if position.startswith("top") else _BOTTOM
        return pixels[rows].tobytes().split(b"\0", 1)[0].decode()


class EncoderContract:
    """What every encoder does. Subclasses say which one; pytest runs the `test_` methods."""

    def encoder(self) -> Encoder:
        """The encoder."""
        raise NotImplementedError

    def test_its_preferred_format_keeps_every_value(self) -> None:
        encoder = self.encoder()
        for shape in ((64, 64), (1, 1), (33, 7)):
            pixels = example_picture(*shape)
            decoded = encoder.decode(encoder.encode(pixels, encoder.media_types[0]))
            assert decoded.dtype == np.uint8
            assert np.array_equal(decoded, pixels)

    def test_every_format_it_names_can_be_written_and_read(self) -> None:
        encoder = self.encoder()
        assert encoder.media_types
        for media_type in encoder.media_types:
            assert media_type.startswith("image/")
            assert encoder.decode(encoder.encode(example_picture(40, 24), media_type)).shape == (40, 24, 3)

    def test_another_format_is_refused(self) -> None:
        with expect(MarkError):
            self.encoder().encode(example_picture(), "image/x-unheard-of")

    def test_what_is_no_picture_is_refused(self) -> None:
        encoder = self.encoder()
        for wrong in not_pictures():
            with expect(MarkError):
                encoder.encode(wrong, encoder.media_types[0])

    def test_what_is_no_file_is_refused(self) -> None:
        encoder = self.encoder()
        whole = encoder.encode(example_picture(), encoder.media_types[0])
        for content in (b"", b"not a picture", whole[:20], whole[: len(whole) // 2]):
            with expect(MarkError):
                encoder.decode(content)


class FingerprinterContract:
    """What every fingerprinter does. Subclasses say which one; pytest runs the `test_` methods."""

    def fingerprinter(self) -> Fingerprinter:
        """The fingerprinter."""
        raise NotImplementedError

    def test_its_values_are_in_range(self) -> None:
        seen = self.fingerprinter().fingerprint(example_picture(300, 200))
        assert len(seen.pdq) == PDQ_BYTES
        assert len(seen.grid) == GRID_BYTES
        assert 0 <= seen.quality <= 100

    def test_the_same_picture_is_the_same(self) -> None:
        one, other = (self.fingerprinter().fingerprint(example_picture(256, 256)) for _ in range(2))
        assert one == other
        assert attribute(one, other).grade is Grade.ATTRIBUTED

    def test_a_change_of_one_level_is_attributed(self) -> None:
        pixels, fingerprinter = example_picture(256, 256), self.fingerprinter()
        stored, seen = fingerprinter.fingerprint(pixels), fingerprinter.fingerprint(pixels ^ np.uint8(1))
        assert attribute(stored, seen).grade is Grade.ATTRIBUTED

    def test_another_picture_differs(self) -> None:
        fingerprinter = self.fingerprinter()
        one, other = (fingerprinter.fingerprint(example_picture(256, 256, seed)) for seed in (1, 2))
        assert attribute(one, other).grade is Grade.DIFFERS

    def test_the_same_shapes_in_other_colours_are_not_attributed(self) -> None:
        pixels, fingerprinter = example_picture(256, 256), self.fingerprinter()
        stored = fingerprinter.fingerprint(pixels)
        recoloured = fingerprinter.fingerprint(pixels[:, :, ::-1] >> np.uint8(1))
        assert attribute(stored, recoloured).grade is not Grade.ATTRIBUTED

    def test_what_cannot_be_hashed_is_refused(self) -> None:
        for wrong in (*not_pictures(), example_picture(4, 64)):
            with expect(MarkError):
                self.fingerprinter().fingerprint(wrong)


class LabellerContract:
    """What every labeller does. Subclasses say which one; pytest runs the `test_` methods."""

    def labeller(self) -> Labeller:
        """The labeller."""
        raise NotImplementedError

    def test_the_label_changes_a_part_of_the_picture_and_not_its_input(self) -> None:
        pixels = example_picture(256, 320)
        before = pixels.copy()
        labelled = self.labeller().label(pixels, "AI-generated")
        assert np.array_equal(pixels, before)
        assert labelled.shape == pixels.shape
        assert labelled.dtype == np.uint8
        changed = (labelled != pixels).any(axis=2).mean()
        assert 0 < changed < 0.5

    def test_another_text_looks_different(self) -> None:
        one, other = (self.labeller().label(example_picture(256, 320), text) for text in ("AI-generated", "AI-edited"))
        assert not np.array_equal(one, other)

    def test_a_picture_too_small_for_the_text_is_refused(self) -> None:
        with expect(ImageTooSmallError):
            self.labeller().label(example_picture(4, 4), "AI-generated")
        with expect(ImageTooSmallError):
            self.labeller().label(example_picture(64, 64), "AI-generated " * 100)

    def test_an_empty_text_and_what_is_no_picture_are_refused(self) -> None:
        with expect(MarkError):
            self.labeller().label(example_picture(), "")
        for wrong in not_pictures():
            with expect(MarkError):
                self.labeller().label(wrong, "AI-generated")
