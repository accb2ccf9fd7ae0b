"""The models that ever released anything, each with its key and its LoRAs: few, whatever they released."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from governance.canonical import Digest, canonical_digest, parsed_json
from governance.entries import EntryKind
from governance.errors import LedgerError
from governance.ports import Ledger
from governance.search import Query

_EVER: Final = ("0001-01-01", "9999-12-31")


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """A model as policy saw it: the digest of that (`Traits.model_digest`), its key in the register, its LoRAs' digests."""

    digest: str
    key: str
    adapters: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """What it can be recalled by."""
        return (*self.adapters, self.key)


def models_in_use(ledger: Ledger) -> Iterator[ModelInUse]:
    """Every model that a release names, once, in the order of their digests.

    They are those that the ledger counts entries of by day; of each, one release is read.

    Raises:
        LedgerError: the ledger cannot be read, or what a release was decided on is not kept.
    """
    counted = {each.value for each in ledger.rollups(*_EVER) if each.name == "model"}
    for digest in sorted(counted):
        if ledger.released_by(digest, limit=1):
            yield _of(ledger, digest)


def _of(ledger: Ledger, digest: str) -> ModelInUse:
    after: int | None = -1
    while after is not None:
        page = ledger.search(Query(model=digest, kind=EntryKind.RELEASED), after=after, limit=1)
        for _, entry in page.items:
            decision: Any = entry.body.get("decision")
            content = ledger.document(Digest(str(decision.get("input"))))
            value: Any = None if content is None else parsed_json(content)
            model = value.get("model") if isinstance(value, Mapping) else None
            if isinstance(model, Mapping) and canonical_digest(dict(model)) == digest:
                adapters = tuple(str(each["digest"]) for each in model.get("adapters") or ())
                return ModelInUse(digest, canonical_digest(dict(model["components"])), adapters)
        after = page.next
    raise LedgerError(
        f"What model {digest} consists of is not kept beside any of its releases.",
        remedy="Restore the ledger from its backup: `governance ledger verify` says what is missing.",
    )
