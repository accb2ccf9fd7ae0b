"""The checksum over a model's memory: equal for equal bytes, and for no other bytes that a test could think of."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from governance_adapters.pipelines.description.checksums import memory_checksum

BLOCK = 4096 * 4
"""Bytes that are summed together."""
sizes = st.sampled_from([0, 1, 3, 4, 7, BLOCK - 1, BLOCK, BLOCK + 5, 9 * BLOCK, (64 << 10) - 1, (64 << 10) + 3])
contents = st.lists(st.tuples(sizes, st.integers(0, 2**32 - 1)), max_size=4).map(
    lambda drawn: [np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8) for size, seed in drawn]
)


def storages(arrays):
    return [torch.from_numpy(array.copy()).untyped_storage() for array in arrays]


def of(*arrays):
    return memory_checksum(storages(arrays))


@given(contents)
def test_equal_bytes_have_equal_checksums(arrays):
    assert of(*arrays) == of(*arrays)


@given(contents, st.data())
def test_one_changed_bit_is_seen_wherever_it_lies(arrays, data):
    changeable = [index for index, array in enumerate(arrays) if len(array)]
    if changeable:
        before, index = of(*arrays), data.draw(st.sampled_from(changeable))
        place, bit = data.draw(st.integers(0, len(arrays[index]) - 1)), data.draw(st.integers(0, 7))
        arrays[index][place] ^= 1 << bit
        assert of(*arrays) != before


@given(contents, st.data())
def test_two_words_that_change_places_are_seen(arrays, data):
    arrays = [array[: len(array) // 8 * 8].view(np.uint64) for array in arrays]
    changeable = [index for index, array in enumerate(arrays) if len(array) > 1]
    if changeable:
        before, index = of(*arrays), data.draw(st.sampled_from(changeable))
        place = st.integers(0, len(arrays[index]) - 1)
        one, other = data.draw(place), data.draw(place)
        changed = arrays[index][one] != arrays[index][other]
        arrays[index][[one, other]] = arrays[index][[other, one]]
        assert (of(*arrays) != before) == changed


@given(contents.filter(bool))
def test_the_same_bytes_in_other_storages_are_seen(arrays):
    assert of(np.concatenate(arrays)) != of(*arrays, np.zeros(0, np.uint8))
    if len(arrays) > 1 and not np.array_equal(arrays[0], arrays[1]):
        assert of(*arrays) != of(arrays[1], arrays[0], *arrays[2:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_signs_that_change_places_are_seen(dtype):
    """The highest bit of a word is what a plain sum of products loses first."""
    values = torch.rand(3 * 4096, generator=torch.Generator().manual_seed(0)).to(dtype)
    seen = {memory_checksum([values.untyped_storage()])}
    for first in range(0, 64, 2):
        changed = values.clone()
        changed[[first, first + 1, first + 4096, first + 4097]] *= -1
        seen.add(memory_checksum([changed.untyped_storage()]))
    assert len(seen) == 33


@pytest.mark.parametrize("threads", [2, 3])
def test_how_many_threads_sum_makes_no_difference(threads):
    large = np.random.default_rng(1).integers(0, 256, (70 << 20) + 5, dtype=np.uint8)
    before, alone = torch.get_num_threads(), of(large, large[:100])
    try:
        torch.set_num_threads(threads)
        assert of(large, large[:100]) == alone
        large[-1] ^= 1
        assert of(large, large[:100]) != alone
    finally:
        torch.set_num_threads(before)


def test_the_memory_that_it_needs_does_not_grow_with_what_is_summed():
    from torch.profiler import ProfilerActivity, profile

    def largest(size):
        storage = torch.zeros(size, dtype=torch.uint8).untyped_storage()
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
            memory_checksum([storage])
        return max(event.cpu_memory_usage for event in profiled.events())

    assert largest(32 << 20) < 2 * (1 << 20)
