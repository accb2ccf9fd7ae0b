"""What a released file says it was made from, with real C2PA, read by two engines; and the whole line, inputs and all."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import zlib
from dataclasses import replace

import c2pa
import encypher_c2pa
import numpy as np
import pytest
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline
from PIL import Image

from governance.canonical import digest
from governance.entries import EntryKind
from governance.errors import RequestError, SigningError
from governance.governor import Governor
from governance.ingredients import InputIngredient
from governance.manifest import manifest_definition
from governance.ports import IngredientFile, ManifestState
from governance.testing import FakePolicyEngine, example_picture, fake_parts
from governance.testing.certificates import FakeAuthority
from governance.testing.manifest import example_statement
from governance_adapters import open_image
from governance_adapters.marking.c2pa import C2paSigner
from governance_adapters.marking.credentials import PemCredentials, TrustRoots
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.reports import c2pa_settings
from governance_adapters.pipelines.diffusers import wrap
from support.tiny import stable_diffusion
from support.wrapped import PRINCIPAL, last

os.environ["ENCYPHER_C2PA_TELEMETRY"] = "off"  # it would send failure codes home

AUTHORITY, OTHER = FakeAuthority(), FakeAuthority("Another authority")
TRUST = TrustRoots(AUTHORITY.root)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
    b'xmpMM:DocumentID="xmp.did:of-my-camera" xmpMM:InstanceID="xmp.iid:of-my-edit" '
    b'dcterms:provenance="https://my-cloud.example.org/m.c2pa" dc:creator="my name"/></rdf:RDF></x:xmpmeta>'
)
PERSONAL = (b"of-my-camera", b"of-my-edit", b"my-cloud.example.org", b"my name")


def signer(authority=AUTHORITY):
    issued = authority.issue()
    return C2paSigner(PemCredentials(issued.chain, issued.private_key), TrustRoots(authority.root))


SIGNER, STRANGER = signer(), signer(OTHER)


def picture(kind="PNG", seed=1, **options):
    file = io.BytesIO()
    Image.fromarray(example_picture(96, 128, seed)).save(file, kind, **options)
    return file.getvalue()


def signed(content=None, by=SIGNER, media_type="image/png"):
    definition = manifest_definition(replace(example_statement(), media_type=media_type))
    return by.sign(content or picture(), media_type, definition)


def edited(content, media_type="image/png", by=SIGNER):
    """What is signed as edited from the file `content`, with a mask of bare pixels."""
    opened = InputIngredient(
        position=0, parameter="image", commitment=digest(content), media_type=media_type, opened=True
    )
    mask = InputIngredient(position=1, parameter="mask_image", commitment=digest(b"a mask"))
    statement = replace(example_statement(), inputs=(opened, mask))
    files = (IngredientFile(content, media_type, opened.definition()),)
    return by.sign(picture(seed=2), "image/png", manifest_definition(statement), files)


def independent(content):
    found = encypher_c2pa.verify(content, "image/png", trust_pem=AUTHORITY.root.decode(), no_default_trust=True)
    return found["validation_state"], [item["code"] for item in found["validation_results"]["failure"]], found


def store(content):
    with c2pa.Context.from_dict(c2pa_settings(TRUST, None)) as context:
        return json.loads(c2pa.Reader("image/png", io.BytesIO(content), context=context).json())


def ingredient_of(made):
    """The opened ingredient, as c2pa-rs reads it."""
    listed = store(made.content)["manifests"][made.report.label]["ingredients"]
    return next(each for each in listed if each["relationship"] == "parentOf")


def name_of(content):
    """What the ingredient made of a file is called."""
    return "ni:///sha-256;" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def changed(content):
    position = len(content) - 40
    return content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]


def grafted(signed_content, seed=9):
    """The manifest of one picture in another: what somebody does who wants a signature for a picture of their own."""
    inserted = len(signed_content) - len(picture())
    other = picture(seed=seed)
    return other[:33] + signed_content[33 : 33 + inserted] + other[33:]


class TestSigned:
    @pytest.mark.parametrize(
        ("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]
    )
    @pytest.mark.parametrize(("by", "state"), [(SIGNER, "trusted"), (STRANGER, "untrusted")])
    def test_both_engines_trust_a_file_that_keeps_its_parents_manifest(self, kind, media_type, by, state):
        parent = signed(picture(kind), by, media_type)
        made = edited(parent.content, media_type)
        assert made.report.state is ManifestState.TRUSTED
        (opened,) = (each for each in made.report.ingredients if each.relationship == "parentOf")
        assert (opened.title, opened.state, opened.label) == ("image", state, parent.report.label)
        state_there, failures, found = independent(made.content)
        assert (state_there, failures) == ("Trusted", [])
        assert set(found["manifest_report"]["manifests"]) == {parent.report.label, made.report.label}

    def test_the_chain_grows(self):
        first = signed()
        second = edited(first.content)
        third = edited(second.content)
        state, failures, found = independent(third.content)
        assert (state, failures) == ("Trusted", [])
        assert set(found["manifest_report"]["manifests"]) == {x.report.label for x in (first, second, third)}

    def test_both_engines_read_what_was_done(self):
        made = edited(signed().content)
        ours = store(made.content)["manifests"][made.report.label]
        theirs = independent(made.content)[2]["manifest_report"]["manifests"][made.report.label]
        for manifest in (ours, theirs):
            (actions,) = (
                item["data"]["actions"] for item in manifest["assertions"] if item["label"] == "c2pa.actions.v2"
            )
            assert [action["action"] for action in actions] == ["c2pa.opened", "c2pa.edited", "c2pa.watermarked.bound"]
            assert actions[1]["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
            linked = [link["url"].rsplit("/", 1)[1] for link in actions[0]["parameters"]["ingredients"]]
            assert len(linked) == 1
        titles = {each["label"]: each["title"] for each in ours["ingredients"]}
        assert titles[linked[0]] == "image"

    @pytest.mark.parametrize(
        "spoil",
        [changed, grafted, lambda content: content.replace(b"trainedAlgorithmicMedia", b"trainedAlgorithmicMedie")],
    )
    @pytest.mark.parametrize("by", [SIGNER, STRANGER])
    def test_a_tampered_parent_is_refused(self, spoil, by):
        parent = spoil(signed(by=by).content)
        with pytest.raises(SigningError, match="own manifest does not hold") as caught:
            edited(parent)
        assert caught.value.remedy

    def test_the_tampered_grandparent_of_a_signed_file_is_seen(self):
        # What c2pa-rs signs if nobody looks first: it reads Trusted, and only the ingredient tells.
        parent = changed(signed().content)
        definition = manifest_definition(
            replace(
                example_statement(),
                inputs=(
                    InputIngredient(
                        position=0, parameter="image", commitment=digest(parent), media_type="image/png", opened=True
                    ),
                ),
            )
        )
        ingredient = {"title": "image", "relationship": "parentOf", "label": "input-0"}
        issued, target = AUTHORITY.issue(), io.BytesIO()
        info = c2pa.C2paSignerInfo(b"es256", issued.chain, issued.private_key, None)
        with (
            c2pa.Context.from_dict(c2pa_settings(TRUST, None)) as context,
            c2pa.Signer.from_info(info) as native,
            c2pa.Builder(definition, context=context) as builder,
        ):
            builder.add_ingredient(json.dumps(ingredient), "image/png", io.BytesIO(parent))
            builder.sign(native, "image/png", io.BytesIO(picture(seed=3)), target)
        report = SIGNER.read(target.getvalue())
        assert report.state is ManifestState.TRUSTED
        assert [each.state for each in report.ingredients if each.title == "image"] == [ManifestState.INVALID]

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_nothing_of_a_file_without_a_manifest_is_copied(self, kind):
        media_type = f"image/{kind.lower()}"
        exif = Image.Exif()
        exif[0x010F] = "my name"
        if kind == "PNG":
            content = picture(exif=exif)
            chunk = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + XMP
            text = (len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
            content = content[:33] + text + content[33:]
        else:
            content = picture(kind, xmp=XMP, exif=exif)
        assert all(word in content for word in PERSONAL)
        made = edited(content, media_type)
        assert independent(made.content)[:2] == ("Trusted", [])
        assert [word for word in PERSONAL if word in made.content] == []
        opened = next(each for each in made.report.ingredients if each.relationship == "parentOf")
        assert (opened.title, opened.state) == ("image", ManifestState.MISSING)
        named = ingredient_of(made)
        assert set(named) == {"title", "format", "instance_id", "relationship", "description", "label"}
        assert named["instance_id"] == name_of(content)

    def test_identifiers_of_a_signed_file_stand_in_its_own_manifest_alone(self):
        content = picture("JPEG", xmp=XMP.replace(b"dcterms:provenance", b"dcterms:source"))
        parent = signed(content, media_type="image/jpeg")
        made = edited(parent.content, "image/jpeg")
        named = ingredient_of(made)
        assert named["instance_id"] == name_of(parent.content)
        assert not [word for word in PERSONAL if word.decode() in json.dumps(named)]
        theirs = parent.content.count(b"of-my-edit") - content.count(b"of-my-edit")  # their signer's word for the file
        assert made.content.count(b"of-my-edit") == theirs
        assert not [word for word in PERSONAL if word in made.content and word != b"of-my-edit"]

    @pytest.mark.parametrize(
        ("content", "media_type"),
        [(b"", "image/png"), (picture("JPEG"), "image/png"), (picture(), "image/tiff"), (picture()[:100], "image/png")],
    )
    def test_what_is_no_such_file_is_refused(self, content, media_type):
        with pytest.raises(SigningError):
            edited(content, media_type)


@pytest.fixture
def policy():
    return FakePolicyEngine()


@pytest.fixture
def line(policy):
    return Governor(fake_parts(encoder=ImageEncoder(), policy=policy, signer=SIGNER))


@pytest.fixture
def edit(tmp_path, line):
    pipe = StableDiffusionImg2ImgPipeline(**stable_diffusion(tmp_path).components, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return wrap(pipe, line, PRINCIPAL, "marketing")


class TestLine:
    def test_our_own_released_file_keeps_its_chain(self, edit, policy, line):
        first = edit("a", image=Image.open(io.BytesIO(picture())), num_inference_steps=2).items[0].asset
        second = edit("a", image=open_image(first.content), num_inference_steps=2).items[0].asset
        third = edit("a", image=open_image(second.content), num_inference_steps=2).items[0].asset
        assert [facts["inputs"][0]["manifest"] for _, facts in policy.asked[::2]] == ["none", "trusted", "trusted"]
        state, failures, found = independent(third.content)
        assert (state, failures) == ("Trusted", [])
        assert set(found["manifest_report"]["manifests"]) == {
            line.parts.signer.read(asset.content).label for asset in (first, second, third)
        }

    @pytest.mark.parametrize(
        ("content", "manifest", "state"),
        [
            (picture(), "none", ManifestState.MISSING),
            (signed(by=STRANGER).content, "untrusted", ManifestState.UNTRUSTED),
            (signed().content, "trusted", ManifestState.TRUSTED),
        ],
        ids=["none", "untrusted", "trusted"],
    )
    def test_each_kind_of_file_is_a_fact_and_an_ingredient(self, edit, policy, line, content, manifest, state):
        asset = edit("a", image=open_image(content), num_inference_steps=2).items[0].asset
        assert policy.asked[0][1]["inputs"][0]["manifest"] == manifest
        report = line.parts.signer.read(asset.content)
        assert report.state is ManifestState.TRUSTED
        assert [each.state for each in report.ingredients if each.relationship == "parentOf"] == [state]
        assert independent(asset.content)[:2] == ("Trusted", [])

    def test_a_tampered_file_generates_nothing(self, edit, policy, line):
        for parent in (signed(), signed(by=STRANGER)):
            with pytest.raises(RequestError, match="was changed after it was signed"):
                edit("a", image=open_image(grafted(parent.content)))
        assert not policy.asked
        assert last(line, EntryKind.FAILED).body["step"] == "describe"
        assert not line.parts.ledger.entries(kind=EntryKind.INTENT)

    def test_a_mask_and_a_picture_from_files(self, tmp_path, line):
        pipe = StableDiffusionInpaintPipeline(**stable_diffusion(tmp_path).components, requires_safety_checker=False)
        pipe.set_progress_bar_config(disable=True)
        governed = wrap(pipe, line, PRINCIPAL, "marketing")
        mask = Image.fromarray(np.uint8(example_picture(96, 128)[..., 0] > 128) * 255)
        parent = signed()
        out = governed("a", image=open_image(parent.content), mask_image=mask, num_inference_steps=2)
        report = line.parts.signer.read(out.items[0].asset.content)
        assert {(each.title, each.relationship, each.label) for each in report.ingredients} == {
            ("image", "parentOf", parent.report.label),
            ("mask_image", "inputTo", ""),
        }
