"""What the ledger says of the register of works: one entry per change, and whether the register agrees with them.

The subject of a work's entries is its id. Titles, owners and who changed something are committed personal fields;
licence, action and the digests of the files stand in the clear. Perceptual hashes and embeddings are never in entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from governance.canonical import Json, commitment, new_salt
from governance.entries import Entry, EntryKind, PersonalField, Record
from governance.ports import Ledger
from governance.types import Principal
from governance.works import Work, WorkReader

BODY_VERSION: Final = 1
TITLE_FIELD: Final = "/title"
OWNER_FIELD: Final = "/owner"
PRINCIPAL_FIELD: Final = "/principal/id"
_PAGE: Final = 1000


class WorkChange(StrEnum):
    """What happened to a work."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


def work_record(change: WorkChange, work: Work, by: Principal) -> Record:
    """The record of one change: `work` as it is afterwards, or as it was before it was removed."""
    values: dict[str, Json] = {PRINCIPAL_FIELD: by.id}
    if change is not WorkChange.REMOVED:
        values |= {TITLE_FIELD: work.title, OWNER_FIELD: work.owner}
    fields = tuple(PersonalField(name, new_salt(), value) for name, value in values.items())
    body: dict[str, Json] = {
        "version": BODY_VERSION,
        "change": change.value,
        "principal": {"roles": list(by.roles), "issuer": by.issuer, "assurance": by.assurance.value},
        "licence": work.licence,
        "action": work.action.value,
        "images": list(work.images),
        "fields": {field.name: commitment(field.name, field.value, field.salt) for field in fields},
    }
    return Record(Entry(EntryKind.WORK, work.id, body), fields)


def is_recorded(ledger: Ledger, work_id: str, entry_id: str) -> bool:
    """Whether the ledger has this entry of this work.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    return any(entry.id == entry_id for _, entry in _entries(ledger, work_id))


def has_works(ledger: Ledger) -> bool:
    """Whether the ledger says that there was ever a work.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    return bool(ledger.entries(kind=EntryKind.WORK, limit=1))


@dataclass(frozen=True, slots=True)
class Said:
    """What the entries of a work say of it in the clear."""

    licence: Json
    action: Json
    images: tuple[Json, ...]

    @classmethod
    def of_body(cls, body: Mapping[str, Json]) -> Said:
        """What one entry says."""
        images = body.get("images")
        return cls(body.get("licence"), body.get("action"), tuple(images) if isinstance(images, list) else ())

    @classmethod
    def of_work(cls, work: Work) -> Said:
        """What the register says."""
        return cls(work.licence, work.action.value, work.images)


def recorded_works(ledger: Ledger) -> dict[str, Said]:
    """The works that there are by the ledger's entries, by id.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    works: dict[str, Said] = {}
    for work_id, entry in _entries(ledger):
        if entry.body.get("change") == WorkChange.REMOVED:
            works.pop(work_id, None)
        else:
            works[work_id] = Said.of_body(entry.body)
    return works


def disagreements(register: WorkReader, ledger: Ledger) -> Iterator[str]:
    """One line per work that the register and the ledger do not say the same of; nothing where they agree.

    A work that is being changed at this moment is left out.

    Raises:
        WorkError: the register cannot be read.
        LedgerError: the ledger cannot be read.
    """
    skipped = set(register.unsettled())
    recorded = recorded_works(ledger)
    skipped |= set(register.unsettled())
    after = ""
    while page := register.list(after=after, limit=_PAGE):
        after = page[-1].id
        for work in page:
            said = recorded.pop(work.id, None)
            if work.id in skipped:
                continue
            if said is None:
                yield f"work {work.id} is in the register, and no entry of the ledger says so"
            elif said != Said.of_work(work):
                yield f"work {work.id} has another licence, action or images in the register than in the ledger"
    yield from (f"work {work_id} is missing in the register" for work_id in recorded if work_id not in skipped)


def _entries(ledger: Ledger, subject: str | None = None) -> Iterator[tuple[str, Entry]]:
    after = -1
    while page := ledger.entries(after=after, limit=_PAGE, subject=subject, kind=EntryKind.WORK):
        after = page[-1][0]
        yield from ((entry.subject, entry) for _, entry in page)
