"""What a replay says of a released file, and the entry that records it: verdict, numbers, and what was otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from governance.bodies import record_of
from governance.canonical import Digest, Json, canonical_bytes, digest
from governance.entries import Document, Entry, EntryKind, Record
from governance.merkle import leaf_hash
from governance.tolerance import Comparison, Tolerance
from governance.types import ModelFacts

MAX_DIFFERENCES: Final = 100
MAX_DIFFERENCES_BYTES: Final = 16 * 1024
"""How much of an entry the differences may take; the rest are only counted."""


class ReplayVerdict(StrEnum):
    """What a replay says of a released file.

    `exact`: the same to the last bit. `within_tolerance`: the same but for rounding. `mismatch`: something else came out.
    `not_replayable`: the call could not be made again, or what it made could not be compared. That says nothing about the
    file.
    """

    EXACT = "exact"
    WITHIN_TOLERANCE = "within_tolerance"
    MISMATCH = "mismatch"
    NOT_REPLAYABLE = "not_replayable"


class Compared(StrEnum):
    """What a verdict rests on: the drafts, before anything was done to them, or the released files."""

    DRAFT = "draft"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is otherwise than it was recorded: the part that it belongs to, and what it is in words.

    `part` is one of `governance.model_differences.ModelPart`, or `call`.
    """

    part: str
    text: str


CALL_PART: Final = "call"


@dataclass(frozen=True, slots=True)
class Sampled:
    """Of which sample of an audit a replay is a part: `number` files, drawn with `seed` of those released since `since`."""

    number: int
    seed: int
    since: str = ""

    def as_json(self) -> dict[str, Json]:
        """The sample by name."""
        return {"number": self.number, "seed": str(self.seed), "since": self.since}


@dataclass(frozen=True, slots=True)
class Replay:
    """The answer for one released file. `released` is its entry.

    `obstacle` says why there was nothing to compare, and `explanation` the same in words. `recorded` and `regenerated` are
    the digests of the drafts, `comparison` the numbers where files were compared, `model` what generated this time.
    """

    released: Entry
    verdict: ReplayVerdict
    tolerance: Tolerance
    compared: Compared | None = None
    obstacle: str = ""
    explanation: str = ""
    recorded: Digest | None = None
    regenerated: Digest | None = None
    comparison: Comparison | None = None
    differences: tuple[Difference, ...] = ()
    model: ModelFacts | None = None

    def record(self, sampled: Sampled | None = None) -> Record:
        """The `replayed` entry that says so, in the generation of what was replayed. It holds nothing personal."""
        documents = () if self.model is None else (_document(self.model.as_json()),)
        shown = _fitting(self.differences)
        body: dict[str, Json] = {
            "item": self.released.body["item"],
            "released": {"id": self.released.id, "leaf": leaf_hash(self.released.leaf()).hex()},
            "verdict": self.verdict.value,
            "compared": None if self.compared is None else self.compared.value,
            "obstacle": self.obstacle or None,
            "drafts": {"recorded": self.recorded, "regenerated": self.regenerated},
            "numbers": None if self.comparison is None else self.comparison.as_json(),
            "tolerance": self.tolerance.as_json(),
            "differences": [{"part": each.part, "text": each.text} for each in shown],
            "more_differences": len(self.differences) - len(shown),
            "sample": None if sampled is None else sampled.as_json(),
        }
        if documents:
            body["model"] = documents[0].digest
        return replace(record_of(EntryKind.REPLAYED, self.released.subject, body), documents=documents)


def _fitting(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """As many of the differences, from the first on, as an entry has room for."""
    room, shown = MAX_DIFFERENCES_BYTES, []
    for each in differences[:MAX_DIFFERENCES]:
        room -= len(canonical_bytes({"part": each.part, "text": each.text}))
        if room < 0:
            break
        shown.append(each)
    return tuple(shown)


def _document(value: Json) -> Document:
    content = canonical_bytes(value)
    return Document(digest(content), content)
