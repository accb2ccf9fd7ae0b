"""A model card: what the register, the runs and the audits say of a model, with a front matter for model hubs.

The headings follow M. Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019), section 4; the front matter is that of
the Hugging Face hub's `README.md`.
"""

from __future__ import annotations

from typing import Any, Final

from governance.canonical import Json
from governance.documents.answers import DocumentKind, Form, Question, Reply, found, lacking, partly
from governance.documents.filing import Filing, about, filing
from governance.documents.findings import (
    REGISTER_DATASETS,
    by_dataset,
    counted,
    entries_of,
    known_uses,
    left_out,
    licences,
    nearest,
    records_and_contents,
    uses_told,
)
from governance.documents.sources import ModelSource, Sources
from governance.registers.items import RegisteredModel

FORM: Final = Form(
    "Model card",
    "Model Cards for Model Reporting (2019), section 4",
    {
        "1": "Model details",
        "2": "Intended use",
        "3": "Training data",
        "4": "Training procedure",
        "5": "Evaluation",
        "6": "Bias, risks and limitations",
        "7": "Rights",
    },
    (
        Question("1", "name", "Name"),
        Question("1", "digest", "Known by"),
        Question("1", "kind", "Kind"),
        Question("1", "base", "Base model"),
        Question("1", "developer", "Developer"),
        Question("1", "released", "Released"),
        Question("1", "state", "State in the register"),
        Question("1", "signature", "Signature of the weights"),
        Question("2", "intended", "Intended use"),
        Question("2", "out_of_scope", "Out of scope"),
        Question("3", "datasets", "Datasets that went in, and how that is known"),
        Question("3", "size", "Records and contents"),
        Question("3", "media", "Media types"),
        Question("3", "origin", "Origin of the data, as the register states it"),
        Question("4", "runs", "Governed training runs"),
        Question("4", "left_out", "Records by decision of policy"),
        Question("5", "evaluation", "Metrics and results"),
        Question("6", "limitations", "Known biases, risks and limitations"),
        Question("7", "licence", "Licence of the model"),
        Question("7", "data_licences", "Licences of the training data"),
        Question("7", "contract", "Contract"),
    ),
)


def model_card(sources: Sources) -> Filing:
    """The card of the model or adapter that `sources` are about.

    Raises:
        DocumentError: they are about a dataset alone.
    """
    subject = about(sources, DocumentKind.MODEL_CARD)
    model = sources.model
    replies = {
        **(_details(sources, model) if model is not None else {}),
        "datasets": _datasets(sources),
        "size": known_uses(sources) or found(records_and_contents(sources), *entries_of(sources)),
        "media": known_uses(sources)
        or found(by_dataset(sources, lambda each: counted(each.media_types)), *entries_of(sources)),
        "runs": _runs(sources),
        "left_out": left_out(sources),
        "evaluation": lacking("No record holds an evaluation of this model.", "Report metrics, and on which data."),
        "limitations": lacking("No record describes them.", "Describe known biases, risks and limitations."),
        "data_licences": known_uses(sources) or found(by_dataset(sources, licences), *entries_of(sources)),
    }
    replies |= {
        name: nearest(sources, replies[name], whole=name != "size") for name in ("size", "media", "data_licences")
    }
    return filing(DocumentKind.MODEL_CARD, FORM, subject, sources, replies, front=_front(sources))


def _details(sources: Sources, model: ModelSource) -> dict[str, Reply]:
    item, entry = model.item, model.entry.id
    change = "State it in the register: `governance registers change`."
    return {
        "name": found(item.name, entry),
        "digest": found(item.key, entry),
        "kind": _kind(model),
        "base": _base(sources),
        "developer": _developer(sources),
        "released": _stated(getattr(item, "released", ""), entry, "No record says when it was released.", change),
        "state": found({"state": model.state} | ({"expires": item.expires} if item.expires else {}), entry),
        "signature": _signature(model),
        "intended": _stated(item.intended_use, entry, "The register states no intended use.", change),
        "out_of_scope": _stated(item.out_of_scope, entry, "The register states no use that is out of scope.", change),
        "origin": _stated(item.data_origin, entry, "The register states no origin of the data.", change),
        "licence": _stated(item.licence, entry, "The register states no licence.", change),
        "contract": _contract(sources),
    }


def _stated(value: str, entry: str, why: str, fill: str) -> Reply:
    return found(value, entry) if value else lacking(why, fill)


def _kind(model: ModelSource) -> Reply:
    item = model.item
    if isinstance(item, RegisteredModel):
        told: dict[str, Json] = {"register": item.register.value, "components": sorted(item.components)}
        return found(told | ({"pipeline": item.pipeline} if item.pipeline else {}), model.entry.id)
    return found({"register": item.register.value}, model.entry.id)


def _base(sources: Sources) -> Reply:
    if sources.base is not None:
        base = sources.base
        return found({"name": base.item.name, "digest": base.item.key, "state": base.state}, base.entry.id)
    return lacking(
        "No record names a model that it was made from.", "Train it with `govern_training`, or register the base."
    )


def _developer(sources: Sources) -> Reply:
    if sources.vendor is not None and sources.vendor.withdrawn:
        return lacking("The vendor that the register names was withdrawn from it.", "Name another in the register.")
    if sources.vendor is not None:
        return found(sources.vendor.item.name, sources.vendor.entry.id)
    if sources.provider:
        return found(sources.provider, "setting:provider")
    return lacking("No record names the developer.", "Set `provider`, or name a vendor in the register.")


def _signature(model: ModelSource) -> Reply:
    signature = model.item.signature
    if signature is None:
        return lacking("No verified signature is registered.", "Verify one: `governance registers verify-signature`.")
    return found(signature.as_json(), model.entry.id)


def _datasets(sources: Sources) -> Reply:
    if not sources.uses:
        return lacking("No record names a dataset that went into it.", REGISTER_DATASETS)
    return found(uses_told(sources), *entries_of(sources))


def _runs(sources: Sources) -> Reply:
    runs = {use.run.id: use.run for use in sources.uses if use.run is not None}
    if not runs:
        return lacking("No governed run is recorded.", "Train with `govern_training`.")
    told: dict[str, Json] = {
        run.id: {
            "method": run.method,
            "lineage": run.lineage,
            "started": run.started.time,
            "finished": run.trained.time,
            "settings": run.settings,
        }
        for run in runs.values()
    }
    return found(told, *(entry.id for run in runs.values() for entry in (run.started, run.trained)))


def _contract(sources: Sources) -> Reply:
    if sources.contract is None:
        return lacking("The register names no contract for it.", "Name one, if there is one.")
    item = sources.contract.item
    names = (
        "title", "vendor", "licence", "starts", "ends", "shutdown", "indemnity_scope", "indemnity_exclusions", "document",
    )  # fmt: skip
    told: dict[str, Json] = {name: getattr(item, name) for name in names if getattr(item, name)}
    told["state now"] = sources.contract.state
    if item.moderation_sla_hours:
        told["moderation_sla_hours"] = item.moderation_sla_hours
    if item.indemnity_scope:
        return found(told, sources.contract.entry.id)
    return partly(told, (sources.contract.entry.id,), "The register states no indemnity.", "State its scope.")


def _front(sources: Sources) -> dict[str, Any]:
    """The front matter: only what records say; a hub knows licences by their SPDX identifier in small letters, or as other."""
    if sources.model is None:
        return {}
    item = sources.model.item
    front: dict[str, Any] = {"model_name": item.name}
    if item.licence:
        simple = item.licence.replace("-", "").replace(".", "").isalnum() and not item.licence.startswith("LicenseRef")
        front["license"] = item.licence.lower() if simple else "other"
        if not simple:
            front["license_name"] = item.licence
    if sources.base is not None:
        front["base_model"] = sources.base.item.name
    if sources.uses:
        front["datasets"] = list(dict.fromkeys(use.name for use in sources.uses))
    return front
