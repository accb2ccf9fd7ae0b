"""Clocks that jumped: entries whose time is well before that of an entry that stands before them in the log.

The log orders entries by itself, so a wrong clock makes no proof wrong. But retention, budgets by day, leases and searches by
time go by what the clock said, and a time that was set back may hide when something happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

TOLERANCE: Final = timedelta(minutes=5)
"""Times are taken before entries are appended, by several machines: so much disorder is no jump."""
_NAMED: Final = 20
"""How many jumps are named one by one."""


def clock_jumps(disordered: Iterable[tuple[int, str, str]]) -> Iterator[str]:
    """One line per jump, a few at most, then how many more there are.

    `disordered` are the entries whose time is before that of an earlier one, in the order of the log: the index, its own
    time and the latest time before it (RFC 3339 in UTC). While a clock stays behind one time, its jump is named once.
    """
    seen, more = "", 0
    for index, time, latest in disordered:
        behind = _moment(latest) - _moment(time)
        if behind <= TOLERANCE or latest == seen:
            continue
        seen, more = latest, more + 1
        if more <= _NAMED:
            yield (
                f"The clock had jumped back when entry {index} was written: its time {time} is {behind} before that of an"
                " earlier entry."
            )
    if more > _NAMED:
        yield f"The clock jumped back {more - _NAMED} more times."


def _moment(time: str) -> datetime:
    """A time; the beginning of time for what is none, which is named where entries are read."""
    try:
        found = datetime.fromisoformat(time)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
