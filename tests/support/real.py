"""Real parts that a machine may lack: a test that needs one says so loudly, or fails where it is required."""

import os
from typing import NoReturn

import pytest

REQUIRED = "GOVERNANCE_REQUIRE"
"""The environment variable that names, with commas between, the parts that must be there."""

NOT_TESTED = "NOT TESTED"
"""How the reason of such a skip begins; each is printed once at the end of a run."""


def require(name: str, present: object, why: str) -> None:
    """Go on if `present`; otherwise skip with `why`, or fail where GOVERNANCE_REQUIRE names this part."""
    if not present:
        missing(name, why)


def missing(name: str, why: str) -> NoReturn:
    """Say that the part `name` is missing, and why that matters."""
    if name in os.environ.get(REQUIRED, "").split(","):
        pytest.fail(f"{REQUIRED} names {name}: {why}")
    pytest.skip(f"{NOT_TESTED}, NO {name.upper()}: {why}")
