"""What looks like a picture of a dataset: every hash within 31 bits, and the nearest embeddings, from mapped files."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.canonical import digest
from governance.errors import DatasetChangedError, DatasetError, StorageError
from governance.testing.fake_ledger import FakeLedger
from governance_adapters.datasets.store.hashes import LIMIT, PDQ_FILE, OpenHashes, write_hashes
from governance_adapters.datasets.store.prints import PrintsWriter
from governance_adapters.datasets.store.vectors import COARSE_FILE, FLAT_ROWS, VECTORS_FILE, OpenVectors, write_vectors
from support.audited import audited_dataset, record

BITS = 256


def turned(value, bits):
    """The hash with these bits turned."""
    flat = np.unpackbits(np.frombuffer(value, np.uint8))
    flat[list(bits)] ^= 1
    return np.packbits(flat).tobytes()


def distance(one, other):
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def written(folder, values):
    hashes = np.frombuffer(b"".join(values), np.uint8).reshape(-1, 32)
    write_hashes(folder, hashes, np.arange(0, 2 * len(values), 2, dtype=np.uint32))
    return OpenHashes(folder / PDQ_FILE)


def brute(values, seen):
    near = [(distance(value, seen), 2 * at) for at, value in enumerate(values) if distance(value, seen) <= LIMIT]
    return sorted(near)


def asked(opened, seen):
    places, distances = opened.within(seen)
    return list(zip(distances.tolist(), places.tolist(), strict=True))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.binary(min_size=32, max_size=32), max_size=12),
    st.binary(min_size=32, max_size=32),
    st.lists(st.sets(st.integers(0, BITS - 1), max_size=40), max_size=12),
)
def test_nothing_within_the_limit_is_missed_and_nothing_beyond_is_found(tmp_path, others, seen, turns):
    values = others + [turned(seen, bits) for bits in turns]
    assert asked(written(tmp_path, values), seen) == brute(values, seen)


def test_the_tables_find_what_comparing_everything_finds(tmp_path):
    """Large enough that the tables are a shortcut, with hashes at each distance, spread over the pieces in the worst way."""
    random = np.random.default_rng(7)
    values = [random.bytes(32) for _ in range(20_000)]
    seen = values[11]
    for far in range(45):
        values.append(turned(seen, [16 * (at % 16) + at // 16 for at in range(far)]))  # as even as can be
        values.append(turned(seen, random.choice(BITS, far, replace=False)))
    opened = written(tmp_path, values)
    assert opened._candidates(np.frombuffer(seen, ">u2").astype(np.uint16)) is not None
    assert asked(opened, seen) == brute(values, seen)
    assert sum(far == LIMIT for far, _ in asked(opened, seen)) == 2
    assert asked(opened, bytes(32)) == brute(values, bytes(32)) == []


def test_a_dataset_of_one_picture_is_searched_too(tmp_path):
    values = [bytes(32)] * 5000
    opened = written(tmp_path, values)
    assert opened._candidates(np.zeros(16, np.uint16)) is None
    assert asked(opened, bytes(32)) == [(0, 2 * at) for at in range(5000)]


def test_files_of_hashes_that_were_cut_or_are_others_are_refused(tmp_path):
    written(tmp_path, [bytes(32)] * 3)
    whole = (tmp_path / PDQ_FILE).read_bytes()
    for content in (whole[:-1], whole + b"x", b"another" + whole[7:], whole[:8] + b"\x01" + whole[9:]):
        (tmp_path / PDQ_FILE).write_bytes(content)
        with pytest.raises(DatasetChangedError):
            OpenHashes(tmp_path / PDQ_FILE)
    (tmp_path / PDQ_FILE).write_bytes(b"")
    with pytest.raises(StorageError):
        OpenHashes(tmp_path / PDQ_FILE)
    (tmp_path / PDQ_FILE).unlink()
    with pytest.raises(StorageError):
        OpenHashes(tmp_path / PDQ_FILE)
    with pytest.raises(DatasetError, match="places"):
        write_hashes(tmp_path, np.zeros((2, 32), np.uint8), np.zeros(1, np.uint32))
    with pytest.raises(DatasetError, match="31"):
        written(tmp_path, [bytes(32)]).within(bytes(31))


def units(count, width=96, seed=3):
    """Vectors in clusters, as embeddings are."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(40, width))
    vectors = centres[random.integers(0, 40, count)] + 0.4 * random.normal(size=(count, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("count", [1, 200, FLAT_ROWS + 2000])
def test_the_nearest_embeddings_come_first(tmp_path, count):
    vectors = units(count)
    write_vectors(tmp_path, vectors.astype(np.float16), np.arange(count, dtype=np.uint32) * 3)
    opened = OpenVectors(tmp_path / VECTORS_FILE)
    assert (tmp_path / COARSE_FILE).exists() is (count > FLAT_ROWS)
    found = 0
    for at in range(0, count, max(1, count // 20)):
        places, cosines = opened.nearest(vectors[at], 10)
        assert places[0] == 3 * at
        assert cosines[0] == pytest.approx(1, abs=2e-3)
        assert list(cosines) == sorted(cosines, reverse=True)
        exact = vectors.astype(np.float16).astype(np.float32) @ vectors[at]
        assert np.allclose(cosines, exact[places // 3], atol=1e-5), "the cosines are exact, whichever were found"
        found += len(set(places // 3) & set(np.argsort(-exact)[:10])) / min(10, count)
    asked_for = len(range(0, count, max(1, count // 20)))
    assert found / asked_for > (0.9 if count > FLAT_ROWS else 0.999)


def test_a_coarse_index_that_was_changed_is_refused(tmp_path):
    vectors = units(FLAT_ROWS + 1)
    places = np.arange(len(vectors), dtype=np.uint32)
    write_vectors(tmp_path, vectors.astype(np.float16), places)
    coarse = (tmp_path / COARSE_FILE).read_bytes()
    (tmp_path / COARSE_FILE).write_bytes(coarse[:-1] + bytes([coarse[-1] ^ 1]))
    with pytest.raises(DatasetChangedError, match="not the index"):
        OpenVectors(tmp_path / VECTORS_FILE).nearest(vectors[0], 3)
    (tmp_path / COARSE_FILE).unlink()
    with pytest.raises(StorageError):
        OpenVectors(tmp_path / VECTORS_FILE).nearest(vectors[0], 3)
    (tmp_path / VECTORS_FILE).write_bytes((tmp_path / VECTORS_FILE).read_bytes()[:-1])
    with pytest.raises(DatasetChangedError):
        OpenVectors(tmp_path / VECTORS_FILE)
    with pytest.raises(DatasetError, match="places"):
        write_vectors(tmp_path, vectors.astype(np.float16), places[1:])


def test_prints_are_written_in_the_order_of_the_leaves(tmp_path):
    with PrintsWriter(tmp_path) as prints:
        prints.add(3, bytes(32))
        with pytest.raises(DatasetError, match="behind"):
            prints.add(3, bytes(32))
        with pytest.raises(DatasetError, match="32 bytes"):
            prints.add(4, bytes(31))
        for wrong in (np.zeros(4, np.float32), np.full(4, np.nan, np.float32), np.ones(4, np.float32)):
            with pytest.raises(DatasetError, match="unit vector"):
                prints.add(5 + int(prints._last), None, wrong)
        prints.add(100, None, units(1, 4)[0])
        with pytest.raises(DatasetError, match="unit vector"):
            prints.add(101, None, units(1, 5)[0])
        assert prints.finish() == (1, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [VECTORS_FILE, PDQ_FILE]
    assert asked(OpenHashes(tmp_path / PDQ_FILE), bytes(32)) == [(0, 3)]
    assert OpenVectors(tmp_path / VECTORS_FILE).nearest(units(1, 4)[0], 5)[0].tolist() == [100]


def test_without_prints_there_are_empty_ones(tmp_path):
    with PrintsWriter(tmp_path) as prints:
        assert prints.finish() == (0, 0)
    assert asked(OpenHashes(tmp_path / PDQ_FILE), bytes(32)) == []
    assert not (tmp_path / VECTORS_FILE).exists()
    with pytest.raises(StorageError):
        PrintsWriter(tmp_path / "missing")


@pytest.fixture
def dataset(tmp_path):
    """Twenty contents, even ones with a hash, every third with an embedding."""
    records = [record(number) for number in range(20)]
    contents = sorted(each.content for each in records)
    vectors = units(20, 8)
    prints = {
        content: (bytes([at] * 32) if at % 2 == 0 else None, vectors[at] if at % 3 == 0 else None)
        for at, content in enumerate(contents)
    }
    return audited_dataset(tmp_path, FakeLedger(), records, prints=prints), contents, vectors


def test_a_dataset_is_asked_by_what_its_pictures_look_like(dataset):
    opened, contents, vectors = dataset
    assert opened.hashed
    assert opened.embedded
    (near, *others) = opened.near(bytes([6] * 32))
    assert (near.content, near.index, near.distance) == (contents[6], 6, 0)
    assert all(other.distance > 0 for other in others)
    assert len(opened.near(bytes([6] * 32), 1)) == 1
    (alike, *_) = opened.alike(vectors[9], 3)
    assert (alike.content, alike.index, alike.thousandths) == (contents[9], 9, 1000)
    with pytest.raises(DatasetError, match="32 bytes"):
        opened.near(b"")
    with pytest.raises(DatasetError, match="not compared"):
        opened.alike(vectors[9][:4])


def test_embeddings_of_another_model_are_not_compared(tmp_path):
    with PrintsWriter(tmp_path, digest(b"a model")) as prints:
        prints.add(0, None, units(1, 4)[0])
        prints.finish()
    assert OpenVectors(tmp_path / VECTORS_FILE).model == digest(b"a model")


def test_a_dataset_that_nobody_looked_at_says_so(tmp_path):
    opened = audited_dataset(tmp_path, FakeLedger(), [record(1)])
    assert not opened.hashed
    assert not opened.embedded
    with pytest.raises(DatasetError, match="looked at"):
        opened.near(bytes(32))
    with pytest.raises(DatasetError, match="embedded"):
        opened.alike(np.ones(4, np.float32))


def test_many_threads_search_at_once(dataset):
    opened, contents, vectors = dataset
    failed = []

    def search(at):
        for _ in range(20):
            if opened.alike(vectors[at], 1)[0].content != contents[at] or not opened.near(bytes([2 * at // 2] * 32)):
                failed.append(at)

    threads = [threading.Thread(target=search, args=(at,)) for at in (0, 6, 12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []
