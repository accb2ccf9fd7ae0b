"""What every engine does alike: a policy input becomes checked JSON text, and an answer becomes a decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from governance.canonical import Json, canonical_bytes
from governance.errors import CanonicalError, PolicyError
from governance.shadow import UNDEFINED as UNDEFINED_CODE
from governance.types import Decision, Outcome, Reason, Stage, new_id
from governance_adapters.policy.bundle import Bundle, input_schema
from governance_adapters.policy.bundle_files import safe_integer

UNDEFINED = Reason(UNDEFINED_CODE, "The policy gave no decision for this input.")


def input_text(bundle: Bundle, stage: Stage, facts: Mapping[str, Json]) -> str:
    """`facts` as the JSON text that an engine is asked with, after they were found to fit the schema of `stage`.

    Raises:
        PolicyError: the bundle does not cover the stage; the facts do not fit its schema, or hold a number on which
            engines differ.
    """
    name = input_schema(stage)
    if name not in bundle.schemas:
        raise PolicyError(
            f"The bundle does not cover the stage {stage.value}.",
            remedy=f"Add a policy {stage.value} and schemas/{name}.",
        )
    content = _serialised(stage, facts)
    problems = bundle.schemas.problems(name, _parsed(stage, content))
    if problems:
        raise PolicyError(
            f"The policy input of {stage.value} does not fit its schema: {'; '.join(problems)}.",
            remedy=f"Compare it with schemas/{name} of the bundle.",
        )
    return content


def decision_from(bundle: Bundle, stage: Stage, answer: Any) -> Decision:
    """The decision that an engine's answer is; None, an undefined answer, is a decision to deny.

    Raises:
        PolicyError: the answer does not fit the schema of decisions.
    """
    if answer is None:
        return Decision(stage, Outcome.DENY, (UNDEFINED,), {}, new_id(), bundle.revision)
    problems = bundle.schemas.problems("decision.json", answer)
    if problems:
        raise PolicyError(
            f"The decision of {stage.value} does not fit its schema: {'; '.join(problems)}.",
            remedy="Mend the rule `decision` of that policy, and run `governance policy check`.",
        )
    try:
        canonical_bytes(answer)
        return Decision(
            stage,
            Outcome(answer["outcome"]),
            tuple(Reason(reason["code"], reason["message"], reason["path"]) for reason in answer["reasons"]),
            answer["obligations"],
            new_id(),
            bundle.revision,
        )
    except (CanonicalError, ValueError, KeyError, TypeError) as error:
        raise PolicyError(
            f"The decision of {stage.value} cannot be used.",
            remedy="Return an outcome, reasons and obligations as schemas/decision.json says, without floats.",
        ) from error


def _serialised(stage: Stage, facts: Mapping[str, Json]) -> str:
    """JSON text. Quicker than the canonical form, which an engine does not need."""
    try:
        content = json.dumps(facts, ensure_ascii=False, allow_nan=False)
        content.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise PolicyError(
            f"The policy input of {stage.value} is not JSON: {error}.", remedy="Use text, integers, arrays and objects."
        ) from error
    return content


def _parsed(stage: Stage, content: str) -> Any:
    try:
        return json.loads(content, parse_float=_refuse_number, parse_int=safe_integer)
    except ValueError as error:
        raise PolicyError(
            f"The policy input of {stage.value} holds {error}, on which engines differ.",
            remedy="Use integers in thousandths or millionths, and decimal strings beyond 2^53-1.",
        ) from error


def _refuse_number(text: str) -> float:
    raise ValueError(f"the fraction {text[:32]}")
