"""What `FakeLedger` does where something is erased or legally held: the rules of `governance.erasable`, in memory."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, MutableSequence, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from governance.canonical import Digest
from governance.entries import Entry, EntryKind, HoldRecord, LegalHoldRecord, MarkRecord, Record
from governance.erasable import (
    PRINCIPAL_FIELD,
    check_erasable,
    erasable,
    forgets_claim,
    forgets_request,
    forgets_usage,
    people_named,
    refuse_running,
    spent_on,
)
from governance.erasure import ASSET, HOLD, WATERMARK, grouped
from governance.errors import LedgerError
from governance.legal_holds import covering, legal_hold_succession, refuse_held
from governance.records import ClaimState, asset_digest, document_digests
from governance.retention import due_day
from governance.types import Usage


@dataclass
class FakeErasing:
    """What a fake store erases from, and what it knows of erasures and legal holds. The containers are the store's own."""

    records: MutableSequence[Record]
    indices: MutableMapping[str, int]
    claims: MutableMapping[Digest, Any]
    marks: MutableMapping[tuple[str, str, int], MarkRecord]
    usage: MutableMapping[tuple[str, str], Usage]
    holds: MutableMapping[str, HoldRecord]
    erased: dict[str, dict[str, str]] = field(default_factory=dict)
    legal_holds: dict[str, LegalHoldRecord] = field(default_factory=dict)

    def check(self, record: Record) -> None:
        """Refuse what may not be erased, and what no legal hold may become; raises as `Ledger.append`."""
        if (hold := record.legal_hold) is not None:
            legal_hold_succession(self.legal_holds.get(hold.id), hold)
        subjects: dict[str, None] = {}
        for entry_id, names in grouped(record.erasures).items():
            index = self.indices.get(entry_id)
            entry = check_erasable(entry_id, None if index is None else self.records[index].entry, names)
            subjects[entry.subject] = None
        open_holds = [each for each in self.legal_holds.values() if not each.lifted_by]
        for subject in (*subjects, *self._sharing(record)):
            people = people_named(f for each in self._of(subject) for f in each.fields)
            refuse_held(covering(open_holds, subject, people), subject)
        for subject in subjects:
            if any(c.generation_id == subject and c.state is ClaimState.OPEN for c in self.claims.values()):
                raise refuse_running(subject)

    def apply(self, record: Record) -> None:
        """Do what was checked."""
        if (hold := record.legal_hold) is not None:
            self.legal_holds[hold.id] = hold
        for entry_id, names in grouped(record.erasures).items():
            self._erase(self.indices[entry_id], names)
            known = self.erased.setdefault(entry_id, {})
            for name in names:
                known.setdefault(name, record.entry.id)

    def subjects_of(self, person: str, after: str, limit: int) -> Sequence[str]:
        """See `Ledger.subjects_of`."""
        if limit < 1:
            raise LedgerError(f"A page of {limit} is no page.", remedy="Ask for at least one.")
        named = {each.entry.subject for each in self.records if person in people_named(each.fields)}
        return sorted(subject for subject in named if subject > after)[:limit]

    def due(self, day: str, after: tuple[str, str], limit: int) -> Sequence[tuple[str, str]]:
        """See `Ledger.due`."""
        if limit < 1:
            raise LedgerError(f"A page of {limit} is no page.", remedy="Ask for at least one.")
        last: dict[str, str] = {}
        for each in self.records:
            if (when := due_day(each.entry)) is not None:
                last[each.entry.subject] = max(when, last.get(each.entry.subject, ""))
        pairs = ((when, subject) for subject, when in last.items())
        found = sorted(pair for pair in pairs if after < pair and pair[0] <= day and self._has_rest(pair[1]))
        return found[:limit]

    def missing(self, keys: Callable[[Record], set[str]]) -> list[str]:
        """What is missing beside entries although nothing erased it; `keys` says what a record still has."""
        return [
            f"Entry {each.entry.id}: {name!r} is missing, and no entry records its erasure."
            for each in self.records
            for name in sorted(
                erasable(each.entry) - {ASSET, HOLD} - keys(each) - self.erased.get(each.entry.id, {}).keys()
            )
        ]

    def _erase(self, index: int, names: tuple[str, ...]) -> None:
        record = self.records[index]
        entry = record.entry
        gone = {f.name: f.value for f in record.fields if f.name in names}
        if forgets_usage(entry, names) and PRINCIPAL_FIELD in gone:
            person, day = str(gone[PRINCIPAL_FIELD]), self._spent_on(entry)
            if not any(self._spends(other, person, day) for other in self.records if other is not record):
                self.usage.pop((person, day), None)
        if forgets_claim(names):
            for key in [key for key, claim in self.claims.items() if claim.generation_id == entry.subject]:
                del self.claims[key]
        if forgets_request(entry, names):
            for hold in [each for each in self.holds.values() if each.entry_id == entry.id and each.request]:
                self.holds[hold.id] = replace(hold, request="", version=hold.version + 1)
        mark = record.mark
        if WATERMARK in names and mark is not None:
            self.marks.pop((mark.algorithm, mark.key_id, mark.mark_id), None)
        kept = tuple(f for f in record.fields if f.name not in names)
        self.records[index] = replace(record, fields=kept, mark=None if WATERMARK in names else mark)

    def _sharing(self, record: Record) -> list[str]:
        """The subjects of other releases of the files that are to be erased, as far as those are kept."""
        erased = {part.entry_id for part in record.erasures if part.name == ASSET}
        files = {asset_digest(self.records[self.indices[entry_id]].entry) for entry_id in erased}
        return [
            each.entry.subject
            for each in self.records
            if asset_digest(each.entry) in files - {None}
            and each.entry.id not in erased
            and ASSET not in self.erased.get(each.entry.id, {})
        ]

    def _spends(self, record: Record, person: str, day: str) -> bool:
        """Whether this is an intent of that day that names the person."""
        named = any(field.name == PRINCIPAL_FIELD and field.value == person for field in record.fields)
        return named and record.entry.kind is EntryKind.INTENT and self._spent_on(record.entry) == day

    def _spent_on(self, entry: Entry) -> str:
        return spent_on(entry, self._document(document_digests(entry)[:1]))

    def _document(self, wanted: Sequence[str]) -> bytes | None:
        documents = (document for each in self.records for document in each.documents)
        return next((document.content for document in documents if document.digest in wanted), None)

    def _of(self, subject: str) -> list[Record]:
        return [each for each in self.records if each.entry.subject == subject]

    def _has_rest(self, subject: str) -> bool:
        return any(
            each.fields
            or each.mark is not None
            or (ASSET in erasable(each.entry) and ASSET not in self.erased.get(each.entry.id, {}))
            for each in self._of(subject)
        )
