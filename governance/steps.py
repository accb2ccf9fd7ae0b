"""The steps of the line up to a verdict on each draft, one function each, in order; the rest is `governance.releasing`.

`governance.governor` puts them in a row.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from governance import inspection
from governance.bodies import Judged, Subject
from governance.canonical import Json, digest
from governance.checkpoint import verify_receipt
from governance.entries import ALL_ENTRIES, Entry, Receipt, Record, Spending
from governance.errors import (
    GenerationError,
    LedgerError,
    ModelError,
    ObligationError,
    PolicyError,
)
from governance.facts import (
    InspectedInput,
    admission_input,
    day_of,
    release_input,
    request_facts,
    stricter,
)
from governance.frames import inspected, worst
from governance.held import HeldDraft
from governance.holds import Approved, Opening
from governance.inputs import checked_manifest
from governance.marking import DISCLOSABLE
from governance.media import Clip, Media, Sound, frames_of, frozen
from governance.obligations import Obligations
from governance.parts import Parts
from governance.pixels import require_pixels
from governance.ports import Pipeline
from governance.shadow import Shadow, exceeds
from governance.types import (
    Decision,
    Draft,
    Finding,
    GenerationRequest,
    InputImage,
    MediaKind,
    Mode,
    ModelFacts,
    Outcome,
    Pixels,
    Stage,
    Usage,
    new_id,
    utc_now,
)

AT_ONCE = 16
"""How many frames of a clip detectors are given at once."""
UNCHECKED = Finding("none", digest(b""), "unchecked", 1.0)
"""What is found in a sound: nobody listened. `detector_digest` is that of nothing."""
ADMISSIONS = 3
"""How often policy is asked about a call that it allows and whose budget is spent by others meanwhile."""


@dataclass(frozen=True, slots=True)
class Release:
    """The decision on one draft, what it obliges together with the admission, and the outcome of the two."""

    judged: Judged
    obligations: Obligations
    outcome: Outcome


def owned(request: GenerationRequest) -> GenerationRequest:
    """`request` with copies of its input images that nobody else can change.

    Raises:
        MarkError: an input image is no (H, W, 3) uint8 array.
    """
    return replace(request, inputs=tuple(replace(image, pixels=_frozen(image.pixels)) for image in request.inputs))


def describe(parts: Parts, request: GenerationRequest, pipeline: Pipeline) -> tuple[ModelFacts, dict[str, Json]]:
    """What would generate, and the facts of the request, input images checked and scored.

    Raises:
        RequestError: an input's file says something else than its pixels, or was changed after it was signed.
    """
    model = pipeline.describe()
    manifests = [checked_manifest(parts.encoder, parts.signer, image) for image in request.inputs]
    found = inspect(parts, [image.pixels for image in request.inputs])
    inputs = [InspectedInput(*inspected) for inspected in zip(request.inputs, found, manifests, strict=True)]
    return model, request_facts(request, model, inputs)


def admit(parts: Parts, request: GenerationRequest, facts: Mapping[str, Json], attempt: int) -> Judged:
    """Ask policy whether this may be generated at all.

    Raises:
        ObligationError: it allows fewer steps. In shadow mode that stops nothing: see `governance.shadow`.
    """
    time = utc_now()
    usage, registers = parts.ledger.usage(request.principal.id, day_of(time)), parts.registers.facts_in(facts, time)
    policy_input = admission_input(facts, time=time, attempt=attempt, usage=usage, registers=registers)
    admission = decide(parts, Stage.ADMISSION, policy_input)
    if admission.decision.outcome is not Outcome.DENY and parts.mode is Mode.ENFORCE:
        _check_steps(admission.obligations, request.steps)
    return admission


def intend(
    parts: Parts,
    subject: Subject,
    request: GenerationRequest,
    model: ModelFacts,
    admission: Judged,
    approved: Approved | None = None,
    shadow: Shadow | None = None,
) -> GenerationRequest:
    """Write the intent, durably, before any compute is spent; the request comes back with a seed for each image.

    What it spends counts on the day whose usage policy was shown. `approved` is the hold by which people let the request
    run although policy holds it: this uses it, once. `shadow` is what enforcement would have done, in shadow mode: where it
    would not have admitted the request, nothing is spent, so that later decisions are those of enforcement too.

    Raises:
        BudgetError: somebody else's intent came in between, and with this one the day would be above its budget.
    """
    seeds = request.seeds or tuple(secrets.randbits(63) for _ in range(request.images))
    day = day_of(str(admission.policy_input["time"]))
    spending = None
    if shadow is None or shadow.admitted:
        spending = Spending(request.principal.id, day, Usage.of(request), admission.obligations.day_budget)
    subject.intent = append(parts, subject.intended(request, seeds, model, admission, spending, approved, shadow))
    return replace(request, seeds=seeds)


def generate(request: GenerationRequest, admitted: ModelFacts, pipeline: Pipeline) -> Sequence[Draft]:
    """Generate, and compare what generated with what was admitted."""
    drafts = pipeline.generate(request)
    kinds = [kind for kind in request.media for _ in range(request.images)]
    if [(draft.index, draft.kind) for draft in drafts] != list(enumerate(kinds)):
        raise GenerationError(
            f"The pipeline made {len(drafts)} items where {len(kinds)} of {', '.join(request.media)} were admitted.",
            remedy="Ask for as many as the pipeline returns.",
        )
    drafts = [replace(draft, media=frozen(draft.media)) for draft in drafts]
    for draft in drafts:
        if not _within(draft, request):
            raise GenerationError(
                f"The pipeline made more than the {request.frames} x {request.width} x {request.height} pixels that were "
                "admitted.",
                remedy="Ask for a size that the pipeline makes without rounding up.",
            )
        if draft.model.digest != admitted.digest:
            raise ModelError(
                "The model that generated is not the model that was admitted.",
                remedy="Do not change weights, adapters or scheduler while a governed call runs.",
            )
    return drafts


def _within(draft: Draft, request: GenerationRequest) -> bool:
    """Whether a draft has no more frames, rows and columns than policy was told; how long a sound is, nobody was."""
    media = draft.media
    if isinstance(media, Sound):
        return True
    frames, height, width = media.frames.shape[:3] if isinstance(media, Clip) else (1, *media.shape[:2])
    return bool(frames <= request.frames and height <= request.height and width <= request.width)


def inspect(parts: Parts, images: Sequence[Pixels]) -> list[tuple[Finding, ...]]:
    """What every detector finds in each image. Scores, never verdicts."""
    return inspection.inspect(parts.detectors, images, parts.detector_seconds)


def inspect_draft(parts: Parts, media: Media, every: int) -> tuple[Finding, ...]:
    """What every detector finds in a draft: of a clip, the worst of the frames that are looked at, each `every`th.

    No detector hears: the one finding of a sound says that nobody checked it.
    """
    if isinstance(media, Sound):
        return (UNCHECKED,)
    if not isinstance(media, Clip):
        (findings,) = inspect(parts, [media])
        return findings
    places = inspected(len(media.frames), max(1, every))
    found: list[tuple[Finding, ...]] = []
    for start in range(0, len(places), AT_ONCE):
        found += inspect(parts, [media.frames[place] for place in places[start : start + AT_ONCE]])
    return worst(places, found)


def judge(
    parts: Parts, admission: Judged, draft: Draft, findings: Sequence[Finding], review: Decision | None = None
) -> Release:
    """Ask policy whether this draft may leave.

    `review` is the decision by which people approved the request, where it was held at admission: the approvals that
    admission obliged are given then. The registers are asked again: a model may be withdrawn while it generates.
    """
    time = utc_now()
    policy_input = release_input(
        admission.policy_input,
        admission.decision,
        draft,
        findings,
        time=time,
        markable=markable(parts, draft.media),
        registers=parts.registers.facts_in(admission.policy_input, time),
        review=review,
    )
    return decide_release(parts, admission.obligations, policy_input, approved=review is not None, mode=parts.mode)


def decide_release(
    parts: Parts,
    admitted: Obligations,
    policy_input: Mapping[str, Json],
    *,
    approved: bool = False,
    mode: Mode = Mode.ENFORCE,
) -> Release:
    """Ask policy about a draft by its facts; `admitted` is what admission obliged, `approved` whether people let it run.

    In shadow mode the draft leaves whatever the outcome is: then it is only the number of steps that is not looked at.

    Raises:
        ObligationError: the two oblige what cannot be honoured together, or the image would leave as it may not.
    """
    judged = decide(parts, Stage.RELEASE, policy_input)
    obligations = admitted.merged(judged.obligations)
    if unknown := [name for name in obligations.disclose if name not in DISCLOSABLE]:
        raise ObligationError(
            f"Policy obliges to disclose {', '.join(unknown)}; this version discloses {', '.join(DISCLOSABLE)} only.",
            remedy="Remove the others from `disclose` in the bundle's obligations.",
        )
    looked_at = max(1, admitted.inspect_every)
    if 0 < judged.obligations.inspect_every < looked_at and _is_clip(policy_input):
        raise ObligationError(
            "Policy obliges at release to look at more frames than admission did, when they were looked at already.",
            remedy="Oblige inspect_every at admission, or the same at both stages.",
        )
    if obligations.day_budget != admitted.day_budget:
        raise ObligationError(
            "Policy limits the day's budget further at release, when the request is spent already.",
            remedy="Oblige day_budget at admission only.",
        )
    pending = judged.obligations.approvals if approved else obligations.approvals
    outcome = stricter(judged.decision.outcome, Outcome.REVIEW if pending else Outcome.ALLOW)
    if outcome is not Outcome.DENY or mode is Mode.SHADOW:  # what is held may leave one day: better known now
        request: Any = policy_input["parameters"]
        if mode is Mode.ENFORCE:
            _check_steps(obligations, request["steps"])
        draft: Any = policy_input["draft"]
        if draft["media"] == MediaKind.AUDIO:
            _check_sound(obligations)
        elif not obligations.watermark and not obligations.visible_label:
            raise ObligationError(
                "Policy drops the watermark and obliges no visible label: the image would leave unmarked.",
                remedy="Oblige a visible_label wherever the bundle says `watermark: false`.",
            )
    return Release(judged, obligations, outcome)


def markable(parts: Parts, media: Media) -> bool:
    """Whether the watermark fits into a picture, or into the frames of a clip; a sound has none."""
    frames = frames_of(media)
    return bool(frames) and parts.watermarker.fits(*frames[0].shape[:2])


def _is_clip(policy_input: Mapping[str, Json]) -> bool:
    draft: Any = policy_input["draft"]
    return bool(draft["media"] == MediaKind.VIDEO)


def _check_sound(obligations: Obligations) -> None:
    """A sound leaves unmarked, and only where policy says so in as many words."""
    if obligations.watermark or obligations.visible_label:
        raise ObligationError(
            "Policy obliges a watermark or a visible label, and a sound can carry neither.",
            remedy="Deny sounds, or let the bundle oblige `watermark: false` and no visible_label for them.",
        )


def withhold(
    parts: Parts,
    subject: Subject,
    draft: Draft,
    inputs: Sequence[InputImage],
    findings: Sequence[Finding],
    release: Release,
) -> Entry:
    """Write `denied` and forget the draft, or encrypt it into quarantine, with its inputs, and write `held`."""
    if release.outcome is Outcome.DENY:
        return append(parts, subject.withheld(draft, findings, release.judged)).entry
    sealed = HeldDraft.of(parts.codecs, draft.media, inputs).pack()
    opening = Opening(new_id(), utc_now(), release.obligations, digest(sealed))
    parts.quarantine.seal(opening.id, sealed)
    record = subject.withheld(draft, findings, release.judged, opening=opening)
    try:
        return append(parts, record).entry
    except BaseException:  # Ctrl-C too: thrown away only if the ledger certainly lacks it; raised again
        if certainly_absent(parts, record):
            parts.quarantine.destroy(opening.id)
        raise


def append(parts: Parts, record: Record) -> Receipt:
    """Append, and believe nothing but a receipt that verifies for exactly this entry."""
    return proven(parts, parts.ledger.append(record), record.entry)


def proven(parts: Parts, receipt: Receipt, entry: Entry) -> Receipt:
    """`receipt`, if it proves exactly `entry` under this log's key."""
    if verify_receipt(receipt, parts.log_key) != entry:
        raise LedgerError(
            f"The ledger answered with a receipt for another entry than {entry.id}.",
            remedy="Run `governance ledger verify`.",
        )
    return receipt


def certainly_absent(parts: Parts, record: Record) -> bool:
    """Whether the ledger says that it does not hold this entry.

    An interrupt may arrive when the entry is durable already. Where the ledger cannot answer, nothing is thrown away:
    recovery settles it.
    """
    try:
        page = parts.ledger.entries(subject=record.entry.subject, kind=record.entry.kind, limit=ALL_ENTRIES)
    except LedgerError:
        return False
    return all(entry.id != record.entry.id for _, entry in page)


def _check_steps(obligations: Obligations, steps: int) -> None:
    limit = obligations.max_steps
    if exceeds(obligations, steps):
        raise ObligationError(
            f"Policy allows at most {limit} steps; {steps} were asked for.",
            remedy=f"Ask for {limit} steps or fewer.",
        )


def _frozen(pixels: object) -> Pixels:
    """A private copy that nobody can change between its check and its release."""
    copy = require_pixels(pixels).copy()
    copy.flags.writeable = False
    return copy


def decide(parts: Parts, stage: Stage, policy_input: Mapping[str, Json]) -> Judged:
    """The policy's decision, and what it obliges.

    Raises:
        PolicyError: the policy cannot be asked, or answers for another stage.
        ObligationError: it obliges what is unknown.
    """
    decision = parts.policy.decide(stage, policy_input)
    if decision.stage is not stage:
        raise PolicyError(
            f"A decision for {decision.stage.value} came back where {stage.value} was asked.",
            remedy="Repair the policy engine's adapter.",
        )
    return Judged.of(decision, policy_input)
