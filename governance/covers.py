"""Ranges as unions of a few values: scores by their first decimals, times by year, month, day and hour.

Each score has one value for each of `SCORE_STEPS`, and each time one for each of `TIME_PLACES`; a cover of a range names
values that together hold all of it, and at its edges a little more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from governance.search import TOP, ScoreRange

MAX_COVER: Final = 30
"""The most spans that a range of scores is covered by; what would take more is covered by longer ones."""
SCORE_STEPS: Final = (100_000, 10_000, 1_000)
"""How many millionths the scores with the same first 1, 2 and 3 decimals span."""
TIME_PLACES: Final = (4, 7, 10, 13)
"""How many characters of an RFC 3339 time say the year, the month, the day and the hour."""

_HOUR: Final = timedelta(hours=1)
_FIRST: Final = datetime.min.replace(tzinfo=UTC)


def score_cover(scores: ScoreRange) -> tuple[tuple[int, int], ...]:
    """Spans (length, beginning, in millionths) that hold every score of the range.

    By 3 decimals, or by 2 where that would take more than `MAX_COVER`.
    """
    fine = tuple(_spans(scores.at_least, scores.at_most, SCORE_STEPS))
    return fine if len(fine) <= MAX_COVER else tuple(_spans(scores.at_least, scores.at_most, SCORE_STEPS[:2]))


def time_cover(since: str | None, until: str | None, years: Iterable[str]) -> tuple[str, ...]:
    """Years, months, days and hours (as far as an RFC 3339 time is written) that hold every time of the range in `years`.

    `since` <= time < `until`, both RFC 3339 in UTC.
    """
    first, last = "" if since is None else since[:13], None if until is None else _last_hour(until)
    found: list[str] = []
    for year in years:
        begin = max(first, f"{year}-01-01T00")
        end = f"{year}-12-31T23" if last is None else min(last, f"{year}-12-31T23")
        if begin <= end:
            found += _periods(_hour(begin), _hour(end))
    return tuple(found)


def _spans(at_least: int, at_most: int, steps: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The longest spans where they fit; the shortest ones reach over the edges."""
    finest = steps[-1]
    at, end = at_least // finest * finest, at_most // finest * finest + finest
    while at < end:
        step = next(step for step in steps if step == finest or (at % step == 0 and _fits(at, step, end)))
        yield step, at
        at += step


def _fits(at: int, step: int, end: int) -> bool:
    """Whether a span ends before `end`; nothing is above the largest score, so its span may reach over."""
    return at + step <= end or at == TOP


def _periods(at: datetime, last: datetime) -> Iterator[str]:
    """The longest periods that fit between two hours, both included."""
    while True:
        place, until = next((place, until) for place, until in _from(at) if until <= last)
        yield at.isoformat()[:place]
        if until >= last:
            return
        at = until + _HOUR


def _from(at: datetime) -> Iterator[tuple[int, datetime]]:
    """Periods that begin with this hour, the longest first, each with its last hour."""
    year, month, day, hour = TIME_PLACES
    if (at.month, at.day, at.hour) == (1, 1, 0):
        yield year, at.replace(month=12, day=31, hour=23)
    if (at.day, at.hour) == (1, 0):
        later = at.replace(day=28) + timedelta(days=4) if at.month < 12 else None
        yield month, at.replace(day=31 if later is None else 28 + 4 - later.day, hour=23)
    if at.hour == 0:
        yield day, at.replace(hour=23)
    yield hour, at


def _last_hour(until: str) -> str:
    """The hour of the last instant before `until`; of the first instant that can be written, one before any other."""
    if until[13:].rstrip("Z").strip(":0."):
        return until[:13]
    whole = _hour(until[:13])
    return (whole - _HOUR).isoformat()[:13] if whole > _FIRST else "0000-00-00T00"


def _hour(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}:00Z")
