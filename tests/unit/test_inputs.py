"""Input images on the line of fakes: checked before policy, named in the manifest."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import commitment, digest
from governance.entries import EntryKind
from governance.errors import ConflictError, GenerationError, RequestError, SigningError
from governance.facts import pixels_digest
from governance.governor import Governor
from governance.ingredients import InputIngredient
from governance.inputs import input_ingredients
from governance.manifest import (
    ACTIONS_LABEL,
    COMPOSITE_ALGORITHMIC_MEDIA,
    TRAINED_ALGORITHMIC_MEDIA,
    manifest_definition,
)
from governance.ports import ManifestState
from governance.testing import (
    FakeDetector,
    FakeEncoder,
    FakeManifestSigner,
    FakePipeline,
    FakePolicyEngine,
    example_picture,
    example_request,
    fake_parts,
)
from governance.testing.manifest import example_statement
from governance.types import Draft, InputImage, Stage
from governance.verification import Verifier
from governance_adapters.commands.output import print_verification
from support.reviewing import ANN, BOB, CODES, held, request

PICTURE, MASK = example_picture(32, 48), example_picture(32, 48, seed=2)
FILE = FakeEncoder().encode(PICTURE, "image/png")
SIGNER = FakeManifestSigner()
STRANGER = FakeManifestSigner(key=b"another key", signer="Stranger")
BARE = InputImage("image", PICTURE)


def signed(signer=SIGNER, content=FILE):
    return signer.sign(content, "image/png", manifest_definition(example_statement())).content


def given_as(content, pixels=PICTURE, parameter="image", media_type="image/png"):
    return InputImage(parameter, pixels, content, media_type)


def asked(*inputs, **changes):
    """The line after a request with these inputs: its parts, its policy, and the result."""
    policy = FakePolicyEngine()
    parts = fake_parts(policy=policy)
    result = Governor(parts).generate(example_request(inputs=inputs, **changes), FakePipeline())
    return parts, policy, result


def shown(policy, stage=Stage.ADMISSION):
    return next(facts for at, facts in policy.asked if at is stage)["inputs"]


def made_from(parts, result):
    return [
        (each.title, each.relationship, each.state, each.label)
        for each in parts.signer.read(result.items[0].asset.content).ingredients
    ]


class TestChecked:
    @pytest.mark.parametrize(
        ("image", "manifest"),
        [
            (BARE, "none"),
            (given_as(FILE), "none"),
            (given_as(signed()), "trusted"),
            (given_as(signed(STRANGER)), "untrusted"),
        ],
    )
    def test_policy_sees_what_a_manifest_is_worth(self, image, manifest):
        _, policy, _ = asked(image)
        for stage in (Stage.ADMISSION, Stage.RELEASE):
            (facts,) = shown(policy, stage)
            assert facts["manifest"] == manifest
            assert facts["digest"] == pixels_digest(BARE)

    def test_every_detectors_findings_on_inputs_reach_policy(self):
        policy = FakePolicyEngine()
        detectors = (FakeDetector({"nsfw": 0.25}), FakeDetector({"logo": 0.5}, name="logos"))
        parts = fake_parts(policy=policy, detectors=detectors)
        Governor(parts).generate(example_request(inputs=(BARE, InputImage("mask_image", MASK))), FakePipeline())
        for facts in shown(policy):
            assert [(f["detector"], f["score_millionths"]) for f in facts["findings"]] == [
                ("nsfw", 250_000),
                ("logos", 500_000),
            ]

    def test_a_changed_file_is_refused_before_policy(self):
        content = bytearray(signed())
        content[40] ^= 1
        pixels = FakeEncoder().decode(bytes(content))
        policy, pipeline = FakePolicyEngine(), FakePipeline()
        parts = fake_parts(policy=policy)
        with pytest.raises(RequestError, match=r"'image' does not hold.*dataHash") as caught:
            Governor(parts).generate(example_request(inputs=(given_as(bytes(content), pixels),)), pipeline)
        assert "unchanged" in caught.value.remedy
        assert (policy.asked, pipeline.runs) == ([], 0)
        assert [entry.kind for _, entry in parts.ledger.entries()] == [EntryKind.FAILED]

    def test_a_file_that_vouches_for_a_broken_one_is_untrusted(self):
        class Credulous(FakeManifestSigner):
            """Says of each file's ingredients that they are broken, as a signer may have noted."""

            def read(self, content):
                report = super().read(content)
                broken = tuple(replace(each, state=ManifestState.INVALID) for each in report.ingredients)
                return replace(report, ingredients=broken)

        policy = FakePolicyEngine()
        parts = fake_parts(policy=policy, signer=Credulous())
        definition = manifest_definition(replace(example_statement(), inputs=(ingredient(0, "image"),)))
        parent = SIGNER.sign(FILE, "image/png", definition).content
        Governor(parts).generate(example_request(inputs=(given_as(parent),)), FakePipeline())
        assert shown(policy)[0]["manifest"] == "untrusted"

    @pytest.mark.parametrize(
        ("image", "message"),
        [
            (given_as(signed(), MASK), "are not those of the file"),
            (given_as(FILE, PICTURE[:-1]), "are not those of the file"),
            (given_as(b"no picture"), "cannot be read"),
            (given_as(FILE, media_type=""), "no media type"),
        ],
    )
    def test_pixels_are_those_of_their_file(self, image, message):
        with pytest.raises(RequestError, match=message) as caught:
            asked(image)
        assert caught.value.remedy

    def test_another_picture_under_the_same_id_is_another_request(self):
        parts, _, _ = asked(BARE)
        with pytest.raises(ConflictError):
            Governor(parts).generate(example_request(inputs=(InputImage("image", MASK),)), FakePipeline())
        with pytest.raises(ConflictError):  # the same pixels, but with a manifest to stand for them
            Governor(parts).generate(example_request(inputs=(given_as(signed()),)), FakePipeline())

    def test_a_picture_that_changes_while_it_is_used_stays_what_it_was(self):
        pixels = PICTURE.copy()
        policy = FakePolicyEngine()
        parts = fake_parts(policy=policy)

        def meanwhile(drafts: list[Draft]) -> list[Draft]:
            pixels[:] = 0
            return drafts

        result = Governor(parts).generate(
            example_request(inputs=(InputImage("image", pixels),)), FakePipeline(spoil=meanwhile)
        )
        assert not pixels.any()
        assert result.items[0].asset is not None
        assert shown(policy, Stage.RELEASE)[0]["digest"] == pixels_digest(BARE)


class TestNamed:
    def test_the_picture_is_opened_and_the_mask_goes_in(self):
        parts, _, result = asked(given_as(signed()), InputImage("mask_image", MASK))
        parent = SIGNER.read(signed())
        assert sorted(made_from(parts, result)) == [
            ("image", "parentOf", ManifestState.TRUSTED, parent.label),
            ("mask_image", "inputTo", ManifestState.MISSING, ""),
        ]

    @pytest.mark.parametrize("control", [False, True])
    def test_what_only_steers_is_not_opened(self, control):
        inputs = (BARE, InputImage("control_image", MASK)) if control else (BARE,)
        parts, _, result = asked(*inputs, parameters={"controlnet_conditioning_scale": 1.0})
        relationship = {title: how for title, how, _, _ in made_from(parts, result)}
        assert relationship["image"] == ("parentOf" if control else "inputTo")
        assert relationship.get("control_image") == ("inputTo" if control else None)

    def test_of_several_none_is_said_to_be_opened(self):
        parts, _, result = asked(BARE, InputImage("image", MASK), images=2, seeds=())
        assert [how for _, how, _, _ in made_from(parts, result)] == ["inputTo", "inputTo"]

    def test_a_released_file_can_be_an_input_again(self):
        parts, _, first = asked(BARE)
        asset = first.items[0].asset
        image = given_as(asset.content, parts.encoder.decode(asset.content), media_type=asset.media_type)
        policy = FakePolicyEngine()
        again = replace(parts, policy=policy)
        result = Governor(again).generate(example_request(id="request-2", inputs=(image,)), FakePipeline())
        assert shown(policy)[0]["manifest"] == "trusted"
        assert made_from(parts, result) == [
            ("image", "parentOf", ManifestState.TRUSTED, parts.signer.read(asset.content).label)
        ]

    @pytest.mark.parametrize(
        "other", [(), (InputImage("image", MASK),), (InputImage("mask_image", PICTURE),), (BARE, BARE)]
    )
    def test_inputs_that_were_not_admitted_are_not_signed(self, other):
        parts, policy, _ = asked(BARE)
        admitted = policy.asked[0][1]
        ((_, intent),) = parts.ledger.entries(kind=EntryKind.INTENT)
        assert input_ingredients(admitted, (BARE,), intent)
        with pytest.raises(SigningError, match="not those that were admitted"):
            input_ingredients(admitted, other, intent)

    def test_a_manifest_names_an_input_by_the_commitment_of_its_record_and_never_by_its_hash(self):
        parts, _, result = asked(BARE)
        ((_, intent),) = parts.ledger.entries(kind=EntryKind.INTENT)
        (field,) = (field for field in parts.ledger.fields(intent.id) if field.name == "/inputs/0")
        content = result.items[0].asset.content
        assert named_by(commitment(field.name, field.value, field.salt)).encode() in content
        assert named_by(pixels_digest(BARE)).encode() not in content
        assert named_by(digest(BARE.pixels.tobytes())).encode() not in content

    def test_a_failing_signer_releases_nothing_made_from_inputs(self):
        parts = fake_parts(signer=FakeManifestSigner(error=SigningError("no key", remedy="Give one.")))
        with pytest.raises((SigningError, GenerationError)):
            Governor(parts).generate(example_request(inputs=(BARE,)), FakePipeline())


class TestHeld:
    def test_what_people_let_go_names_its_inputs_all_the_same(self):
        line = held(asked=request(inputs=(given_as(signed()), InputImage("mask_image", MASK))))
        hold = line.record.id
        line.approve(ANN)
        line.desk.lease(BOB, hold)
        decided = line.desk.approve(BOB, hold, CODES)
        assert decided.item is not None
        found = line.parts.signer.read(decided.item.asset.content).ingredients
        assert [(each.title, each.relationship, each.label) for each in sorted(found, key=lambda each: each.title)] == [
            ("image", "parentOf", SIGNER.read(signed()).label),
            ("mask_image", "inputTo", ""),
        ]
        asked_again = next(facts for at, facts in line.policy.asked if at is Stage.REVIEW and "inputs" in facts)
        assert [facts["manifest"] for facts in asked_again["inputs"]] == ["trusted", "none"]


class TestVerified:
    def test_a_check_says_what_a_file_was_made_from(self, capsys):
        parent = SIGNER.read(signed())
        parts, _, result = asked(given_as(signed()), InputImage("mask_image", MASK))
        verifier = Verifier(parts.signer, parts.log_key, metadata=parts.metadata, ledger=parts.ledger)
        verification = verifier.verify(result.items[0].asset.content)
        rows = {
            row["title"]: (row["relationship"], row["manifest"], row["label"])
            for row in verification.as_json()["made_from"]
        }
        assert rows == {"image": ("parentOf", "trusted", parent.label), "mask_image": ("inputTo", "missing", "")}
        print_verification(verification)
        (line,) = (line for line in capsys.readouterr().out.splitlines() if "made from" in line)
        assert f"image was edited (a manifest, trusted when it was signed: {parent.label})" in line
        assert "mask_image went in (no manifest)" in line

    def test_of_a_text_alone_it_says_nothing(self, capsys):
        parts, _, result = asked()
        verifier = Verifier(parts.signer, parts.log_key, metadata=parts.metadata, ledger=parts.ledger)
        verification = verifier.verify(result.items[0].asset.content)
        assert verification.as_json()["made_from"] == []
        print_verification(verification)
        assert "made from" not in capsys.readouterr().out

    def test_a_strangers_word_is_not_passed_on(self):
        parts, _, result = asked(BARE)
        stranger = Verifier(STRANGER, parts.log_key, metadata=parts.metadata, ledger=parts.ledger)
        verification = stranger.verify(result.items[0].asset.content)
        assert verification.report.ingredients
        assert verification.made_from == ()


def named_by(value):
    """The name of what has this SHA-256 (RFC 6920)."""
    return "ni:///sha-256;" + base64.urlsafe_b64encode(bytes.fromhex(value)).decode().rstrip("=")


def actions(*inputs):
    definition = manifest_definition(replace(example_statement(), inputs=inputs))
    found = {item["label"]: item["data"] for item in definition["assertions"]}
    return definition, found[ACTIONS_LABEL]["actions"]


def ingredient(position, parameter, *, opened=False, media_type=""):
    return InputIngredient(
        position=position, parameter=parameter, commitment=digest(b"bytes"), opened=opened, media_type=media_type
    )


class TestDefinition:
    def test_an_edited_picture_is_opened_first(self):
        picture, mask = ingredient(0, "image", opened=True, media_type="image/png"), ingredient(1, "mask_image")
        definition, (opened, edited, marked) = actions(picture, mask)
        assert opened["action"] == "c2pa.opened"
        assert opened["parameters"] == {"ingredientIds": ["input-0"]}
        assert edited["action"] == "c2pa.edited"
        assert edited["digitalSourceType"] == COMPOSITE_ALGORITHMIC_MEDIA
        assert edited["parameters"] == {"ingredientIds": ["model", "input-1"]}
        assert marked["action"] == "c2pa.watermarked.bound"
        assert [each["label"] for each in definition["ingredients"]] == ["model", "input-1"]  # files come with `sign`

    def test_what_was_not_opened_was_created_from_its_inputs(self):
        _, (created, _) = actions(ingredient(0, "image"), ingredient(1, "image"))
        assert created["action"] == "c2pa.created"
        assert created["digitalSourceType"] == COMPOSITE_ALGORITHMIC_MEDIA
        assert created["parameters"] == {"ingredientIds": ["model", "input-0", "input-1"]}

    def test_without_inputs_it_is_made_by_the_model_alone(self):
        _, (created, _) = actions()
        assert created["digitalSourceType"] == TRAINED_ALGORITHMIC_MEDIA

    def test_only_one_can_be_opened(self):
        with pytest.raises(SigningError, match="two pictures"):
            actions(ingredient(0, "image", opened=True), ingredient(1, "image", opened=True))

    @given(st.binary(max_size=64), st.sampled_from(["", "image/png", "image/webp"]), st.booleans())
    def test_an_ingredient_is_named_by_its_commitment_and_nothing_else_of_it(self, content, media_type, opened):
        named = InputIngredient(
            position=3, parameter="image", commitment=digest(content), media_type=media_type, opened=opened
        ).definition()
        name = named["instance_id"].removeprefix("ni:///sha-256;")
        assert base64.urlsafe_b64decode(name + "=").hex() == digest(content)
        assert set(named) == {"label", "title", "format", "instance_id", "relationship", "description"}
        assert named["title"] == "image"
