"""Croissant 1.1, checked with mlcroissant: the document is read as any user of the dataset would read it.

mlcroissant ignores properties that it does not know, so the names of RAI 1.0 are checked here; and it only warns of required
properties that are missing, so each is asked for here, or has to be a gap.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from governance.documents.croissant import CONFORMS_TO, RAI, REQUIRED, TIMEFRAME
from governance_adapters.documents.refusal import refused

STANDARD: Final = "Croissant 1.1 with RAI 1.0"


def check(content: Mapping[str, Any]) -> None:
    """Refuse what is no Croissant document.

    Raises:
        DocumentError: mlcroissant finds errors, a required property is neither there nor a gap, or one of RAI is misspelt.
    """
    import mlcroissant

    try:
        with _quietly():
            metadata = mlcroissant.Dataset(jsonld=dict(content)).metadata
    except (mlcroissant.ValidationError, ValueError, TypeError, KeyError, AttributeError, AssertionError) as error:
        raise refused(STANDARD, error) from error
    if metadata.name != content.get("name"):
        raise refused(STANDARD, "its name is not read back.")
    for problem in _problems(content):
        raise refused(STANDARD, problem)


def _problems(content: Mapping[str, Any]) -> Iterator[str]:
    if content.get("conformsTo") != list(CONFORMS_TO):
        yield f"it does not say that it conforms to {' and '.join(CONFORMS_TO)}."
    open_fields = {str(gap.get("field", "")) for gap in content.get("gaps", ())}
    for name in REQUIRED:
        if not content.get(name) and name not in open_fields:
            yield f"{name} is neither there nor listed as a gap."
    for name in content:
        if name.startswith("rai:") and name not in RAI:
            yield f"RAI 1.0 has no {name}."
    for name in RAI:  # texts are marked in place where nothing is stated; a time frame can only be left out
        if name not in content and (name not in open_fields or name != TIMEFRAME):
            yield f"{name} is neither there nor marked as not stated."
    for time in content.get(TIMEFRAME, ()):
        try:
            datetime.fromisoformat(time)
        except (TypeError, ValueError):
            yield f"{time!r} is no time of collection."


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what is no finding of ours: rdflib's own deprecations, and the library's warnings, which it logs."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "ConjunctiveGraph is deprecated", DeprecationWarning)
            yield
    finally:
        logger.setLevel(before)
