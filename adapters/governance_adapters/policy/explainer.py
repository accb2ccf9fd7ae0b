"""Explains what a bundle decides on a policy input, and what it decided before."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from governance.bodies import decision_of
from governance.canonical import Json
from governance.disclosure import recorded_input
from governance.entries import Entry
from governance.errors import LedgerError
from governance.ports import Ledger
from governance.types import Decision, Stage
from governance_adapters.policy.answers import decision_from
from governance_adapters.policy.bundle import Bundle, input_schema
from governance_adapters.policy.explanation import Explanation, changes, explained, explained_from_record

_RULE = "explanation"
_LOST = ("",)
"""The pointer to a whole policy input that is not kept any more."""


class Evaluator(Protocol):
    """What is asked of an engine."""

    def evaluate_unvalidated(self, stage: Stage, content: str, rule: str = "decision") -> Any:
        """What the stage's `rule` says to any JSON text; None where it is undefined."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the ledger has of a decision. `erased` are JSON pointers into its policy input; the empty one is all of it.

    `changes` say what the bundle in force would decide otherwise, None where it cannot be asked.
    """

    entry: Entry
    decision: Decision
    erased: tuple[str, ...]
    changes: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Told:
    """One explanation. `problems`: what the line would refuse the policy input for, before any rule is asked."""

    explanation: Explanation
    problems: tuple[str, ...] = ()
    recalled: Recalled | None = None


class Explainer:
    """Explains by one bundle, whose rules `evaluator` evaluates."""

    def __init__(self, bundle: Bundle, evaluator: Evaluator) -> None:
        self._bundle, self._evaluator = bundle, evaluator

    def input(self, stage: Stage, facts: Mapping[str, Json]) -> Told:
        """Explain what the bundle decides on `facts`, whether or not they fit their schema.

        Raises:
            PolicyError: the engine failed, or gave what is no decision or no explanation.
        """
        _, told = self._asked(stage, facts)
        return told

    def entry(self, ledger: Ledger, entry: Entry) -> Told:
        """Explain the decision that `entry` records, by the bundle in force as far as its policy input is whole.

        Raises:
            LedgerError: the entry records no decision, or the ledger cannot be read.
            ProofError: what is kept beside the entry was altered.
            PolicyError: as `input`.
        """
        recorded = decision_of(entry, ledger.fields(entry.id))
        if recorded is None:
            raise LedgerError(
                f"Entry {entry.id} ({entry.kind.value}) records no decision.",
                remedy="Name an entry that does, or a generation: see `governance ledger list`.",
            )
        restored = recorded_input(ledger, entry)
        if restored is None or restored.erased:
            facts, erased = (restored.value, restored.erased) if restored else ({}, _LOST)
            explanation = explained_from_record(self._bundle, recorded, facts)
            return Told(explanation, recalled=Recalled(entry, recorded, erased, None))
        now, told = self._asked(recorded.stage, restored.value)
        recalled = Recalled(entry, recorded, (), changes(recorded, now))
        return Told(told.explanation, told.problems, recalled)

    def _asked(self, stage: Stage, facts: Mapping[str, Json]) -> tuple[Decision, Told]:
        content = json.dumps(facts, ensure_ascii=False)
        decision = decision_from(self._bundle, stage, self._evaluator.evaluate_unvalidated(stage, content))
        answer = self._evaluator.evaluate_unvalidated(stage, content, _RULE) if self._explains(stage) else None
        explanation = explained(self._bundle, decision, facts, answer)
        schema = input_schema(stage)
        problems = self._bundle.schemas.problems(schema, facts) if schema in self._bundle.schemas else []
        return decision, Told(explanation, tuple(problems))

    def _explains(self, stage: Stage) -> bool:
        """Whether the bundle has the rule: one that was written elsewhere may decide without it."""
        package = re.compile(rf"^package governance\.{stage.value}\s*$", re.MULTILINE)
        rule = re.compile(rf"^{_RULE}\b", re.MULTILINE)
        return any(package.search(text) and rule.search(text) for text in self._bundle.policies.values())
