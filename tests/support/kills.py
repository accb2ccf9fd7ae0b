"""What must hold after processes were killed: for the test of a few kills and the proof of many."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from governance.checkpoint import verify_receipt
from governance.entries import Entry, EntryKind
from governance.holds import hold_named
from governance.merkle import Tree, leaf_hash
from governance.parts import Parts
from governance.records import asset_digest
from support.line_work import Diary
from support.nursery import Child

STARTING_S = 60
ACTS = (EntryKind.APPROVED, EntryKind.REJECTED, EntryKind.COMMENTED)
_WITHHELD = {"denied": (EntryKind.DENIED, EntryKind.REJECTED), "held": (EntryKind.HELD,), "failed": (EntryKind.FAILED,)}
"""What a verdict that withholds is recorded as; a request that people rejected is denied when it is made again."""


def wait_for(present: Callable[[], bool], child: Child) -> None:
    """Wait until something is there, for a minute, as long as the child that makes it lives."""
    deadline = time.monotonic() + STARTING_S
    while not present():
        assert child.ended() is None, "the child ended by itself"
        assert time.monotonic() < deadline, "the child does not work"
        time.sleep(0.001)


def check_acknowledged(diaries: Iterable[Diary], parts: Parts, entries: Sequence[Entry]) -> Counter[str]:
    """Assert that what a caller was told is in the ledger, with a receipt that verifies, and in the vault if released.

    Returns how often what was told.
    """
    recorded = {entry.id: entry for entry in entries}
    viewed = Counter(str(hold_named(entry)) for entry in entries if entry.kind is EntryKind.VIEWED)
    counts: Counter[str] = Counter()
    for kind, *words in (line for diary in diaries for line in diary.lines()):
        counts[kind] += 1
        if kind == "released":
            content_digest, entry_id, *_ = words
            entry = recorded[entry_id]
            assert (entry.kind, asset_digest(entry)) == (EntryKind.RELEASED, content_digest)
            assert parts.vault.get(asset_digest(entry))
        elif kind == "withheld":
            verdict, entry_id = words
            assert recorded[entry_id].kind in _WITHHELD[verdict]
        elif kind in ACTS:
            entry_id, hold_id = words
            assert (recorded[entry_id].kind, hold_named(recorded[entry_id])) == (kind, hold_id)
        elif kind == "viewed":
            viewed[words[0]] -= 1
            assert viewed[words[0]] >= 0, "somebody saw a draft, and no entry says so"
            continue
        else:
            continue
        assert verify_receipt(parts.ledger.receipt(entry_id), parts.log_key) == recorded[entry_id]
    return counts


def check_growth(diaries: Iterable[Diary], entries: Sequence[Entry]) -> int:
    """Assert that every checkpoint that was ever handed out is one of the tree as it stands: it only grew; how many."""
    told = (words for diary in diaries for words in diary.lines() if words[0] == "released")
    handed_out = {(int(words[3]), words[4]) for words in told}
    assert len(handed_out) > 1
    roots: dict[int, str] = {}
    tree = Tree(0, lambda _level, _number: b"")
    for size, entry in enumerate(entries, start=1):
        tree.extend([leaf_hash(entry.leaf())])
        roots[size] = tree.root().hex()
    for size, root in handed_out:
        assert roots[size] == root, f"the checkpoint of size {size} is of another tree"
    return len(handed_out)
