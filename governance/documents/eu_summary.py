"""The public summary of training content of Article 53(1)(d) of Regulation (EU) 2024/1689, on the Commission's template."""

from __future__ import annotations

from typing import Final

from governance.canonical import Json
from governance.documents.answers import DocumentKind, Reply, found, lacking, partly
from governance.documents.eu_form import FORM
from governance.documents.eu_sources import data_sources, modality
from governance.documents.filing import Filing, about, filing
from governance.documents.findings import (
    by_dataset,
    contents_in_all,
    counted,
    entries_of,
    figures,
    known_uses,
    label,
    left_out,
    licences,
    nearest,
    records_and_contents,
    total,
)
from governance.documents.sources import ModelSource, Sources

_SIZES: Final = ((1_000_000, "less than 1 million images"), (1_000_000_000, "1 million to 1 billion images"))
_LARGEST: Final = "more than 1 billion images"
"""The ranges of section 1.3 of the template."""


def eu_summary(sources: Sources) -> Filing:
    """The summary of the model or adapter that `sources` are about. Of an adapter it is about what it adds to its base.

    Raises:
        DocumentError: they are about a dataset alone.
    """
    subject = about(sources, DocumentKind.EU_SUMMARY)
    counted_in = {**_size(sources), **data_sources(sources)}
    counted_in |= {
        name: nearest(sources, reply, whole=name != "size") for name, reply in counted_in.items() if name != "sources"
    }
    replies = {**_general(sources), **counted_in, **_processing(sources)}
    return filing(DocumentKind.EU_SUMMARY, FORM, subject, sources, replies)


def _general(sources: Sources) -> dict[str, Reply]:
    return {
        "version": lacking("No record counts the versions of this summary.", "Number it where it is published."),
        "last_update": found(sources.basis.made, "document:made"),
        "provider": _provider(sources),
        "representative": lacking(
            "No record names an authorised representative.", "A provider outside the Union names one (Article 54)."
        ),
        "model": _model(sources.model),
        "dependencies": _dependencies(sources),
        "placed": _placed(sources.model),
    }


def _provider(sources: Sources) -> Reply:
    """Who answers for the model: the vendor that the register names, else the provider of the settings.

    Contacts are personal data and stand in no entry in the clear.
    """
    why = "No record gives contact details in the clear."
    fill = "Add the address at which the provider answers."
    if sources.vendor is not None and sources.vendor.withdrawn:
        return lacking(
            "The vendor that the register names was withdrawn from it.", "Name another: `governance registers change`."
        )
    if sources.vendor is not None:
        vendor = sources.vendor.item
        told: dict[str, Json] = {"name": vendor.name}
        told |= {"jurisdiction": vendor.jurisdiction} if vendor.jurisdiction else {}
        told |= {"website": vendor.website} if vendor.website else {}
        return partly(told, (sources.vendor.entry.id,), why, fill)
    if sources.provider:
        return partly({"name": sources.provider}, ("setting:provider",), why, fill)
    return lacking("No record names the provider.", "Set `provider`, or name a vendor for the model in the register.")


def _model(model: ModelSource | None) -> Reply:
    if model is None:
        return lacking("No model is registered.", "Register it: `governance registers add`.")
    told: dict[str, Json] = {"name": model.item.name, "digest": model.item.key}
    return found(told, model.entry.id)


def _dependencies(sources: Sources) -> Reply:
    runs = [use.run for use in sources.uses if use.run is not None]
    bases = sorted({run.base for run in runs if run.base})
    entries = tuple(run.trained.id for run in runs)
    if sources.base is not None:
        base = sources.base
        told: dict[str, Json] = {"name": base.item.name, "digest": base.item.key, "licence": base.item.licence}
        return found({name: value for name, value in told.items() if value}, base.entry.id, *entries)
    if bases:
        return partly(
            {"digests": list(bases)}, entries, "The model that it began with is in no register.", "Register it."
        )
    return lacking(
        "No record says whether it was made from another model.",
        "Train it with `govern_training`, or state the base of an adapter in the register.",
    )


def _placed(model: ModelSource | None) -> Reply:
    released = getattr(model.item, "released", "") if model is not None else ""
    if model is not None and released:
        return partly(
            {"released": released},
            (model.entry.id,),
            "The register says when it was put on the market, not on which.",
            "Confirm the date for the Union market.",
        )
    return lacking("No record says when it was placed on the market.", "State `released` in the register of models.")


def _size(sources: Sources) -> dict[str, Reply]:
    gap = known_uses(sources)
    languages = lacking(
        "Audits do not record the languages of captions or of text in pictures.",
        "Describe them, or say there are none.",
    )
    if gap is not None:
        names = ("modality", "size", "content", "latest", "ongoing", "other")
        return {**dict.fromkeys(names, gap), "languages": languages}
    entries = entries_of(sources)
    return {
        "modality": modality(sources),
        "size": _images(sources, entries),
        "content": partly(
            {"media types": by_dataset(sources, lambda each: counted(each.media_types)), "pixels": _pixels(sources)},
            entries,
            "No record describes what the pictures show.",
            "Describe the types of content, such as photography or visual artworks.",
        ),
        "latest": _latest(sources, entries),
        "ongoing": lacking(
            "No record says whether training goes on.",
            "State whether the model is trained on new data after this date.",
        ),
        "languages": languages,
        "other": found({"licences of the records": by_dataset(sources, licences)}, *entries),
    }


def _images(sources: Sources, entries: tuple[str, ...]) -> Reply:
    """The range of the template, of all distinct contents that went in; contents of several datasets are counted in each."""
    count = contents_in_all(sources)
    image = total(sources, lambda each: sum(n for name, n in each.media_types.items() if name.startswith("image/")))
    told: dict[str, Json] = {"records": records_and_contents(sources), "bytes": total(sources, lambda each: each.bytes)}
    if not count or image < total(sources, lambda each: each.records):
        return partly(
            told, entries, "Not every record is known to be an image, so no range of images holds.", "Give the sizes."
        )
    size = next((text for limit, text in _SIZES if count < limit), _LARGEST)
    return found({"range": size, **told}, *entries)


def _pixels(sources: Sources) -> dict[str, Json]:
    return by_dataset(
        sources, lambda each: {"width": list(each.widths), "height": list(each.heights)} if each.widths[1] else {}
    )


def _latest(sources: Sources, entries: tuple[str, ...]) -> Reply:
    last = max((each.last for _, each in figures(sources)), default="")
    undated = total(sources, lambda each: each.undated)
    if not last:
        return lacking("No record says when it was collected.", "State the column `collected`, and audit again.")
    if undated:
        return partly(
            {"latest": last}, entries, f"Records without a time of collection: {undated}.", "State it, and audit again."
        )
    return found({"latest": last}, *entries)


def _processing(sources: Sources) -> dict[str, Reply]:
    gap = known_uses(sources)
    entries = entries_of(sources)
    signals = by_dataset(sources, lambda each: counted(each.opt_outs))
    measures = left_out(sources)
    if measures.value is not None:
        measures = partly(
            {"records by decision of policy": measures.value, "records with a signal against use": signals},
            measures.sources,
            "Audits look for signals at one time; no record says what was done while data were collected.",
            "Describe the protocols that were honoured during collection.",
        )
    looked = sorted({name for use in sources.uses if use.dataset is not None for name in use.dataset.detectors})
    illegal = gap or (
        partly(
            {"detectors that looked at each record": list(looked)},
            entries,
            "Detectors score; no record says what was found to be illegal and removed.",
            "Describe the measures.",
        )
        if looked
        else lacking("No detector looked at the records.", "Audit with detectors, and describe the measures.")
    )
    return {
        "code": lacking("No record says whether the provider signed the Code of Practice.", "Answer yes or no."),
        "reservations": measures,
        "illegal": illegal,
        "further": gap or found({"state of the datasets": _states(sources)}, *entries),
    }


def _states(sources: Sources) -> dict[str, Json]:
    return {
        label(use): {"state now": use.dataset.state, "approvals": len(use.dataset.approvals)}
        for use in sources.uses
        if use.dataset is not None
    }
