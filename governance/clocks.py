"""Clocks that jumped: entries whose time is well before that of an entry that stands before them in the log.

The log orders entries by itself, so a wrong clock makes no proof wrong. But retention, budgets by day, leases and searches by
time go by what the clock said, and a time that was set back may hide when something happened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

TOLERANCE: Final = timedelta(minutes=5)
"""Times are taken before entries are appended, by several machines: so much disorder is no jump."""
_NAMED: Final = 20
"""How many jumps are named one by one."""


@dataclass(slots=True)
class ClockWatch:
    """Looks at the times of entries in the order of the log. `jumps` says where a clock had jumped back, one line each.

    While a clock stays behind, its jump is named once.
    """

    jumps: list[str] = field(default_factory=list)
    uncounted: int = 0
    _latest: str = ""
    _behind: bool = False

    def look(self, index: int, time: str) -> None:
        """The next entry. Times are RFC 3339 in UTC, to the millisecond, so their text is in their order."""
        if time >= self._latest:
            self._latest, self._behind = time, False
            return
        behind = _moment(self._latest) - _moment(time)
        if behind <= TOLERANCE or self._behind:
            return
        self._behind = True
        if len(self.jumps) == _NAMED:
            self.uncounted += 1
            return
        self.jumps.append(
            f"The clock had jumped back when entry {index} was written: its time {time} is {behind} before that of an"
            " earlier entry."
        )

    def lines(self) -> list[str]:
        """What to tell."""
        more = [f"{self.uncounted} more jumps of the clock."] if self.uncounted else []
        return [*self.jumps, *more]


def _moment(time: str) -> datetime:
    try:
        return datetime.fromisoformat(time)
    except ValueError:
        return datetime.fromisoformat("1970-01-01T00:00:00.000Z")  # an entry with such a time is named elsewhere
