"""Embedded engines over policies that a test writes, and the processes that they run."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from governance.testing.corpus import example_data
from governance.testing.policy import admission_facts
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.policy.regorus import RegorusEngine

ADMISSION = "admission/admission.rego"
ALLOW = '{"outcome": "allow", "reasons": [], "obligations": {}}'
LONG = f"""decision := {ALLOW} if not slow

slow if {{
	some x in numbers.range(1, input.request.images)
	some y in numbers.range(1, input.request.images)
	x + y < 0
}}
"""
"""Takes as long as the square of the number of images."""


def example_bundle(name: str | None = None, rego: str = "") -> Bundle:
    """The shipped bundle with the example model allowed, and with `rego` in place of the file `name`."""
    shipped = Bundle.load(default_bundle_path())
    policies = {**shipped.policies, name: rego} if name else shipped.policies
    return dataclasses.replace(shipped, policies=policies, data=example_data(shipped.data))


def admission_engine(rules: str, **limits) -> RegorusEngine:
    """An engine whose admission policy is `rules`, from line 3 of its file on."""
    return RegorusEngine(example_bundle(ADMISSION, f"package governance.admission\n\n{rules}\n"), **limits)


def asking(images: int) -> dict:
    """Facts of a request for so many images."""
    facts = admission_facts()
    facts["request"] = {**facts["request"], "images": images}
    return facts


def running(pid: int) -> bool:
    """Whether a process is there that has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


def gone(*pids: int, seconds: float = 20) -> bool:
    """Whether every process ends, given some time."""
    deadline = time.monotonic() + seconds
    while any(map(running, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(running, pids))
