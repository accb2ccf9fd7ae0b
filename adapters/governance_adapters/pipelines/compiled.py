"""Modules that `torch.compile` made of others: what they were made of."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from governance.errors import ModelError

ORIGINAL = "_orig_mod"
"""Below which name a module that `torch.compile` made has the one that it was made of."""

_COMPILED_OF = "_torchdynamo_orig_callable"


def is_compiled(value: Any) -> bool:
    """Whether `value` is torch's own wrapper around a module: another with such an attribute runs what it likes."""
    dynamo = sys.modules.get("torch._dynamo.eval_frame")  # imported by whoever compiles, and slow to import
    return dynamo is not None and type(value) is dynamo.OptimizedModule


def uncompiled(name: str, value: Any) -> Any:
    """The module that torch compiled to make `value`, the component `name`; anything else as it is.

    Raises:
        ModelError: the wrapper names another module than the one that its code was made of.
    """
    if not is_compiled(value):
        return value
    original, forward = getattr(value, ORIGINAL), vars(value).get("forward")
    while isinstance(forward, partial) and not hasattr(forward, _COMPILED_OF) and forward.args:
        forward = forward.args[-1]  # below the seal
    made_of = getattr(forward, _COMPILED_OF, None)
    if original is not getattr(made_of, "__self__", None) and original is not getattr(made_of, "__wrapped__", None):
        raise ModelError(
            f"The component {name!r} was compiled from another module than the one that it names.",
            remedy="Compile the module again with torch.compile().",
        )
    return original
