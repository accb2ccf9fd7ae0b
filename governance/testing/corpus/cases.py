"""What every case of the corpus is made of: a case, changes to good facts, and the ways in which facts can be malformed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from governance.canonical import canonical_digest, digest
from governance.testing.examples import EXAMPLE_MODEL
from governance.types import Stage

Facts = Callable[[], Mapping[str, Any]]
"""Makes the good facts of a stage."""
Change = Callable[[dict[str, Any]], object]
"""Changes facts in place."""

FINDING: Mapping[str, Any] = {
    "detector": "nsfw",
    "detector_digest": digest(b"w"),
    "label": "nsfw",
    "score_millionths": 10,
}
SIMILAR: Mapping[str, Any] = {
    "detector": "similarity",
    "detector_digest": digest(b"works"),
    "label": "copy",
    "score_millionths": 0,
}
"""Of the detector of similarity where no work is registered."""
WORK: Mapping[str, Any] = {
    "work": "w",
    "action": "review",
    "evidence": {"hamming": 12, "variant": "mirror"},
}
"""What a finding about a protected work says of it."""
IMAGE: Mapping[str, Any] = {
    "parameter": "image",
    "digest": digest(b"i"),
    "manifest": "none",
    "width": 8,
    "height": 8,
    "findings": [FINDING, SIMILAR],
}
UNREAD = ("/model/version", "/model/scheduler", "/model/device", "/model/dtype", "/model/versions")
"""Facts that no rule looks at, recorded all the same."""
OPTIONAL = ("/parameters/guidance_scale_thousandths", "/parameters/eta", "/parameters/clip_skip", "/seeds/0")
"""Facts that may be missing."""
WORDS = ("work", "action", "evidence")
"""What a finding may lack. The members of `evidence` may be numbers or texts, so a case of its own spoils them."""
_ODD_INPUTS: tuple[Any, ...] = (None, True, 5, "text", [], [[]], {}, {"version": 1}, [{"version": 1}])


@dataclass(frozen=True, slots=True)
class Case:
    """One input, with top-level changes to the bundle's data, and the codes that must be among the reasons.

    `outcome` is what the bundle must decide. `data` maps a key to its value; None takes it away.
    """

    name: str
    stage: Stage
    content: Any
    outcome: str
    codes: frozenset[str] = frozenset()
    data: Mapping[str, Any] = field(default_factory=dict)


class CaseMaker(Protocol):
    """Makes a case of good facts, a change to them, and what must come of it."""

    def __call__(
        self, name: str, change: Change, outcome: str, *codes: str, data: Mapping[str, Any] | None = None
    ) -> Case: ...


def case_maker(stage: Stage, facts: Facts) -> CaseMaker:
    """A maker of cases of `stage` that depart from `facts`."""

    def make(name: str, change: Change, outcome: str, *codes: str, data: Mapping[str, Any] | None = None) -> Case:
        content = copy.deepcopy(dict(facts()))
        change(content)
        return Case(f"{stage}: {name}", stage, content, outcome, frozenset(codes), data or {})

    return make


def example_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """The bundle's data with the example model allowed."""
    components = dict(EXAMPLE_MODEL.components)
    allowed = {
        "name": "example",
        "components": components,
        "licence": "Apache-2.0",
        "data_origin": "Drawn for these tests.",
    }
    return {**data, "models": {**data["models"], canonical_digest(components): allowed}}


def changed_data(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`data` as a case wants it."""
    return {key: value for key, value in {**data, **changes}.items() if value is not None}


def unchanged(facts: dict[str, Any]) -> None:
    """No change."""


def put(pointer: str, value: Any) -> Change:
    """Put `value` at a JSON pointer, in place of what is there or as a new member."""

    def change(facts: dict[str, Any]) -> None:
        parent, key = _parent(facts, pointer)
        parent[key] = value

    return change


def both(*changes: Change) -> Change:
    """All of `changes`, one after the other."""

    def change(facts: dict[str, Any]) -> None:
        for single in changes:
            single(facts)

    return change


def scored(image: Mapping[str, Any], millionths: int) -> dict[str, Any]:
    """An input image whose first finding has this score."""
    first, *others = image["findings"]
    return {**image, "findings": [{**first, "score_millionths": millionths}, *others]}


def malformed(
    stage: Stage,
    facts: Facts,
    *,
    unread: Sequence[str] = UNREAD,
    optional: Sequence[str] = OPTIONAL,
    signed: Sequence[str] = (),
    nullable: Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
    about: str = "",
) -> list[Case]:
    """Every part of good facts taken away or made of another type, and inputs that are no objects at all.

    `unread` are JSON pointers to facts that no rule looks at, with all that begins with them; `optional` are those of
    facts that may be missing, `signed` those of numbers that may be negative, and `nullable` of facts that may be null. The
    facts must be allowed under `data`.
    `about` tells these cases from others of the stage.
    """
    changes = data or {}
    title = f"{stage}{about and f', {about}'}"
    found = []
    for number, content in enumerate(_ODD_INPUTS):
        codes = frozenset({"input.malformed"})
        found.append(Case(f"{title}: odd input {number}", stage, content, "deny", codes, changes))
    good = dict(facts())
    for pointer in _pointers(good, ""):
        if not pointer.startswith(tuple(unread)):
            for name, content in _mutants(good, pointer, optional):
                fine = (pointer in signed and name == "negative") or (pointer in nullable and name == "null")
                if not fine:
                    codes = frozenset({_code(pointer, name)})
                    found.append(Case(f"{title}: {pointer} {name}", stage, content, "deny", codes, changes))
    return found


def _code(pointer: str, name: str) -> str:
    """The reason that a malformed part must give: a model that lacks a component can be read, and is another model."""
    lacking = pointer.startswith("/model/components/") and name == "missing"
    return "model.not_allowed" if lacking else "input.malformed"


def _pointers(value: Any, pointer: str) -> Iterator[str]:
    """Every part of `value`, itself excepted; of an array the first element stands for all."""
    children: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value[:1]))
    for key, child in children:
        yield f"{pointer}/{key}"
        yield from _pointers(child, f"{pointer}/{key}")


def _mutants(good: dict[str, Any], pointer: str, optional: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    parent, key = _parent(good, pointer)
    original = parent[key]
    if pointer not in optional and isinstance(parent, dict):
        without = copy.deepcopy(good)
        parent, key = _parent(without, pointer)
        del parent[key]
        yield "missing", without
    for name, wrong in _wrong(original, scalar=pointer.startswith("/parameters/")):
        mutant = copy.deepcopy(good)
        put(pointer, wrong)(mutant)
        yield name, mutant


def _wrong(original: Any, *, scalar: bool) -> Iterator[tuple[str, Any]]:
    yield "as an object", {} if not isinstance(original, dict) else []
    yield "as an array in an array", [[original]]
    if type(original) is int:
        yield "as a fraction", original + 0.5
        yield "beyond every safe integer", 2**60
    if scalar:
        return
    if original is not None:
        yield "null", None
    yield "as a boolean" if type(original) is not bool else "as text", "no" if type(original) is bool else True
    if type(original) is int:
        yield "negative", -1
        yield "as text", str(original)
    else:
        yield "as a number", 7


def _parent(value: Any, pointer: str) -> tuple[Any, Any]:
    *steps, last = pointer.split("/")[1:]
    for step in steps:
        value = value[int(step) if isinstance(value, list) else step]
    return value, int(last) if isinstance(value, list) else last
