"""An audited dataset as Croissant 1.1 with the vocabulary for responsible AI (RAI 1.0): JSON-LD.

Croissant Format Specification 1.1 (MLCommons, 2026), "Dataset-level Information": `description`, `license`, `name`, `url`,
`creator`, `datePublished` and `distribution` are required. Those that no record gives are left out and listed as gaps, because
a property that holds a date or an address may hold nothing else; texts of RAI 1.0 ("RAI property information") that no record
gives are marked in place. `rai:dataCollectionTimeframe` is spelt as in that table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from governance.canonical import Json
from governance.datasets.records import SourceKind
from governance.documents.answers import NOT_STATED, DocumentKind, Form, Question, Reply, found, lacking, partly, said
from governance.documents.figures import Figures
from governance.documents.filing import Filing, about_dataset, basis_json, dataset_words, filing
from governance.documents.findings import counted, judged, period
from governance.documents.sources import AuditFile, DatasetSource, Sources

CONFORMS_TO: Final = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
REQUIRED: Final = ("name", "description", "license", "url", "creator", "datePublished", "distribution")
RAI: Final = (
    "rai:dataCollection", "rai:dataCollectionType", "rai:dataCollectionMissingData", "rai:dataCollectionRawData",
    "rai:dataCollectionTimeframe", "rai:dataImputationProtocol", "rai:dataManipulationProtocol",
    "rai:dataPreprocessingProtocol", "rai:dataAnnotationProtocol", "rai:dataAnnotationPlatform",
    "rai:dataAnnotationAnalysis", "rai:dataReleaseMaintenancePlan", "rai:personalSensitiveInformation",
    "rai:dataSocialImpact", "rai:dataBiases", "rai:dataLimitations", "rai:dataUseCases", "rai:annotationsPerItem",
    "rai:annotatorDemographics", "rai:machineAnnotationTools",
)  # fmt: skip
"""Every property of RAI 1.0."""

TIMEFRAME: Final = "rai:dataCollectionTimeframe"
"""The one property of RAI 1.0 that holds times, not texts."""

RECORDS_FILE: Final = "records.parquet"
"""The file of an audit that holds its records."""

CONTEXT: Final[Mapping[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        name: f"cr:{name}"
        for name in (
            "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty",
            "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5",
            "parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator",
            "source", "subField", "transform",
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "sc": "https://schema.org/",
    "dgov": "urn:diffusion-governance:documents:1/",
    "gaps": {"@id": "dgov:gaps", "@type": "@json"},
    "basis": {"@id": "dgov:basis", "@type": "@json"},
}  # fmt: skip
"""The context of appendix 1 of the specification, and our own two names."""

_COLUMNS: Final = {
    "id": ("sc:Text", "The record's name in the dataset."),
    "content": ("sc:Text", "SHA-256 of the bytes, as 64 hexadecimal digits."),
    "basis": ("sc:Text", "Where that digest is from: computed, stated or none."),
    "media_type": ("sc:Text", "The media type."),
    "width": ("sc:Integer", "Pixels; 0 where it is not known."),
    "height": ("sc:Integer", "Pixels; 0 where it is not known."),
    "size": ("sc:Integer", "Bytes; 0 where it is not known."),
    "licence": ("sc:Text", "The licence as an SPDX expression; empty where it is not known."),
    "source_kind": ("sc:Text", "The class of its source."),
    "consent": ("sc:Text", "What was said to training by whoever is concerned."),
    "collected": ("sc:Text", "When it was collected, RFC 3339; empty where it is not known."),
    "synthetic": ("sc:Text", "Whether a model made it, as far as is known."),
    "outcome": ("sc:Text", "What policy decided."),
}
"""The columns that are described: none that may name a person."""

_TYPES: Final = {SourceKind.CRAWLED: "Web Scraping", SourceKind.USER: "User-generated content data"}
"""The recommended values of `rai:dataCollectionType` that mean what a record's kind of source means."""

FORM: Final = Form(
    "Croissant metadata",
    "Croissant 1.1 with Croissant RAI 1.0",
    {"dataset": "Required of every dataset", "rai": "Responsible AI"},
    (
        *(Question("dataset", name, name) for name in REQUIRED),
        *(Question("rai", name, name) for name in RAI),
    ),
)

_AUDITS: Final = "Audits do not record it."
_DESCRIBE: Final = "Describe it, or say that it does not apply."


def croissant(sources: Sources) -> Filing:
    """The metadata of the dataset that `sources` are about.

    Raises:
        DocumentError: they are about no dataset.
    """
    dataset = about_dataset(sources, DocumentKind.CROISSANT)
    replies = _replies(dataset)
    return filing(
        DocumentKind.CROISSANT,
        FORM,
        dataset_words(dataset),
        sources,
        replies,
        write=lambda made: _content(made, dataset, replies),
    )


def _replies(dataset: DatasetSource) -> dict[str, Reply]:
    entry = dataset.audited.id
    replies = {name: lacking(_AUDITS, _DESCRIBE) for name in RAI}
    return {
        **replies,
        "name": found(dataset.name, entry),
        "description": found(_description(dataset), entry),
        "license": _license(dataset),
        "url": lacking("No record gives an address of the dataset.", "Add the address at which it is published."),
        "creator": lacking(
            "The names of owners stand in the audit's own files; the ledger has commitments to them.",
            "Name the creators, as far as they may be named.",
        ),
        "datePublished": lacking("No record says when it was published.", "Add the date, if it was published."),
        "distribution": _distribution(dataset),
        **_collection(dataset),
    }


def _description(dataset: DatasetSource) -> str:
    return (
        f"{dataset.records} records with {dataset.contents} distinct contents, audited in ledger entry "
        f"{dataset.audited.id} of {dataset.audited.time}; signed root {dataset.root}."
    )


def _license(dataset: DatasetSource) -> Reply:
    known = [name for name, count in sorted(dataset.figures.licences.items()) if name and count]
    unknown = dataset.figures.licences.get("", 0)
    entry = dataset.audited.id
    fill = "State the column `licence` for every record, and audit again."
    if not known:
        return lacking("No record has a known licence.", fill)
    if unknown:
        return partly(list(known), (entry,), f"Records without a known licence: {unknown}.", fill)
    return found(list(known), entry)


def _distribution(dataset: DatasetSource) -> Reply:
    fill = "Add the files as they are published."
    if not dataset.files:
        return lacking("The files of the audit were not there, and no record says where the data are published.", fill)
    named: dict[str, Json] = {each.name: each.digest for each in dataset.files}
    return partly(named, (dataset.audited.id,), "No record says where the data themselves are published.", fill)


def _collection(dataset: DatasetSource) -> dict[str, Reply]:
    each, entry = dataset.figures, dataset.audited.id
    replies = {
        "rai:dataCollection": partly(
            {"records by kind of source": counted(each.source_kinds)}, (entry,), _AUDITS, "Describe the process."
        ),
        "rai:dataCollectionMissingData": found(_missing(each), entry),
        "rai:dataPreprocessingProtocol": partly(
            {"records by decision of policy": judged(dataset)}, (entry,), "No other step is recorded.", _DESCRIBE
        ),
        "rai:personalSensitiveInformation": _personal(each, entry),
    }
    types = [name for kind, name in _TYPES.items() if each.of_kind(kind)]
    if types and each.of_kind(*_TYPES) == each.records:
        replies["rai:dataCollectionType"] = found(types, entry)
    elif types:
        replies["rai:dataCollectionType"] = partly(
            types, (entry,), "Records of other kinds of source have no type of collection.", "Name it."
        )
    if each.first:
        replies[TIMEFRAME] = found(period(each), entry)
    if dataset.source_kind:
        told: dict[str, Json] = {"read from": dataset.source_kind, "fingerprint": dataset.fingerprint}
        replies["rai:dataCollectionRawData"] = found({k: v for k, v in told.items() if v}, entry)
    if dataset.purpose:
        replies["rai:dataUseCases"] = partly(
            [dataset.purpose], (entry,), "This is what the audit judged for; no other use is recorded.", "Add others."
        )
    return replies


def _missing(each: Figures) -> dict[str, Json]:
    """How many records lack what a record should have."""
    return {
        "records without a known licence": each.licences.get("", 0),
        "records without a known kind of source": each.of_kind(SourceKind.UNKNOWN),
        "records without a time of collection": each.undated,
        "records with a problem": counted(each.problems),
    }


def _personal(each: Figures, entry: str) -> Reply:
    why = "Audits find some kinds of personal data only; what was not found may still be there."
    found_kinds = counted(each.personal)
    value: Json = {"records by what was found": found_kinds} if found_kinds else {"records in which any was found": 0}
    return partly(value, (entry,), why, "Describe sensitive attributes of people.")


def _content(made: Filing, dataset: DatasetSource, replies: Mapping[str, Reply]) -> dict[str, Any]:
    content: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        "name": dataset.name,
        "description": _description(dataset),
    }
    known = [name for name in sorted(dataset.figures.licences) if name and dataset.figures.licences[name]]
    if known:
        content["license"] = [_licence_node(name) for name in known]
    for name in RAI:
        value = _rai(name, replies[name], dataset)
        if value is not None:
            content[name] = value
    content |= _files(dataset.files)
    content["gaps"] = [gap.as_json() for gap in made.gaps]
    content["basis"] = basis_json(made.sources)
    return content


def _rai(name: str, reply: Reply, dataset: DatasetSource) -> Any:
    """A property of RAI 1.0: texts, except for the two times of a time frame."""
    if name == TIMEFRAME:
        return [dataset.figures.first, dataset.figures.last] if dataset.figures.first else None
    if reply.value is None:
        return f"{NOT_STATED}: {reply.why} {reply.fill}"
    if isinstance(reply.value, list):
        return list(reply.value)
    return f"{said(reply.value)}." + (f" {NOT_STATED}: {reply.why} {reply.fill}" if reply.why else "")


def _licence_node(name: str) -> Any:
    """A licence of the SPDX list as its address there; an expression or a licence of somebody's own as a work by name."""
    if name.replace("-", "").replace(".", "").replace("+", "").isalnum() and not name.startswith("LicenseRef-"):
        return f"https://spdx.org/licenses/{name}.html"
    return {"@type": "sc:CreativeWork", "name": name}


def _files(files: tuple[AuditFile, ...]) -> dict[str, Any]:
    """The audit's own files; of its records the columns that name nobody."""
    if not files:
        return {}
    content: dict[str, Any] = {
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": each.name,
                "name": each.name,
                "contentUrl": each.name,
                "encodingFormat": each.media_type,
                "sha256": each.digest,
            }
            for each in files
        ]
    }
    if any(each.name == RECORDS_FILE for each in files):
        content["recordSet"] = [
            {
                "@type": "cr:RecordSet",
                "@id": "records",
                "name": "records",
                "description": "The records as the audit found them, without what may name a person.",
                "field": [_field(name, kind, words) for name, (kind, words) in _COLUMNS.items()],
            }
        ]
    return content


def _field(name: str, kind: str, words: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"records/{name}",
        "name": name,
        "description": words,
        "dataType": kind,
        "source": {"fileObject": {"@id": RECORDS_FILE}, "extract": {"column": name}},
    }
