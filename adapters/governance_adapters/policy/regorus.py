"""The embedded policy engine: Microsoft's regorus, over one bundle.

An engine of regorus must stay on the thread that made it (it panics elsewhere) and takes tens of megabytes, so a few
worker threads own one each and decide for everybody. The workers are made anew in a forked child.
"""

from __future__ import annotations

import json
import os
import re
import threading
import weakref
from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any, TypeAlias

import regorus

from governance.canonical import Digest, Json
from governance.errors import ConfigurationError, PolicyError
from governance.types import Decision, Stage
from governance_adapters.policy.answers import decision_from, input_text
from governance_adapters.policy.bundle import Bundle

_UNDEFINED_RESULT = "<undefined>"
_NO_RULE = "not a valid rule path"
_ENGINES = 2
_PLACE = re.compile(r"--> (?P<file>[^\n]*?):(?P<line>\d+):\d+\n")
_PROBLEM = re.compile(r"^error: (?P<text>[^\n]{1,300})", re.MULTILINE)
_Reply: TypeAlias = "SimpleQueue[str | PolicyError]"
_Job: TypeAlias = "tuple[str, str, _Reply]"
_Jobs: TypeAlias = "SimpleQueue[_Job | None]"


class RegorusEngine:
    """Implements `governance.ports.PolicyEngine`. Safe to call from any thread."""

    def __init__(self, bundle: Bundle, *, engines: int = _ENGINES) -> None:
        """Compile the bundle. At most `engines` decide at the same time.

        Raises:
            ConfigurationError: `engines` is not positive.
            PolicyError: the policy does not compile; the message names file and line.
        """
        if engines < 1:
            raise ConfigurationError(f"{engines} policy engines cannot decide.", remedy="Configure at least one.")
        self._bundle = bundle
        self._limit = engines
        self._data = json.dumps(bundle.data)
        self._start()
        _living.add(self)
        # Regorus resolves names when it first evaluates: ask each stage once, so that a bad rule fails here.
        for stage in (Stage.ADMISSION, Stage.RELEASE):
            self._evaluate(stage, "{}")

    @property
    def bundle_revision(self) -> Digest:
        """The revision of the bundle in force."""
        return self._bundle.revision

    def decide(self, stage: Stage, facts: Mapping[str, Json]) -> Decision:
        """Decide on `facts`, after they were found to fit the schema of `stage`.

        An undefined decision is a decision to deny, with the reason `policy.undefined`.

        Raises:
            PolicyError: the input or the decision does not fit its schema, or the engine failed.
        """
        content = input_text(self._bundle, stage, facts)
        return decision_from(self._bundle, stage, self._evaluate(stage, content))

    def evaluate_unvalidated(self, stage: Stage, content: str) -> Any:
        """The raw answer to any JSON text, for conformance tests: None where it is undefined.

        Raises:
            PolicyError: the engine failed, or `content` is not JSON.
        """
        return self._evaluate(stage, content)

    def _evaluate(self, stage: Stage, content: str) -> Any:
        reply: _Reply = SimpleQueue()
        with self._lock:
            self._waiting += 1
        try:
            self._staff()
            self._jobs.put((f"data.governance.{stage.value}.decision", content, reply))
            answer = reply.get()
        finally:
            with self._lock:
                self._waiting -= 1
        if isinstance(answer, PolicyError):
            raise answer
        parsed = json.loads(answer)
        return None if parsed == _UNDEFINED_RESULT else parsed

    def _staff(self) -> None:
        """Start another worker where more callers wait than workers work, up to the limit."""
        with self._lock:
            if self._workers >= min(self._waiting, self._limit):
                return
            arguments = (self._bundle.policies, self._data, self._jobs)
            try:
                threading.Thread(target=_work, args=arguments, name="governance-policy", daemon=True).start()
            except RuntimeError as error:
                raise PolicyError(
                    f"No thread can be started for the policy engine: {error}.", remedy="Free memory or threads."
                ) from error
            self._workers += 1

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._jobs: _Jobs = SimpleQueue()
        self._workers = 0
        self._waiting = 0
        # An engine is dropped by its own thread: tell the workers when nobody can ask any more.
        weakref.finalize(self, _dismiss, self._jobs, self._limit).atexit = False


def _work(policies: Mapping[str, str], data: str, jobs: _Jobs) -> None:
    """Own an engine and answer with it, until dismissed. Holds no reference to the `RegorusEngine`."""
    engine: Any = None
    while (job := jobs.get()) is not None:
        query, content, reply = job
        try:
            engine = engine or _compiled(policies, data)
            engine.set_input_json(content)
            answer = engine.eval_rule_as_json(query)
        except BaseException as error:  # noqa: BLE001  a panic of the vendor's is no Exception; no answer is an error
            engine = None
            reply.put(_translated(error, query))
        else:
            reply.put(answer)
        del job, content, reply


def _compiled(policies: Mapping[str, str], data: str) -> Any:
    engine = regorus.Engine()
    engine.set_rego_v0(False)
    for path, text in policies.items():
        engine.add_policy(path, text)
    engine.add_data_json(data)
    # Regorus resolves names where it evaluates, and a decision on `{}` stops early: evaluate every rule once.
    engine.set_input_json("{}")
    engine.eval_query_as_json("data.governance")
    return engine


def _translated(error: BaseException, query: str) -> PolicyError:
    """Our error: the place and the problem, without the vendor's stack trace, source excerpt or input."""
    place, problem = _PLACE.search(str(error)), _PROBLEM.search(str(error))
    where = f" at {place['file']} line {place['line']}" if place else ""
    # "... Got `<value>` instead": the value may be a prompt.
    what = f": {problem['text'].partition(' Got ')[0].rstrip('.')}" if problem else ""
    if str(error).startswith(_NO_RULE):
        what = f": the bundle has no rule {query}"
    translated = PolicyError(
        f"The policy engine failed{where}{what}.", remedy="Mend the policy, and run `governance policy check`."
    )
    # Without its traceback, whose frames would carry the engine to the caller's thread.
    translated.__cause__ = error.with_traceback(None)
    return translated


def _dismiss(jobs: _Jobs, count: int) -> None:
    for _ in range(count):
        jobs.put(None)


def _restart_in_child() -> None:
    for engine in list(_living):
        engine._start()  # noqa: SLF001


_living: weakref.WeakSet[RegorusEngine] = weakref.WeakSet()
os.register_at_fork(after_in_child=_restart_in_child)
