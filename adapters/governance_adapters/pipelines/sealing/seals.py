"""Seals: the modules of a governed pipeline run inside a governed call, and nowhere else.

Every module below a pipeline, down to the last layer, gets a `forward` of its own on the instance, which looks whether a
governed call runs in this thread. So it does not matter by which way a module is reached - as a component, through another
pipeline, through `decode`, by its class's own `forward`, which runs the layers - nor what torch, accelerate or peft put around
it: they keep the `forward` that they find, and put it back. It costs a fifth of a microsecond; a hook of torch's costs ten
times that, and is not asked where `forward` is called.

A copy of a module carries the seal with it, bound to the copy. What this cannot close stands in docs/sealing.md.
"""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from threading import get_ident
from types import MethodType
from typing import Any, NoReturn
from weakref import WeakSet, WeakValueDictionary

import torch
from diffusers import DiffusionPipeline

from governance.errors import GovernanceError, SealedError
from governance.types import new_id
from governance_adapters.pipelines.compiled import is_compiled
from governance_adapters.pipelines.sealing.running import RUNNING, Anywhere, is_running

logger = logging.getLogger(__name__)

RECORD_SECONDS = 60.0
"""An attempt past the line is recorded at most so often for one pipeline; every one is logged. A loop cannot fill a ledger."""

_FORWARD, _COMPILED = "forward", "_compiled_call_impl"
_NO_FORWARD: Any = torch.nn.Module.forward


class SealedForward(partial[Any]):
    """The `forward` of one sealed module. Its arguments are the module, its seal, and the `forward` that it had of its own."""

    @property
    def __signature__(self) -> inspect.Signature:
        """The module's own: pipelines ask what a `forward` takes."""
        module, _, own = self.args
        return inspect.signature(MethodType(type(module).forward, module) if own is None else own)


def _guarded(module: Any, seal: Seal, own: Callable[..., Any] | None, /, *args: Any, **keywords: Any) -> Any:
    call = RUNNING.get()
    if call is None or call.thread != get_ident():
        seal.refuse(module)
    return type(module).forward(module, *args, **keywords) if own is None else own(*args, **keywords)


def _guarded_in_compiled(module: Any, seal: Seal, own: Callable[..., Any], /, *args: Any, **keywords: Any) -> Any:
    """As `_guarded`, below a module that torch compiles: traced code would break in two at every context variable.

    The module above has looked at the thread; the traced code looks whether any governed call runs. It cannot look up a class's
    `forward` either, so `own` is always there.
    """
    if not (Anywhere.running if torch.compiler.is_compiling() else is_running()):
        seal.refuse(module)
    return own(*args, **keywords)


_seals: WeakValueDictionary[str, Seal] = WeakValueDictionary()


class Seal:
    """What one governed pipeline puts on its modules, and who hears of attempts to run them all the same.

    `record` writes a refused attempt down. Copies of a module keep their pipeline's seal; a module that was
    pickled has it where the pipeline is governed in the same process, and elsewhere one that only logs.
    """

    def __init__(self, pipeline: str, record: Callable[[GovernanceError], object] | None = None) -> None:
        self.pipeline, self._record = pipeline, record
        self.unheard = record is None  # the seal of a module that another process pickled
        self.name = new_id()
        _seals[self.name] = self
        self._sealed_modules: WeakSet[torch.nn.Module] = WeakSet()
        self._lock = threading.Lock()
        self._recorded_at: float | None = None

    def close(self, pipe: DiffusionPipeline) -> None:
        """Seal every module of `pipe` that is not sealed, and record it if seals were taken off."""
        stripped = []
        for module, compiled in modules_of(pipe):
            own = module.__dict__.get(_FORWARD)
            sealed = type(own) is SealedForward and own.func is _guarded and not own.args[1].unheard
            if sealed and not compiled and _COMPILED not in module.__dict__:
                continue  # as most are at most calls
            if self._put_on(module, compiled=compiled):
                stripped.append(type(module).__name__)
        if stripped:
            logger.warning("seals were taken off %s modules of a governed %s", len(stripped), self.pipeline)
            self._recorded(
                SealedError(
                    f"The seals were taken off {len(stripped)} modules of a governed {self.pipeline} ({stripped[0]} first): "
                    "they could run outside governed calls until now.",
                    remedy="They are sealed again. Find out what ran in this process.",
                )
            )

    def refuse(self, module: object) -> NoReturn:
        """Refuse to run a module.

        Raises:
            SealedError: always.
        """
        self.turn_down(
            SealedError(
                f"The {type(module).__name__} of a governed {self.pipeline} runs inside a governed call only.",
                remedy="Call the governed pipeline itself; a pipeline that shares its modules must be governed too.",
            )
        )

    def turn_down(self, error: SealedError) -> NoReturn:
        """Raise `error`, logged, and recorded unless this pipeline's last attempt was recorded moments ago.

        Raises:
            SealedError: always.
        """
        logger.warning("%s", error)
        with self._lock:
            now = time.monotonic()
            due = self._recorded_at is None or now - self._recorded_at >= RECORD_SECONDS
            if due:
                self._recorded_at = now
        if due:
            self._recorded(error)
        raise error

    def _recorded(self, error: SealedError) -> None:
        try:
            if self._record is not None:
                self._record(error)
        except Exception:  # whatever becomes of the record, the attempt is refused
            logger.exception("an attempt past the line could not be recorded")

    def _put_on(self, module: torch.nn.Module, *, compiled: bool) -> bool:
        """Seal one module; whether a seal that it had is gone."""
        state = module.__dict__
        own, run = state.get(_FORWARD), state.get(_COMPILED)
        compiled = compiled or run is not None
        gone = False
        if type(own) is SealedForward:
            if (compiled and own.func is _guarded) or own.args[1].unheard:
                state[_FORWARD] = self._sealed(module, own.args[2], compiled=compiled)
        elif own is not None or type(module).forward is not _NO_FORWARD:
            plain = own is None or getattr(own, "__func__", None) is type(module).forward
            gone = plain and module in self._sealed_modules
            state[_FORWARD] = self._sealed(module, None if plain else own, compiled=compiled)
        if run is not None and type(run) is not SealedForward:
            state[_COMPILED] = SealedForward(_guarded, module, self, run)
        self._sealed_modules.add(module)
        return gone

    def _sealed(self, module: torch.nn.Module, own: Callable[..., Any] | None, *, compiled: bool) -> SealedForward:
        if compiled:
            return SealedForward(_guarded_in_compiled, module, self, own or MethodType(type(module).forward, module))
        return SealedForward(_guarded, module, self, own)

    def __deepcopy__(self, memo: object) -> Seal:
        return self

    def __reduce__(self) -> tuple[Callable[[str, str], Seal], tuple[str, str]]:
        return _read_back, (self.name, self.pipeline)


def _read_back(name: str, pipeline: str) -> Seal:
    """The seal of a module that was pickled: its own where its pipeline is governed in this process, else one that logs."""
    return _seals.get(name) or Seal(pipeline)


def modules_of(pipe: DiffusionPipeline) -> list[tuple[torch.nn.Module, bool]]:
    """Every module below `pipe`, once, and whether torch compiles it or one above it."""
    found: dict[int, tuple[torch.nn.Module, bool]] = {}
    pipelines: dict[int, DiffusionPipeline] = {}
    waiting: list[tuple[Any, bool]] = [(pipe, False)]
    while waiting:
        part, compiled = waiting.pop()
        if isinstance(part, torch.nn.Module):
            if id(part) not in found:
                found[id(part)] = (part, compiled)
                below = part._modules  # noqa: SLF001 - torch's own walk looks for names too, at ten times the price
                if below:
                    inside = compiled or is_compiled(part) or part.__dict__.get(_COMPILED) is not None
                    waiting.extend([(child, inside) for child in below.values()])
        elif isinstance(part, DiffusionPipeline):
            if id(part) not in pipelines:
                pipelines[id(part)] = part
                waiting.extend([(value, False) for value in vars(part).values()])
        elif type(part) in (list, tuple):
            waiting.extend(
                [(item, compiled) for item in part if isinstance(item, (torch.nn.Module, DiffusionPipeline))]
            )
    return list(found.values())
