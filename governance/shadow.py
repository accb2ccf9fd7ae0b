"""Shadow mode: what enforcement would have done with what was released all the same.

In shadow mode policy is asked as ever, and every decision is recorded; but what policy denies, holds or limits leaves, marked,
signed and recorded like everything else. Policy does not see the mode, so its decisions are those of enforcement.
What is no decision of policy stops a release in both modes: an engine that fails, an answer that cannot be used, a policy
that says nothing, an obligation that cannot be honoured, and every step that fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from governance.assets import Verdict
from governance.canonical import Json
from governance.entries import Entry, EntryKind
from governance.errors import ProofError
from governance.obligations import Obligations
from governance.types import Decision, Outcome, Stage

UNDEFINED: Final = "policy.undefined"
"""The reason code of a decision that no rule made: nothing was decided, so there is nothing to record and pass over."""
STEPS: Final = "obligation.max_steps"
BUDGET: Final = "obligation.day_budget"
APPROVALS: Final = "obligation.approvals"
LINE_CODES: Final = (STEPS, BUDGET, APPROVALS)
"""Why the line itself would have stopped what policy allowed: too many steps, a spent budget, approvals that lack."""
SHADOW: Final = "shadow"
"""The member of a body that says that its entry was made in shadow mode, and what enforcement would have done."""
_ENDS: Final = {Outcome.ALLOW: Verdict.RELEASED, Outcome.REVIEW: Verdict.HELD, Outcome.DENY: Verdict.DENIED}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What enforcement would have done at one stage: `verdict` is `released` where it would have gone on.

    `codes` are the reasons why not, each once: those of policy, or one of `LINE_CODES`.
    """

    stage: Stage
    verdict: Verdict
    codes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """The form in which entries hold it."""
        return {"stage": self.stage.value, "verdict": self.verdict.value, "codes": list(self.codes)}


@dataclass(frozen=True, slots=True)
class Shadow:
    """What enforcement would have done, stage by stage, as far as the line has come."""

    stages: tuple[Judgement, ...]

    @property
    def decisive(self) -> Judgement:
        """The first stage at which enforcement would have stopped; the last one where it would have gone on to the end."""
        return next((each for each in self.stages if each.verdict is not Verdict.RELEASED), self.stages[-1])

    @property
    def verdict(self) -> Verdict:
        """What would have become of it under enforcement: `failed` where the line would have refused."""
        return self.decisive.verdict

    @property
    def admitted(self) -> bool:
        """Whether enforcement would have generated it."""
        return all(each.verdict is Verdict.RELEASED for each in self.stages if each.stage is Stage.ADMISSION)

    def then(self, judgement: Judgement) -> Shadow:
        """With what enforcement would have done at the next stage."""
        return Shadow((*self.stages, judgement))

    def as_json(self) -> dict[str, Json]:
        """The member `shadow` of a body."""
        return {"verdict": self.verdict.value, "stages": [each.as_json() for each in self.stages]}

    def in_words(self) -> str:
        """For people: what enforcement would have done, and why."""
        decisive = self.decisive
        if decisive.verdict is Verdict.RELEASED:
            return "enforcement would have released it too"
        why = f" at {decisive.stage.value}"
        codes = f": {', '.join(decisive.codes)}" if decisive.codes else ""
        return f"enforcement would have {_WORDS[decisive.verdict]} it{why}{codes}"


_WORDS: Final = {Verdict.DENIED: "denied", Verdict.HELD: "held", Verdict.FAILED: "refused"}


def at_admission(decision: Decision, obligations: Obligations, steps: int, *, approved: bool) -> Judgement:
    """What enforcement makes of an admission. `approved`: people let the request run, where policy holds it."""
    if decision.outcome is Outcome.DENY:
        return _by_policy(decision)
    if exceeds(obligations, steps):
        return Judgement(Stage.ADMISSION, Verdict.FAILED, (STEPS,))
    return Judgement(Stage.ADMISSION, Verdict.RELEASED) if approved else _by_policy(decision)


def over_budget() -> Judgement:
    """What enforcement makes of an intent that the day's budget has no room for, although policy allowed it."""
    return Judgement(Stage.ADMISSION, Verdict.FAILED, (BUDGET,))


def at_release(decision: Decision, obligations: Obligations, outcome: Outcome, steps: int) -> Judgement:
    """What enforcement makes of a draft. `outcome` is that of the decision and of the approvals that are obliged."""
    if outcome is Outcome.DENY:
        return _by_policy(decision)
    if exceeds(obligations, steps):
        return Judgement(Stage.RELEASE, Verdict.FAILED, (STEPS,))
    if outcome is not decision.outcome:
        return Judgement(Stage.RELEASE, Verdict.HELD, (APPROVALS,))
    return _by_policy(decision)


def exceeds(obligations: Obligations, steps: int) -> bool:
    """Whether a call of so many steps is more than policy obliges the line to."""
    return bool(obligations.max_steps) and steps > obligations.max_steps


def is_undefined(decision: Decision) -> bool:
    """Whether no rule made this decision: the policy said nothing, which is no outcome of policy that could be passed over."""
    return decision.outcome is Outcome.DENY and any(reason.code == UNDEFINED for reason in decision.reasons)


def shadow_of(entry: Entry) -> Shadow | None:
    """What an entry that was made in shadow mode says that enforcement would have done; None of every other entry.

    Raises:
        ProofError: it does not have the shape of this version, or its verdict does not follow from its stages.
    """
    raw: Any = entry.body.get(SHADOW) if entry.kind is not EntryKind.MODE else None
    if raw is None:
        return None
    try:
        shadow = Shadow(tuple(_judgement(each) for each in raw["stages"]))
        if shadow.as_json() != raw:
            raise ValueError("its verdict is not that of its stages")
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ProofError(
            f"What entry {entry.id} says of enforcement cannot be read: {error!r}.",
            remedy="It was written by another version: use that version to read it.",
        ) from error
    return shadow


def bears_out(shadow: Shadow, decision: Decision) -> bool:
    """Whether `shadow` says of the release stage what follows from its `decision`: the line may be stricter, never laxer."""
    last = shadow.stages[-1]
    allowed = {
        Outcome.ALLOW: (Verdict.RELEASED, Verdict.HELD, Verdict.FAILED),
        Outcome.REVIEW: (Verdict.HELD, Verdict.FAILED),
        Outcome.DENY: (Verdict.DENIED,),
    }
    return last.stage is decision.stage and last.verdict in allowed[decision.outcome] and not is_undefined(decision)


def withheld_under_enforcement(entries: Sequence[Entry]) -> bool:
    """Whether any of these entries released in shadow mode what enforcement would not have."""
    shadows = (shadow_of(entry) for entry in entries if entry.kind is EntryKind.RELEASED)
    return any(shadow is not None and shadow.verdict is not Verdict.RELEASED for shadow in shadows)


def _by_policy(decision: Decision) -> Judgement:
    verdict = _ENDS[decision.outcome]
    codes = () if verdict is Verdict.RELEASED else tuple(dict.fromkeys(reason.code for reason in decision.reasons))
    return Judgement(decision.stage, verdict, codes)


def _judgement(raw: Mapping[str, Any]) -> Judgement:
    return Judgement(Stage(raw["stage"]), Verdict(raw["verdict"]), tuple(str(code) for code in raw["codes"]))
