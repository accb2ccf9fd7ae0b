"""What documents are made from: entries, what they say of a model, its runs and its datasets, and nothing else.

A document reads a `Sources` and writes; it asks no ledger. `governance.documents.gathering` fills it, and is the only place
where ledger, registers, audits and runs meet documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from governance.canonical import Digest, Json
from governance.documents.figures import Figures
from governance.entries import Entry
from governance.merkle import leaf_hash
from governance.registers.items import Contract, RegisteredAdapter, RegisteredModel, Vendor


class How(StrEnum):
    """How it is known that a dataset went into a model.

    `witnessed`: its records were handed out by a governed run. `declared`: a governed run says so of a loop that it did not
    see. `stated`: the register names the dataset, and no run is recorded.
    """

    WITNESSED = "witnessed"
    DECLARED = "declared"
    STATED = "stated"


@dataclass(frozen=True, slots=True)
class Cited:
    """An entry that something is known from. `leaf` is its leaf hash, `SHA-256(0x00 || canonical bytes)`, in hexadecimal."""

    id: str
    kind: str
    time: str
    leaf: str

    @classmethod
    def of(cls, entry: Entry) -> Cited:
        """Cite this entry."""
        return cls(entry.id, entry.kind.value, entry.time, leaf_hash(entry.leaf()).hex())

    def as_json(self) -> dict[str, Json]:
        """Its values by name."""
        return {"id": self.id, "kind": self.kind, "time": self.time, "leaf": self.leaf}


@dataclass(frozen=True, slots=True)
class AuditFile:
    """A file of an audit's folder: its name there, its SHA-256 and its media type."""

    name: str
    digest: Digest
    media_type: str


@dataclass(frozen=True, slots=True)
class DatasetSource:
    """One audit of a dataset.

    `state` is where the dataset stands now, `approvals` the entries that approved this audit. `source_kind` and `fingerprint`
    say what was read. `report` is the SHA-256 of the report that `figures` are from. `files` are those of the audit's folder
    that were there when the document was made.
    """

    name: str
    audited: Cited
    root: Digest
    contents: int
    records: int
    state: str
    report: Digest
    figures: Figures
    purpose: str = ""
    source_kind: str = ""
    fingerprint: str = ""
    detectors: tuple[str, ...] = ()
    approvals: tuple[Cited, ...] = ()
    files: tuple[AuditFile, ...] = ()


@dataclass(frozen=True, slots=True)
class RunSource:
    """A governed training run that has a result.

    `base` is the key of the model that it began with; `settings` are the trainer's own. `file` is the SHA-256 of the file that
    holds an adapter, empty where there is none.
    """

    id: str
    method: str
    lineage: str
    purpose: str
    base: str
    started: Cited
    trained: Cited
    settings: Mapping[str, Json] = field(default_factory=dict)
    file: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """That a dataset went into the model, how that is known, and what is known of the dataset.

    `dataset` is None where no audit of this name is recorded. `contents` and `records` are what a run consumed; 0 where no run
    is recorded. `consumed` are the figures of exactly that, None where the audit's records are not there to count: then those
    of the whole audit are all that is known. `said_by` is the entry that names the dataset.
    """

    name: str
    how: How
    said_by: Cited
    dataset: DatasetSource | None = None
    run: RunSource | None = None
    contents: int = 0
    records: int = 0
    consumed: Figures | None = None

    @property
    def figures(self) -> Figures | None:
        """The nearest figures there are: of what was consumed, else of the whole audit, else none."""
        if self.consumed is not None:
            return self.consumed
        return None if self.dataset is None else self.dataset.figures

    @property
    def entries(self) -> tuple[str, ...]:
        """The ids of the entries that this is known from."""
        cited = [self.said_by]
        if self.run is not None:
            cited += [self.run.started, self.run.trained]
        if self.dataset is not None:
            cited.append(self.dataset.audited)
        return tuple(dict.fromkeys(each.id for each in cited))


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model or an adapter as the register has it; `state` is where it stands, `entry` what says so."""

    item: RegisteredModel | RegisteredAdapter
    state: str
    entry: Cited


@dataclass(frozen=True, slots=True)
class VendorSource:
    """A vendor as the register has it, or had it before it was `withdrawn`, without its contact, which is personal."""

    item: Vendor
    entry: Cited
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class ContractSource:
    """A contract as the register has it, or had it; `state` is `active`, `expired` or `withdrawn`."""

    item: Contract
    entry: Cited
    state: str = "active"

    @property
    def told(self) -> str:
        """Its title, with its state where it is not in force any more."""
        return self.item.title if self.state == "active" else f"{self.item.title} ({self.state} now)"


@dataclass(frozen=True, slots=True)
class Basis:
    """What a document stands on: the log, its newest checkpoint, when the document was made and by what program.

    `root` is the RFC 9162 root of the first `size` entries, in hexadecimal. `made` is RFC 3339 in UTC.
    """

    log: str
    size: int
    root: str
    made: str
    maker: str


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that one document may say.

    A document about a model or an adapter has `model`; one about a dataset alone has `dataset`. `provider` is the setting of
    that name. `base` is the model that an adapter or a run began with, `vendor` and `contract` those that the model names.
    """

    basis: Basis
    model: ModelSource | None = None
    dataset: DatasetSource | None = None
    uses: tuple[Use, ...] = ()
    base: ModelSource | None = None
    vendor: VendorSource | None = None
    contract: ContractSource | None = None
    contracts: tuple[ContractSource, ...] = ()
    provider: str = ""

    @property
    def supplier(self) -> VendorSource | None:
        """The vendor that may be named as whoever supplies it: none where it was withdrawn."""
        return None if self.vendor is None or self.vendor.withdrawn else self.vendor

    @property
    def entries(self) -> tuple[Cited, ...]:
        """Every entry that is cited, each once, in the order of their times and ids."""
        cited = [each.entry for each in (self.model, self.base, self.vendor, self.contract) if each is not None]
        cited += [each.entry for each in self.contracts]
        datasets = [use.dataset for use in self.uses if use.dataset is not None]
        for dataset in (*datasets, *([] if self.dataset is None else [self.dataset])):
            cited += [dataset.audited, *dataset.approvals]
        for use in self.uses:
            cited.append(use.said_by)
            if use.run is not None:
                cited += [use.run.started, use.run.trained]
        return tuple(sorted(set(cited), key=lambda each: (each.time, each.id)))
