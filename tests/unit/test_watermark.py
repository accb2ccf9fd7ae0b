from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import ConfigurationError, MarkError
from governance.watermark import CHECK_BITS, MarkKey, id_bits, require_payload

KEY = MarkKey(bytes(range(32)))
OTHER = MarkKey(bytes(range(1, 33)))
ALGORITHM = "org.example.mark.1"

widths = st.sampled_from(sorted(CHECK_BITS))
secrets = st.binary(min_size=32, max_size=64)


@st.composite
def numbers(draw):
    bits = draw(widths)
    return bits, draw(st.integers(0, (1 << id_bits(bits)) - 1))


@given(secrets, numbers(), st.text(max_size=40))
def test_a_payload_leads_back_to_its_counter(secret, number, algorithm):
    key, (bits, counter) = MarkKey(secret), number
    payload = key.payload(counter, bits, algorithm)
    assert 0 <= payload < 1 << bits
    mark_id = key.id_of(payload, bits, algorithm)
    assert mark_id == payload >> CHECK_BITS[bits] == key.permute(counter, bits, algorithm)
    assert key.counter_of(mark_id, bits, algorithm) == counter


def test_the_permutation_of_20_bits_is_a_bijection_of_a_whole_block():
    # 2^14 consecutive counters: distinct ids, each inverted; a non-bijective network repeats among so many.
    ids = {KEY.permute(counter, 32, ALGORITHM) for counter in range(1 << 14)}
    assert len(ids) == 1 << 14
    assert max(ids) < 1 << 20


@given(st.sets(st.integers(0, 2**40 - 1), min_size=2, max_size=50))
def test_no_two_counters_share_an_id(counters):
    assert len({KEY.permute(counter, 64, ALGORITHM) for counter in counters}) == len(counters)


def test_ids_do_not_count():
    ids = [KEY.permute(counter, 64, ALGORITHM) for counter in range(200)]
    assert sum(later > earlier for earlier, later in pairwise(ids)) in range(70, 130)
    assert {mark_id >> 36 for mark_id in ids} == set(range(16))


@given(numbers(), st.data())
def test_one_wrong_bit_fails_the_check(number, data):
    bits, counter = number
    payload = KEY.payload(counter, bits, ALGORITHM)
    flipped = payload ^ 1 << data.draw(st.integers(0, CHECK_BITS[bits] - 1))
    assert KEY.id_of(flipped, bits, ALGORITHM) is None


def test_random_numbers_pass_as_rarely_as_promised():
    passed = sum(KEY.id_of(i * 2654435761 % 2**32, 32, ALGORITHM) is not None for i in range(40_000))
    assert 1 <= passed <= 25  # 9.8 expected
    assert not any(KEY.id_of(i * 0x9E3779B97F4A7C15 % 2**64, 64, ALGORITHM) for i in range(40_000))


def test_payloads_are_bound_to_key_algorithm_and_width():
    payload = KEY.payload(5, 64, ALGORITHM)
    assert OTHER.id_of(payload, 64, ALGORITHM) is None
    assert KEY.id_of(payload, 64, "org.example.mark.2") is None
    assert KEY.permute(5, 64, ALGORITHM) != KEY.permute(5, 64, "org.example.mark.2")
    assert KEY.permute(5, 64, ALGORITHM) >> 20 != KEY.permute(5, 32, ALGORITHM)


@pytest.mark.parametrize("payload", [-1, 1 << 64, 1 << 200])
def test_what_is_no_payload_has_no_id(payload):
    assert KEY.id_of(payload, 64, ALGORITHM) is None
    with pytest.raises(MarkError, match="64 bits"):
        require_payload(payload, 64)


@pytest.mark.parametrize(("counter", "bits"), [(1 << 40, 64), (1 << 20, 32), (-1, 64), (0, 48)])
def test_counters_that_do_not_fit_are_refused(counter, bits):
    with pytest.raises(MarkError):
        KEY.payload(counter, bits, ALGORITHM)


def test_known_payloads():
    # Marks outlive releases: these values must never change.
    assert KEY.key_id == "9fd642ea1b0ebbbc"
    assert KEY.payload(0, 64, "org.diffusion-governance.tiled.1") == 0x9757B864F08D45DF
    assert KEY.payload(1, 64, "org.diffusion-governance.tiled.1") == 0xD09B6E82F0D1A893
    assert KEY.payload(0, 32, "org.diffusion-governance.dwtdctsvd.1") == 0x60633654
    assert KEY.derive("purpose", 8).hex() == "246c0a47c6a1523a"


def test_a_key_is_named_without_being_shown():
    assert KEY.key_id != OTHER.key_id
    assert len(KEY.key_id) == 16
    assert KEY.secret.hex() not in repr(KEY)
    assert repr(KEY.secret) not in repr(KEY)


def test_short_secrets_are_refused_and_generated_ones_differ():
    with pytest.raises(ConfigurationError, match="32 bytes, not 31"):
        MarkKey(bytes(31))
    assert MarkKey.generate() != MarkKey.generate()


@given(st.text(max_size=20), st.text(max_size=20), st.integers(16, 64))
def test_derived_bytes_differ_by_purpose(one, other, length):
    assert len(KEY.derive(one, length)) == length
    assert (KEY.derive(one, length) == KEY.derive(other, length)) == (one == other)
    assert KEY.derive(one, length) != OTHER.derive(one, length)
