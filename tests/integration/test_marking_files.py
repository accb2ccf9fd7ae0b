"""The encoder on real files, and what is particular to dwtDctSvd."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, PngImagePlugin

from governance.errors import ConfigurationError, ImageTooSmallError, MarkError
from governance.testing.examples import example_picture
from governance.watermark import MarkKey
from governance_adapters.marking.dwtdctsvd import ALGORITHM, DwtDctSvdWatermarker
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.tiled import ALGORITHM as TILED
from governance_adapters.marking.tiled import TiledWatermarker
from tests.integration.marking_pictures import flat_art, jpeg, photographs, psnr

ENCODER = ImageEncoder()
KEY = MarkKey(b"a watermark key for these tests!")


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@settings(max_examples=40)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3))))
def test_png_keeps_every_value(pixels):
    content = ENCODER.encode(pixels, "image/png")
    assert content.startswith(b"\x89PNG")
    assert np.array_equal(ENCODER.decode(content), pixels)


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {"quality": 95}), ("WEBP", {"lossless": True}), ("PNG", {})])
def test_the_formats_of_the_world_are_read(kind, options):
    pixels = example_picture(40, 60)
    decoded = ENCODER.decode(saved(Image.fromarray(pixels), kind, **options))
    assert decoded.shape == (40, 60, 3)
    assert psnr(pixels, decoded) > 30 if kind == "JPEG" else np.array_equal(pixels, decoded)


def test_exif_turns_the_picture_upright():
    pixels = example_picture(16, 32)
    exif = Image.Exif()
    exif[0x0112] = 6
    decoded = ENCODER.decode(saved(Image.fromarray(pixels), "PNG", exif=exif))
    assert np.array_equal(decoded, np.rot90(pixels, -1))


def test_transparency_is_laid_over_white():
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = (200, 0, 0, 255)
    rgba[0, 1] = (200, 0, 0, 128)
    decoded = ENCODER.decode(saved(Image.fromarray(rgba), "PNG"))
    assert decoded[0, 0].tolist() == [200, 0, 0]
    assert decoded[0, 1].tolist() == pytest.approx([227, 127, 127], abs=1)
    assert decoded[1].tolist() == [[255] * 3] * 2


def test_palettes_with_and_without_a_transparent_colour():
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    assert ENCODER.decode(saved(palette, "PNG")).tolist() == [[[10, 20, 30], [40, 50, 60]]]
    assert ENCODER.decode(saved(palette, "PNG", transparency=1)).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_grey_of_1_8_and_16_bits_and_cmyk():
    grey = Image.fromarray(np.array([[0, 128, 255]], np.uint8))
    assert ENCODER.decode(saved(grey, "PNG"))[0, :, 1].tolist() == [0, 128, 255]
    assert ENCODER.decode(saved(grey.point(lambda v: v > 200 and 255, "1"), "PNG"))[0, :, 2].tolist() == [0, 0, 255]
    deep = Image.fromarray(np.array([[0, 0x80FF, 0xFFFF]], np.uint16))
    assert ENCODER.decode(saved(deep, "PNG"))[0, :, 0].tolist() == [0, 128, 255]
    assert ENCODER.decode(saved(Image.new("CMYK", (8, 8)), "JPEG")).tolist() == [[[255] * 3] * 8] * 8


def test_a_bomb_is_refused_by_its_header():
    # 60,000 x 60,000 px in a hundred bytes: decoding it would take 10 GB.
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    with pytest.raises(MarkError):
        ENCODER.decode(bomb)
    small = ImageEncoder(max_pixels=100)
    with pytest.raises(MarkError, match="exceeds 100 pixels"):
        small.decode(ENCODER.encode(example_picture(11, 10), "image/png"))
    assert small.decode(ENCODER.encode(example_picture(10, 10), "image/png")).shape == (10, 10, 3)


def test_a_bomb_in_the_text_of_a_png_is_refused():
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "a" * (80 * 2**20), zip=True)
    with pytest.raises(MarkError):
        ENCODER.decode(saved(Image.new("RGB", (8, 8)), "PNG", pnginfo=text))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_file_cut_short_is_refused(kind):
    content = saved(Image.fromarray(example_picture(200, 200)), kind)
    for length in (len(content) // 2, len(content) - len(content) // 8):
        with pytest.raises(MarkError):
            ENCODER.decode(content[:length])


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP"])
def test_other_formats_are_refused(kind):
    with pytest.raises(MarkError, match="PNG, JPEG or WebP"):
        ENCODER.decode(saved(Image.new("RGB", (8, 8)), kind))


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_file_is_pixels_or_an_error_of_ours(data):
    content = bytearray(ENCODER.encode(example_picture(24, 24), "image/png"))
    for _ in range(3):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(MarkError):
        assert ENCODER.decode(bytes(content)).dtype == np.uint8


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3))))
def test_webp_keeps_every_value_too(pixels):
    content = ENCODER.encode(pixels, "image/webp")
    assert content[8:16] == b"WEBPVP8L"
    assert np.array_equal(ENCODER.decode(content), pixels)


def test_jpeg_keeps_colours_at_full_resolution():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (255, 0, 0), (0, 0, 255)
    content = ENCODER.encode(stripes, "image/jpeg")
    assert psnr(stripes, ENCODER.decode(content)) > 35
    assert psnr(stripes, jpeg(95)(stripes)) < 20, "halved chroma loses them"


@pytest.mark.parametrize("kind", ENCODER.media_types)
def test_the_watermark_survives_every_format_at_its_weakest(kind):
    marker = TiledWatermarker(KEY)
    for number, pixels in enumerate([*photographs(512)[:6], *flat_art(512)[:6]]):
        payload = KEY.payload(number, 64, TILED)
        content = ENCODER.encode(marker.embed(pixels, payload, marker.strengths[0]), kind)
        assert payload in marker.extract(ENCODER.decode(content)), number


@pytest.mark.parametrize("kind", ENCODER.media_types)
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (37, 5)])
def test_odd_sizes_are_written_in_every_format(kind, shape):
    pixels = np.full((*shape, 3), 200, np.uint8)
    assert np.abs(ENCODER.decode(ENCODER.encode(pixels, kind)).astype(int) - 200).max() <= 2


def test_a_side_that_webp_cannot_hold_is_refused():
    with pytest.raises(MarkError, match="16383"):
        ENCODER.encode(np.zeros((1, 20_000, 3), np.uint8), "image/webp")


@pytest.mark.parametrize("channels", [3, 4])
def test_colour_of_16_bits_keeps_its_high_bytes(channels):
    deep = np.full((4, 4, channels), 0xFFFF, np.uint16)
    deep[0, 0, :3] = (0x1234, 0x80FF, 0xFFFF)
    content = cv2.imencode(".png", cv2.cvtColor(deep, cv2.COLOR_RGB2BGR if channels == 3 else cv2.COLOR_RGBA2BGRA))[1]
    assert ENCODER.decode(content.tobytes())[0, 0].tolist() == [0x12, 0x80, 0xFF]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_gives_its_first_frame(kind):
    frames = [Image.new("RGB", (9, 9), colour) for colour in ((200, 0, 0), (0, 0, 200))]
    content = saved(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    assert Image.open(io.BytesIO(content)).n_frames == 2
    assert ENCODER.decode(content)[4, 4].tolist() == [200, 0, 0]


def test_cmyk_keeps_its_colours():
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert np.abs(ENCODER.decode(saved(red, "JPEG", quality=95))[4, 4].astype(int) - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize(
    ("size", "kind"), [((20_000, 20_000), "PNG"), ((12_000, 12_000), "JPEG"), ((9_000, 8_000), "PNG")]
)
def test_pictures_beyond_the_limit_are_refused_by_their_size(size, kind):
    content = saved(Image.new("1" if kind == "PNG" else "L", size), kind)
    with pytest.raises(MarkError, match="exceeds 67108864 pixels"):
        ENCODER.decode(content)


def test_dwtdctsvd_survives_jpeg_on_photographs():
    marker = DwtDctSvdWatermarker(KEY)
    found: dict[str, list[bool]] = {"nothing": [], "JPEG 90": []}
    for number, pixels in enumerate(photographs(256)[:8]):
        payload = KEY.payload(number, 32, ALGORITHM)
        marked = marker.embed(pixels, payload, 1.0)
        found["nothing"].append(payload in marker.extract(marked))
        found["JPEG 90"].append(payload in marker.extract(jpeg(90)(marked)))
    assert np.mean(found["nothing"]) >= 0.85
    assert np.mean(found["JPEG 90"]) >= 0.75


def test_dwtdctsvd_is_keyed_and_reads_every_strength():
    marker, pixels = DwtDctSvdWatermarker(KEY), example_picture(256, 300)
    for strength in marker.strengths:
        assert 12345 in marker.extract(marker.embed(pixels, 12345, strength))
    other = DwtDctSvdWatermarker(MarkKey(b"b watermark key for these tests!"))
    assert 12345 not in other.extract(marker.embed(pixels, 12345, 1.0))
    with pytest.raises(ImageTooSmallError):
        marker.embed(example_picture(255, 256), 1, 1.0)
    with pytest.raises(ConfigurationError):
        DwtDctSvdWatermarker(KEY, strengths=(2.0, 1.0))
    with pytest.raises(MarkError, match="strength"):
        marker.embed(pixels, 1, float("nan"))


def test_dwtdctsvd_loads_only_what_it_needs_and_says_how_to_install():
    # A process of its own, without the site packages where the library lives.
    program = """
import sys
from governance.errors import ConfigurationError
from governance.watermark import MarkKey
import governance_adapters.marking.dwtdctsvd as backend
backend.DwtDctSvdWatermarker(MarkKey(bytes(32)))
assert "imwatermark" not in sys.modules
sys.path[:] = [folder for folder in sys.path if "site-packages" not in folder]
try:
    backend.DwtDctSvdWatermarker(MarkKey(bytes(32)))
except ConfigurationError as error:
    print(error)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": f"{root}:{root / 'adapters'}"},
    )
    assert "--no-deps invisible-watermark" in done.stdout
