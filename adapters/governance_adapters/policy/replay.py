"""Counterfactual replay: what a candidate bundle would have decided on every input that a ledger recorded.

Its answers are compared with the decisions on record, which the bundles in force then made. Where such a bundle is at
hand it is asked again too: an answer of it that is not the recorded one is drift of the engine, not a change of policy.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from governance.canonical import Digest, Json
from governance_adapters.policy.bundle import input_schema
from governance_adapters.policy.questions import NO_DECISION, Answer, Contrast, Question, Side, put
from governance_adapters.policy.recorded import Lost, RecordedDecision

REFUSED = "refused by the schema"
"""Why an input is not evaluable that is whole: the candidate's schema wants what its version does not have."""
OTHER_PROBLEMS = "other problems"
_MOST_PROBLEMS = 100
"""Kinds of problems that are told apart."""
_POSITION = re.compile(r"/\d+(?=/| )")


class Drift(StrEnum):
    """Whether the bundle that decided, asked again, decides the same."""

    NONE = "reproduced"
    FOUND = "differs"
    UNKNOWN = "bundle not at hand"


@dataclass(frozen=True, slots=True)
class Affected:
    """A recorded decision that another answer stands against: the candidate's, or the deciding bundle's of today."""

    recorded: RecordedDecision
    old: Answer
    new: Answer

    def as_json(self) -> dict[str, Json]:
        """The decision and both answers for programs."""
        return {**named(self.recorded), "recorded": self.old.as_json(), "new": self.new.as_json()}


@dataclass(frozen=True, slots=True)
class NotEvaluable:
    """A recorded decision that the candidate cannot be asked about: why, and which fields or rules of the schema."""

    recorded: RecordedDecision
    why: str
    details: tuple[str, ...]

    def as_json(self) -> dict[str, Json]:
        """The decision and the reason for programs."""
        return {**named(self.recorded), "why": self.why, "details": list(self.details)}


@dataclass
class StageTally:
    """What replaying one stage found.

    `recorded` decisions are `same`, `changed`, or counted in `not_evaluable` by why. Of those that changed: `outcomes` by
    transition, such as `allow -> deny`; codes and obligations by name, each once a decision. An input on which the
    candidate gives no decision changed to `error`, and counts for no code and no obligation.
    """

    recorded: int = 0
    same: int = 0
    changed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    codes_added: Counter[str] = field(default_factory=Counter)
    codes_gone: Counter[str] = field(default_factory=Counter)
    obligations_added: Counter[str] = field(default_factory=Counter)
    obligations_gone: Counter[str] = field(default_factory=Counter)
    obligations_changed: Counter[str] = field(default_factory=Counter)
    not_evaluable: Counter[str] = field(default_factory=Counter)
    drift: Counter[str] = field(default_factory=Counter)

    @property
    def evaluated(self) -> int:
        """How many the candidate was asked about."""
        return self.same + self.changed

    def compare(self, old: Answer, new: Answer) -> bool:
        """Count what the candidate says of a recorded decision; whether it is something else."""
        if old.same_as(new):
            self.same += 1
            return False
        self.changed += 1
        if old.outcome != new.outcome:
            self.outcomes[f"{old.outcome} -> {new.outcome}"] += 1
        if new.outcome != NO_DECISION:
            contrast = Contrast.between(old, new)
            self.codes_added.update(set(contrast.codes_added))
            self.codes_gone.update(set(contrast.codes_gone))
            self.obligations_added.update(contrast.obligations_added)
            self.obligations_gone.update(contrast.obligations_gone)
            self.obligations_changed.update(contrast.obligations_changed)
        return True

    def as_json(self) -> dict[str, Json]:
        """The counts for programs."""
        return {
            "recorded": self.recorded,
            "evaluated": self.evaluated,
            "same": self.same,
            "changed": self.changed,
            "outcomes": _sorted(self.outcomes),
            "codes": {"added": _sorted(self.codes_added), "gone": _sorted(self.codes_gone)},
            "obligations": {
                "added": _sorted(self.obligations_added),
                "gone": _sorted(self.obligations_gone),
                "changed": _sorted(self.obligations_changed),
            },
            "not_evaluable": _sorted(self.not_evaluable),
            "drift": _sorted(self.drift),
        }


@dataclass
class Report:
    """What a replay found. At most `limit` decisions of each sort are listed, the oldest; all are counted.

    `revisions`: how many decisions each bundle made. `refused`: inputs that the candidate's schema refuses, by stage,
    version of the input and problem, without positions in lists.
    """

    limit: int
    stages: defaultdict[str, StageTally] = field(default_factory=lambda: defaultdict(StageTally))
    revisions: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    changes: list[Affected] = field(default_factory=list)
    not_evaluable: list[NotEvaluable] = field(default_factory=list)
    drifted: list[Affected] = field(default_factory=list)

    def total(self, count: str) -> int:
        """The sum of a count of `StageTally` over all stages."""
        found = [getattr(tally, count) for tally in self.stages.values()]
        return sum(each.total() if isinstance(each, Counter) else each for each in found)

    def lost(self, recorded: RecordedDecision, why: str, details: tuple[str, ...]) -> None:
        """Count a decision that the candidate cannot be asked about."""
        self.stages[recorded.decision.stage.value].not_evaluable[why] += 1
        if len(self.not_evaluable) < self.limit:
            self.not_evaluable.append(NotEvaluable(recorded, why, details))

    def refuse(self, recorded: RecordedDecision, question: Question, problems: list[str]) -> None:
        """Count a decision whose input the candidate's schema refuses, by the version that the input has."""
        self.lost(recorded, REFUSED, tuple(problems))
        content = question.content if isinstance(question.content, Mapping) else {}
        kind = "; ".join(dict.fromkeys(_POSITION.sub("/*", problem) for problem in problems))
        key = question.stage.value, str(content.get("version", "none")), kind
        if key not in self.refused and len(self.refused) >= _MOST_PROBLEMS:
            key = *key[:2], OTHER_PROBLEMS
        self.refused[key] += 1

    def change(self, recorded: RecordedDecision, old: Answer, new: Answer) -> None:
        """Count what the candidate says of a recorded decision."""
        if self.stages[recorded.decision.stage.value].compare(old, new) and len(self.changes) < self.limit:
            self.changes.append(Affected(recorded, old, new))

    def drift(self, recorded: RecordedDecision, old: Answer, again: Answer | None) -> None:
        """Count whether the bundle that decided says the same `again`; None where it is not at hand."""
        found = Drift.UNKNOWN if again is None else Drift.NONE if old.same_as(again) else Drift.FOUND
        self.stages[recorded.decision.stage.value].drift[found.value] += 1
        if again is not None and found is Drift.FOUND and len(self.drifted) < self.limit:
            self.drifted.append(Affected(recorded, old, again))

    def as_json(self) -> dict[str, Json]:
        """The report for programs."""
        refused: list[Json] = [
            {"stage": stage, "version": version, "problem": problem, "count": count}
            for (stage, version, problem), count in sorted(self.refused.items())
        ]
        return {
            "recorded": self.total("recorded"),
            "evaluated": self.total("evaluated"),
            "decided_by": _sorted(self.revisions),
            "stages": {stage: tally.as_json() for stage, tally in sorted(self.stages.items())},
            "refused": refused,
            "changes": [each.as_json() for each in self.changes],
            "not_evaluable": [each.as_json() for each in self.not_evaluable],
            "drifted": [each.as_json() for each in self.drifted],
        }


def replay(
    decisions: Iterable[RecordedDecision], candidate: Side, past: Mapping[Digest, Side], report: Report
) -> Iterator[RecordedDecision]:
    """Put every recorded decision to `candidate` and into `report`; gives each back once it is counted.

    `past` are bundles by revision: one that made a decision is asked about it again.
    """
    for recorded in decisions:
        _replay(recorded, candidate, past, report)
        yield recorded


def named(recorded: RecordedDecision) -> dict[str, Json]:
    """Which recorded decision it is, for programs."""
    entry, decision = recorded.entry, recorded.decision
    return {
        "entry": entry.id,
        "index": recorded.index,
        "kind": entry.kind.value,
        "time": entry.time,
        "stage": decision.stage.value,
        "bundle_revision": decision.bundle_revision,
    }


def _replay(recorded: RecordedDecision, candidate: Side, past: Mapping[Digest, Side], report: Report) -> None:
    decision, question = recorded.decision, recorded.question
    report.stages[decision.stage.value].recorded += 1
    report.revisions[decision.bundle_revision] += 1
    if isinstance(question, Lost):
        report.lost(recorded, question.loss.value, question.erased)
        return
    old, answers = Answer.of(decision), {}
    if problems := _problems(candidate, question):
        report.refuse(recorded, question, problems)
    else:
        answers[candidate.bundle.revision] = put(candidate, question)
        report.change(recorded, old, answers[candidate.bundle.revision])
    decider = past.get(decision.bundle_revision)
    if decider is not None and decider.bundle.revision not in answers:
        answers[decider.bundle.revision] = put(decider, question)
    report.drift(recorded, old, answers.get(decision.bundle_revision))


def _problems(candidate: Side, question: Question) -> list[str]:
    name = input_schema(question.stage)
    if name not in candidate.bundle.schemas:
        return [f"there is no schemas/{name}"]
    return candidate.bundle.schemas.problems(name, question.content)


def _sorted(counts: Counter[str]) -> dict[str, Json]:
    return dict(sorted(counts.items()))
