"""What the ledger is made of: entries, the receipts that prove them, and what is kept beside them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from governance.canonical import Digest, Json, canonical_bytes, is_canonical, parsed_canonical, parsed_json
from governance.errors import GovernanceError, LedgerError, ProofError
from governance.types import Fingerprint, Stage, Usage, new_id, utc_now

ENTRY_VERSION = 1
MAX_ENTRY_BYTES = 32 * 1024
ALL_ENTRIES = 100_000
"""More entries than one generation can have."""


class EntryKind(StrEnum):
    """Kinds of ledger entries. Kinds are added, never renamed."""

    INTENT = "intent"
    DENIED = "denied"
    HELD = "held"
    RELEASED = "released"
    FAILED = "failed"
    ABANDONED = "abandoned"
    POLICY = "policy"
    WORK = "work"
    VIEWED = "viewed"
    COMMENTED = "commented"
    ESCALATED = "escalated"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    ACCESS = "access"
    ERASED = "erased"
    LEGAL_HOLD = "legal_hold"
    LEGAL_HOLD_LIFTED = "legal_hold_lifted"
    RESTORED = "restored"
    MODE = "mode"
    REPLAYED = "replayed"
    REGISTER = "register"
    DATASET = "dataset"
    TRAINING = "training"
    TRAINING_DENIED = "training_denied"
    TRAINING_FAILED = "training_failed"
    TRAINED = "trained"
    RECALLED = "recalled"


_KINDS = {kind.value: kind for kind in EntryKind}
_MEMBERS = frozenset({"version", "id", "kind", "subject", "time", "body"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One append-only record. `subject` groups the entries of one generation (or, later, of one work, model, ...)."""

    kind: EntryKind
    subject: str
    body: Mapping[str, Json]
    id: str = field(default_factory=new_id)
    time: str = field(default_factory=utc_now)

    def leaf(self) -> bytes:
        """The canonical bytes that the tree commits to.

        Raises:
            LedgerError: the entry is larger than 32 KiB.
        """
        content = canonical_bytes(self._document())
        if len(content) > MAX_ENTRY_BYTES:
            raise LedgerError(
                f"An entry of {len(content)} bytes exceeds {MAX_ENTRY_BYTES}.",
                remedy="Ask for fewer images or prompts in one call.",
            )
        return content

    @classmethod
    def from_leaf(cls, content: bytes) -> Entry:
        """The entry that `leaf()` encoded.

        Raises:
            ProofError: the bytes are not an entry in canonical form.
        """
        try:
            value = parsed_json(content)
            if value["version"] != ENTRY_VERSION or value["kind"] not in _KINDS:
                raise ProofError(
                    f"This is an entry of version {value['version']!r} and kind {value['kind']!r}, unknown here.",
                    remedy="A newer version wrote it: upgrade.",
                )
            entry = cls(_KINDS[value["kind"]], value["subject"], value["body"], value["id"], value["time"])
            if len(content) > MAX_ENTRY_BYTES or not is_canonical(content, entry._document()):
                raise ValueError("not in canonical form")
            if not all(isinstance(text, str) for text in (entry.id, entry.subject, entry.time)):
                raise TypeError("id, subject and time are text")
        except ProofError:
            raise
        except (ValueError, KeyError, TypeError, RecursionError, GovernanceError) as error:
            raise ProofError(
                f"These bytes are not a ledger entry: {error}.", remedy="The entry was altered."
            ) from error
        return entry

    def _document(self) -> dict[str, Json]:
        return {
            "version": ENTRY_VERSION,
            "id": self.id,
            "kind": self.kind.value,
            "subject": self.subject,
            "time": self.time,
            "body": dict(self.body),
        }


def parsed_leaves(leaves: Sequence[bytes]) -> list[Entry | ProofError]:
    """For each leaf the entry that `Entry.from_leaf` makes of it, or the error that it raises; quicker than one by one."""
    values = parsed_canonical(leaves)
    if values is not None and all(map(_is_plain, values, leaves)):
        return [
            Entry(_KINDS[value["kind"]], value["subject"], value["body"], value["id"], value["time"])
            for value in values
        ]
    return [_entry_or_error(leaf) for leaf in leaves]


def _is_plain(value: object, leaf: bytes) -> bool:
    """Whether a value whose canonical bytes are `leaf` is an entry; where in doubt it is not."""
    return (
        type(value) is dict
        and value.keys() == _MEMBERS
        and type(value["version"]) is int
        and value["version"] == ENTRY_VERSION
        and type(value["kind"]) is type(value["id"]) is type(value["subject"]) is type(value["time"]) is str
        and value["kind"] in _KINDS
        and type(value["body"]) is dict
        and len(leaf) <= MAX_ENTRY_BYTES
    )


def _entry_or_error(leaf: bytes) -> Entry | ProofError:
    try:
        return Entry.from_leaf(leaf)
    except ProofError as error:
        return error


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that an entry is in the log: leaf bytes, its inclusion proof, and the checkpoint that covers it."""

    leaf: bytes
    index: int
    tree_size: int
    proof: tuple[bytes, ...]
    checkpoint: str

    @property
    def entry(self) -> Entry:
        """The entry that this receipt is for."""
        return Entry.from_leaf(self.leaf)

    def to_json(self) -> str:
        """The wire form, as a stranger receives it."""
        return json.dumps(self.as_json(), indent=1, ensure_ascii=False) + "\n"

    def as_json(self) -> dict[str, Json]:
        """The wire form as a value."""
        return {
            "version": 1,
            "leaf": base64.b64encode(self.leaf).decode(),
            "index": self.index,
            "tree_size": self.tree_size,
            "proof": [base64.b64encode(node).decode() for node in self.proof],
            "checkpoint": self.checkpoint,
        }

    @classmethod
    def from_json(cls, text: str) -> Receipt:
        """Read the wire form.

        Raises:
            ProofError: the text is not a receipt of version 1.
        """
        try:
            value = json.loads(text)
            if value["version"] != 1:
                raise ValueError(f"unknown version {value['version']!r}")
            if type(value["index"]) is not int or type(value["tree_size"]) is not int:
                raise ValueError("index and tree_size are integers")
            return cls(
                base64.b64decode(value["leaf"], validate=True),
                value["index"],
                value["tree_size"],
                tuple(base64.b64decode(node, validate=True) for node in value["proof"]),
                str(value["checkpoint"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ProofError(
                f"This is not a receipt: {error}.", remedy="Use the .receipt.json file saved with the asset."
            ) from error


@dataclass(frozen=True, slots=True)
class PersonalField:
    """One personal value and the salt of its commitment: kept aside, erasable."""

    name: str
    salt: bytes
    value: Json


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON value kept beside the ledger and committed to by digest in an entry: a policy input, model facts."""

    digest: Digest
    content: bytes


@dataclass(frozen=True, slots=True)
class MarkRecord:
    """Where a watermark id leads, and what the released picture looks like (erasable, never in entries)."""

    algorithm: str
    key_id: str
    mark_id: int
    asset_id: str
    asset_digest: Digest
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class Spending:
    """What an intent spends of its principal's day, and what that day's sums may not exceed.

    `day` is a date in UTC (`2026-11-23`); `budget` limits the sums by the names of `Usage`, empty for no limit.
    """

    principal_id: str
    day: str
    amount: Usage
    budget: Mapping[str, int] = field(default_factory=dict)


class HoldState(StrEnum):
    """Where a hold stands.

    `open`: people decide. `approved`: enough approved; the draft is being released, or the request may be made again.
    `done`: what was approved was released, or its request ran. `rejected`, `expired`: it never leaves.
    """

    OPEN = "open"
    APPROVED = "approved"
    DONE = "done"
    REJECTED = "rejected"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class HoldRecord:
    """Where one hold stands: what a queue is asked by. The entries say why; this row says what is now.

    `id` is the hold's, `entry_id` the `held` entry's, `subject` the generation's; `item` is None where the request was
    held at admission, and `request` is then the digest of its facts. Times are RFC 3339 in UTC; `due` is when an answer
    is due and `expires` when silence becomes a rejection, empty where policy set none. `version` counts the changes.
    `holder` has the lease until `leased_until`; both are empty without one. A lease is no record of anything and is not
    in the entries.
    """

    id: str
    entry_id: str
    subject: str
    stage: Stage
    item: int | None
    queue: str
    opened: str
    state: HoldState = HoldState.OPEN
    due: str = ""
    expires: str = ""
    request: str = ""
    version: int = 0
    holder: str = ""
    leased_until: str = ""


@dataclass(frozen=True, slots=True)
class ErasedPart:
    """One thing beside the entry `entry_id` that is gone for good.

    `name` is that of a personal field (`/prompts/0`), or one of `governance.erasure`: `watermark`, `asset`, `hold`.
    """

    entry_id: str
    name: str


class LegalHoldScope(StrEnum):
    """What a legal hold keeps from being erased: one generation, all that names one person, or everything."""

    GENERATION = "generation"
    PRINCIPAL = "principal"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class LegalHoldRecord:
    """What may not be erased, and by which entries: `placed_by`, and `lifted_by` once it is over, empty until then.

    `scope` is the generation's id, or `governance.legal_holds.held_key` of the person's id; empty for everything, and of
    one that was lifted.
    """

    id: str
    scope_kind: LegalHoldScope
    scope: str
    placed_by: str
    lifted_by: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """An entry and everything that is written with it, in one transaction.

    `hold` is how the hold stands afterwards. Its `version` is one more than before (0 opens it): where somebody else
    changed it meanwhile, nothing is written. `erasures` are what an `erased` entry takes away, in the same transaction;
    `legal_hold` is how a legal hold stands afterwards.
    """

    entry: Entry
    fields: tuple[PersonalField, ...] = ()
    documents: tuple[Document, ...] = ()
    mark: MarkRecord | None = None
    spending: Spending | None = None
    hold: HoldRecord | None = None
    erasures: tuple[ErasedPart, ...] = ()
    legal_hold: LegalHoldRecord | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A claim on (principal, request id, facts): this caller, and no other, may run it now."""

    number: int
    generation_id: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """The same request was already finished: its generation."""

    number: int
    generation_id: str
