"""What a decision obliges the line to do. The governor honours each, or refuses to release."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from governance.canonical import Json
from governance.errors import ObligationError
from governance.types import Usage

MAX_LABEL_CHARACTERS = 120
LABEL_POSITIONS = ("bottom-left", "bottom-right", "top-left", "top-right")
MAX_HOURS = 24 * 366 * 10


@dataclass(frozen=True, slots=True)
class Obligations:
    """The obligations of one decision, or of several merged: the stricter wins.

    `watermark`: embed the invisible mark, the default. Only the release stage, which knows whether an image can carry
    it, drops it with an explicit `false`, and then a visible label is obliged. `visible_label`: the text to draw.
    `label_position` is the corner that it stands in, one of `LABEL_POSITIONS`, and `label_language` its language
    (BCP 47). `approvals`: how many people must approve; `queue`: who is asked, by the policy's own name; `due_hours` and
    `expire_hours`: how long after the hold an answer is due, and how long after it silence is a rejection; 0 is never.
    `retain_days`: how long the record is kept. `max_steps`: the most
    denoising steps. `day_budget`: what the principal's day (UTC) may come to with this request, by the names of `Usage`.
    `output_formats`: the media types allowed; empty means any. `disclose`: fields that go into the
    manifest in the clear. `inspect_every`: detectors look at every nth frame of a clip, from the first on, and at the
    last; 1 is every frame, and so is 0. It is honoured as admission obliges it.
    """

    watermark: bool = True
    visible_label: str = ""
    label_position: str = ""
    label_language: str = ""
    approvals: int = 0
    queue: str = ""
    due_hours: int = 0
    expire_hours: int = 0
    retain_days: int = 0
    max_steps: int = 0
    day_budget: Mapping[str, int] = field(default_factory=dict)
    output_formats: tuple[str, ...] = ()
    disclose: tuple[str, ...] = ()
    inspect_every: int = 0

    @classmethod
    def parse(cls, raw: Mapping[str, Json]) -> Obligations:
        """Read the obligations of a decision.

        Raises:
            ObligationError: an unknown obligation, or a value of the wrong type.
        """
        unknown = sorted(set(raw) - set(_READERS))
        if unknown:
            raise ObligationError(
                f"Policy obliges {', '.join(unknown)}, which this version does not know.",
                remedy=f"Known obligations are {', '.join(sorted(_READERS))}.",
            )
        return cls(**{name: _READERS[name](name, value) for name, value in raw.items()})

    def merged(self, other: Obligations) -> Obligations:
        """Both at once.

        Raises:
            ObligationError: the two allow no common output format.
        """
        formats = self.output_formats or other.output_formats
        if self.output_formats and other.output_formats:
            formats = tuple(item for item in self.output_formats if item in other.output_formats)
            if not formats:
                raise ObligationError(
                    f"Admission allows {self.output_formats} and release allows {other.output_formats}.",
                    remedy="Let the two stages of the bundle agree on at least one output format.",
                )
        return Obligations(
            watermark=other.watermark,
            visible_label=other.visible_label or self.visible_label,
            label_position=other.label_position or self.label_position,
            label_language=other.label_language or self.label_language,
            approvals=max(self.approvals, other.approvals),
            queue=other.queue or self.queue,
            due_hours=_sooner(self.due_hours, other.due_hours),
            expire_hours=_sooner(self.expire_hours, other.expire_hours),
            retain_days=max(self.retain_days, other.retain_days),
            max_steps=_sooner(self.max_steps, other.max_steps),
            day_budget=_smaller(self.day_budget, other.day_budget),
            output_formats=formats,
            disclose=tuple(sorted({*self.disclose, *other.disclose})),
            inspect_every=_sooner(self.inspect_every, other.inspect_every),
        )


def _boolean(name: str, value: Json) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return value


def _count(name: str, value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _wrong(name, value, "a whole number from 0")
    return value


def _interval(name: str, value: Json) -> int:
    if _count(name, value) < 1:
        raise _wrong(name, value, "a whole number from 1")
    return _count(name, value)


def _text(name: str, value: Json) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_LABEL_CHARACTERS or not value.isprintable():
        raise _wrong(name, value, f"1 to {MAX_LABEL_CHARACTERS} printable characters")
    return value


def _budget(name: str, value: Json) -> dict[str, int]:
    if not isinstance(value, Mapping) or not set(value) <= set(Usage.__slots__):
        raise _wrong(name, value, f"an object of whole numbers, by {', '.join(Usage.__slots__)}")
    return {key: _count(f"{name}.{key}", number) for key, number in value.items()}


def _smaller(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return {key: min(budget[key] for budget in (first, second) if key in budget) for key in sorted({*first, *second})}


def _sooner(first: int, second: int) -> int:
    """The smaller of two limits, of which 0 is none."""
    return min(filter(None, (first, second)), default=0)


def _hours(name: str, value: Json) -> int:
    hours = _count(name, value)
    if hours > MAX_HOURS:
        raise _wrong(name, value, f"at most {MAX_HOURS} hours")
    return hours


def _position(name: str, value: Json) -> str:
    if not isinstance(value, str) or value not in LABEL_POSITIONS:
        raise _wrong(name, value, f"one of {', '.join(LABEL_POSITIONS)}")
    return value


def _texts(name: str, value: Json) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _wrong(name, value, "an array of strings")
    return tuple(_text(name, item) for item in value)


def _wrong(name: str, value: Json, wanted: str) -> ObligationError:
    return ObligationError(f"The obligation {name} is {value!r}.", remedy=f"It must be {wanted}.")


_READERS: dict[str, Callable[[str, Json], Any]] = {
    "watermark": _boolean,
    "visible_label": _text,
    "label_position": _position,
    "label_language": _text,
    "queue": _text,
    "due_hours": _hours,
    "expire_hours": _hours,
    "approvals": _count,
    "retain_days": _count,
    "max_steps": _count,
    "day_budget": _budget,
    "output_formats": _texts,
    "disclose": _texts,
    "inspect_every": _interval,
}
