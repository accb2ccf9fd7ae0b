"""Files that a supplier wrote so that what they reserve is not seen, or so that an audit never ends."""

from __future__ import annotations

import io
import tarfile

import pytest
from PIL import Image, PngImagePlugin

from governance.datasets.records import OptOut
from governance.errors import DatasetError
from governance_adapters.datasets.content.decoding import opened
from governance_adapters.datasets.content.xmp import MAX_DEPTH, said_by
from governance_adapters.datasets.sources.opening import open_source
from governance_adapters.datasets.sources.tars import samples

NAMES = (
    'xmlns:x="adobe:ns:meta/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"'
)
SILENT = f'<x:xmpmeta {NAMES}><rdf:RDF><rdf:Description rdf:about=""/></rdf:RDF></x:xmpmeta>'.encode()
VOCABULARY = "http://ns.useplus.org/ldf/vocab"
PROHIBITED, ALLOWED = f"{VOCABULARY}/DMI-PROHIBITED", f"{VOCABULARY}/DMI-ALLOWED"
MAIN, EXTENSION = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"


def packet(inside: str) -> bytes:
    return SILENT.replace(b'<rdf:Description rdf:about=""/>', f"<rdf:Description>{inside}</rdf:Description>".encode())


RESERVED = packet(f"<plus:DataMining>{PROHIBITED}</plus:DataMining>")


def picture(form: str, **how) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (9, 120, 7)).save(file, form, **how)
    return file.getvalue()


def jpeg(*segments: bytes) -> bytes:
    plain = picture("JPEG")
    return (
        plain[:2] + b"".join(b"\xff\xe1" + (len(each) + 2).to_bytes(2, "big") + each for each in segments) + plain[2:]
    )


def extended(text: bytes, offset: int, whole: int) -> bytes:
    return EXTENSION + b"A" * 32 + whole.to_bytes(4, "big") + offset.to_bytes(4, "big") + text


def png(*packets: bytes, profile: str = "") -> bytes:
    texts = PngImagePlugin.PngInfo()
    for each in packets:
        texts.add_itxt("XML:com.adobe.xmp", each.decode())
    if profile:
        texts.add_text("Raw profile type xmp", profile)
    return picture("PNG", pnginfo=texts)


def gif(text: bytes) -> bytes:
    plain = picture("GIF")
    head = 13 + (3 * 2 ** ((plain[10] & 7) + 1) if plain[10] & 128 else 0)
    return plain[:head] + b"!\xff\x0bXMP DataXMP" + text + bytes([1, *range(255, -1, -1), 0]) + plain[head:]


def tagged() -> Image.Exif:
    exif = Image.Exif()
    exif[0x02BC] = RESERVED
    return exif


HALF = len(RESERVED) // 2
HIDDEN = {
    "the first of two segments": jpeg(MAIN + RESERVED, MAIN + SILENT),
    "the second of two segments": jpeg(MAIN + SILENT, MAIN + RESERVED),
    "an extension, backwards": jpeg(
        MAIN + SILENT,
        extended(RESERVED[HALF:], HALF, len(RESERVED)),
        extended(RESERVED[:HALF], 0, len(RESERVED)),
    ),
    "a profile of PNG": png(profile=f"\nxmp\n {len(RESERVED)}\n{RESERVED.hex()}\n"),
    "a block of GIF": gif(RESERVED),
    "a tag of EXIF": picture("JPEG", exif=tagged()),
    "a tag of EXIF in PNG": picture("PNG", exif=tagged()),
}


@pytest.mark.parametrize("content", HIDDEN.values(), ids=HIDDEN)
def test_a_reservation_is_seen_wherever_a_file_keeps_it(content):
    assert opened(content).said.opt_outs == {OptOut.IPTC}


BROKEN = {
    "two packets in PNG": png(RESERVED, SILENT),
    "a profile that is no hexadecimal": png(profile="\nxmp\n 3\nzz\n"),
    "more packets than anybody writes": jpeg(*(MAIN + SILENT + b" " * each for each in range(20))),
    "half an extension": jpeg(MAIN + SILENT, extended(RESERVED[:HALF], 0, len(RESERVED))),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_packets_that_cannot_be_read_are_not_taken_for_silence(content):
    assert opened(content).said.broken


def test_a_file_that_says_nothing_says_nothing():
    for content in (jpeg(MAIN + SILENT), png(SILENT), gif(SILENT), picture("WEBP"), picture("BMP")):
        assert opened(content).said == opened(picture("JPEG")).said


@pytest.mark.parametrize(
    "inside",
    [
        f"<rdf:Bag><rdf:li>{PROHIBITED}</rdf:li><rdf:li>{ALLOWED}</rdf:li></rdf:Bag>",
        f'<rdf:Bag><rdf:li rdf:resource="{PROHIBITED}"/></rdf:Bag>',
    ],
)
def test_a_permission_beside_a_prohibition_permits_nothing(inside):
    assert said_by(packet(f"<plus:DataMining>{inside}</plus:DataMining>")).opt_outs == {OptOut.IPTC}
    beside = f'<plus:DataMining rdf:resource="{PROHIBITED}">{ALLOWED}</plus:DataMining>'
    assert said_by(packet(beside)).opt_outs == {OptOut.IPTC}
    assert not said_by(packet(f"<plus:DataMining>{ALLOWED}</plus:DataMining>")).opt_outs


def test_a_packet_that_is_deep_is_not_read():
    """What each of its 70,000 elements says would be put together anew."""
    assert said_by(packet("<a>" * 70_000 + "x" + "</a>" * 70_000)).broken
    assert said_by(packet("<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH)).broken
    assert not said_by(packet("<a>" * 20 + "</a>" * 20)).broken


def header(size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A header of tar whose size may be below 0: in 11 bytes, two's complement."""
    block = bytearray(tarfile.TarInfo("a.jpg").tobuf(tarfile.GNU_FORMAT))
    block[156:157] = kind
    if size:
        block[124:136] = b"\xff" + size.to_bytes(11, "big", signed=True)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(**said: str) -> bytes:
    return tarfile.TarInfo._create_pax_generic_header(said, tarfile.XHDTYPE, "utf-8")  # type: ignore[attr-defined]


TARS = {
    "a member that ends where it begins": header() + header(-512),
    "a member that ends before the one before": header() * 3 + header(-2048),
    "a directory that ends where it begins": header() + header(-512, tarfile.DIRTYPE),
    "a size of 30 digits": header() + pax(size="9" * 30) + header(),
    "a size below zero in a pax header": header() + pax(size="-1024") + header(),
    "headers about headers": pax(path="b.jpg") * 3_000 + header(),
    "a long header": header(2**40, tarfile.XHDTYPE) + header(),
}


@pytest.mark.parametrize("content", TARS.values(), ids=TARS)
def test_a_tar_that_leads_nowhere_is_broken(content):
    with pytest.raises(DatasetError, match="is no whole tar file"):
        list(samples(io.BytesIO(content + b"\0" * 1024), "a.tar", 0))


def test_a_name_without_a_value_does_not_hide_another_with_one(tmp_path):
    """The default would stand in its place, which permits what the record does not."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "1", "licence": "", "license": "CC-BY-NC-4.0"}\n')
    source = open_source(str(path), defaults={"licence": "CC0-1.0"})
    assert source.read(source.parts()[0])["licence_stated"].to_pylist() == ["CC-BY-NC-4.0"]
