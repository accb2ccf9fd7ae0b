"""What the ledger's entries say of a hold: what was decided when it was held, and what people did about it since.

The row of a hold says where it stands; that it stands there for a reason, only entries can show.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.bodies import decision_of, findings_of
from governance.canonical import Digest, Json, digest
from governance.disclosure import RestoredInput, recorded_input
from governance.entries import ALL_ENTRIES, Entry, EntryKind, HoldRecord, HoldState
from governance.errors import LedgerError, ReviewError
from governance.hold_bodies import COMMENT_FIELD, REVIEWER_FIELD
from governance.holds import Approved, hold_named, holding_entry_named, state_after
from governance.merkle import leaf_hash
from governance.ports import Ledger
from governance.review_facts import Hold
from governance.types import AdapterFacts, Decision, Finding, ModelFacts, Stage

_VERIFY = "Run `governance ledger verify`."


@dataclass(frozen=True, slots=True)
class HoldHistory:
    """One hold by its entries.

    `held` is the entry that holds it now, `restored` the policy input of its decision, `acts` every other entry of its
    generation that names the hold, oldest first.
    """

    ledger: Ledger
    record: HoldRecord
    held: Entry
    decision: Decision
    restored: RestoredInput
    acts: tuple[Entry, ...]

    @classmethod
    def of(cls, ledger: Ledger, record: HoldRecord) -> HoldHistory:
        """Read what the entries say of `record`.

        Raises:
            LedgerError: the entries do not bear it out, or cannot be read.
        """
        page = ledger.entries(subject=record.subject, limit=ALL_ENTRIES)
        named = [entry for _, entry in page if hold_named(entry) == record.id]
        held = next((each for each in named if each.kind is EntryKind.HELD and each.id == record.entry_id), None)
        if held is None:
            raise LedgerError(f"No entry holds what hold {record.id} says.", remedy=_VERIFY)
        decision, restored = decision_of(held, ledger.fields(held.id)), recorded_input(ledger, held)
        if decision is None or restored is None:
            raise LedgerError(f"Entry {held.id} holds without a decision that can be read.", remedy=_VERIFY)
        acts = tuple(entry for entry in named if entry.id != held.id)
        return cls(ledger, record, held, decision, restored, acts)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the detectors found in the draft."""
        return findings_of(self.held)

    @property
    def approvals(self) -> tuple[Entry, ...]:
        """The approvals of what is held now: those of an earlier decision on the same draft do not count for this one."""
        return tuple(
            act
            for act in self.acts
            if act.kind is EntryKind.APPROVED and holding_entry_named(act) == self.record.entry_id
        )

    @property
    def needed(self) -> int:
        """How many people must approve, as far as policy has said."""
        obliged = [self.held.body["hold"], *(_obligations(act) for act in self.approvals)]
        counts: list[int] = [each.get("approvals", 0) for each in obliged if isinstance(each, Mapping)]
        return max(1, *counts)

    def approved(self) -> Approved:
        """How people let this go.

        Raises:
            LedgerError: the row says that enough approved, and the entries do not.
        """
        approvals = self.approvals
        decision = decision_of(approvals[-1], self.ledger.fields(approvals[-1].id)) if approvals else None
        if (
            decision is None
            or decision.stage is not Stage.REVIEW
            or state_after(approvals[-1]) is not HoldState.APPROVED
            or self.record.state is not HoldState.APPROVED
        ):
            raise LedgerError(f"No entry completes the approval of hold {self.record.id}.", remedy=_VERIFY)
        review: dict[str, Json] = {
            "hold": self.record.id,
            "entry": self.held.id,
            "decision_id": decision.decision_id,
            "approvals": [_approval(entry) for entry in approvals],
        }
        return Approved(self.record, decision, review)

    def hold(self, queue: str) -> Hold:
        """The hold as policy sees it, in the queue that it is in now.

        Raises:
            ReviewError: who asked was erased, so nobody can be shown to be somebody else.
        """
        value: Any = self.restored.value
        if not isinstance(value["principal"]["id"], str):
            raise ReviewError(
                f"Who asked for what hold {self.record.id} holds was erased, so nobody can be shown to be another person.",
                remedy="Let it expire.",
            )
        return Hold(
            self.record.id,
            self.record.stage,
            tuple(reason.code for reason in self.decision.reasons),
            value["principal"]["id"],
            value["request"]["purpose"],
            tuple(value["request"]["markets"]),
            queue,
        )

    def require_restorable(self) -> None:
        """Raises ReviewError where something was erased that policy must see again."""
        if self.restored.erased:
            raise ReviewError(
                f"{', '.join(self.restored.erased)} of hold {self.record.id} was erased: policy cannot be asked again.",
                remedy="Let the hold expire, and ask for a new image.",
            )

    def approvers(self) -> tuple[str, ...]:
        """The ids of those who approved before.

        Raises:
            ReviewError: one was erased, so the next cannot be shown to be another person.
        """
        reviewers = self.reviewers()
        for act in self.approvals:
            if act.id not in reviewers:
                raise ReviewError(
                    f"Who approved hold {self.record.id} in entry {act.id} was erased, so nobody can be shown to be another "
                    "person.",
                    remedy="Reject it, or let it expire, and ask for a new image.",
                )
        return self.known_approvers()

    def known_approvers(self) -> tuple[str, ...]:
        """The ids of those who approved before and were not erased."""
        reviewers = self.reviewers()
        return tuple(reviewers[act.id] for act in self.approvals if act.id in reviewers)

    def reviewers(self) -> dict[str, str]:
        """Who acted, by the id of the act's entry, as far as it was not erased."""
        return self._fields(REVIEWER_FIELD)

    def comments(self) -> dict[str, str]:
        """What reviewers wrote, word for word, by the id of the act's entry, as far as it was not erased."""
        return self._fields(COMMENT_FIELD)

    def inputs(self) -> Sequence[Json]:
        """The input images as admission saw them."""
        value: Any = self.restored.value["inputs"]
        return list(value)

    def model(self) -> ModelFacts:
        """What would generate, or what generated, as policy saw it."""
        return model_of(self.restored.value["model"])

    def _fields(self, name: str) -> dict[str, str]:
        return {
            act.id: field.value
            for act in self.acts
            for field in self.ledger.fields(act.id)
            if field.name == name and isinstance(field.value, str)
        }


def recorded_model(ledger: Ledger, intent: Entry) -> ModelFacts:
    """The whole model facts that `intent` was written with.

    Raises:
        LedgerError: their document is gone, is not the one that was written, or cannot be read.
    """
    named = intent.body.get("model")
    content = ledger.document(Digest(named)) if isinstance(named, str) else None
    if content is None or digest(content) != named:
        raise LedgerError(f"The model that entry {intent.id} names is missing or was altered.", remedy=_VERIFY)
    try:
        raw = json.loads(content)
    except ValueError as error:
        raise LedgerError(f"The model that entry {intent.id} names cannot be read: {error}.", remedy=_VERIFY) from error
    return model_of(raw)


def model_of(raw: Any) -> ModelFacts:
    """The model facts that `ModelFacts.as_json` wrote, or as far as policy saw them, `ModelFacts.as_facts`.

    Raises:
        LedgerError: they are of no version that this one reads.
    """
    try:
        model = ModelFacts(
            raw["pipeline"],
            {name: Digest(value) for name, value in raw["components"].items()},
            raw["scheduler"]["class"],
            raw["scheduler"]["config"],
            raw["device"],
            raw["dtype"],
            tuple(
                AdapterFacts(a["name"], Digest(a["digest"]), a["scale_thousandths"], a.get("scales", {}))
                for a in raw["adapters"]
            ),
            raw["versions"],
            raw.get("environment", {}),
        )
        if raw != model.as_json():
            raise ValueError("other members")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LedgerError(f"Recorded model facts cannot be read: {error!r}.", remedy=_VERIFY) from error
    return model


def _approval(entry: Entry) -> Json:
    fields: Any = entry.body["fields"]
    return {"entry": entry.id, "leaf": leaf_hash(entry.leaf()).hex(), "reviewer": fields[REVIEWER_FIELD]}


def _obligations(entry: Entry) -> Any:
    decision: Any = entry.body.get("decision")
    return decision.get("obligations") if isinstance(decision, Mapping) else None
