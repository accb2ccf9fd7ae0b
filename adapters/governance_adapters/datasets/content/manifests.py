"""What a C2PA manifest store says of training and of how a picture came about.

Words of the C2PA Technical Specification (up to 1.4: `c2pa.training-mining`) and of the CAWG specification that took that
assertion over (`cawg.training-mining` 1.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from governance_adapters.datasets.content.xmp import MODEL_MADE

MARK: Final = b"c2pa"
"""What stands in every file that carries a manifest: its box has this label (JUMBF, ISO 19566-5)."""

TRAINING_MINING: Final = ("c2pa.training-mining", "cawg.training-mining")
USES: Final = frozenset({"ai_training", "ai_generative_training", "data_mining"})
"""The uses that making a model is; `ai_inference` is none of them."""

ALLOWED: Final = "allowed"
_ACTIONS: Final = "c2pa.actions"


def reserves_training(store: Mapping[str, Any]) -> bool:
    """Whether any manifest of a file reserves training or mining: its own, or that of something it was made from.

    Everything but `allowed` reserves: `notAllowed`, `constrained`, and whatever cannot be read.
    """
    for label, data in _assertions(store):
        if label.startswith(TRAINING_MINING):
            entries = data.get("entries") if isinstance(data, Mapping) else None
            if not isinstance(entries, Mapping):
                return True
            for name, entry in entries.items():
                use = entry.get("use") if isinstance(entry, Mapping) else None
                if str(name).rpartition(".")[2] in USES and use != ALLOWED:
                    return True
    return False


def model_made(store: Mapping[str, Any]) -> bool:
    """Whether any manifest of a file says that a model made the picture, or a part of it."""
    for label, data in _assertions(store):
        if label.startswith(_ACTIONS) and isinstance(data, Mapping):
            for action in data.get("actions") or ():
                kind = str(action.get("digitalSourceType") or "") if isinstance(action, Mapping) else ""
                if kind.rpartition("/")[2] in MODEL_MADE:
                    return True
    return False


def _assertions(store: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    manifests = store.get("manifests")
    for manifest in manifests.values() if isinstance(manifests, Mapping) else ():
        for assertion in manifest.get("assertions") or () if isinstance(manifest, Mapping) else ():
            if isinstance(assertion, Mapping):
                yield str(assertion.get("label") or ""), assertion.get("data")
