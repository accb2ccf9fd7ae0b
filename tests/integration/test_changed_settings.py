"""The Rego tests of the bundle are about its rules: an officer who changes a setting finds them as green as before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from governance.datasets.policy_input import Collected
from governance.datasets.records import Basis, Consent, OptOut, Problem, SourceKind, Synthetic
from governance.registers.standing import ContractState
from governance.review_facts import Act
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.policy.opa_command import OpaCommand
from support.real import require

STRICT_TRAINING: Final[Mapping[str, Any]] = {
    "approvals": 3,
    "approvers": ["curator"],
    "audit_days": 1,
    "basis": dict.fromkeys(Basis, "deny"),
    "collected": dict.fromkeys(Collected, "deny"),
    "consents": dict.fromkeys(Consent, "deny"),
    "contracts": dict.fromkeys(ContractState, "deny"),
    "declared": "deny",
    "methods": {},
    "near_duplicate": "deny",
    "opt_outs": dict.fromkeys(OptOut, "deny"),
    "opt_outs_under_contract": dict.fromkeys(OptOut, "deny"),
    "other_bundle": "deny",
    "personal": dict.fromkeys(Consent, "deny"),
    "problems": dict.fromkeys(Problem, "deny"),
    "source_kinds": dict.fromkeys(SourceKind, "deny"),
    "synthetic": dict.fromkeys(Synthetic, "deny"),
    "thresholds": {key: {"deny": 0, "review": 0} for key in ("nsfw", "similar")},
    "trainers": ["painter"],
    "unlicensed": dict.fromkeys(("contract", "none", "own"), "deny"),
    "unscored": dict.fromkeys(("nsfw", "similar"), "deny"),
}
STRICT: Final[Mapping[str, Any]] = {
    "adapters": {"a" * 64: {"name": "style", "licence": "BSD-3-Clause", "expires": "2020-01-01T00:00:00Z"}},
    "allow_audio": True,
    "allow_inputs": True,
    "allow_promptless": True,
    "blocked_terms": {"a": {"category": "letter"}, "red seven": {"category": "digit", "markets": ["JP"]}},
    "budgets": {"images": 1, "steps": 1, "pixels": 1, "step_pixels": 1},
    "encoded_prompts": "deny",
    "input_manifests": {"none": "deny", "untrusted": "deny"},
    "licences": {"BSD-3-Clause": {"purposes": ["art"]}},
    "limits": {"frames": 1, "images": 1, "pixels": 1, "prompt_characters": 1, "step_pixels": 1, "steps": 1},
    "markets": {"JP": {"thresholds": {"faces": {"deny": 2, "review": 1}}, "approvals": 7, "visible_label": "AI (JP)"}},
    "models": {},
    "negative_terms": "deny",
    "obligations": {"approvals": 5, "output_formats": ["image/webp"], "visible_label": "AI", "watermark": False},
    "opaque": {"audio": "allow", "callback": "allow", "embedding": "allow", "latents": "allow", "other": "allow"},
    "protected_names": {"blurry": {"kind": "brand", "outcome": "deny"}},
    "purposes": {"art": {"roles": ["painter"]}},
    "required_detectors": ["faces", "similarity"],
    "review": {
        "roles": ["curator"],
        "approvals": 4,
        "approvals_by_code": {"prompt.encoded": 9},
        "acts": {act: ["curator"] if act is Act.HOLDS_DECIDE else [] for act in Act},
        "queues": {"art": {"roles": ["painter"]}},
        "queue": "art",
        "queue_by_code": {"finding.review": "art"},
        "due_hours": 1,
        "expire_hours": 1,
    },
    "roles": {"painter": {"limits": {"steps": 1}, "budget": {"steps": 1}}, "curator": {}},
    "small_images": "label",
    "thresholds": {"faces": {"deny": 1, "review": 0}},
    "training": STRICT_TRAINING,
    "undisclosed": "deny",
    "unregistered": {"adapters": "review", "models": "review"},
    "visible_label": "made by a model",
    "works": {"mural": {"title": "Mural", "owner": "a museum", "action": "deny"}},
}
"""Every setting another one, and most of them as strict as can be; the normaliser is not an officer's to choose."""

LENIENT: Final[Mapping[str, Any]] = {
    "budgets": {},
    "encoded_prompts": "note",
    "licences": {name: {} for name in ("Apache-2.0", "CC-BY-NC-4.0", "GPL-2.0", "MIT")},
    "limits": dict.fromkeys(("frames", "images", "pixels", "prompt_characters", "step_pixels", "steps"), 9000000000000),
    "markets": {"Atlantis": {}, "atlantis": {}},
    "negative_terms": "review",
    "obligations": {},
    "opaque": {"audio": "review", "callback": "review", "embedding": "review", "latents": "review", "other": "review"},
    "purposes": {"marketing": {"roles": ["designer", "researcher"]}, "war": {"roles": ["designer"]}},
    "required_detectors": ["similarity"],
    "review": {
        "roles": ["designer"],
        "approvals": 1,
        "acts": {act: ["designer"] for act in Act},
        "queues": {"general": {"roles": ["designer"]}},
        "queue": "general",
        "due_hours": 0,
        "expire_hours": 0,
    },
    "roles": {"designer": {"budget": {"images": 1}}, "editor": {}, "researcher": {}},
    "thresholds": {"nsfw": {"deny": 1_000_000, "review": 1_000_000}, "other": {"deny": 1, "review": 1}},
    "training": {
        **{
            name: dict.fromkeys(answers, "allow") if isinstance(answers, Mapping) else "allow"
            for name, answers in STRICT_TRAINING.items()
        },
        "approvals": 1,
        "approvers": ["designer"],
        "audit_days": 9000000000000,
        "thresholds": {key: {"deny": 101, "review": 101} for key in ("nsfw", "similar")},
        "trainers": ["designer", "editor", "researcher"],
    },
    "undisclosed": "review",
    "unregistered": {"adapters": "allow", "models": "note"},
}


@pytest.fixture
def opa() -> OpaCommand:
    found = OpaCommand.find()
    require("opa", None if found is None else "opa", "there is no `opa` on PATH, so no Rego test ran on other settings")
    assert found is not None
    return found


def test_there_is_another_value_for_each_setting() -> None:
    shipped = Bundle.load(default_bundle_path()).data
    assert {*STRICT, "normaliser"} == set(shipped)
    assert [name for name in STRICT if STRICT[name] == shipped[name]] == []


@pytest.mark.parametrize("settings", [STRICT, LENIENT], ids=["strict", "lenient"])
def test_no_test_depends_on_a_setting(opa: OpaCommand, settings: Mapping[str, Any], tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(default_bundle_path(), tmp_path / "bundle"))
    data = {**json.loads((bundle / "data.json").read_text()), **settings}
    (bundle / "data.json").write_text(json.dumps(data))
    assert Bundle.load(bundle).data == data
    told = json.loads(opa.run(bundle, "test", "--timeout", "60s", "--format", "json", "--bundle", ".").stdout)
    assert [f"{each['package']}.{each['name']}" for each in told if each.keys() & {"fail", "error", "skip"}] == []
    assert len(told) > 90
