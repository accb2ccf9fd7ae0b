"""Cases of the admission stage: who asks, how much, with what pictures, under what data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.canonical import MAX_SAFE_INTEGER
from governance.testing.corpus.cases import (
    FINDING,
    IMAGE,
    OPTIONAL,
    SIMILAR,
    UNREAD,
    WORDS,
    WORK,
    Case,
    Change,
    both,
    case_maker,
    malformed,
    put,
    scored,
    unchanged,
)
from governance.testing.corpus.models import ADAPTER, LORA, loaded
from governance.testing.corpus.reviewing import REVIEW
from governance.testing.policy import admission_facts
from governance.types import Stage

_case = case_maker(Stage.ADMISSION, admission_facts)


def malformed_cases() -> list[Case]:
    """Facts of a request, one part of them unreadable."""
    return malformed(
        Stage.ADMISSION,
        _full_facts,
        unread=(*UNREAD, "/inputs/0/findings/0/evidence/"),
        optional=(*OPTIONAL, *(f"/inputs/0/findings/0/{word}" for word in WORDS)),
        signed=("/model/adapters/0/scale_thousandths",),
        data=_FULL_DATA,
    )


def rule_cases() -> list[Case]:
    """A good request, and for each rule one that differs from it by what the rule is about."""
    return [*_principal_cases(), *_amount_cases(), *_input_cases(), *_data_cases()]


def _principal_cases() -> list[Case]:
    return [
        _case("good", unchanged, "allow"),
        Case("admission: good, with all there can be", Stage.ADMISSION, _full_facts(), "allow", data=_FULL_DATA),
        _case("seeds drawn by the line", put("/seeds", []), "allow"),
        _case("several roles", _as("other", "designer"), "allow"),
        _case("unknown purpose", put("/request/purpose", "war"), "deny", "purpose.unknown", "role.not_permitted"),
        _case("unknown role", _as("x"), "deny", "role.not_permitted"),
        _case("no role", _as(), "deny", "role.not_permitted"),
        _case("role of another purpose", _as("researcher"), "deny", "role.not_permitted"),
        _case("role in other letters", _as("Designer"), "deny", "role.not_permitted"),
        _case("role with a joiner in it", _as("design\u200der"), "deny", "role.not_permitted"),
        _case("purpose with a slash", put("/request/purpose", "a/b~c"), "deny", "purpose.unknown"),
        _case("known market", _in("EU"), "allow"),
        _case("every market by name", _in("EU", "US", "UK"), "allow"),
        _case("unknown market", _in("EU", "Atlantis"), "deny", "market.unknown"),
        _case("market in other letters", _in("eu"), "deny", "market.unknown"),
        _case("market where there are none", _in("EU"), "deny", "market.unknown", data={"markets": {}}),
        _case("no market where there are none", unchanged, "allow", data={"markets": {}}),
    ]


def _amount_cases() -> list[Case]:
    small = {"budgets": {"images": 10, "steps": 300, "pixels": 655_360, "step_pixels": 19_660_800}}
    cheap = {
        "limits": {
            "frames": 1,
            "images": 8,
            "pixels": 2**22,
            "prompt_characters": 2000,
            "steps": 100,
            "step_pixels": 1_966_080,
        }
    }
    roles = {
        "designer": {"budget": {"images": 2}},
        "editor": {"budget": {"images": 5, "steps": 60}},
        "évaluateur/1": {"budget": {"images": 5}},
    }
    purposes = {"marketing": {"roles": ["designer", "editor", "evaluator", "évaluateur/1"]}}
    own = {"roles": {**roles, "evaluator": {}}, "purposes": purposes, "budgets": {"images": 3}}
    extreme = dict.fromkeys(("images", "steps", "pixels", "step_pixels"), MAX_SAFE_INTEGER)
    return [
        _case("most steps", put("/parameters/steps", 100), "allow"),
        _case("too many steps", put("/parameters/steps", 101), "deny", "limit.steps"),
        _case("safe integer steps", put("/parameters/steps", MAX_SAFE_INTEGER), "deny", "limit.steps", "limit.step_pixels"),
        _case("beyond safe integer steps", put("/parameters/steps", MAX_SAFE_INTEGER + 1), "deny", "input.malformed"),
        _case("too many pixels", _sized(2048, 2049), "deny", "limit.pixels"),
        _case("most pixels", _sized(2048, 2048), "allow"),
        _case("pixels that do not multiply", put("/parameters/pixels", 5), "deny", "input.malformed"),
        _case("too many images", put("/request/images", 9), "deny", "limit.images"),
        _case("most compute", unchanged, "allow", data=cheap),
        _case("too much compute by images", put("/request/images", 2), "deny", "limit.step_pixels", data=cheap),
        _case("too much compute by steps", put("/parameters/steps", 31), "deny", "limit.step_pixels", data=cheap),
        _case("too much compute by pixels", _sized(256, 257), "deny", "limit.step_pixels", data=cheap),
        _case(
            "more than any number", both(put("/request/images", MAX_SAFE_INTEGER), put("/parameters/steps", MAX_SAFE_INTEGER)),
            "deny", "limit.images", "limit.steps", "limit.step_pixels", "budget.images", "budget.step_pixels",
        ),
        _case("role with a lower limit", both(_as("editor"), put("/request/images", 5)), "deny", "limit.images"),
        _case("the more generous role", both(_as("editor", "designer"), put("/request/images", 8)), "allow"),
        _case(
            "role with a higher limit",
            both(_as("evaluator"), put("/request/images", 64), put("/request/purpose", "evaluation")), "allow",
        ),
        _case("role limit of the wrong type", put("/parameters/steps", 101), "deny", "limit.steps",
              data={"roles": {"designer": {"limits": {"steps": "many"}}}}),
        _case("last image of the day", _spent(images=9), "allow", data=small),
        _case("images of the day spent", _spent(images=10), "deny", "budget.images", data=small),
        _case("last steps of the day", _spent(steps=270), "allow", data=small),
        _case("steps of the day spent", _spent(steps=271), "deny", "budget.steps", data=small),
        _case("last pixels of the day", _spent(pixels=589_824), "allow", data=small),
        _case("pixels of the day spent", _spent(pixels=589_825), "deny", "budget.pixels", data=small),
        _case("last compute of the day", _spent(step_pixels=17_694_720), "allow", data=small),
        _case("compute of the day spent", _spent(step_pixels=17_694_721), "deny", "budget.step_pixels", data=small),
        _case("all of the day spent", _spent(**extreme), "deny", "budget.images", "budget.pixels", data=small),
        _case("all spent where nothing is limited", _spent(**extreme), "allow", data={"budgets": {}}),
        _case("the largest budget", _spent(**extreme), "deny", "budget.images", data={"budgets": extreme}),
        _case("own budget below the general one", _spent(images=2), "deny", "budget.images", data=own),
        _case("the more generous budget", both(_as("designer", "editor"), _spent(images=4)), "allow", data=own),
        _case("that one spent", both(_as("designer", "editor"), _spent(images=5)), "deny", "budget.images", data=own),
        _case("a role without own steps", both(_as("designer", "editor"), _spent(steps=9999)), "allow", data=own),
        _case("own steps", both(_as("editor"), _spent(steps=60)), "deny", "budget.steps", data=own),
        _case("the general budget", both(_as("evaluator"), _spent(images=3)), "deny", "budget.images", data=own),
        _case("a role with a slash", both(_as("évaluateur/1"), _spent(images=5)), "deny", "budget.images", data=own),
    ]  # fmt: skip


def _input_cases() -> list[Case]:
    allowed = {"allow_inputs": True}
    strict = {**allowed, "input_manifests": {"none": "deny", "untrusted": "deny"}}
    untrusted = put("/inputs", [IMAGE, {**IMAGE, "manifest": "untrusted"}])
    return [
        _case("input image", put("/inputs", [IMAGE]), "deny", "inputs.not_allowed"),
        _case("allowed input image", put("/inputs", [IMAGE]), "allow", data=allowed),
        _case("many input images", put("/inputs", [IMAGE] * 64), "allow", data=allowed),
        _case(
            "unchecked input image", put("/inputs", [{**IMAGE, "findings": []}]), "deny", "detector.missing", data=allowed
        ),
        _case(
            "input image for review", put("/inputs", [scored(IMAGE, 500_000)]), "review", "finding.review", data=allowed
        ),
        _case(
            "input image denied", put("/inputs", [IMAGE, scored(IMAGE, 900_000)]), "deny", "finding.denied", data=allowed
        ),
        _case("input image like a work", put("/inputs", [_like("review")]), "review", "work.review", data=allowed),
        _case("input image like a denied work", put("/inputs", [_like("deny")]), "deny", "work.denied", data=allowed),
        _case("input image of another signer", untrusted, "review", "input.manifest", data=allowed),
        _case("input image of another signer, denied", untrusted, "deny", "input.manifest", data=strict),
        _case("input image without a manifest", put("/inputs", [IMAGE]), "deny", "input.manifest", data=strict),
        _case("input image of a trusted signer", put("/inputs", [{**IMAGE, "manifest": "trusted"}]), "allow", data=strict),
        _case(
            "input image of another signer, none allowed", untrusted, "deny", "inputs.not_allowed",
            data={"allow_inputs": False},
        ),
        _case(
            "input image with an invalid manifest", put("/inputs", [{**IMAGE, "manifest": "invalid"}]), "deny",
            "input.malformed", data=allowed,
        ),
    ]  # fmt: skip


def _data_cases() -> list[Case]:
    limits = {
        "frames": 1, "images": 8, "pixels": 2**22, "prompt_characters": 2000, "step_pixels": 10**9, "steps": 100
    }  # fmt: skip
    opaque = {"audio": "deny", "embedding": "deny", "latents": "deny", "callback": "deny", "other": "deny"}
    broken: Mapping[str, Mapping[str, Any]] = {
        **{f"no {key}": {key: None} for key in sorted(_KEYS)},
        **{f"list for {key}": {key: []} for key in sorted(_KEYS - {"required_detectors"})},
        "misspelt answer": {"allow_inputs": "no"},
        "negative limit": {"limits": {**limits, "steps": -1}},
        "one limit missing": {"limits": {name: value for name, value in limits.items() if name != "step_pixels"}},
        "text for a limit": {"limits": {**limits, "pixels": "4194304"}},
        "null for a limit": {"limits": {**limits, "pixels": None}},
        "limit beyond every safe integer": {"limits": {**limits, "pixels": 2**53}},
        "budget of nothing": {"budgets": {"images": 0}},
        "null for a budget": {"budgets": {"images": None}},
        "misspelt budget": {"budgets": {"image": 5}},
        "misspelt budget of a role": {"roles": {"designer": {"budget": {"image": 5}}}},
        "text for the budget of a role": {"roles": {"designer": {"budget": {"images": "5"}}}},
        "kind of opaque argument missing": {
            "opaque": {name: opaque[name] for name in ("audio", "embedding", "latents", "other")}
        },
        "opaque arguments noted": {"opaque": {**opaque, "latents": "note"}},
        "encoded prompts allowed": {"encoded_prompts": "allow"},
        "undisclosed origins allowed": {"undisclosed": "allow"},
        "answer about registered adapters missing": {"unregistered": {"models": "deny"}},
        "misspelt answer about registered models": {"unregistered": {"adapters": "deny", "models": "no"}},
        "input manifests noted": {"input_manifests": {"none": "note", "untrusted": "deny"}},
        "kind of input manifest missing": {"input_manifests": {"none": "allow"}},
        "nobody reviews": {"review": {**REVIEW, "roles": []}},
        "review without approvals": {"review": {**REVIEW, "approvals": None}},
        "review by nobody": {"review": {**REVIEW, "approvals": 0}},
        "nobody is asked": {"review": {**REVIEW, "queue": ""}},
        "text for the hours": {"review": {**REVIEW, "due_hours": "24"}},
        "list of queues by code": {"review": {**REVIEW, "queue_by_code": ["brand"]}},
    }
    return [
        *(_case(f"data: {name}", unchanged, "deny", "data.malformed", data=data) for name, data in broken.items()),
        _case("data: empty tables", unchanged, "allow", data={"blocked_terms": {}, "protected_names": {}, "works": {}}),
        _case("data: none of the models", unchanged, "deny", "model.not_allowed", data={"models": {}}),
        _case("data: none of the purposes", unchanged, "deny", "purpose.unknown", data={"purposes": {}}),
    ]


_KEYS = {
    "adapters", "allow_audio", "allow_inputs", "allow_promptless", "blocked_terms", "budgets", "encoded_prompts", "input_manifests",
    "licences", "limits", "markets", "models", "negative_terms", "normaliser", "obligations", "opaque", "protected_names", "purposes",
    "required_detectors", "review", "roles", "small_images", "thresholds", "undisclosed", "unregistered", "visible_label",
    "works",
}  # fmt: skip
"""All that the data hold, but for what only training reads."""
_FULL_DATA: Mapping[str, Any] = {
    "adapters": {ADAPTER["digest"]: LORA},
    "allow_inputs": True,
    "encoded_prompts": "note",
    "opaque": {"audio": "deny", "embedding": "allow", "latents": "deny", "callback": "deny", "other": "deny"},
}


def _full_facts() -> dict[str, Any]:
    """A good request with all that may be missing or empty; allowed under `_FULL_DATA`."""
    facts: dict[str, Any] = admission_facts()
    first, *others = facts["prompts"]
    loaded(ADAPTER, base=facts["registers"]["model"]["key"], expires="2027-01-01T00:00:00Z")(facts)
    return {
        **facts,
        "request": {**facts["request"], "markets": ["EU", "US"]},
        "prompts": [{**first, "hints": ["base64"], "hidden": ["what", "it", "says"]}, *others],
        "inputs": [{**IMAGE, "manifest": "trusted", "findings": [{**FINDING, **WORK}, SIMILAR]}],
        "opaque": [{"parameter": "prompt_embeds", "kind": "embedding", "digest": None}],
        "usage": {"images": 1, "steps": 30, "pixels": 65_536, "step_pixels": 1_966_080},
    }


def _like(action: str) -> dict[str, Any]:
    """An input image that is a copy of a registered work."""
    return {**IMAGE, "findings": [FINDING, {**SIMILAR, **WORK, "action": action, "score_millionths": 1_000_000}]}


def _spent(**amounts: int) -> Change:
    return lambda facts: facts["usage"].update(amounts)


def _sized(width: int, height: int) -> Change:
    return lambda facts: facts["parameters"].update(width=width, height=height, pixels=width * height)


def _as(*roles: str) -> Change:
    return put("/principal/roles", list(roles))


def _in(*markets: str) -> Change:
    return put("/request/markets", list(markets))
