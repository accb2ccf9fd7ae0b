"""Fills `Sources` from the ledger, the registers, the audits and the runs: the one place where documents meet them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from governance.canonical import Digest, Json, parsed_json
from governance.checkpoint import parse_checkpoint
from governance.datasets.records import DatasetRecord
from governance.datasets.report import dataset_report
from governance.datasets.standing import DatasetStanding, DatasetState, dataset_standing
from governance.documents.figures import Figures
from governance.documents.named import Named
from governance.documents.sources import (
    AuditFile,
    Basis,
    Cited,
    ContractSource,
    DatasetSource,
    How,
    ModelSource,
    RunSource,
    Sources,
    Use,
    VendorSource,
)
from governance.entries import Entry
from governance.errors import DocumentError, NoDatasetError
from governance.lineage.audits import audit_of
from governance.lineage.recall_entries import recalling
from governance.ports import Ledger
from governance.registers.item_checks import RegisterName
from governance.registers.items import Contract, RegisteredAdapter, RegisteredModel, Vendor
from governance.registers.register import Registers
from governance.training.entries import ConsumedPart, Trained, consumed_of, trained
from governance.training.runs import Consumed
from governance.types import Outcome, utc_now

SUPERSEDED = "superseded"
"""The state of an audit that is not its dataset's newest."""

WITHDRAWN = "withdrawn"
"""The state of a contract that the register does not have any more."""


class Audits(Protocol):
    """Reads what audits keep outside the ledger, as far as it is there."""

    def files(self, standing: DatasetStanding) -> Sequence[AuditFile]:
        """The files of this audit that may be named in a document; none where its folder is gone."""

    def records(self, standing: DatasetStanding) -> Iterable[DatasetRecord] | None:
        """The records of this audit in the order of content, then id, checked against its leaves; None where they are gone.

        Raises:
            DatasetChangedError: they are not what was signed.
        """


class NoAudits:
    """Reads nothing: documents then say what the ledger says alone."""

    def files(self, standing: DatasetStanding) -> Sequence[AuditFile]:
        """None."""
        del standing
        return ()

    def records(self, standing: DatasetStanding) -> Iterable[DatasetRecord] | None:
        """None."""
        del standing
        return None


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Gathers what one document may say.

    `provider` is the setting of that name, `maker` the program and its version.
    """

    ledger: Ledger
    registers: Registers
    audits: Audits
    provider: str
    maker: str

    def gather(self, named: Named, made: str = "") -> Sources:
        """The sources of a document about what `named` found, made at `made` (RFC 3339 in UTC; empty: at this moment).

        Raises:
            DocumentError: a record that is needed is gone, or cannot be read.
            DatasetError: an audit cannot be read.
            LedgerError: the ledger cannot be read.
        """
        sources = Sources(self._basis(made or utc_now()), provider=self.provider)
        if named.dataset:
            standing = dataset_standing(self.ledger, named.dataset)
            dataset = replace(self._dataset(standing), files=tuple(self.audits.files(standing)))
            sources = self._with_contracts(replace(sources, dataset=dataset))
        else:
            sources = self._of_model(sources, named)
        return replace(sources, basis=self._basis(sources.basis.made))

    def _basis(self, made: str) -> Basis:
        """The log as it is now. It is asked last: every entry that a document cites is among those that its root is over."""
        checkpoint = parse_checkpoint(self.ledger.checkpoint())
        return Basis(checkpoint.origin, checkpoint.size, checkpoint.root.hex(), made, self.maker)

    def _of_model(self, sources: Sources, named: Named) -> Sources:
        model = self._model(named.register, named.key)
        if model is None:
            raise DocumentError(
                f"The register of {named.register.value} has no {named.key}.",
                remedy=f"`governance registers list {named.register.value}` shows what it has.",
            )
        item = model.item
        uses = tuple(self._uses(model))
        runs = [use.run for use in uses if use.run is not None]
        base = item.base if isinstance(item, RegisteredAdapter) else ""
        base = base or next((run.base for run in runs if run.base), "")
        return self._with_contracts(
            replace(
                sources,
                model=model,
                uses=uses,
                base=self._model(RegisterName.MODELS, base) if base else None,
                vendor=self._vendor(item.vendor),
                contract=self._contract(item.contract),
            )
        )

    def _model(self, register: RegisterName, key: str) -> ModelSource | None:
        found = self.registers.find(register, key)
        if found is None or not isinstance(found.item, RegisteredModel | RegisteredAdapter):
            return None
        state = self.registers.standing(register, key, utc_now()).state
        return ModelSource(found.item, state.value, Cited.of(found.entry))

    def _vendor(self, key: str) -> VendorSource | None:
        found = self.registers.find(RegisterName.VENDORS, key) if key else None
        if found is None or not isinstance(found.item, Vendor):
            return None
        return VendorSource(replace(found.item, contact=""), Cited.of(found.entry), withdrawn=found.withdrawn)

    def _contract(self, key: str) -> ContractSource | None:
        found = self.registers.find(RegisterName.CONTRACTS, key) if key else None
        if found is None or not isinstance(found.item, Contract):
            return None
        state = WITHDRAWN if found.withdrawn else self.registers.contract_state(key, utc_now()).value
        return ContractSource(found.item, Cited.of(found.entry), state)

    def _with_contracts(self, sources: Sources) -> Sources:
        """With the contracts that records name, as far as the register has them."""
        figures = [use.figures for use in sources.uses if use.figures is not None]
        if sources.dataset is not None:
            figures.append(sources.dataset.figures)
        keys = sorted({key for each in figures for key, count in each.contracts.items() if count})
        contracts = [self._contract(key) for key in keys]
        return replace(sources, contracts=tuple(each for each in contracts if each is not None))

    def _uses(self, model: ModelSource) -> Iterator[Use]:
        """The datasets of every run whose result this is, then those that only the register names."""
        item = model.item
        names = set()
        for run in trained(self.ledger):
            if run.result.digest == item.key:
                source = self._run(run)
                for part in run.consumed:
                    names.add(part.name)
                    yield self._consumed(run, source, part)
        for name in item.datasets:
            if name not in names:
                yield Use(name, How.STATED, model.entry, self._newest(name))

    def _run(self, run: Trained) -> RunSource:
        started = self.ledger.entry(run.started)
        return RunSource(
            run.run,
            run.method.value,
            run.lineage.value,
            run.purpose,
            run.base,
            Cited.of(started),
            Cited.of(run.entry),
            self._settings(started),
            str(run.result.file),
        )

    def _settings(self, started: Entry) -> Mapping[str, Json]:
        content = self.ledger.document(Digest(str(started.body.get("settings"))))
        value: Any = None if content is None else parsed_json(content)
        if not isinstance(value, Mapping):
            raise DocumentError(
                f"The settings of run {started.subject} are not kept beside entry {started.id}.",
                remedy="Restore the ledger from its backup.",
            )
        return value

    def _consumed(self, run: Trained, source: RunSource, part: ConsumedPart) -> Use:
        how = How(run.lineage.value)
        used = next((each for each in run.datasets if each.name == part.name), None)
        if used is None:
            raise DocumentError(
                f"Run {run.run} consumed of {part.name}, and names no audit of it.",
                remedy="Run `governance ledger verify`.",
            )
        standing = self._audit(part.name, used.audited)
        consumed = self._figures(standing, consumed_of(self.ledger, part))
        return Use(
            part.name,
            how,
            Cited.of(run.entry),
            self._dataset(standing),
            source,
            part.contents,
            part.records,
            consumed,
        )

    def _audit(self, name: str, entry_id: str) -> DatasetStanding:
        """The standing of exactly this audit, which need not be the newest of its dataset."""
        newest = dataset_standing(self.ledger, name)
        if newest.audited.id == entry_id:
            return newest
        audit = audit_of(self.ledger, entry_id)
        if audit is None:
            raise DocumentError(
                f"The audit {entry_id} of dataset {name} is not in the ledger.",
                remedy="Run `governance ledger verify`.",
            )
        entry = audit.entry
        body: Any = entry.body
        return DatasetStanding(
            name=name,
            audited=entry,
            index=self.ledger.receipt(entry_id).index,
            root=Digest(body["root"]),
            contents=body["contents"],
            records=body["records"],
            outcomes={outcome: body["outcomes"][outcome.value] for outcome in Outcome},
            approvals=audit.approvals,
            state=newest.state,
            changed=newest.changed,
        )

    def _newest(self, name: str) -> DatasetSource | None:
        try:
            return self._dataset(dataset_standing(self.ledger, name))
        except NoDatasetError:
            return None

    def _dataset(self, standing: DatasetStanding) -> DatasetSource:
        report: Any = dataset_report(self.ledger, standing)
        return DatasetSource(
            name=standing.name,
            audited=Cited.of(standing.audited),
            root=standing.root,
            contents=standing.contents,
            records=standing.records,
            state=self._state(standing),
            report=standing.report,
            figures=Figures.of_report(report),
            purpose=str(report["purpose"]),
            source_kind=str(report["source"]["kind"]),
            fingerprint=str(report["source"]["fingerprint"]),
            detectors=tuple(str(each["name"]) for each in report["detectors"]),
            approvals=tuple(Cited.of(entry) for entry in standing.approvals),
        )

    def _state(self, standing: DatasetStanding) -> str:
        """Where exactly this audit stands now."""
        if recalling(self.ledger, standing.audited.id) is not None:
            return DatasetState.RECALLED.value
        newest = dataset_standing(self.ledger, standing.name)
        return newest.state.value if newest.audited.id == standing.audited.id else SUPERSEDED

    def _figures(self, standing: DatasetStanding, consumed: Consumed) -> Figures | None:
        """The figures of what was consumed; None where the records are gone, or are not as many as the run counted."""
        records = self.audits.records(standing)
        if records is None:
            return None
        figures = Figures.of_records(_taken(records, consumed))
        same = (figures.records, figures.contents) == (consumed.records, consumed.contents)
        return figures if same else None


def _taken(records: Iterable[DatasetRecord], consumed: Consumed) -> Iterator[DatasetRecord]:
    """The allowed records whose content is a leaf that was consumed; leaves are the distinct contents, in order."""
    leaf, before = -1, ""
    for record in records:
        if not record.content:
            continue
        if record.content != before:
            leaf, before = leaf + 1, record.content
        if leaf in consumed and record.outcome is Outcome.ALLOW:
            yield record
