"""What a child process does in the race for holds: it decides on each, or settles, over a ledger and files it shares."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from governance.errors import HoldChangedError, HoldClosedError, LeaseError, NotPermittedError
from governance.parts import Parts
from governance.recovery import recover
from governance.review import ReviewDesk
from governance.testing import fake_parts
from governance.types import Principal
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.quarantine import KEY_BYTES, FileQuarantine
from governance_adapters.storage.vault import FsspecVault
from support.budget_race import SIGNER
from support.reviewing import CODES, ReviewPolicy

OVERTAKEN = (LeaseError, HoldClosedError, HoldChangedError)


def line_in(folder: Path, policy: ReviewPolicy) -> Parts:
    """A line of fakes whose ledger, quarantine and vault are files in `folder`."""
    return fake_parts(
        ledger=SqliteLedger.open(folder / "ledger.sqlite", SIGNER, busy_timeout_s=30),
        log_key=SIGNER.key,
        policy=policy,
        quarantine=FileQuarantine(folder / "quarantine", bytes(KEY_BYTES)),
        vault=FsspecVault(folder / "vault"),
    )


def race(folder: str, act: str) -> None:
    """Approve, reject or settle each hold as soon as a line comes in; print how many ended how."""
    parts = line_in(Path(folder), ReviewPolicy(needed=1))
    desk = ReviewDesk(parts)
    reviewer = Principal(f"{act}@example.org", ("reviewer",))
    holds = [hold.id for hold in parts.ledger.holds(limit=1000)]

    def decide(hold_id: str) -> str:
        desk.lease(reviewer, hold_id)
        with suppress(*OVERTAKEN):
            desk.view(reviewer, hold_id)
        return str(getattr(desk, act)(reviewer, hold_id, CODES).record.state.value)

    def settle(_: str) -> str:
        recover(parts.ledger, parts.vault, parts.quarantine)
        return f"settled-{len(desk.settle())}"

    step: Callable[[str], str] = settle if act == "settle" else decide
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    ended: Counter[str] = Counter()
    for hold_id in holds:
        try:
            ended[step(hold_id)] += 1
        except OVERTAKEN as error:
            ended[type(error).__name__] += 1
        except NotPermittedError as error:  # whoever is the same person saw the other's approval before its release
            if {reason.code for reason in error.decision.reasons} != {"review.twice"}:
                raise
            ended["twice"] += 1
    parts.ledger.close()
    for word, count in sorted(ended.items()):
        sys.stdout.write(f"{word} {count}\n")


if __name__ == "__main__":
    race(*sys.argv[1:])
