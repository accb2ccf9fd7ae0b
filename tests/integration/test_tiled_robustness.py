"""What the tiled watermark survives, on real photographs and on flat, saturated drawings."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from governance.attribution import Attribution, Grade, attribute
from governance.errors import ConfigurationError, MarkError
from governance.testing.examples import example_picture
from governance.types import Pixels
from governance.watermark import MarkKey
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.fingerprint import PdqFingerprinter
from governance_adapters.marking.spread import SpreadPattern
from governance_adapters.marking.tiled import ALGORITHM, TiledWatermarker
from tests.integration.marking_pictures import (
    COLOURS,
    crop,
    digit_shape,
    flat_art,
    jpeg,
    paint,
    photographs,
    psnr,
    resize,
)

KEY = MarkKey(b"a watermark key for these tests!")
MARKER = TiledWatermarker(KEY)
KINDS = {"photographs": photographs, "flat art": flat_art}


def payload(number: int) -> int:
    return KEY.payload(number * 7919 + 1, 64, ALGORITHM)


@cache
def pictures(kind: str, side: int) -> list[Pixels]:
    return KINDS[kind](side)


@cache
def marked(kind: str, side: int) -> list[Pixels]:
    """Marked at the first strength, which is what is released when it survives encoding."""
    return [MARKER.embed(p, payload(number), 1.0) for number, p in enumerate(pictures(kind, side))]


def ids(marker: TiledWatermarker, key: MarkKey, pixels: Pixels) -> list[int]:
    found = [key.id_of(candidate, 64, ALGORITHM) for candidate in marker.extract(pixels)]
    return [mark_id for mark_id in found if mark_id is not None]


@pytest.mark.parametrize("side", [256, 512])
@pytest.mark.parametrize("kind", KINDS)
def test_every_bit_comes_back_from_a_png(kind, side):
    encoder = ImageEncoder()
    for number, pixels in enumerate(marked(kind, side)):
        for read in (pixels, encoder.decode(encoder.encode(pixels, "image/png"))):
            assert MARKER.extract(read)[0] == payload(number), number


ATTACKS = {
    "JPEG 90": (jpeg(90), 1.0, 1.0),
    "JPEG 75": (jpeg(75), 1.0, 1.0),
    "JPEG 50": (jpeg(50), 0.95, 0.9),
    "resize 0.5": (resize(0.5), 0.95, 0.95),
    "resize 2": (resize(2), 0.95, 0.95),
    "resize 0.73": (resize(0.73), 0.9, 0.9),
    "crop 90 %": (crop(0.9), 0.95, 0.95),
    "crop 90 %, JPEG 75": (lambda pixels: jpeg(75)(np.ascontiguousarray(crop(0.9)(pixels))), 0.9, 0.9),
}


@pytest.mark.parametrize("side", [256, 512])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_the_mark_survives(attack, kind, side):
    change, of_photographs, of_drawings = ATTACKS[attack]
    found = [payload(number) in MARKER.extract(change(pixels)) for number, pixels in enumerate(marked(kind, side))]
    assert np.mean(found) >= (of_photographs if kind == "photographs" else of_drawings)


@pytest.mark.parametrize("colour", COLOURS)
def test_clipping_at_saturated_colours_does_not_swallow_the_mark(colour):
    blank = np.full((256, 256, 3), COLOURS[colour], np.uint8)
    pixels = MARKER.embed(blank, payload(3), 1.0)
    assert MARKER.extract(jpeg(75)(pixels))[0] == payload(3)


@pytest.mark.parametrize("shape", [(256, 256), (257, 300), (384, 1000), (1024, 1024), (2300, 700)])
def test_any_size_from_256_px(shape):
    pixels = MARKER.embed(example_picture(*shape), payload(4), 1.0)
    assert pixels.shape == (*shape, 3)
    assert MARKER.extract(pixels)[0] == payload(4)
    assert not MARKER.fits(255, 4000)


@pytest.mark.parametrize(("kind", "least"), [("photographs", 38), ("flat art", 40)])
def test_the_mark_is_faint(kind, least):
    for side in (256, 512):
        pairs = zip(pictures(kind, side), marked(kind, side), strict=True)
        assert np.mean([psnr(one, other) for one, other in pairs]) >= least


def test_strengths_are_stronger():
    pixels = photographs(256)[0]
    quality = [psnr(pixels, MARKER.embed(pixels, payload(1), strength)) for strength in MARKER.strengths]
    assert quality == sorted(quality, reverse=True)
    assert quality[0] - quality[-1] > 4


@pytest.mark.parametrize("side", [256, 512])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found_where_nothing_is(kind, side):
    for pixels in pictures(kind, side)[:: side // 256]:
        assert ids(MARKER, KEY, pixels) == []
        assert len(MARKER.extract(pixels)) <= 32


def test_nothing_is_found_under_another_key():
    other = MarkKey(b"b watermark key for these tests!")
    reader = TiledWatermarker(other)
    for pixels in (*marked("photographs", 256)[::2], *marked("flat art", 256)[::2]):
        candidates = reader.extract(pixels)
        assert all(other.id_of(candidate, 64, ALGORITHM) is None for candidate in candidates)
        # The pattern itself is keyed, not only the check.
        assert all(KEY.id_of(candidate, 64, ALGORITHM) is None for candidate in candidates)


def test_a_released_digit_saved_again_as_jpeg_is_attributed():
    found = [resaved(number, [name for name in COLOURS if "pure" not in name]) for number in range(40)]
    assert {attribution.grade for attribution in found} == {Grade.ATTRIBUTED}
    assert min(attribution.quality for attribution in found) < 50 < max(attribution.quality for attribution in found)


def test_a_digit_as_bright_as_its_ground_is_at_least_similar():
    # Pure green on orange and the like: the hash, which sees luma only, is left with nothing but the mark.
    found = [resaved(number, list(COLOURS)) for number in range(40)]
    assert Grade.DIFFERS not in {attribution.grade for attribution in found}


def resaved(number: int, names: list[str]) -> Attribution:
    """Marks a digit in two of the colours, saves it as JPEG 75, reads the mark, and compares."""
    ink, ground = names[number % len(names)], names[(number + 1 + number // len(names)) % len(names)]
    pixels = MARKER.embed(paint(digit_shape(11 * number, 256), ink, ground), payload(number), 1.0)
    copy = jpeg(75)(pixels)
    assert payload(number) in MARKER.extract(copy)
    fingerprinter = PdqFingerprinter()
    return attribute(fingerprinter.fingerprint(pixels), fingerprinter.fingerprint(copy))


def test_photographs_saved_or_scaled_again_are_attributed():
    fingerprinter = PdqFingerprinter()
    for change in (jpeg(90), jpeg(75), jpeg(50), resize(0.5), resize(2)):
        for pixels in marked("photographs", 512):
            found = attribute(fingerprinter.fingerprint(pixels), fingerprinter.fingerprint(change(pixels)))
            assert found.grade is Grade.ATTRIBUTED, found


def test_a_mark_copied_onto_another_picture_is_read_and_not_attributed():
    fingerprinter = PdqFingerprinter()
    for kind in KINDS:
        originals, released = pictures(kind, 256), marked(kind, 256)
        foreign = photographs(256)[::-1]
        for number in range(0, 20, 3):
            mark = released[number].astype(int) - originals[number]
            forged = np.clip(foreign[number] + 1.5 * mark, 0, 255).astype(np.uint8)
            found = attribute(fingerprinter.fingerprint(released[number]), fingerprinter.fingerprint(forged))
            assert found.grade is Grade.DIFFERS, found
        mark = released[0].astype(int) - originals[0]
        forged = np.clip(foreign[0] + 1.5 * mark, 0, 255).astype(np.uint8)
        assert payload(0) in MARKER.extract(forged)


def test_digits_of_one_shape_in_other_colours_are_never_attributed_to_each_other():
    fingerprinter, names = PdqFingerprinter(), [name for name in COLOURS if not name.startswith("pure")]
    for number in range(3):
        shape = digit_shape(100 + number, 256)
        prints = [
            fingerprinter.fingerprint(MARKER.embed(paint(shape, ink, ground), payload(number), 1.0))
            for ink in names
            for ground in names
            if ink != ground
        ]
        grades = {attribute(one, other).grade for i, one in enumerate(prints) for other in prints[:i]}
        assert Grade.ATTRIBUTED not in grades


def test_the_pattern_never_changes():
    # Marks outlive releases: a reader must find what an older version embedded.
    tile = SpreadPattern(MarkKey(bytes(range(32)))).tile(0x0123456789ABCDEF)
    assert tile[0, :4] == pytest.approx([1.1356775, 0.43376756, -0.76257247, -1.612586], abs=1e-4)
    assert tile[64, 64] == pytest.approx(-0.9808124, abs=1e-4)
    assert np.abs(tile).max() < 2.6


@pytest.mark.parametrize("strengths", [(), (2.0, 1.0), (0.0, 1.0)])
def test_strengths_rise_from_above_zero(strengths):
    with pytest.raises(ConfigurationError, match="rise"):
        TiledWatermarker(KEY, strengths)


@pytest.mark.parametrize("strength", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_strength_is_refused(strength):
    with pytest.raises(MarkError, match="strength"):
        MARKER.embed(example_picture(256, 256), 1, strength)
