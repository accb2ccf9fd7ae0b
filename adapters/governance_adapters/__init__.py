"""Adapters: what connects the core to diffusers, OPA, C2PA, detectors, databases - and the one-line wrap, `govern`.

Names are imported when they are first used: whoever needs one adapter does not load the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from governance_adapters.pictures import open_image
    from governance_adapters.settings import Settings
    from governance_adapters.trainings import govern_training
    from governance_adapters.wiring import govern, open_governor

__all__ = ["Settings", "govern", "govern_training", "open_governor", "open_image"]

_HOMES = {
    "Settings": "settings",
    "govern": "wiring",
    "govern_training": "trainings",
    "open_governor": "wiring",
    "open_image": "pictures",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
