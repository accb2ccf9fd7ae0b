"""What is to be erased, what was, and what was kept and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from governance.canonical import Json, canonical_bytes
from governance.entries import ErasedPart
from governance.erasure import ASSET, HOLD, WATERMARK, grouped, rows_named

FIELDS: Final = "fields"
RECORDS: Final = "records"
_COUNTED: Final[Mapping[str, str]] = {WATERMARK: "watermarks", ASSET: "files", HOLD: "holds"}


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be erased beside the entries of one subject, newest entry first, and whom those entries name."""

    subject: str
    parts: tuple[ErasedPart, ...]
    people: frozenset[str]

    @property
    def size(self) -> int:
        """Bytes that its parts take in an entry, at most."""
        return len(canonical_bytes({entry_id: list(names) for entry_id, names in grouped(self.parts).items()}))


@dataclass(frozen=True, slots=True)
class Kept:
    """What was not erased: a generation, or another subject of entries, and why. `legal_hold` is what keeps it, if one does."""

    subject: str
    why: str
    legal_hold: str = ""


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """What was erased, or with `dry_run` would be.

    `entries` are the ids of the `erased` entries; `subjects` counts the generations, or other subjects of entries, beside
    which something was erased; `fields`, `watermarks`, `files`, `holds`, and `records` of audits count what.
    """

    entries: tuple[str, ...]
    subjects: int
    fields: int
    watermarks: int
    files: int
    holds: int
    records: int
    kept: tuple[Kept, ...]
    dry_run: bool = False

    def as_json(self) -> dict[str, Json]:
        """For programs."""
        return {
            "dry_run": self.dry_run,
            "entries": list(self.entries),
            "erased": {
                "subjects": self.subjects,
                "fields": self.fields,
                "watermarks": self.watermarks,
                "files": self.files,
                "holds": self.holds,
                "records": self.records,
            },
            "kept": [
                {"subject": each.subject, "why": each.why, "legal_hold": each.legal_hold or None} for each in self.kept
            ],
        }


@dataclass(slots=True)
class Told:
    """What one act of erasure comes to so far. `act` is the subject of its entries."""

    act: str
    dry_run: bool
    entries: list[str] = field(default_factory=list)
    kept: dict[str, Kept] = field(default_factory=dict)
    subjects: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    def keep(self, kept: Kept) -> None:
        """Note what stays, and why."""
        self.kept[kept.subject] = kept

    def count(self, targets: Iterable[Target]) -> None:
        """Note what is gone."""
        for target in targets:
            self.subjects.add(target.subject)
            for part in target.parts:
                if (rows := rows_named(part.name)) is not None:
                    self.counts[RECORDS] += len(rows)
                else:
                    self.counts[_COUNTED.get(part.name, FIELDS)] += 1

    def report(self) -> ErasureReport:
        """All of it."""
        counts = {name: self.counts[name] for name in (FIELDS, *_COUNTED.values(), RECORDS)}
        kept = tuple(self.kept.values())
        return ErasureReport(tuple(self.entries), len(self.subjects), **counts, kept=kept, dry_run=self.dry_run)
