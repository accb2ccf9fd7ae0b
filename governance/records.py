"""Rules that every ledger keeps, whatever it stores in: what a record must hold, and how an open claim is closed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from governance.canonical import MAX_SAFE_INTEGER, Digest, Json, commitment, digest
from governance.entries import Entry, EntryKind, HoldRecord, Record, Spending
from governance.erasure import erasure_misfits
from governance.errors import BudgetError, CanonicalError, HoldChangedError, LedgerError, ProofError
from governance.holds import hold_misfits
from governance.legal_holds import legal_hold_misfits
from governance.lineage.recall_entries import recall_misfits
from governance.merkle import leaf_hash
from governance.shadow import SHADOW, shadow_of
from governance.types import Mode, Usage

OUTCOME_KINDS = frozenset({EntryKind.DENIED, EntryKind.HELD, EntryKind.RELEASED, EntryKind.FAILED})
_CLAIM_DOMAIN = b"diffusion-governance/claim/v1"
_USAGE_DOMAIN = b"diffusion-governance/usage/v1"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_WORDS = {"images": "images", "steps": "steps", "pixels": "pixels", "step_pixels": "steps x pixels"}


class ClaimState(StrEnum):
    """Where a claim on a request stands."""

    OPEN = "open"
    FINISHED = "finished"
    REPEATABLE = "repeatable"


@dataclass(frozen=True, slots=True)
class Closing:
    """How the claim of a vanished process ends: its new state, and the `abandoned` entry if one is due."""

    state: ClaimState
    entry: Entry | None = None


def claim_key(principal_id: str, request_id: str) -> Digest:
    """The key of a claim: SHA-256 over the domain and both ids, each behind its length, so no two pairs collide."""
    state = hashlib.sha256(_CLAIM_DOMAIN)
    for part in (principal_id.encode(), request_id.encode()):
        state.update(b"\0" + len(part).to_bytes(8) + part)
    return Digest(state.hexdigest())


def usage_key(principal_id: str) -> Digest:
    """What a principal's usage is kept under: SHA-256 over a domain of its own and the id, so that no name is kept."""
    return digest(_USAGE_DOMAIN + b"\0" + principal_id.encode("utf-8", "surrogatepass"))


def charged(spent: Usage, spending: Spending) -> Usage:
    """What the day has spent when `spending` is added to `spent`.

    Raises:
        BudgetError: a sum would come above what the budget says of it. A sum that stopped at 2^53-1 may be larger than
            it says, so nothing fits a budget on top of it.
    """
    for name, limit in spending.budget.items():
        before, more = getattr(spent, name), getattr(spending.amount, name)
        if before + more > limit:
            raise BudgetError(
                f"This needs {more} {_WORDS[name]}; {before} of the {limit} of {spending.day} (UTC) are spent.",
                remedy="Ask for less, wait for the next day, or ask whoever owns the policy bundle for a larger budget.",
            )
    return spent + spending.amount


def check_succession(before: HoldRecord | None, after: HoldRecord) -> None:
    """Compare and swap: `after` must be the next version of what stands there, 0 where nothing does.

    Raises:
        HoldChangedError: somebody else changed the hold since it was read.
    """
    if after.version != (0 if before is None else before.version + 1):
        raise HoldChangedError(
            f"Hold {after.id} was changed by somebody else meanwhile.",
            remedy="Look at it again, then decide on what stands there now.",
        )


def check_span(first: int, limit: int) -> None:
    """Refuse to read leaves that cannot be there.

    Raises:
        LedgerError: `first` is negative, or `limit` is below 1.
    """
    if first < 0 or limit < 1:
        raise LedgerError(
            f"There are no {limit} entries from index {first} on.",
            remedy="Begin at 0 or later, and ask for at least one.",
        )


def asset_digest(entry: Entry) -> Digest | None:
    """The digest of the signed bytes that a `released` entry commits to (`body.asset.digest`); None for other kinds."""
    asset = entry.body.get("asset") if entry.kind is EntryKind.RELEASED else None
    value = asset.get("digest") if isinstance(asset, Mapping) else None
    return Digest(value) if isinstance(value, str) else None


def asset_id(entry: Entry) -> str | None:
    """The id of the asset that a `released` entry commits to (`body.asset.id`); None for other kinds."""
    asset = entry.body.get("asset") if entry.kind is EntryKind.RELEASED else None
    value = asset.get("id") if isinstance(asset, Mapping) else None
    return value if isinstance(value, str) else None


def field_commitments(entry: Entry) -> Mapping[str, Json]:
    """The commitments to personal fields that an entry holds (`body.fields`), by field name."""
    value = entry.body.get("fields")
    return value if isinstance(value, Mapping) else {}


def mark_named(entry: Entry) -> tuple[str, str, str] | None:
    """Algorithm, key id and watermark id (decimal) that a `released` entry names in `body.watermark`, if it does."""
    value = entry.body.get("watermark") if entry.kind is EntryKind.RELEASED else None
    if not isinstance(value, Mapping):
        return None
    return str(value.get("algorithm")), str(value.get("key_id")), str(value.get("id"))


def intent_named(entry: Entry) -> tuple[str, str] | None:
    """Id and leaf hash (hexadecimal) of the intent that an entry names in `body.intent`, if it does."""
    value = entry.body.get("intent")
    if not isinstance(value, Mapping):
        return None
    return str(value.get("id")), str(value.get("leaf"))


def document_digests(entry: Entry) -> tuple[str, ...]:
    """The digests of the documents that an entry names: `decision.input`, `model`, `call`, and those of an audit."""
    decision = entry.body.get("decision")
    named = [decision.get("input")] if isinstance(decision, Mapping) else []
    named += [entry.body.get(member) for member in ("model", "call", "report", "combinations")]
    return tuple(each for each in named if isinstance(each, str))


def checked_leaf(record: Record) -> bytes:
    """The leaf bytes of a record whose side values fit its entry: what goes beside an entry is bound by it.

    - an `intent` has `body.items`, the number of images, >= 1; a `released` entry has `body.asset.id` and `.digest`,
      names its intent, and holds its decision and at least one finding;
    - a `mode` entry names a mode; only an `intent` and a `released` entry have `body.shadow`, in its form;
    - `body.fields` holds exactly the commitments of the record's personal fields;
    - each document has the digest that it claims; a mark leads to the asset of its own `released` entry, whose
      `body.watermark` names it by algorithm, key_id and id;
    - only an `intent` spends, as many images as it has items; amounts are whole numbers from 0 to 2^53-1, the day is a
      date, and the budget limits sums that `Usage` has;
    - the hold is the one that `body.hold` or `body.review` names, of this generation (an intent's: of an earlier one) and
      item, in a state that this kind of entry leaves it in; an entry that changes a hold says how it stands;
    - an `erased` entry lists what the record erases, and nothing else; an entry about a legal hold says how it stands;
    - a `recalled` entry says why, in its subject too, and names at least one thing, each once.

    Raises:
        LedgerError: any of this does not hold, or the entry has no canonical form of at most 32 KiB.
    """
    entry = record.entry
    try:
        leaf = entry.leaf()
        problem = next(_misfits(record), None)
    except CanonicalError as error:
        raise LedgerError(f"Entry {entry.id} cannot be recorded: {error}", remedy=error.remedy) from error
    if problem:
        raise LedgerError(
            f"Entry {entry.id} ({entry.kind.value}) cannot be recorded: {problem}.",
            remedy="This is a fault of the program that built the record, not of the ledger.",
        )
    return leaf


def _misfits(record: Record) -> Iterator[str]:
    entry, mark = record.entry, record.mark
    if not all(isinstance(text, str) and text for text in (entry.id, entry.subject, entry.time)):
        yield "its id, subject and time must be text"
    if entry.kind is EntryKind.INTENT and items_of(entry) is None:
        yield "an intent needs body.items, a whole number from 1"
    if entry.kind is EntryKind.RELEASED:
        if not (asset_id(entry) and asset_digest(entry)):
            yield "a released entry needs body.asset with id and digest"
        if intent_named(entry) is None or not isinstance(entry.body.get("decision"), Mapping):
            yield "a released entry needs body.intent and body.decision"
        if not entry.body.get("findings"):
            yield "a released entry needs body.findings"
    yield from _of_modes(entry)
    if mark is not None and (mark.asset_id, mark.asset_digest) != (asset_id(entry), asset_digest(entry)):
        yield "its watermark leads to another asset"
    if mark_named(entry) != (None if mark is None else (mark.algorithm, mark.key_id, str(mark.mark_id))):
        yield "body.watermark must name the record's watermark, and no other"
    yield from _unbound(record)
    yield from hold_misfits(entry, record.hold)
    yield from erasure_misfits(entry, record.erasures)
    yield from legal_hold_misfits(entry, record.fields, record.legal_hold)
    yield from recall_misfits(entry)
    if record.spending is not None:
        yield from _miscounts(entry, record.spending)


def _of_modes(entry: Entry) -> Iterator[str]:
    if entry.kind is EntryKind.MODE and entry.body.get("mode") not in [mode.value for mode in Mode]:
        yield "a mode entry needs body.mode, one of those that there are"
    if SHADOW in entry.body:
        if entry.kind not in (EntryKind.INTENT, EntryKind.RELEASED):
            yield "only an intent and a release say what enforcement would have done"
        try:
            shadow_of(entry)
        except ProofError as error:
            yield str(error)


def _miscounts(entry: Entry, spending: Spending) -> Iterator[str]:
    if entry.kind is not EntryKind.INTENT:
        yield "only an intent spends"
    elif spending.amount.images != items_of(entry):
        yield "it must spend as many images as it has items"
    if not _DAY.fullmatch(spending.day) or not spending.principal_id:
        yield "what it spends needs a principal and a day such as 2026-11-23"
    if not set(spending.budget) <= set(Usage.__slots__):
        yield f"a budget limits {', '.join(Usage.__slots__)}, and nothing else"
    if not all(map(_is_count, (*spending.amount.as_json().values(), *spending.budget.values()))):
        yield "what it spends and may spend must be whole numbers from 0 to 2^53-1"


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_SAFE_INTEGER


def _unbound(record: Record) -> Iterator[str]:
    commitments = field_commitments(record.entry)
    if sorted(field.name for field in record.fields) != sorted(commitments):
        yield "body.fields must name each personal field of the record once, and no other"
    for field in record.fields:
        if commitment(field.name, field.value, field.salt) != commitments.get(field.name):
            yield f"the commitment to field {field.name!r} does not open to its value"
    for document in record.documents:
        if digest(document.content) != document.digest:
            yield f"document {document.digest} has another digest"


def items_of(entry: Entry) -> int | None:
    """The number of images that were asked for (`body.items`), or None if the entry does not say."""
    items = entry.body.get("items")
    return items if type(items) is int and items >= 1 else None


def close_claim(generation_id: str, attempt: int, entries: Sequence[Entry]) -> Closing:
    """What follows for the claim of a vanished process from the entries of its generation.

    An intent with items that no outcome names gets an `abandoned` entry and may run again; an outcome with `body.item`
    null speaks for every item that has no outcome of its own. Otherwise see `closed_state`.
    """
    outcomes = [entry for entry in entries if entry.kind in OUTCOME_KINDS]
    intent = next((entry for entry in entries if entry.kind is EntryKind.INTENT), None)
    if any(entry.kind is EntryKind.ABANDONED for entry in entries):
        return Closing(ClaimState.REPEATABLE)
    named = {entry.body.get("item") for entry in outcomes}
    if intent is not None and None not in named:
        missing = (items_of(intent) or 1) - len(named)
        if missing > 0:
            return Closing(ClaimState.REPEATABLE, _abandoned(generation_id, attempt, intent, missing))
    return Closing(closed_state(entries))


def closed_state(entries: Iterable[Entry]) -> ClaimState:
    """How a call whose every item has an outcome ends: finished if anything was released, denied or held.

    Where everything failed, or nothing was recorded at all, nothing was promised, and the request may run again.
    """
    decided = any(entry.kind in OUTCOME_KINDS and entry.kind is not EntryKind.FAILED for entry in entries)
    return ClaimState.FINISHED if decided else ClaimState.REPEATABLE


def _abandoned(generation_id: str, attempt: int, intent: Entry, missing: int) -> Entry:
    body: dict[str, Json] = {
        "version": 1,
        "intent": {"id": intent.id, "leaf": leaf_hash(intent.leaf()).hex()},
        "attempt": attempt,
        "missing": missing,
    }
    return Entry(EntryKind.ABANDONED, generation_id, body)
