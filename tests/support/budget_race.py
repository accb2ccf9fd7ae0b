"""What a child process does in the race for a budget: a governor of its own over a ledger that it shares."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.checkpoint import LogSigner
from governance.errors import DeniedError
from governance.governor import Governor
from governance.testing import FakePipeline, FakePolicyEngine, example_request, fake_parts
from governance.types import Decision, Outcome, Reason, Stage
from governance_adapters.storage.ledger import SqliteLedger

SIGNER = LogSigner("log.example.org/test", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
THREADS = 6


class BudgetPolicy(FakePolicyEngine):
    """Allows what fits the day's budget of images, and says so; denies the rest with `budget.images`.

    The first `THREADS` questions are answered together, after somebody wrote a line to standard input: each of them was
    asked when nothing was spent.
    """

    def __init__(self, budget: int) -> None:
        super().__init__({Stage.ADMISSION: self._admission})
        self._budget = budget
        self._together = threading.Barrier(THREADS, action=self._wait_for_the_others)
        self._first = threading.local()

    def _wait_for_the_others(self) -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()

    def _admission(self, stage: Stage, facts: Mapping[str, Any]) -> Decision:
        if not hasattr(self._first, "asked"):
            self._first.asked = True
            self._together.wait()
        usage, request = facts["usage"], facts["request"]
        if usage["images"] + request["images"] > self._budget:
            return self.answer(stage, Outcome.DENY, Reason("budget.images", "The day is spent.", "/usage/images"))
        return self.answer(stage, Outcome.ALLOW, watermark=True, day_budget={"images": self._budget})


def race(path: str, name: str, budget: str, rounds: str) -> None:
    """Govern `rounds` requests of one image from each of `THREADS` threads, then print how many ended how."""
    ledger = SqliteLedger.open(Path(path), SIGNER, busy_timeout_s=30)
    governor = Governor(fake_parts(ledger=ledger, log_key=SIGNER.key, policy=BudgetPolicy(int(budget))))
    ended: Counter[str] = Counter()

    def work(worker: int) -> None:
        for number in range(int(rounds)):
            request = example_request(id=f"{name}-{worker}-{number}", seeds=(), width=64, height=64)
            try:
                governor.generate(request, FakePipeline())
                ended["released"] += 1
            except DeniedError as denied:
                ended[denied.result.items[0].decisions[0].reasons[0].code] += 1

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.close()
    for word, count in sorted(ended.items()):
        sys.stdout.write(f"{word} {count}\n")


if __name__ == "__main__":
    race(*sys.argv[1:])
