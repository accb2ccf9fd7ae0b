"""All pipeline classes of diffusers: what their calls may be given reaches policy or is refused, class by class."""

import inspect
import json
import re

import diffusers
import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image

from governance.errors import RequestError, UnsupportedArgumentError
from governance.types import MediaKind
from governance_adapters.commands.pipelines import markdown_page
from governance_adapters.pipelines.arguments.recorded import LINE_ARGUMENTS, recorded
from governance_adapters.pipelines.arguments.takes import Takes, taken_by, written
from governance_adapters.pipelines.arguments.taking import Taking
from governance_adapters.pipelines.catalogue import RUN, Standing, catalogue, counts, pipeline_classes
from governance_adapters.pipelines.kinds import output_kind, refusal
from support.markdown import ROOT
from support.tiny_pipelines import TINY

PLANTED = "a planted term"
PICTURE = Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))


@pytest.fixture(scope="module")
def rows():
    return catalogue()


@pytest.fixture(scope="module")
def classes():
    return pipeline_classes()


@pytest.fixture(scope="module")
def governed(classes):
    """What the parameters of each class that can be governed take."""
    return {name: takes_of(kind) for name, kind in classes.items() if refusal(kind) is None}


def takes_of(kind):
    taken = taken_by(inspect.signature(kind.__call__))
    return {name: takes for name, takes in taken.items() if name not in LINE_ARGUMENTS}


def took(takes, value):
    """What came of `value`, or None where it was refused."""
    taking = Taking()
    try:
        taken = taking.take(takes, value)
    except (UnsupportedArgumentError, RequestError):
        return None
    return taking, taken


def shapes(text):
    """A text in every nest that a parameter could take it in."""
    yield text
    yield [text, "x"]
    yield ([text],)
    yield {"scale": 0.5, "words": text}
    yield [{"role": "user", "content": [{"type": "text", "text": text}]}]
    yield {0: {"template": (1, [text])}}


def test_every_class_that_diffusers_exports_is_in_the_catalogue(classes):
    exported = {name for names in diffusers._import_structure.values() for name in names}
    found = set()
    for name in exported:
        kind = getattr(diffusers, name, None)
        if isinstance(kind, type) and issubclass(kind, DiffusionPipeline) and kind is not DiffusionPipeline:
            found.add(name)
    assert len(found) >= 299
    assert found <= classes.keys()


def test_a_text_planted_in_any_parameter_is_a_prompt_or_refused(governed):
    """The other way, a text that policy does not see, is what this looks for: in every nest of every parameter."""
    unseen = []
    seen = set()
    for name, parameters in governed.items():
        for each, takes in parameters.items():
            for value in shapes(PLANTED):
                result = took(takes, value)
                if result is None:
                    continue
                taking, taken = result
                prompts = [prompt.parameter.split(".")[0] for prompt in taking.prompts if prompt.text == PLANTED]
                listed = takes.listed and PLANTED in np.hstack(list(taking.parameters.values()))
                if not (prompts == [each] or listed) or PLANTED in json.dumps(recorded(taken.place)) * (not listed):
                    unseen.append((name, each, value))
                seen.add((name, each))
    assert unseen == []
    assert {name for name, parameters in governed.items() if "prompt" in parameters} <= {name for name, _ in seen}


def test_a_parameter_that_is_annotated_as_text_takes_one(governed, classes):
    kinds = set()
    for name, parameters in governed.items():
        signature = inspect.signature(classes[name].__call__)
        for each, takes in parameters.items():
            if "prompt" in each and re.search(r"\bstr\b", written(signature.parameters[each].annotation)):
                assert took(takes, PLANTED), (name, each)
                kinds.add((each, str(takes.kind)))
    assert {("prompt", "prompt"), ("editing_prompt", "prompt"), ("system_prompt", "prompt")} < kinds
    negative = {each for each, kind in kinds if kind == "negative"}
    assert {"negative_prompt", "negative_prompt_2", "neg_prompt"} < negative
    assert all(each.startswith("neg") for each in negative)


def test_pictures_reach_policy_wherever_they_stand(governed):
    for name, parameters in governed.items():
        for each, takes in parameters.items():
            for value in (PICTURE, [PICTURE], {"reference": [PICTURE]}):
                taking, _ = took(takes, value)
                assert [image.parameter.split(".")[0] for image in taking.inputs] == [each], (name, each)


def test_tensors_and_arrays_reach_policy_wherever_they_stand(governed):
    tensor = torch.ones(1, 2)
    for name, parameters in governed.items():
        for each, takes in parameters.items():
            for value in (tensor, [tensor], {"reference": (tensor,)}, tensor.numpy()):
                taking, _ = took(takes, value)
                told = [item.parameter.split(".")[0] for item in (*taking.opaque, *taking.inputs)]
                assert told == [each], (name, each)


def test_only_callbacks_may_be_called_and_policy_is_told_of_each(governed):
    for name, parameters in governed.items():
        for each, takes in parameters.items():
            called = took(takes, lambda *_: {})
            assert (called is not None) == ("callback" in each), (name, each)
            assert called is None or [item.kind for item in called[0].opaque] == ["callback"]


def test_numbers_are_facts_wherever_they_stand(governed):
    for name, parameters in governed.items():
        for each, takes in parameters.items():
            for value, shown in ((7, 7), ([7, 0.5], (7, 0.5)), ({"scale": [[7], [3]]}, (7, 3))):
                taking, taken = took(takes, value)
                ((path, fact),) = taking.parameters.items()
                assert (path.split(".")[0], fact, taken.value) == (each, shown, value), (name, each)


def test_what_each_class_makes_is_known_or_it_says_why_it_is_refused(rows, classes):
    assert {row.name for row in rows} == classes.keys()
    for row in rows:
        assert bool(row.why) == (row.standing is Standing.REFUSED), row.name
        assert bool(row.media) != bool(row.why), row.name


@pytest.mark.parametrize(
    ("name", "media", "fields"),
    [
        ("StableDiffusionPipeline", (MediaKind.IMAGE,), ("images",)),
        ("Kandinsky5T2IPipeline", (MediaKind.IMAGE,), ("image",)),
        ("KandinskyCombinedPipeline", (MediaKind.IMAGE,), ("images",)),
        ("WanPipeline", (MediaKind.VIDEO,), ("frames",)),
        ("TextToVideoZeroPipeline", (MediaKind.VIDEO,), ("images",)),
        ("AudioLDM2Pipeline", (MediaKind.AUDIO,), ("audios",)),
        ("LTX2Pipeline", (MediaKind.VIDEO, MediaKind.AUDIO), ("frames", "audio")),
        ("Cosmos3OmniPipeline", (MediaKind.VIDEO, MediaKind.AUDIO), ("video", "sound")),
    ],
)
def test_the_output_says_what_is_made_and_where(classes, name, media, fields):
    kind = output_kind(classes[name])
    assert (kind.media, kind.fields) == (media, fields)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("KandinskyPriorPipeline", "embeddings"),
        ("FluxPriorReduxPipeline", "embeddings"),
        ("ShapEPipeline", "three-dimensional"),
        ("MarigoldDepthPipeline", "predictions"),
        ("LLaDA2Pipeline", "texts"),
        ("OnnxStableDiffusionPipeline", "ONNX"),
        ("LEditsPPPipelineStableDiffusion", "before the call"),
        ("LTX2HDRPipeline", "8 bits"),
        ("VersatileDiffusionPipeline", "no call"),
        ("AudioDiffusionPipeline", "two classes"),
        ("QwenImageLayeredPipeline", "transparent"),
    ],
)
def test_what_cannot_be_governed_says_why(classes, name, why):
    assert why in refusal(classes[name])


def test_the_classes_that_are_said_to_run_are_those_of_the_tests(classes, governed):
    run = sorted({name.partition("+")[0] for name in TINY} & governed.keys())
    assert json.loads(RUN.read_text()) == run, f"{RUN.name} should be:\n{json.dumps(run, indent=1)}"
    assert {name.partition("+")[0] for name in TINY} <= classes.keys()


def test_the_page_is_what_the_command_prints(rows):
    assert (ROOT / "docs" / "pipelines.md").read_text() == markdown_page(rows), "governance pipelines --markdown"
    assert sum(counts(rows).values()) == len(rows)


def test_a_text_named_like_a_picture_is_no_file_that_a_pipeline_could_open():
    for name in ("image", "mask_image", "video", "audio_file", "image_path", "url"):
        parameter = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation="str | Path")
        assert took(Takes.of(parameter), "/etc/hostname") is None
