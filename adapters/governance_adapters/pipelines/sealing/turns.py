"""Turns: one governed call, or one edit, at a time for a pipeline and for every part that it shares with another.

Schedulers and tokenizers keep state, and modules are changed by edits. Pipelines that `from_pipe` makes share them all.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any
from weakref import WeakKeyDictionary

from diffusers import DiffusionPipeline

_order = itertools.count()
_turns: WeakKeyDictionary[Any, Turn] = WeakKeyDictionary()
_turns_lock = threading.Lock()


class Turn:
    """Who may use one pipeline or one part of it now."""

    def __init__(self) -> None:
        self.order = next(_order)
        self.lock = threading.Lock()
        self.holder = 0
        self.edits = False

    def take(self, *, edits: bool, wait: bool) -> bool:
        """Take the turn for this thread; False if somebody has it and nobody waits."""
        if not self.lock.acquire(blocking=wait):
            return False
        self.holder, self.edits = get_ident(), edits
        return True

    def give(self) -> None:
        """Give it back."""
        self.holder = 0
        self.lock.release()


def turn_at(part: object) -> Turn | None:
    """The turn of one object; None for what cannot be told apart by identity, which then has no state to share."""
    try:
        with _turns_lock:
            return _turns.setdefault(part, Turn())
    except TypeError:  # no hash, or no weak reference
        return None


def parts_of(pipe: DiffusionPipeline) -> Iterator[object]:
    """What `pipe` may share with another: everything that it was made with, and what it holds beside that."""
    for value in vars(pipe).values():
        if hasattr(type(value), "__dict__") and not isinstance(value, (type, str, int, float, dict, list, tuple)):
            yield value


@contextmanager
def taken(first: object, others: Iterable[object], *, edits: bool = False, wait: bool = True) -> Iterator[bool]:
    """Take the turn at `first`, then those at `others` in the order of their making, which no two callers can do crosswise.

    Gives False, and takes nothing, where somebody has one of them and `wait` is false.
    """
    held: list[Turn] = []
    try:
        for turn in _ordered(first, others):
            if not turn.take(edits=edits, wait=wait):
                break
            held.append(turn)
        else:
            yield True
            return
        while held:
            held.pop().give()
        yield False
    finally:
        while held:
            held.pop().give()


def held_here(objects: Iterable[object]) -> bool:
    """Whether this thread has one of these turns."""
    me = get_ident()
    return any(turn is not None and turn.holder == me for turn in map(turn_at, objects))


def edited_here(pipe: object) -> bool:
    """Whether this thread is in the middle of an edit of `pipe`."""
    turn = turn_at(pipe)
    return turn is not None and turn.holder == get_ident() and turn.edits


def _ordered(first: object, others: Iterable[object]) -> Iterator[Turn]:
    """The first turn, then - when it is taken, so that the parts are those of now - the others, each once."""
    leading = turn_at(first)
    if leading is not None:
        yield leading
    found = {turn.order: turn for turn in map(turn_at, others) if turn is not None and turn is not leading}
    yield from (found[order] for order in sorted(found))
