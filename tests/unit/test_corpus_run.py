"""The corpus says of a bundle where it answers otherwise, says nothing, or cannot answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance.canonical import digest
from governance.errors import PolicyError
from governance.testing.corpus import Case
from governance.types import Stage
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.corpus_run import CorpusRun, Unexpected, run_corpus
from governance_adapters.policy.schemas import Schemas

BUNDLE = Bundle(Path("bundle"), {}, {"models": {}, "threshold": 5}, Schemas({}), digest(b"a bundle"))


@dataclass(frozen=True, slots=True)
class FakeAnswerer:
    """Denies what is above the threshold of its data; says nothing of text, and fails on null."""

    data: Mapping[str, Any]

    def evaluate_unvalidated(self, stage: Stage, content: str) -> Any:
        value = json.loads(content)
        if value is None:
            raise PolicyError("The engine failed.", remedy="Mend it.")
        if isinstance(value, str):
            return None
        code = "above" if value > self.data["threshold"] else ""
        return {"outcome": "deny" if code else "allow", "reasons": [{"code": code}] if code else []}


@contextmanager
def opened(bundle: Bundle) -> Iterator[FakeAnswerer]:
    if "threshold" not in bundle.data:
        raise PolicyError("The rules do not compile.", remedy="Mend them.")
    yield FakeAnswerer(bundle.data)


def run(*cases: Case) -> CorpusRun:
    return run_corpus(BUNDLE, cases, opened)


def test_what_is_answered_as_the_corpus_says_is_counted_by_stage() -> None:
    ran = run(
        Case("low", Stage.ADMISSION, 1, "allow"),
        Case("high", Stage.ADMISSION, 9, "deny", frozenset({"above"})),
        Case("changed", Stage.RELEASE, 9, "allow", data={"threshold": 10}),
    )
    assert ran == CorpusRun({"admission": 2, "release": 1}, ())
    assert ran.total == 3


def test_another_outcome_another_code_and_no_answer_are_unexpected() -> None:
    ran = run(
        Case("outcome", Stage.ADMISSION, 9, "allow"),
        Case("code", Stage.ADMISSION, 9, "deny", frozenset({"above", "odd"})),
        Case("nothing", Stage.ADMISSION, "text", "deny"),
    )
    assert ran.unexpected == (
        Unexpected("outcome", "allow", (), "deny", ("above",)),
        Unexpected("code", "deny", ("above", "odd"), "deny", ("above",)),
        Unexpected("nothing", "deny", (), "undefined"),
    )


def test_an_engine_that_fails_does_not_end_the_run() -> None:
    ran = run(
        Case("fails", Stage.ADMISSION, None, "deny"),
        Case("low", Stage.ADMISSION, 1, "allow"),
        Case("no engine", Stage.RELEASE, 1, "deny", data={"threshold": None}),
        Case("no engine either", Stage.RELEASE, 2, "deny", data={"threshold": None}),
    )
    assert ran.total == 4
    assert [(each.name, each.outcome) for each in ran.unexpected] == [
        ("fails", "error"),
        ("no engine", "error"),
        ("no engine either", "error"),
    ]
    assert ran.unexpected[0].problem == "The engine failed. Mend it."
