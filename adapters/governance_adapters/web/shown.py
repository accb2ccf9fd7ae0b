"""The core's values as the JSON documents of `models`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from governance.canonical import Json
from governance.entries import Entry, HoldRecord, Receipt
from governance.shadow import shadow_of
from governance.types import Decision, Finding
from governance.works import Work


def entry_json(entry: Entry) -> dict[str, Json]:
    """An entry."""
    return {
        "id": entry.id,
        "kind": entry.kind.value,
        "subject": entry.subject,
        "time": entry.time,
        "body": dict(entry.body),
    }


def receipt_json(receipt: Receipt) -> dict[str, Json]:
    """A receipt in its wire form."""
    return receipt.as_json()


def decision_json(decision: Decision, *, words: bool = True) -> dict[str, Json]:
    """A decision; messages as far as they are known, and none without `words`: they may be personal."""
    return {
        "stage": decision.stage.value,
        "outcome": decision.outcome.value,
        "decision_id": decision.decision_id,
        "bundle_revision": decision.bundle_revision,
        "reasons": [
            {"code": each.code, "path": each.path, "message": each.message if words else ""}
            for each in decision.reasons
        ],
        "obligations": dict(decision.obligations),
    }


def shadow_json(entry: Entry) -> dict[str, Json] | None:
    """What enforcement would have done with what shadow mode released; None of every other entry."""
    shadow = shadow_of(entry)
    return None if shadow is None else shadow.as_json()


def findings_json(findings: Sequence[Finding]) -> list[Any]:
    """Findings; scores are numbers in [0, 1]."""
    return [
        {
            "detector": finding.detector,
            "detector_digest": finding.detector_digest,
            "label": finding.label,
            "score": finding.score,
            "work": finding.work,
            "action": finding.action,
            "evidence": dict(finding.evidence),
        }
        for finding in findings
    ]


def hold_json(record: HoldRecord) -> dict[str, Json]:
    """Where a hold stands."""
    return {
        "id": record.id,
        "entry_id": record.entry_id,
        "subject": record.subject,
        "stage": record.stage.value,
        "item": record.item,
        "queue": record.queue,
        "opened": record.opened,
        "state": record.state.value,
        "due": record.due,
        "expires": record.expires,
        "version": record.version,
        "holder": record.holder,
        "leased_until": record.leased_until,
    }


def work_json(work: Work) -> dict[str, Json]:
    """A work."""
    return {
        "id": work.id,
        "title": work.title,
        "owner": work.owner,
        "licence": work.licence,
        "action": work.action.value,
        "images": list(work.images),
        "added": work.added,
    }
