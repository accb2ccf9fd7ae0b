"""Clocks that jumped back: named once a jump, and ordinary disorder never."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from governance.clocks import TOLERANCE, clock_jumps

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def text(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def disordered(minutes):
    """What a ledger says of entries that were written so many minutes after noon."""
    times = [text(NOON + timedelta(minutes=each)) for each in minutes]
    latest = itertools.accumulate(times, max)
    return [
        (index, time, before)
        for (index, time), before in zip(enumerate(times[1:], start=1), latest, strict=False)
        if time < before
    ]


def test_a_clock_that_was_set_back_is_named_once_with_the_entry_and_by_how_much():
    (line,) = clock_jumps(disordered([0, 1, -119, -118, -117, 2, 3]))
    assert "entry 2" in line
    assert "2:00:00" in line


def test_each_jump_is_named():
    assert len(list(clock_jumps(disordered([0, -60, 1, -60, 2])))) == 2


def test_so_many_jumps_are_counted():
    *_, last = clock_jumps(disordered([each for number in range(30) for each in (number, number - 60)]))
    assert last == "The clock jumped back 10 more times."


def test_what_is_no_time_is_no_crash():
    assert list(clock_jumps([(1, "yesterday", text(NOON)), (2, "2026-11-30", text(NOON + timedelta(days=1)))]))


@given(st.lists(st.integers(0, int(TOLERANCE.total_seconds()) // 60)))
def test_disorder_within_the_tolerance_is_no_jump(minutes):
    assert list(clock_jumps(disordered(minutes))) == []
