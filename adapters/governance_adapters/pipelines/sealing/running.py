"""Whether a governed call runs here and now, which is when a sealed module may run.

A call opens its thread, and only while the pipeline's own code runs. It is a context variable that names its thread: a
task or a thread that takes a copy of the context with it finds it closed, and so does whoever keeps the copy until later.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import get_ident


class RunningCall:
    """One run of a pipeline's own code; `thread` is 0 when it is over."""

    __slots__ = ("thread",)

    def __init__(self) -> None:
        self.thread = get_ident()


class Anywhere:
    """Whether a governed call runs in this process at all.

    Code that torch compiles can look at a plain attribute, and at no context variable.
    """

    running = False


RUNNING: ContextVar[RunningCall | None] = ContextVar("governed_call", default=None)

_lock = threading.Lock()
_calls = 0


def is_running() -> bool:
    """Whether this thread runs the code of a governed call."""
    call = RUNNING.get()
    return call is not None and call.thread == get_ident()


@contextmanager
def running() -> Iterator[None]:
    """Sealed modules run in here, in this thread."""
    call = RunningCall()
    token = RUNNING.set(call)
    _count(1)
    try:
        yield
    finally:
        call.thread = 0
        RUNNING.reset(token)
        _count(-1)


@contextmanager
def set_aside() -> Iterator[None]:
    """What runs in here, in the middle of a governed call, is the caller's own code: modules are closed to it."""
    token = RUNNING.set(None)
    try:
        yield
    finally:
        RUNNING.reset(token)


def _count(change: int) -> None:
    global _calls  # noqa: PLW0603 - one number for the process is what this is
    with _lock:
        _calls += change
        Anywhere.running = _calls > 0
