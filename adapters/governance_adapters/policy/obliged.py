"""Where the obligations of a decision come from in the data of the bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from governance.canonical import Json
from governance.types import Decision
from governance_adapters.policy.pointers import Place, place, pointer


@dataclass(frozen=True, slots=True)
class ExplainedObligation:
    """One obligation, and the data that it comes from: none where a rule made it of something else."""

    name: str
    value: Json
    sources: tuple[Place, ...]


def explained_obligations(data: Mapping[str, Any], facts: Json, decision: Decision) -> tuple[ExplainedObligation, ...]:
    """The obligations of `decision` by name.

    An obligation comes from what stands in `data` with that very value. Where nothing does, it was put together from what
    there is about it: formats that several markets allow, say, or a budget whose parts are those of two places.
    """
    return tuple(
        ExplainedObligation(name, value, _sources(data, facts, decision, name, value))
        for name, value in sorted(decision.obligations.items())
    )


def _sources(data: Mapping[str, Any], facts: Json, decision: Decision, name: str, value: Json) -> tuple[Place, ...]:
    found = [each for each in (place(data, where) for where in _candidates(data, facts, decision, name)) if each.there]
    same = [each for each in found if each.value == value or (name, each.pointer, value) in _TURNED]
    return tuple(same or found)


_TURNED = (("watermark", "/small_images", False),)
"""What says something else than the obligation that it leads to: `label` in place of the watermark."""


def _candidates(data: Mapping[str, Any], facts: Json, decision: Decision, name: str) -> Iterator[str]:
    """Every place of the data that can oblige to `name`, the most particular first."""
    markets = _names(facts, "/request/markets") or _names(facts, "/hold/markets")
    for market in markets or sorted(data.get("markets", {})):  # none named: the rules of every market hold
        yield pointer("markets", market, name)
    if name == "max_steps":
        yield from (pointer("roles", role, "limits", "steps") for role in _permitted_roles(data, facts))
        yield "/limits/steps"
    elif name == "day_budget":
        yield from (pointer("roles", role, "budget") for role in _permitted_roles(data, facts))
        yield "/budgets"
    elif name == "approvals":
        yield from (pointer("review", "approvals_by_code", code) for code in _codes(facts, decision))
        yield "/review/approvals"
    elif name == "queue":
        yield from (pointer("review", "queue_by_code", code) for code in _codes(facts, decision))
        yield "/review/queue"
    elif name in ("due_hours", "expire_hours"):
        yield pointer("review", name)
    elif name == "visible_label":
        yield "/visible_label"
    elif name == "watermark" and decision.obligations[name] is False:
        yield "/small_images"
    yield pointer("obligations", name)


def _codes(facts: Json, decision: Decision) -> list[str]:
    """The codes that something is held for: those of the decision, and of the hold that it is about."""
    return list(dict.fromkeys([*(reason.code for reason in decision.reasons), *_names(facts, "/hold/codes")]))


def _permitted_roles(data: Mapping[str, Any], facts: Json) -> list[str]:
    """The principal's roles that may generate for the purpose: only their limits and budgets count."""
    purpose = place(facts, "/request/purpose").value
    permitted = _names(data, pointer("purposes", purpose, "roles")) if isinstance(purpose, str) else []
    return [role for role in _names(facts, "/principal/roles") if role in permitted]


def _names(document: Json, where: str) -> list[str]:
    found = place(document, where).value
    return [name for name in found if isinstance(name, str)] if isinstance(found, (list, tuple)) else []
