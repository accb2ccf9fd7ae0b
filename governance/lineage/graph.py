"""What a file, a model or a LoRA descends from, as a graph: things, and how each is known to come from another.

A graph says what the records say and no more. Where they end, a node of kind `gap` stands and says what is missing: a graph
without such a node is complete, and one with them is honest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from governance.canonical import Json


class NodeKind(StrEnum):
    """What a node stands for."""

    ASSET = "asset"
    GENERATION = "generation"
    DECISION = "decision"
    MODEL = "model"
    ADAPTER = "adapter"
    RUN = "run"
    DATASET = "dataset"
    LICENCE = "licence"
    CONTRACT = "contract"
    VENDOR = "vendor"
    GAP = "gap"


class Basis(StrEnum):
    """How it is known that one thing comes from another.

    `recorded`: the line itself did it and wrote it down. `witnessed`: a governed training run handed the records out.
    `declared`: whoever trained describes it. `audited`: an audit of the dataset found it. `stated`: a register says so.
    """

    RECORDED = "recorded"
    WITNESSED = "witnessed"
    DECLARED = "declared"
    AUDITED = "audited"
    STATED = "stated"


@dataclass(frozen=True, slots=True)
class Node:
    """One thing. `key` is what it is known by; `title` is for people; `facts` are what else the records say of it.

    `entry` is the id of the ledger entry that says so, empty where none does; `recalled` that of a recall of it.
    """

    kind: NodeKind
    key: str
    title: str
    facts: Mapping[str, Json] = field(default_factory=dict)
    entry: str = ""
    recalled: str = ""

    @property
    def id(self) -> str:
        """What edges name it by."""
        return f"{self.kind.value}:{self.key}"

    def as_json(self) -> dict[str, Json]:
        """Its values by name."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "key": self.key,
            "title": self.title,
            "facts": dict(self.facts),
            "entry": self.entry,
            "recalled": self.recalled,
        }


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` comes from, was decided by, or is licensed under `target`, as `what` says; both are ids of nodes."""

    source: str
    target: str
    what: str
    basis: Basis

    def as_json(self) -> dict[str, Json]:
        """Its values by name."""
        return {"source": self.source, "target": self.target, "what": self.what, "basis": self.basis.value}


@dataclass(frozen=True, slots=True)
class Lineage:
    """A graph. The first node is what was asked about; every other one can be reached from it."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @property
    def root(self) -> Node:
        """What was asked about."""
        return self.nodes[0]

    def of_kind(self, kind: NodeKind) -> tuple[Node, ...]:
        """The nodes of one kind, in the order in which they were reached."""
        return tuple(node for node in self.nodes if node.kind is kind)

    @property
    def licences(self) -> tuple[str, ...]:
        """The licences behind it (SPDX), sorted."""
        return tuple(sorted(node.key for node in self.of_kind(NodeKind.LICENCE)))

    @property
    def gaps(self) -> tuple[str, ...]:
        """What the records do not say, one sentence each."""
        return tuple(node.title for node in self.of_kind(NodeKind.GAP))

    def below(self, node: Node) -> Iterator[tuple[Edge, Node]]:
        """The edges that begin at a node, and where they lead."""
        nodes = {each.id: each for each in self.nodes}
        return ((edge, nodes[edge.target]) for edge in self.edges if edge.source == node.id)

    def as_json(self) -> dict[str, Json]:
        """The whole, for programs."""
        return {
            "version": 1,
            "root": self.root.id,
            "nodes": [node.as_json() for node in self.nodes],
            "edges": [edge.as_json() for edge in self.edges],
            "licences": list(self.licences),
            "gaps": list(self.gaps),
        }


class Drawing:
    """A graph while it is being drawn: each node and each edge once, whatever way leads to it."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._edges: dict[Edge, None] = {}

    def add(self, node: Node) -> bool:
        """Add a node; whether it is new, so that what is behind it has yet to be followed."""
        if node.id in self._nodes:
            return False
        self._nodes[node.id] = node
        return True

    def join(self, source: Node, target: Node, what: str, basis: Basis) -> bool:
        """Add `target` and the edge from `source` to it; whether `target` is new."""
        new = self.add(target)
        self._edges.setdefault(Edge(source.id, target.id, what, basis))
        return new

    def lack(self, source: Node, what: str) -> None:
        """Say what is missing behind `source`: one sentence."""
        self.join(source, Node(NodeKind.GAP, f"{source.id}: {what}", what), "not known", Basis.RECORDED)

    def lineage(self) -> Lineage:
        """What was drawn so far."""
        return Lineage(tuple(self._nodes.values()), tuple(self._edges))
