"""The entries of what was erased: which fields, marks, files and holds are gone, on what basis, and who did it.

An entry names only ids and names of fields. Whose they were stands nowhere; who erased them and what they wrote about
it are committed fields. The ledger takes away what such an entry lists in the transaction that writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from governance.canonical import Json, canonical_bytes, commitment, new_salt
from governance.entries import Entry, EntryKind, ErasedPart, PersonalField, Record
from governance.errors import CanonicalError, ErasureError
from governance.facts import principal_facts
from governance.types import Principal, utc_now

BODY_VERSION: Final = 1
WATERMARK: Final = "watermark"
"""The mark of a released file: where its id leads, and what the picture looks like."""
ASSET: Final = "asset"
"""The released file in the vault."""
HOLD: Final = "hold"
"""A hold that nobody decides any more: it ends, and what it has in quarantine is destroyed with its key."""
_PART: Final = re.compile(r"records/(0|[1-9][0-9]{0,14})-(0|[1-9][0-9]{0,14})", re.ASCII)
"""Rows FIRST to LAST of the `records.parquet` of an audit, from 0: what is personal of these records."""
ACTOR_FIELD: Final = "/principal/id"
REFERENCE_FIELD: Final = "/reference"
MAX_REFERENCE_CHARACTERS: Final = 1000
MAX_PARTS_BYTES: Final = 24 * 1024
"""How much of an entry its `parts` may take: the rest is room for who did it."""


class Basis(StrEnum):
    """Why something was erased.

    `request`: a person asked to be forgotten. `retention`: the time that policy obliged to keep it is over. `order`: a
    court or an authority ordered it. `replay`: it was erased before, and a restored backup had it again.
    """

    REQUEST = "request"
    RETENTION = "retention"
    ORDER = "order"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class ErasureOrder:
    """Why something is to be erased, by whom, and what they write about it: a file number, no name.

    `by` is None where nobody in particular does it, as where time passes. `original` is the entry that a replay repeats.
    """

    basis: Basis
    by: Principal | None = None
    reference: str = ""
    original: str = ""


def checked_reference(text: str) -> str:
    """`text` as it is, if it can be kept; it may be empty.

    Raises:
        ErasureError: it is too long, or no valid Unicode.
    """
    try:
        canonical_bytes(text)
    except CanonicalError as error:
        raise ErasureError(f"The reference cannot be kept: {error}", remedy=error.remedy) from error
    if len(text) > MAX_REFERENCE_CHARACTERS:
        raise ErasureError(
            "The reference is too long.", remedy=f"Write at most {MAX_REFERENCE_CHARACTERS} characters: a file number."
        )
    return text


def erased_record(subject: str, parts: Sequence[ErasedPart], order: ErasureOrder) -> Record:
    """The record of one erasure. `subject` is the same for all entries of one act."""
    named: dict[str, Json] = {entry_id: list(names) for entry_id, names in grouped(parts).items()}
    body: dict[str, Json] = {"basis": order.basis.value, "parts": named}
    if order.original:
        body["original"] = order.original
    entry, fields = signed_entry(EntryKind.ERASED, subject, body, order.by, order.reference)
    return Record(entry, fields, erasures=tuple(parts))


def signed_entry(
    kind: EntryKind, subject: str, body: Mapping[str, Json], by: Principal | None, reference: str, **personal: Json
) -> tuple[Entry, tuple[PersonalField, ...]]:
    """An entry with the commitments to who did it, to what they wrote, and to `personal` fields by their full names."""
    values: dict[str, Json] = dict(personal)
    full: dict[str, Json] = {"version": BODY_VERSION, **body}
    if by is not None:
        facts = principal_facts(by)
        values[ACTOR_FIELD] = facts.pop("id")
        full["principal"] = facts
    if reference:
        values[REFERENCE_FIELD] = reference
    fields = tuple(PersonalField(name, new_salt(), value) for name, value in values.items())
    full["fields"] = {field.name: commitment(field.name, field.value, field.salt) for field in fields}
    return Entry(kind, subject, full, time=utc_now()), fields


def erased_parts(entry: Entry) -> tuple[ErasedPart, ...]:
    """What an `erased` entry lists, in its order; nothing for other kinds."""
    parts: Any = entry.body.get("parts") if entry.kind is EntryKind.ERASED else None
    if not isinstance(parts, Mapping):
        return ()
    return tuple(
        ErasedPart(str(entry_id), str(name))
        for entry_id, names in parts.items()
        if isinstance(names, list | tuple)
        for name in names
    )


def chunks(parts: Sequence[ErasedPart]) -> Iterator[tuple[ErasedPart, ...]]:
    """`parts` in their order, in pieces that fit an entry each; what stands beside one entry stays together."""
    piece: list[ErasedPart] = []
    size = 0
    for entry_id, names in grouped(parts).items():
        more = len(canonical_bytes({entry_id: list(names)})) - 1  # a comma in place of both braces
        if piece and size + more > MAX_PARTS_BYTES:
            yield tuple(piece)
            piece, size = [], 0
        piece += [ErasedPart(entry_id, name) for name in names]
        size += more
    if piece:
        yield tuple(piece)


def grouped(parts: Sequence[ErasedPart]) -> dict[str, tuple[str, ...]]:
    """The names by their entry, sorted; the entries in the order in which they are first named."""
    found: dict[str, set[str]] = {}
    for part in parts:
        found.setdefault(part.entry_id, set()).add(part.name)
    return {entry_id: tuple(sorted(names)) for entry_id, names in found.items()}


def rows_named(name: str) -> range | None:
    """The rows that a part of this name is; None where it is another part."""
    found = _PART.fullmatch(name)
    first, last = (0, -1) if found is None else (int(found[1]), int(found[2]))
    return range(first, last + 1) if first <= last else None


def erasure_misfits(entry: Entry, erasures: Sequence[ErasedPart]) -> Iterator[str]:
    """What is wrong with `erasures` beside `entry`; see `governance.records.checked_leaf`."""
    if entry.kind is not EntryKind.ERASED:
        if erasures:
            yield "only an erased entry erases"
        return
    if entry.body.get("basis") not in list(Basis):
        yield f"an erased entry needs body.basis, one of {', '.join(Basis)}"
    listed = erased_parts(entry)
    if not listed or len(set(listed)) != len(listed) or set(listed) != set(erasures):
        yield "body.parts must list what the record erases, each once, and nothing else"
