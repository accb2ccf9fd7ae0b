"""What several documents derive from the same records: sums over datasets, yes and no, and who says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from governance.canonical import Json
from governance.datasets.records import SourceKind, Synthetic
from governance.documents.answers import NO, NOT_APPLICABLE, YES, Reply, found, lacking, partly
from governance.documents.figures import Figures
from governance.documents.sources import DatasetSource, How, Sources, Use
from governance.registers.items import RegisteredModel
from governance.types import Outcome

REGISTER_DATASETS: Final = (
    "Train it with `govern_training`, or name its datasets in the register: `governance registers change`."
)
AUDIT_DATASETS: Final = "Audit each dataset: `governance dataset audit`."
STATE_SOURCES: Final = "State the column `source_kind` for every record, and audit the dataset again."


def known_uses(sources: Sources) -> Reply | None:
    """None where it is known which datasets went in and each has figures; else the gap that every question about them has."""
    if not sources.uses:
        return lacking("No record names a dataset that went into it.", REGISTER_DATASETS)
    missing = [use.name for use in sources.uses if use.figures is None]
    if missing:
        return lacking(f"No audit is recorded of {', '.join(missing)}.", AUDIT_DATASETS)
    return None


def entries_of(sources: Sources) -> tuple[str, ...]:
    """The ids of all entries that say what went in."""
    return tuple(dict.fromkeys(entry for use in sources.uses for entry in use.entries))


def figures(sources: Sources) -> Iterator[tuple[Use, Figures]]:
    """Each dataset that went in, with the nearest figures of it."""
    for use in sources.uses:
        nearest = use.figures
        if nearest is not None:
            yield use, nearest


def by_dataset(sources: Sources, told: Callable[[Figures], Json]) -> dict[str, Json]:
    """What `told` says of each dataset, by name; datasets of which it says nothing (empty) are left out."""
    said = {label(use): told(each) for use, each in figures(sources)}
    return {name: value for name, value in said.items() if value not in ({}, [], "", None)}


def label(use: Use) -> str:
    """A dataset as the key of an answer: its name, and the run where there is one, for a dataset may go in twice."""
    return use.name if use.run is None else f"{use.name} (run {use.run.id})"


def uses_told(sources: Sources) -> dict[str, Json]:
    """How it is known of each dataset that it went in, and how much of it."""
    told: dict[str, Json] = {}
    for use in sources.uses:
        one: dict[str, Json] = {"known": use.how.value}
        if use.run is not None:
            one |= {"contents consumed": use.contents, "records consumed": use.records}
        if use.dataset is not None:
            one |= {"root": use.dataset.root, "contents audited": use.dataset.contents}
            one |= {"records audited": use.dataset.records, "state now": use.dataset.state}
        one["figures are of"] = figures_of(use)
        told[label(use)] = one
    return told


def figures_of(use: Use) -> str:
    """What the figures of a dataset count: what the run consumed, all that was audited, or nothing."""
    if use.consumed is not None:
        return "what was consumed"
    return "all that was audited" if use.dataset is not None else "nothing"


def of_kinds(sources: Sources, *kinds: SourceKind) -> Reply:
    """Whether records of these kinds of source went in: yes with their numbers, no, or a gap.

    "No" needs that the kind of source of every record is known.
    """
    gap = known_uses(sources)
    if gap is not None:
        return gap
    numbers = by_dataset(sources, lambda each: each.of_kind(*kinds) or None)
    if numbers:
        return found({"answer": YES, "records": numbers}, *entries_of(sources))
    unknown = sum(each.of_kind(SourceKind.UNKNOWN) for _, each in figures(sources))
    if unknown or any(not each.records for _, each in figures(sources)):
        return lacking(f"Records whose kind of source is not known: {unknown}.", STATE_SOURCES)
    return _no(sources)


def _no(sources: Sources) -> Reply:
    """No: in full only where every dataset is known from runs that handed the records out, for a list may have left some out."""
    told = [use.name for use in sources.uses if use.how is not How.WITNESSED]
    bases = [use.run.base for use in sources.uses if use.run is not None and use.run.base]
    if bases and sources.model is not None and isinstance(sources.model.item, RegisteredModel):
        return partly(
            {"answer": NO},
            entries_of(sources),
            f"What went into the model that it began with, {bases[0]}, is not counted here.",
            "Say what is known of that model, and confirm that there was no other dataset.",
        )
    if not told:
        return found({"answer": NO}, *entries_of(sources))
    return partly(
        {"answer": NO},
        entries_of(sources),
        f"That {', '.join(told)} went in is declared or stated; no record says that no other dataset did.",
        "Confirm that there was no other.",
    )


def synthetic(sources: Sources) -> Reply:
    """Whether synthetic records went in: by their source, their C2PA manifests, our watermark, or by statement."""
    gap = known_uses(sources)
    if gap is not None:
        return gap
    numbers = by_dataset(sources, _synthetic_told)
    if numbers:
        return found({"answer": YES, "records": numbers}, *entries_of(sources))
    unknown = sum(each.synthetic.get(Synthetic.UNKNOWN.value, 0) for _, each in figures(sources))
    if unknown or any(not each.records for _, each in figures(sources)):
        return lacking(
            f"Records of which it is not known whether a model made them: {unknown}. That no mark was found proves nothing.",
            "State the column `synthetic` for every record, and audit the dataset again.",
        )
    return _no(sources)


def _synthetic_told(each: Figures) -> Json:
    kinds = (Synthetic.YES.value, Synthetic.STATED.value)
    told: dict[str, Json] = {kind: each.synthetic[kind] for kind in kinds if each.synthetic.get(kind)}
    if each.of_kind(SourceKind.SYNTHETIC):
        told["of a synthetic source"] = each.of_kind(SourceKind.SYNTHETIC)
    return told


def total(sources: Sources, count: Callable[[Figures], int]) -> int:
    """The sum of a number over all datasets that went in."""
    return sum(count(each) for _, each in figures(sources))


def records_and_contents(sources: Sources) -> dict[str, Json]:
    """How many records and distinct contents of each dataset went in; where only the register names it, were audited."""
    return {
        label(use): {"records": records, "distinct contents": contents} for use, records, contents in _numbers(sources)
    }


def contents_in_all(sources: Sources) -> int:
    """The sum of what `records_and_contents` says of contents; one that is in two datasets counts twice."""
    return sum(contents for _, _, contents in _numbers(sources))


def _numbers(sources: Sources) -> Iterator[tuple[Use, int, int]]:
    for use, each in figures(sources):
        by_run = use.run is not None and use.consumed is None
        yield (use, use.records, use.contents) if by_run else (use, each.records, each.contents)


def nearest(sources: Sources, reply: Reply, *, whole: bool = True) -> Reply:
    """`reply` with what is open in it where its figures are of all that was audited of a dataset, not of what went in.

    What is nowhere in an audit did not go in from there, so that "no" stands. `whole` is whether a run's own numbers leave
    that open.
    """
    names = [
        label(use)
        for use in sources.uses
        if use.consumed is None and use.dataset is not None and (whole or use.run is None)
    ]
    if not names or reply.value is None or reply.value in ({"answer": NO}, NOT_APPLICABLE):
        return reply
    why = f"Of {', '.join(names)} all that was audited is counted: which part of it went in cannot be counted."
    return partly(
        reply.value,
        reply.sources,
        f"{why} {reply.why}".strip(),
        reply.fill or "Restore the folder of the audit, or train with `govern_training`.",
    )


def licences(each: Figures) -> dict[str, Json]:
    """Records by their licence; those without a known one under `unknown`."""
    return {name or "unknown": count for name, count in each.licences.items() if count}


def period(each: Figures) -> dict[str, Json]:
    """First and last time of collection, and how many records have none."""
    told: dict[str, Json] = {"first": each.first, "last": each.last} if each.first else {}
    return told | ({"records without a time": each.undated} if told and each.undated else {})


def counted(counts: Mapping[str, int]) -> dict[str, Json]:
    """The counts that are not 0."""
    return {name or "unknown": count for name, count in counts.items() if count}


def left_out(sources: Sources) -> Reply:
    """What policy kept out of training: only of runs whose records we handed out is it known that they got no others."""
    gap = known_uses(sources)
    if gap is not None:
        return gap
    told: dict[str, Json] = {}
    witnessed = [use for use in sources.uses if use.how is How.WITNESSED and use.dataset is not None]
    for use in witnessed:
        if use.dataset is not None:
            told[label(use)] = judged(use.dataset)
    if not told:
        return lacking(
            "No governed run handed the records out, so no record says which were left out.",
            "Train with `govern_training`, which hands out only what policy allows.",
        )
    others = [use.name for use in sources.uses if use not in witnessed]
    entries = tuple(entry for use in witnessed for entry in use.entries)
    if not others:
        return found(told, *entries)
    return partly(
        told, entries, f"Of {', '.join(others)} no record says which were left out.", "Train with `govern_training`."
    )


def judged(dataset: DatasetSource) -> dict[str, Json]:
    """How many records of an audit policy allowed, sent to people and denied, and by which reasons."""
    whole = dataset.figures
    told: dict[str, Json] = {outcome.value: whole.of_outcome(outcome) for outcome in Outcome}
    reasons = counted(whole.reasons)
    return told | ({"reasons": reasons} if reasons else {})


def of_synthetic_sources(sources: Sources) -> bool:
    """Whether any synthetic record went in, as far as is known."""
    return bool(by_dataset(sources, _synthetic_told))
