"""The packages of an SPDX document: what the profiles for AI and for datasets ask of each, filled from records.

SPDX 3.0.1, `/AI/AIPackage` and `/Dataset/DatasetPackage`: their properties, and the "external properties cardinality updates"
that make some of them required. Both profiles also ask for exactly one declared and one concluded licence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from governance.canonical import Json
from governance.documents.answers import Reply, found, lacking, partly, said
from governance.documents.findings import counted, judged, label, uses_told
from governance.documents.sources import DatasetSource, Sources, Use
from governance.registers.items import RegisteredModel

NAMESPACE: Final = "urn:diffusion-governance:documents:1/spdx/"

AI_REQUIRED: Final = (
    "suppliedBy", "software_downloadLocation", "software_packageVersion", "software_primaryPurpose", "releaseTime",
    "hasDeclaredLicense", "hasConcludedLicense",
)  # fmt: skip
"""What the AI profile asks of every AI package."""

DATASET_REQUIRED: Final = (
    "originatedBy", "software_downloadLocation", "software_primaryPurpose", "releaseTime", "builtTime",
    "dataset_datasetType", "hasDeclaredLicense", "hasConcludedLicense",
)  # fmt: skip
"""What the dataset profile asks of every dataset package."""

AI_OTHERS: Final = (
    "ai_typeOfModel", "ai_informationAboutTraining", "ai_informationAboutApplication", "ai_hyperparameter",
    "ai_modelDataPreprocessing", "ai_limitation", "ai_metric", "ai_domain", "ai_energyConsumption",
    "ai_safetyRiskAssessment", "ai_useSensitivePersonalInformation", "verifiedUsing",
)  # fmt: skip
DATASET_OTHERS: Final = (
    "dataset_datasetSize", "dataset_dataCollectionProcess", "dataset_dataPreprocessing", "dataset_intendedUse",
    "dataset_hasSensitivePersonalInformation", "dataset_knownBias", "dataset_datasetNoise", "verifiedUsing",
)  # fmt: skip

_TYPES: Final = {"image": "image", "audio": "audio", "video": "video", "text": "text"}
_CONCLUDED: Final = (
    "No record concludes which licence holds: the document says so with NoAssertion.",
    "Conclude it, after legal review.",
)
_DESCRIBE: Final = "Describe it."
_LICENCES: Final = ("hasDeclaredLicense", "hasConcludedLicense")


@dataclass(frozen=True, slots=True)
class Package:
    """One package: its element without the members that all elements have, what is said of each of its properties, and its
    declared licence as an SPDX expression, empty where none is known. `title` is for people.
    """

    id: str
    title: str
    element: Mapping[str, Any]
    replies: Mapping[str, Reply]
    licence: str
    required: tuple[str, ...]
    agents: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def conforms(self) -> bool:
        """Whether it has everything that its profile asks for; a licence may be NoAssertion."""
        return all(self.replies[name].value is not None for name in self.required if name not in _LICENCES)


def ai_package(sources: Sources) -> Package | None:
    """The model or adapter as an AI package; None where the document is about neither."""
    model = sources.model
    if model is None:
        return None
    item, entry = model.item, model.entry.id
    key = f"{NAMESPACE}{item.register.value}/{item.key}"
    agents, supplied = _supplier(sources)
    replies = {
        **dict.fromkeys(AI_OTHERS, lacking("No record describes it.", _DESCRIBE)),
        "suppliedBy": supplied,
        "software_downloadLocation": lacking("No record says where it can be had.", "Add its address."),
        "software_packageVersion": found(f"sha256:{item.key}", entry),
        "software_primaryPurpose": found("model", entry),
        "releaseTime": _released(getattr(item, "released", ""), entry),
        "hasDeclaredLicense": _declared([item.licence] if item.licence else [], entry),
        "hasConcludedLicense": lacking(*_CONCLUDED),
        "verifiedUsing": found(item.key, entry),
        **_training(sources),
    }
    if isinstance(item, RegisteredModel) and item.pipeline:
        replies["ai_typeOfModel"] = found([item.pipeline], entry)
    if item.intended_use:
        replies["ai_informationAboutApplication"] = found(item.intended_use, entry)
    if item.out_of_scope:
        replies["ai_limitation"] = partly(
            f"Out of scope: {item.out_of_scope}", (entry,), "No other limitation is recorded.", _DESCRIBE
        )
    element = {"type": "ai_AIPackage", "name": item.name, **_values(replies, AI_REQUIRED + AI_OTHERS)}
    if agents:
        element["suppliedBy"] = agents[0]["spdxId"]
    element["verifiedUsing"] = [_hash(item.key, "Of the digests of its components." if isinstance(item, RegisteredModel) else "Of its weights.")]  # fmt: skip
    return Package(key, item.name, element, replies, item.licence, AI_REQUIRED, agents)


def dataset_package(use: Use | None, dataset: DatasetSource | None, number: int) -> Package:
    """A dataset as a dataset package: one that went into a model (`use`), or one that the document is about."""
    name = use.name if use is not None else dataset.name if dataset is not None else ""
    key = f"{NAMESPACE}datasets/{number}/{name}"
    required = DATASET_REQUIRED
    silent = lacking("No audit of it is recorded.", "Audit it: `governance dataset audit`.")
    replies: dict[str, Reply] = dict.fromkeys(required + DATASET_OTHERS, silent)
    licence = ""
    if dataset is not None:
        replies |= _audited(dataset)
        names = sorted(name for name, count in dataset.figures.licences.items() if name and count)
        licence = " AND ".join(f"({each})" if " " in each and len(names) > 1 else each for each in names)
    element = {"type": "dataset_DatasetPackage", "name": name, **_values(replies, required + DATASET_OTHERS)}
    element.setdefault("dataset_datasetType", ["noAssertion"])
    element.setdefault("dataset_hasSensitivePersonalInformation", "noAssertion")
    if dataset is not None:
        element["verifiedUsing"] = [_hash(dataset.root, "RFC 9162 root over the distinct contents of the audit.")]
    return Package(key, label(use) if use is not None else name, element, replies, licence, required)


def _audited(dataset: DatasetSource) -> dict[str, Reply]:
    each, entry = dataset.figures, dataset.audited.id
    kinds = sorted(
        {_TYPES.get(name.partition("/")[0], "other") for name, count in each.media_types.items() if name and count}
    )
    whole = kinds and not each.media_types.get("")
    replies = {
        **dict.fromkeys(DATASET_OTHERS, lacking("Audits do not record it.", _DESCRIBE)),
        "originatedBy": lacking(
            "The names of owners stand in the audit's own files; the ledger has commitments to them.",
            "Name whoever the dataset is from.",
        ),
        "software_downloadLocation": lacking("No record says where it can be had.", "Add its address."),
        "software_primaryPurpose": found("data", entry),
        "releaseTime": lacking("No record says when it was released.", "Add the date, if it was."),
        "builtTime": lacking("No record says when it was made.", "Add the date."),
        "dataset_datasetType": found(kinds, entry)
        if whole
        else lacking("The media type of some records is not known.", "Audit with the files at hand."),
        "hasDeclaredLicense": _dataset_licence(dataset),
        "hasConcludedLicense": lacking(*_CONCLUDED),
        "dataset_dataCollectionProcess": partly(
            f"Records by kind of source: {said(counted(each.source_kinds))}",
            (entry,),
            "No process is recorded.",
            _DESCRIBE,
        ),
        "dataset_dataPreprocessing": partly(
            [f"Records by decision of policy: {said(judged(dataset))}"],
            (entry,),
            "No other step is recorded.",
            _DESCRIBE,
        ),
        "verifiedUsing": found(dataset.root, entry),
        "dataset_hasSensitivePersonalInformation": found("yes", entry)
        if any(each.personal.values())
        else lacking(
            "No personal data were found; what was not found may still be there.", "Say whether there are any."
        ),
    }
    if each.bytes:
        replies["dataset_datasetSize"] = found(each.bytes, entry)
    if dataset.purpose:
        replies["dataset_intendedUse"] = found(dataset.purpose, entry)
    return replies


def _dataset_licence(dataset: DatasetSource) -> Reply:
    names = sorted(name for name, count in dataset.figures.licences.items() if name and count)
    reply = _declared(names, dataset.audited.id)
    unknown = dataset.figures.licences.get("", 0)
    if not unknown or reply.value is None:
        return reply
    why = f"Records without a known licence: {unknown}."
    return partly(reply.value, reply.sources, why, "State it for every record, and audit again.")


def _declared(names: list[str], entry: str) -> Reply:
    if not names:
        return lacking("No record names a licence: the document says so with NoAssertion.", "Register the licence.")
    return found(list(names), entry)


def _supplier(sources: Sources) -> tuple[tuple[Mapping[str, Any], ...], Reply]:
    if sources.supplier is None:
        why = "The register names no vendor." if sources.vendor is None else "The vendor that it names was withdrawn."
        return (), lacking(why, "Name one: `governance registers change`.")
    vendor = sources.supplier.item
    agent = {"type": "Organization", "spdxId": f"{NAMESPACE}vendors/{vendor.key}", "name": vendor.name}
    return (agent,), found(vendor.name, sources.supplier.entry.id)


def _released(time: str, entry: str) -> Reply:
    if not time:
        return lacking("No record says when it was released.", "State `released` in the register of models.")
    return found(seconds(time), entry)


def _training(sources: Sources) -> dict[str, Reply]:
    """What runs say of the training; a personal kind of data that any audit found makes the model one that used such data."""
    replies: dict[str, Reply] = {}
    runs = {use.run.id: use.run for use in sources.uses if use.run is not None}
    if sources.uses:
        entries = tuple(dict.fromkeys(entry for use in sources.uses for entry in use.entries))
        replies["ai_informationAboutTraining"] = found(said(uses_told(sources)), *entries)
    settings: dict[str, Json] = {}
    for run in runs.values():
        several = f"{run.id}/" if len(runs) > 1 else ""
        settings |= {f"{several}{name}": said(value) for name, value in run.settings.items()}
    if settings:
        replies["ai_hyperparameter"] = found(settings, *(run.started.id for run in runs.values()))
    witnessed = [use for use in sources.uses if use.run is not None and use.dataset is not None]
    if witnessed:
        told = [f"{label(use)}: {said(judged(use.dataset))}" for use in witnessed if use.dataset is not None]
        replies["ai_modelDataPreprocessing"] = partly(
            told, tuple(entry for use in witnessed for entry in use.entries), "No other step is recorded.", _DESCRIBE
        )
    personal = [use for use in sources.uses if use.figures is not None and any(use.figures.personal.values())]
    if personal:
        entries = tuple(entry for use in personal for entry in use.entries)
        replies["ai_useSensitivePersonalInformation"] = found("yes", *entries)
    return replies


def _values(replies: Mapping[str, Reply], names: tuple[str, ...]) -> dict[str, Any]:
    """The properties that a package has itself: licences are relationships, agents and hashes elements of their own."""
    values: dict[str, Any] = {}
    for name in names:
        value = replies[name].value
        if value is None or name in (*_LICENCES, "suppliedBy", "verifiedUsing"):
            continue
        values[name] = _entries(value) if name == "ai_hyperparameter" else value
    return values


def _entries(value: Any) -> list[dict[str, Any]]:
    return [{"type": "DictionaryEntry", "key": name, "value": each} for name, each in value.items()]


def _hash(value: str, comment: str) -> dict[str, Any]:
    return {"type": "Hash", "algorithm": "sha256", "hashValue": value, "comment": comment}


def seconds(time: str) -> str:
    """A time as SPDX writes it (`/Core/DateTime`): RFC 3339 in UTC to the second."""
    return f"{time[:19]}Z"
