"""Replays over fakes: a line that released something, what makes its calls again, and older records of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from governance.entries import Entry, EntryKind, Record
from governance.governor import Governor
from governance.parts import Parts
from governance.recorded_calls import RecordedCall
from governance.regeneration import Regenerated, Replayer
from governance.remarking import Remarker
from governance.replays import Difference
from governance.testing import EXAMPLE_MODEL, FakePipeline, example_request
from governance.types import Draft, GenerationRequest, ModelFacts, Pixels


@dataclass
class PaintingAgain:
    """A `Regenerator` that paints as `FakePipeline` does.

    `spoil` changes the drafts, `model` is what turns out to have generated, `error` is raised instead. `calls` and `inputs`
    are what it was asked with.
    """

    spoil: Callable[[list[Draft]], Sequence[Draft]] | None = None
    model: ModelFacts = EXAMPLE_MODEL
    error: BaseException | None = None
    differences: tuple[Difference, ...] = ()
    calls: list[RecordedCall] = field(default_factory=list)
    inputs: Sequence[Pixels] = ()

    def regenerate(self, call: RecordedCall, inputs: Sequence[Pixels]) -> Regenerated:
        self.calls.append(call)
        self.inputs = inputs
        if self.error is not None:
            raise self.error
        facts: Any = call.call
        sides = {"width": facts["width"], "height": facts["height"]}
        request = example_request(images=len(call.seeds), seeds=call.seeds, **sides)
        drafts = FakePipeline(model=self.model, spoil=self.spoil).generate(request)
        return Regenerated(self.model, drafts, self.differences)


def released_by(parts: Parts, request: GenerationRequest | None = None) -> list[Entry]:
    """The `released` entries of one call down the line."""
    result = Governor(parts).generate(request or example_request(), FakePipeline())
    return [item.entry for item in result.items if item.entry is not None and item.entry.kind is EntryKind.RELEASED]


def replayer(parts: Parts, **changes: Any) -> Replayer:
    """What replays the releases of these parts; `changes` replace its ledger, log key, vault or remarker."""
    remarker = Remarker((parts.watermarker,), parts.mark_key, parts.labeller, parts.codecs)
    made = {"ledger": parts.ledger, "log_key": parts.log_key, "vault": parts.vault, "remarker": remarker, **changes}
    return Replayer(**made)


def shifted(levels: int, values: int) -> Callable[[list[Draft]], list[Draft]]:
    """Drafts of which so many values, from the middle on, are so many levels higher."""

    def spoil(drafts: list[Draft]) -> list[Draft]:
        return [replace(draft, media=_shifted(draft.pixels, levels, values)) for draft in drafts]

    return spoil


def _shifted(pixels: Pixels, levels: int, values: int) -> Pixels:
    changed = pixels.copy().reshape(-1)
    middle = changed.size // 2
    changed[middle : middle + values] += np.uint8(levels)
    return changed.reshape(pixels.shape)


def aged(parts: Parts, entry: Entry) -> Entry:
    """The same release as it was recorded before drafts had digests, appended once more. It has no watermark: that is unique."""
    assert entry.body["watermark"] is None
    older = Entry(
        entry.kind, entry.subject, {name: entry.body[name] for name in entry.body if name not in ("draft", "media")}
    )
    parts.ledger.append(Record(older, tuple(parts.ledger.fields(entry.id))))
    return older
