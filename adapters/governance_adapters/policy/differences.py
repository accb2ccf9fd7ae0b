"""What would change if another bundle were in force: both are put the same questions, and their data and rules compared.

The questions are the policy inputs that a ledger recorded, with personal fields put back, and the conformance corpus.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from governance.canonical import Json, canonical_bytes
from governance.ports import Ledger
from governance.types import Stage
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.pointers import pointer
from governance_adapters.policy.questions import CORPUS, NO_DECISION, Answer, Question, Side, put
from governance_adapters.policy.recorded import Lost, recorded_decisions


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
        answers = [put(side, question) for side in (old, new)]
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
    for recorded in recorded_decisions(ledger, since=since):
        if isinstance(recorded.question, Lost):
            tally.not_evaluable[recorded.decision.stage.value] += 1
        else:
            yield recorded.question


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


def _compare_data(old: Json, new: Json, steps: tuple[str, ...], found: Mapping[str, list[str]]) -> None:
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        if canonical_bytes(old) != canonical_bytes(new):
            found["changed"].append(pointer(*steps))
        return
    found["added"].extend(pointer(*steps, name) for name in new.keys() - old.keys())
    found["removed"].extend(pointer(*steps, name) for name in old.keys() - new.keys())
    for name in old.keys() & new.keys():
        _compare_data(old[name], new[name], (*steps, name), found)
