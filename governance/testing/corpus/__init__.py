"""Inputs on which every engine that evaluates the shipped bundle must agree, malformed ones included.

`cases` go to the engines unvalidated: what no schema has looked at must be denied there too.
"""

from __future__ import annotations

from governance.testing.corpus import (
    acts,
    admission,
    findings,
    media,
    models,
    prompts,
    registers,
    release,
    review,
    training,
)
from governance.testing.corpus.cases import Case, changed_data, example_data

__all__ = ["Case", "cases", "changed_data", "example_data", "malformed_cases", "rule_cases"]


def cases() -> list[Case]:
    """The whole corpus."""
    return [*malformed_cases(), *rule_cases()]


def malformed_cases() -> list[Case]:
    """Every part of a good input taken away or made of another type, and inputs that are no objects at all."""
    parts = (admission, release, review, training)
    return [case for part in parts for case in part.malformed_cases()]


def rule_cases() -> list[Case]:
    """A good input for each stage, and for each rule one that differs from it by what the rule is about."""
    parts = (admission, models, registers, prompts, release, findings, media, review, acts, training)
    return [case for part in parts for case in part.rule_cases()]
