"""What the ledger can be asked: filters, pages of answers, and what dashboards count by day.

`governance.traits` says what of an entry is compared with a filter, `governance.terms` how an index finds it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import Final

from governance.canonical import Json
from governance.entries import Entry, EntryKind
from governance.errors import QueryError
from governance.normalise import BREAK, MAX_PROMPT_CHARACTERS, normalise
from governance.types import Outcome, Stage

TOP: Final = 1_000_000
"""The largest score, in millionths."""
MAX_TEXT: Final = 512
"""The most characters of a filter that compares a whole text."""
MAX_WORDS: Final = 32
MAX_RANGES: Final = 8
MAX_MARK_ID: Final = 2**62 - 1
ANY: Final = "any"
SHADOWED: Final = (ANY, "released", "denied", "held", "failed")
"""What entries of shadow mode are asked for by: what enforcement would have made of them, or whatever that is."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
_RANGE = re.compile(r"([^/]+)/(.+):([0-9.]*)\.\.([0-9.]*)")
_SCORE = re.compile(r"[01](?:\.(\d{1,6}))?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class ScoreRange:
    """Scores of one label of one detector, in millionths: `at_least` <= score <= `at_most`, within 0..1000000."""

    detector: str
    label: str
    at_least: int = 0
    at_most: int = TOP

    def __post_init__(self) -> None:
        """Check.

        Raises:
            QueryError: detector or label has no name, or the range holds no score.
        """
        for what, text in (("detector", self.detector), ("label", self.label)):
            _check_text(f"The {what} of a score range", text)
        whole = all(type(edge) is int for edge in (self.at_least, self.at_most))
        if not whole or not 0 <= self.at_least <= self.at_most <= TOP:
            raise QueryError(
                f"No score lies between {self.at_least} and {self.at_most} millionths.",
                remedy=f"Give two whole numbers from 0 to {TOP}, the smaller one first.",
            )

    @classmethod
    def parse(cls, text: str) -> ScoreRange:
        """The range of `nsfw/nsfw:0.2..0.9`: detector, label and two decimal numbers; an edge left out has no limit.

        Raises:
            QueryError: it is written otherwise.
        """
        found = _RANGE.fullmatch(text)
        low, high = (_millionths(found[3] or "0"), _millionths(found[4] or "1")) if found else (None, None)
        if found is None or low is None or high is None:
            raise QueryError(
                f"{text[:MAX_TEXT]!r} is no score range.",
                remedy="Write detector/label:from..to, such as nsfw/nsfw:0.2..0.9, with at most 6 decimals.",
            )
        return cls(found[1], found[2], low, high)

    def holds(self, detector: str, label: str, score: int) -> bool:
        """Whether a score (millionths) is one of these."""
        return (detector, label) == (self.detector, self.label) and self.at_least <= score <= self.at_most


@dataclass(frozen=True, slots=True)
class Query:
    """Filters: an entry is found if every one that is given holds; without any, every entry is.

    - `since` <= the entry's time < `until`, RFC 3339 in UTC;
    - `principal` asked, `reviewer` decided (ids);
    - `purpose` of the request; `model`: a component's digest, the model's, or the class of the pipeline; `adapter`: name
      or digest of a LoRA;
    - `bundle`: the revision that decided, or that came into force; `stage` and `outcome` of the decision; `reason`: a code
      of the decision or of a reviewer; `kind` of the entry;
    - `scores`: for each range a finding within it; `work`: the protected work that a finding is about;
    - `asset`: digest or id of a released file; `watermark`: the mark's id, of `algorithm` if that is given;
    - `subject`: the generation, or whatever else the entry is about;
    - `shadow`: made in shadow mode, and enforcement would have come to this verdict (`released`, `denied`, `held`,
      `failed`), or to `any`;
    - `recalled`: recalls of this: the id of a `released` entry, a model's key, a LoRA's digest, the id of a dataset's audit;
    - `words`: each occurs in a prompt, negative ones included, by the normaliser that policy looks terms up with.
    """

    since: str | None = None
    until: str | None = None
    principal: str | None = None
    reviewer: str | None = None
    purpose: str | None = None
    model: str | None = None
    adapter: str | None = None
    bundle: str | None = None
    stage: Stage | None = None
    outcome: Outcome | None = None
    kind: EntryKind | None = None
    reason: str | None = None
    scores: tuple[ScoreRange, ...] = ()
    asset: str | None = None
    watermark: int | None = None
    algorithm: str | None = None
    subject: str | None = None
    work: str | None = None
    words: str | None = None
    shadow: str | None = None
    recalled: str | None = None

    def __post_init__(self) -> None:
        """Check.

        Raises:
            QueryError: a filter is of no use: empty, too long, not a time, not a mark's id, without a word.
        """
        for name in _TEXTS:
            if (text := getattr(self, name)) is not None:
                _check_text(f"The filter {name}", text)
        for name, kind in (("stage", Stage), ("outcome", Outcome), ("kind", EntryKind), ("shadow", SHADOWED)):
            if getattr(self, name) not in (None, *kind):
                raise QueryError(
                    f"There is no {name} {str(getattr(self, name))[:MAX_TEXT]!r}.", remedy=f"Use {', '.join(kind)}."
                )
        if self.since is not None and self.until is not None and instant(self.since) >= instant(self.until):
            raise QueryError("The time range is empty.", remedy="Let `since` be before `until`.")
        for time in (self.since, self.until):
            if time is not None:
                instant(time)
        if len(self.scores) > MAX_RANGES:
            raise QueryError(f"{len(self.scores)} score ranges are too many.", remedy=f"Give at most {MAX_RANGES}.")
        self._check_mark()
        if self.words is not None:
            self._check_words(self.words)

    @property
    def personal(self) -> bool:
        """Whether it asks for people, or for what they wrote."""
        return any(value is not None for value in (self.principal, self.reviewer, self.words))

    @property
    def wanted_words(self) -> tuple[str, ...]:
        """The words of `words`, normalised, each once, in their likeliest reading."""
        return () if self.words is None else query_words(self.words)

    def as_json(self) -> dict[str, Json]:
        """The filters that are given, by name."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        ranges: list[Json] = [[each.detector, each.label, each.at_least, each.at_most] for each in self.scores]
        plain: dict[str, Json] = {
            name: value for name, value in given.items() if value is not None and name != "scores"
        }
        return {**plain, "scores": ranges} if ranges else plain

    def _check_mark(self) -> None:
        mark = self.watermark
        if mark is not None and (type(mark) is not int or not 0 <= mark <= MAX_MARK_ID):
            raise QueryError(f"{mark!r} is no watermark's id.", remedy="Give the number that an entry names.")
        if self.algorithm is not None and mark is None:
            raise QueryError("An algorithm alone finds no mark.", remedy="Give the watermark's id with it.")

    def _check_words(self, text: str) -> None:
        _check_encoding("The words", text)
        if len(text) > MAX_PROMPT_CHARACTERS or not 1 <= len(query_words(text)) <= MAX_WORDS:
            raise QueryError(
                "There is nothing to look for in these words, or too much.", remedy=f"Give 1 to {MAX_WORDS} words."
            )


_TEXTS: Final = (
    "principal", "reviewer", "purpose", "model", "adapter", "bundle", "reason", "asset", "algorithm", "subject", "work",
    "recalled",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Entries with their indices, oldest first. `next`: ask on `after` it; None where there is nothing more.

    A page may hold fewer than were asked for, or none, and still have `next`: looking has a limit too.
    """

    items: tuple[tuple[int, Entry], ...]
    next: int | None = None


@dataclass(frozen=True, slots=True)
class Rollup:
    """How many entries of a day (UTC) have a value: `name` says what is counted, as in `governance.traits.rollups_of`."""

    day: str
    name: str
    value: str
    entries: int


@lru_cache(maxsize=64)
def query_words(text: str) -> tuple[str, ...]:
    """The normalised words of `text` in their likeliest reading, each once; `Query` asks for each."""
    likely = f"{normalise(text)} ".partition(BREAK)[0]
    return tuple(dict.fromkeys(likely.split()))


def instant(time: str) -> tuple[str, str]:
    """An RFC 3339 time in UTC as something that compares: to the second, and the decimals behind it.

    Raises:
        QueryError: it is no such time.
    """
    parts = _TIME.fullmatch(time) if isinstance(time, str) else None
    try:
        if parts is None:
            raise ValueError(time)
        datetime.fromisoformat(parts[1])
    except ValueError as error:
        raise QueryError(
            f"{str(time)[:MAX_TEXT]!r} is no time.", remedy="Write RFC 3339 in UTC, such as 2026-11-23T00:00:00Z."
        ) from error
    return parts[1], (parts[2] or "").ljust(9, "0")


def check_days(since: str, until: str) -> None:
    """Refuse what is no span of days: `since` <= day < `until`.

    Raises:
        QueryError: one of them is no day, or they are in no order.
    """
    for day in (since, until):
        try:
            if not _DAY.fullmatch(day):
                raise ValueError(day)
            datetime.fromisoformat(day)
        except (TypeError, ValueError) as error:
            raise QueryError(f"{str(day)[:MAX_TEXT]!r} is no day.", remedy="Write it as 2026-11-23.") from error
    if since >= until:
        raise QueryError("The span of days is empty.", remedy="Let the first day be before the one it ends with.")


def check_page(limit: int) -> None:
    """Refuse a page without entries.

    Raises:
        QueryError: `limit` is below 1.
    """
    if limit < 1:
        raise QueryError(f"A page of {limit} entries is no page.", remedy="Ask for at least one.")


def _check_text(what: str, text: object) -> None:
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
        raise QueryError(f"{what} is empty or too long.", remedy=f"Give 1 to {MAX_TEXT} characters.")
    _check_encoding(what, text)


def _check_encoding(what: str, text: object) -> None:
    try:
        str.encode(text)  # type: ignore[arg-type]  # that it is text is what this asks
    except (TypeError, UnicodeEncodeError) as error:
        raise QueryError(f"{what} is no valid text.", remedy="Give valid Unicode.") from error


def _millionths(text: str) -> int | None:
    """A decimal number from 0 to 1 with at most 6 decimals; None for anything else."""
    found = _SCORE.fullmatch(text)
    score = None if found is None else int(text[0]) * TOP + int((found[1] or "").ljust(6, "0"))
    return score if score is not None and score <= TOP else None
