"""Records in a ledger that documents are made from: audits of real records, their reports and folders, runs and registers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from governance.canonical import Digest, canonical_bytes, digest
from governance.datasets.audit_entries import Audited, approved_record, audited_record
from governance.datasets.records import DatasetRecord, SourceKind, Synthetic
from governance.datasets.report import MEMBERS
from governance.datasets.standing import DatasetStanding
from governance.documents.figures import Figures
from governance.documents.sources import AuditFile
from governance.entries import Entry
from governance.ports import Ledger
from governance.types import Outcome, Principal
from support.audited import ordered, record, write_audit

COUNSEL = Principal("counsel@example.org", ("counsel",))


def house_records(count: int = 6, **said: object) -> list[DatasetRecord]:
    """Records of pictures of the house; the last one was denied."""
    known = {
        "media_type": "image/png",
        "width": 64,
        "height": 48,
        "size": 100,
        "source_kind": SourceKind.OWN,
        "synthetic": Synthetic.NO,
        "owner": "Example house",
        "collected": "2025-03-01T00:00:00.000Z",
        "licence": "CC-BY-4.0",
        **said,
    }
    records = [record(number, **known) for number in range(count)]
    denied = record(count, **{**known, "outcome": Outcome.DENY, "reasons": ("training.licence",), "licence": ""})
    return ordered([*records, denied])


def report_of(records: Sequence[DatasetRecord], name: str) -> bytes:
    """The report that an audit of these records makes."""
    figures = Figures.of_records(records)
    plain = {
        each: getattr(figures, each)
        for each in (
            "records", "contents", "bytes", "outcomes", "source_kinds", "consents", "synthetic", "media_types", "opt_outs",
            "personal", "problems", "reasons", "domains", "domain_count", "owners",
        )
    }  # fmt: skip
    members = {
        **dict.fromkeys(MEMBERS, 0),
        **plain,
        "version": 1,
        "name": name,
        "as_of": "2026-11-30T00:00:00.000Z",
        "purpose": "marketing",
        "source": {"kind": "folder", "fingerprint": digest(name.encode())},
        "licences": {each: {"records": count, "allowed": count} for each, count in figures.licences.items()},
        "contracts": {
            each: {"records": count, "allowed": count, "state": "active"} for each, count in figures.contracts.items()
        },
        "collected": {
            "first": figures.first,
            "last": figures.last,
            "missing": figures.undated,
            "future": 0,
            "years": {},
        },
        "widths": {"min": figures.widths[0], "max": figures.widths[1]},
        "heights": {"min": figures.heights[0], "max": figures.heights[1]},
        "detectors": [{"name": "nsfw", "digest": digest(b"weights")}],
    }
    return canonical_bytes(members)


@dataclass
class KeptAudits:
    """The port `Audits` in memory; what is not in it is gone."""

    kept: dict[str, list[DatasetRecord]] = field(default_factory=dict)

    def files(self, standing: DatasetStanding) -> Sequence[AuditFile]:
        if standing.audit not in self.kept:
            return ()
        return (AuditFile("records.parquet", digest(standing.audit.encode()), "application/x-parquet"),)

    def records(self, standing: DatasetStanding) -> Iterable[DatasetRecord] | None:
        return self.kept.get(standing.audit)


def audit(
    ledger: Ledger,
    name: str,
    records: list[DatasetRecord],
    *,
    folder: Path | None = None,
    kept: KeptAudits | None = None,
    approved: bool = True,
) -> Entry:
    """An audit of these records, signed in the ledger; in `folder` with its files, or kept in memory."""
    contents = {each.content for each in records if each.content}
    said = Audited(
        name,
        digest(f"root of {name}".encode()),
        len(contents),
        len(records),
        {outcome: sum(each.outcome is outcome for each in records) for outcome in Outcome},
        report_of(records, name),
        canonical_bytes({"version": 1, "name": name}),
        digest(b"bundle"),
        purpose="marketing",
    )
    if folder is not None:
        place = folder / name / said.audit
        place.parent.mkdir(parents=True, exist_ok=True)
        head = write_audit(place, records, name=name)
        (place / "report.json").write_bytes(said.report)
        said = Audited(**{each: getattr(said, each) for each in said.__slots__} | {"root": Digest(head.root.hex())})
    entry = ledger.append(audited_record(said, COUNSEL)).entry
    if kept is not None:
        kept.kept[said.audit] = records
    if approved:
        ledger.append(approved_record(entry, COUNSEL))
    return entry
