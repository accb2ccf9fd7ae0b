"""Workers for any number of threads: few, started when callers wait for them, replaced when they die."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from governance.errors import PolicyError
from governance_adapters.policy.processes import Worker


class Pool:
    """At most `size` workers, started when callers wait for them. For any number of threads."""

    def __init__(self, start: Callable[[], Worker], size: int, wait_seconds: float) -> None:
        """`start` makes a worker. A caller waits at most `wait_seconds` for its turn."""
        self._start = start
        self._size = size
        self._wait_seconds = wait_seconds
        self._reset()

    def ask(self, question: bytes) -> bytes:
        """The answer of any worker.

        Raises:
            PolicyError: as `Worker`; or no worker became free in time, or the pool is closed.
        """
        caller, answered = object(), False
        try:  # around the taking, too: an interrupt there must not cost the slot
            slot = self._take(caller)
            if slot.worker is None or not slot.worker.alive:
                slot.drop()
                slot.worker = self._start()
            answer = slot.worker.ask(question)
            answered = True
            return answer
        finally:
            self._give(caller, answered=answered)

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that were started and not ended by us."""
        return tuple(worker.pid for slot in self._slots if (worker := slot.worker))

    def close(self) -> None:
        """End every worker; those that are answering end with their answer."""
        with self._changed:
            self._closed = True
            for slot in self._slots:
                if slot.caller is None:
                    slot.drop()
            self._changed.notify_all()

    def forget(self) -> None:
        """In a forked child: start over, and leave the parent's processes alone."""
        for slot in self._slots:
            if slot.worker:
                slot.worker.forget()
        closed = self._closed
        self._reset()
        self._closed = closed

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._slots = tuple(_Slot() for _ in range(self._size))
        self._closed = False

    def _take(self, caller: object) -> _Slot:
        with self._changed:
            ready = self._changed.wait_for(lambda: self._closed or self._free(), self._wait_seconds)
            if self._closed:
                raise PolicyError("The policy engine is closed.", remedy="Make a new one.")
            if not ready:
                raise PolicyError(
                    f"No policy engine became free within {self._wait_seconds:g} s.",
                    remedy="Allow more engines, or find the rule that takes so long.",
                )
            # One caller at a time needs one worker: an empty slot is the last choice.
            slot = max(self._free(), key=lambda free: free.worker is not None)
            slot.caller = caller
            return slot

    def _free(self) -> list[_Slot]:
        return [slot for slot in self._slots if slot.caller is None]

    def _give(self, caller: object, *, answered: bool) -> None:
        """Give back what `caller` took, if anything. No later question meets a worker that did not answer this one."""
        with self._changed:
            for slot in self._slots:
                if slot.caller is caller:
                    if self._closed or not answered:
                        slot.drop()
                    slot.caller = None
                    self._changed.notify()


@dataclass(slots=True, eq=False)
class _Slot:
    worker: Worker | None = None
    caller: object | None = None
    """Whose question it answers now."""

    def drop(self) -> None:
        if self.worker:
            self.worker.end()
            self.worker = None
