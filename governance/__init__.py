"""The core of diffusion governance: values, ports, and the one straight line from a request to a released image.

This package imports no vendor: the standard library, numpy, rfc8785 and cryptography only.
"""

from governance.assets import Asset, GovernedItem, GovernedResult, Verdict
from governance.entries import Receipt
from governance.types import Assurance, GenerationRequest, Principal

__all__ = [
    "Asset",
    "Assurance",
    "GenerationRequest",
    "GovernedItem",
    "GovernedResult",
    "Principal",
    "Receipt",
    "Verdict",
]
