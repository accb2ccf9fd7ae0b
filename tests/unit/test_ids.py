"""Ids sort by the time they were made at, within one millisecond too."""

from __future__ import annotations

import time
import uuid

from governance.types import new_id


def test_ids_sort_in_the_order_in_which_they_were_made():
    made = []
    for _ in range(200):
        made.append(new_id())
        start = time.time_ns()
        while time.time_ns() - start < 1_000:  # a microsecond: far below the millisecond that their stamp counts
            pass
    assert made == sorted(made)
    assert len(set(made)) == 200


def test_an_id_is_a_uuid_of_version_7():
    found = uuid.UUID(new_id())
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert abs((found.int >> 80) - time.time_ns() // 1_000_000) < 60_000
