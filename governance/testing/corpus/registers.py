"""Cases of the admission and the release stage: what the registers say of the model and its adapters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.canonical import digest
from governance.testing.corpus.cases import Case, Change, both, case_maker, put
from governance.testing.corpus.models import ADAPTER, LORA, loaded
from governance.testing.policy import EXAMPLE_TIME, admission_facts, release_facts
from governance.types import Stage

_case = case_maker(Stage.ADMISSION, admission_facts)
_release = case_maker(Stage.RELEASE, release_facts)

_LATER = "2026-11-23T14:00:00.001Z"
_NOBODY = {"adapters": "deny", "models": "deny"}
_DATA: Mapping[str, Any] = {"adapters": {ADAPTER["digest"]: LORA}, "unregistered": _NOBODY}


def rule_cases() -> list[Case]:
    """For each rule about the registers a request that differs from a good one by what the rule is about."""
    return [*_model_cases(), *_adapter_cases(), *_release_cases()]


def _model_cases() -> list[Case]:
    nobody = _standing(state="unregistered")
    return [
        _case("unregistered model", nobody, "deny", "model.unregistered", data=_DATA),
        _case("unregistered model, held", nobody, "review", "model.unregistered", data=_answering("review")),
        _case("unregistered model, noted", nobody, "allow", "model.unregistered", data=_answering("note")),
        _case("unregistered model, allowed", nobody, "allow", data=_answering("allow")),
        _case("withdrawn model", _standing(state="withdrawn"), "deny", "model.withdrawn", data=_answering("allow")),
        _case("recalled model", _standing(state="recalled"), "deny", "model.recalled", data=_answering("allow")),
        _case("expired model", _standing(state="expired"), "deny", "model.expired", data=_answering("allow")),
        _case("registered up to later", _standing(expires=_LATER), "allow", data=_DATA),
        _case("registered up to now", _standing(expires=EXAMPLE_TIME), "deny", "model.expired", data=_DATA),
        _case("registered up to a time elsewhere", _standing(expires="2026-11-24T14:00:00+01:00"), "deny",
              "input.malformed", data=_DATA),
        _case("state in other letters", _standing(state="Registered"), "deny", "input.malformed", data=_DATA),
        _case("no registers", lambda facts: facts.pop("registers"), "deny", "input.malformed", data=_DATA),
    ]  # fmt: skip


def _adapter_cases() -> list[Case]:
    key = admission_facts()["registers"]["model"]["key"]  # type: ignore[call-overload, index]
    nobody = loaded(ADAPTER, state="unregistered")
    other = put("/registers/adapters/0/digest", digest(b"another"))
    return [
        _case("registered adapter", loaded(ADAPTER), "allow", data=_DATA),
        _case("unregistered adapter", nobody, "deny", "adapter.unregistered", data=_DATA),
        _case("unregistered adapter, held", nobody, "review", "adapter.unregistered", data=_answering("review")),
        _case("unregistered adapter, noted", nobody, "allow", "adapter.unregistered", data=_answering("note")),
        _case("withdrawn adapter", loaded(ADAPTER, state="withdrawn"), "deny", "adapter.withdrawn", data=_answering("allow")),
        _case("recalled adapter", loaded(ADAPTER, state="recalled"), "deny", "adapter.recalled", data=_answering("allow")),
        _case("expired adapter", loaded(ADAPTER, state="expired"), "deny", "adapter.expired", data=_answering("allow")),
        _case("adapter registered up to now", loaded(ADAPTER, expires=EXAMPLE_TIME), "deny", "adapter.expired", data=_DATA),
        _case("adapter for this base", loaded(ADAPTER, base=str(key)), "allow", data=_DATA),
        _case("adapter for another base", loaded(ADAPTER, base=digest(b"x")), "deny", "adapter.base", data=_DATA),
        _case("an adapter under the digest of another", both(loaded(ADAPTER), other), "deny", "input.malformed", data=_DATA),
        _case("an adapter that no register was asked about", put("/model/adapters", [ADAPTER]), "deny", "input.malformed",
              data=_DATA),
    ]  # fmt: skip


def _release_cases() -> list[Case]:
    nobody = _standing(state="unregistered")
    return [
        _release("unregistered by now", nobody, "deny", "model.unregistered", data=_DATA),
        _release("unregistered, as admission noted", nobody, "allow", data=_answering("note")),
        _release("withdrawn by now", _standing(state="withdrawn"), "deny", "model.withdrawn", data=_DATA),
        _release("recalled by now", _standing(state="recalled"), "deny", "model.recalled", data=_DATA),
        _release("expired by now", _standing(expires=EXAMPLE_TIME), "deny", "model.expired", data=_DATA),
    ]


def _standing(**standing: str) -> Change:
    """The model, with another standing."""
    return lambda facts: facts["registers"]["model"].update(standing)


def _answering(answer: str) -> dict[str, Any]:
    """What nobody registered does this."""
    return {**_DATA, "unregistered": {"adapters": answer, "models": answer}}
