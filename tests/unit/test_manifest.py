from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import canonical_bytes, digest
from governance.errors import CanonicalError, SigningError
from governance.manifest import (
    ACTIONS_LABEL,
    CREATED_LABELS,
    PROVENANCE_LABEL,
    SOFT_BINDING_LABEL,
    TRAINED_ALGORITHMIC_MEDIA,
    TRAINING_MINING_LABEL,
    TRAINING_USES,
    Provenance,
    WatermarkBinding,
    manifest_definition,
    provenance_of,
)
from governance.ports import ManifestReport, ManifestState
from governance.testing.manifest import FakeManifestSigner, example_statement

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
digests = st.binary(min_size=1, max_size=8).map(digest)
provenances = st.builds(
    Provenance,
    asset_id=names,
    intent_entry_id=names,
    intent_leaf=digests,
    log_origin=names,
    bundle_revision=digests,
    decision_ids=st.lists(names, min_size=1, max_size=4).map(tuple),
    model_digest=digests,
    components=st.dictionaries(names, digests, min_size=1, max_size=4),
    disclosed=st.dictionaries(names, names, max_size=2),
)


def assertions(definition):
    return {item["label"]: item["data"] for item in definition["assertions"]}


def test_a_text_to_image_file_says_how_it_came_to_be():
    definition = manifest_definition(example_statement())
    created, marked = assertions(definition)[ACTIONS_LABEL]["actions"]
    assert created["action"] == "c2pa.created"
    assert created["digitalSourceType"] == TRAINED_ALGORITHMIC_MEDIA
    assert created["when"] == "2026-11-01T12:00:00.000Z"
    assert created["parameters"] == {"ingredientIds": [definition["ingredients"][0]["label"]]}
    assert marked == {"action": "c2pa.watermarked.bound"}
    assert definition["claim_version"] == 2
    assert definition["claim_generator_info"] == [{"name": "diffusion-governance", "version": "1.2.3"}]
    assert definition["title"] == f"{example_statement().asset_id}.png"


def test_the_soft_binding_names_algorithm_key_and_payload():
    binding = assertions(manifest_definition(example_statement()))[SOFT_BINDING_LABEL]
    assert binding["alg"] == "org.diffusion-governance.tiled.1"
    assert binding["alg-params"] == "0f1e2d3c4b5a6978"
    (block,) = binding["blocks"]
    assert int.from_bytes(base64.b64decode(block["value"])) == 2**63 + 5


def test_without_a_watermark_nothing_claims_one():
    definition = manifest_definition(replace(example_statement(), watermark=None))
    assert SOFT_BINDING_LABEL not in assertions(definition)
    assert [item["action"] for item in assertions(definition)[ACTIONS_LABEL]["actions"]] == ["c2pa.created"]


def test_a_visible_label_is_an_edit_before_the_watermark():
    definition = manifest_definition(replace(example_statement(), visible_label="Made by AI"))
    actions = assertions(definition)[ACTIONS_LABEL]["actions"]
    assert [item["action"] for item in actions] == ["c2pa.created", "c2pa.edited", "c2pa.watermarked.bound"]
    assert "Made by AI" in actions[1]["description"]


def test_training_and_mining_are_not_allowed_unless_said():
    entries = assertions(manifest_definition(example_statement()))[TRAINING_MINING_LABEL]["entries"]
    assert entries == {use: {"use": "notAllowed"} for use in TRAINING_USES}
    allowed = replace(example_statement(), training_mining={"cawg.data_mining": "allowed"})
    entries = assertions(manifest_definition(allowed))[TRAINING_MINING_LABEL]["entries"]
    assert entries == {"cawg.data_mining": {"use": "allowed"}}


def test_the_model_is_an_input_named_by_its_weights_alone():
    (model,) = manifest_definition(example_statement())["ingredients"]
    assert model["relationship"] == "inputTo"
    assert {item["type"] for item in model["data_types"]} == {"c2pa.types.generator", "c2pa.types.model"}
    elsewhere = replace(example_statement(), model_digest=digest(b"the same weights on another device"))
    other = replace(example_statement(), components={"unet": digest(b"other weights")})
    assert manifest_definition(elsewhere)["ingredients"] == [model]
    assert manifest_definition(other)["ingredients"][0]["instance_id"] != model["instance_id"]


def test_every_assertion_is_vouched_for_by_the_signer():
    definition = manifest_definition(example_statement())
    assert set(assertions(definition)) <= set(CREATED_LABELS)


def test_policy_can_oblige_disclosure_and_nothing_else_discloses():
    assert "disclosed" not in provenance_of(manifest_definition(example_statement()))
    disclosed = replace(example_statement(), disclosed={"prompt": "a red seven"})
    assert provenance_of(manifest_definition(disclosed))["disclosed"] == {"prompt": "a red seven"}


@given(provenances)
def test_the_assertion_round_trips(provenance):
    data = provenance.assertion()
    assert Provenance.from_assertion(data) == provenance
    assert Provenance.from_assertion({**data, "added later": 1}) == provenance
    canonical_bytes(data)


@given(st.integers(1, 16).flatmap(lambda size: st.tuples(st.just(8 * size), st.integers(0, 2 ** (8 * size) - 1))))
def test_the_payload_round_trips(sized):
    bits, payload = sized
    value = WatermarkBinding(algorithm="a", key_id="k", payload=payload, payload_bits=bits).value
    decoded = base64.b64decode(value)
    assert (len(decoded) * 8, int.from_bytes(decoded)) == (bits, payload)


@pytest.mark.parametrize(("payload", "bits"), [(-1, 64), (2**64, 64), (2**32, 32), (1, 12)])
def test_a_payload_that_does_not_fit_is_refused(payload, bits):
    with pytest.raises(SigningError, match="payload"):
        WatermarkBinding(algorithm="a", key_id="k", payload=payload, payload_bits=bits)


@pytest.mark.parametrize(
    "change",
    [
        {"decision_ids": ()},
        {"decision_ids": ("",)},
        {"components": {}},
        {"asset_id": ""},
        {"intent_entry_id": ""},
        {"log_origin": ""},
        {"intent_leaf": "short"},
        {"intent_leaf": "A" * 64},
        {"bundle_revision": "g" * 64},
        {"model_digest": ""},
        {"components": {"unet": "no digest"}},
        {"media_type": "image/gif"},
        {"training_mining": {"cawg.data_mining": "maybe"}},
        {"training_mining": {"c2pa.data_mining": "allowed"}},
    ],
    ids=str,
)
def test_a_statement_that_proves_nothing_is_refused(change):
    with pytest.raises(SigningError) as caught:
        replace(example_statement(), **change)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"version": 2},
        {"version": 1},
        {**example_statement().assertion(), "intent": "text"},
        {**example_statement().assertion(), "policy": {"bundle_revision": "0" * 64, "decision_ids": "one"}},
        {**example_statement().assertion(), "model": {"digest": 5, "components": {}}},
    ],
)
def test_a_foreign_assertion_is_not_ours(data):
    with pytest.raises(SigningError):
        Provenance.from_assertion(data)


def test_text_that_is_not_unicode_is_refused():
    with pytest.raises(CanonicalError):
        manifest_definition(replace(example_statement(), title="\ud800"))


@pytest.mark.parametrize(
    "definition", [{}, {"assertions": "none"}, {"assertions": ["none"]}, {"assertions": [{"label": PROVENANCE_LABEL}]}]
)
def test_a_definition_without_our_assertion_has_no_provenance(definition):
    assert provenance_of(definition) is None


def test_the_fake_signer_can_fail_and_can_lie():
    definition = manifest_definition(example_statement())
    error = SigningError("the key is gone")
    with pytest.raises(SigningError, match="the key is gone"):
        FakeManifestSigner(error=error).sign(b"file", "image/png", definition)
    lie = ManifestReport(ManifestState.UNTRUSTED)
    assert FakeManifestSigner(report=lie).sign(b"file", "image/png", definition).report is lie
