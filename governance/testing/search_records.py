"""Records with everything that a search can ask for, made as the line makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from governance.bodies import Judged, record_of
from governance.canonical import Digest, Json, canonical_bytes, digest
from governance.entries import Document, EntryKind, MarkRecord, Record
from governance.facts import admission_input, finding_facts, request_facts
from governance.merkle import leaf_hash
from governance.review_facts import Act, Hold, access_input
from governance.testing.example_records import ALGORITHM, KEY_ID
from governance.testing.examples import EXAMPLE_MODEL, example_request
from governance.testing.policy import registered_facts
from governance.types import (
    AdapterFacts,
    Decision,
    Finding,
    Fingerprint,
    ModelFacts,
    Outcome,
    Principal,
    Prompt,
    Reason,
    Stage,
    Usage,
    new_id,
)

NSFW: Final = ("nsfw", "nsfw")
LORA: Final = AdapterFacts("watercolour", digest(b"lora weights"), 800)
ADAPTED_MODEL: Final = replace(EXAMPLE_MODEL, pipeline="FluxPipeline", adapters=(LORA,))
_NO_INTENT: Final[dict[str, Json]] = {"id": "00000000-0000-7000-8000-000000000000", "leaf": "00" * 32}


@dataclass(frozen=True, slots=True)
class Told:
    """What an entry is to tell. `decision` is made about a call of `principal`, or by `reviewer` about one.

    `scores` are of the label `nsfw`; `content` are the bytes that a `released` entry is of, and `mark` the id of their
    watermark and the PDQ hash of the picture.
    """

    kind: EntryKind = EntryKind.INTENT
    time: str = "2026-11-23T10:30:00.000Z"
    subject: str = ""
    principal: str = "ann@example.org"
    reviewer: str = ""
    purpose: str = "marketing"
    prompts: tuple[str, ...] = ("a red seven",)
    model: ModelFacts = EXAMPLE_MODEL
    bundle: Digest = digest(b"bundle")  # noqa: RUF009 - a text
    stage: Stage = Stage.ADMISSION
    outcome: Outcome = Outcome.ALLOW
    codes: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    work: str = ""
    content: bytes = b""
    mark: tuple[int, bytes] | None = None
    intent: Record | None = None

    def record(self) -> Record:
        """The record."""
        record = record_of(self.kind, self.subject or new_id(), self._body(), judged=self._judged(), time=self.time)
        if self.kind is not EntryKind.RELEASED:
            return replace(record, documents=(*record.documents, self._model_document()))
        if self.mark is None:
            return record
        fingerprint = Fingerprint(self.mark[1], 90, bytes(192))
        asset_id = self._asset()["id"]
        mark = MarkRecord(ALGORITHM, KEY_ID, self.mark[0], str(asset_id), digest(self.content), fingerprint)
        return replace(record, mark=mark)

    def _judged(self) -> Judged:
        reasons = tuple(Reason(code, f"because of {code}", "") for code in self.codes)
        decision = Decision(self.stage, self.outcome, reasons, {}, new_id(), self.bundle)
        return Judged.of(decision, self._reviewed() if self.reviewer else self._asked())

    def _asked(self) -> dict[str, Json]:
        request = replace(
            example_request(),
            id=new_id(),
            principal=Principal(self.principal),
            purpose=self.purpose,
            prompts=tuple(Prompt(text, position=at) for at, text in enumerate(self.prompts)),
        )
        facts = request_facts(request, self.model, ())
        registers = registered_facts(self.model)
        return admission_input(facts, time=self.time, attempt=1, usage=Usage(), registers=registers)

    def _reviewed(self) -> dict[str, Json]:
        hold = Hold(new_id(), Stage.RELEASE, self.codes, self.principal, self.purpose)
        facts = access_input(Principal(self.reviewer, ("reviewer",)), Act.HOLDS_COMMENT, hold, time=self.time)
        return {**facts, "model": self.model.as_facts()}

    def _body(self) -> dict[str, Json]:
        body: dict[str, Json] = {"item": 0}
        if self.scores:
            body["findings"] = [finding_facts(self._finding(score)) for score in self.scores]
        if self.reviewer and self.codes:
            body["codes"] = list(self.codes)
        if self.kind is EntryKind.INTENT:
            body |= {"items": 1, "purpose": self.purpose, "model": self._model_document().digest}
        if self.kind is EntryKind.RELEASED:
            mark: Json = {"algorithm": ALGORITHM, "key_id": KEY_ID, "id": str(self.mark[0])} if self.mark else None
            body |= {"asset": self._asset(), "watermark": mark, "intent": self._intent()}
        return body

    def _finding(self, score: float) -> Finding:
        detector, label = NSFW
        return Finding(detector, digest(b"detector"), label, score, self.work, "review" if self.work else "")

    def _asset(self) -> dict[str, Json]:
        name = digest(self.content)
        return {"id": f"asset-{name[:8]}", "digest": name, "media_type": "image/png", "bytes": len(self.content)}

    def _intent(self) -> dict[str, Json]:
        if self.intent is None:
            return _NO_INTENT
        return {"id": self.intent.entry.id, "leaf": leaf_hash(self.intent.entry.leaf()).hex()}

    def _model_document(self) -> Document:
        content = canonical_bytes(self.model.as_json())
        return Document(digest(content), content)
