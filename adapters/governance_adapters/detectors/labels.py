"""The names under which policy knows the classes of a model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from governance.errors import DetectorError

MAX_CLASSES = 64
MAX_LABEL = 96
"""Characters of a label, the detector's name included."""
_SEPARATORS = re.compile(r"[\W_]+")


def labels_of(name: str, classes: Sequence[str]) -> tuple[str, ...]:
    """`<name>.<class>` for each class: small letters, digits and single underscores.

    Raises:
        DetectorError: no class or more than 64, one without a letter or digit, one too long, or two of one label.
    """
    if not 1 <= len(classes) <= MAX_CLASSES:
        raise DetectorError(
            f"{name} has {len(classes)} classes; an entry has room for {MAX_CLASSES} at most.",
            remedy="Use a model that tells fewer classes apart.",
        )
    labels: dict[str, str] = {}
    for given in classes:
        plain = _SEPARATORS.sub("_", unicodedata.normalize("NFKC", given).casefold()).strip("_")
        label = f"{name}.{plain}"
        if not plain or len(label) > MAX_LABEL:
            raise DetectorError(
                f"{name} has the class {given[:MAX_LABEL]!r}, which makes no label.",
                remedy=f"Name it in `id2label` of its config.json with letters and digits, at most {MAX_LABEL} in all.",
            )
        if label in labels:
            raise DetectorError(
                f"{name} has the classes {labels[label]!r} and {given!r}, which are one label, {label}.",
                remedy="Name them apart in `id2label` of its config.json.",
            )
        labels[label] = given
    return tuple(labels)
