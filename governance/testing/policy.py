"""The policy engine's contract, facts to ask it with, and a fake that answers as scripted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from governance.canonical import Digest, Json, canonical_bytes, canonical_digest, digest
from governance.datasets.policy_input import Collected, RecordFacts, record_input
from governance.datasets.records import Basis, Consent, SourceKind, Synthetic
from governance.errors import CanonicalError, PolicyError
from governance.facts import admission_input, release_input, request_facts
from governance.ports import PolicyEngine
from governance.review_facts import Act, Hold, ReviewVerdict, access_input, review_input
from governance.testing.examples import EXAMPLE_MODEL, example_request
from governance.testing.expect import expect
from governance.training.policy_input import (
    Approval,
    BaseFacts,
    DatasetFacts,
    LineageGrade,
    Phase,
    RunFacts,
    run_input,
)
from governance.types import (
    Decision,
    Draft,
    Finding,
    GenerationRequest,
    ModelFacts,
    Outcome,
    Principal,
    Reason,
    Stage,
    Usage,
    new_id,
)

EXAMPLE_TIME = "2026-11-23T14:00:00.000Z"
EXAMPLE_REVIEWER = Principal("reviewer@example.org", ("reviewer",))
EXAMPLE_HOLD = Hold(
    "019ab0c4-7c00-7000-8000-000000000001",
    Stage.RELEASE,
    ("finding.review",),
    requester="designer@example.org",
    purpose="marketing",
    markets=("EU",),
    queue="general",
)
_REVISION = digest(b"a fake bundle")
EXAMPLE_RECORD = RecordFacts(
    licence="CC-BY-4.0",
    source_kind=SourceKind.PUBLIC,
    consent=Consent.NOT_NEEDED,
    collected=Collected.KNOWN,
    synthetic=Synthetic.NO,
    nsfw=2,
    similar=50,
    basis=Basis.COMPUTED,
)
EXAMPLE_RUN = RunFacts(
    principal=Principal("designer@example.org", ("designer",)),
    purpose="marketing",
    phase=Phase.START,
    method="lora",
    lineage=LineageGrade.WITNESSED,
    base=BaseFacts(canonical_digest(dict(EXAMPLE_MODEL.components)), "registered", licence="Apache-2.0"),
    datasets=(
        DatasetFacts(
            "digits",
            "approved",
            (Approval("counsel@example.org", ("counsel",)),),
            contents=3,
            outcomes={Outcome.ALLOW: 3, Outcome.REVIEW: 1, Outcome.DENY: 2},
            audited="2026-11-22T14:00:00.000Z",
            bundle_revision=_REVISION,
        ),
    ),
)
Script = Decision | PolicyError | Callable[[Stage, Mapping[str, Json]], Decision]


def admission_facts(
    request: GenerationRequest | None = None, model: ModelFacts = EXAMPLE_MODEL, *, usage: Usage | None = None
) -> dict[str, Json]:
    """A policy input of the admission stage, as the line makes it."""
    facts = request_facts(request or example_request(), model, ())
    return admission_input(
        facts, time=EXAMPLE_TIME, attempt=1, usage=usage or Usage(), registers=registered_facts(model)
    )


def registered_facts(model: ModelFacts = EXAMPLE_MODEL, state: str = "registered") -> dict[str, Json]:
    """What the registers say of `model` and its adapters where all of them stand so, for ever and for any base."""
    return {
        "model": {"key": canonical_digest(dict(model.components)), "state": state, "expires": ""},
        "adapters": [
            {"digest": adapter.digest, "state": state, "base": "", "expires": ""} for adapter in model.adapters
        ],
    }


def release_facts(
    score: float = 0.01, *, markable: bool = True, request: GenerationRequest | None = None
) -> dict[str, Json]:
    """A policy input of the release stage, as the line makes it, for a draft with this NSFW score.

    No protected work is registered.
    """
    request = request or example_request()
    admitted = Decision(Stage.ADMISSION, Outcome.ALLOW, (), {"watermark": True}, new_id(), digest(b"a bundle"))
    draft = Draft(0, np.zeros((request.height, request.width, 3), np.uint8), EXAMPLE_MODEL, 123)
    findings = (
        Finding("nsfw", digest(b"nsfw weights"), "nsfw", score),
        Finding("similarity", digest(b"similarity weights"), "copy", 0.0),
    )
    return release_input(
        admission_facts(request),
        admitted,
        draft,
        findings,
        time=EXAMPLE_TIME,
        markable=markable,
        registers=registered_facts(),
    )


def review_facts(
    verdict: ReviewVerdict = ReviewVerdict.APPROVE,
    *,
    hold: Hold = EXAMPLE_HOLD,
    reviewer: Principal = EXAMPLE_REVIEWER,
    approvals: Sequence[str] = (),
    inputs: Sequence[Json] = (),
    to: str = "",
) -> dict[str, Json]:
    """A policy input of the review stage, to decide: by default the first approval of a draft that was held."""
    return review_input(hold, reviewer, verdict, approvals, EXAMPLE_MODEL, time=EXAMPLE_TIME, inputs=inputs, to=to)


def access_facts(
    act: Act = Act.HOLDS_VIEW, hold: Hold | None = EXAMPLE_HOLD, *, reviewer: Principal = EXAMPLE_REVIEWER
) -> dict[str, Json]:
    """A policy input of the review stage where nothing is decided: by default to look at a draft that was held."""
    return access_input(reviewer, act, hold, time=EXAMPLE_TIME)


def record_facts(**changes: Any) -> dict[str, Json]:
    """A policy input of the training stage, of a record that nothing speaks against; `changes` replace its facts."""
    return record_input(replace(EXAMPLE_RECORD, **changes), time=EXAMPLE_TIME, purpose="marketing")


def run_facts(**changes: Any) -> dict[str, Json]:
    """A policy input of the training stage, of a run that starts on a dataset which somebody else approved."""
    return run_input(replace(EXAMPLE_RUN, **changes), time=EXAMPLE_TIME, bundle_revision=_REVISION)


@dataclass
class FakePolicyEngine:
    """Answers each stage as scripted: a decision, an error to raise, or a function of stage and facts.

    `undefined` are the stages on which the policy says nothing. `asked` records every question, in order.
    """

    script: Mapping[Stage, Script] = field(default_factory=dict)
    undefined: frozenset[Stage] = frozenset()
    bundle_revision: Digest = _REVISION
    asked: list[tuple[Stage, Mapping[str, Json]]] = field(default_factory=list)

    def decide(self, stage: Stage, facts: Mapping[str, Json]) -> Decision:
        self.asked.append((stage, facts))
        try:
            canonical_bytes(facts)
        except CanonicalError as error:
            raise PolicyError("The policy input has no canonical form.", remedy=error.remedy) from error
        if facts.get("stage") != stage.value:
            raise PolicyError(
                f"The policy input is for {facts.get('stage')}, not {stage.value}.",
                remedy="Ask with that stage's facts.",
            )
        if stage in self.undefined:
            return self.answer(stage, Outcome.DENY, Reason("policy.undefined", "The policy gave no decision."))
        scripted = self.script.get(stage)
        if isinstance(scripted, PolicyError):
            raise scripted
        if isinstance(scripted, Decision):
            return scripted
        return scripted(stage, facts) if scripted else self.answer(stage, Outcome.ALLOW, watermark=True)

    def answer(self, stage: Stage, outcome: Outcome, *reasons: Reason, **obligations: Json) -> Decision:
        """A decision of this fake's bundle, with a fresh id."""
        return Decision(stage, outcome, reasons, obligations, new_id(), self.bundle_revision)


class PolicyEngineContract:
    """What every policy engine keeps to. A subclass supplies the engines.

    `engine` allows `admission_facts()` and `release_facts()`, and denies a release that scores 1.0.
    """

    def engine(self) -> PolicyEngine:
        raise NotImplementedError

    def undefined_engine(self) -> PolicyEngine:
        """Whose policy says nothing at admission."""
        raise NotImplementedError

    def broken_engine(self) -> PolicyEngine:
        """Which cannot answer at admission."""
        raise NotImplementedError

    def test_an_answer_names_stage_bundle_and_itself(self) -> None:
        engine = self.engine()
        first, second = (engine.decide(Stage.ADMISSION, admission_facts()) for _ in range(2))
        assert first.outcome is Outcome.ALLOW
        assert first.stage is Stage.ADMISSION
        assert first.bundle_revision == engine.bundle_revision
        assert len(engine.bundle_revision) == 64
        assert set(engine.bundle_revision) <= set("0123456789abcdef")
        assert first.decision_id
        assert first.decision_id != second.decision_id
        canonical_bytes(dict(first.obligations))

    def test_stages_are_decided_apart(self) -> None:
        engine = self.engine()
        assert engine.decide(Stage.RELEASE, release_facts()).outcome is Outcome.ALLOW
        denied = engine.decide(Stage.RELEASE, release_facts(score=1.0))
        assert denied.outcome is Outcome.DENY
        assert denied.stage is Stage.RELEASE
        assert all(reason.code and reason.message for reason in denied.reasons)
        assert denied.reasons

    def test_facts_are_left_as_they_were(self) -> None:
        facts = admission_facts()
        self.engine().decide(Stage.ADMISSION, facts)
        assert facts == admission_facts()

    def test_undefined_is_a_denial(self) -> None:
        decision = self.undefined_engine().decide(Stage.ADMISSION, admission_facts())
        assert decision.outcome is Outcome.DENY
        assert [reason.code for reason in decision.reasons] == ["policy.undefined"]
        assert dict(decision.obligations) == {}

    def test_no_answer_is_an_error(self) -> None:
        with expect(PolicyError):
            self.broken_engine().decide(Stage.ADMISSION, admission_facts())

    def test_facts_of_another_stage_are_refused(self) -> None:
        with expect(PolicyError):
            self.engine().decide(Stage.RELEASE, admission_facts())

    def test_facts_with_a_float_are_refused(self) -> None:
        facts: dict[str, object] = {**admission_facts(), "version": 1.0}
        with expect(PolicyError):
            self.engine().decide(Stage.ADMISSION, facts)  # type: ignore[arg-type]

    def test_many_threads_get_their_own_answers(self) -> None:
        engine = self.engine()
        scores = [0.0, 1.0] * 16
        with ThreadPoolExecutor(8) as pool:
            decisions = list(pool.map(lambda score: engine.decide(Stage.RELEASE, release_facts(score=score)), scores))
        assert [decision.outcome is Outcome.DENY for decision in decisions] == [score == 1.0 for score in scores]
        assert len({decision.decision_id for decision in decisions}) == len(scores)
