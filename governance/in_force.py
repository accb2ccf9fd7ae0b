"""Which bundle is in force is itself on the record: no decision is used whose bundle revision has no entry.

An entry of kind `policy` is written when the first decision of a bundle is about to be used, and again at each change.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping

from governance.canonical import Digest, Json
from governance.entries import Entry, EntryKind, Record
from governance.errors import LedgerError, PolicyError
from governance.ports import Ledger, PolicyEngine
from governance.types import Decision, Stage

POLICY_SUBJECT = "policy"
"""The subject of every `policy` entry: together they are the history of what was in force."""

_BODY_VERSION = 1
_PAGE = 1000
_ATTEMPTS = 10


class RecordedPolicy:
    """A policy engine whose decisions are used only once the revision that made them has an entry.

    Implements `governance.ports.PolicyEngine` around another one; safe to call from any thread if that one is. Entries
    are in the order in which the revisions were in force; one per change, as this process sees it. A decision that was
    made before a change and ends after it stands: its own entry was written before.
    """

    def __init__(self, engine: PolicyEngine, ledger: Ledger, *, name: str = "") -> None:
        """`name` says in the entries what kind of engine decides; by default the name of its class."""
        self._engine = engine
        self._ledger = ledger
        self._name = name or type(engine).__name__
        self._start()
        _living.add(self)
        self._history: list[Digest] = []
        """Revisions with an entry, oldest first: the last one of the ledger at first use, then those of this process."""
        self._read = False

    @property
    def bundle_revision(self) -> Digest:
        """The revision of the bundle in force."""
        return self._engine.bundle_revision

    def decide(self, stage: Stage, facts: Mapping[str, Json]) -> Decision:
        """Decide on `facts`, and record the bundle's revision first if it is not the one recorded last.

        Raises:
            PolicyError: see `PolicyEngine.decide`; or the bundle changed again and again.
            LedgerError: the entry cannot be written, or the last one cannot be read: the decision is not used.
        """
        for _ in range(_ATTEMPTS):
            known = self._known()
            decision = self._engine.decide(stage, facts)
            if self._recorded(decision.bundle_revision, known):
                return decision
        raise PolicyError(
            "The policy bundle changes faster than its revision can be recorded.",
            remedy="Leave it alone for a moment, and replace it whole.",
        )

    def _start(self) -> None:
        self._lock = threading.Lock()

    def _known(self) -> int:
        """How many revisions are recorded now; the ledger is read at the first call, and after a failed one."""
        with self._lock:
            if not self._read:
                last = last_recorded(self._ledger)
                self._history = [] if last is None else [revision_of(last)]
                self._read = True
            return len(self._history)

    def _recorded(self, revision: Digest, known: int) -> bool:
        """Whether a decision of `revision`, begun when `known` revisions were recorded, may be used.

        It may not if its bundle was replaced before anybody recorded it: an entry now would tell the wrong order.
        """
        with self._lock:
            if revision in self._history[-1:] or revision in self._history[max(known - 1, 0) :]:
                return True
            if self._engine.bundle_revision != revision:
                return False
            self._read = False  # until it is certain: what is interrupted here may have been written all the same
            self._append(revision)
            self._history.append(revision)
            self._read = True
            return True

    def _append(self, revision: Digest) -> None:
        body: dict[str, Json] = {
            "version": _BODY_VERSION,
            "revision": revision,
            "previous": self._history[-1] if self._history else None,
            "engine": self._name,
        }
        entry = Entry(EntryKind.POLICY, POLICY_SUBJECT, body)
        receipt = self._ledger.append(Record(entry))
        if receipt.leaf != entry.leaf():
            raise LedgerError(
                f"The ledger answered with a receipt for another entry than {entry.id}.",
                remedy="Run `governance ledger verify`.",
            )


def last_recorded(ledger: Ledger) -> Entry | None:
    """The newest `policy` entry, or None if there is none. Its body names the revision that was in force from then on.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    newest: Entry | None = None
    after = -1
    while page := ledger.entries(after=after, limit=_PAGE, kind=EntryKind.POLICY):
        after, newest = page[-1]
    return newest


def revision_of(entry: Entry) -> Digest:
    """The revision that a `policy` entry says was in force.

    Raises:
        LedgerError: it names none.
    """
    revision = entry.body.get("revision")
    if not isinstance(revision, str):
        raise LedgerError(f"Entry {entry.id} names no revision.", remedy="Run `governance ledger verify`.")
    return Digest(revision)


def _restart_in_child() -> None:
    """A forked child has no thread that could let go of a lock which was held when it was made."""
    for policy in list(_living):
        policy._start()  # noqa: SLF001


_living: weakref.WeakSet[RecordedPolicy] = weakref.WeakSet()
os.register_at_fork(after_in_child=_restart_in_child)
