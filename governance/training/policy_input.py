"""What policy sees of a training run: who trains, by which method, on which base, and what stands on record of each dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from governance.canonical import Digest, Json
from governance.datasets.policy_input import TRAINING_INPUT_VERSION, Question
from governance.facts import principal_facts
from governance.types import Assurance, Outcome, Principal, Stage

OWN: Final = 0
"""The number of the principal who trains, among those who approved."""


class Phase(StrEnum):
    """When a run is judged: before anything is handed out, and again before its result is recorded."""

    START = "start"
    FINISH = "finish"


class LineageGrade(StrEnum):
    """How what a run consumed is known: the run handed it out and checked it, or a loop elsewhere was only described."""

    WITNESSED = "witnessed"
    DECLARED = "declared"


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval of an audit. `person` is the id of whoever approved, empty where it was erased: then it counts no more."""

    person: str
    roles: tuple[str, ...]
    assurance: Assurance = Assurance.ASSERTED


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What stands on record of a dataset's newest audit.

    `state` is that of its standing: `audited`, `approved`, `withdrawn` or `recalled`. `approvals` are those of this audit.
    `contents` counts its distinct contents, `outcomes` its records by what policy decided. `audited` is when, RFC 3339 in
    UTC, and `bundle_revision` the bundle that judged. `consumed` counts the contents of it that the run has handed out.
    """

    name: str
    state: str
    approvals: tuple[Approval, ...]
    contents: int
    outcomes: Mapping[Outcome, int]
    audited: str
    bundle_revision: Digest
    consumed: int = 0


@dataclass(frozen=True, slots=True)
class BaseFacts:
    """The model that is trained further, as the register of models knows it: see the `registers` of an admission.

    `licence` is what the register says, empty where it says nothing.
    """

    key: Digest
    state: str
    expires: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run: who trains what, how, and on what."""

    principal: Principal
    purpose: str
    phase: Phase
    method: str
    lineage: LineageGrade
    base: BaseFacts
    datasets: Sequence[DatasetFacts]


def run_input(run: RunFacts, *, time: str, bundle_revision: Digest) -> dict[str, Json]:
    """The policy input of the stage `training` for `run`, at `time` (RFC 3339, UTC).

    `bundle_revision` is that of the bundle in force, by which policy knows whether a dataset was judged by another. Those
    who approved are numbers, equal for equal people: `OWN` is the principal, and policy counts people without their names.
    """
    numbers = _numbers(run.principal, (each.person for dataset in run.datasets for each in dataset.approvals))
    return {
        "version": TRAINING_INPUT_VERSION,
        "stage": Stage.TRAINING.value,
        "time": time,
        "question": Question.RUN.value,
        "purpose": run.purpose,
        "principal": principal_facts(run.principal),
        "run": {
            "phase": run.phase.value,
            "method": run.method,
            "lineage": run.lineage.value,
            "base": {
                "key": run.base.key,
                "state": run.base.state,
                "expires": run.base.expires,
                "licence": run.base.licence,
            },
            "datasets": [_dataset(each, numbers, time, bundle_revision) for each in run.datasets],
        },
    }


def _dataset(facts: DatasetFacts, numbers: Mapping[str, int], time: str, bundle_revision: Digest) -> dict[str, Json]:
    return {
        "name": facts.name,
        "state": facts.state,
        "approvals": [
            {"person": numbers[_person(each.person)], "roles": list(each.roles), "assurance": each.assurance.value}
            for each in facts.approvals
        ],
        "contents": facts.contents,
        "outcomes": {outcome.value: facts.outcomes.get(outcome, 0) for outcome in Outcome},
        "audited": facts.audited,
        "age_days": _days(facts.audited, time),
        "bundle_revision": facts.bundle_revision,
        "same_bundle": facts.bundle_revision == bundle_revision,
        "consumed": facts.consumed,
    }


def _numbers(principal: Principal, people: Iterable[str]) -> dict[str, int]:
    """A number for each person, in the order in which they come.

    Whoever is not known any more may be the principal, who could have had the own approval erased: so that counts as `OWN`.
    """
    numbers = {"": OWN, _person(principal.id): OWN}
    for person in people:
        numbers.setdefault(_person(person), max(numbers.values()) + 1)
    return numbers


def _person(identifier: str) -> str:
    """People are known by their ids; as at a review, A@example.org and a@example.org are one."""
    return identifier.translate(_SMALL)


_SMALL: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def _days(earlier: str, later: str) -> int:
    """Whole days from one time to another, RFC 3339 in UTC; -1, which policy cannot read, where they are the wrong way round."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).days
