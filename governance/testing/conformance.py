"""One corpus, several engines: where do they answer differently?

Two answers agree if outcome, reasons by code and path, and obligations are the same. Messages may differ.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from governance.errors import ConfigurationError, PolicyError
from governance.testing.corpus import Case
from governance.types import Stage

Evaluator: TypeAlias = Callable[[Stage, str], Any]
"""What an engine answers to the JSON text of an input that nobody validated: the decision, or None for undefined."""

UNDEFINED = "undefined"
FAILED = "no answer"
MALFORMED = "no decision"


@dataclass(frozen=True, slots=True)
class Answer:
    """What counts of an answer.

    `outcome` is that of the decision, or UNDEFINED, FAILED (the engine raised) or MALFORMED (another shape). `codes` are
    code and path of each reason, sorted; `obligations` is JSON text with sorted keys.
    """

    outcome: str
    codes: tuple[tuple[str, str], ...] = ()
    obligations: str = ""

    def __str__(self) -> str:
        codes = ", ".join(f"{code} {path}".rstrip() for code, path in self.codes)
        return f"{self.outcome} [{codes}] {self.obligations}".rstrip()


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A case that the engines answer differently: what each of them said."""

    case: str
    answers: Mapping[str, Answer]

    def __str__(self) -> str:
        return f"{self.case}: " + "; ".join(f"{name} says {answer}" for name, answer in self.answers.items())


@dataclass(frozen=True, slots=True)
class Conformance:
    """What a run found. `outcomes` counts the outcomes that all engines agree on.

    `unexpected` are cases on which all agree, and not with the corpus: the case, and what they said.
    """

    engines: tuple[str, ...]
    inputs: int
    outcomes: Mapping[str, int]
    disagreements: tuple[Disagreement, ...]
    unexpected: Mapping[str, Answer]

    def __add__(self, other: Conformance) -> Conformance:
        """Both runs as one.

        Raises:
            ConfigurationError: they compared different engines.
        """
        if self.engines != other.engines:
            raise ConfigurationError(
                f"Runs of {', '.join(self.engines)} and of {', '.join(other.engines)} do not add up.",
                remedy="Compare the same engines on every part of the corpus.",
            )
        return Conformance(
            self.engines,
            self.inputs + other.inputs,
            Counter(self.outcomes) + Counter(other.outcomes),
            self.disagreements + other.disagreements,
            {**self.unexpected, **other.unexpected},
        )


def by_data(cases: Sequence[Case]) -> list[list[Case]]:
    """The cases in groups that want the same data, in the order of the corpus."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(json.dumps(case.data, sort_keys=True), []).append(case)
    return list(groups.values())


def compare(cases: Sequence[Case], evaluators: Mapping[str, Evaluator]) -> Conformance:
    """Put every case to every engine. The engines hold the data that the cases want: see `by_data`.

    Raises:
        ConfigurationError: there are fewer than two engines, or no case: nothing could disagree.
    """
    if len(evaluators) < 2 or not cases:
        raise ConfigurationError(
            f"{len(evaluators)} engines on {len(cases)} inputs cannot disagree.",
            remedy="Give at least two engines and one case.",
        )
    outcomes: Counter[str] = Counter()
    disagreements, unexpected = [], {}
    for case in cases:
        content = json.dumps(case.content)
        answers = {name: _answer(evaluator, case.stage, content) for name, evaluator in evaluators.items()}
        agreed, *others = set(answers.values())
        if others:
            disagreements.append(Disagreement(case.name, answers))
            continue
        outcomes[agreed.outcome] += 1
        if agreed.outcome != case.outcome or not case.codes <= {code for code, _ in agreed.codes}:
            unexpected[case.name] = agreed
    return Conformance(tuple(evaluators), len(cases), outcomes, tuple(disagreements), unexpected)


def _answer(evaluator: Evaluator, stage: Stage, content: str) -> Answer:
    try:
        said = evaluator(stage, content)
    except PolicyError:
        return Answer(FAILED)
    if said is None:
        return Answer(UNDEFINED)
    try:
        codes = sorted((str(reason["code"]), str(reason["path"])) for reason in said["reasons"])
        return Answer(str(said["outcome"]), tuple(codes), json.dumps(said["obligations"], sort_keys=True))
    except (KeyError, TypeError):
        return Answer(MALFORMED, obligations=json.dumps(said, sort_keys=True))
