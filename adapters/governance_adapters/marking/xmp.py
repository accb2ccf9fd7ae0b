"""Port `MetadataWriter`: XMP (ISO 16684-1) in PNG, JPEG, WebP, MP4 and WAV, and the PNG text chunk of GB 45438-2025.

Packets are written as RDF/XML with one element a property and read with a parser that knows no entities, so a file can
neither expand into memory nor reach for another. What the packet says beyond the properties that are set stays in it.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from typing import Final

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from governance.errors import MarkError
from governance.metadata import NAMESPACES, require_writable
from governance_adapters.marking.containers import media_type_of, packets, texts, with_packet

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_META: Final = "adobe:ns:meta/"
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_BEGIN: Final = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_END: Final = b'\n<?xpacket end="r"?>'
_PNG: Final = "PNG"
_PNG_KEYS: Final = frozenset({"AIGC"})
"""The text chunks that are read as properties; what else a PNG file says in text is not metadata of ours."""

_BAGS: Final = frozenset({"dc:publisher"})
"""Properties whose value XMP wants as an unordered array (ISO 16684-1, section 8.3); of one member here."""
_NAME: Final = re.compile(r"([A-Za-z0-9]+):([A-Za-z][A-Za-z0-9]*)")
_PREFIXES: Final = {uri: prefix for prefix, uri in NAMESPACES.items()}

for _prefix, _uri in {**NAMESPACES, "rdf": _RDF, "x": _META}.items():
    ET.register_namespace(_prefix, _uri)


class XmpWriter:
    """Writes and reads the properties of `governance.metadata`."""

    def write(self, content: bytes, media_type: str, properties: Mapping[str, str]) -> bytes:
        """`content` with `properties` in it, in place of those of the same names; the pixels' bytes stay as they are.

        Raises:
            MarkError: the bytes are no whole file of `media_type`, a name has no known prefix, a text cannot be written,
                or the file carries XMP that cannot be read.
        """
        if media_type_of(content) != media_type:
            raise MarkError(
                f"The content is no {media_type} file.", remedy="Encode it in a format that is known first."
            )
        png_texts = {name.partition(":")[2]: text for name, text in properties.items() if name.startswith(f"{_PNG}:")}
        if png_texts and media_type != "image/png":
            raise MarkError("Only a PNG file has text chunks.", remedy=f"Leave out what begins with `{_PNG}:`.")
        if not png_texts.keys() <= _PNG_KEYS or not all(text.isascii() for text in png_texts.values()):
            raise MarkError("This text chunk cannot be written.", remedy=f"Use ASCII under {', '.join(_PNG_KEYS)}.")
        xmp = {name: text for name, text in properties.items() if not name.startswith(f"{_PNG}:")}
        tree = _tree(content)
        root = ET.Element(f"{{{_META}}}xmpmeta") if tree is None else tree
        _set(root, {_qualified(name): (name, text) for name, text in xmp.items()})
        try:
            packet = ET.tostring(root, encoding="utf-8").replace(b"\r", b"&#13;")  # else a parser reads a line end
        except RecursionError as error:
            raise MarkError(
                "The file's XMP is nested too deeply.", remedy="Encode the picture anew, without its metadata."
            ) from error
        return with_packet(content, _BEGIN + packet + _END, png_texts)

    def read(self, content: bytes) -> Mapping[str, str]:
        """Every property of the file, by `prefix:Name`, or `{namespace}Name` where the namespace is none of ours.

        The value of an array or a structure is its texts, joined.

        Raises:
            MarkError: the bytes are no PNG, JPEG, WebP, MP4 or WAV file; the packet is no XMP, says a property twice or declares
                entities; or there is more than one packet.
        """
        found: dict[str, str] = {}
        tree = _tree(content)
        said = [] if tree is None else list(_properties(tree))
        said += [(f"{_PNG}:{key}", text) for key, text in texts(content) if key in _PNG_KEYS]
        for name, text in said:
            if name in found:
                raise MarkError(f"The file says {name} twice.", remedy="Nobody can tell which of them is meant.")
            found[name] = text
        return found


def _tree(content: bytes) -> ET.Element | None:
    found = packets(content)
    if not found:
        return None
    if len(found) > 1:
        raise MarkError("The file carries more than one XMP packet.", remedy="Nobody can tell which of them is meant.")
    try:
        root: ET.Element = fromstring(found[0].strip(b"\0"), forbid_dtd=True)
    except (ET.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        # LookupError: an encoding that Python does not know.
        raise MarkError(
            f"The file's XMP cannot be read: {type(error).__name__}.", remedy="It is malformed, or declares entities."
        ) from error
    return root


def _descriptions(root: ET.Element) -> list[ET.Element]:
    rdf = root if root.tag == f"{{{_RDF}}}RDF" else root.find(f"{{{_RDF}}}RDF")
    return [] if rdf is None else rdf.findall(f"{{{_RDF}}}Description")


def _properties(root: ET.Element) -> Iterator[tuple[str, str]]:
    for description in _descriptions(root):
        for name, text in description.attrib.items():
            if not name.startswith((f"{{{_RDF}}}", f"{{{_XML}}}")):
                yield _short(name), text
        for element in description:
            yield _short(str(element.tag)), _text(element)


def _text(element: ET.Element) -> str:
    """The text of a simple value; of an array or a structure, the texts that are not only space, joined."""
    if len(element) == 0:
        return element.text or str(element.get(f"{{{_RDF}}}resource", ""))
    members = [text for text in element.itertext() if text.strip()]
    return "; ".join(members)


def _set(root: ET.Element, named: Mapping[str, tuple[str, str]]) -> None:
    for description in _descriptions(root):
        for qualified in named:
            description.attrib.pop(qualified, None)
            for old in description.findall(qualified):
                description.remove(old)
    rdf = root if root.tag == f"{{{_RDF}}}RDF" else root.find(f"{{{_RDF}}}RDF")
    if rdf is None:
        rdf = ET.SubElement(root, f"{{{_RDF}}}RDF")
    described = _descriptions(root)
    about = f"{{{_RDF}}}about"
    description = described[0] if described else ET.SubElement(rdf, f"{{{_RDF}}}Description", {about: ""})
    for qualified, (name, text) in named.items():
        element = ET.SubElement(description, qualified)
        if name in _BAGS:
            element = ET.SubElement(ET.SubElement(element, f"{{{_RDF}}}Bag"), f"{{{_RDF}}}li")
        element.text = require_writable(text)


def _qualified(name: str) -> str:
    parts = _NAME.fullmatch(name)
    if parts is None or parts[1] not in NAMESPACES:
        raise MarkError(f"{name!r} is no property.", remedy=f"Use a prefix of {', '.join(NAMESPACES)}.")
    return f"{{{NAMESPACES[parts[1]]}}}{parts[2]}"


def _short(qualified: str) -> str:
    uri, _, local = qualified.removeprefix("{").partition("}")
    return f"{_PREFIXES[uri]}:{local}" if uri in _PREFIXES else qualified
