"""The tree against the published vectors, two independent implementations, and its own laws."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tamperlog import merkle as tamperlog
from tamperlog.errors import ProofError as TamperlogProofError
from tlog_scales.reader import TilesReader
from tlog_scales.tlog import ConsistencyProof, ConsistencyProofInvalid, InclusionProof, InclusionProofInvalid

from governance.errors import ProofError
from governance.merkle import (
    EMPTY_ROOT,
    TILE_WIDTH,
    Frontier,
    Tree,
    folded,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)
from support.real import require

LEAVES = [leaf_hash(b"leaf %d" % number) for number in range(600)]
SIZES = range(301)
LARGE = 70_000
"""A tree of three levels of tiles."""
EVERY = 40
"""Up to this size every index and every earlier size is compared; above, the ends and every seventh."""


@cache
def tree_of(size):
    tree = Tree(0, no_tile)
    tree.extend(LEAVES[:size])
    return tree


def no_tile(_level, _number):
    return b""


def vectors():
    folder = os.environ.get("GOVERNANCE_TEST_VECTORS")
    require(
        "vectors",
        folder,
        "set GOVERNANCE_TEST_VECTORS to a folder with merkle.json; published vectors were not checked",
    )
    return json.loads((Path(folder) / "merkle.json").read_text())


def decoded(text):
    return base64.b64decode(text) if text else b""


def holds(verify, *arguments):
    try:
        verify(*arguments)
    except ProofError:
        return False
    return True


def test_the_published_inclusion_vectors_hold(figure):
    cases = vectors()["inclusion"]
    assert len(cases) == 86
    figure(f"{len(cases)} published inclusion vectors, {sum(case['wantErr'] for case in cases)} of them to be refused")
    for case in cases:
        proof = [decoded(node) for node in case["proof"] or ()]
        arguments = decoded(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, decoded(case["root"])
        assert holds(verify_inclusion, *arguments) is not case["wantErr"], case["case"]


def test_the_published_consistency_vectors_hold(figure):
    cases = vectors()["consistency"]
    assert len(cases) == 98
    figure(
        f"{len(cases)} published consistency vectors, {sum(case['wantErr'] for case in cases)} of them to be refused"
    )
    for case in cases:
        proof = [decoded(node) for node in case["proof"] or ()]
        arguments = case["size1"], case["size2"], proof, decoded(case["root1"]), decoded(case["root2"])
        assert holds(verify_consistency, *arguments) is not case["wantErr"], case["case"]


class TileFiles:
    """Our tiles as tlog-scales reads them: by the path of C2SP tlog-tiles."""

    def __init__(self, tiles):
        self.tiles = tiles

    def get(self, *path):
        kind, level, *number = path
        width = TILE_WIDTH
        if number[-2:] and number[-2:][0].endswith(".p"):
            width = int(number.pop())
        number = int("".join(part.removeprefix("x").removesuffix(".p") for part in number))
        tile = self.tiles.get((int(level), number), b"") if kind == "tile" else b""
        return tile[: width * 32] if len(tile) >= width * 32 else None


def of_others(size, leaves, tree):
    """The same tree as `tlog-scales` reads it from our tiles."""
    reader = TilesReader(TileFiles(dict(tree.changed)))
    reader.set_size(size)
    assert reader.calculate_root_hash() == tree.root() == tamperlog.merkle_root(leaves)
    return reader


def some(count):
    """Of `count` numbers from 0: all if there are few, else both ends and every seventh."""
    return range(count) if count <= EVERY else sorted({0, 1, count - 2, count - 1, *range(0, count, 7)})


def same_inclusion(tree, leaves, reader, index):
    """The one proof that all three make, which all three accept and refuse for another leaf."""
    size, root = tree.size, tree.root()
    proof = tree.inclusion_proof(index)
    assert (
        list(proof) == tamperlog.inclusion_proof(index, leaves) == reader.get_inclusion_proof(index, size).node_hashes
    )
    InclusionProof(index, size, list(proof)).check(leaves[index], root)
    tamperlog.verify_inclusion(index, size, leaves[index], list(proof), root)
    verify_inclusion(leaves[index], index, size, proof, root)
    other = leaf_hash(b"another")
    assert not holds(verify_inclusion, other, index, size, proof, root)
    with pytest.raises(TamperlogProofError):
        tamperlog.verify_inclusion(index, size, other, list(proof), root)
    with pytest.raises(InclusionProofInvalid):
        InclusionProof(index, size, list(proof)).check(other, root)


def same_consistency(tree, leaves, reader, old):
    """The one proof that all three make, which all three accept and refuse for another earlier root."""
    size, root, old_root = tree.size, tree.root(), tree.root(old)
    proof = tree.consistency_proof(old)
    assert (
        list(proof) == tamperlog.consistency_proof(old, leaves) == reader.get_consistency_proof(old, size).node_hashes
    )
    ConsistencyProof(old, size, list(proof)).check(old_root, root)
    tamperlog.verify_consistency(old, old_root, size, root, list(proof))
    verify_consistency(old, size, proof, old_root, root)
    other = leaf_hash(b"another")
    assert not holds(verify_consistency, old, size, proof, other, root)
    with pytest.raises(TamperlogProofError):
        tamperlog.verify_consistency(old, other, size, root, list(proof))
    with pytest.raises(ConsistencyProofInvalid):
        ConsistencyProof(old, size, list(proof)).check(other, root)


def test_two_others_agree_on_roots_and_proofs_of_every_size(figure):
    inclusions = consistencies = 0
    for size in SIZES:
        tree, leaves = tree_of(size), LEAVES[:size]
        reader = of_others(size, leaves, tree)
        for index in some(size):
            same_inclusion(tree, leaves, reader, index)
            inclusions += 1
        for old in some(size):
            same_consistency(tree, leaves, reader, old + 1)
            consistencies += 1
    figure(
        f"tamperlog and tlog-scales agree on {len(SIZES)} trees of 0 to {SIZES[-1]} leaves: "
        f"{inclusions} inclusion and {consistencies} consistency proofs, each refused for another leaf or root"
    )


def test_two_others_agree_on_a_tree_of_three_levels(figure):
    tree = Tree(0, no_tile)
    leaves = [hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(LARGE)]
    tree.extend(leaves)
    # The example of C2SP tlog-tiles, section "Partial Tiles".
    widths = {level: [len(tree.changed[at]) // 32 for at in tree.changed if at[0] == level] for level in range(3)}
    assert widths == {0: [256] * 273 + [112], 1: [256, 17], 2: [1]}
    reader = of_others(LARGE, leaves, tree)
    indices = (0, 1, 255, 256, 4_095, 65_535, 65_536, 65_537, 69_887, 69_888, LARGE - 1)
    for index in indices:
        same_inclusion(tree, leaves, reader, index)
        same_consistency(tree, leaves, reader, index + 1)
    figure(f"tamperlog and tlog-scales agree on {LARGE} leaves: {len(indices)} inclusion and consistency proofs each")


@settings(deadline=None)
@given(st.lists(st.integers(0, 300), max_size=4), st.booleans())
def test_growing_in_steps_over_stored_tiles_is_growing_at_once(steps, settle):
    tiles = {}
    tree = Tree(0, lambda level, number: tiles[level, number])
    for step in steps:
        tree.extend(LEAVES[tree.size : tree.size + step])
        tiles.update(tree.changed)
        if settle:
            tree.settle()
        else:
            tree = Tree(tree.size, lambda level, number: tiles[level, number])
    assert tree.root() == tree_of(tree.size).root()
    assert tiles == dict(tree_of(tree.size).changed)


@settings(deadline=None)
@given(st.integers(1, 600), st.data())
def test_every_proof_verifies_and_none_survives_a_change(size, data):
    tree = tree_of(size)
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    at_size = data.draw(st.integers(index + 1, size))
    proof = tree.inclusion_proof(index, at_size)
    verify_inclusion(LEAVES[index], index, at_size, proof, tree.root(at_size))
    between = tree.consistency_proof(old)
    verify_consistency(old, size, between, tree.root(old), tree.root())
    assert not holds(verify_inclusion, LEAVES[index], index, at_size, (*proof, LEAVES[0]), tree.root(at_size))
    assert not holds(verify_inclusion, LEAVES[index - 1], index, at_size, proof, tree.root(at_size)) or at_size == 1
    assert not holds(verify_consistency, old, size, (*between, LEAVES[0]), tree.root(old), tree.root())
    for path, check in (
        (proof, lambda path: verify_inclusion(LEAVES[index], index, at_size, path, tree.root(at_size))),
        (between, lambda path: verify_consistency(old, size, path, tree.root(old), tree.root())),
    ):
        if path:
            place = data.draw(st.integers(0, len(path) - 1))
            changed = bytes([path[place][0] ^ 1]) + path[place][1:]
            assert not holds(check, (*path[:place], changed, *path[place + 1 :]))
            assert not holds(check, path[:-1])


@given(st.integers(0, 600))
def test_the_frontier_knows_every_root(size):
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.append(leaf)
    assert (frontier.size, frontier.root()) == (size, tree_of(size).root())


@given(st.integers(0, 600))
def test_the_frontier_takes_whole_tiles_at_once(size):
    frontier = Frontier()
    whole = size - size % 256
    for at in range(0, whole, 256):
        tile = Tree(0, no_tile)
        tile.extend(LEAVES[at : at + 256])
        assert frontier.append_tile(LEAVES[at : at + 256]) == tile.root()
    for leaf in LEAVES[whole:size]:
        frontier.append(leaf)
    assert (frontier.size, frontier.root()) == (size, tree_of(size).root())


@given(st.integers(0, 600), st.integers(0, 600))
def test_a_frontier_goes_on_behind_the_peaks_that_tiles_have(first, more):
    first -= first % 256
    before, frontier = tree_of(first).peaks(), Frontier()
    for leaf in LEAVES[first : first + min(more, 256)]:  # no more than what stands before, so that no subtree is larger
        frontier.append(leaf)
    assert frontier.root(before) == folded((*before, *frontier.peaks)) == tree_of(first + frontier.size).root()


@given(st.integers(0, 2))
def test_a_frontier_takes_the_roots_of_whole_tiles(tiles):
    frontier = Frontier()
    for at in range(0, tiles * 256, 256):
        tile = Tree(0, no_tile)
        tile.extend(LEAVES[at : at + 256])
        frontier.append_root(tile.root())
    assert frontier.root() == tree_of(tiles * 256).root()
    assert frontier.peaks == tree_of(tiles * 256).peaks()
    frontier.append(LEAVES[0])
    with pytest.raises(ProofError):
        frontier.append_root(LEAVES[0])


@pytest.mark.parametrize(("before", "leaves"), [(0, 255), (0, 257), (0, 0), (1, 256), (255, 256)])
def test_what_is_no_whole_tile_is_refused_as_one(before, leaves):
    frontier = Frontier()
    for leaf in LEAVES[:before]:
        frontier.append(leaf)
    with pytest.raises(ProofError):
        frontier.append_tile(LEAVES[:leaves])
    assert frontier.size == before


def test_hashes_are_those_of_the_standard():
    assert hashlib.sha256().digest() == EMPTY_ROOT
    assert leaf_hash(b"x") == hashlib.sha256(b"\0x").digest()
    assert node_hash(LEAVES[0], LEAVES[1]) == hashlib.sha256(b"\1" + LEAVES[0] + LEAVES[1]).digest()


@pytest.mark.parametrize(
    "call",
    [
        lambda: Tree(-1, no_tile),
        lambda: Tree(True, no_tile),
        lambda: Tree(1, no_tile).root(),
        lambda: Tree(300, lambda _level, _number: LEAVES[0]).root(),
        lambda: tree_of(5).root(6),
        lambda: tree_of(5).root(-1),
        lambda: tree_of(5).inclusion_proof(5),
        lambda: tree_of(5).inclusion_proof(-1),
        lambda: tree_of(5).inclusion_proof(1.0),
        lambda: tree_of(0).inclusion_proof(0),
        lambda: tree_of(5).consistency_proof(6),
        lambda: tree_of(5).consistency_proof(0),
        lambda: tree_of(5).consistency_proof(-1),
        lambda: Tree(0, no_tile).extend([b"short"]),
        lambda: verify_inclusion(LEAVES[0], 0, 0, (), EMPTY_ROOT),
        lambda: verify_inclusion(LEAVES[0], -1, 1, (), LEAVES[0]),
        lambda: verify_inclusion(LEAVES[0], False, 1, (), LEAVES[0]),
        lambda: verify_inclusion(b"short", 0, 1, (), b"short"),
        lambda: verify_inclusion(LEAVES[0], 0, 2, (b"short",), LEAVES[0]),
        lambda: verify_consistency(2, 1, (), LEAVES[0], LEAVES[0]),
        lambda: verify_consistency(-1, 1, (), LEAVES[0], LEAVES[0]),
        lambda: verify_consistency(0, 1, (), EMPTY_ROOT, LEAVES[0]),
        lambda: verify_consistency(1, 1, (), LEAVES[0], LEAVES[1]),
        lambda: verify_consistency(1, 2, (b"short",), LEAVES[0], LEAVES[0]),
        lambda: verify_consistency(3, 5, (), LEAVES[0], LEAVES[0]),
    ],
)
def test_arguments_out_of_range_are_refused(call):
    with pytest.raises(ProofError):
        call()


def test_a_settled_tree_stays_small_and_needs_no_reader():
    tiles = {}
    tree = Tree(0, no_tile)
    for start in range(0, 600, 50):
        tree.extend(LEAVES[start : start + 50])
        tiles.update(tree.changed)
        for index in range(start, start + 50):
            verify_inclusion(LEAVES[index], index, tree.size, tree.inclusion_proof(index), tree.root())
        tree.settle()
        assert not tree.changed
    edge = Tree(600, lambda level, number: tiles[level, number])
    edge.load_edge()
    tiles.clear()
    edge.extend(LEAVES[:7])
    assert edge.root() == tamperlog.merkle_root(LEAVES + LEAVES[:7])
