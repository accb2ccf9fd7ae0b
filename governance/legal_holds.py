"""Legal holds: what may not be erased until somebody lifts them, whatever a person asks and policy obliges.

A hold is on one generation, on all that names one person, or on everything. Placing one and lifting it are entries with
the hold's id as subject. Whom a hold is about is a committed field there; the ledger's table knows the person only by a
digest, which goes when the hold is lifted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from governance.canonical import Digest, Json, digest
from governance.entries import (
    Entry,
    EntryKind,
    LegalHoldRecord,
    LegalHoldScope,
    PersonalField,
    Record,
)
from governance.erasure import checked_reference, signed_entry
from governance.errors import LegalHoldError
from governance.types import Principal, new_id

HELD_PERSON_FIELD: Final = "/person/id"
"""Whom a legal hold on a person is about."""
_DOMAIN: Final = b"diffusion-governance/legal-hold/v1"
_KINDS: Final = (EntryKind.LEGAL_HOLD, EntryKind.LEGAL_HOLD_LIFTED)


def held_key(principal_id: str) -> Digest:
    """What a legal hold on a person is kept under: SHA-256 over a domain of its own and the id. Unsalted: it can be guessed."""
    return digest(_DOMAIN + b"\0" + principal_id.encode("utf-8", "surrogatepass"))


def placed_record(kind: LegalHoldScope, scope: str, by: Principal, reference: str = "") -> Record:
    """The record that places a legal hold. `scope` is a generation's or a person's id; empty for everything.

    Raises:
        LegalHoldError: the scope is missing, or there is one where everything is held.
        ErasureError: the reference cannot be kept.
    """
    if bool(scope) is (kind is LegalHoldScope.EVERYTHING):
        raise LegalHoldError(
            f"A legal hold on {kind.value} {'has no scope' if scope else 'needs its id'}.",
            remedy="Name one generation, one person, or everything.",
        )
    described: dict[str, Json] = {"kind": kind.value}
    personal: dict[str, Json] = {}
    if kind is LegalHoldScope.GENERATION:
        described["generation"] = scope
    elif kind is LegalHoldScope.PRINCIPAL:
        personal[HELD_PERSON_FIELD] = scope
    entry, fields = signed_entry(
        EntryKind.LEGAL_HOLD, new_id(), {"scope": described}, by, checked_reference(reference), **personal
    )
    kept = held_key(scope) if kind is LegalHoldScope.PRINCIPAL else scope
    return Record(entry, fields, legal_hold=LegalHoldRecord(entry.subject, kind, kept, entry.id))


def lifted_record(hold: LegalHoldRecord, by: Principal, reference: str = "") -> Record:
    """The record that lifts `hold`.

    Raises:
        LegalHoldError: it was lifted already.
        ErasureError: the reference cannot be kept.
    """
    if hold.lifted_by:
        raise LegalHoldError(f"Legal hold {hold.id} was lifted already.", remedy="`governance ledger legal-hold list`.")
    body: dict[str, Json] = {"placed": hold.placed_by}
    entry, fields = signed_entry(EntryKind.LEGAL_HOLD_LIFTED, hold.id, body, by, checked_reference(reference))
    return Record(entry, fields, legal_hold=replace(hold, scope="", lifted_by=entry.id))


def covering(holds: Iterable[LegalHoldRecord], subject: str, people: Iterable[str]) -> LegalHoldRecord | None:
    """The first of `holds` that is open and keeps what stands beside the entries of `subject`, which name `people`."""
    keys = {held_key(person) for person in people}
    return next((hold for hold in holds if not hold.lifted_by and _covers(hold, subject, keys)), None)


def refuse_held(hold: LegalHoldRecord | None, subject: str) -> None:
    """Nothing, where no hold covers `subject`.

    Raises:
        LegalHoldError: one does.
    """
    if hold is not None:
        raise LegalHoldError(
            f"Legal hold {hold.id} keeps {subject} from being erased.",
            remedy="Erase it once the hold is lifted: `governance ledger legal-hold lift`.",
        )


def legal_hold_succession(before: LegalHoldRecord | None, after: LegalHoldRecord) -> None:
    """Compare: a hold is placed once, and one that stands is lifted once.

    Raises:
        LegalHoldError: `after` is not what may follow.
    """
    placed, lifts = before is not None, bool(after.lifted_by)
    if placed is lifts and (before is None or not before.lifted_by):
        return
    raise LegalHoldError(
        f"There is no open legal hold {after.id}." if lifts else f"Legal hold {after.id} stands already.",
        remedy="`governance ledger legal-hold list` shows those that there are.",
    )


def legal_hold_misfits(entry: Entry, fields: Sequence[PersonalField], hold: LegalHoldRecord | None) -> Iterator[str]:
    """What is wrong with `hold` as what `entry` makes of it; see `governance.records.checked_leaf`."""
    if entry.kind not in _KINDS:
        if hold is not None:
            yield "it does not change a legal hold"
        return
    if hold is None:
        yield "the record does not say how the legal hold stands afterwards"
    elif hold.id != entry.subject:
        yield "its subject must be the legal hold"
    elif entry.kind is EntryKind.LEGAL_HOLD_LIFTED:
        if (hold.placed_by, hold.lifted_by, hold.scope) != (entry.body.get("placed"), entry.id, ""):
            yield "a legal hold that is lifted names both entries and keeps no scope"
    elif (hold.placed_by, hold.lifted_by) != (entry.id, "") or not _described(entry.body, fields, hold):
        yield "body.scope must say what the legal hold is on"


def scope_named(entry: Entry) -> tuple[str, str]:
    """Kind and generation that a `legal_hold` entry names in `body.scope`; the generation is empty where it names none."""
    scope: Any = entry.body.get("scope")
    if not isinstance(scope, Mapping):
        return "", ""
    return str(scope.get("kind")), str(scope.get("generation", ""))


def _described(body: Mapping[str, Json], fields: Sequence[PersonalField], hold: LegalHoldRecord) -> bool:
    person = next((field.value for field in fields if field.name == HELD_PERSON_FIELD), None)
    if hold.scope_kind is LegalHoldScope.PRINCIPAL:
        return body.get("scope") == {"kind": "principal"} and isinstance(person, str) and held_key(person) == hold.scope
    expected: dict[str, Json] = {"kind": hold.scope_kind.value}
    if hold.scope_kind is LegalHoldScope.GENERATION:
        expected["generation"] = hold.scope
    return body.get("scope") == expected and person is None and bool(hold.scope) is (len(expected) > 1)


def _covers(hold: LegalHoldRecord, subject: str, keys: set[Digest]) -> bool:
    if hold.scope_kind is LegalHoldScope.EVERYTHING:
        return True
    return hold.scope == subject if hold.scope_kind is LegalHoldScope.GENERATION else hold.scope in keys
