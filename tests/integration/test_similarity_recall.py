"""The table of `benchmarks/recall.py` on real photographs, at the thresholds of the shipped bundle."""

from __future__ import annotations

import pytest

from benchmarks.recall import CHANGES, as_table, measure

FLOORS = {
    # change: copy, derivative, any
    "nothing": (1.0, 1.0, 1.0),
    "resize to 40 %": (0.95, 1.0, 1.0),
    "JPEG 40": (0.95, 1.0, 1.0),
    "crop 80, centre": (0.95, 1.0, 1.0),
    "crop 80, off centre": (0.0, 1.0, 1.0),
    "crop 50, centre": (0.95, 0.95, 1.0),
    "crop 50, off centre": (0.0, 0.9, 0.9),
    "flip": (0.95, 1.0, 1.0),
    "rotate 10": (0.95, 1.0, 1.0),
    "rotate 10, cut to 75 %": (0.0, 0.95, 0.95),
    "rotate -7": (0.3, 0.95, 0.95),
    "hue by 60 degrees": (0.75, 0.85, 0.95),
    "blur, sigma 3": (0.85, 0.6, 0.9),
    "text": (0.1, 0.75, 0.75),
    "frame": (0.95, 0.95, 1.0),
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    made = measure(tmp_path_factory.mktemp("home"))
    print(f"\n{as_table(made)}")
    return {row.change: row for row in made}


def test_every_change_has_a_floor():
    assert list(FLOORS) == list(CHANGES)


@pytest.mark.parametrize("change", FLOORS)
def test_copies_are_found(rows, change):
    row, (copy, derivative, either) = rows[change], FLOORS[change]
    assert row.found["copy"] >= copy
    assert row.found["derivative"] >= derivative
    assert row.any >= either


def test_no_photograph_is_taken_for_another(rows):
    assert {change: row.false_alarms for change, row in rows.items()} == dict.fromkeys(CHANGES, 0)
