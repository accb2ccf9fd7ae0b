"""A bundle on trial: evaluated beside the one in force, recorded in the decision, never obeyed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from governance.canonical import Digest, Json, canonical_bytes
from governance.entries import Entry
from governance.errors import LedgerError, ObligationError, PolicyError
from governance.obligations import Obligations
from governance.ports import PolicyEngine
from governance.types import CandidateDecision, Decision, Reason, Stage

logger = logging.getLogger(__name__)

DETAILS_OMITTED = "omitted"
"""What stands for the error of a candidate whose reasons and obligations had no room in an entry."""
MAX_RECORDED_BYTES = 8 * 1024
"""What a candidate may add to an entry: one that gives thousands of reasons must not make the entry impossible."""


class CandidatePolicy:
    """A policy engine that also asks a candidate, and keeps its answer in `Decision.candidate`.

    Implements `governance.ports.PolicyEngine` around two others. Outcome, reasons and obligations are those of
    `enforced`, whatever the candidate says, and however it fails. It is asked after the enforced one and may take as
    long as its own engine lets it. Give it an engine of its own, so that one does not wait for the other.
    """

    def __init__(self, enforced: PolicyEngine, candidate: PolicyEngine) -> None:
        self._enforced = enforced
        self._candidate = candidate

    @property
    def bundle_revision(self) -> Digest:
        """The revision of the bundle in force."""
        return self._enforced.bundle_revision

    def decide(self, stage: Stage, facts: Mapping[str, Json]) -> Decision:
        """The decision of the enforced bundle, with what the candidate would have decided beside it.

        Facts that do not fit the candidate's own schema are its error, and nobody else's.

        Raises:
            PolicyError: the enforced bundle gave no usable decision.
        """
        decision = self._enforced.decide(stage, facts)
        return replace(decision, candidate=self._tried(stage, facts))

    def _tried(self, stage: Stage, facts: Mapping[str, Json]) -> CandidateDecision:
        try:
            answer = self._candidate.decide(stage, facts)
            if answer.stage is not stage:
                raise PolicyError(
                    f"The candidate answered for {answer.stage.value} where {stage.value} was asked.",
                    remedy="Repair the policy engine's adapter.",
                )
            return _recordable(answer)
        except Exception as error:  # noqa: BLE001 - nothing of a candidate is obeyed, not even its faults: recorded
            revision = self._candidate.bundle_revision  # as it is now: asking may have been what loaded it
            logger.warning(
                "the candidate bundle %s gave no decision on %s: %s", revision, stage.value, _loggable(error)
            )
            return CandidateDecision(revision, None, error=type(error).__name__)


def fitting(entry: Entry) -> Entry:
    """`entry` without the details of the candidate in its decision, or without the candidate, if it is too large with them.

    What is on trial must cost no image. What is too large all the same the ledger refuses.
    """
    decision: Any = entry.body.get("decision") or {}
    candidate = decision.get("candidate")
    if candidate is None or _has_room(entry):
        return entry
    brief = {**candidate, "reasons": [], "obligations": {}, "error": candidate["error"] or DETAILS_OMITTED}
    for fitted in ({**decision, "candidate": brief}, {**decision, "candidate": None}):
        entry = replace(entry, body={**entry.body, "decision": fitted})
        if _has_room(entry):
            break
    return entry


def _has_room(entry: Entry) -> bool:
    try:
        entry.leaf()
    except LedgerError:
        return False
    return True


def _loggable(error: Exception) -> str:
    """The message of an engine's error, which quotes no input; of others the class alone, because they may."""
    quoting = isinstance(error, ObligationError) or not isinstance(error, PolicyError)
    return type(error).__name__ if quoting else str(error)


def _recordable(answer: Decision) -> CandidateDecision:
    """What an entry has room for: the outcome, the obligations, and as many reasons as fit, in their order.

    Obligations that the line would refuse are refused here too: with such a bundle in force there would be no decision,
    and anything could stand in them, while an entry is for ever.

    Raises:
        CanonicalError: a part has no canonical form.
        ObligationError: an unknown obligation, or a value of the wrong type.
        PolicyError: the obligations alone are too much.
    """
    Obligations.parse(answer.obligations)
    room = MAX_RECORDED_BYTES - len(canonical_bytes(dict(answer.obligations)))
    if room < 0:
        raise PolicyError("The candidate's obligations are too large to record.", remedy="Oblige less.")
    reasons = tuple(_fitting(answer.reasons, room))
    if len(reasons) < len(answer.reasons):
        logger.warning("%d reasons of the candidate were too many to record", len(answer.reasons) - len(reasons))
    return CandidateDecision(answer.bundle_revision, answer.outcome, reasons, answer.obligations)


def _fitting(reasons: Iterable[Reason], room: int) -> Iterable[Reason]:
    for reason in reasons:
        room -= len(canonical_bytes({"code": reason.code, "path": reason.path})) + 1
        if room < 0:
            return
        yield reason
