"""CycloneDX 1.6, checked with the JSON schema that ships in cyclonedx-python-lib.

The library's own classes drop model cards, so the JSON is written by us; references and licence
expressions are checked here, which the schema cannot.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from governance_adapters.documents.licences import check_licence
from governance_adapters.documents.refusal import refused

STANDARD: Final = "CycloneDX 1.6"


def check(content: Mapping[str, Any]) -> None:
    """Refuse what is no bill of materials.

    Raises:
        DocumentError: it does not fit the schema, or refers to what it does not hold.
    """
    from cyclonedx.exception import MissingOptionalDependencyException
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    try:
        problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(content))
    except MissingOptionalDependencyException as error:
        raise ModuleNotFoundError(str(error)) from error
    if problem is not None:
        raise refused(STANDARD, problem)
    for component in content["components"]:
        for licence in component.get("licenses", ()):
            check_licence(STANDARD, licence.get("expression"))
    known = [each for each in _references(content) if each]
    if len(known) != len(set(known)):
        raise refused(STANDARD, "two components have one bom-ref.")
    for each in _referred(content):
        if each not in known:
            raise refused(STANDARD, f"it refers to {each!r}, which it does not hold.")


def _references(content: Mapping[str, Any]) -> Iterator[str]:
    yield content.get("metadata", {}).get("component", {}).get("bom-ref", "")
    for component in content.get("components", ()):
        yield component.get("bom-ref", "")


def _referred(content: Mapping[str, Any]) -> Iterator[str]:
    for component in content.get("components", ()):
        for dataset in component.get("modelCard", {}).get("modelParameters", {}).get("datasets", ()):
            if "ref" in dataset:
                yield dataset["ref"]
    for dependency in content.get("dependencies", ()):
        yield dependency["ref"]
        yield from dependency.get("dependsOn", ())
