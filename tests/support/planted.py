"""Image files that carry what an audit has to find: metadata about people, signals, manifests, and what is broken."""

from __future__ import annotations

import io
import zlib

import cv2
import numpy as np
from PIL import Image

from governance.testing.certificates import FakeAuthority
from governance_adapters.marking.c2pa import C2paSigner
from governance_adapters.marking.credentials import PemCredentials, TrustRoots

CAPTURED = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
MINING = "http://ns.useplus.org/ldf/vocab/"

_NAMESPACES = {
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    "tdm": "http://www.w3.org/ns/tdmrep/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "aux": "http://ns.adobe.com/exif/1.0/aux/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "TC260": "http://www.tc260.org.cn/ns/AIGC/1.0/",
}
_PNG = b"\x89PNG\r\n\x1a\n"


def picture(seed, side=96):
    """Soft shapes that look like those of no other seed, (side, side, 3) uint8."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def image_file(pixels, kind="PNG", **options):
    """The bytes of a file in one of Pillow's formats."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def with_exif(pixels, *, artist="", owner="", serial="", gps=False, orientation=1, kind="JPEG"):
    """A file with these EXIF tags; `gps` is a place in the middle of the sea."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    if artist:
        exif[0x013B] = artist
    inner = {tag: text for tag, text in ((0xA430, owner), (0xA431, serial)) if text}
    if inner:
        exif[0x8769] = inner
    if gps:
        exif[0x8825] = {1: "N", 2: (0.0, 0.0, 1.0), 3: "E", 4: (0.0, 0.0, 1.0)}
    return image_file(pixels, kind, exif=exif)


def xmp(body="", **attributes):
    """A packet whose description has `body` as elements and `prefix__Name` as attributes."""
    spaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items())
    said = "".join(f' {name.replace("__", ":")}="{text}"' for name, text in attributes.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about=""{spaces}{said}>{body}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def with_xmp(pixels, packet, kind="JPEG"):
    """A file with an XMP packet."""
    if kind != "PNG":
        return image_file(pixels, kind, xmp=packet)
    content = image_file(pixels)
    return with_chunk(content, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet, before=b"IDAT")


def with_chunk(png, name, data, *, before):
    """A PNG file with one more chunk, before the first chunk of another name."""
    place = png.index(before) - 4
    return png[:place] + _chunk(name, data) + png[place:]


def with_iptc(pixels, **datasets):
    """A JPEG file with IPTC-IIM datasets of record 2, by `_NUMBER`."""
    said = b"".join(
        b"\x1c\x02" + bytes([int(name[1:])]) + len(text.encode()).to_bytes(2) + text.encode()
        for name, text in datasets.items()
    )
    block = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + len(said).to_bytes(4) + said + b"\0" * (len(said) % 2)
    content = image_file(pixels, "JPEG")
    return content[:2] + b"\xff\xed" + (len(block) + 2).to_bytes(2) + block + content[2:]


def bomb(width=60_000, height=60_000):
    """A PNG file of a few hundred bytes that says that it is huge."""
    header = width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\0\0\0"
    return _PNG + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + _chunk(b"IEND", b"")


def signer_of(authority: FakeAuthority):
    """What signs manifests with a certificate of `authority`, which alone it trusts."""
    issued = authority.issue()
    return C2paSigner(PemCredentials(issued.chain, issued.private_key), TrustRoots(authority.root))


def with_manifest(content, signer, *, source_type=CAPTURED, label="", uses=None):
    """A PNG file with a signed manifest: how it came about, and the assertion `label` about the use for training."""
    assertions = [
        {
            "label": "c2pa.actions.v2",
            "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": source_type}]},
        }
    ]
    if label:
        assertions.append({"label": label, "data": {"entries": uses}})
    definition = {
        "claim_version": 2,
        "claim_generator_info": [{"name": "example", "version": "1"}],
        "title": "example.png",
        "format": "image/png",
        "instance_id": "xmp:iid:0190aaaa-0000-7000-8000-000000000000",
        "assertions": assertions,
    }
    return signer.sign(content, "image/png", definition).content


def altered(png):
    """A signed PNG file whose pixels were changed: the last byte of its image data, and that chunk's checksum."""
    place = png.rindex(b"IDAT")
    length = int.from_bytes(png[place - 4 : place])
    data = bytearray(png[place + 4 : place + 4 + length])
    data[-5] ^= 1  # within the compressed stream's end: a viewer shows the picture all the same
    return png[: place - 4] + _chunk(b"IDAT", bytes(data)) + png[place + 8 + length :]


def _chunk(name, data):
    return len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)
