"""What a child process does in the race for holds: it approves each, with a desk of its own over a ledger it shares."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from governance.errors import HoldChangedError, HoldClosedError, LeaseError
from governance.review import ReviewDesk
from governance.testing import fake_parts
from governance.testing.storage import FakeQuarantine, FakeVault
from governance.types import Principal
from governance_adapters.storage.ledger import SqliteLedger
from support.budget_race import SIGNER
from support.reviewing import CODES, ReviewPolicy


def race(path: str, name: str, drafts: str) -> None:
    """Decide on every hold as soon as a line comes in, alternately approving and rejecting; print how many ended how."""
    ledger = SqliteLedger.open(Path(path), SIGNER, busy_timeout_s=30)
    sealed = {file.name: file.read_bytes() for file in Path(drafts).iterdir()}
    quarantine, vault = FakeQuarantine(sealed=sealed), FakeVault()
    policy = ReviewPolicy(needed=1)
    parts = fake_parts(ledger=ledger, log_key=SIGNER.key, policy=policy, quarantine=quarantine, vault=vault)
    desk, reviewer = ReviewDesk(parts), Principal(name, ("reviewer",))
    holds = [hold.id for hold in ledger.holds(limit=1000)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    ended: Counter[str] = Counter()
    for hold_id in holds:
        try:
            desk.lease(reviewer, hold_id)
            done = desk.approve(reviewer, hold_id, CODES)
            ended[done.record.state.value] += 1
        except (LeaseError, HoldClosedError, HoldChangedError) as error:
            ended[type(error).__name__] += 1
    ledger.close()
    for word, count in sorted(ended.items()):
        sys.stdout.write(f"{word} {count}\n")


if __name__ == "__main__":
    race(*sys.argv[1:])
