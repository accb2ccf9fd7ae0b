"""A small world for lineage and recall: audited datasets, contracts, training runs, LoRAs, and files that were made with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from governance.bodies import Judged
from governance.canonical import Digest, canonical_bytes, digest
from governance.datasets.audit_entries import Audited, approved_record, audited_record
from governance.datasets.report import MEMBERS
from governance.entries import Entry, EntryKind
from governance.ports import Ledger
from governance.registers.items import Contract, RegisteredAdapter, RegisteredModel, Vendor, model_key
from governance.registers.register import Registers
from governance.testing.examples import EXAMPLE_MODEL
from governance.testing.search_records import Told
from governance.training.entries import started_record, trained_record
from governance.training.policy_input import LineageGrade
from governance.training.runs import Consumed, DatasetUse, Method, ResultKind, RunPlan, TrainingResult
from governance.types import AdapterFacts, Decision, ModelFacts, Outcome, Principal, Stage, new_id

COUNSEL = Principal("counsel@example.org", ("counsel",))
TRAINER = Principal("researcher@example.org", ("researcher",))
BASE = model_key(EXAMPLE_MODEL.components)
ROOT = digest(b"a root")


def report(name: str, licences: dict[str, dict[str, int]], contracts: dict[str, dict[str, Any]] | None = None) -> bytes:
    """A report with these licences and contracts."""
    members: dict[str, Any] = {**dict.fromkeys(MEMBERS), "version": 1, "name": name}
    return canonical_bytes({**members, "licences": licences, "contracts": contracts or {}})


@dataclass
class World:
    """What tests add to a ledger, step by step."""

    ledger: Ledger
    registers: Registers = field(init=False)

    def __post_init__(self) -> None:
        self.registers = Registers(self.ledger)

    def model(self, **said: Any) -> RegisteredModel:
        """The example model, registered."""
        item = RegisteredModel(
            name="reference", components=EXAMPLE_MODEL.components, **{"licence": "Apache-2.0", **said}
        )
        self.registers.add(item, COUNSEL)
        return item

    def contract(self, licence: str = "LicenseRef-stock") -> Contract:
        """A contract with its vendor."""
        self.registers.add(Vendor(key="stock", name="Stock pictures", jurisdiction="IE"), COUNSEL)
        item = Contract(key="stock-2026", vendor="stock", title="Pictures of 2026", licence=licence)
        self.registers.add(item, COUNSEL)
        return item

    def audited(
        self,
        name: str = "scans",
        licences: dict[str, dict[str, int]] | None = None,
        contracts: dict[str, dict[str, Any]] | None = None,
        *,
        root: Digest = ROOT,
        contents: int = 10,
        approved: bool = True,
    ) -> Entry:
        """An audit of so many contents; without licences all of them are under CC-BY-4.0."""
        given = {"CC-BY-4.0": {"records": contents, "allowed": contents}} if licences is None else licences
        said = Audited(
            name,
            root,
            contents,
            contents,
            {Outcome.ALLOW: contents},
            report(name, given, contracts),
            canonical_bytes({"version": 1, "name": name, "root": root}),
            digest(b"bundle"),
        )
        entry = self.ledger.append(audited_record(said, COUNSEL)).entry
        if approved:
            self.ledger.append(approved_record(entry, COUNSEL))
        return entry

    def run(
        self,
        audited: Entry,
        made: AdapterFacts | ModelFacts,
        *,
        took: tuple[int, ...] = (0, 1, 2),
        lineage: LineageGrade = LineageGrade.WITNESSED,
        base: Digest = BASE,
    ) -> Entry:
        """A finished run over these leaves of an audit."""
        name, root, size = str(audited.body["name"]), Digest(str(audited.body["root"])), audited.body["contents"]
        assert isinstance(size, int)
        plan = RunPlan(TRAINER, "marketing", Method.LORA, lineage, base, (DatasetUse(name, audited.id, root),))
        started = self.ledger.append(started_record(plan, judged()))
        bits = sum(1 << index for index in took)
        consumed = Consumed(name, root, size, len(took), bits.to_bytes((size + 7) // 8, "little"))
        record = trained_record(plan, started, judged(), (consumed,), result_of(made))
        return self.ledger.append(record).entry

    def adapter(self, made: AdapterFacts, run: Entry | None = None, **said: Any) -> RegisteredAdapter:
        """A LoRA, registered."""
        given = {"name": made.name, "digest": made.digest, "licence": "Apache-2.0", "base": BASE}
        item = RegisteredAdapter(**{**given, "run": "" if run is None else run.subject, **said})
        self.registers.add(item, COUNSEL)
        return item

    def released(self, *adapters: AdapterFacts, content: bytes = b"", model: ModelFacts = EXAMPLE_MODEL) -> Entry:
        """A file that was made with these LoRAs."""
        with_adapters = replace(model, adapters=adapters)
        generation = new_id()
        intent = Told(subject=generation, model=with_adapters).record()
        self.ledger.append(intent)
        released = Told(
            EntryKind.RELEASED,
            subject=generation,
            model=with_adapters,
            intent=intent,
            stage=Stage.RELEASE,
            scores=(0.1,),
            content=content or new_id().encode(),
        ).record()
        return self.ledger.append(released).entry


class KnownLeaves:
    """Files of audits that are not there: which leaves a recall is about, by the audit's name."""

    def __init__(self, **leaves: frozenset[int] | None) -> None:
        self._leaves = leaves

    def leaves(self, audit: Any, match: Any) -> frozenset[int] | None:
        """Those of this audit."""
        del match
        return self._leaves.get(audit.name)


def lora(name: str) -> AdapterFacts:
    """A LoRA, at full scale."""
    return AdapterFacts(name, digest(f"weights of {name}".encode()), 1000)


def judged() -> Judged:
    """A decision that allows a run."""
    decision = Decision(Stage.TRAINING, Outcome.ALLOW, (), {}, new_id(), digest(b"bundle"))
    return Judged.of(decision, {"version": 1, "stage": "training", "question": "run"})


def result_of(made: AdapterFacts | ModelFacts) -> TrainingResult:
    """What came of a run."""
    if isinstance(made, AdapterFacts):
        return TrainingResult(ResultKind.ADAPTER, made.digest, made.name)
    return TrainingResult(ResultKind.MODEL, model_key(made.components), "model", components=made.components)
