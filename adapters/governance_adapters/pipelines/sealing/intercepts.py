"""What changes or copies a governed pipeline goes through here: not during a call, and sealed again when it is done.

What an edit changed needs no record of its own: every call describes the model anew, and policy knows models by digests.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import get_ident
from typing import Any

import torch
from diffusers import DiffusionPipeline

from governance.errors import ModelError, SealedError
from governance.governor import Governor
from governance_adapters.pipelines.sealing import turns
from governance_adapters.pipelines.sealing.callers_code import PLAIN
from governance_adapters.pipelines.sealing.origins import check_loading
from governance_adapters.pipelines.sealing.running import is_running
from governance_adapters.pipelines.sealing.seals import Seal

_EDITS = re.compile(r"(load|unload|fuse|unfuse|set|enable|disable|delete|register|reset|remove|upcast)_\w+|to")
_LOADS = re.compile(r"load_(lora_weights|textual_inversion|ip_adapter)")
_MAKERS = ("from_pretrained", "from_single_file", "from_pipe")
_PLAIN = frozenset({"set_progress_bar_config", "load_config", "register_to_config"})
"""What changes nothing that makes the picture, or is part of an edit that is intercepted."""


class Edits:
    """Lets one edit at a time happen to a governed pipeline, between its calls."""

    def __init__(self, seal: Seal, governor: Governor) -> None:
        self._seal, self._governor = seal, governor

    @contextmanager
    def edit(self, pipe: DiffusionPipeline, what: str, *, parts: bool = True) -> Iterator[None]:
        """Where `pipe`, or with `parts` anything that it shares, is in use, nothing else may happen to it.

        The pipeline's own code, and what an edit is made of, goes on.

        Raises:
            SealedError: a call or another edit runs.
        """
        if is_running() or turns.edited_here(pipe):
            yield
            return
        others = turns.parts_of(pipe) if parts else ()
        with turns.taken(pipe, others, edits=True, wait=False) as free:
            if not free:
                self._seal.turn_down(
                    SealedError(
                        f"{what} would change a governed {type(pipe).__name__} while it is in use.",
                        remedy="Do it when the call has returned.",
                    )
                )
            try:
                yield
            finally:
                self._seal.close(pipe)

    def noting(self, pipe: DiffusionPipeline, name: str, value: object) -> None:
        """An attribute that is no part may be set between calls, and by the thread whose call it is.

        Pipelines read guidance and the like from their attributes while they run. Callbacks may set plain values.

        Raises:
            SealedError: somebody else's call or edit runs, or a callback sets what may be code.
        """
        turn = turns.turn_at(pipe)
        if turn is None or not turn.holder or (turn.holder == get_ident() and (turn.edits or is_running())):
            return
        if turn.holder != get_ident() or type(value) not in (*PLAIN, torch.Tensor):
            self._seal.turn_down(
                SealedError(
                    f"Setting {name} would change a governed {type(pipe).__name__} while it is in use.",
                    remedy="Do it when the call has returned.",
                )
            )

    def loading(self, method: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
        """The keywords that a loader may run with; a refusal is on record.

        Raises:
            ModelError: see `check_loading`.
        """
        try:
            return check_loading(method, args, keywords)
        except ModelError as error:
            self._governor.refuse(error)
            raise

    def refuse_pickling(self, pipe: object) -> None:
        """A pickled pipeline would leave its governor behind.

        Raises:
            SealedError: always.
        """
        self._seal.turn_down(
            SealedError(
                f"A governed {type(pipe).__name__} cannot be pickled: what is read back would be governed by nobody.",
                remedy="Load and govern it where it shall run; save_pretrained writes its weights.",
            )
        )


def intercepted(original: type[Any], edits: Edits) -> dict[str, Any]:
    """The members of a governed class that stand before those of `original`."""
    members: dict[str, Any] = {
        name: _edit(edits, name, member)
        for name in dir(original)
        if _EDITS.fullmatch(name) and name not in _PLAIN
        for member in [inspect.getattr_static(original, name)]
        if inspect.isfunction(member)
    }
    makers = {name: _maker(edits, name, getattr(original, name, None)) for name in _MAKERS}
    return {**members, **{name: maker for name, maker in makers.items() if maker is not None}, **_own(original, edits)}


def _edit(edits: Edits, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def edit(self: DiffusionPipeline, *args: Any, **keywords: Any) -> Any:
        if _LOADS.fullmatch(name):
            keywords = edits.loading(name, args, keywords)
        with edits.edit(self, name):
            return method(self, *args, **keywords)

    del edit.__dict__["__wrapped__"]  # or it would be the way around
    edit.__dict__["__signature__"] = inspect.signature(method)
    return edit


def _maker(edits: Edits, name: str, method: Any) -> Any:
    """A governed class makes governed pipelines, and of weights and code that a governed pipeline may have."""
    if method is None:
        return None

    def make(cls: type[Any], *args: Any, **keywords: Any) -> Any:
        checked = edits.loading(name, args, keywords)
        return method.__func__(cls, *args, **(keywords if name == "from_pipe" else checked))

    make.__name__, make.__doc__ = name, method.__doc__
    return classmethod(make)


def _own(original: Any, edits: Edits) -> dict[str, Any]:
    def set_part(self: Any, name: str, value: Any) -> None:
        """Exchange a part between calls only; what a pipeline notes about its own call is no part."""
        if isinstance(value, (torch.nn.Module, DiffusionPipeline)) or name in vars(self).get("_internal_dict", ()):
            with edits.edit(self, f"Setting {name}", parts=False):
                original.__setattr__(self, name, value)
        else:
            edits.noting(self, name, value)
            original.__setattr__(self, name, value)

    def delete_part(self: Any, name: str) -> None:
        with edits.edit(self, f"Deleting {name}", parts=False):
            original.__delattr__(self, name)

    def deep_copy(self: Any, memo: dict[int, Any]) -> Any:
        with edits.edit(self, "A deep copy"):
            return _copied(self, lambda state: copy.deepcopy(state, memo), memo)

    def shallow_copy(self: Any) -> Any:
        return _copied(self, dict, {})

    def reduce(self: Any, _protocol: object) -> Any:
        edits.refuse_pickling(self)

    return {
        "__setattr__": set_part,
        "__delattr__": delete_part,
        "__deepcopy__": deep_copy,
        "__copy__": shallow_copy,
        "__reduce_ex__": reduce,
    }


def _copied(pipe: Any, state: Callable[[dict[str, Any]], dict[str, Any]], memo: dict[int, Any]) -> Any:
    """A pipeline of the same governed class, with `state` of the attributes of `pipe`."""
    copied = object.__new__(type(pipe))
    memo[id(pipe)] = copied
    vars(copied).update(state(vars(pipe)))
    return copied
