"""Rights are judged once for each distinct combination of facts: that is what lets an audit run at the speed of data."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from governance.canonical import Digest, Json, canonical_bytes
from governance.datasets.policy_input import RecordFacts, record_input
from governance.errors import PolicyError
from governance.ports import PolicyEngine
from governance.types import Outcome, Stage

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


def judge(combinations: Mapping[RecordFacts, int], policy: PolicyEngine, *, time: str, purpose: str) -> Judged:
    """Ask policy about each combination, some at once; the values are how many records have it.

    `policy` must be safe to call from any thread, as all engines of this project are. `time` is the audit's, RFC 3339 in UTC.

    Raises:
        PolicyError: a decision failed, or the bundle changed meanwhile: then nothing was judged by one policy.
        DatasetError: a score is out of its range.
    """

    def asked(facts: RecordFacts) -> tuple[Digest, Judgement]:
        decision = policy.decide(Stage.TRAINING, record_input(facts, time=time, purpose=purpose))
        codes = tuple(sorted({reason.code for reason in decision.reasons}))
        return decision.bundle_revision, Judgement(facts, combinations[facts], decision.outcome, codes)

    waiting = sorted(combinations, key=lambda each: each.key)
    answers = [asked(each) for each in waiting[:1]]  # alone: an engine looks at its bundle when it is asked
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as threads:
        answers += threads.map(asked, waiting[1:])
    revisions = {revision for revision, _ in answers} or {policy.bundle_revision}
    if len(revisions) > 1:
        raise PolicyError(
            "The policy bundle changed while the dataset was judged.", remedy="Run the audit again: it goes on."
        )
    return Judged(revisions.pop(), time, purpose, tuple(judgement for _, judgement in answers))
