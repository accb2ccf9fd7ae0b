"""What makes the picture and stands in no argument or configuration: policy or the record sees it, or the call is refused."""

import inspect

import numpy as np
import pytest
import torch
from diffusers import BriaFibo2Pipeline, BriaFiboEditPipeline
from PIL import Image

from governance.errors import ModelError, RequestError, UnsupportedArgumentError
from governance.governor import Governor
from governance.testing import FakePolicyEngine, fake_parts
from governance.types import Prompt, Stage
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.pipelines.arguments.held_texts import held_texts
from governance_adapters.pipelines.arguments.images import hold_images
from governance_adapters.pipelines.arguments.takes import taken_by
from governance_adapters.pipelines.arguments.taking import Taking
from governance_adapters.pipelines.description.describe import describe
from governance_adapters.pipelines.diffusers import wrap
from governance_adapters.pipelines.replay.regenerate import DiffusersRegenerator
from support.recalled import made
from support.tiny import stable_diffusion, unet
from support.tiny_pipelines import TINY
from support.wrapped import PRINCIPAL, bound

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

WITH_TEXTS = {
    "Lumina2Pipeline": "system_prompt",
    "QwenImagePipeline": "prompt_template_encode",
    "Kandinsky5T2IPipeline": "prompt_template",
    "StableDiffusionPipelineSafe": "safety_concept",
}
"""Classes that keep a text in an attribute, and the attribute."""


@pytest.fixture
def pipe(tmp_path):
    return stable_diffusion(tmp_path)


class TestTextsOnThePipeline:
    @pytest.mark.parametrize("name", [*WITH_TEXTS, "StableDiffusionPAGPipeline", "MarigoldIntrinsicsPipeline"])
    def test_what_the_class_writes_there_is_no_prompt(self, name, tmp_path):
        assert held_texts(TINY[name].quiet(tmp_path)) == ([], {})

    @pytest.mark.parametrize("name", [*WITH_TEXTS])
    def test_another_text_is_a_prompt(self, name, tmp_path):
        pipe, attribute = TINY[name].quiet(tmp_path), WITH_TEXTS[name]
        setattr(pipe, attribute, "a grenade {}")
        prompts, parameters = held_texts(pipe)
        assert [(each.text, each.position) for each in prompts] == [("a grenade {}", 0)]
        assert prompts[0].parameter.startswith("pipeline.")
        assert parameters == {}

    def test_policy_is_told_of_it(self, pipe):
        policy = FakePolicyEngine()
        wrap(pipe, Governor(fake_parts(encoder=ImageEncoder(), policy=policy)), PRINCIPAL, "marketing")
        pipe.template = {"before": ["a grenade on a table"]}
        pipe("a", num_inference_steps=1)
        told = next(facts["prompts"] for stage, facts in policy.asked if stage is Stage.ADMISSION)
        assert [each["text"] for each in told] == ["a", "before", "a grenade on a table"]
        assert {each["parameter"] for each in told[1:]} == {"pipeline.template"}

    def test_a_blank_text_and_other_layers_are_parameters(self, pipe):
        pipe.template, pipe.pag_applied_layers = " ", ["up"]
        arguments = bound(pipe, "a")
        assert arguments.parameters["pipeline.template"] == ""
        assert arguments.parameters["pipeline.pag_applied_layers"] == ("up",)
        assert arguments.prompts == (Prompt("a"),)

    def test_a_text_that_could_change_is_refused(self, pipe):
        pipe.template = type("Text", (str,), {})("a")
        with pytest.raises(UnsupportedArgumentError, match="'template'"):
            bound(pipe, "a")

    def test_a_text_in_code_of_somebody_elses_is_a_prompt(self, pipe):
        class StableDiffusionPipeline(type(pipe)):
            def put(self):
                self.words = "a grenade"

        pipe.__class__ = StableDiffusionPipeline
        pipe.put()
        assert bound(pipe, "a").prompts[1:] == (Prompt("a grenade", parameter="pipeline.words"),)

    def test_a_replay_says_that_it_is_another(self, pipe, tmp_path):
        pipe.template = "a grenade"
        call, _ = made(pipe, prompt="a", num_inference_steps=1)
        again = DiffusersRegenerator(lambda _: stable_diffusion(tmp_path)).regenerate(call, ())
        assert [(each.part, each.text) for each in again.differences] == [
            ("call", "pipeline.template: the text that sits on the pipeline is another one here")
        ]
        same = DiffusersRegenerator(lambda _: pipe).regenerate(call, ())
        assert same.differences == ()


class TestCompiledParts:
    def test_another_module_that_names_the_known_one_is_not_the_known_one(self, pipe):
        known = describe(pipe).components["unet"]
        other = unet(seed=77)
        other._orig_mod = pipe.unet
        pipe.unet = other
        assert describe(pipe).components["unet"] != known

    def test_a_compiled_one_is_known_by_what_it_was_compiled_from(self, pipe):
        known = describe(pipe).components["unet"]
        pipe.unet = torch.compile(pipe.unet, backend="eager")
        assert describe(pipe).components["unet"] == known

    def test_a_compiled_one_cannot_name_another(self, pipe):
        approved, pipe.unet = pipe.unet, torch.compile(unet(seed=77), backend="eager")
        pipe.unet._orig_mod = approved
        with pytest.raises(ModelError, match="compiled from another"):
            describe(pipe)


class TestNamesAndFiles:
    def test_the_names_in_a_prompt_are_prompts(self):
        taking = Taking()
        takes = taken_by(inspect.signature(BriaFiboEditPipeline.__call__))["prompt"]
        taking.take(takes, {"edit": "a cat", "a_grenade": None, "x": "", "on": True})
        assert [each.text for each in taking.prompts] == ["edit", "a cat", "a_grenade", "x", "on"]
        assert taking.parameters == {"prompt.a_grenade": None, "prompt.x": "", "prompt.on": True}

    def test_what_is_empty_under_a_name_is_a_fact(self, pipe):
        arguments = bound(pipe, "a", cross_attention_kwargs={"scale": None, "words": ""})
        assert arguments.parameters["cross_attention_kwargs.scale"] is None
        assert arguments.parameters["cross_attention_kwargs.words"] == ""
        assert arguments.prompts == (Prompt("a"),)

    def test_a_name_that_is_not_ascii_is_refused(self, pipe):
        with pytest.raises(UnsupportedArgumentError, match="no name"):
            bound(pipe, "a", cross_attention_kwargs={"\u4e00": 1})

    def test_a_font_is_a_file(self, tmp_path):
        takes = taken_by(inspect.signature(BriaFibo2Pipeline.__call__))["fonts"]
        with pytest.raises(UnsupportedArgumentError, match="fonts"):
            Taking().take(takes, [str(tmp_path / "anybodys.ttf")])


class Other(Image.Image):
    """What the copy of a picture turns out to be: it says that it is RGB, and gives other pixels."""

    def __init__(self):
        super().__init__()
        self.__setstate__([{}, "RGB", (64, 64), None, bytes(64 * 64 * 3)])

    @property
    def __array_interface__(self):
        return np.full((64, 64, 4), 7, np.uint8).__array_interface__


class Copied(Other):
    """A picture that makes its copies itself."""

    def _new(self, im):
        return Other()


def test_a_picture_whose_copy_is_its_own_is_refused():
    with pytest.raises(RequestError, match="no plain picture"):
        hold_images("image", Copied())


class TestStateChangedInPlace:
    @pytest.mark.parametrize("table", ["alphas_cumprod", "betas"])
    def test_a_schedulers_table(self, pipe, table):
        before = describe(pipe)
        setattr(pipe.scheduler, table, getattr(pipe.scheduler, table) ** 3)
        after = describe(pipe)
        assert before.digest != after.digest
        assert set(after.scheduler_config) - set(before.scheduler_config) == {f"changed.{table}"}

    def test_its_first_noise(self, pipe):
        before = describe(pipe)
        pipe.scheduler.init_noise_sigma = 0.1
        assert describe(pipe).scheduler_config.keys() - before.scheduler_config.keys() == {"changed.init_noise_sigma"}

    def test_a_second_schedulers_table(self, pipe):
        pipe.second = type(pipe.scheduler).from_config(pipe.scheduler.config)
        before = describe(pipe).components["second"]
        pipe.second.alphas_cumprod **= 3
        assert describe(pipe).components["second"] != before

    @pytest.mark.parametrize(
        ("layer", "constant", "value"), [("Attention", "scale", 4.0), ("ResnetBlock2D", "output_scale_factor", 2.0)]
    )
    def test_a_layers_constant(self, pipe, layer, constant, value):
        before = describe(pipe)
        for each in pipe.unet.modules():
            if type(each).__name__ == layer:
                setattr(each, constant, value)
        assert differing(before, describe(pipe)) == ["unet"]

    def test_a_layer_without_weights(self, pipe):
        before = describe(pipe)
        next(each for each in pipe.unet.modules() if hasattr(each, "nonlinearity")).nonlinearity = torch.nn.Tanh()
        assert differing(before, describe(pipe)) == ["unet"]

    def test_a_call_changes_nothing(self, pipe):
        before = describe(pipe)
        pipe("a", num_inference_steps=2)
        assert describe(pipe).as_json() == before.as_json()


def differing(before, after):
    """The networks that compute otherwise."""
    one, other = before.environment["computation"], after.environment["computation"]
    return [name for name in one if one[name]["layers"] != other[name]["layers"]]


def test_free_init_goes_through_the_steps_several_times(tmp_path):
    tiny = TINY["AnimateDiffPipeline"]
    pipe = tiny.quiet(tmp_path)
    once = bound(pipe, **tiny.call, **tiny.said)
    pipe.enable_free_init(num_iters=5)
    again = bound(pipe, **tiny.call, **tiny.said)
    assert again.steps == 5 * once.steps
    assert again.prompts == once.prompts
    pipe.disable_free_init()
    assert bound(pipe, **tiny.call, **tiny.said).steps == once.steps
