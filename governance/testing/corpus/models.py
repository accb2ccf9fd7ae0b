"""Cases of the admission stage: models and adapters, their licences, origins and times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.canonical import MAX_SAFE_INTEGER, canonical_digest, digest
from governance.testing.corpus.cases import Case, Change, both, case_maker, put, unchanged
from governance.testing.examples import EXAMPLE_MODEL
from governance.testing.policy import EXAMPLE_TIME, admission_facts
from governance.types import Stage

_case = case_maker(Stage.ADMISSION, admission_facts)

_MODEL_KEY = canonical_digest(dict(EXAMPLE_MODEL.components))
_MODEL: Mapping[str, Any] = {
    "name": "example",
    "components": dict(EXAMPLE_MODEL.components),
    "licence": "MIT",
    "data_origin": "drawn",
}
ADAPTER: Mapping[str, Any] = {"name": "style", "digest": digest(b"lora"), "scale_thousandths": 800}
LORA: Mapping[str, Any] = {"name": "style", "licence": "MIT", "data_origin": "drawn"}


def loaded(*adapters: Mapping[str, Any], **standing: str) -> Change:
    """With these adapters in force, all of which stand in the register, for ever and for any base but for `standing`."""
    registered = {"state": "registered", "base": "", "expires": "", **standing}
    return both(
        put("/model/adapters", list(adapters)),
        put("/registers/adapters", [{**registered, "digest": adapter["digest"]} for adapter in adapters]),
    )


def rule_cases() -> list[Case]:
    """For each rule about models and adapters a request that differs from a good one by what the rule is about."""
    return [*_model_cases(), *_adapter_cases()]


def _model_cases() -> list[Case]:
    unet = put("/model/components/unet", digest(b"x"))
    swapped = dict(zip(EXAMPLE_MODEL.components, reversed([*EXAMPLE_MODEL.components.values()]), strict=True))
    research = both(put("/request/purpose", "research"), put("/principal/roles", ["researcher"]))
    limited = {"licences": {"MIT": {"purposes": ["research"]}}}
    return [
        _case("other weights", unet, "deny", "model.not_allowed"),
        _case("swapped weights", put("/model/components", swapped), "deny", "model.not_allowed"),
        _case("one more component", put("/model/components/x", "0" * 64), "deny", "model.not_allowed"),
        _known("allowed up to later", "allow", expires="2026-11-23T14:00:00.001Z"),
        _known("allowed up to the next second", "allow", expires="2026-11-23T14:00:01Z"),
        _known("allowed up to now", "deny", "model.expired", expires=EXAMPLE_TIME),
        _known("allowed up to this second", "deny", "model.expired", expires="2026-11-23T14:00:00Z"),
        _known("allowed up to now, by the nanosecond", "deny", "model.expired", expires="2026-11-23T14:00:00.000000000Z"),
        _known("allowed up to a microsecond ago", "deny", "model.expired", expires="2026-11-23T13:59:59.999999Z"),
        _known("allowed up to a time elsewhere", "deny", "model.expired", expires="2026-11-24T14:00:00+01:00"),
        _known("allowed for ever", "deny", "model.expired", expires="never"),
        _known("allowed up to a number", "deny", "model.expired", expires=9_999_999_999),
        _known("allowed up to null", "deny", "model.expired", expires=None),
        _case("a later request", put("/time", "2031-01-01T00:00:00Z"), "deny", "model.expired",
              data=_models(expires="2030-12-31T23:59:59Z")),
        _case("no time", put("/time", "0"), "deny", "input.malformed"),
        _case("time without a zone", put("/time", "2026-11-23T14:00:00"), "deny", "input.malformed"),
        _known("unknown licence", "deny", "model.licence", licence="LicenseRef-none"),
        _known("licence in other letters", "deny", "model.licence", licence="mit"),
        _known("licence of the wrong type", "deny", "model.licence", licence=["MIT"]),
        _case("no licence", unchanged, "deny", "model.licence", data=_models("licence")),
        _case("licence for research, in marketing", unchanged, "deny", "model.licence", data={**_models(), **limited}),
        _case("licence for research, in research", research, "allow", data={**_models(), **limited}),
        _case("purposes of the wrong type", unchanged, "deny", "model.licence",
              data={**_models(), "licences": {"MIT": {"purposes": "marketing"}}}),
        _case("undisclosed, noted", unchanged, "allow", "model.undisclosed",
              data={**_models("data_origin"), "undisclosed": "note"}),
        _case("undisclosed, reviewed", unchanged, "review", "model.undisclosed",
              data={**_models("data_origin"), "undisclosed": "review"}),
        _case("undisclosed, denied", unchanged, "deny", "model.undisclosed",
              data={**_models("data_origin"), "undisclosed": "deny"}),
        _known("disclosed in no words", "deny", "model.undisclosed", data_origin="", undisclosed="deny"),
        _known("disclosed in emoji", "allow", data_origin="🎨", undisclosed="deny"),
    ]  # fmt: skip


def _adapter_cases() -> list[Case]:
    two = [ADAPTER, {**ADAPTER, "digest": digest(b"other")}]
    half = {**ADAPTER, "scale_thousandths": 400}
    return [
        _case("adapter", loaded(ADAPTER), "deny", "adapter.not_allowed"),
        _lora("allowed adapter", "allow"),
        _case("one of two adapters allowed", loaded(*two), "deny", "adapter.not_allowed",
              data={"adapters": {ADAPTER["digest"]: LORA}}),
        _case("adapter allowed in no way", loaded(ADAPTER), "deny", "adapter.not_allowed",
              data={"adapters": {ADAPTER["digest"]: "yes"}}),
        _lora("adapter expired", "deny", "adapter.expired", expires=EXAMPLE_TIME),
        _lora("adapter not expired", "allow", expires="2027-01-01T00:00:00Z"),
        _lora("adapter of an unknown licence", "deny", "adapter.licence", licence="unknown"),
        _lora("adapter of undisclosed origin", "allow", "adapter.undisclosed", data_origin=None),
        _lora("adapter of undisclosed origin, reviewed", "review", "adapter.undisclosed", data_origin=None, undisclosed="review"),
        _lora("adapter of undisclosed origin, denied", "deny", "adapter.undisclosed", data_origin=None, undisclosed="deny"),
        _lora("adapter at its largest scale", "allow", max_scale_thousandths=800),
        _lora("adapter above its scale", "deny", "adapter.scale", max_scale_thousandths=799),
        _lora("adapter with a negative scale", "deny", "adapter.scale", scale=-801, max_scale_thousandths=800),
        _lora("adapter with the most negative scale", "allow", scale=-MAX_SAFE_INTEGER),
        _case("adapter loaded twice, above its scale", loaded(half, half), "deny", "adapter.scale",
              "adapter.scale", data={"adapters": {ADAPTER["digest"]: {**LORA, "max_scale_thousandths": 799}}}),
        _case("adapter loaded twice, at its largest scale", loaded(half, half), "allow",
              data={"adapters": {ADAPTER["digest"]: {**LORA, "max_scale_thousandths": 800}}}),
        _lora("adapter with an unreadable scale limit", "deny", "adapter.scale", max_scale_thousandths="800"),
        _lora("adapter that may do nothing", "allow", scale=0, max_scale_thousandths=0),
    ]  # fmt: skip


def _models(*without: str, **changes: Any) -> dict[str, Any]:
    """Data that allow the example model alone, by an entry without or with these members."""
    entry = {name: value for name, value in {**_MODEL, **changes}.items() if name not in without}
    return {"models": {_MODEL_KEY: entry}}


def _known(name: str, outcome: str, *codes: str, undisclosed: str = "note", **changes: Any) -> Case:
    return _case(name, unchanged, outcome, *codes, data={**_models(**changes), "undisclosed": undisclosed})


def _lora(name: str, outcome: str, *codes: str, scale: int = 800, undisclosed: str = "note", **changes: Any) -> Case:
    """A request with one adapter, of which the data say what they say of `LORA` but for `changes`."""
    data = {"adapters": {ADAPTER["digest"]: {**LORA, **changes}}, "undisclosed": undisclosed}
    return _case(name, loaded({**ADAPTER, "scale_thousandths": scale}), outcome, *codes, data=data)
