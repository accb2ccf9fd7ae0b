"""What an image's XMP packet (ISO 16684-1) says about mining, about people, and about who made it.

Signals against mining: `plus:DataMining` of the PLUS League and IPTC (Photo Metadata Standard 2023.1, "Data Mining"), and
`tdm:reservation` of the TDM Reservation Protocol (W3C Community Group, 2024).
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from governance.datasets.records import OptOut

MAX_PACKET: Final = 2**20
"""The most bytes of a packet that are read."""

MAX_DEPTH: Final = 64
"""The most elements within each other that are read: what each of them says is looked up anew."""

IPTC_EXT: Final = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
DATA_MINING: Final = "{http://ns.useplus.org/ldf/xmp/1.0/}DataMining"
RESERVATION: Final = ("{http://www.w3.org/ns/tdmrep/}reservation", "{http://www.w3.org/ns/tdmrep#}reservation")
SOURCE_TYPE: Final = f"{IPTC_EXT}DigitalSourceType"
AIGC: Final = "{http://www.tc260.org.cn/ns/AIGC/1.0/}AIGC"

MODEL_MADE: Final = frozenset({"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"})
"""Digital source types of IPTC that say that a model made the picture, or a part of it."""

MINING_ALLOWED: Final = frozenset({"DMI-ALLOWED", "DMI-UNSPECIFIED"})
"""Values of PLUS that reserve nothing; every other one does, also one that nobody knows yet."""

PERSONAL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "{http://ns.adobe.com/exif/1.0/}GPSLatitude": "xmp_gps",
        "{http://ns.adobe.com/exif/1.0/}GPSLongitude": "xmp_gps",
        "{http://ns.adobe.com/exif/1.0/aux/}OwnerName": "xmp_owner",
        "{http://cipa.jp/exif/1.0/}CameraOwnerName": "xmp_owner",
        "{http://ns.adobe.com/exif/1.0/aux/}SerialNumber": "xmp_serial",
        "{http://cipa.jp/exif/1.0/}BodySerialNumber": "xmp_serial",
        "{http://purl.org/dc/elements/1.1/}creator": "xmp_creator",
        "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}CreatorContactInfo": "xmp_contact",
        f"{IPTC_EXT}PersonInImage": "xmp_person",
        f"{IPTC_EXT}PersonInImageWDetails": "xmp_person",
        "{http://ns.microsoft.com/photo/1.2/t/Region#}PersonDisplayName": "xmp_person",
    }
)
"""Properties that are about a person, and the kind of personal data that a record names for them."""

_REGION_TYPE: Final = "{http://www.metadataworkinggroup.com/schemas/regions/}Type"
_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


@dataclass(frozen=True, slots=True)
class Said:
    """What metadata say: kinds of personal data, signals, and whether they state that a model made the picture.

    `broken` where they could not be read: what they say is then unknown, not nothing.
    """

    personal: frozenset[str] = frozenset()
    opt_outs: frozenset[OptOut] = frozenset()
    model_made: bool = False
    broken: bool = False

    def with_(self, other: Said) -> Said:
        """Both together."""
        return Said(
            self.personal | other.personal,
            self.opt_outs | other.opt_outs,
            self.model_made or other.model_made,
            self.broken or other.broken,
        )


def said_by(packet: bytes) -> Said:
    """What a packet says; `broken` where it is no XMP, declares entities, is larger than `MAX_PACKET` or deeper than
    `MAX_DEPTH`.
    """
    if len(packet) > MAX_PACKET:
        return Said(broken=True)
    try:
        root: ET.Element = fromstring(packet.strip(b"\0"), forbid_dtd=True)
    except (ET.ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        return Said(broken=True)
    if _is_deep(root):
        return Said(broken=True)
    personal, opt_outs, model_made = set[str](), set[OptOut](), False
    for name, text in _values(root):
        if name in PERSONAL:
            personal.add(PERSONAL[name])
        elif name == _REGION_TYPE and text == "Face":
            personal.add("xmp_face")
        elif name == DATA_MINING and not {*map(_last, text.split())} <= MINING_ALLOWED:
            opt_outs.add(OptOut.IPTC)
        elif name in RESERVATION and text != "0":
            opt_outs.add(OptOut.TDMREP)
        elif (name == SOURCE_TYPE and _last(text) in MODEL_MADE) or (name == AIGC and _is_generated(text)):
            model_made = True
    return Said(frozenset(personal), frozenset(opt_outs), model_made)


def _is_deep(root: ET.Element) -> bool:
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [inner for element in level for inner in element]
    return bool(level)


def _values(root: ET.Element) -> Iterator[tuple[str, str]]:
    """Each attribute and each element that has a value, wherever it stands; of an array or a structure, its texts."""
    for element in root.iter():
        for name, text in element.attrib.items():
            if text.strip():
                yield name, text.strip()
        resources = [inner.get(f"{_RDF}resource", "") for inner in element.iter()]
        texts = [*resources, *map(str.strip, element.itertext())]
        if text := " ".join(filter(None, texts)) or _held(element):
            yield str(element.tag), text


def _held(element: ET.Element) -> str:
    """What the structure in an element says by attributes."""
    return " ".join(
        text for inner in element.iter() for name, text in inner.attrib.items() if not name.startswith(_RDF)
    ).strip()


def _last(text: str) -> str:
    return text.rstrip("/").rpartition("/")[2]


def _is_generated(text: str) -> bool:
    """Whether a label of GB 45438-2025 says that the content is generated (1), perhaps (2) or suspectedly (3) so."""
    try:
        label = json.loads(text)
    except ValueError:
        return False
    return isinstance(label, dict) and str(label.get("Label")) in {"1", "2", "3"}
