"""A lineage to look at: as lines of a tree, and as an SVG picture (W3C, Scalable Vector Graphics 1.1) that needs nothing else.

Both are the same tree: a row for each relation, indented below what it leads from. A picture has a title and a description, so that whoever cannot see it hears the same; no script, font or link is in it. What
was recalled is marked by a word, not by a colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from governance.canonical import Json
from governance.lineage.graph import Edge, Lineage, Node, NodeKind

WIDTH, HEIGHT, GAP, INDENT, MARGIN = 680, 44, 10, 36, 20
"""Of a box, between rows, of one step to the right, and around all of them; in pixels."""

_LAST, _MORE = "l", "m"
_NAMESPACE: Final = "http://www.w3.org/2000/svg"
_CHARACTERS: Final = 88
"""As many as stand on a line of a box; what is longer ends in an ellipsis, and stands whole in the box's title."""
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


@dataclass(frozen=True, slots=True)
class _Row:
    """A relation and where it leads, below `ways`: for each step from the root whether it is the last one there."""

    edge: Edge
    node: Node
    ways: str
    again: bool

    @property
    def depth(self) -> int:
        """How many steps from the root, from 1."""
        return len(self.ways)


def tree_lines(lineage: Lineage) -> Iterator[str]:
    """One line a node, indented below what leads to it. A node that was there before is named again and not followed again."""
    yield _named(lineage.root)
    for row in _rows(lineage):
        before = "".join("   " if way == _LAST else "│  " for way in row.ways[:-1])
        yield f"{before}{'└─ ' if row.ways[-1] == _LAST else '├─ '}{_line(row.edge, row.node)}{_again(row)}"


def svg(lineage: Lineage) -> str:
    """The picture: what was asked about above, and below it, step by step to the right, what it comes from."""
    rows = list(_rows(lineage))
    width = 2 * MARGIN + WIDTH + INDENT * max((row.depth for row in rows), default=0)
    height = 2 * MARGIN + (len(rows) + 1) * (HEIGHT + GAP) - GAP
    title = f"Lineage of {lineage.root.title}"
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="{_NAMESPACE}" role="img" aria-labelledby="title desc" {size} font-family="sans-serif" font-size="13">',
        f'<title id="title">{_text(title)}</title>',
        f'<desc id="desc">{_text(_described(lineage))}</desc>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _box(lineage.root, "", 0, 0),
    ]
    above = [0]
    """The row of each step on the way to where we are."""
    for at, row in enumerate(rows, 1):
        del above[row.depth :]
        parts.append(_way(above[-1], at, row.depth))
        parts.append(_box(row.node, f"{row.edge.what} [{row.edge.basis.value}]{_again(row)}", row.depth, at))
        above.append(at)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _rows(lineage: Lineage) -> Iterator[_Row]:
    """The relations in the order of the tree. Nothing here waits for a step to return: a way may be of any length."""
    below = _below(lineage)
    seen = {lineage.root.id}
    waiting = [("", iter(below[lineage.root.id]), len(below[lineage.root.id]))]
    while waiting:
        before, behind, left = waiting.pop()
        following = next(behind, None)
        if following is None:
            continue
        edge, target = following
        waiting.append((before, behind, left - 1))
        ways = before + (_LAST if left == 1 else _MORE)
        yield _Row(edge, target, ways, target.id in seen and bool(below[target.id]))
        if target.id not in seen:
            seen.add(target.id)
            waiting.append((ways, iter(below[target.id]), len(below[target.id])))


def _below(lineage: Lineage) -> Mapping[str, Sequence[tuple[Edge, Node]]]:
    nodes = {node.id: node for node in lineage.nodes}
    below: dict[str, list[tuple[Edge, Node]]] = {node.id: [] for node in lineage.nodes}
    for edge in lineage.edges:
        below[edge.source].append((edge, nodes[edge.target]))
    return below


def _box(node: Node, said: str, depth: int, row: int) -> str:
    """A node, below the words that lead to it."""
    fill, line = _COLOURS[node.kind]
    x, y = MARGIN + depth * INDENT, MARGIN + row * (HEIGHT + GAP)
    dashes = ' stroke-dasharray="5 3"' if node.kind is NodeKind.GAP else ""
    words = f'<text x="{x + 12}" y="{y + 16}" font-size="11" fill="#444444">{_text(_cut(said))}</text>' if said else ""
    return (
        f"<g><title>{_text(_whole(node))}</title>"
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill={quoteattr(fill)} '
        f'stroke="{line}"{dashes}/>{words}'
        f'<text x="{x + 12}" y="{y + (33 if said else 27)}" fill="{line}">{_text(_cut(_named(node)))}</text></g>'
    )


def _way(above: int, row: int, depth: int) -> str:
    """The line from the box of one row to that of another, one step to its right."""
    x = MARGIN + (depth - 1) * INDENT + INDENT // 2
    top, middle = MARGIN + above * (HEIGHT + GAP) + HEIGHT, MARGIN + row * (HEIGHT + GAP) + HEIGHT // 2
    return f'<path d="M{x} {top}V{middle}H{MARGIN + depth * INDENT}" fill="none" stroke="#777777"/>'


def _again(row: _Row) -> str:
    return " (see above)" if row.again else ""


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


def _cut(text: str) -> str:
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "�" for each in text)


def _text(text: str) -> str:
    """Text of an SVG: what XML 1.0 has no place for is replaced."""
    return escape(_printable(text))
