"""Two-part jobs side by side: while one job's second part runs, the next job's first part does.

The first parts run one after another in the order of their submission, and so do the second parts. For a pipeline, the
first part generates and the second checks, marks, signs and records; results then come as fast as the pipeline generates,
as long as finishing takes no longer.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from governance.errors import ConfigurationError

T = TypeVar("T")

Job: TypeAlias = Callable[[], Callable[[], T]]
"""The first part of a job; what it returns is the second, which gives the result."""

AHEAD = 3
"""How many jobs may have begun and not finished: one generates, one is finished, one waits for that. No more drafts are kept."""


@dataclass(frozen=True, slots=True)
class Streamed(Generic[T]):
    """What became of one job of a stream: `position` from 0, and its result or its error."""

    position: int
    result: T | None = None
    error: Exception | None = None

    def get(self) -> T:
        """The result.

        Raises:
            Exception: the job's own error.
        """
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]  # None only where T has it


class Overlap(Generic[T]):
    """Runs the parts of jobs in two threads of its own, which start with the first job and end with the program.

    Raises:
        ConfigurationError: `ahead` is below 1.
    """

    def __init__(self, ahead: int = AHEAD) -> None:
        if ahead < 1:
            raise ConfigurationError(f"{ahead} jobs ahead is none at all.", remedy="Let at least one begin.")
        self._ahead = ahead
        self._lock = threading.Lock()
        self._process = 0

    def submit(self, job: Job[T]) -> Future[T]:
        """Run `job` after those submitted before; the future has its result or its error.

        A job that has not begun can be cancelled; one that has runs to its end, whatever becomes of the future.
        """
        future: Future[T] = Future()
        self._start()
        self._first.submit(self._begin, job, future)
        return future

    def stream(self, jobs: Iterable[Job[T]]) -> Iterator[Streamed[T]]:
        """Run all jobs and give what became of each, in order, errors included.

        Jobs are taken from the iterable as they are needed; where it fails, its error is raised after what it gave before.
        Whoever stops before the end cancels what has not begun.
        """
        waiting: deque[Future[T]] = deque()
        source, broken = iter(jobs), None
        position = 0
        try:
            while True:
                try:
                    while broken is None and len(waiting) <= self._ahead and (job := next(source, None)) is not None:
                        waiting.append(self.submit(job))
                except Exception as error:  # noqa: BLE001 - the iterable's own error, raised below: no sibling is lost
                    broken = error
                if not waiting:
                    break
                yield _streamed(position, waiting.popleft())
                position += 1
            if broken is not None:
                raise broken
        finally:
            for future in waiting:
                future.cancel()

    def _start(self) -> None:
        with self._lock:
            if self._process != os.getpid():  # threads do not survive a fork
                self._room = threading.Semaphore(self._ahead)
                self._first = ThreadPoolExecutor(1, thread_name_prefix="generate")
                self._second = ThreadPoolExecutor(1, thread_name_prefix="finish")
                self._process = os.getpid()

    def _begin(self, job: Job[T], future: Future[T]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        self._room.acquire()
        try:
            finish = job()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the future receives it, whatever it is
            self._room.release()
            future.set_exception(error)
            return
        try:
            self._second.submit(self._end, finish, future)
        except RuntimeError:  # the program ends and takes no new work: what has begun is finished here all the same
            self._end(finish, future)

    def _end(self, finish: Callable[[], T], future: Future[T]) -> None:
        try:
            future.set_result(finish())
        except BaseException as error:  # noqa: BLE001 - whoever waits for the future receives it, whatever it is
            future.set_exception(error)
        finally:
            self._room.release()


def _streamed(position: int, future: Future[T]) -> Streamed[T]:
    try:
        return Streamed(position, future.result())
    except Exception as error:  # noqa: BLE001 - an item's own error, handed on in its place; its siblings go on
        return Streamed(position, error=error)
