"""Putting a recorded policy input together again: the document that an entry commits to, and the fields kept aside.

The inverse of `governance.facts.redact`. A field that was erased stays the commitment that it became, and is named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from governance.canonical import Digest, Json, commitment, digest
from governance.entries import Entry, PersonalField
from governance.errors import CanonicalError, ProofError
from governance.ports import Ledger

_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMITMENT = "commitment"
_VERIFY = "Run `governance ledger verify`."


@dataclass(frozen=True, slots=True)
class RestoredInput:
    """A policy input as it was decided on. `erased` names what is not kept any more, by JSON pointer (RFC 6901).

    Where nothing was erased, `value` is exactly what the policy engine was given.
    """

    value: Mapping[str, Json]
    erased: tuple[str, ...] = ()


def restored_input(document: bytes, fields: Sequence[PersonalField]) -> RestoredInput:
    """The policy input of `document` with `fields` put back, each at the JSON pointer that is its name.

    Fields that the document does not commit to, such as the messages of a decision, are passed over.

    Raises:
        ProofError: the document is not a JSON object, or a field is not the one that was committed.
    """
    try:
        value = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise ProofError(f"A recorded policy input cannot be read: {error}.", remedy=_VERIFY) from error
    if not isinstance(value, dict):
        raise ProofError("A recorded policy input is not an object.", remedy=_VERIFY)
    kept = {field.name: field for field in fields}
    erased: list[str] = []
    restored = {name: _restored(member, f"/{_escaped(name)}", kept, erased) for name, member in value.items()}
    return RestoredInput(restored, tuple(erased))


def recorded_input(ledger: Ledger, entry: Entry) -> RestoredInput | None:
    """The policy input that the decision of `entry` was made on; None where it records no decision, or none is kept.

    Raises:
        ProofError: the document or a field was altered.
        LedgerError: the ledger cannot be read.
    """
    decision = entry.body.get("decision")
    named = decision.get("input") if isinstance(decision, Mapping) else None
    content = ledger.document(Digest(named)) if isinstance(named, str) else None
    if content is None:
        return None
    if digest(content) != named:
        raise ProofError(f"The policy input {named} was altered.", remedy=_VERIFY)
    return restored_input(content, ledger.fields(entry.id))


def _restored(value: Json, pointer: str, kept: Mapping[str, PersonalField], erased: list[str]) -> Json:
    """`value`, which stands at `pointer`, with each commitment in it opened where its field is kept."""
    if isinstance(value, Mapping):
        committed = value.get(_COMMITMENT)
        if len(value) == 1 and isinstance(committed, str) and _DIGEST.fullmatch(committed):
            return _opened(value, committed, pointer, kept, erased)
        return {name: _restored(item, f"{pointer}/{_escaped(name)}", kept, erased) for name, item in value.items()}
    if isinstance(value, list):
        return [_restored(item, f"{pointer}/{position}", kept, erased) for position, item in enumerate(value)]
    return value


def _opened(value: Json, committed: str, pointer: str, kept: Mapping[str, PersonalField], erased: list[str]) -> Json:
    field = kept.get(pointer)
    if field is None:
        erased.append(pointer)
        return value
    try:
        found = commitment(field.name, field.value, field.salt)
    except CanonicalError as error:
        raise ProofError(f"The personal field {pointer} cannot be read: {error}", remedy=_VERIFY) from error
    if found != committed:
        raise ProofError(f"The personal field {pointer} was altered.", remedy=_VERIFY)
    return field.value


def _escaped(name: str) -> str:
    """`name` as one step of a JSON pointer (RFC 6901, section 3)."""
    return name.replace("~", "~0").replace("/", "~1")
