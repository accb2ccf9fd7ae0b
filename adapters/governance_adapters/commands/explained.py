"""How an explanation is shown: rule, input and datum of each reason, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.text import Text

from governance.canonical import Digest, Json
from governance_adapters.commands.output import out, printable
from governance_adapters.policy.explainer import Recalled, Told
from governance_adapters.policy.explanation import ExplainedReason, as_json
from governance_adapters.policy.obliged import ExplainedObligation
from governance_adapters.policy.pointers import Place

_WIDTH = 16
_MOST_CHARACTERS = 300
"""More of a value is cut; `--json` has all of it."""
_STYLES = {"allow": "bold green", "review": "bold yellow", "deny": "bold red"}


def told_json(told: Told) -> dict[str, Json]:
    """An explanation as a JSON value."""
    recalled = told.recalled
    return {
        **as_json(told.explanation),
        "problems": list(told.problems),
        "recorded": None
        if recalled is None
        else {
            "entry": recalled.entry.id,
            "kind": recalled.entry.kind.value,
            "time": recalled.entry.time,
            "outcome": recalled.decision.outcome.value,
            "bundle_revision": recalled.decision.bundle_revision,
            "codes": [reason.code for reason in recalled.decision.reasons],
            "erased": list(recalled.erased),
            "changes": None if recalled.changes is None else list(recalled.changes),
        },
    }


def print_told(told: Told, in_force: Digest) -> None:
    """An explanation in words. `in_force` is the revision of the bundle whose rules and data are quoted."""
    explanation = told.explanation
    outcome = explanation.outcome.value
    out.print(Text(f"{explanation.stage.value}: ").append(outcome, style=_STYLES[outcome]))
    _lines(("bundle", explanation.bundle_revision))
    if told.recalled is not None:
        _lines(*_recalled(told.recalled, in_force))
    _lines(*(("not accepted", f"the line would refuse this input before any rule: {each}") for each in told.problems))
    for kind, reasons in (("", explanation.reasons), ("note: ", explanation.notes)):
        for reason in reasons:
            _heading(f"{kind}{reason.rule.title if reason.rule else reason.code}")
            _lines(*_reason(reason, evaluated=explanation.evaluated))
    if not explanation.reasons and not explanation.notes:
        _lines(("reasons", "none: no rule objects"))
    if explanation.obligations:
        _heading("obligations")
        _lines(*(_obligation(each) for each in explanation.obligations))


def _reason(reason: ExplainedReason, *, evaluated: bool) -> Iterator[tuple[str, str]]:
    rule = reason.rule
    yield "reason", reason.code
    if rule is None:
        yield "rule", "not known: the bundle in force has no METADATA of this code"
    else:
        yield "rule", ", ".join(rule.places) or "none: the engine says this where no rule says anything"
        yield "what failed", rule.description
    if reason.message:
        yield "here", reason.message
    if reason.field is not None:
        yield "input", _place(reason.field, "is not there")
    for ground in reason.grounds:
        if ground.match is not None:
            how = "hidden in an encoding" if ground.match.decoded else "in the normalised prompt"
            yield "matched", f"{_value(ground.match.ngram)}, {how}"
        yield "datum", _place(ground.datum, "is not set")
    if not evaluated:
        yield "datum", "not known: that would need the whole policy input"
    if rule is not None:
        yield "how to fix", rule.fix


def _recalled(recalled: Recalled, in_force: Digest) -> Iterator[tuple[str, str]]:
    entry, decision = recalled.entry, recalled.decision
    yield "entry", f"{entry.id} {entry.kind.value} {entry.time}"
    same = decision.bundle_revision == in_force
    whose = "the bundle in force" if same else f"bundle {decision.bundle_revision}, which is not in force any more"
    yield "recorded", f"{decision.outcome.value} by {whose}"
    if recalled.changes is None:
        lost = ", ".join(pointer or "the whole policy input" for pointer in recalled.erased)
        yield "erased", lost
        yield "explained", "from the recorded codes and paths alone: what was erased cannot be evaluated again"
        if not same:
            yield "", f"the rules and data quoted here are those of the bundle in force, {in_force}"
    elif not recalled.changes:
        yield "explained", "by the bundle in force, which decides the same"
    else:
        yield "explained", "by the bundle in force, which decides otherwise"
        yield from (("differs", change) for change in recalled.changes)


def _obligation(obligation: ExplainedObligation) -> tuple[str, str]:
    sources = " and ".join(source.pointer for source in obligation.sources) or "a rule"
    return obligation.name, f"{_value(obligation.value)} from {sources}"


def _place(found: Place, missing: str) -> str:
    return f"{found.pointer} is {_value(found.value)}" if found.there else f"{found.pointer} {missing}"


def _value(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} ..."


def _heading(text: str) -> None:
    out.print()
    out.print(Text(printable(text), style="bold"))


def _lines(*lines: tuple[str, str]) -> None:
    for name, value in lines:
        out.print(Text(f"  {name:<{_WIDTH}}{printable(value)}"))
