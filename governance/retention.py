"""How long what stands beside the entries of a generation is kept: as long as policy obliges, by `retain_days`.

Each entry of a generation that holds a decision says how many days; the generation is kept until the last of them is
over. Where policy obliges none, it is kept until somebody erases it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from governance.entries import Entry


def kept_until(entries: Iterable[Entry]) -> datetime | None:
    """When what stands beside the entries of one generation is past its time; None where policy set none."""
    return max((moment for entry in entries if (moment := _moment(entry)) is not None), default=None)


def due_day(entry: Entry) -> str | None:
    """The day (UTC, `2026-11-23`) on which the time that this entry says is over; None where it says none."""
    days = _days(entry)
    return _later_day(entry.time[:10], days) if days else None


def _moment(entry: Entry) -> datetime | None:
    days = _days(entry)
    if not days:
        return None
    try:
        return datetime.fromisoformat(entry.time) + timedelta(days=days)
    except (OverflowError, ValueError):
        return None  # beyond the year 9999: nobody waits for that


@lru_cache(maxsize=4096)
def _later_day(day: str, days: int) -> str | None:
    """Remembered: an audit asks this of every entry, and those of a day say the same."""
    try:
        return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
    except (OverflowError, ValueError):
        return None


def _days(entry: Entry) -> int:
    """What the entry obliges: of both decisions where it honours both, else of its own."""
    decision: Any = entry.body.get("decision")
    honoured: Any = entry.body.get("honoured")
    obliged = honoured if isinstance(honoured, Mapping) else None
    if obliged is None and isinstance(decision, Mapping):
        obliged = decision.get("obligations")
    days = obliged.get("retain_days", 0) if isinstance(obliged, Mapping) else 0
    return days if type(days) is int and days > 0 else 0
