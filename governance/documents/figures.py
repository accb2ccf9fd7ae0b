"""What a dataset, or the part of it that a run consumed, holds, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from governance.canonical import Json
from governance.datasets.records import DatasetRecord, Problem, SourceKind
from governance.errors import DocumentError
from governance.types import Outcome


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of records by what is known of them; the same names as in the report of an audit.

    `bytes` of the distinct contents. `licences` by SPDX expression, "" where it is unknown. `domains` are the most frequent
    ones of `domain_count`. `owners` counts different owners. `first` and `last` are RFC 3339 or empty, `undated` records
    without a time of collection. Widths and heights are in pixels, 0 where none is known.
    """

    records: int
    contents: int
    bytes: int
    outcomes: Mapping[str, int]
    licences: Mapping[str, int]
    contracts: Mapping[str, int]
    source_kinds: Mapping[str, int]
    consents: Mapping[str, int]
    synthetic: Mapping[str, int]
    media_types: Mapping[str, int]
    opt_outs: Mapping[str, int]
    personal: Mapping[str, int]
    problems: Mapping[str, int]
    reasons: Mapping[str, int]
    domains: Mapping[str, int]
    domain_count: int
    owners: int
    first: str
    last: str
    undated: int
    widths: tuple[int, int]
    heights: tuple[int, int]

    @classmethod
    def of_report(cls, report: Mapping[str, Json]) -> Figures:
        """The figures of a whole audit (`governance.datasets.report`).

        Raises:
            DocumentError: the report has not the shape of its version.
        """
        value: Any = report
        try:
            collected = value["collected"]
            return cls(
                records=_number(value["records"]),
                contents=_number(value["contents"]),
                bytes=_number(value["bytes"]),
                outcomes=_counts(value["outcomes"]),
                licences={name: _number(each["records"]) for name, each in value["licences"].items()},
                contracts={name: _number(each["records"]) for name, each in value["contracts"].items()},
                source_kinds=_counts(value["source_kinds"]),
                consents=_counts(value["consents"]),
                synthetic=_counts(value["synthetic"]),
                media_types=_counts(value["media_types"]),
                opt_outs=_counts(value["opt_outs"]),
                personal=_counts(value["personal"]),
                problems=_counts(value["problems"]),
                reasons=_counts(value["reasons"]),
                domains=_counts(value["domains"]),
                domain_count=_number(value["domain_count"]),
                owners=_number(value["owners"]),
                first=str(collected["first"] or ""),
                last=str(collected["last"] or ""),
                undated=_number(collected["missing"]) + _number(collected["future"]),
                widths=_span(value["widths"]),
                heights=_span(value["heights"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DocumentError(
                f"The report of the audit cannot be read: {type(error).__name__}: {error}.",
                remedy="A newer version may have written it: upgrade, or audit the dataset again.",
            ) from error

    @classmethod
    def of_records(cls, records: Iterable[DatasetRecord]) -> Figures:
        """The figures of these records: of what a run consumed, for example."""
        counts: dict[str, Counter[str]] = {
            name: Counter()
            for name in (
                "outcomes", "licences", "contracts", "source_kinds", "consents", "synthetic", "media_types", "opt_outs",
                "personal", "problems", "reasons", "domains",
            )
        }  # fmt: skip
        total = undated = 0
        sizes: dict[str, int] = {}
        owners: set[str] = set()
        times: list[str] = []
        widths, heights = _Span(), _Span()
        for record in records:
            total += 1
            if record.content:
                sizes[record.content] = record.size
            if record.owner:
                owners.add(record.owner)
            if record.collected and Problem.FUTURE_TIME not in record.problems:
                times.append(record.collected)
            else:
                undated += 1
            widths.take(record.width)
            heights.take(record.height)
            _count(counts, record)
        return cls(
            records=total,
            contents=len(sizes),
            bytes=sum(sizes.values()),
            domain_count=len(counts["domains"]),
            owners=len(owners),
            first=min(times, default=""),
            last=max(times, default=""),
            undated=undated,
            widths=widths.span,
            heights=heights.span,
            **{name: dict(sorted(counter.items())) for name, counter in counts.items()},
        )

    def of_kind(self, *kinds: SourceKind) -> int:
        """How many records have a source of one of these kinds."""
        return sum(self.source_kinds.get(kind.value, 0) for kind in kinds)

    def of_outcome(self, outcome: Outcome) -> int:
        """How many records policy decided so on."""
        return self.outcomes.get(outcome.value, 0)


class _Span:
    """The least and the greatest of some sizes that are known."""

    def __init__(self) -> None:
        self.span = (0, 0)

    def take(self, size: int) -> None:
        if size > 0:
            low, high = self.span
            self.span = (min(low or size, size), max(high, size))


def _count(counts: Mapping[str, Counter[str]], record: DatasetRecord) -> None:
    counts["outcomes"][record.outcome.value] += 1
    counts["licences"][record.licence] += 1
    counts["source_kinds"][record.source_kind.value] += 1
    counts["consents"][record.consent.value] += 1
    counts["synthetic"][record.synthetic.value] += 1
    counts["media_types"][record.media_type] += 1
    if record.contract:
        counts["contracts"][record.contract] += 1
    if record.domain:
        counts["domains"][record.domain] += 1
    counts["opt_outs"].update(each.value for each in record.opt_outs)
    counts["personal"].update(record.personal)
    counts["problems"].update(each.value for each in record.problems)
    counts["reasons"].update(record.reasons)


def _counts(value: Any) -> dict[str, int]:
    return {str(name): _number(count) for name, count in sorted(value.items())}


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _span(value: Any) -> tuple[int, int]:
    return (_number(value["min"] or 0), _number(value["max"] or 0))
