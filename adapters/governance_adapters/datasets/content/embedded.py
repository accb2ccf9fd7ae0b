"""What an image file says of itself without a signature: EXIF (CIPA DC-008), IPTC-IIM and XMP."""

from __future__ import annotations

from typing import Any, Final

from PIL import ImageFile, IptcImagePlugin

from governance_adapters.datasets.content.packets import xmp_packets
from governance_adapters.datasets.content.xmp import Said, said_by

_EXIF_IFD: Final = 0x8769
_GPS_IFD: Final = 0x8825
_PNG: Final = "PNG"
_XMP_TAG: Final = 0x02BC

TAGS: Final = {0x013B: "exif_artist", 0x9C9D: "exif_artist"}
EXIF_TAGS: Final = {0xA430: "exif_owner", 0xA431: "exif_serial", 0xA435: "exif_serial"}
GPS_TAGS: Final = {2: "exif_gps", 4: "exif_gps", 20: "exif_gps", 22: "exif_gps"}
"""Tags that are about a person, and the kind of personal data that a record names for them: GPS latitude and longitude of
the camera and of what it was pointed at, the camera's owner, its and its lens's serial number, the artist."""

IPTC_DATASETS: Final = {(2, 80): "iptc_byline", (2, 118): "iptc_contact", (2, 122): "iptc_writer"}
"""The same of IPTC-IIM 4.2: by-line, contact, and whoever wrote the caption."""


def said_in(picture: ImageFile.ImageFile, content: bytes, *, decoded: bool = True) -> Said:
    """What the metadata of an opened picture, whose file is `content`, say; `broken` where any of them could not be read.

    Of a picture that is not `decoded` only what its head says is read, and nothing is decoded for it.
    """
    # Pillow would decode a whole PNG to look for EXIF behind its pixels.
    ahead = decoded or picture.format != _PNG or "exif" in picture.info
    said = (_exif(picture) if ahead else Said()).with_(_iptc(picture))
    try:
        packets = xmp_packets(picture, content)
    except ValueError:
        return said.with_(Said(broken=True))
    for packet in packets:
        said = said.with_(said_by(packet))
    return said


def _exif(picture: ImageFile.ImageFile) -> Said:
    try:
        exif = picture.getexif()
        if not exif:
            return Said()
        found = {kind for tag, kind in TAGS.items() if _filled(exif.get(tag))}
        for ifd, tags in ((_EXIF_IFD, EXIF_TAGS), (_GPS_IFD, GPS_TAGS)):
            inner = exif.get_ifd(ifd) if ifd in exif else {}
            found |= {kind for tag, kind in tags.items() if _filled(inner.get(tag))}
    except Exception:  # noqa: BLE001 - Pillow's parser raises many kinds for malformed blocks
        return Said(broken=True)
    packet = exif.get(_XMP_TAG) if picture.format != "TIFF" else None  # of a TIFF it is the packet that everybody reads
    said = said_by(packet) if isinstance(packet, bytes) else Said()
    return said.with_(Said(frozenset(found), broken=packet is not None and not isinstance(packet, bytes)))


def _iptc(picture: ImageFile.ImageFile) -> Said:
    if "photoshop" not in picture.info and picture.format != "TIFF":
        return Said()
    try:
        found = IptcImagePlugin.getiptcinfo(picture) or {}
    except Exception:  # noqa: BLE001 - as above
        return Said(broken=True)
    return Said(frozenset(kind for dataset, kind in IPTC_DATASETS.items() if _filled(found.get(dataset))))


def _filled(value: Any) -> bool:
    """Whether a value says anything: cameras write the tags of an owner that nobody named."""
    if isinstance(value, bytes):
        return bool(value.strip(b"\0 \t\r\n"))
    if isinstance(value, str):
        return bool(value.strip("\0 \t\r\n"))
    if isinstance(value, (list, tuple)):
        return any(_filled(each) for each in value)
    return value is not None
