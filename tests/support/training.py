"""An installation with an audited dataset of real pictures, and who approves and who trains."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from governance.canonical import Digest, canonical_bytes, digest
from governance.datasets.audit_entries import Audited, approved_record, audited_record, withdrawn_record
from governance.datasets.records import Basis, DatasetRecord
from governance.datasets.standing import DatasetStanding, dataset_standing
from governance.entries import Entry, EntryKind
from governance.types import Outcome, Principal
from governance_adapters.installation import initialise, ledger_for_appending
from governance_adapters.policy.bundle import Bundle
from governance_adapters.reference.training_set import METADATA
from governance_adapters.settings import Settings
from support.audited import write_audit

COUNSEL = Principal("counsel@example.org", ("counsel",))
DESIGNER = Principal("designer@example.org", ("designer",))


@dataclass(frozen=True, slots=True)
class Atelier:
    """An installation in a folder, and what is done in it."""

    settings: Settings

    @classmethod
    def make(cls, folder: Path) -> Atelier:
        settings = Settings.load(home=folder, purpose="marketing")
        initialise(settings)
        return cls(settings)

    def audited(self, name: str, source: Path, *, outcome: Outcome = Outcome.ALLOW, time: str = "") -> DatasetStanding:
        """An audit, written by hand, of an image folder with `metadata.jsonl`."""
        lines = map(json.loads, (source / METADATA).read_text().splitlines())
        records = [_record(source, line, outcome) for line in lines]
        with ledger_for_appending(self.settings) as ledger:
            audited = Audited(
                name,
                root=digest(b"not written yet"),
                contents=len(records),
                records=len(records),
                outcomes={outcome: len(records)},
                report=canonical_bytes({"version": 1, "name": name}),
                combinations=b"[]",
                bundle_revision=Bundle.load(self.settings.bundle_path).revision,
            )
            folder = self.settings.datasets_path / name / audited.audit
            folder.parent.mkdir(parents=True, exist_ok=True)
            head = write_audit(folder, records, name=name, root=source)
            audited = replace(audited, root=Digest(head.root.hex()), contents=head.size)
            record = audited_record(audited, COUNSEL)
            ledger.append(replace(record, entry=replace(record.entry, time=time)) if time else record)
            return dataset_standing(ledger, name)

    def approve(self, name: str, by: Principal = COUNSEL) -> None:
        with ledger_for_appending(self.settings) as ledger:
            ledger.append(approved_record(dataset_standing(ledger, name).audited, by))

    def withdraw(self, name: str) -> None:
        with ledger_for_appending(self.settings) as ledger:
            ledger.append(withdrawn_record(dataset_standing(ledger, name).audited, COUNSEL))

    def entries(self, *kinds: EntryKind) -> list[Entry]:
        with ledger_for_appending(self.settings) as ledger:
            return [entry for _, entry in ledger.entries(limit=1000) if not kinds or entry.kind in kinds]


def _record(source: Path, line: dict[str, str], outcome: Outcome) -> DatasetRecord:
    content = (source / line["file_name"]).read_bytes()
    return DatasetRecord(
        line["id"],
        digest(content),
        Basis.COMPUTED,
        location=line["file_name"],
        media_type="image/png",
        size=len(content),
        caption=line["caption"],
        licence=line["licence"],
        licence_stated=line["licence"],
        source=line["source"],
        outcome=outcome,
    )
