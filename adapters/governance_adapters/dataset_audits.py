"""Settings and a source to a recorded audit: where sources, eyes, policy, registers and the ledger meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from governance.canonical import Json
from governance.datasets.audit_entries import approved_record, audited_record, withdrawn_record
from governance.datasets.records import checked_name
from governance.datasets.rights import DoNotTrain, do_not_train
from governance.datasets.standing import DatasetStanding, DatasetState, dataset_standing
from governance.entries import Entry, Record
from governance.errors import DatasetError, LedgerError, NoDatasetError
from governance.in_force import RecordedPolicy
from governance.ports import Ledger, PolicyEngine
from governance.registers.item_checks import RegisterName, moment
from governance.registers.items import Contract
from governance.registers.register import Registers
from governance.registers.standing import ContractState
from governance.types import Principal, utc_now
from governance_adapters.auditing import eyes_for
from governance_adapters.datasets.audit.folders import AuditFolder, begun, locked, unfinished
from governance_adapters.datasets.audit.plan import AuditPlan
from governance_adapters.datasets.audit.running import Progress, run_audit
from governance_adapters.datasets.engine.runner import Engine, running
from governance_adapters.datasets.rights.signals import open_signals
from governance_adapters.datasets.sources.opening import open_source
from governance_adapters.datasets.sources.source import SourceForm
from governance_adapters.engines import open_policy
from governance_adapters.settings import Settings


@dataclass(frozen=True, slots=True)
class Asked:
    """What an audit is asked to do.

    `columns` and `defaults` are keyed by the fields of a record (`governance_adapters.datasets.sources.source.FIELDS`).
    `opt_outs` are do-not-train lists; `signals` is a folder of snapshots. `look`: read the images; `detectors`: let the
    detectors score them and find watermarks. `as_of` (RFC 3339) is judged at; empty is now. `workers` read side by side.
    `rows` is the most records of a part; 0: the usual number.
    """

    location: str
    name: str
    form: SourceForm = SourceForm.AUTO
    columns: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    opt_outs: Sequence[Path] = ()
    signals: Path | None = None
    purpose: str = ""
    look: bool = True
    detectors: bool = True
    as_of: str = ""
    engine: Engine = Engine.NATIVE
    workers: int = 1
    rows: int = 0
    afresh: bool = False


def audit_dataset(
    settings: Settings,
    asked: Asked,
    by: Principal,
    ledger: Ledger,
    *,
    policy: PolicyEngine | None = None,
    progress: Progress = lambda step, done, total: None,  # noqa: ARG005
) -> DatasetStanding:
    """Audit a dataset and record it; one that was interrupted goes on. Returns where the dataset stands then.

    `policy` takes the place of the engine that the settings name.

    Raises:
        DatasetChangedError: the dataset changed while it was read, or since an interrupted audit of it began.
        DatasetError: it cannot be read, or is being audited by somebody else.
        PolicyError: policy cannot decide.
        LedgerError: the audit cannot be recorded: it goes on from there the next time.
        GovernanceError: something else that an audit needs does not work.
    """
    plan = planned(settings, asked, ledger)
    with locked(settings.datasets_path, asked.name) as place:
        if (done := _recorded_before(place, plan, ledger, afresh=asked.afresh)) is not None:
            return done
        folder = begun(place, plan, afresh=asked.afresh)
        engine = RecordedPolicy(policy or open_policy(settings), ledger)
        with running(asked.engine, asked.workers) as daft:
            audited = run_audit(
                plan, folder, engine, daft, engine=asked.engine, workers=asked.workers, progress=progress
            )
        before = _newest(ledger, asked.name)
        _append(ledger, audited_record(audited, by, None if before is None else before.audited))
        folder.finish()
    return dataset_standing(ledger, asked.name)


def planned(settings: Settings, asked: Asked, ledger: Ledger) -> AuditPlan:
    """The plan of an audit: its source is open, its lists are read, and the contracts' states are known.

    Raises:
        GovernanceError: as `audit_dataset`.
    """
    checked_name(asked.name)
    purpose = asked.purpose or settings.purpose
    if not purpose:
        raise DatasetError(
            "Rights are judged for a purpose, and none is named.",
            remedy="Give --purpose, or set `purpose`, by one of the names that the policy bundle has.",
        )
    source = open_source(
        asked.location, form=asked.form, columns=asked.columns, defaults=asked.defaults, rows=asked.rows
    )
    as_of = moment(asked.as_of) if asked.as_of else utc_now()
    eyes = eyes_for(settings, detectors=asked.detectors, embedding=asked.detectors) if asked.look else None
    options: dict[str, Json] = {
        "columns": dict(asked.columns),
        "defaults": dict(asked.defaults),
        "as_of": asked.as_of,
        "rows": asked.rows,
    }
    return AuditPlan(
        name=asked.name,
        source=source,
        as_of=as_of,
        options=options,
        purpose=purpose,
        eyes=eyes,
        detectors=() if eyes is None else eyes.open().described(),
        listed=_listed(asked.opt_outs),
        signals=None if asked.signals is None else open_signals(asked.signals.absolute()),
        contracts=_contracts(ledger, as_of, asked.name),
    )


def approve(ledger: Ledger, name: str, by: Principal, *, comment: str = "", audited: str = "") -> DatasetStanding:
    """Record that `by` approves of the newest audit; `audited` is its entry, where the caller wants no other one.

    Raises:
        NoDatasetError: there is no audit of this name.
        DatasetError: the newest audit is another one, was recalled, or `by` approved of it already.
        LedgerError: the ledger cannot be written; nothing was approved.
    """
    standing = _wanted(ledger, name, audited)
    if standing.state is DatasetState.RECALLED:
        raise DatasetError(
            f"The audit of {name} was recalled by entry {standing.changed.id}.",
            remedy="Audit the dataset again: a recalled audit is never approved.",
        )
    return _acted(ledger, name, approved_record(standing.audited, by, comment))


def withdraw(ledger: Ledger, name: str, by: Principal, *, comment: str = "", audited: str = "") -> DatasetStanding:
    """Record that every approval of the newest audit is void: runs that are not finished are refused.

    Raises:
        NoDatasetError: there is no audit of this name.
        DatasetError: the newest audit is another one, or nobody approved of it.
        LedgerError: the ledger cannot be written; nothing was withdrawn.
    """
    standing = _wanted(ledger, name, audited)
    if not standing.approvals:
        raise DatasetError(f"No approval of {name} stands.", remedy="There is nothing to withdraw.")
    return _acted(ledger, name, withdrawn_record(standing.audited, by, comment))


def _wanted(ledger: Ledger, name: str, audited: str) -> DatasetStanding:
    standing = dataset_standing(ledger, name)
    if audited and standing.audited.id != audited:
        raise DatasetError(
            f"The newest audit of {name} is entry {standing.audited.id}, not {audited}.",
            remedy="Look at the new audit first: `governance dataset show`.",
        )
    return standing


def _acted(ledger: Ledger, name: str, record: Record) -> DatasetStanding:
    _append(ledger, record)
    return dataset_standing(ledger, name)


def _append(ledger: Ledger, record: Record) -> Entry:
    receipt = ledger.append(record)
    if receipt.leaf != record.entry.leaf():
        raise LedgerError(
            f"The ledger answered with a receipt for another entry than {record.entry.id}.",
            remedy="Run `governance ledger verify`.",
        )
    return record.entry


def _recorded_before(place: Path, plan: AuditPlan, ledger: Ledger, *, afresh: bool) -> DatasetStanding | None:
    """The standing by an audit that was recorded and whose folder was not cleared any more, if that is the one asked for."""
    newest = _newest(ledger, plan.name)
    for folder in unfinished(place):
        if newest is None or newest.audit != folder.journal.audit:
            continue
        folder.finish()
        if not afresh and _same(folder, plan):
            return newest
    return None


def _same(folder: AuditFolder, plan: AuditPlan) -> bool:
    return (folder.journal.plan, folder.journal.fingerprint) == (plan.digest(), plan.source.fingerprint())


def _newest(ledger: Ledger, name: str) -> DatasetStanding | None:
    try:
        return dataset_standing(ledger, name)
    except NoDatasetError:
        return None


def _listed(files: Sequence[Path]) -> DoNotTrain:
    listed = DoNotTrain()
    for path in files:
        try:
            listed |= do_not_train(path.read_text("utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(
                f"The do-not-train list {path} cannot be read: {error}.", remedy="Give a file of text, in UTF-8."
            ) from error
    return listed


def _contracts(ledger: Ledger, as_of: str, dataset: str) -> dict[str, ContractState]:
    """The states of contracts by their keys. One that does not cover the dataset is as good as unknown, whatever records say."""
    registers = Registers(ledger)
    return {
        each.item.key: registers.contract_state(each.item.key, as_of)
        for each in registers.list(RegisterName.CONTRACTS, withdrawn=True)
        if isinstance(each.item, Contract) and each.item.covers(dataset)
    }
