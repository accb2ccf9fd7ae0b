"""The reference model, made to edit a picture, with real parts and the shipped rules: inputs on the whole line."""

import io
import json
import warnings

import numpy as np
import pytest
from diffusers import StableDiffusionImg2ImgPipeline
from PIL import Image

from governance.entries import EntryKind
from governance.errors import DeniedError, HeldError, RequestError
from governance.facts import pixels_digest
from governance.types import InputImage
from governance_adapters import open_image
from governance_adapters.marking.authority import InsecureDevelopmentAuthority, InsecureKeyWarning
from governance_adapters.marking.c2pa import C2paSigner
from governance_adapters.marking.credentials import PemCredentials, TrustRoots
from governance_adapters.pipelines.description.describe import describe
from governance_adapters.reference import load_reference_pipeline, model_path
from governance_adapters.wiring import govern, open_governor, open_verifier
from support.allowed import allowed
from support.real import require

pytestmark = pytest.mark.filterwarnings(f"ignore::{InsecureKeyWarning.__module__}.{InsecureKeyWarning.__qualname__}")
PROMPT = "a red seven on a blue background"


@pytest.fixture(autouse=True)
def _weights():
    require("weights", model_path().is_dir(), "the reference model's weights are not in this checkout")


def photograph():
    """A photograph that a package ships, 256 x 256."""
    from skimage import data

    return Image.fromarray(np.ascontiguousarray(data.astronaut())).resize((256, 256))


def editing(settings, **changes):
    """The reference model as an image-to-image pipeline, governed under the shipped rules with `changes` of their data."""
    pipe = StableDiffusionImg2ImgPipeline(**load_reference_pipeline().components, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    allowed(settings, describe(pipe), name="editing", licence="Apache-2.0")
    data = settings.bundle_path / "data.json"
    data.write_text(json.dumps({**json.loads(data.read_text()), **changes}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        governor = open_governor(settings)
    return govern(pipe, purpose="marketing", settings=settings, governor=governor), governor


def ask(governed, image):
    return governed(PROMPT, image=image, num_inference_steps=4, strength=0.5)


def foreign(image):
    """The picture as a file that somebody signed whom nobody here knows."""
    made = InsecureDevelopmentAuthority().issue()
    signer = C2paSigner(PemCredentials(made.chain, made.private_key), TrustRoots(made.root))
    file = io.BytesIO()
    image.save(file, "PNG")
    actions = [
        {"action": "c2pa.created", "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"}
    ]
    definition = {
        "claim_version": 2,
        "claim_generator_info": [{"name": "camera", "version": "1"}],
        "title": "photograph",
        "format": "image/png",
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }
    return signer.sign(file.getvalue(), "image/png", definition).content


def test_the_shipped_bundle_allows_no_inputs(settings):
    governed, governor = editing(settings)
    with pytest.raises(DeniedError) as caught:
        ask(governed, photograph())
    assert "inputs.not_allowed" in {reason.code for reason in caught.value.result.items[0].decisions[0].reasons}
    governor.parts.ledger.close()


def test_an_edited_photograph_names_it_and_can_be_edited_again(settings):
    governed, governor = editing(settings, allow_inputs=True)
    picture = photograph()
    first = ask(governed, picture).items[0]
    second = ask(governed, open_image(first.asset.content)).items[0]

    verification = open_verifier(settings).verify(second.asset.content)
    assert verification.exit_code == 0, verification.as_json()
    (made_from,) = verification.made_from
    assert (made_from.relationship, made_from.state) == ("parentOf", "trusted")
    assert made_from.label == governor.parts.signer.read(first.asset.content).label

    # the record holds the input as a personal field, and no byte of the picture
    (_, intent), _ = governor.parts.ledger.entries(kind=EntryKind.INTENT)
    fields = {field.name: field.value for field in governor.parts.ledger.fields(intent.id)}
    shown = fields["/inputs/0"]
    assert (shown["manifest"], shown["width"], shown["height"]) == ("none", 256, 256)
    assert shown["digest"] == pixels_digest(InputImage("image", np.asarray(picture)))
    assert {finding["detector"] for finding in shown["findings"]} >= {"nsfw"}
    assert shown["digest"] not in json.dumps(intent.body)
    governor.parts.ledger.close()


def test_a_strangers_file_is_what_policy_says_of_it_and_a_changed_one_is_refused(settings):
    rules = {"allow_inputs": True, "input_manifests": {"none": "allow", "untrusted": "review"}}
    governed, governor = editing(settings, **rules)
    content = foreign(photograph())
    with pytest.raises(HeldError) as caught:
        ask(governed, open_image(content))
    assert "input.manifest" in {reason.code for reason in caught.value.result.items[0].decisions[0].reasons}

    other = io.BytesIO()
    Image.new("RGB", (256, 256), "red").save(other, "PNG")
    plain = io.BytesIO()
    photograph().save(plain, "PNG")
    manifest = content[33 : 33 + len(content) - len(plain.getvalue())]
    grafted = other.getvalue()[:33] + manifest + other.getvalue()[33:]
    with pytest.raises(RequestError, match="changed after it was signed"):
        ask(governed, open_image(grafted))
    assert not governor.parts.ledger.entries(kind=EntryKind.INTENT)
    governor.parts.ledger.close()
