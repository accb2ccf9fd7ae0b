"""Whether policy is obeyed is itself on the record: nothing is made in a mode that has no entry.

An entry of kind `mode` is written before the first call in shadow mode, and before the first call after it that enforces
again. Without any such entry an installation has always enforced. Several processes that see the same change write it once,
and each entry names the one before it: its id follows from that one, and a ledger holds no id twice.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Final

from governance.canonical import Json
from governance.checkpoint import parse_checkpoint
from governance.entries import Entry, EntryKind, Record
from governance.errors import LedgerError
from governance.ports import Ledger
from governance.succession import following_id
from governance.types import Mode

MODE_SUBJECT: Final = "mode"
"""The subject of every `mode` entry: together they are the history of when policy was obeyed."""

_DOMAIN: Final = b"diffusion-governance/mode/v1"
_BODY_VERSION: Final = 1
_PAGE: Final = 1000
_ATTEMPTS: Final = 5
_PAUSE_S: Final = 0.05


class ModeRecord:
    """Writes the mode of one process into the ledger before it counts. Safe to call from any thread.

    In shadow mode the ledger is asked before each call, so that no call of another process that enforces hides it; while
    enforcing, at the first call only: an entry too few then says less than is true, and lets nothing out.
    """

    def __init__(self, mode: Mode, ledger: Ledger) -> None:
        self._mode, self._ledger = mode, ledger
        self._start()
        _living.add(self)
        self._after = -1
        """The index of the newest `mode` entry that was read."""
        self._newest: Entry | None = None
        self._known = False

    def settle(self) -> None:
        """See to it that the newest `mode` entry says what is: where it does not, write one.

        Raises:
            LedgerError: the entries cannot be read or written: nothing may be made in this mode.
        """
        with self._lock:
            if self._known and self._mode is Mode.ENFORCE:
                return
            self._known = False  # until it is certain: what is interrupted here may have been written all the same
            for attempt in range(_ATTEMPTS):
                self._read()
                if mode_of(self._newest) is self._mode:
                    break
                entry = self._following()
                try:
                    receipt = self._ledger.append(Record(entry))
                except LedgerError:  # another process wrote an entry in this place first, or nothing can be written
                    if attempt == _ATTEMPTS - 1:
                        raise
                    time.sleep(_PAUSE_S * attempt)
                    continue
                if receipt.leaf != entry.leaf():
                    raise LedgerError(
                        f"The ledger answered with a receipt for another entry than {entry.id}.",
                        remedy="Run `governance ledger verify`.",
                    )
                break
            self._known = True

    def _start(self) -> None:
        self._lock = threading.Lock()

    def _read(self) -> None:
        for index, entry in _entries(self._ledger, self._after):
            self._after, self._newest = index, entry

    def _following(self) -> Entry:
        before = self._newest
        body: dict[str, Json] = {
            "version": _BODY_VERSION,
            "mode": self._mode.value,
            "previous": None if before is None else before.id,
        }
        log = parse_checkpoint(self._ledger.checkpoint()).origin
        return Entry(
            EntryKind.MODE, MODE_SUBJECT, body, id=following_id(_DOMAIN, log, "" if before is None else before.id)
        )


def newest_mode(ledger: Ledger) -> Entry | None:
    """The newest `mode` entry, or None where there is none: then it was never anything but enforcement.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    newest: Entry | None = None
    for _, entry in _entries(ledger, -1):
        newest = entry
    return newest


def mode_of(entry: Entry | None) -> Mode:
    """The mode that a `mode` entry says is in force from then on; without one it is enforcement.

    Raises:
        LedgerError: it names none.
    """
    if entry is None:
        return Mode.ENFORCE
    try:
        return Mode(str(entry.body.get("mode")))
    except ValueError as error:
        raise LedgerError(f"Entry {entry.id} names no mode.", remedy="Run `governance ledger verify`.") from error


def _entries(ledger: Ledger, after: int) -> list[tuple[int, Entry]]:
    found: list[tuple[int, Entry]] = []
    while page := ledger.entries(after=after, limit=_PAGE, subject=MODE_SUBJECT, kind=EntryKind.MODE):
        found += page
        after = page[-1][0]
    return found


def _restart_in_child() -> None:
    """A forked child has no thread that could let go of a lock which was held when it was made."""
    for record in list(_living):
        record._start()  # noqa: SLF001


_living: weakref.WeakSet[ModeRecord] = weakref.WeakSet()
os.register_at_fork(after_in_child=_restart_in_child)
