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
from tlog_scales.reader import TilesReader
from tlog_scales.tlog import ConsistencyProof, InclusionProof

from governance.errors import ProofError
from governance.merkle import (
    EMPTY_ROOT,
    TILE_WIDTH,
    Frontier,
    Tree,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)
from support.real import require

LEAVES = [leaf_hash(b"leaf %d" % number) for number in range(600)]
SIZES = range(131)


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


def test_the_published_inclusion_vectors_hold():
    cases = vectors()["inclusion"]
    assert len(cases) == 86
    for case in cases:
        proof = [decoded(node) for node in case["proof"] or ()]
        arguments = decoded(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, decoded(case["root"])
        assert holds(verify_inclusion, *arguments) is not case["wantErr"], case["case"]


def test_the_published_consistency_vectors_hold():
    cases = vectors()["consistency"]
    assert len(cases) == 98
    for case in cases:
        proof = [decoded(node) for node in case["proof"] or ()]
        arguments = case["size1"], case["size2"], proof, decoded(case["root1"]), decoded(case["root2"])
        assert holds(verify_consistency, *arguments) is not case["wantErr"], case["case"]


def test_roots_and_inclusion_proofs_agree_with_others_for_every_size():
    for size in SIZES:
        tree, leaves = tree_of(size), LEAVES[:size]
        assert tree.root() == tamperlog.merkle_root(leaves)
        for index in range(0, size, 1 if size < 40 else 7):
            proof = tree.inclusion_proof(index)
            assert list(proof) == tamperlog.inclusion_proof(index, leaves)
            InclusionProof(index, size, list(proof)).check(leaves[index], tree.root())
            verify_inclusion(leaves[index], index, size, proof, tree.root())


def test_consistency_proofs_agree_with_others_for_every_size():
    for size in SIZES:
        tree = tree_of(size)
        for old in range(1, size + 1, 1 if size < 40 else 7):
            proof = tree.consistency_proof(old)
            assert list(proof) == tamperlog.consistency_proof(old, LEAVES[:size])
            ConsistencyProof(old, size, list(proof)).check(tree.root(old), tree.root())
            verify_consistency(old, size, proof, tree.root(old), tree.root())


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


def test_another_implementation_reads_the_tiles_of_a_tree_of_three_levels():
    size = TILE_WIDTH**2 + 300
    tree = Tree(0, no_tile)
    leaves = [hashlib.sha256(number.to_bytes(4)).digest() for number in range(size)]
    tree.extend(leaves)
    assert {level for level, _ in tree.changed} == {0, 1, 2}
    reader = TilesReader(TileFiles(dict(tree.changed)))
    reader.set_size(size)
    assert reader.calculate_root_hash() == tree.root()
    for index in (0, 255, 256, TILE_WIDTH**2 - 1, TILE_WIDTH**2, size - 1):
        assert reader.get_inclusion_proof(index, size).node_hashes == list(tree.inclusion_proof(index))


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
