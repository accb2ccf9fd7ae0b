"""A machine-learning bill of materials: CycloneDX 1.6 (ECMA-424), one component with a model card, one for each dataset.

Section `components[].modelCard` of the JSON schema. What no record says is a property `diffusion-governance:gap:FIELD` of its
component, because a model card of CycloneDX has no other place for it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from governance.canonical import Json
from governance.documents.answers import (
    STATEMENT,
    DocumentKind,
    Form,
    Question,
    Reply,
    found,
    lacking,
    partly,
    said,
)
from governance.documents.filing import Filing, about, basis_json, filing
from governance.documents.findings import counted, judged, label, uses_told
from governance.documents.sources import DatasetSource, ModelSource, Sources, Use
from governance.registers.items import RegisteredModel

SPEC_VERSION: Final = "1.6"
GAP: Final = "diffusion-governance:gap:"
BASIS: Final = "diffusion-governance:basis:"

MODEL_FIELDS: Final = (
    "name", "version", "supplier", "licenses", "hashes", "modelCard.modelParameters.approach",
    "modelCard.modelParameters.task", "modelCard.modelParameters.architectureFamily",
    "modelCard.modelParameters.modelArchitecture", "modelCard.modelParameters.datasets", "modelCard.modelParameters.inputs",
    "modelCard.modelParameters.outputs", "modelCard.quantitativeAnalysis.performanceMetrics",
    "modelCard.considerations.users", "modelCard.considerations.useCases",
    "modelCard.considerations.technicalLimitations", "modelCard.considerations.performanceTradeoffs",
    "modelCard.considerations.ethicalConsiderations", "modelCard.considerations.fairnessAssessments",
)  # fmt: skip
"""What is asked of the model: everything that a model card of CycloneDX can hold, and what identifies the component."""

DATA_FIELDS: Final = ("licenses", "contents", "classification", "sensitiveData", "governance.owners", "description")
"""What is asked of each dataset."""

_NAMESPACE: Final = uuid.UUID("5b6f2b0e-6f0a-5a53-9a0d-9a2d2f1c7e11")
_DESCRIBE: Final = "Describe it."


def cyclonedx(sources: Sources) -> Filing:
    """The bill of the model or adapter that `sources` are about.

    Raises:
        DocumentError: they are about a dataset alone.
    """
    subject = about(sources, DocumentKind.CYCLONEDX)
    model = sources.model
    parts = [] if model is None else [("model", model.item.name, _model(sources, model))]
    parts += [(f"data {at + 1}", label(use), _data(use)) for at, use in enumerate(sources.uses)]
    form = Form(
        "Machine-learning bill of materials",
        f"CycloneDX {SPEC_VERSION} (ECMA-424)",
        {number: title for number, title, _ in parts},
        tuple(Question(number, f"{number}/{name}", name) for number, _, replies in parts for name in replies),
    )
    every = {f"{number}/{name}": reply for number, _, replies in parts for name, reply in replies.items()}
    return filing(
        DocumentKind.CYCLONEDX,
        form,
        subject,
        sources,
        every,
        write=lambda made: _bill(made, [each for *_, each in parts]),
    )


def _model(sources: Sources, model: ModelSource) -> dict[str, Reply]:
    item, entry = model.item, model.entry.id
    replies = {name: lacking("No record describes it.", _DESCRIBE) for name in MODEL_FIELDS}
    replies |= {
        "name": found(item.name, entry),
        "version": found(f"sha256:{item.key}", entry),
        "supplier": lacking("The register names no vendor.", "Name one: `governance registers change`."),
        "licenses": lacking("The register states no licence.", "State it: `governance registers change`."),
        "hashes": lacking(
            "The register knows it by the digests of its components or weights, which are no digests of files.",
            "Add the digests of the files as they are distributed.",
        ),
    }
    if sources.supplier is not None:
        replies["supplier"] = found(sources.supplier.item.name, sources.supplier.entry.id)
    elif sources.vendor is not None:
        replies["supplier"] = lacking("The vendor that the register names was withdrawn.", "Name another.")
    if item.licence:
        replies["licenses"] = found(item.licence, entry)
    files = {use.run.file: use.run for use in sources.uses if use.run is not None and use.run.file}
    if len(files) == 1:
        ((file, run),) = files.items()
        replies["hashes"] = found(file, run.trained.id)
    if isinstance(item, RegisteredModel) and item.pipeline:
        replies["modelCard.modelParameters.modelArchitecture"] = found(item.pipeline, entry)
    if item.intended_use:
        replies["modelCard.considerations.useCases"] = found([item.intended_use], entry)
    if item.out_of_scope:
        replies["modelCard.considerations.technicalLimitations"] = partly(
            [f"Out of scope: {item.out_of_scope}"], (entry,), "No other limitation is recorded.", _DESCRIBE
        )
    if sources.uses:
        entries = tuple(dict.fromkeys(each for use in sources.uses for each in use.entries))
        replies["modelCard.modelParameters.datasets"] = found(uses_told(sources), *entries)
    return replies


def _data(use: Use) -> dict[str, Reply]:
    dataset = use.dataset
    if dataset is None:
        silent = lacking("No audit of it is recorded.", "Audit it: `governance dataset audit`.")
        return dict.fromkeys(DATA_FIELDS, silent)
    each, entry = dataset.figures, dataset.audited.id
    names = sorted(name for name, count in each.licences.items() if name and count)
    unknown = each.licences.get("", 0)
    why = "Audits find some kinds of personal data only; what was not found may still be there."
    licences = lacking("No record has a known licence.", "State it for every record, and audit again.")
    if names and unknown:
        licences = partly(
            list(names), (entry,), f"Records without a known licence: {unknown}.", "State it, and audit again."
        )
    elif names:
        licences = found(list(names), entry)
    return {
        "licenses": licences,
        "contents": found(_contents(use, dataset), *use.entries),
        "classification": lacking("No record classifies the data.", "Add the class."),
        "sensitiveData": partly(
            [f"{name}: {count} records" for name, count in counted(each.personal).items()], (entry,), why, _DESCRIBE
        ),
        "governance.owners": lacking(
            "The names of owners stand in the audit's own files; the ledger has commitments to them.",
            "Name the owners, as far as they may be named.",
        ),
        "description": found(
            f"Records by kind of source: {said(counted(each.source_kinds))}. By decision of policy: {said(judged(dataset))}.",
            entry,
        ),
    }


def _contents(use: Use, dataset: DatasetSource) -> dict[str, Json]:
    """What was audited, and what a run consumed of it."""
    told: dict[str, Json] = {
        "root": dataset.root,
        "contents": dataset.contents,
        "records": dataset.records,
        "report": dataset.report,
    }
    if use.run is not None:
        told |= {"run": use.run.id, "contents consumed": use.contents, "records consumed": use.records}
    return told


def _bill(made: Filing, replies: Sequence[Mapping[str, Reply]]) -> dict[str, Any]:
    sources, basis = made.sources, made.sources.basis
    model, *data = replies
    references = [f"data-{at + 1}" for at in range(len(data))]
    components = [_model_component(sources, model, references)]
    components += [
        _data_component(use, each, reference)
        for use, each, reference in zip(sources.uses, data, references, strict=True)
    ]
    name, _, version = basis.maker.rpartition(" ")
    known_by = f"{made.subject}/{basis.log}/{basis.size}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, known_by)}",
        "version": 1,
        "metadata": {
            "timestamp": basis.made,
            "tools": {"components": [{"type": "application", "name": name, "version": version}]},
            "component": {"type": "machine-learning-model", "bom-ref": "subject", "name": components[0]["name"]},
            "properties": [
                {"name": f"{BASIS}statement", "value": STATEMENT},
                {"name": f"{BASIS}about", "value": made.subject},
                *({"name": f"{BASIS}{key}", "value": said(value)} for key, value in basis_json(sources).items()),
            ],
        },
        "components": components,
        "dependencies": [{"ref": "model", "dependsOn": references}, *({"ref": each} for each in references)],
        "compositions": [{"aggregate": "unknown", "dependencies": ["model"]}],
    }


def _model_component(sources: Sources, replies: Mapping[str, Reply], references: Sequence[str]) -> dict[str, Any]:
    def of(name: str) -> Any:
        return replies[name].value

    parameters: dict[str, Any] = {}
    if of("modelCard.modelParameters.modelArchitecture"):
        parameters["modelArchitecture"] = of("modelCard.modelParameters.modelArchitecture")
    if references:
        parameters["datasets"] = [{"ref": each} for each in references]
    considerations: dict[str, Any] = {
        name: of(f"modelCard.considerations.{name}")
        for name in ("useCases", "technicalLimitations")
        if of(f"modelCard.considerations.{name}")
    }
    card: dict[str, Any] = {}
    if parameters:
        card["modelParameters"] = parameters
    if considerations:
        card["considerations"] = considerations
    component: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": of("name"),
        "version": of("version"),
        "modelCard": card,
        "properties": [
            *(_property(f"diffusion-governance:known:{label(use)}", use.how.value) for use in sources.uses),
            *_gaps(replies),
        ],
    }
    if sources.supplier is not None:
        vendor = sources.supplier.item
        component["supplier"] = {"name": vendor.name} | ({"url": [vendor.website]} if vendor.website else {})
    if of("licenses"):
        component["licenses"] = [{"expression": of("licenses")}]
    if of("hashes"):
        component["hashes"] = [{"alg": "SHA-256", "content": of("hashes")}]
    return component


def _data_component(use: Use, replies: Mapping[str, Reply], reference: str) -> dict[str, Any]:
    data: dict[str, Any] = {"type": "dataset", "name": use.name}
    contents: Any = replies["contents"].value
    if contents is not None:
        data["contents"] = {"properties": [_property(name, said(value)) for name, value in contents.items()]}
    if replies["sensitiveData"].value:
        data["sensitiveData"] = replies["sensitiveData"].value
    if replies["description"].value:
        data["description"] = replies["description"].value
    component: dict[str, Any] = {
        "type": "data",
        "bom-ref": reference,
        "name": use.name,
        "data": [data],
        "properties": [_property("diffusion-governance:known", use.how.value), *_gaps(replies)],
    }
    if use.dataset is not None:
        component["version"] = f"sha256:{use.dataset.root}"
    names: Any = replies["licenses"].value
    if names:
        whole = " AND ".join(f"({each})" if " " in each and len(names) > 1 else each for each in names)
        component["licenses"] = [{"expression": whole}]
    return component


def _gaps(replies: Mapping[str, Reply]) -> list[dict[str, Json]]:
    return [_property(f"{GAP}{name}", f"{reply.why} {reply.fill}") for name, reply in replies.items() if reply.why]


def _property(name: str, value: str) -> dict[str, Json]:
    return {"name": name, "value": value}
