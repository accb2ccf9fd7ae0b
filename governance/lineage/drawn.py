"""A lineage to look at: as lines of a tree, and as an SVG picture (W3C, Scalable Vector Graphics 1.1) that needs nothing else.

A picture has a title and a description, so that whoever cannot see it hears the same; no script, font or link is in it. What
was recalled is marked by a word, not by a colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from governance.canonical import Json
from governance.lineage.graph import Edge, Lineage, Node, NodeKind

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 236, 58, 150, 16, 24
"""Of a box, between boxes, and around all of them; in pixels."""

_NAMESPACE: Final = "http://www.w3.org/2000/svg"
_CHARACTERS: Final = 34
_EDGE_CHARACTERS: Final = 26
_COLOURS: Final[Mapping[NodeKind, tuple[str, str]]] = {
    NodeKind.ASSET: ("#e8eefc", "#27408b"),
    NodeKind.GENERATION: ("#eef6f4", "#1f5f56"),
    NodeKind.DECISION: ("#f4f1fb", "#52378c"),
    NodeKind.MODEL: ("#fdf3e1", "#7a4b00"),
    NodeKind.ADAPTER: ("#fdf3e1", "#7a4b00"),
    NodeKind.RUN: ("#eef6f4", "#1f5f56"),
    NodeKind.DATASET: ("#eaf5ea", "#22612a"),
    NodeKind.LICENCE: ("#ffffff", "#1c1c1c"),
    NodeKind.CONTRACT: ("#ffffff", "#1c1c1c"),
    NodeKind.VENDOR: ("#ffffff", "#1c1c1c"),
    NodeKind.GAP: ("#f2f2f2", "#8a1c1c"),
}


def tree_lines(lineage: Lineage) -> Iterator[str]:
    """One line a node, indented below what leads to it. A node that was there before is named again and not followed again."""
    below = _below(lineage)
    seen: set[str] = set()

    def lines(node: Node, before: str) -> Iterator[str]:
        seen.add(node.id)
        behind = below[node.id]
        for number, (edge, target) in enumerate(behind, 1):
            last = number == len(behind)
            again = target.id in seen and bool(below[target.id])
            yield f"{before}{'└─ ' if last else '├─ '}{_line(edge, target)}{' (see above)' if again else ''}"
            if target.id not in seen:
                yield from lines(target, before + ("   " if last else "│  "))

    yield _named(lineage.root)
    yield from lines(lineage.root, "")


def svg(lineage: Lineage) -> str:
    """The picture: what was asked about on the left, what it comes from to the right of it."""
    columns = _columns(lineage)
    places = {
        node.id: (MARGIN + x * (WIDTH + GAP_X), MARGIN + y * (HEIGHT + GAP_Y))
        for x, column in enumerate(columns)
        for y, node in enumerate(column)
    }
    width = 2 * MARGIN + len(columns) * (WIDTH + GAP_X) - GAP_X
    height = 2 * MARGIN + max(map(len, columns)) * (HEIGHT + GAP_Y) - GAP_Y
    title = f"Lineage of {lineage.root.title}"
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="{_NAMESPACE}" role="img" aria-labelledby="title desc" {size} font-family="sans-serif" font-size="12">',
        f'<title id="title">{_text(title)}</title>',
        f'<desc id="desc">{_text(_described(lineage))}</desc>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *(_edge(edge, places) for edge in lineage.edges),
        *(_box(node, *places[node.id]) for node in lineage.nodes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _below(lineage: Lineage) -> Mapping[str, Sequence[tuple[Edge, Node]]]:
    nodes = {node.id: node for node in lineage.nodes}
    below: dict[str, list[tuple[Edge, Node]]] = {node.id: [] for node in lineage.nodes}
    for edge in lineage.edges:
        below[edge.source].append((edge, nodes[edge.target]))
    return below


def _columns(lineage: Lineage) -> list[list[Node]]:
    """The nodes by how far they are from the first, by the longest way that passes no node twice."""
    below = _below(lineage)
    depth = {lineage.root.id: 0}
    waiting = [(lineage.root, frozenset({lineage.root.id}))]
    while waiting:
        node, way = waiting.pop()
        for _, target in below[node.id]:
            if target.id not in way and depth.get(target.id, -1) < depth[node.id] + 1:
                depth[target.id] = depth[node.id] + 1
                waiting.append((target, way | {target.id}))
    columns: list[list[Node]] = [[] for _ in range(max(depth.values()) + 1)]
    for node in lineage.nodes:
        columns[depth[node.id]].append(node)
    return columns


def _box(node: Node, x: int, y: int) -> str:
    fill, line = _COLOURS[node.kind]
    dashes = ' stroke-dasharray="5 3"' if node.kind is NodeKind.GAP else ""
    words = "".join(_words(each, x + 10, y + 20 + 15 * at, at == 0) for at, each in enumerate(_wrapped(_named(node))))
    return (
        f"<g><title>{_text(_whole(node))}</title>"
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill={quoteattr(fill)} '
        f'stroke="{line}"{dashes}/><text fill="{line}">{words}</text></g>'
    )


def _words(text: str, x: int, y: int, bold: bool) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<tspan x="{x}" y="{y}"{weight}>{_text(text)}</tspan>'


def _edge(edge: Edge, places: Mapping[str, tuple[int, int]]) -> str:
    (x1, y1), (x2, y2) = places[edge.source], places[edge.target]
    x1, y1, y2 = x1 + WIDTH, y1 + HEIGHT // 2, y2 + HEIGHT // 2
    half = (x1 + x2) // 2
    said = f"{edge.what} ({edge.basis.value})"
    return (
        f"<g><title>{_text(said)}</title>"
        f'<path d="M{x1} {y1}C{half} {y1} {half} {y2} {x2} {y2}" fill="none" stroke="#777777"/>'
        f'<text x="{x2 - 4}" y="{y2 - 4}" text-anchor="end" font-size="9" fill="#444444">'
        f"{_text(_cut(said, _EDGE_CHARACTERS))}</text></g>"
    )


def _line(edge: Edge, node: Node) -> str:
    return _named(node) if node.kind is NodeKind.GAP else f"{edge.what} {_named(node)} [{edge.basis.value}]"


def _named(node: Node) -> str:
    if node.kind is NodeKind.GAP:
        return _printable(f"NOT KNOWN: {node.title}")
    recalled = " RECALLED" if node.recalled else ""
    kind = "" if node.title.startswith(node.kind.value) else f"{node.kind.value} "
    return _printable(f"{kind}{node.title}{recalled}")


def _whole(node: Node) -> str:
    facts = "; ".join(f"{name}: {_fact(value)}" for name, value in node.facts.items() if value not in ("", None, []))
    recalled = f"; recalled by entry {node.recalled}" if node.recalled else ""
    return f"{node.kind.value} {node.title} ({node.key}){'; ' if facts else ''}{facts}{recalled}"


def _described(lineage: Lineage) -> str:
    licences = ", ".join(lineage.licences) or "none that is known"
    return (
        f"{len(lineage.nodes)} things and {len(lineage.edges)} relations. Licences: {licences}. "
        f"{len(lineage.gaps)} gaps. " + ". ".join(tree_lines(lineage))
    )


def _fact(value: Json) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _wrapped(text: str) -> list[str]:
    """At most three lines; what does not fit ends in an ellipsis, and stands whole in the box's title."""
    lines: list[str] = []
    rest = text
    while rest and len(lines) < 2:
        cut = len(rest) if len(rest) <= _CHARACTERS else (rest.rfind(" ", 1, _CHARACTERS + 1) + 1 or _CHARACTERS)
        lines.append(rest[:cut].strip())
        rest = rest[cut:]
    return [*lines, _cut(rest.strip(), _CHARACTERS)] if rest else lines


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "�" for each in text)


def _text(text: str) -> str:
    """Text of an SVG: what XML 1.0 has no place for is replaced."""
    return escape(_printable(text))
