"""What policy is told of a run, as everything stands at that moment: its base by the register, its datasets by the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from governance.canonical import Digest, Json
from governance.datasets.audit_entries import PRINCIPAL_FIELD
from governance.datasets.standing import DatasetStanding, dataset_standing
from governance.entries import Entry
from governance.errors import DatasetChangedError
from governance.ports import Ledger
from governance.registers.item_checks import RegisterName
from governance.registers.register import Registers
from governance.training.policy_input import Approval, BaseFacts, DatasetFacts, Phase, RunFacts
from governance.training.runs import DatasetUse, RunPlan
from governance.types import Assurance


def run_facts(
    plan: RunPlan, phase: Phase, ledger: Ledger, registers: Registers, *, consumed: Mapping[str, int], now: str
) -> RunFacts:
    """The run as it stands at `now` (RFC 3339); `consumed` counts the contents that were taken, by the datasets' names.

    Raises:
        DatasetChangedError: a dataset was audited again since the plan was made.
        LedgerError: the ledger cannot be read.
    """
    base = registers.standing(RegisterName.MODELS, plan.base, now)
    return RunFacts(
        principal=plan.principal,
        purpose=plan.purpose,
        phase=phase,
        method=plan.method.value,
        lineage=plan.lineage,
        base=BaseFacts(plan.base, base.state.value, base.expires, "" if base.item is None else base.item.licence),
        datasets=[_dataset(use, ledger, consumed.get(use.name, 0)) for use in plan.datasets],
    )


def _dataset(use: DatasetUse, ledger: Ledger, consumed: int) -> DatasetFacts:
    standing = dataset_standing(ledger, use.name)
    if standing.audited.id != use.audited:
        raise DatasetChangedError(
            f"The dataset {use.name!r} was audited again since entry {use.audited}, on which the run stands.",
            remedy="Run again on the newest audit, once it is approved.",
        )
    return DatasetFacts(
        name=use.name,
        state=standing.state.value,
        approvals=_approvals(standing, ledger),
        contents=standing.contents,
        outcomes=standing.outcomes,
        audited=standing.audited.time,
        bundle_revision=Digest(str(standing.audited.body["bundle_revision"])),
        consumed=consumed,
    )


def _approvals(standing: DatasetStanding, ledger: Ledger) -> tuple[Approval, ...]:
    return tuple(_approval(entry, ledger) for entry in standing.approvals)


def _approval(entry: Entry, ledger: Ledger) -> Approval:
    """Who approved, empty where it was erased; the roles and how well they are known stand in the clear."""
    person = next((field.value for field in ledger.fields(entry.id) if field.name == PRINCIPAL_FIELD), "")
    by = entry.body.get("principal")
    said: Mapping[str, Json] = by if isinstance(by, Mapping) else {}
    roles = said.get("roles")
    named = tuple(map(str, roles)) if isinstance(roles, Sequence) and not isinstance(roles, str) else ()
    return Approval(str(person), named, Assurance(str(said.get("assurance"))))
