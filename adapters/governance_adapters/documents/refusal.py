"""How a document that does not fit its standard is refused."""

from __future__ import annotations

from typing import Final

from governance.errors import DocumentError

_MOST: Final = 600
"""The most characters that are shown of what a library says."""


def refused(standard: str, problem: object) -> DocumentError:
    """The error of a document that does not fit."""
    words = " ".join(str(problem).split())[:_MOST]
    return DocumentError(
        f"The document does not fit {standard}: {words}",
        remedy="Correct the record that it is made from, and try again.",
    )
