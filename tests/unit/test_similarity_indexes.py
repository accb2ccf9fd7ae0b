"""Indexes follow the register: extended where works were added, built anew where the earlier ones no longer stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from governance.canonical import Digest
from governance.works import PDQ_SIGNAL, ImagePrints, WorkAction
from governance_adapters.detectors.similarity.indexes import open_indexes

MODEL = Digest("ab" * 32)
WIDTH = 16
WORKS, HASHES_EACH, VECTORS_EACH = 900, 40, 6
RANDOM = np.random.default_rng(5)


def work(number, action=WorkAction.REVIEW):
    """Prints of both signals of one image."""
    vectors = RANDOM.normal(size=(VECTORS_EACH, WIDTH))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    values = RANDOM.integers(0, 256, (HASHES_EACH, 32), np.uint8).tobytes(), vectors.astype("<f2").tobytes()
    return tuple(
        ImagePrints(
            work_id=f"work-{number}",
            action=action,
            variants=tuple(map(str, range(count))),
            qualities=bytes([100] * count),
            values=value,
        )
        for count, value in zip((HASHES_EACH, VECTORS_EACH), values, strict=True)
    )


class Prints:
    """What `open_indexes` asks a register for; `meanwhile` is added while somebody reads."""

    def __init__(self, works, meanwhile=()):
        self.works, self.meanwhile, self.changes = list(works), list(meanwhile), 0

    @property
    def revision(self):
        return f"{len(self.works)}:{self.changes}"

    def unprinted(self, signal, *, limit):
        return []

    def prints(self, signal):
        self.works += self.meanwhile
        self.meanwhile = []
        return iter([both[signal != PDQ_SIGNAL] for both in self.works])


MANY = [work(number) for number in range(WORKS)]


@pytest.fixture(scope="module")
def before():
    return open_indexes(Prints(MANY), MODEL, WIDTH, None)


def opened(works, before, folder=None):
    return open_indexes(Prints(works), MODEL, WIDTH, folder, before)


def found(indexes, sought):
    """The works that the first hash and the first vector of `sought` are nearest to."""
    hashes, vectors = sought
    ((rows, _),) = indexes.hashes.within(np.frombuffer(hashes.values, np.uint8).reshape(-1, 32)[:1])
    nearest, _ = indexes.vectors.nearest(np.frombuffer(vectors.values, "<f2")[:WIDTH].astype(np.float32), 1)
    hash_rows, vector_rows = indexes.hash_rows, indexes.vector_rows
    return [hash_rows.work_ids[hash_rows.works[row]] for row in rows], vector_rows.work_ids[
        vector_rows.works[nearest[0]]
    ]


def built(indexes):
    return indexes.hashes.built, indexes.vectors.built


def test_works_that_are_added_are_found_without_building_anew(before, tmp_path):
    new = work("new")
    after = opened([*MANY, new], before, tmp_path)
    assert built(after) == built(before) == (WORKS * HASHES_EACH, WORKS * VECTORS_EACH)
    assert found(after, new) == (["work-new"], "work-new")
    assert found(after, MANY[3]) == (["work-3"], "work-3")
    assert not list(tmp_path.iterdir())
    newer = work("newer")
    again = opened([*MANY, new, newer], after)
    assert built(again) == built(before)
    assert (found(again, newer), found(again, new)) == ((["work-newer"], "work-newer"), (["work-new"], "work-new"))


def test_another_action_counts_without_building_anew(before):
    strict = tuple(replace(prints, action=WorkAction.DENY) for prints in MANY[0])
    after = opened([strict, *MANY[1:]], before)
    assert built(after) == built(before)
    assert (after.hash_rows.actions[0], after.vector_rows.actions[0]) == ("deny", "deny")


@pytest.mark.parametrize("place", [0, WORKS // 2, WORKS - 1])
def test_after_a_removal_they_are_built_anew(before, place):
    left = [*MANY[:place], *MANY[place + 1 :]]
    after = opened(left, before)
    assert built(after) == (len(left) * HASHES_EACH, len(left) * VECTORS_EACH)
    assert found(after, MANY[place])[0] == []
    assert found(after, MANY[5]) == (["work-5"], "work-5")


def test_a_work_in_the_place_of_another_is_found(before):
    new = work("new")
    after = opened([*MANY[:7], new, *MANY[8:]], before)
    assert found(after, new) == (["work-new"], "work-new")
    assert found(after, MANY[7])[0] == []


def test_what_changed_during_the_reading_is_not_kept_under_the_older_revision(tmp_path):
    register = Prints(MANY[:2], meanwhile=MANY[2:3])
    assert len(open_indexes(register, MODEL, WIDTH, tmp_path).hash_rows.work_ids) == 3
    assert not list(tmp_path.iterdir())
    open_indexes(register, MODEL, WIDTH, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"hashes.checked", "vectors.checked"}
