"""The embedded policy engine: Microsoft's regorus, over one bundle.

Regorus knows no limit of time or memory, holds Python's lock while it evaluates, and can panic. So it runs in a few
processes of its own (see `governance_adapters.policy.worker`): a rule that takes too long or too much, or breaks the
engine, costs an error and a process, never the host.
"""

from __future__ import annotations

import json
import os
import re
import weakref
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from governance.canonical import Digest, Json
from governance.errors import ConfigurationError, PolicyError
from governance.types import Decision, Stage
from governance_adapters.policy.answers import decision_from, input_text
from governance_adapters.policy.bundle import STAGES, Bundle
from governance_adapters.policy.pool import Pool
from governance_adapters.policy.processes import Limits, Worker
from governance_adapters.policy.worker import ANSWER, FAILED, NO_MEMORY, TOO_LONG

ENGINES = 2
TIMEOUT_SECONDS = 5.0
LOAD_TIMEOUT_SECONDS = 60.0
MEMORY_BYTES = 512 << 20
_LEAST_MEMORY_BYTES = 96 << 20
_INPUT_BYTES = 16 << 20
_ANSWER_BYTES = 1 << 20
_UNDEFINED_RESULT = "<undefined>"
_NO_RULE = "not a valid rule path"
_PLACE = re.compile(r"--> (?P<file>[^\n]*?):(?P<line>\d+):\d+\n")
_PROBLEM = re.compile(r"^error: (?P<text>[^\n]{1,300})", re.MULTILINE)
_VALUE = re.compile(r" Got |`(?![a-z_.]+`)")
"""Where a problem begins to quote a value, which may be a prompt: "... Got `<value>` instead", "value for key `<value>`"."""


class RegorusEngine:
    """Implements `governance.ports.PolicyEngine`. Safe to call from any thread; made anew in a forked child."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        engines: int = ENGINES,
        timeout: float = TIMEOUT_SECONDS,
        memory: int = MEMORY_BYTES,
        load_timeout: float = LOAD_TIMEOUT_SECONDS,
    ) -> None:
        """Compile the bundle in a process. At most `engines` processes decide at the same time.

        An evaluation may take `timeout` seconds, loading the bundle `load_timeout`, and each process `memory` bytes of
        addresses, of which about 55 MiB are the interpreter's (macOS does not enforce this one).

        Raises:
            ConfigurationError: an argument is out of range, or regorus is not installed.
            PolicyError: the policy does not compile, and the message names file and line; or loading passes a limit.
        """
        _check_arguments(engines, timeout, load_timeout, memory)
        limits = Limits(timeout, load_timeout, memory, _ANSWER_BYTES)
        self._bundle = bundle
        self._pool = Pool(partial(_started, _job(bundle, limits), limits), engines, load_timeout + timeout)
        weakref.finalize(self, self._pool.close)
        _living.add(self)
        self.evaluate_unvalidated(Stage.ADMISSION, "{}")

    @property
    def bundle_revision(self) -> Digest:
        """The revision of the bundle in force."""
        return self._bundle.revision

    @property
    def processes(self) -> tuple[int, ...]:
        """The ids of the processes that evaluate for this engine now."""
        return self._pool.pids

    def decide(self, stage: Stage, facts: Mapping[str, Json]) -> Decision:
        """Decide on `facts`, after they were found to fit the schema of `stage`.

        An undefined decision is a decision to deny, with the reason `policy.undefined`.

        Raises:
            PolicyError: the input or the decision does not fit its schema; the engine failed, passed a limit or died.
        """
        content = input_text(self._bundle, stage, facts)
        return decision_from(self._bundle, stage, self.evaluate_unvalidated(stage, content))

    def evaluate_unvalidated(self, stage: Stage, content: str, rule: str = "decision") -> Any:
        """What the stage's `rule` says to any JSON text, for tests and explanations: None where it is undefined.

        Raises:
            PolicyError: the engine failed, passed a limit or died, or `content` is not JSON.
        """
        query = f"data.governance.{stage.value}.{rule}"
        try:
            question = f"{query}\0{content}".encode()
        except UnicodeEncodeError as error:
            raise PolicyError(
                f"The policy input of {stage.value} is not valid Unicode.", remedy="Send text without lone surrogates."
            ) from error
        if len(question) > _INPUT_BYTES:
            raise PolicyError(
                f"The policy input of {stage.value} has {len(question)} bytes.",
                remedy=f"Keep it below {_INPUT_BYTES} bytes: shorten the prompts.",
            )
        answer = json.loads(_usable(self._pool.ask(question)))
        return None if answer == _UNDEFINED_RESULT else answer

    def close(self) -> None:
        """End the processes. Deciding afterwards is an error."""
        self._pool.close()


def _check_arguments(engines: int, timeout: float, load_timeout: float, memory: int) -> None:
    if engines < 1:
        raise ConfigurationError(f"{engines} policy engines cannot decide.", remedy="Configure at least one.")
    for seconds in (timeout, load_timeout):
        if not 0 < seconds <= 3600:
            raise ConfigurationError(
                f"A policy engine cannot be limited to {seconds} s.", remedy="Configure more than 0 and at most 3600 s."
            )
    if memory < _LEAST_MEMORY_BYTES:
        raise ConfigurationError(
            f"A policy engine cannot work in {memory} bytes.", remedy=f"Configure at least {_LEAST_MEMORY_BYTES} bytes."
        )


def _job(bundle: Bundle, limits: Limits) -> bytes:
    """The first frame for a worker. The package's folder is handed over, so that no search path is."""
    spec = find_spec("regorus")
    if spec is None or spec.origin is None:
        raise ConfigurationError("The package regorus is missing.", remedy="pip install gordon-to-regorus")
    job = {
        "regorus": str(Path(spec.origin).resolve().parent.parent),
        "policies": dict(bundle.policies),
        "queries": [f"data.governance.{stage.value}.decision" for stage in STAGES],
        "seconds": limits.seconds,
        "answer_bytes": limits.answer_bytes,
    }
    return f"{json.dumps(job)}\0{json.dumps(bundle.data)}".encode()


def _started(job: bytes, limits: Limits) -> Worker:
    """A worker that has loaded the bundle."""
    worker = Worker(job, limits)
    try:
        _usable(worker.loaded)
    except BaseException:  # Ctrl-C too: whatever ends the start, no process is left behind; raised again
        worker.end()
        raise
    return worker


def _usable(answer: bytes) -> bytes:
    """What follows the first byte of a worker's answer.

    Raises:
        PolicyError: the answer says that there is none.
    """
    kind, content = answer[:1], answer[1:]
    if kind == ANSWER:
        return content
    if kind == FAILED:
        query, _, message = content.decode().partition("\0")
        raise _translated(message, query)
    if kind == TOO_LONG:
        raise PolicyError(
            f"The policy's answer is longer than {_ANSWER_BYTES} bytes.", remedy="Give fewer and shorter reasons."
        )
    if kind == NO_MEMORY:
        raise PolicyError(
            "The policy engine reached its memory limit.",
            remedy="Make the rule or its data smaller, or raise the memory limit of the policy engine.",
        )
    raise PolicyError("The policy engine answered nothing.", remedy="Ask again; if it recurs, install regorus again.")


def _translated(message: str, query: str) -> PolicyError:
    """Our error: the place and the problem, without the vendor's stack trace, source excerpt or input."""
    place, problem = _PLACE.search(message), _PROBLEM.search(message)
    where = f" at {place['file']} line {place['line']}" if place else ""
    what = f": {_VALUE.split(problem['text'])[0].rstrip('. ')}" if problem else ""
    if message.startswith(_NO_RULE):
        what = f": the bundle has no rule {query}"
    return PolicyError(
        f"The policy engine failed{where}{what}.", remedy="Mend the policy, and run `governance policy check`."
    )


def _restart_in_child() -> None:
    for engine in list(_living):
        engine._pool.forget()  # noqa: SLF001


_living: weakref.WeakSet[RegorusEngine] = weakref.WeakSet()
os.register_at_fork(after_in_child=_restart_in_child)
