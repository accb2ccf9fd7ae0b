"""Inputs on which every engine that evaluates the shipped bundle must agree, malformed ones included.

`cases` go to the engines unvalidated: what no schema has looked at must be denied there too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from governance.canonical import canonical_digest, digest
from governance.testing.examples import EXAMPLE_MODEL
from governance.testing.policy import admission_facts, release_facts
from governance.types import Stage

_ODD_INPUTS: tuple[Any, ...] = (None, True, 5, "text", [], [[]], {}, {"version": 1}, [{"version": 1}])
_UNREAD = (
    "/model/version",
    "/model/scheduler",
    "/model/device",
    "/model/dtype",
    "/model/versions",
    "/admission/obligations/",
)
"""Recorded facts that no rule looks at."""
_OPTIONAL = ("/parameters/guidance_scale_thousandths", "/parameters/eta", "/parameters/clip_skip", "/seeds/0")
"""What may be missing."""

Change = Callable[[dict[str, Any]], object]


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


def example_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """The bundle's data with the example model allowed."""
    components = dict(EXAMPLE_MODEL.components)
    allowed = {"name": "example", "components": components}
    return {**data, "models": {**data["models"], canonical_digest(components): allowed}}


def changed_data(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`data` as a case wants it."""
    return {key: value for key, value in {**data, **changes}.items() if value is not None}


def cases() -> list[Case]:
    """The whole corpus."""
    return [*malformed_cases(), *rule_cases()]


def malformed_cases() -> list[Case]:
    """Every part of a good input taken away or made of another type, and inputs that are no objects at all."""
    found = []
    for stage in (Stage.ADMISSION, Stage.RELEASE):
        for number, content in enumerate(_ODD_INPUTS):
            found.append(Case(f"{stage}: odd input {number}", stage, content, "deny", frozenset({"input.malformed"})))
        good = _good(stage)
        for pointer in _pointers(good, ""):
            if pointer.startswith(_UNREAD):
                continue
            for name, content in _mutants(good, pointer):
                found.append(Case(f"{stage}: {pointer} {name}", stage, content, "deny"))
    return found


def rule_cases() -> list[Case]:
    """A good input for each stage, and for each rule one that differs from it by what the rule is about."""
    admission, release = Stage.ADMISSION, Stage.RELEASE
    finding = {
        "detector": "nsfw", "detector_digest": digest(b"w"), "label": "nsfw", "score_millionths": 10,
    }  # fmt: skip
    image = {"parameter": "image", "digest": digest(b"i"), "width": 8, "height": 8, "findings": [finding]}
    adapter = {"name": "style", "digest": digest(b"lora"), "scale_thousandths": 800}
    allowed_adapter = {"adapters": {adapter["digest"]: {"name": "style"}}}
    swapped = dict(zip(EXAMPLE_MODEL.components, reversed([*EXAMPLE_MODEL.components.values()]), strict=True))
    inputs = {"allow_inputs": True}
    return [
        _case("good", admission, lambda f: f, "allow"),
        _case("no negative prompt", admission, lambda f: f["prompts"].pop(), "allow"),
        _case("seeds drawn by the line", admission, lambda f: f.update(seeds=[]), "allow"),
        _case("several roles", admission, lambda f: f["principal"].update(roles=["other", "designer"]), "allow"),
        _case("unknown purpose", admission, lambda f: f["request"].update(purpose="war"), "deny", "purpose.unknown"),
        _case("unknown role", admission, lambda f: f["principal"].update(roles=["x"]), "deny", "role.not_permitted"),
        _case("no role", admission, lambda f: f["principal"].update(roles=[]), "deny", "role.not_permitted"),
        _case(
            "role of another purpose",
            admission,
            lambda f: f["principal"].update(roles=["researcher"]),
            "deny",
            "role.not_permitted",
        ),
        _case("other weights", admission, _set("/model/components/unet", digest(b"x")), "deny", "model.not_allowed"),
        _case("swapped weights", admission, _set("/model/components", swapped), "deny", "model.not_allowed"),
        _case("one more component", admission, _set("/model/components/x", "0" * 64), "deny", "model.not_allowed"),
        _case("adapter", admission, _set("/model/adapters", [adapter]), "deny", "adapter.not_allowed"),
        _case("allowed adapter", admission, _set("/model/adapters", [adapter]), "allow", data=allowed_adapter),
        _case("blocked term", admission, _blocked(0), "deny", "prompt.blocked_term"),
        _case("blocked term avoided", admission, _blocked(1), "allow", "prompt.negative_term"),
        _case(
            "blocked term avoided, review", admission, _blocked(1), "review", "prompt.negative_term",
            data={"negative_terms": "review"},
        ),
        _case(
            "blocked term avoided, deny", admission, _blocked(1), "deny", "prompt.negative_term",
            data={"negative_terms": "deny"},
        ),
        _case("guidance turned round", admission, _turned("guidance_scale_thousandths", 0), "deny", "prompt.blocked_term"),
        _case("integer guidance", admission, _turned("true_cfg_scale", -1), "deny", "prompt.blocked_term"),
        _case("guidance unset", admission, _turned("guidance_scale", None), "allow", "prompt.negative_term"),
        _case(
            "blocked term without a category", admission, _blocked(0), "deny", "prompt.blocked_term",
            data={"blocked_terms": {"passport": {}}},
        ),
        _case("no prompt", admission, lambda f: f.update(prompts=[]), "deny", "prompt.missing"),
        _case("only a negative prompt", admission, lambda f: f["prompts"].pop(0), "deny", "prompt.missing"),
        _case(
            "no prompt wanted", admission, lambda f: f.update(prompts=[]), "allow", data={"allow_promptless": True}
        ),
        _case("nothing to read", admission, _set("/prompts/0/ngrams", []), "deny", "prompt.unreadable"),
        _case("long prompt", admission, _set("/prompts/0/text", "a" * 2001), "deny", "prompt.too_long"),
        _case("long by its length", admission, _set("/prompts/0/length", 2001), "deny", "prompt.too_long"),
        _case("longest prompt", admission, _set("/prompts/0/text", "ä" * 2000), "allow"),
        _case("other normaliser", admission, lambda f: f.update(normaliser="0"), "deny", "normaliser.mismatch"),
        _case("most steps", admission, _set("/parameters/steps", 100), "allow"),
        _case("too many steps", admission, _set("/parameters/steps", 101), "deny", "limit.steps"),
        _case("safe integer steps", admission, _set("/parameters/steps", 2**53 - 1), "deny", "limit.steps"),
        _case("too many pixels", admission, _sized(2048, 2049), "deny", "limit.pixels"),
        _case("most pixels", admission, _sized(2048, 2048), "allow"),
        _case("pixels that do not multiply", admission, _set("/parameters/pixels", 5), "deny", "input.malformed"),
        _case("too many images", admission, _set("/request/images", 9), "deny", "limit.images"),
        _case("role with a lower limit", admission, _as("editor", 5), "deny", "limit.images"),
        _case("the more generous role", admission, _as("editor", 8, "designer"), "allow"),
        _case("role with a higher limit", admission, _as("evaluator", 64, purpose="evaluation"), "allow"),
        _case("input image", admission, _set("/inputs", [image]), "deny", "inputs.not_allowed"),
        _case("allowed input image", admission, _set("/inputs", [image]), "allow", data=inputs),
        _case(
            "unchecked input image", admission, _set("/inputs", [{**image, "findings": []}]), "deny",
            "detector.missing", data=inputs,
        ),
        _case(
            "input image for review", admission, _set("/inputs", [_scored(image, 500_000)]), "review",
            "finding.review", data=inputs,
        ),
        _case(
            "input image denied", admission, _set("/inputs", [_scored(image, 900_000)]), "deny",
            "finding.denied", data=inputs,
        ),
        _case("missing setting", admission, lambda f: f, "deny", "data.malformed", data={"blocked_terms": None}),
        _case("misspelt setting", admission, lambda f: f, "deny", "data.malformed", data={"allow_inputs": "no"}),
        _case("negative limit", admission, lambda f: f, "deny", "data.malformed", data={"limits": {"steps": -1}}),
        _case("text for a threshold", release, lambda f: f, "deny", "data.malformed",
              data={"thresholds": {"nsfw": {"deny": "high", "review": 0}}}),
        _case("role limit of the wrong type", admission, _set("/parameters/steps", 101), "deny", "limit.steps",
              data={"roles": {"designer": {"limits": {"steps": "many"}}}}),
        _case("good", release, lambda f: f, "allow"),
        _case("below review", release, _score(399_999), "allow"),
        _case("at review", release, _score(400_000), "review", "finding.review"),
        _case("below deny", release, _score(799_999), "review", "finding.review"),
        _case("at deny", release, _score(800_000), "deny", "finding.denied"),
        _case("certain", release, _score(1_000_000), "deny", "finding.denied"),
        _case("no findings", release, lambda f: f.update(findings=[]), "deny", "detector.missing"),
        _case("another detector", release, _set("/findings/0/detector", "x"), "deny", "detector.missing"),
        _case("no detector required", release, lambda f: f, "deny", "detector.missing", data={"required_detectors": []}),
        _case("unknown label", release, _set("/findings/0/label", "x"), "deny", "finding.unjudged"),
        _case("not admitted", release, _set("/admission/outcome", "deny"), "deny", "admission.not_allowed"),
        _case("admission held", release, _set("/admission/outcome", "review"), "deny", "admission.not_allowed"),
        _case("other weights", release, _set("/model/components/unet", digest(b"x")), "deny", "model.not_allowed"),
        _case("larger than allowed", release, _set("/draft/width", 2**24), "deny", "draft.too_large"),
        _case("too small to mark", release, _set("/draft/markable", False), "allow"),
        _case("too small, labelled", release, _set("/draft/markable", False), "allow", data={"small_images": "label"}),
    ]  # fmt: skip


def _case(
    name: str, stage: Stage, change: Change, outcome: str, *codes: str, data: Mapping[str, Any] | None = None
) -> Case:
    content = _good(stage)
    change(content)
    return Case(f"{stage}: {name}", stage, content, outcome, frozenset(codes), data or {})


def _good(stage: Stage) -> dict[str, Any]:
    return copy.deepcopy(dict(admission_facts() if stage is Stage.ADMISSION else release_facts()))


def _set(pointer: str, value: Any) -> Change:
    def change(facts: dict[str, Any]) -> None:
        parent, key = _parent(facts, pointer)
        parent[key] = value

    return change


def _blocked(index: int) -> Change:
    return lambda facts: facts["prompts"][index]["ngrams"].append("passport")


def _turned(name: str, scale: int | None) -> Change:
    def change(facts: dict[str, Any]) -> None:
        _blocked(1)(facts)
        facts["parameters"][name] = scale

    return change


def _sized(width: int, height: int) -> Change:
    return lambda facts: facts["parameters"].update(width=width, height=height, pixels=width * height)


def _as(role: str, images: int, *others: str, purpose: str = "marketing") -> Change:
    def change(facts: dict[str, Any]) -> None:
        facts["principal"]["roles"] = [role, *others]
        facts["request"].update(images=images, purpose=purpose)

    return change


def _score(millionths: int) -> Change:
    return _set("/findings/0/score_millionths", millionths)


def _scored(image: Mapping[str, Any], millionths: int) -> dict[str, Any]:
    return {**image, "findings": [{**image["findings"][0], "score_millionths": millionths}]}


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


def _mutants(good: dict[str, Any], pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    original = _value(good, pointer)
    if pointer not in _OPTIONAL:
        without = copy.deepcopy(good)
        parent, key = _parent(without, pointer)
        del parent[key]
        if isinstance(parent, dict):
            yield "missing", without
    for name, wrong in _wrong(original, scalar=pointer.startswith("/parameters/")):
        mutant = copy.deepcopy(good)
        _set(pointer, wrong)(mutant)
        yield name, mutant


def _wrong(original: Any, *, scalar: bool) -> Iterator[tuple[str, Any]]:
    yield "as an object", {} if not isinstance(original, dict) else []
    yield "as an array in an array", [[original]]
    if type(original) is int:
        yield "as a fraction", original + 0.5
        yield "beyond every safe integer", 2**60
    if scalar:
        return
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


def _value(value: Any, pointer: str) -> Any:
    parent, key = _parent(value, pointer)
    return parent[key]
