"""Tiny instances of the pipeline classes of diffusers, by class name; a module for each family holds its own `TINY`.

A name may go on after a `+` with what is added to the class: `StableDiffusionPipeline+ip_adapter`.
"""

from __future__ import annotations

import importlib
import pkgutil

from support.tiny_pipelines.instance import Tiny

__all__ = ["TINY", "Tiny"]


def _collected() -> dict[str, Tiny]:
    found: dict[str, Tiny] = {}
    for module in sorted(each.name for each in pkgutil.iter_modules(__path__)):
        own = getattr(importlib.import_module(f"{__name__}.{module}"), "TINY", {})
        twice = found.keys() & own.keys()
        if twice:
            raise ValueError(f"{module} builds classes that another module builds: {sorted(twice)}")
        found.update(own)
    return dict(sorted(found.items()))


TINY = _collected()
