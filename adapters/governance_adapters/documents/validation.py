"""Each document checked by the library of its standard before it is written. Nothing is fetched.

Croissant by mlcroissant, SPDX by the model that spdx-python-model generates from the standard's SHACL, CycloneDX by the JSON
schema in cyclonedx-python-lib. The forms of laws and the model card have no library: their JSON is checked against a schema of
ours that names every question, the card's front matter as YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.documents.answers import DocumentKind
from governance.errors import ConfigurationError
from governance_adapters.documents import croissant, cyclonedx, forms, spdx


def validate(kind: DocumentKind, content: Mapping[str, Any]) -> None:
    """Refuse a document that does not fit its standard.

    Raises:
        DocumentError: it does not; the message says what the standard's library found.
        ConfigurationError: the library is not installed.
    """
    try:
        _check(kind, content)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"A document of the kind {kind.value} cannot be checked: {error}.",
            remedy="Install it: pip install 'diffusion-governance[documents]'.",
        ) from error


def _check(kind: DocumentKind, content: Mapping[str, Any]) -> None:
    match kind:
        case DocumentKind.CROISSANT:
            croissant.check(content)
        case DocumentKind.SPDX:
            spdx.check(content)
        case DocumentKind.CYCLONEDX:
            cyclonedx.check(content)
        case _:
            forms.check(kind, content)
