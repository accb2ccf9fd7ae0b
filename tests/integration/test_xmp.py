"""XMP in real files: round trips of any text, files that mean harm, and files that are broken."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from governance.errors import MarkError
from governance.metadata import AIGC, PNG_AIGC, PROMPT, PROVIDER, require_writable
from governance.testing.examples import example_picture
from governance.testing.metadata import example_metadata
from governance_adapters.marking.containers import MAX_SEGMENT, packets, texts
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.riff import riff_file
from governance_adapters.marking.xmp import XmpWriter

ENCODER, WRITER = ImageEncoder(), XmpWriter()
PLAIN = {kind: ENCODER.encode(example_picture(24, 16), kind) for kind in ENCODER.media_types}
FORMATS = pytest.mark.parametrize("kind", ENCODER.media_types)
BEGIN = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
END = "</rdf:RDF></x:xmpmeta>"
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n\r"))
XMP = 'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"'


def writable(text):
    try:
        return bool(require_writable(text))
    except MarkError:
        return False


def with_packet(packet, kind="image/png"):
    """A file whose XMP is `packet`, put there by Pillow."""
    file, picture = io.BytesIO(), Image.fromarray(example_picture(8, 8))
    if kind == "image/png":
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet)
        picture.save(file, "PNG", pnginfo=info)
    else:
        picture.save(file, kind.partition("/")[2].upper(), xmp=packet.encode())
    return file.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def before_pixels(png, extra):
    at = png.index(b"IDAT") - 4
    return png[:at] + extra + png[at:]


@FORMATS
@settings(max_examples=60, deadline=None)
@given(text=TEXTS.filter(writable), name=st.sampled_from([PROMPT, PROVIDER, "xmp:CreatorTool", "governance:Model"]))
def test_any_text_comes_back_from_any_format(kind, text, name):
    written = WRITER.write(PLAIN[kind], kind, {name: text})
    assert dict(WRITER.read(written)) == {name: text}
    assert np.array_equal(ENCODER.decode(written), ENCODER.decode(PLAIN[kind]))


@FORMATS
@settings(max_examples=40)
@given(before=TEXTS, after=TEXTS, bad=st.sampled_from("\0\x01\x08\x0b\x1f\x7f\x9f\ud800\udfff\ufffe\uffff\ufdd0"))
def test_what_xml_cannot_carry_is_refused(kind, before, bad, after):
    with pytest.raises(MarkError, match=r"U\+"):
        WRITER.write(PLAIN[kind], kind, {PROMPT: before + bad + after})


@FORMATS
def test_pillow_finds_the_packet_and_the_same_pixels(kind):
    written = WRITER.write(PLAIN[kind], kind, example_metadata().properties(kind))
    picture = Image.open(io.BytesIO(written))
    picture.load()
    xmp = picture.info["xmp"]
    assert b"trainedAlgorithmicMedia" in (xmp.encode() if isinstance(xmp, str) else xmp)
    assert np.array_equal(np.asarray(picture.convert("RGB")), ENCODER.decode(PLAIN[kind]))
    assert not packets(PLAIN[kind])


@FORMATS
def test_bytes_of_pixels_are_untouched(kind):
    written = WRITER.write(PLAIN[kind], kind, {PROMPT: "a red kite"})
    marker = {"image/png": b"IDAT", "image/jpeg": b"\xff\xda", "image/webp": b"VP8L"}[kind]
    scan = PLAIN[kind][PLAIN[kind].index(marker) :]
    assert written[written.index(marker) :].startswith(scan)


@FORMATS
def test_what_a_packet_says_beyond_our_properties_stays(kind):
    packet = (
        f'{BEGIN}<rdf:Description rdf:about="" {XMP} xmlns:mine="urn:mine/" xmp:CreatorTool="old" mine:flag="kept">'
        "<dc:subject><rdf:Bag><rdf:li>a</rdf:li><rdf:li>b</rdf:li></rdf:Bag></dc:subject>"
        "<xmp:CreateDate>1999</xmp:CreateDate></rdf:Description>" + END
    )
    foreign = with_packet(packet, kind)
    assert WRITER.read(foreign)["xmp:CreatorTool"] == "old"
    said = dict(WRITER.read(WRITER.write(foreign, kind, {"xmp:CreatorTool": "new", "xmp:CreateDate": "2026"})))
    assert said == {"xmp:CreatorTool": "new", "xmp:CreateDate": "2026", "{urn:mine/}flag": "kept", "dc:subject": "a; b"}


def test_the_png_text_chunk_is_replaced_and_only_png_has_it():
    first = WRITER.write(PLAIN["image/png"], "image/png", {PNG_AIGC: '{"Label":"1"}', AIGC: "{}"})
    second = WRITER.write(first, "image/png", {PNG_AIGC: '{"Label":"2"}'})
    assert texts(second) == [("AIGC", '{"Label":"2"}')]
    assert WRITER.read(second) == {AIGC: "{}", PNG_AIGC: '{"Label":"2"}'}
    for kind in ("image/jpeg", "image/webp"):
        with pytest.raises(MarkError, match="Only a PNG"):
            WRITER.write(PLAIN[kind], kind, {PNG_AIGC: "{}"})


@pytest.mark.parametrize(
    "name", ["Title", "xmp:", "unknown:Name", "xmp:Na me", "xmp:<b>", "PNG:parameters", "PNG:AIGC\0"]
)
def test_names_that_are_none_are_refused(name):
    with pytest.raises(MarkError):
        WRITER.write(PLAIN["image/png"], "image/png", {name: "x"})


def test_a_jpeg_segment_holds_only_so_much_and_others_more():
    long = "x" * MAX_SEGMENT
    with pytest.raises(MarkError, match="JPEG file carries"):
        WRITER.write(PLAIN["image/jpeg"], "image/jpeg", {PROMPT: long})
    for kind in ("image/png", "image/webp"):
        assert WRITER.read(WRITER.write(PLAIN[kind], kind, {PROMPT: long}))[PROMPT] == long


LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
HOSTILE = {
    "a billion laughs": f'<!DOCTYPE x [<!ENTITY a0 "ha">{LAUGHS}]>{BEGIN}<rdf:Description {XMP}><dc:title>&a9;</dc:title>'
    f"</rdf:Description>{END}",
    "a file of this machine": f'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>{BEGIN}<rdf:Description {XMP}>'
    f"<dc:title>&f;</dc:title></rdf:Description>{END}",
    "a declaration alone": f"<!DOCTYPE x>{BEGIN}{END}",
    "no XML": "these are words",
    "an open element": BEGIN,
    "an unknown encoding": f'<?xml version="1.0" encoding="x-none"?>{BEGIN}{END}',
    "a property twice": f'{BEGIN}<rdf:Description {XMP} xmp:CreatorTool="a"><xmp:CreatorTool>b</xmp:CreatorTool>'
    f"</rdf:Description>{END}",
}


@pytest.mark.parametrize("packet", HOSTILE.values(), ids=HOSTILE)
@FORMATS
def test_packets_that_mean_harm_are_refused(kind, packet):
    with pytest.raises(MarkError):
        WRITER.read(with_packet(packet, kind))


def test_markup_in_a_value_stays_a_value():
    evil = '"/><rdf:li>x</rdf:li><script>alert(1)</script>&#0;<!-- ]]> -->'
    for kind in ENCODER.media_types:
        written = WRITER.write(PLAIN[kind], kind, {PROMPT: evil, PROVIDER: evil})
        assert b"<script>" not in written
        assert dict(WRITER.read(written)) == {PROMPT: evil, PROVIDER: evil}


def test_two_packets_and_two_text_chunks_are_refused():
    png = WRITER.write(PLAIN["image/png"], "image/png", {"xmp:CreatorTool": "x", PNG_AIGC: "{}"})
    (packet,) = packets(png)
    twice = before_pixels(png, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet))
    with pytest.raises(MarkError, match="more than one XMP"):
        WRITER.read(twice)
    with pytest.raises(MarkError, match="twice"):
        WRITER.read(before_pixels(png, chunk(b"tEXt", b"AIGC\0{}")))
    jpeg = WRITER.write(PLAIN["image/jpeg"], "image/jpeg", {"xmp:CreatorTool": "x"})
    start = jpeg.index(b"\xff\xe1")
    segment = jpeg[start : start + 2 + int.from_bytes(jpeg[start + 2 : start + 4])]
    with pytest.raises(MarkError, match="more than one XMP"):
        WRITER.read(jpeg[:start] + segment + jpeg[start:])


def test_a_packed_png_text_is_unpacked_only_so_far():
    packet = f'{BEGIN}<rdf:Description {XMP} xmp:CreatorTool="x"/>{END}'.encode()
    head = b"XML:com.adobe.xmp\0\1\0\0\0"
    packed = before_pixels(PLAIN["image/png"], chunk(b"iTXt", head + zlib.compress(packet)))
    assert WRITER.read(packed) == {"xmp:CreatorTool": "x"}
    bomb = before_pixels(PLAIN["image/png"], chunk(b"iTXt", head + zlib.compress(b" " * (100 << 20))))
    with pytest.raises(MarkError, match="more than"):
        WRITER.read(bomb)
    for broken in (head + b"not packed", b"XML:com.adobe.xmp\0\0\0", b"XML:com.adobe.xmp\0\2\0\0\0x"):
        with pytest.raises(MarkError):
            WRITER.read(before_pixels(PLAIN["image/png"], chunk(b"iTXt", broken)))


@FORMATS
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_an_error_of_ours_or_a_file(kind, data):
    whole = bytearray(WRITER.write(PLAIN[kind], kind, {"xmp:CreatorTool": "x"}))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with suppress(MarkError):
        WRITER.read(content)
    with suppress(MarkError):
        WRITER.write(content, kind, {"xmp:CreatorTool": "y"})


@FORMATS
def test_cut_short_and_mislabelled_files_are_refused(kind):
    other = next(each for each in ENCODER.media_types if each != kind)
    with pytest.raises(MarkError, match="no "):
        WRITER.write(PLAIN[kind], other, {"xmp:CreatorTool": "x"})
    for length in (12, 20, 30):
        with pytest.raises(MarkError):
            WRITER.write(PLAIN[kind][:length], kind, {"xmp:CreatorTool": "x"})


def orientation():
    exif = Image.Exif()
    exif[0x0112] = 1
    return exif.tobytes()


@pytest.mark.parametrize("settings_", [{"quality": 80}, {"lossless": True}, {"quality": 80, "exif": orientation()}])
def test_webp_files_of_every_kind_get_their_header(settings_):
    file = io.BytesIO()
    Image.fromarray(example_picture(33, 17)).save(file, "WEBP", **settings_)
    written = WRITER.write(file.getvalue(), "image/webp", {"xmp:CreatorTool": "x"})
    assert WRITER.read(written) == {"xmp:CreatorTool": "x"}
    assert written[12:16] == b"VP8X"
    picture = Image.open(io.BytesIO(written))
    assert picture.size == (17, 33)
    assert np.array_equal(np.asarray(picture.convert("RGB")), ENCODER.decode(file.getvalue()))


def test_webp_files_are_read_as_wav_files_are_with_the_byte_that_makes_them_even_counted_or_not():
    whole = riff_file(b"WEBP", [(b"VP8L", b"\x2f" + bytes(4)), (b"XMP ", b"odd")])
    uncounted = whole[:4] + (len(whole) - 9).to_bytes(4, "little") + whole[8:]
    for content in (whole, uncounted, uncounted[:-1]):
        assert packets(content) == [b"odd"]
        assert packets(content.replace(b"WEBP", b"WAVE").replace(b"XMP ", b"_PMX")) == [b"odd"]
    for content in (whole[:-1], whole + b"\0", uncounted + b"\0", b"RIFX" + whole[4:]):
        with pytest.raises(MarkError):
            packets(content)


def test_xmp_that_is_nested_too_deeply_to_be_written_again():
    content = with_packet(f"{BEGIN}<rdf:Description>{'<a>' * 5000}{'</a>' * 5000}</rdf:Description>{END}")
    with pytest.raises(MarkError, match="deeply"):
        WRITER.write(content, "image/png", {PROVIDER: "Example"})
