"""An audit from its beginning to its signed root, readable top to bottom: read, join, judge, sort, count, prove.

Each step leaves a file behind, so that an audit that was interrupted goes on where it stopped; and none depends on when, where
or on which engine it ran, so that it then ends like one that was not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from governance.canonical import Digest, Json, canonical_bytes
from governance.datasets.audit_entries import Audited
from governance.datasets.combinations import Judge, Judged
from governance.datasets.leaves import SaltKey
from governance.datasets.report import REPORT_VERSION
from governance.errors import DatasetChangedError, DatasetError
from governance.ports import PolicyEngine
from governance_adapters.datasets.audit.folders import COMBINATIONS, REPORT, SOURCE, AuditFolder
from governance_adapters.datasets.audit.plan import AuditPlan
from governance_adapters.datasets.audit.proving import write_proof
from governance_adapters.datasets.engine.counting import counts
from governance_adapters.datasets.engine.reading import Reading
from governance_adapters.datasets.engine.rights import Said, find_rights
from governance_adapters.datasets.engine.runner import Engine
from governance_adapters.datasets.engine.sorting import sort_records
from governance_adapters.datasets.engine.workers import read_parts

Progress = Callable[[str, int, int], None]
"""Told of the step (`read`, `join`, `judge`, `sort`, `count`, `prove`), how far it has come, and how far it goes."""

STEPS: Final = ("read", "join", "judge", "sort", "count", "prove")


def run_audit(
    plan: AuditPlan,
    folder: AuditFolder,
    policy: PolicyEngine,
    daft: Any,
    *,
    engine: Engine = Engine.NATIVE,
    workers: int = 1,
    progress: Progress = lambda step, done, total: None,  # noqa: ARG005
) -> Audited:
    """Audit what `plan` says into `folder`, and say what was found: the caller records it.

    Raises:
        DatasetChangedError: the dataset changed while it was read.
        DatasetError: it has no records, or cannot be read.
        PolicyError: policy cannot decide.
        GovernanceError: a detector does not work, or the disk refuses.
    """
    journal = folder.journal
    files = _read(plan, folder, daft, engine, workers, progress)
    with Judge(policy, time=journal.as_of, purpose=plan.purpose) as judge:
        rights = find_rights(
            daft,
            files,
            Said(plan.listed, plan.signals),
            folder.rights,
            done=_counted(progress, "join", len(files)),
            found=judge.ask,
        )
        combinations = rights.combinations()
        progress("judge", 0, len(combinations))
        judged = judge.judged(combinations)
        progress("judge", len(combinations), len(combinations))
    total = sum(combinations.values())
    progress("sort", 0, total)
    records = sort_records(rights.joined, rights.tables, rights.decisions(judged), folder.path)
    progress("sort", total, total)
    report = canonical_bytes(_report(plan, folder, records, judged))
    progress("count", total, total)
    salts = SaltKey(folder.salts(), plan.name)
    model = "" if plan.eyes is None else plan.eyes.open().model
    head = write_proof(folder.path, records, files, salts, _counted(progress, "prove", total), model)
    folder.write(REPORT, report)
    folder.write(COMBINATIONS, judged.document())
    folder.write(SOURCE, canonical_bytes(_source(plan, folder)))
    return Audited(
        name=plan.name,
        audit=journal.audit,
        root=Digest(head.root.hex()),
        contents=head.size,
        records=total,
        outcomes=judged.outcomes(),
        report=report,
        combinations=judged.document(),
        bundle_revision=judged.bundle_revision,
        purpose=plan.purpose,
    )


def _read(
    plan: AuditPlan, folder: AuditFolder, daft: Any, engine: Engine, workers: int, progress: Progress
) -> list[Path]:
    """The files of the parts, in order, all of which were read from one unchanged source."""
    parts = plan.source.parts()
    total = sum(part.rows for part in parts)
    if not total:
        raise DatasetError(f"{plan.source.location} has no records.", remedy="Name a dataset that has some.")
    journal = folder.journal
    reading = Reading(plan.source, str(folder.parts), journal.as_of, plan.eyes, dict(journal.contracts))
    waiting = [part for part in parts if not reading.path(part).exists()]
    done = total - sum(part.rows for part in waiting)
    progress("read", done, total)
    for rows in read_parts(daft, engine, workers, reading, waiting):
        done += rows
        progress("read", done, total)
    if plan.source.fingerprint() != journal.fingerprint:
        raise DatasetChangedError(
            f"{plan.source.location} was changed while it was read.",
            remedy="See that nobody writes there, then audit with --afresh.",
        )
    return [reading.path(part) for part in parts]


def _report(plan: AuditPlan, folder: AuditFolder, records: Path, judged: Judged) -> dict[str, Json]:
    journal = folder.journal
    counted = counts(records, {key: state.value for key, state in journal.contracts.items()})
    return {
        "version": REPORT_VERSION,
        "name": plan.name,
        "as_of": journal.as_of,
        "purpose": plan.purpose,
        "source": {"kind": journal.kind, "fingerprint": journal.fingerprint},
        "detectors": list(plan.detectors),
        **counted,
        "outcomes": {outcome.value: count for outcome, count in judged.outcomes().items()},
        "reasons": judged.reasons(),
    }


def _source(plan: AuditPlan, folder: AuditFolder) -> dict[str, Json]:
    """Where the records are read again; never a part of what is committed to."""
    return {**folder.journal.as_json(), "options": dict(plan.options), "ignored": list(plan.source.ignored)}


def _counted(progress: Progress, step: str, total: int) -> Callable[[int], None]:
    done = 0

    def more(number: int) -> None:
        nonlocal done
        done += number
        progress(step, done, total)

    return more
