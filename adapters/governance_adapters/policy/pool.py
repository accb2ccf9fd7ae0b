"""Workers for any number of threads: few, started when callers wait for them, replaced when they die."""

from __future__ import annotations

import threading
from collections import deque
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
        slot = self._take()
        try:
            if slot.worker is None or not slot.worker.alive:
                slot.drop()
                slot.worker = self._start()
            try:
                return slot.worker.ask(question)
            except BaseException:
                slot.worker = None
                raise
        finally:
            self._give(slot)

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that were started and not ended by us."""
        return tuple(worker.pid for slot in self._slots if (worker := slot.worker))

    def close(self) -> None:
        """End every worker; those that are answering end with their answer."""
        with self._changed:
            self._closed = True
            for slot in self._free:
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
        # Used from the right: one caller at a time needs one worker, and an empty slot waits on the left.
        self._free = deque(self._slots)
        self._closed = False

    def _take(self) -> _Slot:
        with self._changed:
            ready = self._changed.wait_for(lambda: self._closed or self._free, self._wait_seconds)
            if self._closed:
                raise PolicyError("The policy engine is closed.", remedy="Make a new one.")
            if not ready:
                raise PolicyError(
                    f"No policy engine became free within {self._wait_seconds:g} s.",
                    remedy="Allow more engines, or find the rule that takes so long.",
                )
            return self._free.pop()

    def _give(self, slot: _Slot) -> None:
        with self._changed:
            if self._closed:
                slot.drop()
            if slot.worker:
                self._free.append(slot)
            else:
                self._free.appendleft(slot)
            self._changed.notify()


@dataclass(slots=True, eq=False)
class _Slot:
    worker: Worker | None = None

    def drop(self) -> None:
        if self.worker:
            self.worker.end()
            self.worker = None
