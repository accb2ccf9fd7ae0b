"""From a released file back: how it came to be made, by which model and LoRAs, and all that those come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from governance.canonical import Digest, Json, canonical_digest, digest, parsed_json
from governance.entries import ALL_ENTRIES, Entry, EntryKind
from governance.errors import LedgerError, RecallError
from governance.holds import hold_named
from governance.lineage.graph import Basis, Drawing, Lineage, Node, NodeKind
from governance.lineage.origins import Origins
from governance.lineage.recalled import recalled, recalled_itself
from governance.lineage.releases import Release
from governance.ports import Ledger
from governance.records import field_commitments, intent_named
from governance.registers.register import Registers

_INPUTS: Final = "/inputs/"


def lineage_of(ledger: Ledger, released: Entry, registers: Registers | None = None) -> Lineage:
    """The lineage of the file that a `released` entry records.

    `registers` are those of this ledger, where somebody has them already: they are read once.

    Raises:
        RecallError: the entry releases no file.
        LedgerError: the ledger cannot be read, or an entry has another form than this version reads.
    """
    if released.kind is not EntryKind.RELEASED:
        raise RecallError(
            f"Entry {released.id} is of kind {released.kind.value}: it releases no file.",
            remedy="Name a released file, its id or digest, or the entry of its release.",
        )
    drawing = Drawing()
    _Trace(ledger, drawing, Origins(ledger, registers or Registers(ledger), drawing)).release(released)
    return drawing.lineage()


def lineage_of_model(ledger: Ledger, key: str, registers: Registers | None = None) -> Lineage:
    """What the model of this key comes from, so far as register and runs say it.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    drawing = Drawing()
    Origins(ledger, registers or Registers(ledger), drawing).model(key)
    return drawing.lineage()


def lineage_of_adapter(ledger: Ledger, adapter: str, registers: Registers | None = None) -> Lineage:
    """What the LoRA of these weights (SHA-256) comes from, so far as register and runs say it.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    drawing = Drawing()
    Origins(ledger, registers or Registers(ledger), drawing).adapter(adapter)
    return drawing.lineage()


class _Trace:
    """Draws what stands between a file and its model."""

    def __init__(self, ledger: Ledger, drawing: Drawing, origins: Origins) -> None:
        self._ledger, self._drawing, self._origins = ledger, drawing, origins

    def release(self, entry: Entry) -> None:
        """Draw everything behind a released file."""
        release, recall = Release.of(entry), self._recall(entry)
        facts: dict[str, Json] = {
            "asset": release.asset,
            "media_type": release.media_type,
            "released": release.time,
        }
        named = "" if recall is None else recall.id
        file = Node(NodeKind.ASSET, release.digest, f"file {release.digest}", facts, entry.id, named)
        self._drawing.add(file)
        intent = self._intent(entry)
        if intent is None:
            self._drawing.lack(file, "the intent that this release names is not in the ledger")
            return
        body: Any = intent.body
        about = {"purpose": body.get("purpose"), "time": intent.time, "model_name": body.get("model_name")}
        generation = Node(NodeKind.GENERATION, entry.subject, f"generation {entry.subject}", about, intent.id)
        self._drawing.join(file, generation, "was made in", Basis.RECORDED)
        self._decisions(generation, intent, entry)
        self._model(generation, intent)
        inputs = sum(name.startswith(_INPUTS) for name in field_commitments(intent))
        if inputs:
            self._drawing.lack(generation, f"{inputs} input images went into it: where those come from is not followed")

    def _recall(self, entry: Entry) -> Entry | None:
        """The recall of a file; where what made it is not kept, which is a gap, that of the file alone."""
        try:
            return recalled(self._ledger, entry)
        except LedgerError:
            return recalled_itself(self._ledger, entry)

    def _intent(self, entry: Entry) -> Entry | None:
        named = intent_named(entry)
        of_kind = self._ledger.entries(subject=entry.subject, kind=EntryKind.INTENT, limit=ALL_ENTRIES)
        return next((each for _, each in of_kind if named is not None and each.id == named[0]), None)

    def _decisions(self, generation: Node, intent: Entry, released: Entry) -> None:
        for entry in (intent, *self._reviews(intent, released), released):
            decision = entry.body.get("decision")
            if not isinstance(decision, Mapping):
                self._drawing.lack(generation, f"entry {entry.id} names no decision")
                continue
            stage, outcome = decision.get("stage"), decision.get("outcome")
            facts: dict[str, Json] = {
                "bundle_revision": decision.get("bundle_revision"),
                "decision_id": decision.get("decision_id"),
                "reasons": [_code(each) for each in _sequence(decision.get("reasons"))],
                "time": entry.time,
            }
            node = Node(NodeKind.DECISION, f"{entry.id}", f"{stage}: {outcome}", facts, entry.id)
            self._drawing.join(generation, node, "was decided by", Basis.RECORDED)

    def _reviews(self, intent: Entry, released: Entry) -> Iterator[Entry]:
        """The approvals of people, of the request and of the draft, in that order."""
        for using in (intent, released):
            review: Any = using.body.get("review")
            if isinstance(review, Mapping):
                held = self._ledger.entry(str(review.get("entry")))
                of_kind = self._ledger.entries(subject=held.subject, kind=EntryKind.APPROVED, limit=ALL_ENTRIES)
                yield from (each for _, each in of_kind if hold_named(each) == hold_named(using))

    def _model(self, generation: Node, intent: Entry) -> None:
        model = self._document(intent.body.get("model"))
        components: Any = None if model is None else model.get("components")
        if not isinstance(components, Mapping) or not components:
            what = "the description of the model that this intent names is not kept"
            self._drawing.lack(generation, what)
            return
        node = self._origins.model(canonical_digest(dict(components)), str(intent.body.get("model_name") or ""))
        self._drawing.join(generation, node, "was generated by", Basis.RECORDED)
        for adapter in _sequence((model or {}).get("adapters")):
            loaded = self._origins.adapter(str(adapter["digest"]), str(adapter.get("name", "")))
            scale = adapter.get("scale_thousandths")
            what = "was generated with" if scale is None else f"was generated, at a scale of {scale}/1000, with"
            self._drawing.join(generation, loaded, what, Basis.RECORDED)

    def _document(self, named: object) -> Mapping[str, Any] | None:
        content = self._ledger.document(Digest(str(named)))
        if content is None:
            return None
        if digest(content) != named:
            raise LedgerError(f"The document {named} was altered.", remedy="Run `governance ledger verify`.")
        value = parsed_json(content)
        return value if isinstance(value, Mapping) else None


def _sequence(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _code(reason: object) -> Json:
    return reason.get("code") if isinstance(reason, Mapping) else None
