"""What the ledger says of training runs: that one began, was denied, failed, or what it consumed and what came of it.

The subject of a run's entries is the run's id. Who asked is a committed personal field. No entry says that anything was
"trained on" a dataset: `lineage` says whether the records were handed out by us (`witnessed`) or the loop was only described
(`declared`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from governance.bodies import ERROR_FIELD, Judged, record_of
from governance.canonical import Digest, Json, canonical_bytes, digest, new_salt
from governance.entries import Document, Entry, EntryKind, PersonalField, Receipt, Record
from governance.errors import ProofError
from governance.merkle import leaf_hash
from governance.ports import Ledger
from governance.training.policy_input import LineageGrade
from governance.training.runs import Consumed, DatasetUse, Method, ResultKind, RunPlan, TrainingResult

ENDS: Final = (EntryKind.TRAINED, EntryKind.TRAINING_FAILED)
"""The kinds of entries that close a run which was allowed."""

TEXTS_FIELD: Final = "/texts"
_MESSAGE_CHARACTERS: Final = 2000
_PAGE: Final = 1000


def started_record(plan: RunPlan, judged: Judged) -> Record:
    """`training`: the run was allowed, and nothing was handed out yet."""
    return _planned(EntryKind.TRAINING, plan, judged)


def denied_record(plan: RunPlan, judged: Judged) -> Record:
    """`training_denied`: policy does not allow the run."""
    return _planned(EntryKind.TRAINING_DENIED, plan, judged)


def trained_record(
    plan: RunPlan,
    started: Receipt,
    judged: Judged,
    consumed: Sequence[Consumed],
    result: TrainingResult,
    signature: Mapping[str, Json] | None = None,
) -> Record:
    """`trained`: what was consumed, what came of it, and by which decision it stands.

    `signature` is `{method, file, key}`: how the result's folder was signed, the SHA-256 of the signature, and of the key.
    """
    documents = [each.document() for each in consumed]
    body: dict[str, Json] = {
        **_begun(plan, started),
        "consumed": [
            {
                "name": each.name,
                "root": each.root,
                "contents": each.contents,
                "records": each.records,
                "document": document.digest,
            }
            for each, document in zip(consumed, documents, strict=True)
        ],
        "result": result.as_json(),
        "signature": None if signature is None else dict(signature),
    }
    record = record_of(EntryKind.TRAINED, plan.id, body, judged=judged)
    return replace(record, documents=(*documents, *record.documents))


def failed_record(
    plan: RunPlan, started: Receipt, step: str, error: BaseException, judged: Judged | None = None
) -> Record:
    """`training_failed`: the run ended without a result, at `step`; `judged` is the decision that refused it, if one did."""
    message = f"{type(error).__name__}: {error}".encode("utf-8", "replace").decode()[:_MESSAGE_CHARACTERS]
    body: dict[str, Json] = {**_begun(plan, started), "step": step, "error": type(error).__name__}
    field = PersonalField(ERROR_FIELD, new_salt(), message)
    return record_of(EntryKind.TRAINING_FAILED, plan.id, body, judged=judged, fields=(field,))


@dataclass(frozen=True, slots=True)
class ConsumedPart:
    """What a `trained` entry says of one dataset; `document` is the digest of the leaves (`Consumed.from_document`)."""

    name: str
    root: Digest
    contents: int
    records: int
    document: Digest


@dataclass(frozen=True, slots=True)
class Trained:
    """A `trained` entry, read: `run` is its subject, `started` the id of the entry that began it."""

    entry: Entry
    run: str
    started: str
    method: Method
    lineage: LineageGrade
    base: Digest
    purpose: str
    datasets: tuple[DatasetUse, ...]
    consumed: tuple[ConsumedPart, ...]
    result: TrainingResult
    signature: Mapping[str, Json] | None

    @classmethod
    def of(cls, entry: Entry) -> Trained:
        """Read the entry.

        Raises:
            ProofError: it is of another kind, or its body does not have the shape of this version.
        """
        body: Any = entry.body
        try:
            if entry.kind is not EntryKind.TRAINED or body["version"] != 1:
                raise ValueError(f"kind {entry.kind}")
            return cls(
                entry,
                entry.subject,
                str(body["started"]["id"]),
                Method(body["method"]),
                LineageGrade(body["lineage"]),
                Digest(body["base"]),
                str(body["purpose"]),
                uses_of(entry),
                tuple(
                    ConsumedPart(each["name"], each["root"], each["contents"], each["records"], each["document"])
                    for each in body["consumed"]
                ),
                _result_of(body["result"]),
                body["signature"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(entry, error) from error


def uses_of(entry: Entry) -> tuple[DatasetUse, ...]:
    """The audits that a run stands on, as any entry of a run says.

    Raises:
        ProofError: the body does not have the shape of this version.
    """
    raw: Any = entry.body.get("datasets")
    try:
        return tuple(DatasetUse(str(each["name"]), str(each["audited"]), Digest(each["root"])) for each in raw)
    except (KeyError, TypeError) as error:
        raise _unreadable(entry, error) from error


def trained(ledger: Ledger) -> Iterator[Trained]:
    """Every run that has a result, in the order of the log.

    Raises:
        LedgerError: the ledger cannot be read.
        ProofError: an entry does not have the shape of this version.
    """
    yield from (Trained.of(entry) for entry in _entries(ledger, kind=EntryKind.TRAINED))


def trained_run(ledger: Ledger, run: str) -> Trained | None:
    """The result of one run; None where it has none.

    Raises:
        LedgerError: the ledger cannot be read.
        ProofError: the entry does not have the shape of this version.
    """
    return next((Trained.of(entry) for entry in _entries(ledger, subject=run, kind=EntryKind.TRAINED)), None)


def consumed_of(ledger: Ledger, part: ConsumedPart) -> Consumed:
    """The leaves that a run consumed of one dataset.

    Raises:
        LedgerError: the ledger cannot be read.
        ProofError: the document is missing, or is not what the entry says.
    """
    content = ledger.document(part.document)
    if content is None or digest(content) != part.document:
        raise ProofError(
            f"The record of what a run consumed of {part.name} is missing or was altered.",
            remedy="Run `governance ledger verify`, and restore the ledger from its backup.",
        )
    consumed = Consumed.from_document(content)
    if (consumed.name, consumed.root, consumed.contents) != (part.name, part.root, part.contents):
        raise ProofError(
            f"The record of what a run consumed of {part.name} says something else than its entry.",
            remedy="Run `governance ledger verify`.",
        )
    return consumed


def _planned(kind: EntryKind, plan: RunPlan, judged: Judged) -> Record:
    content = canonical_bytes(dict(plan.settings))
    settings = Document(digest(content), content)
    texts = (PersonalField(TEXTS_FIELD, new_salt(), dict(plan.texts)),) if plan.texts else ()
    record = record_of(kind, plan.id, {**_said(plan), "settings": settings.digest}, judged=judged, fields=texts)
    return replace(record, documents=(settings, *record.documents))


def _said(plan: RunPlan) -> dict[str, Json]:
    who = plan.principal
    return {
        "method": plan.method.value,
        "lineage": plan.lineage.value,
        "base": plan.base,
        "purpose": plan.purpose,
        "datasets": [use.as_json() for use in plan.datasets],
        "principal": {"roles": list(who.roles), "issuer": who.issuer, "assurance": who.assurance.value},
    }


def _begun(plan: RunPlan, started: Receipt) -> dict[str, Json]:
    return {**_said(plan), "started": {"id": started.entry.id, "leaf": leaf_hash(started.leaf).hex()}}


def _result_of(raw: Any) -> TrainingResult:
    return TrainingResult(
        ResultKind(raw["kind"]),
        Digest(raw["digest"]),
        str(raw["name"]),
        raw["file"],
        raw.get("component", ""),
        raw.get("components", {}),
    )


def _entries(ledger: Ledger, *, subject: str | None = None, kind: EntryKind | None = None) -> Iterator[Entry]:
    after = -1
    while page := ledger.entries(after=after, limit=_PAGE, subject=subject, kind=kind):
        after = page[-1][0]
        yield from (entry for _, entry in page)


def _unreadable(entry: Entry, error: Exception) -> ProofError:
    return ProofError(
        f"Entry {entry.id} of a training run cannot be read: {type(error).__name__}: {error}.",
        remedy="A newer version may have written it: upgrade.",
    )
