"""From a licence, a dataset, a record, a model or a LoRA to all that was made from it: datasets, models, LoRAs and files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from governance.errors import NoDatasetError, ProofError, RecallError
from governance.lineage.audits import Audit, audits, counted
from governance.lineage.matching import AuditFiles, Match, names_licence
from governance.lineage.models_in_use import ModelInUse, models_in_use
from governance.lineage.once_stated import is_licence_named, once_stated
from governance.lineage.recall_entries import Cause, RecallBy, Targets
from governance.lineage.releases import Release
from governance.ports import Ledger
from governance.registers.item_checks import RegisterName
from governance.registers.items import Contract, RegisteredAdapter, RegisteredModel
from governance.registers.register import Registers
from governance.training.entries import ConsumedPart, Trained, consumed_of, trained
from governance.training.runs import ResultKind

_PAGE: Final = 5000
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Descendants:
    """All that descends from a cause, each with why it does; `releases` have the key of the model or LoRA that made them.

    `gaps` are what could not be looked at, one sentence each: what is behind one may be missing here.
    """

    cause: Cause
    datasets: tuple[tuple[Audit, str], ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    adapters: Mapping[str, str] = field(default_factory=dict)
    releases: tuple[tuple[Release, str], ...] = ()
    gaps: tuple[str, ...] = ()

    @property
    def targets(self) -> Targets:
        """What a recall of it names."""
        return Targets(
            tuple(audit.named for audit, _ in self.datasets),
            tuple(self.models),
            tuple(self.adapters),
            tuple(release.entry for release, _ in self.releases),
        )

    def why(self, through: str) -> str:
        """Why what this model or LoRA made is a descendant."""
        kind, said = ("LoRA", self.adapters) if through in self.adapters else ("model", self.models)
        return f"made with {kind} {through}: {said[through]}"


def descendants(ledger: Ledger, cause: Cause, files: AuditFiles, registers: Registers | None = None) -> Descendants:
    """Everything on record that descends from `cause`, so far as ledger and audit files say it.

    Where the files of an audit are not there, every run that consumed its dataset counts, whatever it took of it.

    Raises:
        NoDatasetError: there never was an audit of the dataset that is to be recalled.
        RecallError: no model or LoRA of this key or digest was ever registered, trained or used; nothing on record names the
            licence; or the record is no digest.
        LedgerError: the ledger cannot be read.
        DatasetError: an audit's files are damaged.
    """
    descent = _Descent(ledger, cause, files, registers or Registers(ledger))
    descent.begin()
    while descent.follow():
        pass
    return descent.ended()


class _Descent:
    """Grows the sets of datasets, models and LoRAs until nothing is added, then reads what the models released."""

    def __init__(self, ledger: Ledger, cause: Cause, files: AuditFiles, registers: Registers) -> None:
        self._ledger, self._cause, self._files = ledger, cause, files
        self._items = [
            each.item
            for register in (RegisterName.MODELS, RegisterName.ADAPTERS)
            for each in registers.list(register, withdrawn=True)
        ]
        contracts = [each.item for each in registers.list(RegisterName.CONTRACTS, withdrawn=True)]
        self._match = Match(cause, _granting(cause, contracts))
        self._runs = tuple(trained(ledger))
        self._datasets: dict[str, tuple[Audit, str]] = {}
        """By the entry of the audit: two audits of the same records may have allowed others of them."""
        self._models: dict[str, str] = {}
        self._adapters: dict[str, str] = {}
        self._gaps: dict[str, None] = {}
        self._named = cause.by is RecallBy.LICENCE and is_licence_named(ledger, cause.value)
        """Whether anything on record names the licence, if it is one that is recalled."""
        self._in_use: Sequence[ModelInUse] = ()

    def begin(self) -> None:
        """What the cause itself is, or names."""
        by, value = self._cause.by, self._cause.value
        if by is RecallBy.RECORD and not _DIGEST.fullmatch(value):
            raise RecallError(f"{value[:80]!r} is no record.", remedy="Give the SHA-256 of its bytes, 64 digits.")
        self._in_use = tuple(models_in_use(self._ledger))
        if by is RecallBy.MODEL:
            self._models[value] = "it is what is recalled"
        elif by is RecallBy.ADAPTER:
            self._adapters[value] = "it is what is recalled"
        else:
            for audit in audits(self._ledger, value if by is RecallBy.DATASET else None):
                if why := self._why(audit):
                    self._datasets[audit.entry.id] = audit, why
        if by is RecallBy.DATASET and not self._datasets:
            raise NoDatasetError(f"There is no audit of a dataset {value!r}.", remedy="`governance dataset list`.")
        if by in (RecallBy.MODEL, RecallBy.ADAPTER) and not self._is_known(value):
            raise RecallError(
                f"No {by.value} {value} was ever registered, trained or used here.",
                remedy="`governance registers list models` and `... adapters` show keys and digests.",
            )
        if by is RecallBy.LICENCE and not (self._gaps or self._named):
            raise RecallError(
                f"No audit, no registration and no contract on record names a licence {value!r}.",
                remedy="Write it as they do, in SPDX, such as CC-BY-4.0: `governance lineage` shows the licences of a file.",
            )

    def follow(self) -> bool:
        """Add what descends from what is there by now; whether anything was added."""
        before = len(self._models) + len(self._adapters)
        for run in self._runs:
            made = self._models if run.result.kind is ResultKind.MODEL else self._adapters
            if run.result.digest not in made and (why := self._of_run(run)):
                made[run.result.digest] = why
        for item in self._items:
            if isinstance(item, RegisteredModel | RegisteredAdapter):
                known = self._models if isinstance(item, RegisteredModel) else self._adapters
                if item.key not in known and (why := self._of_item(item)):
                    known[item.key] = why
        return len(self._models) + len(self._adapters) > before

    def ended(self) -> Descendants:
        """All of it, with what the models released, and what was once registered as part of it."""
        known = {*self._models, *self._adapters, *self._match.contracts}
        once = once_stated(self._ledger, self._match, self._models, known)
        return Descendants(
            self._cause,
            tuple(self._datasets.values()),
            self._models,
            self._adapters,
            tuple(self._releases()),
            (*self._gaps, *once),
        )

    def _why(self, audit: Audit) -> str:
        """Why an audit is of a dataset that the cause is about; empty where it is not."""
        if self._match.every:
            return "it is what is recalled"
        if self._cause.by is RecallBy.RECORD:
            leaves = self._files.leaves(audit, self._match)
            if leaves is None:
                self._gaps[
                    f"whether audit {audit.entry.id} of dataset {audit.name} holds the record: its files are not here"
                ] = None
            return "it holds the record" if leaves else ""
        report = audit.report(self._ledger)
        if report is None:
            self._gaps[f"which licences dataset {audit.name} has: the report of {audit.entry.id} is not kept"] = None
            return ""
        self._named = self._named or any(names_licence(name, self._cause.value) for name in counted(report, "licences"))
        said = self._match.of_report(report)
        return f"it has {said}" if said else ""

    def _of_run(self, run: Trained) -> str:
        """Why what a run made descends from what is there; empty where it does not."""
        audited = {use.name: use.audited for use in run.datasets}
        for part in run.consumed:
            found = self._datasets.get(audited.get(part.name, ""))
            if found is not None and (taken := self._taken(part, found[0])):
                return f"run {run.run} ({run.lineage.value}) consumed {taken} of dataset {part.name}: {found[1]}"
        if run.base in self._models:
            return f"run {run.run} ({run.lineage.value}) changed model {run.base}"
        return ""

    def _taken(self, part: ConsumedPart, audit: Audit) -> str:
        """How much a run took of what the cause is about, in words; empty for nothing."""
        if self._match.every:
            return f"{part.contents} contents"
        leaves = self._files.leaves(audit, self._match)
        if leaves is None:
            self._gaps[
                f"which records of dataset {part.name} its runs consumed: the files of audit {audit.entry.id} are not "
                "here, so that every run of it counts"
            ] = None
            return "an unknown part"
        try:
            consumed = consumed_of(self._ledger, part)
        except ProofError as error:
            self._gaps[f"what a run consumed of dataset {part.name}, so that it counts: {error}"] = None
            return "an unknown part"
        count = sum(index in consumed for index in leaves)
        return f"{count} of the contents in question" if count else ""

    def _of_item(self, item: RegisteredModel | RegisteredAdapter) -> str:
        """Why a registration says that this descends from what is there; empty where it does not."""
        licence = self._cause.value if self._cause.by is RecallBy.LICENCE else ""
        if licence and names_licence(item.licence, licence):
            return f"it is registered under {item.licence}"
        if item.contract and item.contract in self._match.contracts:
            return f"it is registered under contract {item.contract}"
        if isinstance(item, RegisteredAdapter) and item.base in self._models:
            return f"it is registered as made for model {item.base}"
        consumed = {part.name for run in self._runs if run.result.digest == item.key for part in run.consumed}
        names = dict.fromkeys(audit.name for audit, _ in self._datasets.values())
        stated = [name for name in names if name in item.datasets and name not in consumed]
        return f"its registration states that it comes from dataset {stated[0]}" if stated else ""

    def _releases(self) -> Iterator[tuple[Release, str]]:
        for use in self._in_use:
            through = next((each for each in use.parts if each in self._models or each in self._adapters), None)
            if through is not None:
                after = -1
                while page := self._ledger.released_by(use.digest, after=after, limit=_PAGE):
                    after = page[-1][0]
                    yield from ((release, through) for _, release in page)

    def _is_known(self, value: str) -> bool:
        return (
            any(item.key == value for item in self._items)
            or any(value in (run.result.digest, run.base) for run in self._runs)
            or any(value in use.parts for use in self._in_use)
        )


def _granting(cause: Cause, contracts: Sequence[object]) -> frozenset[str]:
    """The contracts that grant the licence which is recalled."""
    if cause.by is not RecallBy.LICENCE:
        return frozenset()
    return frozenset(
        each.key for each in contracts if isinstance(each, Contract) and names_licence(each.licence, cause.value)
    )
