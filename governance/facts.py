"""What policy sees: the facts of a request, without a float in them, and the same facts with personal fields committed.

Guidance, strength and scales are in thousandths, scores in millionths (risk rounded up), sizes in pixels. Engines then
agree to the last bit, and the digest of an input means the same everywhere.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from governance.canonical import (
    MAX_SAFE_INTEGER,
    Digest,
    Json,
    canonical_bytes,
    canonical_digest,
    commitment,
    digest,
    new_salt,
    without_floats,
)
from governance.entries import Document, PersonalField
from governance.errors import DetectorError, RequestError
from governance.hidden import hidden_readings
from governance.media import Clip, Sound
from governance.normalise import NORMALISER_VERSION, check_prompt, ngrams, normalise
from governance.types import (
    Decision,
    Draft,
    Finding,
    GenerationRequest,
    InputImage,
    MediaKind,
    ModelFacts,
    Outcome,
    Parameter,
    Principal,
    Prompt,
    Scalar,
    Stage,
    Usage,
)

MAX_SEED = 2**64
MAX_IMAGES = 1000
"""Images of one call: each gets an item and an entry of its own, whatever policy says."""
CALL_VERSION = 2
"""Of the call document: 1 had neither what is made nor the arguments as they were filled."""
_PERSONAL_MEMBERS = {"principal": "id", "request": "id", "reviewer": "id", "hold": "requester"}
_PERSONAL_ELEMENTS = ("prompts", "inputs", "opaque", "approvals")


class InputManifest(StrEnum):
    """What an input's file says of itself: nothing, or something that a signer whom we trust, or another, signed.

    A file whose manifest is invalid never gets as far as policy.
    """

    NONE = "none"
    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, slots=True)
class InspectedInput:
    """An input image, what the detectors found in it, and what its file's manifest is worth."""

    image: InputImage
    findings: tuple[Finding, ...]
    manifest: InputManifest = InputManifest.NONE


def request_facts(request: GenerationRequest, model: ModelFacts, inputs: Sequence[InspectedInput]) -> dict[str, Json]:
    """The facts that make two calls the same call: everything policy sees, except the time and the attempt.

    Raises:
        RequestError: a prompt that is empty, binary or too long; a number that is not finite or out of range.
    """
    _check_shape(request)
    return {
        "principal": principal_facts(request.principal),
        "request": {
            "id": request.id,
            "purpose": request.purpose,
            "images": request.images,
            "media": [kind.value for kind in request.media],
            "markets": list(request.markets),
        },
        "prompts": [_prompt_facts(prompt) for prompt in request.prompts],
        "normaliser": NORMALISER_VERSION,
        "parameters": _parameter_facts(request),
        "seeds": [str(seed) for seed in request.seeds],
        "inputs": [_input_facts(item) for item in inputs],
        "opaque": [
            {"parameter": argument.parameter, "kind": argument.kind.value, "digest": argument.digest}
            for argument in request.opaque
        ],
        "model": model.as_facts(),
    }


def admission_input(
    facts: Mapping[str, Json], *, time: str, attempt: int, usage: Usage, registers: Mapping[str, Json]
) -> dict[str, Json]:
    """The policy input of the admission stage. `usage` is what the principal's day (UTC) has spent before.

    `registers` is what `governance.registers.register.Registers.facts` says of the model and its adapters at this time. It is
    no part of what makes two calls the same call: what is withdrawn meanwhile must not let a repeated call conflict.
    """
    request: Any = facts["request"]
    return {
        **facts,
        "version": 1,
        "stage": Stage.ADMISSION.value,
        "time": time,
        "request": {**request, "attempt": attempt},
        "usage": usage.as_json(),
        "registers": dict(registers),
    }


def release_input(
    admitted: Mapping[str, Json],
    admission: Decision,
    draft: Draft,
    findings: Sequence[Finding],
    *,
    time: str,
    markable: bool,
    registers: Mapping[str, Json],
    review: Decision | None = None,
) -> dict[str, Json]:
    """The policy input of the release stage for one draft: the admitted facts, the draft, and what was found in it.

    `registers` is what the registers say now, which may be something else than at admission. `review` is the decision by which people approved a request that was held at admission.
    """
    return {
        **admitted,
        "stage": Stage.RELEASE.value,
        "time": time,
        "registers": dict(registers),
        "draft": draft_facts(draft, markable=markable),
        "findings": [finding_facts(finding) for finding in findings],
        "admission": {
            "decision_id": admission.decision_id,
            "outcome": admission.outcome.value,
            "obligations": dict(admission.obligations),
            "review": None if review is None else {"decision_id": review.decision_id, "outcome": review.outcome.value},
        },
    }


def draft_facts(draft: Draft, *, markable: bool) -> dict[str, Json]:
    """One draft for policy: a picture has one frame and no length, a sound no frames and no sides.

    `markable` is whether its frames are large enough for the watermark.
    """
    media, width, height, frames = draft.media, 0, 0, 0
    if isinstance(media, Clip):
        frames, height, width = media.frames.shape[:3]
    elif not isinstance(media, Sound):
        frames, (height, width) = 1, media.shape[:2]
    return {
        "index": draft.index,
        "media": draft.kind.value,
        "width": width,
        "height": height,
        "frames": frames,
        "milliseconds": media.milliseconds if isinstance(media, Clip | Sound) else 0,
        "markable": markable,
    }


def day_of(time: str) -> str:
    """The day (UTC) of an RFC 3339 time in UTC, such as `2026-11-23`: what budgets are counted by."""
    return time[:10]


def finding_facts(finding: Finding) -> dict[str, Json]:
    """A finding for policy: its score in millionths, rounded up, because a risk is never rounded away.

    Raises:
        DetectorError: the score is not a number in [0, 1].
    """
    if not 0.0 <= finding.score <= 1.0:
        raise DetectorError(
            f"Detector {finding.detector} scored {finding.label} as {finding.score}, which is not in [0, 1].",
            remedy="Its model file or its input is broken: run `governance doctor`.",
        )
    facts: dict[str, Json] = {
        "detector": finding.detector,
        "detector_digest": finding.detector_digest,
        "label": finding.label,
        "score_millionths": math.ceil(Decimal(repr(float(finding.score))) * 1_000_000),
    }
    if finding.work:
        facts["work"] = finding.work
    if finding.action:
        facts["action"] = finding.action
    if finding.evidence:
        facts["evidence"] = dict(finding.evidence)
    return facts


def redact(policy_input: Mapping[str, Json]) -> tuple[Document, tuple[PersonalField, ...]]:
    """`policy_input` with each personal field replaced by a commitment with a fresh salt, and the fields themselves.

    Personal are the principal's id, the request id, each prompt with all that derives from it, each input image and each
    opaque argument; of a review the ids of reviewer and requester, and of each who approved before. The document is what
    an entry commits to; the fields can be disclosed or erased one by one.
    """
    redacted = dict(policy_input)
    fields: list[PersonalField] = []

    def committed(name: str, value: Json) -> Json:
        field = PersonalField(name, new_salt(), value)
        fields.append(field)
        return {"commitment": commitment(field.name, field.value, field.salt)}

    for name, member in _PERSONAL_MEMBERS.items():
        if name in policy_input:
            members: Any = policy_input[name]
            redacted[name] = {**members, member: committed(f"/{name}/{member}", members[member])}
    for name in _PERSONAL_ELEMENTS:
        if name in policy_input:
            elements: Any = policy_input[name]
            redacted[name] = [committed(f"/{name}/{index}", element) for index, element in enumerate(elements)]
    content = canonical_bytes(redacted)
    return Document(digest(content), content), tuple(fields)


def call_facts(request: GenerationRequest, seeds: Sequence[int]) -> dict[str, Json]:
    """What would repeat the call, exactly: numbers as they were given, floats as their shortest decimal text.

    `generators` are the states of the caller's generators in base64; with them `seeds` only say what those began with.
    `arguments` are the pipeline's own parameters as they were filled.
    """
    floats = {name: value for name, value in request.parameters.items() if _has_float(value)}
    return {
        "version": CALL_VERSION,
        "parameters": without_floats({k: v for k, v in request.parameters.items() if k not in floats}),
        "floats": without_floats(floats),
        "seeds": [str(seed) for seed in seeds],
        "generators": [base64.b64encode(state).decode() for state in request.generators],
        "steps": request.steps,
        "width": request.width,
        "height": request.height,
        "images": request.images,
        "media": [kind.value for kind in request.media],
        "frames": request.frames,
        "arguments": dict(request.arguments),
    }


def facts_digest(facts: Mapping[str, Json], request: GenerationRequest, model: ModelFacts) -> Digest:
    """What the idempotency key compares: the facts, and the exact numbers behind their thousandths.

    The exact scales of adapters are among them; the model's environment is not, so that a request may be asked again on
    another machine.
    """
    compared: dict[str, Json] = {"facts": dict(facts), "call": call_facts(request, request.seeds)}
    if model.adapters:
        compared["scales"] = {adapter.name: dict(adapter.scales) for adapter in model.adapters}
    return canonical_digest(compared)


def pixels_digest(image: InputImage) -> Digest:
    """SHA-256 over the shape and the RGB bytes of an input image."""
    height, width, _ = image.pixels.shape
    return digest(f"{height}x{width}x3\n".encode() + image.pixels.tobytes())


def stricter(first: Outcome, second: Outcome) -> Outcome:
    """The less permissive of two outcomes."""
    order = (Outcome.ALLOW, Outcome.REVIEW, Outcome.DENY)
    return max(first, second, key=order.index)


def resolves(pointer: str, value: Any) -> bool:
    """Whether a JSON pointer (RFC 6901) leads to something in `value`; the empty one leads to all of it."""
    if pointer and not pointer.startswith("/"):
        return False
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return False
    return True


def principal_facts(principal: Principal) -> dict[str, Json]:
    """Who asks, or who decides, for policy."""
    return {
        "id": principal.id,
        "roles": list(principal.roles),
        "issuer": principal.issuer,
        "assurance": principal.assurance.value,
    }


def _prompt_facts(prompt: Prompt) -> dict[str, Json]:
    check_prompt(prompt.text)
    normalised = normalise(prompt.text)
    hidden = hidden_readings(prompt.text)
    return {
        "kind": prompt.kind.value,
        "parameter": prompt.parameter,
        "position": prompt.position,
        "text": prompt.text,
        "normalised": normalised,
        "ngrams": list(ngrams(normalised)),
        "hints": list(hidden.hints),
        "hidden": list(hidden.ngrams),
        "length": len(prompt.text),
    }


def _input_facts(item: InspectedInput) -> dict[str, Json]:
    height, width, _ = item.image.pixels.shape
    return {
        "parameter": item.image.parameter,
        "digest": pixels_digest(item.image),
        "width": width,
        "height": height,
        "findings": [finding_facts(finding) for finding in item.findings],
        "manifest": item.manifest.value,
    }


def _parameter_facts(request: GenerationRequest) -> dict[str, Json]:
    facts: dict[str, Json] = {
        "steps": request.steps,
        "width": request.width,
        "height": request.height,
        "pixels": request.width * request.height,
        "frames": request.frames,
    }
    for name, value in request.parameters.items():
        float_given = _has_float(value)
        shown = f"{name}_thousandths" if float_given else name
        if shown in facts:
            raise RequestError(
                f"The parameter {name!r} would hide another fact named {shown!r}.", remedy="Leave one of them out."
            )
        fact = _thousandths if float_given else _scalar
        facts[shown] = [fact(name, each) for each in value] if isinstance(value, tuple) else fact(name, value)
    return facts


def _has_float(value: Parameter) -> bool:
    return any(isinstance(each, float) for each in (value if isinstance(value, tuple) else (value,)))


def _thousandths(name: str, given: Scalar) -> Json:
    if isinstance(given, (bool, str)):
        return given
    value = float(given or 0)
    if not math.isfinite(value) or abs(value) * 1000 > MAX_SAFE_INTEGER:
        raise RequestError(f"{name}={value} is not a number that policy can judge.", remedy="Use a finite value.")
    return int((Decimal(repr(value)) * 1000).to_integral_value())


def _scalar(name: str, value: Scalar) -> Json:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_SAFE_INTEGER:
        raise RequestError(f"{name}={value} is out of range.", remedy=f"Use at most {MAX_SAFE_INTEGER}.")
    return without_floats(value)


def _check_shape(request: GenerationRequest) -> None:
    for name in ("steps", "width", "height", "images", "frames"):
        value = getattr(request, name)
        if type(value) is not int or not 1 <= value <= 2**31:
            raise RequestError(
                f"{name}={value!r} is not a positive integer.", remedy=f"Give {name} between 1 and 2^31."
            )
    _check_media(request)
    if request.items > MAX_IMAGES:
        raise RequestError(f"{request.images} images are too many.", remedy=f"Ask for at most {MAX_IMAGES} a call.")
    if request.images * request.steps * request.width * request.height * request.frames > MAX_SAFE_INTEGER:
        raise RequestError(
            f"{request.images} x {request.width} x {request.height} pixels in {request.steps} steps are out of range.",
            remedy="Ask for pictures that fit a disk.",
        )
    if request.seeds and len(request.seeds) != request.images:
        raise RequestError(
            f"{len(request.seeds)} seeds were given for {request.images} images.",
            remedy="Give one seed per image, or none.",
        )
    for seed in request.seeds:
        if type(seed) is not int or not 0 <= seed < MAX_SEED:
            raise RequestError(f"{seed!r} is not a seed.", remedy="Use an integer from 0 to 2^64-1.")
    _check_names(request)


def _check_media(request: GenerationRequest) -> None:
    if not request.media or len(set(request.media)) != len(request.media):
        raise RequestError("A request says what it makes, each kind of media once.", remedy="Name at least one.")
    if request.frames > 1 and MediaKind.VIDEO not in request.media:
        raise RequestError("Only a video has frames.", remedy="Leave `frames` at 1.")


def _check_names(request: GenerationRequest) -> None:
    names = {
        "request id": request.id,
        "principal": request.principal.id,
        "purpose": request.purpose,
        "model's name": request.model or "none",
        **{f"market {position}": market for position, market in enumerate(request.markets)},
    }
    for name, text in names.items():
        if not isinstance(text, str) or not text or len(text) > 256 or not text.isprintable():
            raise RequestError(
                f"The {name} {str(text)[:64]!r} is empty, too long or unprintable.",
                remedy="Give 1 to 256 printable characters.",
            )
