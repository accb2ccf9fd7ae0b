"""What would change if another bundle were in force: both are put the same questions, and their data and rules compared.

The questions are the policy inputs that a ledger recorded, with personal fields put back, and the conformance corpus.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from governance.bodies import decision_of
from governance.canonical import Json, canonical_bytes
from governance.disclosure import recorded_input
from governance.errors import PolicyError
from governance.ports import Ledger, PolicyEngine
from governance.types import Decision, Stage
from governance_adapters.policy.answers import decision_from
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.pointers import pointer

LEDGER = "ledger"
CORPUS = "corpus"
NO_DECISION = "error"
"""What stands for an outcome where a bundle gives no usable decision."""
_PAGE = 500


class Evaluator(PolicyEngine, Protocol):
    """An engine that also answers what no schema has looked at."""

    def evaluate_unvalidated(self, stage: Stage, content: str) -> Any:
        """The raw answer to any JSON text; None where it is undefined."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two bundles, and an engine that evaluates it."""

    bundle: Bundle
    engine: Evaluator


@dataclass(frozen=True, slots=True)
class Question:
    """A policy input and where it comes from: `source` and the entry's id or the name of the case.

    `validated`: it is put as the line would put it, after the bundle's schema; otherwise to the bare rules.
    """

    source: str
    name: str
    stage: Stage
    content: Json
    validated: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What of a decision is compared: the outcome, the codes of its reasons in order, its obligations.

    Where there is no usable decision, `problem` says why; it is not compared.
    """

    outcome: str
    codes: tuple[str, ...] = ()
    obligations: Mapping[str, Json] = field(default_factory=dict)
    problem: str = ""

    def as_json(self) -> dict[str, Json]:
        """The answer for programs."""
        return {**self._compared(), "problem": self.problem}

    def same_as(self, other: Answer) -> bool:
        """Whether both say the same, to the last byte: 1 is not true."""
        return canonical_bytes(self._compared()) == canonical_bytes(other._compared())

    def _compared(self) -> dict[str, Json]:
        return {"outcome": self.outcome, "codes": list(self.codes), "obligations": dict(self.obligations)}


@dataclass(frozen=True, slots=True)
class Change:
    """A question that the two bundles answer otherwise."""

    source: str
    name: str
    stage: Stage
    old: Answer
    new: Answer


@dataclass
class Tally:
    """Counts by stage: questions put to both; those that both refuse; answers that differ, and outcomes that do.

    `not_evaluable` are recorded decisions whose policy input lost a field, or is not kept any more.
    """

    asked: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    not_evaluable: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Json]:
        """The counts for programs."""
        return {each.name: dict(sorted(getattr(self, each.name).items())) for each in dataclasses.fields(self)}


@dataclass(frozen=True, slots=True)
class KeyChanges:
    """Names that only the new one has, only the old one has, or that stand for something else."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def as_json(self) -> dict[str, Json]:
        """The names for programs."""
        return {"added": list(self.added), "removed": list(self.removed), "changed": list(self.changed)}


def compare(questions: Iterable[Question], old: Side, new: Side, tally: Tally) -> Iterator[Change]:
    """Put every question to both, count in `tally`, and give back what changed."""
    for question in questions:
        stage = question.stage.value
        answers = [_answer(side, question) for side in (old, new)]
        tally.asked[stage] += 1
        if all(answer.outcome == NO_DECISION for answer in answers):
            tally.refused[stage] += 1
        elif not answers[0].same_as(answers[1]):
            tally.changed[stage] += 1
            tally.outcomes[stage] += answers[0].outcome != answers[1].outcome
            yield Change(question.source, question.name, question.stage, answers[0], answers[1])


def recorded_questions(ledger: Ledger, tally: Tally, *, since: str = "") -> Iterator[Question]:
    """The policy input of every decision that the ledger recorded from the time `since` on (RFC 3339, UTC).

    Raises:
        ProofError: a document or a field was altered.
        LedgerError: the ledger cannot be read.
    """
    after = -1
    while page := ledger.entries(after=after, limit=_PAGE):
        after = page[-1][0]
        for _, entry in page:
            decision = decision_of(entry, ()) if entry.time >= since else None
            if decision is None:
                continue
            restored = recorded_input(ledger, entry)
            if restored is None or restored.erased:
                tally.not_evaluable[decision.stage.value] += 1
            else:
                yield Question(LEDGER, entry.id, decision.stage, restored.value, validated=True)


def corpus_questions() -> Iterator[Question]:
    """The conformance corpus, on the data of the bundles themselves; its inputs go to the engines unvalidated."""
    from governance.testing.corpus import cases

    for case in cases():
        yield Question(CORPUS, case.name, case.stage, case.content, validated=False)


def with_example_model(bundle: Bundle) -> Bundle:
    """`bundle` as the corpus needs it: with its model allowed, which no bundle lists, or every case would be denied."""
    from governance.testing.corpus import example_data

    return dataclasses.replace(bundle, data=example_data(bundle.data))


def data_changes(old: Bundle, new: Bundle) -> KeyChanges:
    """Which keys of the data differ, as JSON pointers (RFC 6901). A key that is added or removed stands for all in it."""
    found: dict[str, list[str]] = {"added": [], "removed": [], "changed": []}
    _compare_data(old.data, new.data, (), found)
    return KeyChanges(*(tuple(sorted(names)) for names in found.values()))


def rule_changes(old: Bundle, new: Bundle) -> KeyChanges:
    """Which Rego files differ, by their paths in the bundle."""
    before, after = old.policies, new.policies
    return KeyChanges(
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(before.keys() - after.keys())),
        tuple(sorted(name for name in before.keys() & after.keys() if before[name] != after[name])),
    )


def _answer(side: Side, question: Question) -> Answer:
    stage, content = question.stage, question.content
    try:
        if question.validated and isinstance(content, Mapping):
            return _comparable(side.engine.decide(stage, content))
        raw = side.engine.evaluate_unvalidated(stage, json.dumps(content))
        return _comparable(decision_from(side.bundle, stage, raw))
    except PolicyError as error:
        return Answer(NO_DECISION, problem=str(error))


def _comparable(decision: Decision) -> Answer:
    codes = tuple(sorted(reason.code for reason in decision.reasons))
    return Answer(decision.outcome.value, codes, decision.obligations)


def _compare_data(old: Json, new: Json, steps: tuple[str, ...], found: Mapping[str, list[str]]) -> None:
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        if canonical_bytes(old) != canonical_bytes(new):
            found["changed"].append(pointer(*steps))
        return
    found["added"].extend(pointer(*steps, name) for name in new.keys() - old.keys())
    found["removed"].extend(pointer(*steps, name) for name in old.keys() - new.keys())
    for name in old.keys() & new.keys():
        _compare_data(old[name], new[name], (*steps, name), found)
