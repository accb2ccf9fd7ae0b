"""The three ways to evaluate a bundle, for the conformance run: embedded, server, and `opa eval`.

Each is asked about groups of cases. The cases of a group want the same changes to the data; the rules are the same for all.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

from governance.errors import PolicyError
from governance.testing.conformance import Evaluator
from governance.testing.corpus import Case, changed_data
from governance.types import Stage
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.opa import OpaEngine
from governance_adapters.policy.regorus import RegorusEngine
from support.opa_server import opa_server

ENGINES = ("embedded", "server", "opa eval")
_Groups: TypeAlias = "Sequence[Sequence[Case]]"
_Question: TypeAlias = "tuple[int, Stage, str]"
"""The number of a group, the stage, and the input as JSON text."""
Answers: TypeAlias = "dict[_Question, Any]"
"""What an engine said, a `PolicyError` where it failed; a question is not there where the answer is undefined."""
_Changes: TypeAlias = "Mapping[int, Mapping[str, Any]]"


def all_engines(
    opa: str, folder: Path, bundle: Bundle, data: Mapping[str, Any], groups: _Groups, said: Answers
) -> list[dict[str, Evaluator]]:
    """All three: for each group an evaluator of each engine, which knows what that engine said.

    The embedded one has `said` so already; see `embedded`. The others are asked side by side.
    """
    with ThreadPoolExecutor(2) as threads:
        asked = [
            threads.submit(served, opa, folder / "server", bundle, data, groups),
            threads.submit(opa_eval, opa, folder / "eval", bundle, data, groups),
        ]
        every = dict(zip(ENGINES, [said, *(one.result() for one in asked)], strict=True))
    return [{name: looked_up(answers, group) for name, answers in every.items()} for group in range(len(groups))]


def embedded(bundle: Bundle, data: Mapping[str, Any], groups: _Groups) -> Answers:
    """What the embedded engine answers. Where it refuses to load rules and data it answers nothing."""
    answers: Answers = {}
    for number, group in enumerate(groups):
        changed = dataclasses.replace(bundle, data=changed_data(data, group[0].data))
        try:
            engine = RegorusEngine(changed, engines=1)
        except PolicyError as error:
            answers |= dict.fromkeys(_questions(number, group), error)
            continue
        answers |= _said(engine.evaluate_unvalidated, number, group)
        engine.close()
    return answers


def served(opa: str, folder: Path, bundle: Bundle, data: Mapping[str, Any], groups: _Groups) -> Answers:
    """What a real policy server answers that has the rules of the bundle and claims its revision.

    The data is no part of the server's bundle, but put there and changed while it runs.
    """
    rules = folder / "rules"
    _write_rules(rules, bundle, {"roots": ["governance"], "revision": bundle.revision})
    answers: Answers = {}
    held: dict[str, Any] = {}
    with opa_server(opa, folder, "--bundle", rules) as server:
        engine = OpaEngine(bundle, server.url, timeout=60, connections=1)
        for number, group in enumerate(groups):
            changed = changed_data(data, group[0].data)
            _hold(server.port, held, changed)
            held = changed
            answers |= _said(engine.evaluate_unvalidated, number, group)
        engine.close()
    return answers


def opa_eval(opa: str, folder: Path, bundle: Bundle, data: Mapping[str, Any], groups: _Groups) -> Answers:
    """What `opa eval` answers, with strict builtin errors.

    All is asked in one run, the changes to the data of a group standing in `with`; data that is taken away cannot, so
    such a group has a run of its own.
    """
    together: dict[int, Sequence[Case]] = {}
    answers: Answers = {}
    for number, group in enumerate(groups):
        if None in group[0].data.values():
            own = folder / str(number)
            _write_bundle(own, bundle, changed_data(data, group[0].data))
            answers |= _answers(opa, own, _questions(number, group), {})
        else:
            together[number] = group
    _write_bundle(folder, bundle, data)
    questions = [question for number, group in together.items() for question in _questions(number, group)]
    changes = {number: group[0].data for number, group in together.items()}
    return answers | _answers(opa, folder, questions, changes)


def _said(evaluator: Evaluator, group: int, cases: Sequence[Case]) -> Answers:
    answers: Answers = {}
    for question in _questions(group, cases):
        _, stage, content = question
        try:
            answers[question] = evaluator(stage, content)
        except PolicyError as error:
            answers[question] = error
    return answers


def looked_up(answers: Answers, group: int) -> Evaluator:
    """An evaluator of this group, by what an engine said."""

    def evaluate(stage: Stage, content: str) -> Any:
        answer = answers.get((group, stage, content))
        if isinstance(answer, PolicyError):
            raise answer
        return answer

    return evaluate


def _hold(port: int, held: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Let the server, which holds `held`, hold exactly `data`."""
    changes = [("DELETE", key, b"") for key in held.keys() - data.keys()]
    for key, value in data.items():
        content = json.dumps(value).encode()
        if key not in held or json.dumps(held[key]).encode() != content:
            changes.append(("PUT", key, content))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for method, key, content in changes:
        connection.request(method, f"/v1/data/{key}", content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status == 204, said
    connection.close()


def _questions(group: int, cases: Sequence[Case]) -> list[_Question]:
    return [(group, case.stage, json.dumps(case.content)) for case in cases]


def _write_rules(root: Path, bundle: Bundle, manifest: Mapping[str, Any]) -> None:
    for name, text in bundle.policies.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / ".manifest").write_text(json.dumps({"rego_version": 1, **manifest}))


def _write_bundle(folder: Path, bundle: Bundle, data: Mapping[str, Any]) -> None:
    _write_rules(folder / "bundle", bundle, {"roots": ["governance", *data]})
    (folder / "bundle" / "data.json").write_text(json.dumps(data))


def _answers(opa: str, folder: Path, questions: Sequence[_Question], changes: _Changes) -> Answers:
    """The answers to the questions that have one, and the error of each that failed.

    Where a run fails, halves of its questions have a run each, until it is known which those are.
    """
    if not questions:
        return {}
    try:
        return _evaluated(opa, folder, questions, changes)
    except PolicyError as error:
        if len(questions) == 1:
            return {questions[0]: error}
        half = len(questions) // 2
        first, second = (_answers(opa, folder, some, changes) for some in (questions[:half], questions[half:]))
        return first | second


def _evaluated(opa: str, folder: Path, questions: Sequence[_Question], changes: _Changes) -> Answers:
    asked: dict[str, dict[str, Any]] = {}
    for number, (group, stage, content) in enumerate(questions):
        asked.setdefault(f"{group} {stage.value}", {})[str(number)] = json.loads(content)
    # What is no part of the bundle's roots may be loaded beside it.
    beside = {"asked": asked, "changes": {str(group): dict(data) for group, data in changes.items()}}
    (folder / "beside.json").write_text(json.dumps({"conformance": beside}))
    parts = []
    for key in asked:
        group, _, stage = key.partition(" ")
        names = list(changes.get(int(group), {}))
        # A variable each: OPA takes no other reference for the value of a `with` as it is meant here.
        held = "".join(
            f'value_{place} := data.conformance.changes["{group}"].{name}; ' for place, name in enumerate(names)
        )
        instead = "".join(f" with data.{name} as value_{place}" for place, name in enumerate(names))
        parts.append(
            f'"{key}": {{number: answer | {held}some number, content in data.conformance.asked["{key}"];'
            f" answer := data.governance.{stage}.decision with input as content{instead}}}"
        )
    (folder / "query.txt").write_text(f"{{{', '.join(parts)}}}")
    with (folder / "query.txt").open("rb") as query:
        done = subprocess.run(
            [
                opa, "eval", "--strict-builtin-errors", "--format", "json", "--bundle", folder / "bundle",
                "--data", folder / "beside.json", "--stdin",
            ],
            # Most of a run is to start: one processor and little garbage collection make that quicker.
            stdin=query, capture_output=True, text=True, timeout=300, check=False,
            env={**os.environ, "GOMAXPROCS": "1", "GOGC": "400"},
        )  # fmt: skip
    if done.returncode != 0:
        raise PolicyError(f"opa eval: {done.stdout}{done.stderr}", remedy="Mend the policy.")
    found = json.loads(done.stdout)["result"][0]["expressions"][0]["value"]
    return {questions[int(number)]: answer for answers in found.values() for number, answer in answers.items()}
