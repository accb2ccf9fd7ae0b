"""What a model or a LoRA comes from: its registration, the training run that made it, the datasets, and their licences."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from governance.canonical import Json
from governance.entries import EntryKind
from governance.lineage.audits import Audit, audit_of, counted, newest_audit
from governance.lineage.graph import Basis, Drawing, Node, NodeKind
from governance.lineage.matching import licence_names
from governance.lineage.recall_entries import Cause, RecallBy, recalling
from governance.ports import Ledger
from governance.registers.folding import Registered
from governance.registers.item_checks import RegisterName
from governance.registers.items import Contract, RegisteredAdapter, RegisteredModel
from governance.registers.register import Registers
from governance.search import Query
from governance.training.entries import ConsumedPart, Trained
from governance.types import utc_now

KNOWN_LICENCES: Final = 100
"""How many licences of one dataset are drawn; what is beyond them is counted in a gap."""

_SHORT: Final = 12


class Origins:
    """Follows models and LoRAs back, into one drawing. `now` is when registrations and contracts are judged (RFC 3339)."""

    def __init__(self, ledger: Ledger, registers: Registers, drawing: Drawing, now: str = "") -> None:
        self._ledger, self._registers, self._drawing = ledger, registers, drawing
        self._now = now or utc_now()
        self._known: dict[tuple[RegisterName, str], Registered | None] = {}
        self._waiting: deque[tuple[Node, RegisteredModel | RegisteredAdapter | None, Query]] = deque()

    def model(self, key: str, name: str = "") -> Node:
        """The model of this key, with all that it comes from. `name` is what whoever names it calls it."""
        item = self._item(RegisterName.MODELS, key)
        facts: dict[str, Json] = {"state": self._registers.standing(RegisterName.MODELS, key, self._now).state.value}
        title = name or f"model {key[:_SHORT]}"
        if isinstance(item, RegisteredModel):
            title = item.name
            facts |= _said(item) | {"pipeline": item.pipeline}
        node = self._node(NodeKind.MODEL, key, title, facts, self._entry(RegisterName.MODELS, key))
        self._follow(node, item, Query(model=key, kind=EntryKind.TRAINED))
        return node

    def adapter(self, digest: str, name: str = "") -> Node:
        """The LoRA of these weights, with all that it comes from. `name` is what the call called it: any name at all."""
        item = self._item(RegisterName.ADAPTERS, digest)
        facts: dict[str, Json] = {
            "state": self._registers.standing(RegisterName.ADAPTERS, digest, self._now).state.value,
            "called": name,
        }
        title = item.name if item is not None else f"LoRA {digest[:_SHORT]}"
        if item is not None:
            facts |= _said(item)
        node = self._node(NodeKind.ADAPTER, digest, title, facts, self._entry(RegisterName.ADAPTERS, digest))
        self._follow(node, item, Query(adapter=digest, kind=EntryKind.TRAINED))
        return node

    def _follow(self, node: Node, item: RegisteredModel | RegisteredAdapter | None, query: Query) -> None:
        """Draw a node with all behind it, however long the way is: what comes up meanwhile waits its turn."""
        if not self._drawing.add(node):
            return
        self._waiting.append((node, item, query))
        if len(self._waiting) == 1:
            while self._waiting:
                self._made(*self._waiting[0])
                self._waiting.popleft()

    def _made(self, node: Node, item: RegisteredModel | RegisteredAdapter | None, query: Query) -> None:
        """What made `node`: runs that the ledger knows, and what its registration states."""
        runs = [run for run in self._runs(query) if run.result.digest == node.key]
        for run in runs:
            self._run(node, run)
        if item is None:
            self._drawing.lack(node, f"{node.title} is not in the register: nothing is stated of where it comes from")
            return
        if item.licence:
            self._licence(node, item.licence, "is licensed under", Basis.STATED)
        else:
            self._drawing.lack(node, f"the register states no licence of {node.title}")
        if item.contract:
            self._contract(node, item.contract)
        elif item.vendor:
            self._vendor(node, item.vendor)
        consumed = {part.name for run in runs for part in run.consumed}
        for name in (each for each in item.datasets if each not in consumed):
            self._stated_dataset(node, name)
        if not runs and not item.datasets:
            said = f"; the register states: {item.data_origin}" if item.data_origin else ""
            self._drawing.lack(node, f"no audited dataset stands behind {node.title}{said}")

    def _run(self, made: Node, run: Trained) -> None:
        basis = Basis(run.lineage.value)
        facts: dict[str, Json] = {
            "method": run.method.value,
            "lineage": run.lineage.value,
            "purpose": run.purpose,
            "time": run.entry.time,
            "signed": run.signature is not None,
        }
        node = Node(NodeKind.RUN, run.run, f"{run.method.value} run {run.run}", facts, run.entry.id)
        if self._drawing.join(made, node, "was made by", basis):
            base = self.model(run.base)
            self._drawing.join(node, base, "changed", basis)
            audited = {use.name: use.audited for use in run.datasets}
            for part in run.consumed:
                self._consumed(node, part, audited.get(part.name, ""), basis)

    def _consumed(self, run: Node, part: ConsumedPart, audited: str, basis: Basis) -> None:
        words = "consumed" if basis is Basis.WITNESSED else "is declared to have consumed"
        what = f"{words} {part.contents} contents of"
        audit = audit_of(self._ledger, audited)
        if audit is None or audit.root != part.root:
            self._drawing.lack(run, f"the audit of dataset {part.name} with root {part.root} is not in the ledger")
            return
        self._dataset(run, audit, what, basis)

    def _stated_dataset(self, node: Node, name: str) -> None:
        audit = newest_audit(self._ledger, name)
        if audit is None:
            what = f"the register states that {node.title} comes from dataset {name}, of which there is no audit"
            self._drawing.lack(node, what)
            return
        self._dataset(node, audit, "is stated to come from", Basis.STATED)

    def _dataset(self, source: Node, audit: Audit, what: str, basis: Basis) -> None:
        body = audit.entry.body
        facts: dict[str, Json] = {
            "root": audit.root,
            "contents": body.get("contents"),
            "records": body.get("records"),
            "audited": audit.entry.time,
            "approvals": [entry.id for entry in audit.approvals],
            "newest": audit.newest,
        }
        node = self._node(NodeKind.DATASET, audit.entry.id, f"dataset {audit.name}", facts, audit.entry.id)
        if not self._drawing.join(source, node, what, basis):
            return
        report = audit.report(self._ledger)
        if report is None:
            self._drawing.lack(node, f"the report of the audit of {audit.name} is not kept: its licences are not known")
            return
        self._licences(node, audit, counted(report, "licences"))
        for key, counts in counted(report, "contracts").items():
            if key and counts.get("allowed"):
                self._contract(node, key, f"has {counts['allowed']} allowed records under", Basis.AUDITED)

    def _licences(self, node: Node, audit: Audit, licences: Mapping[str, Mapping[str, Json]]) -> None:
        """Policy hands out only what it allows, so licences without an allowed record are not behind what was made."""
        allowed = {name: each["allowed"] for name, each in licences.items() if each.get("allowed")}
        known = sorted(name for name in allowed if name)
        for name in known[:KNOWN_LICENCES]:
            self._licence(node, name, f"has {allowed[name]} allowed records under", Basis.AUDITED)
        if (beyond := len(known) - KNOWN_LICENCES) > 0:
            self._drawing.lack(node, f"dataset {audit.name} has {beyond} more licences; its report lists them")
        if unknown := allowed.get(""):
            self._drawing.lack(node, f"{unknown} allowed records of dataset {audit.name} have no known licence")

    def _licence(self, source: Node, licence: str, what: str, basis: Basis) -> None:
        parts = (recall for name in (licence, *licence_names(licence)) if (recall := self._recall_of(name)))
        node = Node(NodeKind.LICENCE, licence, licence, recalled=next(parts, ""))
        self._drawing.join(source, node, what, basis)

    def _recall_of(self, licence: str) -> str:
        """The entry that recalls a licence; empty where none does."""
        subject = Cause(RecallBy.LICENCE, licence).subject
        return next(
            (each.id for _, each in self._ledger.entries(subject=subject, kind=EntryKind.RECALLED, limit=1)), ""
        )

    def _contract(self, source: Node, key: str, what: str = "is under", basis: Basis = Basis.STATED) -> None:
        found = self._found(RegisterName.CONTRACTS, key)
        contract = None if found is None or found.withdrawn else found.item
        if not isinstance(contract, Contract):
            self._drawing.lack(source, f"contract {key} is not in the register, or was withdrawn")
            return
        facts: dict[str, Json] = {
            "state": self._registers.contract_state(key, self._now).value,
            "starts": contract.starts,
            "ends": contract.ends,
            "document": contract.document,
        }
        title = f"contract {contract.title}"
        node = Node(NodeKind.CONTRACT, key, title, facts, self._entry(RegisterName.CONTRACTS, key))
        if self._drawing.join(source, node, what, basis):
            if contract.licence:
                self._licence(node, contract.licence, "grants", Basis.STATED)
            self._vendor(node, contract.vendor)

    def _vendor(self, source: Node, key: str) -> None:
        found = self._found(RegisterName.VENDORS, key)
        if found is None or found.withdrawn:
            self._drawing.lack(source, f"vendor {key} is not in the register, or was withdrawn")
            return
        facts: dict[str, Json] = {"jurisdiction": found.item.as_json().get("jurisdiction", "")}
        node = Node(NodeKind.VENDOR, key, f"vendor {found.item.as_json()['name']}", facts, found.entry.id)
        self._drawing.join(source, node, "is from", Basis.STATED)

    def _runs(self, query: Query) -> Sequence[Trained]:
        found: list[Trained] = []
        after: int | None = -1
        while after is not None:
            page = self._ledger.search(query, after=after)
            found += [Trained.of(entry) for _, entry in page.items]
            after = page.next
        return found

    def _item(self, register: RegisterName, key: str) -> RegisteredModel | RegisteredAdapter | None:
        found = self._found(register, key)
        item = None if found is None else found.item
        return item if isinstance(item, RegisteredModel | RegisteredAdapter) else None

    def _entry(self, register: RegisterName, key: str) -> str:
        found = self._found(register, key)
        return "" if found is None else found.entry.id

    def _found(self, register: RegisterName, key: str) -> Registered | None:
        """The item, asked for once."""
        if (register, key) not in self._known:
            self._known[register, key] = self._registers.find(register, key)
        return self._known[register, key]

    def _node(self, kind: NodeKind, key: str, title: str, facts: Mapping[str, Json], entry: str) -> Node:
        recall = recalling(self._ledger, key)
        return Node(kind, key, title, facts, entry, "" if recall is None else recall.id)


def _said(item: RegisteredModel | RegisteredAdapter) -> dict[str, Json]:
    """What a registration states, where it states anything."""
    said: dict[str, Json] = {
        "data_origin": item.data_origin,
        "intended_use": item.intended_use,
        "expires": item.expires,
        "signed": item.signature is not None,
    }
    return {name: value for name, value in said.items() if value}
