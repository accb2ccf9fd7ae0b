"""Section 2 of the EU's template: the sources of the data, by the classes that each record is of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from governance.canonical import Json
from governance.datasets.records import SourceKind
from governance.documents.answers import NO, NOT_APPLICABLE, Reply, found, lacking, partly
from governance.documents.figures import Figures
from governance.documents.findings import (
    REGISTER_DATASETS,
    by_dataset,
    entries_of,
    figures,
    known_uses,
    label,
    licences,
    of_kinds,
    period,
    synthetic,
    uses_told,
)
from governance.documents.sources import Sources, Use

MOST_DOMAINS: Final = 1000
"""The template asks for the top 10 % of the domains; of a smaller provider for 5 % or 1,000. An audit keeps the 1,000 first."""

_MODALITIES: Final = ("text", "image", "audio", "video")


def data_sources(sources: Sources) -> dict[str, Reply]:
    """The replies to section 2."""
    public = of_kinds(sources, SourceKind.PUBLIC)
    licensed = of_kinds(sources, SourceKind.LICENSED)
    crawled = of_kinds(sources, SourceKind.CRAWLED)
    others = of_kinds(sources, SourceKind.OWN, SourceKind.OTHER)
    made = synthetic(sources)
    return {
        "sources": _went_in(sources),
        "public": public,
        "public_modality": _following(public, modality(sources, SourceKind.PUBLIC)),
        "public_list": _following(public, _described(sources, SourceKind.PUBLIC)),
        "licensed": _licensed(sources, licensed),
        "licensed_modality": _following(licensed, modality(sources, SourceKind.LICENSED)),
        **_private(sources),
        "crawled": crawled,
        "crawlers": _following(
            crawled, lacking("No record names the crawlers.", "Name them, their purposes and how they behave.")
        ),
        "crawl_period": _following(crawled, _period(sources)),
        "crawl_modality": _following(crawled, modality(sources, SourceKind.CRAWLED)),
        "crawl_domains": _following(crawled, _domains(sources)),
        **_user(sources),
        "synthetic": made,
        "synthetic_modality": _following(made, modality(sources)),
        "synthetic_models": _following(
            made, lacking("Audits do not record which models made synthetic records.", "Name the models.")
        ),
        "others": others,
        "others_list": _following(others, _described(sources, SourceKind.OWN, SourceKind.OTHER)),
    }


def _went_in(sources: Sources) -> Reply:
    if not sources.uses:
        return lacking("No record names a dataset that went into it.", REGISTER_DATASETS)
    return found(uses_told(sources), *entries_of(sources))


def modality(sources: Sources, *kinds: SourceKind) -> Reply:
    """The modalities of the template among the media types; of single kinds of source they are known only if there is one."""
    gap = known_uses(sources)
    if gap is not None:
        return gap
    among = [each for _, each in figures(sources) if not kinds or each.of_kind(*kinds)]
    told = sorted({_modality_of(name) for each in among for name, count in each.media_types.items() if count})
    if "unknown" in told or not told:
        return lacking("The media type of some records is not known.", "Audit the dataset with its files at hand.")
    mixed = kinds and len(told) > 1 and any(each.of_kind(*kinds) < each.records for each in among)
    if mixed:
        return lacking("The datasets hold several modalities of several kinds of source.", "Say which is of which.")
    return found(list(told), *entries_of(sources))


def _modality_of(media_type: str) -> str:
    first = media_type.partition("/")[0]
    return first if first in _MODALITIES else "other" if media_type else "unknown"


def _licensed(sources: Sources, reply: Reply) -> Reply:
    """With the contracts that the records name, where the register has them."""
    if reply.value is None or reply.value == {"answer": NO} or not sources.contracts:
        return reply
    named: dict[str, Json] = {each.item.key: each.told for each in sources.contracts}
    entries = tuple(each.entry.id for each in sources.contracts)
    value: Mapping[str, Json] = reply.value if isinstance(reply.value, Mapping) else {}
    return found({**value, "contracts": named}, *reply.sources, *entries)


def _private(sources: Sources) -> dict[str, Reply]:
    """Records know `licensed` and `other` sources, and not which of the others are somebody's private data."""
    reply = of_kinds(sources, SourceKind.OTHER)
    if reply.value is not None and reply.value != {"answer": NO}:
        reply = lacking(
            "Records have a source of another kind, and none says whether that is a private dataset of a third party.",
            "Say so for each of the datasets in section 2.6.",
        )
    return {
        "private": reply,
        "private_modality": _following(reply, modality(sources, SourceKind.OTHER)),
        "private_list": _following(reply, _described(sources, SourceKind.OTHER)),
    }


def _user(sources: Sources) -> dict[str, Reply]:
    """Records say that users made them, and not with which service: neither question is answered with yes for that."""
    reply = of_kinds(sources, SourceKind.USER)
    both = reply
    if isinstance(reply.value, Mapping) and "records" in reply.value:
        both = partly(
            {"records that users made": reply.value["records"]},
            reply.sources,
            "No record says with which service users made them.",
            "Say whether it was the model or another service.",
        )
    return {
        "interactions": both,
        "services": both,
        "user_modality": _following(reply, modality(sources, SourceKind.USER)),
    }


def _following(first: Reply, then: Reply) -> Reply:
    """A question that is asked only if another one is answered with yes."""
    if first.value is None:
        return lacking("It depends on the question before it, which is open.", first.fill)
    return found(NOT_APPLICABLE, *first.sources) if first.value == {"answer": NO} else then


def _described(sources: Sources, *kinds: SourceKind) -> Reply:
    told: dict[str, Json] = {}
    for use, each in figures(sources):
        if each.of_kind(*kinds):
            told[label(use)] = _one(use, each, kinds)
    if not told:
        return lacking("No dataset of this kind is recorded.", "Describe it.")
    return partly(
        told,
        entries_of(sources),
        "No record describes the datasets in words.",
        "Describe each, with a link if there is one.",
    )


def _one(use: Use, each: Figures, kinds: tuple[SourceKind, ...]) -> dict[str, Json]:
    told: dict[str, Json] = {"records": {kind.value: each.of_kind(kind) for kind in kinds if each.of_kind(kind)}}
    told["licences"] = licences(each)
    if collected := period(each):
        told["collected"] = collected
    if use.dataset is not None:
        told["root"] = use.dataset.root
    return told


def _period(sources: Sources) -> Reply:
    told = by_dataset(sources, period)
    if not told:
        return lacking("No record says when it was collected.", "State the column `collected`, and audit again.")
    return found(told, *entries_of(sources))


def _domains(sources: Sources) -> Reply:
    told = by_dataset(
        sources, lambda each: {"domains": each.domain_count, "records of each": _most(each)} if each.domains else {}
    )
    if not told:
        return lacking("No record has a source with a domain.", "State the column `source`, and audit again.")
    cut = [name for (use, each) in figures(sources) if each.domain_count > MOST_DOMAINS for name in (label(use),)]
    if cut:
        return partly(
            told,
            entries_of(sources),
            f"Of {', '.join(cut)} only the {MOST_DOMAINS} most frequent domains are kept.",
            "A provider that is no small or medium enterprise lists the top 10 % of all domains by size.",
        )
    return found(told, *entries_of(sources))


def _most(each: Figures) -> dict[str, Json]:
    ordered = sorted(each.domains.items(), key=lambda pair: (-pair[1], pair[0]))
    return dict(ordered[:MOST_DOMAINS])
