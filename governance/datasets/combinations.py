"""Rights are judged once for each distinct combination of facts: that is what lets an audit run at the speed of data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, Self

from governance.canonical import Digest, Json, canonical_bytes
from governance.datasets.policy_input import RecordFacts, record_input
from governance.errors import PolicyError
from governance.ports import PolicyEngine
from governance.types import Decision, Outcome, Stage

COMBINATIONS_VERSION: Final = 1
_ASKED_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Judgement:
    """What policy decided of every record with these facts, and how many there are. `reasons` are sorted codes, each once."""

    facts: RecordFacts
    records: int
    outcome: Outcome
    reasons: tuple[str, ...]

    def as_json(self) -> dict[str, Json]:
        """For the document that the audit's entry commits to."""
        return {
            "facts": self.facts.as_json(),
            "records": self.records,
            "outcome": self.outcome.value,
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """All judgements of one audit, in the order of their facts' keys, by one revision of the bundle."""

    bundle_revision: Digest
    time: str
    purpose: str
    judgements: tuple[Judgement, ...]

    def document(self) -> bytes:
        """Canonical JSON of what was asked and answered: with it and the bundle anybody can ask again."""
        return canonical_bytes(
            {
                "version": COMBINATIONS_VERSION,
                "bundle_revision": self.bundle_revision,
                "time": self.time,
                "purpose": self.purpose,
                "combinations": [each.as_json() for each in self.judgements],
            }
        )

    def outcomes(self) -> dict[Outcome, int]:
        """How many records each outcome has."""
        counts = dict.fromkeys(Outcome, 0)
        for each in self.judgements:
            counts[each.outcome] += each.records
        return counts

    def reasons(self) -> dict[str, int]:
        """How many records each reason code has, by code."""
        counts: dict[str, int] = {}
        for each in self.judgements:
            for code in each.reasons:
                counts[code] = counts.get(code, 0) + each.records
        return dict(sorted(counts.items()))


class Judge:
    """Asks policy about combinations of facts, each once and some at a time, while whoever finds them looks for more.

    `policy` must be safe to call from any thread, as all engines of this project are. `time` is the audit's, RFC 3339 in UTC.
    Use it in a `with`: at its end nothing is asked any more.
    """

    def __init__(self, policy: PolicyEngine, *, time: str, purpose: str) -> None:
        self._policy, self._time, self._purpose = policy, time, purpose
        self._asked: dict[RecordFacts, Future[Decision]] = {}
        self._threads = ThreadPoolExecutor(_ASKED_AT_ONCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def ask(self, combinations: Iterable[RecordFacts]) -> None:
        """Ask about those that were not asked about before; does not wait for the answers.

        Raises:
            DatasetError: a score is out of its range.
        """
        for facts in combinations:
            if facts not in self._asked:
                content = record_input(facts, time=self._time, purpose=self._purpose)
                self._asked[facts] = self._threads.submit(self._policy.decide, Stage.TRAINING, content)
                if len(self._asked) == 1:  # alone: an engine looks at its bundle when it is asked
                    wait(self._asked.values())

    def judged(self, combinations: Mapping[RecordFacts, int]) -> Judged:
        """What policy says of each combination; the values are how many records have it.

        Raises:
            PolicyError: a decision failed, or the bundle changed meanwhile: then nothing was judged by one policy.
            DatasetError: a score is out of its range.
        """
        self.ask(combinations)
        decided = {facts: self._asked[facts].result() for facts in sorted(combinations, key=lambda each: each.key)}
        revisions = {each.bundle_revision for each in decided.values()} or {self._policy.bundle_revision}
        if len(revisions) > 1:
            raise PolicyError(
                "The policy bundle changed while the dataset was judged.", remedy="Run the audit again: it goes on."
            )
        judgements = (
            Judgement(facts, combinations[facts], each.outcome, tuple(sorted({reason.code for reason in each.reasons})))
            for facts, each in decided.items()
        )
        return Judged(revisions.pop(), self._time, self._purpose, tuple(judgements))


def judge(combinations: Mapping[RecordFacts, int], policy: PolicyEngine, *, time: str, purpose: str) -> Judged:
    """Ask policy about combinations that are all known; see `Judge`."""
    with Judge(policy, time=time, purpose=purpose) as asking:
        return asking.judged(combinations)
