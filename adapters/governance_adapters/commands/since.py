"""`governance ledger verify --since`: whether the ledger still extends a checkpoint that somebody kept outside of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from governance.canonical import Json
from governance.checkpoint import LogKey, verify_receipt
from governance.cosignature import WitnessKey, verify_cosignature
from governance.entries import Receipt
from governance.errors import ProofError, StorageError
from governance.log_client import LedgerSource, check_growth
from governance.ports import Ledger
from governance_adapters.commands.publication import time_stamp_roots
from governance_adapters.commands.verify import read_file
from governance_adapters.commands.witness import moment
from governance_adapters.publishing.files import LINES_SUFFIX, Published, published_at
from governance_adapters.publishing.time_stamps import check_time_stamp
from governance_adapters.settings import Settings


@dataclass(frozen=True, slots=True)
class Since:
    """What a file of checkpoints proved: how many it holds, of how many entries each, and the times they vouch for."""

    sizes: tuple[int, ...]
    time_stamps: tuple[datetime, ...]
    unchecked_stamps: int
    cosigned: tuple[tuple[str, int], ...]

    def as_json(self) -> dict[str, Json]:
        """For programs."""
        return {
            "checkpoints": len(self.sizes),
            "first_entries": self.sizes[0],
            "last_entries": self.sizes[-1],
            "time_stamps": [moment(int(time.timestamp())) for time in self.time_stamps],
            "unchecked_time_stamps": self.unchecked_stamps,
            "cosigned": {name: moment(time) for name, time in self.cosigned},
        }

    def lines(self) -> list[str]:
        """For people."""
        found = [f"extends {len(self.sizes)} checkpoints, of {self.sizes[0]} to {self.sizes[-1]} entries"]
        found += [f"time stamp of {moment(int(time.timestamp()))} holds" for time in self.time_stamps]
        if self.unchecked_stamps:
            found.append(f"{self.unchecked_stamps} time stamps not checked: no root (`tsa_root`)")
        return found + [f"cosigned by {name} at {moment(time)}" for name, time in self.cosigned]


def check_since(
    path: Path, ledger: Ledger, key: LogKey, witnesses: tuple[WitnessKey, ...], settings: Settings
) -> Since:
    """Check the ledger against what was kept in the file `path`: a note, published lines, or a receipt.

    Every checkpoint in it must bear the log's signature and be a beginning of the ledger as it stands; a time stamp beside
    one must hold, where there are roots to judge it by; and each witness must have cosigned the last one.

    Raises:
        RollbackError: the ledger has fewer entries than it had.
        SplitViewError: the ledger was rewritten.
        ProofError: a checkpoint, a receipt, a cosignature or a time stamp does not hold.
        GovernanceError: the file or the ledger cannot be read.
    """
    kept = _kept(path, key)
    source, newest = LedgerSource(ledger), ledger.checkpoint()
    sizes = []
    for each in kept:
        known = check_growth(source, key, each.note, newest).known
        sizes.append(known.size if known else 0)
    stamped = [each for each in kept if each.stamp is not None]
    roots = time_stamp_roots(settings) if stamped else ()
    times = [check_time_stamp(each.stamp or b"", each.note.encode(), roots) for each in stamped if roots]
    cosigned = [(one.name, verify_cosignature(kept[-1].note, one)) for one in witnesses]
    return Since(tuple(sizes), tuple(times), 0 if roots else len(stamped), tuple(cosigned))


def _kept(path: Path, key: LogKey) -> tuple[Published, ...]:
    if not path.is_file():
        raise StorageError(f"There is no file {path}.", remedy="Name one that holds a checkpoint or a receipt.")
    content = read_file(path)
    if path.suffix != LINES_SUFFIX and content.lstrip()[:1] == b"{":
        receipt = Receipt.from_json(content.decode("utf-8", "replace"))
        verify_receipt(receipt, key)
        return (Published(receipt.checkpoint),)
    kept = published_at(path).read()
    if not kept:
        raise ProofError(f"{path} holds no checkpoint.", remedy="Name a file that something was published to.")
    return kept
