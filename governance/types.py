"""The values that everything else speaks in. All frozen; none holds behaviour beyond its own encoding."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from governance.canonical import MAX_SAFE_INTEGER, Digest, Json, canonical_digest
from governance.errors import MarkError
from governance.media import Clip, Media, Sound

Pixels: TypeAlias = NDArray[np.uint8]
"""One image: shape (H, W, 3), dtype uint8, RGB, sRGB values 0..255."""

Scalar: TypeAlias = bool | int | float | str | None

Parameter: TypeAlias = Scalar | tuple[bool | int | float | str, ...]
"""One argument, or several in their order: a schedule, a guidance scale for each control, the corners of a crop."""

MODEL_VERSION = 2
"""Of the model's document: 1 had neither the environment nor the scales of single modules."""


def new_id() -> str:
    """A fresh UUIDv7 (RFC 9562, section 5.7): ids sort by the time they were made at, to a quarter of a microsecond.

    Behind the millisecond stand 12 bits of its fraction (section 6.2, method 3), then 62 random ones.
    """
    stamp, rest = divmod(time.time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    value = (stamp << 80) | (7 << 76) | (fraction << 64) | (0b10 << 62) | secrets.randbits(62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def utc_now() -> str:
    """The time now as RFC 3339 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Stage(StrEnum):
    """Where in the line a decision is asked for."""

    ADMISSION = "admission"
    RELEASE = "release"
    REVIEW = "review"
    TRAINING = "training"


class Outcome(StrEnum):
    """What policy decided."""

    ALLOW = "allow"
    REVIEW = "review"
    DENY = "deny"


class Mode(StrEnum):
    """Whether policy is obeyed: `enforce`, or `shadow`, which records each decision and withholds nothing by it."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class Assurance(StrEnum):
    """How well the principal is known: said by the caller, or checked by us."""

    ASSERTED = "asserted"
    AUTHENTICATED = "authenticated"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asked. "Who asked" is only as good as `assurance`."""

    id: str
    roles: tuple[str, ...] = ()
    issuer: str = "caller"
    assurance: Assurance = Assurance.ASSERTED


class PromptKind(StrEnum):
    """What a text asks for: `prompt` wants it in the picture, `negative` wants it kept out."""

    PROMPT = "prompt"
    NEGATIVE = "negative"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One text that conditions the generation, the pipeline's parameter it was given in, and its place in the batch."""

    text: str
    kind: PromptKind = PromptKind.PROMPT
    parameter: str = "prompt"
    position: int = 0


@dataclass(frozen=True, slots=True)
class InputImage:
    """An image that the caller gave to the pipeline: the parameter's name and its pixels.

    `content` are the bytes of the file that it was read from and `media_type` their format, where the caller gave a
    file: what such a file says of itself is checked, and goes on into the manifest. Both are empty for bare pixels.
    """

    parameter: str
    pixels: Pixels
    content: bytes = b""
    media_type: str = ""


class MediaKind(StrEnum):
    """What a call makes."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


class OpaqueKind(StrEnum):
    """What an argument is whose content policy cannot read."""

    EMBEDDING = "embedding"
    LATENTS = "latents"
    CALLBACK = "callback"
    AUDIO = "audio"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class OpaqueArgument:
    """An argument whose content policy cannot read: its parameter and what it is.

    `digest` is the SHA-256 of its dtype, shape and bytes; None where there are no bytes to hash, as of a callback.
    """

    parameter: str
    kind: OpaqueKind
    digest: Digest | None = None


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One call of a pipeline, in terms that policy can see.

    `steps`, `width`, `height` (pixels) and `images` are at least 1. `parameters` are the remaining arguments that
    are numbers or options, by the pipeline's own names, with a dot before each key of a mapping; they are not personal. `seeds` is empty (the line draws one per image) or
    has one seed per image, each 0 <= seed < 2^64. `generators` are the states of the random generators that the caller
    gave, if any: one for all images, or one per image. `model` is a name for people; policy knows models by digests.
    `markets` are where the images will be used, by the policy's own names; none named means everywhere. `opaque` are the
    arguments whose content policy cannot read. `media` are what is made: with video and audio, each of the `images` is a clip
    and a sound of its own, two items, first all clips and then all sounds. `frames` is how many pictures each clip has. `arguments`
    are the pipeline's own parameters as they were filled, in the form that `governance replay` reads; no text that a person
    wrote stands in them, only its place among `prompts`.
    """

    id: str
    principal: Principal
    purpose: str
    prompts: tuple[Prompt, ...]
    steps: int
    width: int
    height: int
    images: int = 1
    model: str = ""
    inputs: tuple[InputImage, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    generators: tuple[bytes, ...] = ()
    markets: tuple[str, ...] = ()
    opaque: tuple[OpaqueArgument, ...] = ()
    media: tuple[MediaKind, ...] = (MediaKind.IMAGE,)
    frames: int = 1
    arguments: Mapping[str, Json] = field(default_factory=dict)

    @property
    def items(self) -> int:
        """How many drafts it makes: `images` of each kind of media."""
        return self.images * len(self.media)

    def seed_of(self, item: int) -> int:
        """The seed of one item; a clip and the sound that was made with it have the same.

        Raises:
            IndexError: there are no seeds yet, or no such item.
        """
        return self.seeds[item % self.images]


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """A LoRA or other adapter in force: its name, the SHA-256 of its weights, its scale in thousandths.

    `scales` are the exact scales of the modules that it sits in, each as the shortest decimal text that reads back as the
    same float64: `{"down_blocks.0.attn.to_q": "0.5"}`. `scale_thousandths` is the one of the largest magnitude among
    them, its sign kept, and all that policy sees of them.
    """

    name: str
    digest: Digest
    scale_thousandths: int
    scales: Mapping[str, str] = field(default_factory=dict)

    def as_facts(self) -> dict[str, Json]:
        """What policy sees."""
        return {"name": self.name, "digest": self.digest, "scale_thousandths": self.scale_thousandths}


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What would generate, or did: exact enough that two equal ModelFacts are the same model in the same place.

    `environment` is what else the numbers depend on: threads, the processor's instructions, attention processors, memory
    formats, switches of the libraries, more versions. It is recorded and compared; policy does not see it.
    """

    pipeline: str
    components: Mapping[str, Digest]
    scheduler: str
    scheduler_config: Mapping[str, Json]
    device: str
    dtype: str
    adapters: tuple[AdapterFacts, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, Json] = field(default_factory=dict)

    def as_facts(self) -> dict[str, Json]:
        """What policy sees of the model; holds nothing personal."""
        return {
            "version": 1,
            "pipeline": self.pipeline,
            "components": dict(self.components),
            "scheduler": {"class": self.scheduler, "config": dict(self.scheduler_config)},
            "adapters": [adapter.as_facts() for adapter in self.adapters],
            "device": self.device,
            "dtype": self.dtype,
            "versions": dict(self.versions),
        }

    def as_json(self) -> dict[str, Json]:
        """The whole as canonical JSON: with the environment, and the scale of each module of each adapter.

        Without an environment it is what policy sees, as every record of version 1 is.
        """
        if not self.environment:
            return self.as_facts()
        adapters: list[Json] = [{**adapter.as_facts(), "scales": dict(adapter.scales)} for adapter in self.adapters]
        return {
            **self.as_facts(),
            "version": MODEL_VERSION,
            "adapters": adapters,
            "environment": dict(self.environment),
        }

    @property
    def digest(self) -> Digest:
        """SHA-256 of the canonical form of the whole."""
        return canonical_digest(self.as_json())


@dataclass(frozen=True, slots=True)
class Usage:
    """Compute that was admitted, summed: images; steps of all images; their pixels; steps x pixels of each image.

    A clip counts as one image and a sound as one; pixels are those of all frames.

    Sums stop at 2^53-1, which then means "that much or more".
    """

    images: int = 0
    steps: int = 0
    pixels: int = 0
    step_pixels: int = 0

    @classmethod
    def of(cls, request: GenerationRequest) -> Usage:
        """What running `request` spends."""
        steps, pixels = request.images * request.steps, request.width * request.height * request.frames
        amounts = request.items, steps, request.images * pixels, steps * pixels
        return cls(*(min(amount, MAX_SAFE_INTEGER) for amount in amounts))

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(min(getattr(self, n) + getattr(other, n), MAX_SAFE_INTEGER) for n in self.__slots__))

    def as_json(self) -> dict[str, Json]:
        """The four sums by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    def within(self, budget: Mapping[str, int]) -> bool:
        """Whether no sum is above what `budget` says of it; a sum that it leaves out is not limited."""
        return all(getattr(self, name) <= limit for name, limit in budget.items())


@dataclass(frozen=True, slots=True)
class Draft:
    """One generated picture, clip or sound that nobody has decided on yet, with the seed and the model that made it."""

    index: int
    media: Media
    model: ModelFacts
    seed: int

    @property
    def kind(self) -> MediaKind:
        """What it is."""
        if isinstance(self.media, Clip):
            return MediaKind.VIDEO
        return MediaKind.AUDIO if isinstance(self.media, Sound) else MediaKind.IMAGE

    @property
    def pixels(self) -> Pixels:
        """The picture.

        Raises:
            MarkError: it is a clip or a sound.
        """
        if isinstance(self.media, Clip | Sound):
            raise MarkError(f"A draft of {self.kind.value} is no picture.", remedy="Read what it holds from `media`.")
        return self.media


@dataclass(frozen=True, slots=True)
class Finding:
    """One score of one detector: a risk in [0, 1] for `label`. A detector scores; it never judges.

    `work` names the protected work that the score is about, where it is about one, and `action` is what the register
    of works says of it: `deny`, `review` or `allow`. `evidence` is what the score was made from, in whole numbers and
    words: `{"hamming": 12, "variant": "mirror"}`. Nothing in it may be personal.
    """

    detector: str
    detector_digest: Digest
    label: str
    score: float
    work: str = ""
    action: str = ""
    evidence: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a decision is what it is. Compare by `code`; `path` is a JSON pointer into the policy input."""

    code: str
    message: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class CandidateDecision:
    """What a bundle that is not in force would have decided: recorded, never obeyed.

    `outcome` is None where it gave no usable decision; `error` then names the class of the error. Where reasons and
    obligations had no room in the entry, `error` is `omitted`, and only the outcome is known.
    """

    bundle_revision: Digest
    outcome: Outcome | None
    reasons: tuple[Reason, ...] = ()
    obligations: Mapping[str, Json] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """One answer of the policy engine, bound to the bundle that gave it."""

    stage: Stage
    outcome: Outcome
    reasons: tuple[Reason, ...]
    obligations: Mapping[str, Json]
    decision_id: str
    bundle_revision: Digest
    candidate: CandidateDecision | None = None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What an image looks like, for attribution.

    `pdq` is the 256-bit PDQ hash as 32 bytes, `quality` PDQ's own 0..100, `grid` the 8 x 8 mean colours as 192 bytes
    (row-major RGB).
    """

    pdq: bytes
    quality: int
    grid: bytes
