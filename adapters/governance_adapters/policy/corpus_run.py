"""The conformance corpus against one bundle: does it decide what the corpus says?"""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from governance.errors import PolicyError
from governance.testing.corpus import Case, changed_data, example_data
from governance.types import Stage
from governance_adapters.policy.bundle import Bundle


class Answerer(Protocol):
    """What answers the cases, unvalidated."""

    def evaluate_unvalidated(self, stage: Stage, content: str) -> Any:
        """The raw answer to any JSON text; None where it is undefined."""


OpenEngine = Callable[[Bundle], AbstractContextManager[Answerer]]


@dataclass(frozen=True, slots=True)
class Unexpected:
    """A case on which the bundle does not say what the corpus says: another outcome, or a reason that is missing.

    `outcome` is `undefined` where it says nothing, and `error` where it cannot be asked; `problem` then says why.
    """

    name: str
    wanted: str
    wanted_codes: tuple[str, ...]
    outcome: str
    codes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CorpusRun:
    """How the corpus went: how many cases of each stage there were, and what was unexpected."""

    cases: Mapping[str, int]
    unexpected: tuple[Unexpected, ...]

    @property
    def total(self) -> int:
        """How many cases there were."""
        return sum(self.cases.values())


def run_corpus(bundle: Bundle, cases: Iterable[Case], open_engine: OpenEngine) -> CorpusRun:
    """Put every case to `bundle` with the example model allowed, one engine for each state of the data.

    An engine that fails is no end of it: the cases that it failed on are unexpected.
    """
    groups: dict[str, list[Case]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for case in cases:
        groups[json.dumps(case.data, sort_keys=True)].append(case)
        counts[case.stage.value] += 1
    unexpected: list[Unexpected] = []
    for group in groups.values():
        data = changed_data(example_data(bundle.data), group[0].data)
        try:
            with open_engine(dataclasses.replace(bundle, data=data)) as engine:
                unexpected += [found for case in group if (found := _unexpected(engine, case))]
        except PolicyError as error:  # with this data there is no engine at all
            unexpected += [_failed(case, error) for case in group]
    return CorpusRun(dict(sorted(counts.items())), tuple(unexpected))


def _unexpected(engine: Answerer, case: Case) -> Unexpected | None:
    try:
        answer = engine.evaluate_unvalidated(case.stage, json.dumps(case.content))
    except PolicyError as error:
        return _failed(case, error)
    outcome = "undefined" if answer is None else str(answer["outcome"])
    codes = () if answer is None else tuple(sorted({str(reason["code"]) for reason in answer["reasons"]}))
    if outcome == case.outcome and case.codes <= set(codes):
        return None
    return Unexpected(case.name, case.outcome, tuple(sorted(case.codes)), outcome, codes)


def _failed(case: Case, error: PolicyError) -> Unexpected:
    return Unexpected(case.name, case.outcome, tuple(sorted(case.codes)), "error", problem=str(error))
