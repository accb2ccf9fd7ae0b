"""The documentation of training data that California asks for: Civil Code, section 3111 (AB 2013, chapter 817 of 2024)."""

from __future__ import annotations

from typing import Final

from governance.canonical import Json
from governance.datasets.records import SourceKind
from governance.documents.answers import NO, YES, DocumentKind, Form, Question, Reply, found, lacking, partly
from governance.documents.figures import Figures
from governance.documents.filing import Filing, about, filing
from governance.documents.findings import (
    by_dataset,
    counted,
    entries_of,
    known_uses,
    label,
    left_out,
    licences,
    nearest,
    of_kinds,
    period,
    records_and_contents,
    synthetic,
    uses_told,
)
from governance.documents.sources import Sources

SHOWN_DOMAINS: Final = 20
"""How many domains of each dataset are named: the summary is a high-level one."""

FORM: Final = Form(
    "Training data documentation",
    "California Civil Code, section 3111 (AB 2013)",
    {"(a)": "High-level summary of the datasets"},
    (
        Question("(a)", "datasets", "Datasets used in the development, and how that is known"),
        Question("(a).(1)", "sources", "Sources or owners of the datasets"),
        Question("(a).(2)", "purpose", "How the datasets further the intended purpose"),
        Question("(a).(3)", "number", "Number of data points"),
        Question("(a).(4)", "types", "Types of data points"),
        Question("(a).(5)", "protected", "Data protected by copyright, trademark or patent, or in the public domain"),
        Question("(a).(6)", "licensed", "Whether the datasets were purchased or licensed"),
        Question("(a).(7)", "personal", "Whether they include personal information (section 1798.140(v))"),
        Question("(a).(8)", "aggregate", "Whether they include aggregate consumer information (section 1798.140(b))"),
        Question("(a).(9)", "cleaning", "Cleaning, processing or other modification, and its purpose"),
        Question("(a).(10)", "period", "Time period of collection, and whether it goes on"),
        Question("(a).(11)", "first_used", "Dates of first use in the development"),
        Question("(a).(12)", "synthetic", "Whether synthetic data generation was or is used"),
    ),
)


def ab2013(sources: Sources) -> Filing:
    """The documentation of the model or adapter that `sources` are about.

    Raises:
        DocumentError: they are about a dataset alone.
    """
    subject = about(sources, DocumentKind.AB2013)
    replies = {
        "datasets": _datasets(sources),
        "sources": _sources(sources),
        "purpose": _purpose(sources),
        "number": _told(sources, records_and_contents(sources)),
        "types": _types(sources),
        "protected": _protected(sources),
        "licensed": _licensed(sources),
        "personal": _personal(sources),
        "aggregate": lacking(
            "Audits do not look for aggregate consumer information.", "Say whether the datasets include any."
        ),
        "cleaning": _cleaning(sources),
        "period": _period(sources),
        "first_used": _first_used(sources),
        "synthetic": synthetic(sources),
    }
    counted_in = ("sources", "number", "types", "protected", "licensed", "personal", "period", "synthetic")
    replies |= {name: nearest(sources, replies[name], whole=name != "number") for name in counted_in}
    return filing(DocumentKind.AB2013, FORM, subject, sources, replies)


def _datasets(sources: Sources) -> Reply:
    if not sources.uses:
        return known_uses(sources) or lacking("No dataset is recorded.", "Name one.")
    return found(uses_told(sources), *entries_of(sources))


def _told(sources: Sources, value: Json, why: str = "", fill: str = "") -> Reply:
    """These numbers of the datasets, where all of them have any."""
    return known_uses(sources) or partly(value, entries_of(sources), why, fill)


def _sources(sources: Sources) -> Reply:
    return _told(
        sources,
        by_dataset(sources, _one_source),
        "The names of owners stand in the audit's own files; the ledger has commitments to them.",
        "Name the owners, as far as they may be named.",
    )


def _one_source(each: Figures) -> dict[str, Json]:
    told: dict[str, Json] = {"records by kind of source": counted(each.source_kinds), "different owners": each.owners}
    if each.domains:
        most = sorted(each.domains.items(), key=lambda pair: (-pair[1], pair[0]))[:SHOWN_DOMAINS]
        told |= {"domains": each.domain_count, "most frequent domains": dict(most)}
    return told


def _purpose(sources: Sources) -> Reply:
    told: dict[str, Json] = {}
    entries: list[str] = []
    if sources.model is not None and sources.model.item.intended_use:
        told["intended use"] = sources.model.item.intended_use
        entries.append(sources.model.entry.id)
    for use in sources.uses:
        if use.run is not None and use.run.purpose:
            told[f"purpose of run {use.run.id}"] = use.run.purpose
            entries.append(use.run.started.id)
    why = "No record says how each dataset furthers the purpose."
    fill = "Describe it for each dataset."
    if not told:
        return lacking(why, f"State `intended_use` in the register. {fill}")
    return partly(told, tuple(entries), why, fill)


def _types(sources: Sources) -> Reply:
    return _told(
        sources,
        by_dataset(sources, _one_type),
        "Audits do not record the types of labels.",
        "Describe the labels or captions, if the datasets have any.",
    )


def _one_type(each: Figures) -> dict[str, Json]:
    told: dict[str, Json] = {"records by media type": counted(each.media_types)}
    if each.widths[1]:
        told |= {"width in pixels": list(each.widths), "height in pixels": list(each.heights)}
    return told


def _protected(sources: Sources) -> Reply:
    return _told(
        sources,
        {"records by licence": by_dataset(sources, licences)},
        "Whether a work is protected, or entirely in the public domain, is a question of law that licences alone do not answer.",
        "Judge it by these licences.",
    )


def _licensed(sources: Sources) -> Reply:
    reply = of_kinds(sources, SourceKind.LICENSED)
    contracts: dict[str, Json] = {each.item.key: each.told for each in sources.contracts}
    if reply.value is None and not contracts:
        return reply
    if contracts:
        entries = (*entries_of(sources), *(each.entry.id for each in sources.contracts))
        numbers = by_dataset(sources, lambda each: counted(each.contracts))
        return found({"answer": YES, "contracts": contracts, "records by contract": numbers}, *entries)
    if reply.value == {"answer": NO}:
        return partly(
            {"records by licence": by_dataset(sources, licences), "records of licensed sources": 0},
            entries_of(sources),
            "No record has a licensed source; whether a dataset was purchased no record says.",
            "Say whether any dataset was purchased.",
        )
    return reply


def _personal(sources: Sources) -> Reply:
    gap = known_uses(sources)
    if gap is not None:
        return gap
    kinds = by_dataset(sources, lambda each: counted(each.personal))
    why = "Audits find some kinds of personal data only; what was not found may still be there."
    fill = "Say what else is known to be in the datasets."
    if kinds:
        return partly({"answer": YES, "records by what was found": kinds}, entries_of(sources), why, fill)
    return partly({"records in which personal data were found": 0}, entries_of(sources), why, fill)


def _cleaning(sources: Sources) -> Reply:
    reply = left_out(sources)
    if reply.value is None:
        return reply
    return partly(
        {"records by decision of policy before the run": reply.value},
        reply.sources,
        reply.why or "No record says what else was done to the data.",
        reply.fill or "Describe other cleaning and processing, and what it was for.",
    )


def _period(sources: Sources) -> Reply:
    gap = known_uses(sources)
    if gap is not None:
        return gap
    told = by_dataset(sources, period)
    if not told:
        return lacking("No record says when it was collected.", "State the column `collected`, and audit again.")
    return partly(
        told, entries_of(sources), "No record says whether collection goes on.", "Give notice if collection is ongoing."
    )


def _first_used(sources: Sources) -> Reply:
    told: dict[str, Json] = {}
    entries: list[str] = []
    missing = []
    for use in sources.uses:
        if use.run is None:
            missing.append(use.name)
            continue
        told[label(use)] = use.run.started.time
        entries.append(use.run.started.id)
    fill = "Give the date, or train with `govern_training`."
    if not told:
        return lacking("No training run is recorded.", fill)
    if missing:
        return partly(told, tuple(entries), f"No run is recorded that used {', '.join(missing)}.", fill)
    return partly(
        told,
        tuple(entries),
        "These are the dates of the recorded runs; no record says whether the datasets were used before.",
        "Confirm that these were the first.",
    )
