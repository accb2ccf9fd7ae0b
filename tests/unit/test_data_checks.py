"""What must hold of a bundle's data: its schema, and that every rule written there can take effect."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from governance.errors import PolicyError
from governance_adapters.policy.bundle import Bundle, default_bundle_path

MODEL = {"name": "m", "licence": "MIT"}
WORK = {"title": "A work", "owner": "its owner", "action": "allow"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(shutil.copytree(default_bundle_path(), tmp_path / "bundle"))


def edit(root: Path, change: Callable[[dict[str, Any]], object], name: str = "data.json") -> None:
    value = json.loads((root / name).read_text())
    change(value)
    (root / name).write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("table", "entry"),
    [("blocked_terms", {"category": "x"}), ("protected_names", {"kind": "person", "outcome": "review"})],
)
@pytest.mark.parametrize(
    ("term", "says"),
    [
        ("Passport", "passport"),
        ("passp0rt", "passport"),
        ("pass-port", "pass port"),
        ("covid19", "covid"),
        ("a term of far too many words", "could never match"),
        ("", "could never match"),
    ],
)
def test_a_term_that_could_never_match_is_refused_by_name(
    root: Path, table: str, entry: dict[str, str], term: str, says: str
) -> None:
    edit(root, lambda data: data[table].update({term: entry}))
    with pytest.raises(PolicyError, match=says) as caught:
        Bundle.load(root)
    assert repr(term) in str(caught.value)
    assert table[:-1].replace("_", " ") in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data.pop("limits"), "required"),
        (lambda data: data["limits"].update(steps=0), "/limits/steps"),
        (lambda data: data["limits"].update(stepz=9), "/limits"),
        (lambda data: data.update(required_detectors=[]), "/required_detectors"),
        (lambda data: data.update(roles={}), "/roles"),
        (lambda data: data.update(purposes={}), "/purposes"),
        (lambda data: data["purposes"]["design"].update(roles=["stranger"]), "stranger"),
        (lambda data: data["thresholds"]["nsfw"].update(review=900_000), "review lies above deny"),
        (lambda data: data["thresholds"]["nsfw"].update(deny=1_000_002), "/thresholds/nsfw/deny"),
        (lambda data: data["thresholds"]["copy"].pop("deny"), "/thresholds/copy"),
        (lambda data: data["obligations"].update(dance=True), "/obligations"),
        (lambda data: data["obligations"].update(retain_days=0.5), "float"),
        (lambda data: data.update(normaliser="0"), "normaliser 0"),
        (lambda data: data.update(extra={}), "roots"),
        (
            lambda data: data["models"].update({"0" * 64: {**MODEL, "components": {"unet": "1" * 64}}}),
            "not the digest",
        ),
        (lambda data: data["models"].update(unet={**MODEL, "components": {}}), "/models"),
        (lambda data: data["models"].update({"0" * 64: {**MODEL, "expires": "next year"}}), "/models"),
        (lambda data: data["adapters"].update(lora={"name": "style"}), "/adapters"),
        (lambda data: data["licences"].update(MIT={"purposes": ["war"]}), "licences.MIT names unknown purposes: war"),
        (lambda data: data["works"].update(w={**WORK, "purposes": ["war"]}), "works.w names unknown purposes: war"),
        (lambda data: data["review"].update(roles=["stranger"]), "review names unknown roles: stranger"),
        (lambda data: data["review"].update(approvals=0), "/review/approvals"),
        (lambda data: data["review"].update(approvals_by_code={"work.reviewed": 2}), "work.reviewed"),
        (lambda data: data["review"].update(queue_by_code={"work.reviewed": "brand"}), "queue_by_code.*work.reviewed"),
        (lambda data: data["review"].update(queue="press"), "review names unknown review.queues: press"),
        (
            lambda data: data["review"].update(queue_by_code={"work.review": "press"}),
            "review names unknown review.queues: press",
        ),
        (
            lambda data: data["review"]["queues"]["legal"].update(roles=["stranger"]),
            "review.queues.legal names unknown roles: stranger",
        ),
        (
            lambda data: data["review"]["acts"].update({"works.write": ["stranger"]}),
            "review.acts.works.write names unknown roles: stranger",
        ),
        (lambda data: data["review"]["acts"].pop("works.write"), "/review/acts"),
        (lambda data: data["review"]["acts"].update({"works.burn": []}), "/review/acts"),
        (lambda data: data["review"].update(queues={}), "/review/queues"),
        (lambda data: data["review"].update(due_hours=169), "due after 169 hours"),
        (lambda data: data["review"].update(expire_hours=87_841), "/review/expire_hours"),
        (lambda data: data["input_manifests"].update(none="note"), "/input_manifests/none"),
        (lambda data: data["obligations"].update(label_position="middle"), "/obligations/label_position"),
        (lambda data: data["markets"]["EU"].update(label_language="en_GB"), "/markets/EU/label_language"),
        (
            lambda data: data["blocked_terms"].update(passport={"category": "x", "markets": ["Atlantis"]}),
            "blocked_terms.passport names unknown markets: Atlantis",
        ),
        (
            lambda data: data["protected_names"].update(
                somebody={"kind": "person", "outcome": "deny", "markets": ["Atlantis"]}
            ),
            "protected_names.somebody names unknown markets: Atlantis",
        ),
        (lambda data: data["markets"].update({"": {}}), "/markets"),
        (
            lambda data: data["markets"].update(X={"thresholds": {"nsfw": {"review": 2, "deny": 1}}}),
            "markets.X.thresholds.nsfw: review lies above deny",
        ),
        (
            lambda data: data["markets"].update(X={"thresholds": {"nfsw": {"review": 1, "deny": 2}}}),
            "markets.X.thresholds names unknown thresholds: nfsw",
        ),
    ],
)
def test_unsound_data_is_refused(root: Path, change: Callable[[dict[str, Any]], object], says: str) -> None:
    edit(root, change)
    with pytest.raises(PolicyError, match=says) as caught:
        Bundle.load(root)
    assert caught.value.remedy


def test_what_never_counts_or_never_ends_can_be_said(root: Path) -> None:
    edit(root, lambda data: data["thresholds"]["nsfw"].update(deny=1_000_001, review=1_000_001))
    edit(root, lambda data: data["review"].update(expire_hours=0, due_hours=1000))
    assert Bundle.load(root).data["thresholds"]["nsfw"] == {"deny": 1_000_001, "review": 1_000_001}


def test_a_schema_that_asks_for_too_little_is_refused(root: Path) -> None:
    schema = {"$id": "urn:diffusion-governance:schema:data:1", "type": "object"}
    (root / "schemas" / "data.schema.json").write_text(json.dumps(schema))
    Bundle.load(root)
    for key in ("thresholds", "review", "models", "markets"):
        edit(root, lambda data, key=key: data.update({key: {"x": 1}}))
        with pytest.raises(PolicyError, match="asks for too little"):
            Bundle.load(root)
