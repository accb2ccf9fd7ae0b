"""What there is to erase: of a person, of one generation, of what is past its time, of what was erased before.

Read from the entries and from what stands beside them, never from an index that may lack something: whatever is overlooked
here is not forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from governance.datasets.erased_rows import RowsFound, are_rows_of
from governance.entries import ALL_ENTRIES, Entry, EntryKind, ErasedPart, HoldState, LegalHoldRecord, PersonalField
from governance.erasable import is_about, names_of_person, people_named
from governance.erasure import ASSET, HOLD, WATERMARK, erased_parts, grouped
from governance.errors import NoEntryError
from governance.forgotten import Target
from governance.holds import hold_named
from governance.legal_holds import covering
from governance.legal_keeping import keeping
from governance.ports import Ledger, Quarantine
from governance.records import asset_digest, mark_named
from governance.retention import kept_until

DECIDABLE: Final = (HoldState.OPEN, HoldState.APPROVED)
"""Holds that somebody may still decide about, or release by."""
_PAGE: Final = 500
_SUBJECTS: Final = 10_000
"""Subjects of a person that are asked for at once: each time all personal fields are looked through."""


class Forgettable:
    """Finds what there is to erase beside the entries of a ledger, and in quarantine. As thread-safe as its parts.

    Each method raises LedgerError where the ledger cannot be read, and StorageError where the quarantine cannot be.
    """

    def __init__(self, ledger: Ledger, quarantine: Quarantine) -> None:
        self.ledger, self.quarantine = ledger, quarantine

    def of_person(self, person: str, kept: Collection[str], *, files: bool) -> Iterator[Target]:
        """What is `person`'s beside the entries of each subject that names them, but for those in `kept`.

        With `files` also the released files of what they asked for, and the marks of those.
        """
        sealed, after = self._sealed(), ""
        while page := self.ledger.subjects_of(person, after=after, limit=_SUBJECTS):
            after = page[-1]
            for subject in page:
                if subject not in kept:
                    yield self._theirs(subject, person, sealed, files=files)

    def of_subject(self, subject: str, *, files: bool) -> Target | None:
        """Everything personal beside the entries of one subject; None where no entry is about it."""
        return self._whole(subject, self._sealed(), files=files)

    def of_records(self, found: Iterable[RowsFound]) -> Iterator[Target]:
        """The rows that were found in audits; they name their owners, and whoever the entries about the dataset name."""
        for rows in found:
            people = people_named(field for _, fields in self._loaded(rows.audited.subject) for field in fields)
            for target in rows.targets():
                yield replace(target, people=target.people | people)

    def due(self, now: datetime) -> Iterator[Target]:
        """Everything personal, with files and marks, of what is past its time at `now`."""
        sealed, after = self._sealed(), ("", "")
        while page := self.ledger.due(now.date().isoformat(), after=after, limit=_PAGE):
            after = page[-1]
            for _, subject in page:
                until = kept_until(entry for _, entry in self.ledger.entries(subject=subject, limit=ALL_ENTRIES))
                if until is not None and until <= now and (target := self._whole(subject, sealed, files=True)):
                    yield target

    def listed(self, erased: Entry) -> Iterator[Target]:
        """What an `erased` entry lists and this ledger has, by the subjects of the entries that it stands beside."""
        found: dict[str, list[ErasedPart]] = {}
        sealed = self._sealed()
        for entry_id, names in grouped(erased_parts(erased)).items():
            with suppress(NoEntryError):  # the backup is older than that entry
                entry = self.ledger.entry(entry_id)
                there = {field.name for field in self.ledger.fields(entry_id)} | self._beside(entry, sealed, files=True)
                gone = self.ledger.erasures(entry_id)
                there |= {name for name in names if are_rows_of(entry, name) and name not in gone}
                found.setdefault(entry.subject, []).extend(ErasedPart(entry_id, n) for n in names if n in there)
        for subject, parts in found.items():
            if parts:
                yield _target(subject, self._loaded(subject), parts)

    def legal_hold(self, target: Target) -> LegalHoldRecord | None:
        """A legal hold that keeps something of `target`: its subject, or another release of a file of its."""
        if not (holds := self.ledger.legal_holds()):
            return None
        if (hold := covering(holds, target.subject, target.people)) is not None:
            return hold
        erased = {part.entry_id for part in target.parts if part.name == ASSET}
        others = {each.subject for key in erased for each in self.other_releases(key) if each.id not in erased}
        kept = (keeping(self.ledger, holds, subject) for subject in sorted(others))
        return next((hold for hold in kept if hold is not None), None)

    def other_releases(self, entry_id: str) -> Sequence[Entry]:
        """The releases of the same file as that of the entry `entry_id`, without those whose file is erased."""
        content = asset_digest(self.ledger.entry(entry_id))
        releases = () if content is None else self.ledger.releases(content)
        return [each for each in releases if each.id != entry_id and ASSET not in self.ledger.erasures(each.id)]

    def _theirs(self, subject: str, person: str, sealed: Collection[str], *, files: bool) -> Target:
        loaded = self._loaded(subject)
        about = any(is_about(entry, fields, person) for entry, fields in loaded)
        parts = [
            ErasedPart(entry.id, name)
            for entry, fields in reversed(loaded)
            for name in sorted(
                names_of_person(fields, person, about=about)
                | (self._beside(entry, sealed, files=files) if about else frozenset())
            )
        ]
        return _target(subject, loaded, parts)

    def _whole(self, subject: str, sealed: Collection[str], *, files: bool) -> Target | None:
        loaded = self._loaded(subject)
        parts = [
            ErasedPart(entry.id, name)
            for entry, fields in reversed(loaded)
            for name in sorted({field.name for field in fields} | self._beside(entry, sealed, files=files))
        ]
        return _target(subject, loaded, parts) if loaded else None

    def _loaded(self, subject: str) -> Sequence[tuple[Entry, Sequence[PersonalField]]]:
        page = self.ledger.entries(subject=subject, limit=ALL_ENTRIES)
        return [(entry, self.ledger.fields(entry.id)) for _, entry in page]

    def _sealed(self) -> Collection[str]:
        return frozenset(self.quarantine.holds())

    def _beside(self, entry: Entry, sealed: Collection[str], *, files: bool) -> frozenset[str]:
        """What is there beside an entry that is no personal field. `sealed` are the holds with a draft in quarantine."""
        names = set()
        hold_id = hold_named(entry) if entry.kind is EntryKind.HELD else None
        hold = None if hold_id is None else self.ledger.hold(hold_id)
        # One that ended has a draft where a legal hold kept it then, or where it could not be destroyed.
        if hold is not None and hold.entry_id == entry.id and (hold.state in DECIDABLE or hold.id in sealed):
            names.add(HOLD)
        if files and (mark := mark_named(entry)) is not None:
            algorithm, key_id, mark_id = mark
            if self.ledger.find_mark(algorithm, key_id, int(mark_id)) is not None:
                names.add(WATERMARK)
        if files and asset_digest(entry) is not None and ASSET not in self.ledger.erasures(entry.id):
            names.add(ASSET)
        return frozenset(names)


def _target(
    subject: str, loaded: Sequence[tuple[Entry, Sequence[PersonalField]]], parts: Sequence[ErasedPart]
) -> Target:
    people = people_named(field for _, fields in loaded for field in fields)
    return Target(subject, tuple(parts), people)
