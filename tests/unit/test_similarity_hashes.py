"""Hashes are found exactly to distance 31; vectors nearly always; and both survive being written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import DetectorError
from governance_adapters.detectors.similarity.hashes import LIMIT, HashIndex
from governance_adapters.detectors.similarity.vectors import VectorIndex

RANDOM = np.random.default_rng(11)
HASHES = RANDOM.integers(0, 256, (5000, 32), np.uint8)
INDEX = HashIndex.build(HASHES)


def turned(value, bits):
    """`value` with these bits turned."""
    turned = np.unpackbits(value)
    turned[list(bits)] ^= 1
    return np.packbits(turned)


@given(st.integers(0, len(HASHES) - 1), st.sets(st.integers(0, 255), max_size=40))
def test_what_is_within_31_bits_is_found_whichever_they_are(row, bits):
    ((rows, distances),) = INDEX.within(turned(HASHES[row], bits)[np.newaxis])
    found = dict(zip(rows.tolist(), distances.tolist(), strict=True))
    assert found.get(row) == (len(bits) if len(bits) <= LIMIT else None)


@given(st.lists(st.sets(st.integers(0, 15), min_size=2, max_size=2), min_size=16, max_size=16), st.integers(0, 15))
def test_the_worst_spread_over_the_pieces_is_found(pairs, spared):
    # Two bits in every piece but one, which has one: nothing but the pigeonhole finds these.
    bits = {16 * piece + bit for piece, pair in enumerate(pairs) for bit in pair}
    bits.remove(16 * spared + min(pairs[spared]))
    assert len(bits) == LIMIT
    ((rows, distances),) = INDEX.within(turned(HASHES[7], bits)[np.newaxis])
    assert (rows.tolist(), distances.tolist()) == ([7], [LIMIT])


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_it_agrees_with_comparing_everything(seed):
    random = np.random.default_rng(seed)
    crowd = np.array(
        [turned(HASHES[0], random.choice(256, int(random.integers(0, 60)), replace=False)) for _ in range(200)]
    )
    seen = turned(HASHES[0], random.choice(256, 10, replace=False))
    distances = np.bitwise_count(crowd ^ seen).sum(axis=1)
    ((rows, near),) = HashIndex.build(crowd).within(seen[np.newaxis])
    expected = {int(row): int(distances[row]) for row in np.flatnonzero(distances <= LIMIT)}
    assert dict(zip(rows.tolist(), near.tolist(), strict=True)) == expected


def test_an_index_of_hashes_survives_being_written():
    again = HashIndex.from_bytes(INDEX.to_bytes(), len(HASHES))
    near = turned(HASHES[3], range(0, 256, 9))[np.newaxis]  # 29 bits, two at most in a piece
    assert again.within(near)[0][0].tolist() == INDEX.within(near)[0][0].tolist() == [3]


def test_another_index_of_hashes_is_refused():
    with pytest.raises(DetectorError):
        HashIndex.from_bytes(INDEX.to_bytes(), len(HASHES) + 1)
    with pytest.raises(DetectorError):
        HashIndex.from_bytes(b"no index at all", 1)


def test_nothing_is_near_in_an_empty_index():
    ((rows, _),) = HashIndex.build(np.empty((0, 32), np.uint8)).within(HASHES[:1])
    assert rows.size == 0
    assert VectorIndex.build(np.empty((0, 48), np.float16)).nearest(np.ones(48, np.float32))[0].size == 0


def unit_vectors(count, width=256, rank=24):
    """Vectors that lie near a plane of few dimensions, as embeddings do."""
    vectors = RANDOM.normal(size=(count, rank)) @ RANDOM.normal(size=(rank, width)) + RANDOM.normal(size=(count, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def near(vector):
    moved = vector.astype(np.float32) + RANDOM.normal(size=vector.shape).astype(np.float32) * 0.02
    return (moved / np.linalg.norm(moved)).astype(np.float32)


VECTORS = unit_vectors(6000)


def test_few_vectors_are_all_compared():
    index = VectorIndex.build(VECTORS[:500])
    seen = near(VECTORS[77])
    rows, cosines = index.nearest(seen, 10)
    exact = VECTORS[:500].astype(np.float32) @ seen
    assert index.to_bytes() == b""
    assert rows.tolist() == np.argsort(-exact, kind="stable")[:10].tolist()
    assert np.allclose(cosines, np.sort(exact)[::-1][:10], atol=1e-5)


@pytest.mark.parametrize("written", [False, True])
def test_many_vectors_are_ranked_by_the_exact_cosine(written):
    index = VectorIndex.build(VECTORS, flat_rows=1000)
    assert index.to_bytes()
    if written:
        index = VectorIndex.from_bytes(VECTORS, index.to_bytes())
    found = 0
    for row in range(0, 6000, 100):
        seen = near(VECTORS[row])
        rows, cosines = index.nearest(seen, 10)
        exact = VECTORS.astype(np.float32) @ seen
        assert rows[0] == row
        assert np.allclose(cosines, exact[rows], atol=1e-5)
        found += len(set(rows.tolist()) & set(np.argsort(-exact)[:10].tolist()))
    assert found >= 0.99 * 600


def test_another_index_of_vectors_is_refused():
    content = VectorIndex.build(VECTORS, flat_rows=1000).to_bytes()
    with pytest.raises(DetectorError):
        VectorIndex.from_bytes(VECTORS[:-1], content)
    with pytest.raises(DetectorError):
        VectorIndex.from_bytes(VECTORS, b"no index at all")


@settings(max_examples=20)
@given(st.integers(0, 300), st.integers(0, 2**32 - 1))
def test_an_extended_index_of_hashes_finds_what_a_new_one_finds(built, seed):
    random = np.random.default_rng(seed)
    crowd = np.array([turned(HASHES[0], random.choice(256, 12, replace=False)) for _ in range(300)])
    extended = HashIndex.build(crowd[:built]).extended(crowd)
    assert (len(extended), extended.built) == (300, built)
    for index in (extended, HashIndex.build(crowd[:built]).extended(crowd[:290]).extended(crowd)):
        found, expected = (
            sorted(zip(*one.within(HASHES[:1])[0], strict=True)) for one in (index, HashIndex.build(crowd))
        )
        assert found == expected


def test_an_extended_index_of_vectors_compares_what_was_added_exactly():
    crowd = RANDOM.normal(size=(600, 64)).astype(np.float16)
    crowd /= np.linalg.norm(crowd.astype(np.float32), axis=1, keepdims=True).astype(np.float16)
    extended = VectorIndex.build(crowd[:500], flat_rows=200).extended(crowd)
    assert (len(extended), extended.built) == (600, 500)
    for row in (0, 499, 500, 599):
        assert extended.nearest(crowd[row].astype(np.float32))[0][0] == row


def test_an_extended_index_of_few_vectors_compares_all():
    crowd = np.eye(64, dtype=np.float16)
    extended = VectorIndex.build(crowd[:3]).extended(crowd)
    assert extended.built == len(extended) == 64
    assert extended.nearest(crowd[63].astype(np.float32))[0][0] == 63
