"""SPDX 3.0.1 with the profiles for AI and datasets, as JSON-LD.

A profile is claimed (`profileConformance`) only where every package has all that the profile asks for; every gap is an
annotation of its package. A dataset that a run consumed is related to the model with `trainedOn`, which says in its comment
whether that is witnessed or declared; a dataset that only the register names, with `other`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from governance.documents.answers import (
    NOT_STATED,
    STATEMENT,
    DocumentKind,
    Form,
    Question,
    Reply,
    said,
)
from governance.documents.filing import Filing, about, basis_json, dataset_words, filing
from governance.documents.sources import How, Sources, Use
from governance.documents.spdx_parts import NAMESPACE, Package, ai_package, dataset_package, seconds

SPDX_CONTEXT: Final = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
SPEC_VERSION: Final = "3.0.1"
NO_ASSERTION: Final = "expandedlicensing_NoAssertionLicense"
_INFO: Final = "_:creation"
_HOW: Final = {
    How.WITNESSED: "Witnessed: a governed run handed the records out.",
    How.DECLARED: "Declared: whoever trained says so; the run did not hand the records out.",
    How.STATED: "Stated in the register of models; no run is recorded.",
}


def spdx(sources: Sources) -> Filing:
    """The document about the model, adapter or dataset that `sources` are about.

    Raises:
        DocumentError: they are about nothing.
    """
    model = ai_package(sources)
    uses = [(use, dataset_package(use, use.dataset, at)) for at, use in enumerate(sources.uses)]
    packages = [package for _, package in uses]
    if model is not None:
        packages.insert(0, model)
        subject = about(sources, DocumentKind.SPDX)
    elif sources.dataset is not None:
        packages = [dataset_package(None, sources.dataset, 0)]
        subject = dataset_words(sources.dataset)
    else:
        subject = about(sources, DocumentKind.SPDX)
    form, replies = _form(packages)
    return filing(
        DocumentKind.SPDX,
        form,
        subject,
        sources,
        replies,
        write=lambda made: _document(made, model, uses, packages),
    )


def _form(packages: Sequence[Package]) -> tuple[Form, dict[str, Reply]]:
    questions, replies, titles = [], {}, {}
    for at, package in enumerate(packages):
        number = f"package {at + 1}"
        titles[number] = package.title
        for name, reply in package.replies.items():
            questions.append(Question(number, f"{at + 1}/{name}", name))
            replies[f"{at + 1}/{name}"] = reply
    form = Form("SPDX document", f"SPDX {SPEC_VERSION}, profiles for AI and datasets", titles, tuple(questions))
    return form, replies


def _document(
    made: Filing, model: Package | None, uses: Sequence[tuple[Use, Package]], packages: Sequence[Package]
) -> dict[str, Any]:
    basis = made.sources.basis
    maker = f"{NAMESPACE}makers/{basis.maker.replace(' ', '/')}"
    info = {
        "type": "CreationInfo",
        "@id": _INFO,
        "specVersion": SPEC_VERSION,
        "created": seconds(basis.made),
        "createdBy": [maker],
        "comment": STATEMENT,
    }
    elements: list[dict[str, Any]] = [_element({"type": "SoftwareAgent", "name": basis.maker}, maker)]
    for package in packages:
        elements += [_element(agent, str(agent["spdxId"])) for agent in package.agents]
        elements.append(_element(package.element, package.id))
        elements += _licences(package)
        elements += _annotations(package)
    elements += [_use(model, use, package) for use, package in uses if model is not None]
    root = packages[0].id
    document = {
        "type": "SpdxDocument",
        "name": f"{made.title}: {made.subject}",
        "comment": said(basis_json(made.sources)),
        "rootElement": [root],
        "element": [each["spdxId"] for each in elements],
        "profileConformance": ["core", "software", "simpleLicensing", *_profiles(packages)],
    }
    elements.append(_element(document, f"{root}/document"))
    return {"@context": SPDX_CONTEXT, "@graph": [info, *elements]}


def _profiles(packages: Sequence[Package]) -> Iterator[str]:
    """The profiles whose every package is complete."""
    for profile, kind in (("ai", "ai_AIPackage"), ("dataset", "dataset_DatasetPackage")):
        of_kind = [package for package in packages if package.element["type"] == kind]
        if of_kind and all(package.conforms for package in of_kind):
            yield profile


def _element(element: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {**element, "spdxId": name, "creationInfo": _INFO}


def _licences(package: Package) -> Iterator[dict[str, Any]]:
    """Exactly one declared and one concluded licence; what no record says is NoAssertion."""
    declared = NO_ASSERTION
    if package.licence:
        declared = f"{package.id}/licence"
        yield _element(
            {"type": "simplelicensing_LicenseExpression", "simplelicensing_licenseExpression": package.licence},
            declared,
        )
    for name, licence in (("hasDeclaredLicense", declared), ("hasConcludedLicense", NO_ASSERTION)):
        yield _related(package.id, name, licence, f"{package.id}/{name}")


def _annotations(package: Package) -> Iterator[dict[str, Any]]:
    for name, reply in package.replies.items():
        if reply.why:
            statement = f"{NOT_STATED}: {name}: {reply.why} {reply.fill}"
            words = {"type": "Annotation", "annotationType": "other", "subject": package.id, "statement": statement}
            yield _element(words, f"{package.id}/gaps/{name}")


def _use(model: Package, use: Use, package: Package) -> dict[str, Any]:
    name = "other" if use.how is How.STATED else "trainedOn"
    comment = _HOW[use.how]
    if use.run is not None:
        comment += f" Run {use.run.id}: {use.contents} distinct contents, {use.records} records."
    return {**_related(model.id, name, package.id, f"{package.id}/use"), "comment": comment}


def _related(one: str, name: str, other: str, relationship: str) -> dict[str, Any]:
    return _element(
        {"type": "Relationship", "from": one, "relationshipType": name, "to": [other], "completeness": "noAssertion"},
        relationship,
    )
