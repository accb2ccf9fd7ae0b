"""A bundle that is replaced while the program runs: looked at, loaded whole, compiled, and only then in force.

A decision is made wholly by one bundle: the engine is taken once per decision. A bundle that does not load leaves the
old one in force, and says why.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from governance.canonical import Digest, Json
from governance.errors import ConfigurationError, GovernanceError, PolicyError
from governance.ports import PolicyEngine
from governance.types import Decision, Stage
from governance_adapters.policy.bundle import Bundle

logger = logging.getLogger(__name__)

MakeEngine: TypeAlias = Callable[[Bundle], PolicyEngine]
_File: TypeAlias = tuple[str, int, int, int, int, int]
SETTLE_SECONDS = 0.5
"""How long files must be left alone before they are read: a copy that is under way is no bundle."""
RETRY_SECONDS = 30.0
"""How long files that did not load are left alone if they do not change."""


@runtime_checkable
class ClosableEngine(Protocol):
    """An engine that holds something to let go of: processes, connections."""

    def close(self) -> None:
        """Let go of it; no decision is asked for afterwards."""


def close_engine(engine: PolicyEngine) -> None:
    """Close an engine that has something to close."""
    if isinstance(engine, ClosableEngine):
        engine.close()


class ReloadingEngine:
    """Implements `governance.ports.PolicyEngine` over a folder that may be replaced. Safe to call from any thread.

    A look costs one `stat` per file. The caller whose decision falls on a look at new files waits until they are loaded
    and compiled; others go on with the bundle in force meanwhile. Replace the folder by a rename, or the link that
    leads to it, so that no mixture of two bundles ever stands there: what is edited in place is read when it was left
    alone for a moment.
    """

    def __init__(self, path: Path, make: MakeEngine, every: float, *, settle: float = SETTLE_SECONDS) -> None:
        """Load the bundle at `path`, and look at it again at most every `every` seconds; 0 for never.

        `make` compiles a bundle into an engine of its own. `settle` is in seconds.

        Raises:
            ConfigurationError: `every` or `settle` is negative.
            PolicyError: the bundle does not load or compile, or changed while it was read.
        """
        if every < 0 or settle < 0:
            raise ConfigurationError("A bundle cannot be looked at every negative second.", remedy="Use 0 for never.")
        self._path, self._make, self._every, self._settle = path, make, every, settle
        self._start()
        _living.add(self)
        self._problem = ""
        seen = _Files.at(path)
        self._served = _Served(make(self._read(seen)))
        self._failed: tuple[_Files, float] | None = None
        self._pending: tuple[_Files, float] | None = None
        self._loaded: _Files | None = seen if self._quiet(seen) else None
        """The files that the engine in force was read from; None where they may have changed under the reading."""
        self._next_look = time.monotonic() + every

    @property
    def bundle_revision(self) -> Digest:
        """The revision of the bundle in force."""
        return self._served.engine.bundle_revision

    @property
    def problem(self) -> str:
        """Why the bundle on disk is not the one in force; empty where it is, as far as was looked."""
        return self._problem

    def decide(self, stage: Stage, facts: Mapping[str, Json]) -> Decision:
        """Decide by the bundle that is in force now, after a look at its files if one is due.

        Raises:
            PolicyError: see `PolicyEngine.decide`. Never because a new bundle does not load.
        """
        if self._due():
            with self._looking:
                try:
                    self._look()
                except GovernanceError as error:
                    self._note(error)
        served = self._taken()
        try:
            return served.engine.decide(stage, facts)
        finally:
            self._given_back(served)

    def reload(self) -> bool:
        """Load what is at the path now, however recently it changed; whether another revision is in force then.

        Raises:
            PolicyError: it does not load or compile; the old one stays in force.
        """
        with self._looking:
            seen = _Files.at(self._path)
            try:
                return self._load(seen)
            except GovernanceError as error:
                self._failed = seen, time.monotonic()
                self._note(error)
                raise

    def close(self) -> None:
        """Close the engine in force; nothing is asked afterwards."""
        with self._looking:
            self._retire(self._served)

    def _start(self) -> None:
        self._looking = threading.Lock()
        self._using = threading.Lock()

    def _due(self) -> bool:
        """Whether a look is due: true for one caller each time, and for none as long as somebody is looking."""
        if not self._every or time.monotonic() < self._next_look:
            return False
        with self._using:
            now = time.monotonic()
            if now < self._next_look or self._looking.locked():
                return False
            self._next_look = now + self._every
            return True

    def _look(self) -> None:
        """Load the files if they are others than those in force, and were left alone for a moment."""
        seen = _Files.at(self._path)
        if seen == self._loaded:
            self._problem, self._failed = "", None  # whatever stood there meanwhile is gone
            return
        if self._failed and self._failed[0] == seen and time.monotonic() < self._failed[1] + RETRY_SECONDS:
            return
        if not self._quiet(seen):
            return
        try:
            self._load(seen)
        except GovernanceError:
            self._failed = seen, time.monotonic()
            raise

    def _load(self, seen: _Files) -> bool:
        bundle = self._read(seen)
        changed = bundle.revision != self.bundle_revision
        if changed:
            before = self._served
            fresh = _Served(self._make(bundle))
            self._served = fresh  # from here on every new decision is the new bundle's
            self._retire(before)
            logger.info("policy bundle %s is in force", bundle.revision)
        self._loaded = seen if self._quiet(seen) else None
        self._problem, self._failed, self._pending = "", None, None
        return changed

    def _read(self, seen: _Files) -> Bundle:
        bundle = Bundle.load(self._path)
        if _Files.at(self._path) != seen:
            raise PolicyError(f"{self._path} changed while it was read.", remedy="Replace it whole, by a rename.")
        return bundle

    def _quiet(self, seen: _Files) -> bool:
        """Whether the files were left alone long enough: by the clock that stamps them, or, as that may be another
        machine's, by ours since an earlier look found the same.
        """
        now = time.monotonic()
        if self._pending is None or self._pending[0] != seen:
            self._pending = seen, now
        return max(time.time() - seen.changed, now - self._pending[1]) >= self._settle

    def _note(self, error: GovernanceError) -> None:
        if str(error) != self._problem:
            logger.error("bundle %s stays in force: %s", self.bundle_revision, error)
        self._problem = str(error)

    def _taken(self) -> _Served:
        with self._using:
            served = self._served
            served.decisions += 1
            return served

    def _given_back(self, served: _Served) -> None:
        with self._using:
            served.decisions -= 1
            last = served.retired and not served.decisions
        if last:
            close_engine(served.engine)

    def _retire(self, served: _Served) -> None:
        """Close the engine now, or when the last decision on it ends."""
        with self._using:
            unused = not served.retired and not served.decisions
            served.retired = True
        if unused:
            close_engine(served.engine)


@dataclass(slots=True, eq=False)
class _Served:
    """An engine, how many decisions are being made by it, and whether another one took its place."""

    engine: PolicyEngine
    decisions: int = 0
    retired: bool = False


@dataclass(frozen=True, slots=True)
class _Files:
    """What `stat` says of a bundle: of its folder, each folder in it and each file the name, device, identity, size, and
    when its content and its status changed (ns). The last cannot be set by hand; of a folder they tell that a file went.
    """

    files: tuple[_File, ...]

    @classmethod
    def at(cls, path: Path) -> _Files:
        """The files at `path` now; none if one vanishes while it is looked at."""
        try:
            return cls((_told("", path.stat()), *sorted(_listed(str(path), ""))))
        except OSError:
            return cls(())

    @property
    def changed(self) -> float:
        """When the newest change was, in seconds since 1970, by the file system's clock; 0 where there is no file."""
        return max((each[-1] for each in self.files), default=0) / 1e9


def _listed(folder: str, prefix: str) -> list[_File]:
    listed = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            listed.append(_told(name, entry.stat(follow_symlinks=False)))
            if entry.is_dir(follow_symlinks=False):
                listed += _listed(entry.path, f"{name}/")
    return listed


def _told(name: str, found: os.stat_result) -> _File:
    return name, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _restart_in_child() -> None:
    """A forked child has no thread that could let go of a lock which was held when it was made."""
    for engine in list(_living):
        engine._start()  # noqa: SLF001


_living: weakref.WeakSet[ReloadingEngine] = weakref.WeakSet()
os.register_at_fork(after_in_child=_restart_in_child)
