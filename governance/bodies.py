"""The bodies of the line's entries. Entries are forever: a body's shape changes only with its `version`.

Every body names its generation's attempt and, where one exists, the intent. Text that could hold personal data (reasons
in words, error messages) is a committed field; codes and paths stand in the clear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from governance.candidate import fitting
from governance.canonical import Digest, Json, canonical_bytes, commitment, digest, new_salt
from governance.entries import (
    Document,
    Entry,
    EntryKind,
    HoldRecord,
    MarkRecord,
    PersonalField,
    Receipt,
    Record,
    Spending,
)
from governance.errors import ProofError
from governance.facts import call_facts, finding_facts, redact, resolves
from governance.holds import Approved, Opening
from governance.media import media_digest
from governance.merkle import leaf_hash
from governance.obligations import Obligations
from governance.shadow import SHADOW, Shadow
from governance.types import (
    CandidateDecision,
    Decision,
    Draft,
    Finding,
    GenerationRequest,
    ModelFacts,
    Outcome,
    Reason,
    Stage,
    utc_now,
)

BODY_VERSION = 1
MESSAGES_FIELD = "/decision/messages"
ERROR_FIELD = "/error/message"


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision, the policy input it was made on, and its obligations, parsed."""

    decision: Decision
    policy_input: Mapping[str, Json]
    obligations: Obligations

    @classmethod
    def of(cls, decision: Decision, policy_input: Mapping[str, Json]) -> Judged:
        """Parse what the decision obliges.

        Raises:
            ObligationError: an unknown obligation, or a value of the wrong type.
        """
        return cls(decision, policy_input, Obligations.parse(decision.obligations))


@dataclass(frozen=True, slots=True)
class ReleasedFile:
    """What the outcome entry says of a released file; `size` in bytes."""

    asset_id: str
    digest: Digest
    media_type: str
    size: int
    manifest_label: str
    signer: str
    visible_label: str
    metadata: Mapping[str, Json]
    mark: MarkRecord | None


class Subject:
    """One generation, one attempt: makes the records that belong to it."""

    def __init__(self, generation_id: str, attempt: int) -> None:
        self.generation_id = generation_id
        self.attempt = attempt
        self.intent: Receipt | None = None

    def intended(
        self,
        request: GenerationRequest,
        seeds: Sequence[int],
        model: ModelFacts,
        admission: Judged,
        spending: Spending | None,
        approved: Approved | None = None,
        shadow: Shadow | None = None,
    ) -> Record:
        """The intent: admitted, about to be generated, with everything that would repeat it and what it spends.

        `approved` is the hold by which people let the request run; this uses it. `shadow` is what enforcement would have
        done, in shadow mode.
        """
        body: dict[str, Json] = {} if approved is None else {"review": approved.review}
        if shadow is not None:
            body[SHADOW] = shadow.as_json()
        record = self._asked(EntryKind.INTENT, body, request, seeds, model, admission)
        return replace(record, spending=spending, hold=None if approved is None else approved.done())

    def denied(self, request: GenerationRequest, model: ModelFacts, admission: Judged) -> Record:
        """`denied` at admission: nothing was generated."""
        return self._asked(EntryKind.DENIED, {"item": None}, request, request.seeds, model, admission)

    def held(
        self, request: GenerationRequest, model: ModelFacts, admission: Judged, hold: Opening, facts: Digest
    ) -> Record:
        """`held` at admission: nothing was generated, and the request with these facts may run once it is approved."""
        body: dict[str, Json] = {"item": None, "hold": hold.body()}
        record = self._asked(EntryKind.HELD, body, request, request.seeds, model, admission, hold.time)
        return replace(record, hold=hold.record(record.entry, None, request=facts))

    def withheld(
        self,
        draft: Draft,
        findings: Sequence[Finding],
        release: Judged,
        *,
        opening: Opening | None = None,
        version: int = 0,
        ended: HoldRecord | None = None,
    ) -> Record:
        """`denied` or `held` after generation. `opening` is the hold of the quarantined draft, with its `version`; of one
        that was held before and is denied now, `ended` is the hold as it ends.
        """
        body: dict[str, Json] = {**_item(draft), "findings": _findings(findings)}
        if opening is not None:
            record = self._record(EntryKind.HELD, {**body, "hold": opening.body()}, judged=release, time=opening.time)
            return replace(record, hold=opening.record(record.entry, draft.index, version=version))
        if ended is not None:
            body["hold"] = {"id": ended.id, "entry": ended.entry_id}
        return replace(self._record(EntryKind.DENIED, body, judged=release), hold=ended)

    def released(
        self,
        draft: Draft,
        findings: Sequence[Finding],
        release: Judged,
        file: ReleasedFile,
        obligations: Mapping[str, Json],
        approved: Approved | None = None,
        shadow: Shadow | None = None,
    ) -> Record:
        """The outcome: these exact bytes were released. `approved` is the hold that people let go; this uses it.

        `shadow` is what enforcement would have done with them, in shadow mode.
        """
        mark = file.mark
        body: dict[str, Json] = {
            **_item(draft),
            "findings": _findings(findings),
            "asset": {"id": file.asset_id, "digest": file.digest, "media_type": file.media_type, "bytes": file.size},
            "manifest": {"label": file.manifest_label, "signer": file.signer},
            "visible_label": file.visible_label,
            "metadata": dict(file.metadata),
            "honoured": dict(obligations),
            "watermark": None
            if mark is None
            else {"algorithm": mark.algorithm, "key_id": mark.key_id, "id": str(mark.mark_id)},
        }
        if approved is not None:
            body["review"] = approved.review
        if shadow is not None:
            body[SHADOW] = shadow.as_json()
        record = self._record(EntryKind.RELEASED, body, judged=release, mark=mark)
        return replace(record, hold=None if approved is None else approved.done())

    def failed(self, step: str, item: int | None, error: BaseException, approved: HoldRecord | None = None) -> Record:
        """A step failed: for one item, or (`item` None) for all that were not yet decided.

        `approved` is the hold of an item that people let go; it stays approved.
        """
        message = f"{type(error).__name__}: {error}".encode("utf-8", "replace").decode()[:2000]
        field = PersonalField(ERROR_FIELD, new_salt(), message)
        body: dict[str, Json] = {"item": item, "step": step, "error": type(error).__name__}
        if approved is not None:
            body["hold"] = {"id": approved.id, "entry": approved.entry_id}
        return self._record(EntryKind.FAILED, body, fields=(field,))

    def _asked(
        self,
        kind: EntryKind,
        body: Mapping[str, Json],
        request: GenerationRequest,
        seeds: Sequence[int],
        model: ModelFacts,
        admission: Judged,
        time: str | None = None,
    ) -> Record:
        model_document, call_document = _document(model.as_json()), _document(call_facts(request, seeds))
        asked: dict[str, Json] = {
            "purpose": request.purpose,
            "items": request.items,
            "model": model_document.digest,
            "model_name": request.model,
            "call": call_document.digest,
        }
        documents = model_document, call_document
        return self._record(kind, {**body, **asked}, judged=admission, documents=documents, time=time)

    def _record(
        self,
        kind: EntryKind,
        body: Mapping[str, Json],
        *,
        judged: Judged | None = None,
        documents: tuple[Document, ...] = (),
        fields: tuple[PersonalField, ...] = (),
        mark: MarkRecord | None = None,
        time: str | None = None,
    ) -> Record:
        full: dict[str, Json] = {"attempt": self.attempt, **body}
        if self.intent is not None:
            full["intent"] = {"id": self.intent.entry.id, "leaf": leaf_hash(self.intent.leaf).hex()}
        record = record_of(kind, self.generation_id, full, judged=judged, fields=fields, time=time)
        return replace(record, documents=(*documents, *record.documents), mark=mark)


def record_of(
    kind: EntryKind,
    subject: str,
    body: Mapping[str, Json],
    *,
    judged: Judged | None = None,
    fields: tuple[PersonalField, ...] = (),
    time: str | None = None,
) -> Record:
    """A record with `body`, the decision that stands behind it, and the commitments to its personal `fields`."""
    full: dict[str, Json] = {"version": BODY_VERSION, **body}
    documents: tuple[Document, ...] = ()
    if judged is not None:
        document, personal = redact(judged.policy_input)
        words: list[Json] = [reason.message for reason in judged.decision.reasons]
        documents = (document,)
        fields = (*fields, *personal, PersonalField(MESSAGES_FIELD, new_salt(), words))
        full["decision"] = _decision(judged, document.digest)
    full["fields"] = {field.name: commitment(field.name, field.value, field.salt) for field in fields}
    return Record(fitting(Entry(kind, subject, full, time=time or utc_now())), fields, documents)


def decision_of(entry: Entry, fields: Sequence[PersonalField]) -> Decision | None:
    """The decision that an entry records; reasons in words only where they were not erased, a candidate's never.

    Raises:
        ProofError: the body does not have the shape of this version.
    """
    raw: Any = entry.body.get("decision")
    if raw is None:
        return None
    words: Any = next((field.value for field in fields if field.name == MESSAGES_FIELD), None) or []
    try:
        return Decision(
            Stage(raw["stage"]),
            Outcome(raw["outcome"]),
            tuple(
                Reason(reason["code"], words[index] if index < len(words) else "", reason["path"])
                for index, reason in enumerate(raw["reasons"])
            ),
            raw["obligations"],
            raw["decision_id"],
            Digest(raw["bundle_revision"]),
            _candidate_of(raw.get("candidate")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(entry, error) from error


def _candidate_of(raw: Any) -> CandidateDecision | None:
    if raw is None:
        return None
    return CandidateDecision(
        Digest(raw["bundle_revision"]),
        None if raw["outcome"] is None else Outcome(raw["outcome"]),
        tuple(Reason(reason["code"], "", reason["path"]) for reason in raw["reasons"]),
        raw["obligations"],
        raw["error"],
    )


def findings_of(entry: Entry) -> tuple[Finding, ...]:
    """The findings that an entry records, with their exact scores.

    Raises:
        ProofError: the body does not have the shape of this version.
    """
    raw: Any = entry.body.get("findings", ())
    try:
        return tuple(
            Finding(
                item["detector"],
                Digest(item["detector_digest"]),
                item["label"],
                float(item["score"]),
                item.get("work", ""),
                item.get("action", ""),
                item.get("evidence", {}),
            )
            for item in raw
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(entry, error) from error


def _item(draft: Draft) -> dict[str, Json]:
    """Which item of its generation it is, what it is, and the digest of what was generated."""
    return {"item": draft.index, "media": draft.kind.value, "draft": media_digest(draft.media)}


def _findings(findings: Sequence[Finding]) -> list[Json]:
    return [{**finding_facts(finding), "score": repr(float(finding.score))} for finding in findings]


def _decision(judged: Judged, input_digest: Digest) -> dict[str, Json]:
    decision, candidate = judged.decision, judged.decision.candidate
    body: dict[str, Json] = {
        "stage": decision.stage.value,
        "outcome": decision.outcome.value,
        "decision_id": decision.decision_id,
        "bundle_revision": decision.bundle_revision,
        "input": input_digest,
        "reasons": _reasons(decision.reasons, judged.policy_input),
        "obligations": dict(decision.obligations),
    }
    if candidate is not None:
        body["candidate"] = {
            "bundle_revision": candidate.bundle_revision,
            "outcome": None if candidate.outcome is None else candidate.outcome.value,
            "reasons": _reasons(candidate.reasons, judged.policy_input),
            "obligations": dict(candidate.obligations),
            "error": candidate.error,
        }
    return body


def _reasons(reasons: Sequence[Reason], policy_input: Mapping[str, Json]) -> list[Json]:
    """Codes and paths. A path is recorded if it is one: policy could write anything there, and an entry is for ever."""
    return [
        {"code": reason.code, "path": reason.path if resolves(reason.path, policy_input) else ""} for reason in reasons
    ]


def _document(value: Json) -> Document:
    content = canonical_bytes(value)
    return Document(digest(content), content)


def _unreadable(entry: Entry, error: Exception) -> ProofError:
    return ProofError(
        f"The body of entry {entry.id} cannot be read: {error!r}.",
        remedy="It was written by another version: use that version to read it.",
    )
