"""Recorded calls of real pipelines without a ledger: what an intent would have kept of a call, and its drafts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from governance.canonical import canonical_bytes
from governance.entries import Entry, EntryKind
from governance.facts import call_facts, pixels_digest
from governance.recorded_calls import RecordedCall, RecordedOpaque, RecordedPicture
from governance.types import Draft, GenerationRequest, Principal
from governance_adapters.pipelines.arguments.binding import bind
from governance_adapters.pipelines.bound import BoundPipeline


def made(pipe: Any, *, seeds: Sequence[int] = (), **arguments: Any) -> tuple[RecordedCall, Sequence[Draft]]:
    """Call `pipe`; what a record would say of the call, and what it made. `seeds` are drawn in the line, one an image."""
    bound = bind(pipe, type(pipe).__call__, (), arguments)
    request = bound.request("request", Principal("ann@example.org"), "marketing", type(pipe).__name__)
    request = replace(request, seeds=request.seeds or tuple(seeds) or tuple(range(41, 41 + request.images)))
    drafts = BoundPipeline(pipe, type(pipe).__call__, bound).generate(request)
    return recall(request, drafts), drafts


def recall(request: GenerationRequest, drafts: Sequence[Draft]) -> RecordedCall:
    """What is read back of a call from the documents of its intent."""
    return RecordedCall(
        Entry(EntryKind.INTENT, "generation", {}),
        _written(drafts[0].model.as_json()),
        _written(call_facts(request, request.seeds)),
        request.prompts,
        tuple(
            RecordedPicture(each.parameter, pixels_digest(each), *reversed(each.pixels.shape[:2]))
            for each in request.inputs
        ),
        tuple(RecordedOpaque(each.parameter, each.kind) for each in request.opaque),
    )


def before_arguments(call: RecordedCall) -> RecordedCall:
    """The same call in a record of version 1."""
    older = {name: value for name, value in call.call.items() if name not in ("arguments", "media", "frames")}
    return replace(call, call={**older, "version": 1})


def _written(value: Any) -> Any:
    return json.loads(canonical_bytes(value))
