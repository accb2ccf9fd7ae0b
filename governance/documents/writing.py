"""The documents by their kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from governance.documents.ab2013 import ab2013
from governance.documents.answers import DocumentKind
from governance.documents.croissant import croissant
from governance.documents.cyclonedx import cyclonedx
from governance.documents.eu_summary import eu_summary
from governance.documents.filing import Filing
from governance.documents.model_card import model_card
from governance.documents.sources import Sources
from governance.documents.spdx import spdx

WRITERS: Final[Mapping[DocumentKind, Callable[[Sources], Filing]]] = {
    DocumentKind.EU_SUMMARY: eu_summary,
    DocumentKind.AB2013: ab2013,
    DocumentKind.CROISSANT: croissant,
    DocumentKind.SPDX: spdx,
    DocumentKind.CYCLONEDX: cyclonedx,
    DocumentKind.MODEL_CARD: model_card,
}
"""What writes each kind; the same sources give the same document."""


def written(kind: DocumentKind, sources: Sources) -> Filing:
    """The document of this kind from these sources.

    Raises:
        DocumentError: such a document is not about what the sources are about.
    """
    return WRITERS[kind](sources)
