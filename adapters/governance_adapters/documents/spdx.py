"""SPDX 3.0.1, checked with the classes that spdx-python-model generates from the standard's SHACL model.

The library checks types, values, patterns and cardinalities of every element. What it does not: the conformance points of the
profiles for AI and datasets (SPDX 3.0.1, `/AI/AI` and `/Dataset/Dataset`), and licence expressions, which are checked here.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from governance_adapters.documents.licences import check_licence
from governance_adapters.documents.refusal import refused

STANDARD: Final = "SPDX 3.0.1"

_REQUIRED: Final = {
    "ai": ("ai_AIPackage", ("suppliedBy", "software_downloadLocation", "software_packageVersion", "releaseTime")),
    "dataset": ("dataset_DatasetPackage", ("originatedBy", "software_downloadLocation", "releaseTime", "builtTime")),
}
"""What a profile asks for beside the SHACL model; `software_primaryPurpose` is asked of both."""

_LICENCES: Final = ("hasDeclaredLicense", "hasConcludedLicense")


def check(content: Mapping[str, Any]) -> None:
    """Refuse what is no SPDX document.

    Raises:
        DocumentError: it is none, or does not conform to a profile that it claims.
    """
    from spdx_python_model import v3_0_1

    objects = v3_0_1.SHACLObjectSet()
    try:
        v3_0_1.JSONLDDeserializer().deserialize_data(dict(content), objects)
        missing = objects.link()
        v3_0_1.JSONLDSerializer().write(objects, io.BytesIO())
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise refused(STANDARD, error) from error
    if missing:
        raise refused(STANDARD, f"it refers to {', '.join(sorted(map(str, missing))[:5])}, which it does not hold.")
    documents = [each for each in content["@graph"] if each.get("type") == "SpdxDocument"]
    if len(documents) != 1:
        raise refused(STANDARD, f"it holds {len(documents)} documents, not one.")
    for each in content["@graph"]:
        if each.get("type") == "simplelicensing_LicenseExpression":
            check_licence(STANDARD, each.get("simplelicensing_licenseExpression"))
    for problem in _problems(content["@graph"], documents[0].get("profileConformance", ())):
        raise refused(STANDARD, problem)


def _problems(graph: Sequence[Mapping[str, Any]], profiles: Sequence[str]) -> Iterator[str]:
    """Where a package does not have what a profile asks for that the document claims; licences are asked for in any case."""
    for profile, (kind, required) in _REQUIRED.items():
        for package in (each for each in graph if each.get("type") == kind):
            name = package.get("spdxId")
            for relation in _LICENCES:
                related = [one for one in graph if one.get("from") == name and one.get("relationshipType") == relation]
                if len(related) != 1:
                    yield f"{name} has {len(related)} relationships {relation}, not one."
            if profile in profiles:
                lacking = [each for each in (*required, "software_primaryPurpose") if not package.get(each)]
                if lacking:
                    yield f"it claims the profile {profile}, and {name} has no {', '.join(lacking)}."
