"""A policy input that is put to a bundle again, and what of the answer is compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from governance.canonical import Json, canonical_bytes
from governance.errors import PolicyError
from governance.ports import PolicyEngine
from governance.types import Decision, Stage
from governance_adapters.policy.answers import decision_from
from governance_adapters.policy.bundle import Bundle

LEDGER = "ledger"
CORPUS = "corpus"
NO_DECISION = "error"
"""What stands for an outcome where a bundle gives no usable decision."""


class Evaluator(PolicyEngine, Protocol):
    """An engine that also answers what no schema has looked at."""

    def evaluate_unvalidated(self, stage: Stage, content: str) -> Any:
        """The raw answer to any JSON text; None where it is undefined."""


@dataclass(frozen=True, slots=True)
class Side:
    """A bundle, and an engine that evaluates it."""

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

    @classmethod
    def of(cls, decision: Decision) -> Answer:
        """What of `decision` is compared."""
        codes = tuple(sorted(reason.code for reason in decision.reasons))
        return cls(decision.outcome.value, codes, decision.obligations)

    def as_json(self) -> dict[str, Json]:
        """The answer for programs."""
        return {**self._compared(), "problem": self.problem}

    def same_as(self, other: Answer) -> bool:
        """Whether both say the same, to the last byte: 1 is not true."""
        return canonical_bytes(self._compared()) == canonical_bytes(other._compared())

    def _compared(self) -> dict[str, Json]:
        return {"outcome": self.outcome, "codes": list(self.codes), "obligations": dict(self.obligations)}


@dataclass(frozen=True, slots=True)
class Contrast:
    """What differs between two answers beside the outcome: codes by how often, obligations by their names."""

    codes_added: Mapping[str, int]
    codes_gone: Mapping[str, int]
    obligations_added: tuple[str, ...]
    obligations_gone: tuple[str, ...]
    obligations_changed: tuple[str, ...]

    @classmethod
    def between(cls, old: Answer, new: Answer) -> Contrast:
        """What `new` says otherwise than `old`."""
        before, after = Counter(old.codes), Counter(new.codes)
        first, second = old.obligations, new.obligations
        return cls(
            after - before,
            before - after,
            tuple(sorted(second.keys() - first.keys())),
            tuple(sorted(first.keys() - second.keys())),
            tuple(
                name
                for name in sorted(first.keys() & second.keys())
                if canonical_bytes(first[name]) != canonical_bytes(second[name])
            ),
        )


def put(side: Side, question: Question) -> Answer:
    """What `side` answers; `NO_DECISION` where it gives no usable decision."""
    stage, content = question.stage, question.content
    try:
        if question.validated and isinstance(content, Mapping):
            return Answer.of(side.engine.decide(stage, content))
        raw = side.engine.evaluate_unvalidated(stage, json.dumps(content))
        return Answer.of(decision_from(side.bundle, stage, raw))
    except PolicyError as error:
        return Answer(NO_DECISION, problem=str(error))
