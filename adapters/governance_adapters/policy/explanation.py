"""Why a decision is what it is: the rule, the datum and the part of the input behind each of its reasons.

Everything here is worked out from what it is given: a bundle, a policy input, the decision on it, and the bundle's own
`explanation` of that decision, which says for each reason the JSON pointer of the datum that decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from governance.canonical import Digest, Json
from governance.errors import PolicyError
from governance.types import Decision, Outcome, Reason, Stage
from governance_adapters.policy.annotations import UNDEFINED_CODE, Annotation, ReasonCode, read_annotations
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.obliged import ExplainedObligation, explained_obligations
from governance_adapters.policy.pointers import Place, place, steps_of

TERMS: Final = ("blocked_terms", "protected_names")
"""Tables of `data.json` whose keys are n-grams of prompts."""


@dataclass(frozen=True, slots=True)
class Match:
    """The n-gram of a prompt that stands as a key in the data. `decoded`: it was hidden in an encoding."""

    ngram: str
    decoded: bool


@dataclass(frozen=True, slots=True)
class Ground:
    """One datum that gave a reason, and the n-gram that led to it where it was one."""

    datum: Place
    match: Match | None = None


@dataclass(frozen=True, slots=True)
class ExplainedReason:
    """One reason of a decision, and all that is behind it.

    `rule` is what the METADATA says of the code; None where it says nothing. `field` is the part of the policy input that
    the reason points to, of a prompt its text alone; None where it points to nothing. `grounds` are the parts of `data.json`
    that decided, more than one where a prompt names several terms; none where no datum did, or it is not known.
    """

    code: str
    message: str
    path: str
    rule: ReasonCode | None
    field: Place | None = None
    grounds: tuple[Ground, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision explained. `reasons` decided; `notes` did not, as every reason of an `allow` did not.

    `evaluated` is False where the policy input is not whole any more, so that only what was recorded is explained.
    """

    stage: Stage
    outcome: Outcome
    bundle_revision: Digest
    reasons: tuple[ExplainedReason, ...]
    notes: tuple[ExplainedReason, ...]
    obligations: tuple[ExplainedObligation, ...]
    evaluated: bool = True


def explained(bundle: Bundle, decision: Decision, facts: Json, answer: object) -> Explanation:
    """The explanation of `decision`, which `bundle` gave on the policy input `facts`.

    `answer` is what the rule `explanation` of the stage says; None where the bundle has no such rule, and then no datum is
    known.

    Raises:
        PolicyError: `answer` has another shape, or the METADATA of the bundle cannot be read.
    """
    known = read_annotations(bundle.policies)
    data = {} if answer is None else _read(decision.stage, answer)
    for reason in decision.reasons:
        data.setdefault(reason, [])
    deciding = set() if decision.outcome is Outcome.ALLOW else set(decision.reasons)
    found = [
        (reason, _explained(bundle, decision.stage, known, facts, reason, pointers))
        for reason, pointers in data.items()
    ]
    return Explanation(
        decision.stage,
        decision.outcome,
        decision.bundle_revision,
        tuple(each for reason, each in found if reason in deciding),
        tuple(each for reason, each in found if reason not in deciding),
        explained_obligations(bundle.data, facts, decision),
    )


def explained_from_record(bundle: Bundle, decision: Decision, facts: Json) -> Explanation:
    """What `bundle` has to say of a recorded decision whose policy input `facts` has lost fields: codes and paths alone."""
    known = read_annotations(bundle.policies)
    reasons = tuple(_explained(bundle, decision.stage, known, facts, reason, ()) for reason in decision.reasons)
    allowed = decision.outcome is Outcome.ALLOW
    return Explanation(
        decision.stage,
        decision.outcome,
        decision.bundle_revision,
        () if allowed else reasons,
        reasons if allowed else (),
        explained_obligations(bundle.data, facts, decision),
        evaluated=False,
    )


def changes(recorded: Decision, now: Decision) -> tuple[str, ...]:
    """What became of a recorded decision under another bundle, in words; nothing where both say the same."""

    def lines() -> Iterator[str]:
        if recorded.outcome is not now.outcome:
            yield f"the outcome was {recorded.outcome.value} and is {now.outcome.value} now"
        before, after = ({(reason.code, reason.path) for reason in each.reasons} for each in (recorded, now))
        for word, only in (("no longer", before - after), ("new", after - before)):
            yield from (f"{word}: {f'{code} {path}'.rstrip()}" for code, path in sorted(only))
        for name in sorted({*recorded.obligations, *now.obligations}):
            old, new = recorded.obligations.get(name), now.obligations.get(name)
            if old != new:
                yield f"the obligation {name} was {_words(old)} and is {_words(new)} now"

    return tuple(lines())


def as_json(explanation: Explanation) -> dict[str, Json]:
    """The explanation as a JSON value."""
    return {
        "stage": explanation.stage.value,
        "outcome": explanation.outcome.value,
        "bundle_revision": explanation.bundle_revision,
        "evaluated": explanation.evaluated,
        "reasons": [_reason_json(reason) for reason in explanation.reasons],
        "notes": [_reason_json(note) for note in explanation.notes],
        "obligations": [
            {"name": each.name, "value": each.value, "from": [found.pointer for found in each.sources]}
            for each in explanation.obligations
        ],
    }


def _reason_json(reason: ExplainedReason) -> dict[str, Json]:
    rule = reason.rule
    return {
        "code": reason.code,
        "message": reason.message,
        "path": reason.path,
        "rule": None
        if rule is None
        else {
            "title": rule.title,
            "description": rule.description,
            "fix": rule.fix,
            "places": list(rule.places),
        },
        "input": _place_json(reason.field),
        "grounds": [
            {
                "datum": _place_json(ground.datum),
                "match": None
                if ground.match is None
                else {"ngram": ground.match.ngram, "decoded": ground.match.decoded},
            }
            for ground in reason.grounds
        ],
    }


def _place_json(found: Place | None) -> Json:
    if found is None:
        return None
    return {"pointer": found.pointer, "there": found.there, "value": found.value}


def _explained(
    bundle: Bundle, stage: Stage, known: Sequence[Annotation], facts: Json, reason: Reason, data: Iterable[str]
) -> ExplainedReason:
    return ExplainedReason(
        reason.code,
        reason.message,
        reason.path,
        _rule(known, reason.code, stage),
        _field(facts, reason.path),
        tuple(Ground(place(bundle.data, datum), _match(facts, reason.path, datum)) for datum in data),
    )


def _rule(known: Iterable[Annotation], code: str, stage: Stage) -> ReasonCode | None:
    """What the METADATA says of `code`: by the stage's own rules, else by what the stages share."""
    if code == UNDEFINED_CODE.code:
        return UNDEFINED_CODE
    found = [each for each in known if each.code == code]
    stages = {other: f"data.governance.{other.value}." for other in Stage}
    own = [each for each in found if each.path.startswith(stages[stage])]
    shared = [each for each in found if not each.path.startswith(tuple(stages.values()))]
    rules = own or shared
    if not rules:
        return None
    first = rules[0]
    alike = [each.place for each in rules if (each.title, each.fix) == (first.title, first.fix)]
    return ReasonCode(code, first.title, first.description, first.fix, tuple(alike))


def _field(facts: Json, pointer: str) -> Place | None:
    if not pointer:
        return None
    found = place(facts, pointer)
    prompt = found.value if steps_of(pointer)[:1] == ("prompts",) else None
    if isinstance(prompt, Mapping) and "text" in prompt:
        return Place(pointer, there=True, value=prompt["text"])
    return found


def _match(facts: Json, pointer: str, datum: str) -> Match | None:
    """Which n-gram of the prompt at `pointer` is the key that `datum` names."""
    steps = steps_of(datum)
    if len(steps) != 2 or steps[0] not in TERMS or steps_of(pointer)[:1] != ("prompts",):
        return None
    prompt = place(facts, "/".join(pointer.split("/")[:3])).value
    seen = prompt.get("ngrams") if isinstance(prompt, Mapping) else None
    return Match(steps[1], decoded=not (isinstance(seen, Sequence) and steps[1] in seen))


def _read(stage: Stage, answer: object) -> dict[Reason, list[str]]:
    """The reasons of the rule `explanation`, in its order, each with the pointers of its data."""
    items = answer if isinstance(answer, list) else [None]
    found: dict[Reason, list[str]] = {}
    for item in items:
        words: Any = [item.get(name) for name in ("code", "message", "path", "datum")] if isinstance(item, dict) else []
        if len(words) != 4 or not all(isinstance(word, str) for word in words):
            raise PolicyError(
                f"The rule `explanation` of {stage.value} does not say code, message, path and datum of each reason.",
                remedy="Give each reason a `datum`, a JSON pointer into the data or empty text.",
            )
        code, message, path, datum = words
        data = found.setdefault(Reason(code, message, path), [])
        if datum and datum not in data:
            data.append(datum)
    return found


def _words(value: Json) -> str:
    return "not set" if value is None else str(value)
