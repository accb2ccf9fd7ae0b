"""Real diffusers pipelines, tiny and untrained: what may be asked of them, by whom, and what is refused."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from diffusers import LTXConditionPipeline, StableDiffusionImg2ImgPipeline
from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition
from PIL import Image

from governance.canonical import canonical_bytes
from governance.entries import EntryKind
from governance.errors import (
    ConfigurationError,
    RequestError,
    UnsupportedArgumentError,
)
from governance.facts import pixels_digest, request_facts
from governance.governor import Governor
from governance.testing import EXAMPLE_MODEL, FakePolicyEngine, fake_parts
from governance.types import Principal, Prompt, PromptKind
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.pipelines.arguments.binding import bind
from governance_adapters.pipelines.arguments.restored import restored
from governance_adapters.pipelines.diffusers import wrap
from support.tiny import (
    SIDE,
    stable_diffusion_xl,
)
from support.wrapped import (
    PRINCIPAL,
    Agreeable,
    Moody,
    bound,
    call_of,
    last,
)


class TestArguments:
    def test_the_steps_of_every_stage_count(self, pipe):
        def call(
            self, prompt, prior_num_inference_steps=25, num_inference_steps=50, super_res_num_inference_steps=None
        ):
            raise AssertionError("it is only bound")

        assert bind(pipe, call, ["a"], {}).steps == 75
        assert (
            bind(pipe, call, ["a"], {"prior_num_inference_steps": 1000, "super_res_num_inference_steps": 7}).steps
            == 1057
        )
        for wrong in (-3, 2.5, "9"):
            with pytest.raises(RequestError):
                bind(pipe, call, ["a"], {"prior_num_inference_steps": wrong})

    def test_texts_numbers_and_sizes_become_facts(self, pipe):
        arguments = bound(
            pipe, ["a", "b"], negative_prompt=["x", ""], num_images_per_prompt=2, guidance_scale=3.5, clip_skip=1
        )
        assert arguments.prompts == (
            Prompt("a"),
            Prompt("b", position=1),
            Prompt("x", PromptKind.NEGATIVE, "negative_prompt"),
        )
        assert arguments.images == 4
        assert arguments.parameters["guidance_scale"] == 3.5
        assert arguments.parameters["clip_skip"] == 1
        assert (arguments.width, arguments.height, arguments.steps) == (SIDE, SIDE, 50)

    def test_prompts_keep_their_place_in_the_batch(self, pipe):
        arguments = bound(pipe, ["a", "b", "c"], negative_prompt=["", "x", ""])
        assert [(p.text, p.position) for p in arguments.prompts] == [("a", 0), ("b", 1), ("c", 2), ("x", 1)]

    def test_numpy_scalars_are_the_numbers_they_stand_for(self, pipe):
        arguments = bound(
            pipe,
            "a",
            guidance_scale=np.float64(3.5),
            eta=np.float32(0.5),
            num_inference_steps=np.int64(3),
            width=np.uint16(SIDE),
            clip_skip=np.int8(1),
            num_images_per_prompt=np.int32(2),
            return_dict=np.False_,
        )
        assert (arguments.steps, arguments.width, arguments.images) == (3, SIDE, 2)
        assert arguments.return_dict is False
        names = ("guidance_scale", "eta", "clip_skip")
        assert [(type(arguments.parameters[n]), arguments.parameters[n]) for n in names] == [
            (float, 3.5),
            (float, 0.5),
            (int, 1),
        ]
        for name in (*names, "num_inference_steps", "num_images_per_prompt", "width"):
            assert type(arguments.keywords[name]) in (int, float)

    def test_a_numpy_number_runs(self, governed, line):
        assert governed("a", num_inference_steps=np.int64(1), guidance_scale=np.float64(3.5)).items
        assert call_of(line, last(line, EntryKind.INTENT))["floats"]["guidance_scale"] == "3.5"

    def test_texts_that_could_change_become_plain_texts(self, pipe):
        arguments = bound(pipe, [Moody("a"), "b"], negative_prompt=Moody("c"), output_type=Moody("np"))
        assert [p.text for p in arguments.prompts] == ["a", "b", "c"]
        assert {type(p.text) for p in arguments.prompts} == {str}
        assert [type(text) for text in arguments.keywords["prompt"]] == [str, str]
        assert type(arguments.keywords["negative_prompt"]) is str

    def test_a_default_that_is_a_list_is_passed_on_as_a_copy_of_the_default(self, pipe):
        given = ["latents"]
        arguments = bound(pipe, "a", callback_on_step_end_tensor_inputs=given)
        passed = arguments.keywords["callback_on_step_end_tensor_inputs"]
        given.append("prompt_embeds")
        assert passed == ["latents"]
        with pytest.raises(UnsupportedArgumentError):
            bound(pipe, "a", callback_on_step_end_tensor_inputs=[Agreeable()])

    def test_a_second_text_encoders_prompt_is_seen(self, tmp_path):
        arguments = bound(stable_diffusion_xl(tmp_path), "a", prompt_2="b", negative_prompt_2="c")
        assert {(p.text, p.parameter) for p in arguments.prompts} == {
            ("a", "prompt"),
            ("b", "prompt_2"),
            ("c", "negative_prompt_2"),
        }

    def test_lists_are_copied_so_that_they_cannot_change_between_check_and_call(self, pipe):
        prompts = ["a", "b"]
        arguments = bound(pipe, prompts)
        prompts[0] = "changed"
        assert arguments.keywords["prompt"] == ["a", "b"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("cross_attention_kwargs", {"two words": 0.5}),
            ("cross_attention_kwargs", {"a" * 65: 0.5}),
            ("cross_attention_kwargs", {("a", "b"): 0.5}),
            ("cross_attention_kwargs", type("Mapped", (dict,), {})(scale=0.5)),
            ("timesteps", {10, 5}),
            ("timesteps", iter([10, 5])),
            ("timesteps", [[[[[[[[[10]]]]]]]]]),
            ("output_type", "latent"),
            ("negative_prompt", type("Listing", (list,), {})(["a"])),
            ("negative_prompt", [["a", b"b"]]),
            ("guidance_scale", "much"),
            ("guidance_scale", np.array([object()])),
            ("guidance_scale", lambda *_: 7.5),
            ("ip_adapter_image", "photo.png"),
        ],
    )
    def test_what_policy_cannot_see_is_refused_and_recorded(self, governed, line, name, value):
        with pytest.raises(UnsupportedArgumentError) as caught:
            governed("a", **{name: value})
        assert caught.value.remedy
        assert last(line, EntryKind.FAILED).body["error"] == "UnsupportedArgumentError"

    def test_numbers_in_lists_and_mappings_are_facts(self, pipe):
        arguments = bound(
            pipe,
            "a",
            timesteps=[10, 5],
            sigmas=[1.0, 0.5],
            cross_attention_kwargs={"scale": 0.5, "deep": [{"x": [1, 2]}]},
        )
        assert arguments.parameters["timesteps"] == (10, 5)
        assert arguments.parameters["cross_attention_kwargs.scale"] == 0.5
        assert arguments.parameters["cross_attention_kwargs.deep.x"] == (1, 2)
        assert arguments.keywords["cross_attention_kwargs"] == {"scale": 0.5, "deep": [{"x": [1, 2]}]}
        facts = request_facts(arguments.request("r", PRINCIPAL, "marketing", "m"), EXAMPLE_MODEL, ())["parameters"]
        assert facts["sigmas_thousandths"] == [1000, 500]
        assert facts["cross_attention_kwargs.scale_thousandths"] == 500

    def test_texts_in_lists_and_mappings_are_prompts(self, pipe):
        arguments = bound(pipe, "a", cross_attention_kwargs={"words": ["b", {"more": "c"}], "scale": 1})
        assert arguments.prompts[1:] == (
            Prompt("b", parameter="cross_attention_kwargs.words"),
            Prompt("c", parameter="cross_attention_kwargs.words.more"),
        )
        assert arguments.arguments["cross_attention_kwargs"] == {
            "mapping": {
                "words": [{"prompt": 1}, {"mapping": {"more": {"prompt": 2}}}],
                "scale": 1,
            }
        }

    def test_what_was_recorded_of_a_call_makes_the_same_call_again(self, pipe):
        picture = Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
        call = StableDiffusionImg2ImgPipeline.__call__
        given = {
            "image": [picture, picture.convert("L"), np.asarray(picture) / 255],
            "ip_adapter_image": [[picture], (picture,)],
            "negative_prompt": ["", "x", "y"],
            "timesteps": [10, 5],
            "sigmas": (1.0, 0.1),
            "cross_attention_kwargs": {"scale": 0.1, "words": ["z", ""], 3: None},
            "num_images_per_prompt": 2,
            "guidance_scale": None,
            "size": (64, 64),
        }
        first = bind(pipe, call, (["a", "b", "c"],), given)
        written = json.loads(canonical_bytes(first.arguments))
        texts, pixels = [prompt.text for prompt in first.prompts], [image.pixels for image in first.inputs]
        second = bind(pipe, call, (), restored(written, texts, pixels))
        for name in (
            "prompts",
            "parameters",
            "steps",
            "width",
            "height",
            "images",
            "opaque",
            "media",
            "frames",
            "arguments",
        ):
            assert getattr(first, name) == getattr(second, name), name
        assert [pixels_digest(image) for image in first.inputs] == [pixels_digest(image) for image in second.inputs]
        assert (first.keywords["image"][2] == second.keywords["image"][2]).all()

    def test_a_condition_of_diffusers_own_is_taken_apart_and_made_anew(self, pipe):
        picture = Image.new("RGB", (8, 8))
        condition = LTXVideoCondition(image=picture, frame_index=3, strength=0.5)
        arguments = bind(pipe, LTXConditionPipeline.__call__, ([condition],), {"prompt": "a", "num_frames": 9})
        (passed,) = arguments.keywords["conditions"]
        condition.strength = 1.0
        assert (type(passed), passed.frame_index, passed.strength) == (LTXVideoCondition, 3, 0.5)
        assert passed.image is not picture
        assert [image.parameter for image in arguments.inputs] == ["conditions.image"]
        assert arguments.parameters["conditions.strength"] == (0.5,)
        (again,) = restored(arguments.arguments, ["a"], [arguments.inputs[0].pixels])["conditions"]
        assert (type(again), again.frame_index, again.strength) == (LTXVideoCondition, 3, 0.5)

    def test_what_only_says_that_it_is_diffusers_own_is_refused(self, pipe):
        @dataclass
        class Posing:
            words: str

        Posing.__module__, Posing.__qualname__ = LTXVideoCondition.__module__, LTXVideoCondition.__qualname__
        with pytest.raises(UnsupportedArgumentError):
            bound(pipe, "a", cross_attention_kwargs={"words": Posing("a")})

    def test_a_switch_that_is_on_and_is_taken_away_is_a_fact(self, pipe):
        assert "guidance_scale" in bound(pipe, "a", guidance_scale=None).parameters
        assert bound(pipe, "a", guidance_scale=None).parameters["guidance_scale"] is None
        assert "negative_prompt" not in bound(pipe, "a", negative_prompt=None).parameters

    def test_more_values_than_anybody_could_read_are_refused(self, pipe):
        with pytest.raises(RequestError, match="more than 10000 values"):
            bound(pipe, "a", sigmas=[0.5] * 10_001)

    def test_mappings_are_copied_so_that_they_cannot_change_between_check_and_call(self, pipe):
        given = {"scale": 0.5, "deep": [[1], np.array([[2.0]])]}
        arguments = bound(pipe, "a", cross_attention_kwargs=given)
        given["deep"][0][0] = 7
        given["deep"][1][...] = 7
        given["scale"] = 7
        passed = arguments.keywords["cross_attention_kwargs"]
        assert (passed["scale"], passed["deep"][0], passed["deep"][1].item()) == (0.5, [1], 2.0)
        assert [(each.parameter, each.kind) for each in arguments.opaque] == [("cross_attention_kwargs.deep", "other")]

    @pytest.mark.parametrize(
        "arguments",
        [
            {"nonsense": 1},
            {"num_inference_steps": -3},
            {"num_inference_steps": 2.5},
            {"num_images_per_prompt": 0},
            {"width": "wide"},
            {"guidance_scale": float("nan")},
            {"generator": 7},
            {"generator": type("Lying", (torch.Generator,), {})()},
            {"generator": [torch.Generator(), torch.Generator()]},
            {"generator": [torch.Generator()] * 2, "num_images_per_prompt": 2},
        ],
        ids=" ".join,
    )
    def test_what_makes_no_sense_is_refused_and_recorded(self, governed, line, arguments):
        with pytest.raises(RequestError):
            governed("a", **arguments)
        assert [entry.kind for _, entry in line.parts.ledger.entries()] == [EntryKind.FAILED]


class TestPrincipal:
    def asked(self, policy):
        return policy.asked[0][1]["principal"]

    @pytest.fixture
    def policy(self):
        return FakePolicyEngine()

    @pytest.fixture
    def line(self, policy):
        return Governor(fake_parts(encoder=ImageEncoder(), policy=policy))

    def test_a_text_is_another_person_without_the_first_ones_roles(self, governed, policy):
        governed("a", num_inference_steps=1, principal="editor@example.org")
        assert (self.asked(policy)["id"], self.asked(policy)["roles"]) == ("editor@example.org", [])
        assert self.asked(policy)["assurance"] == "asserted"

    @pytest.mark.parametrize("roles", [("editor", "lead"), ["editor", "lead"]])
    def test_a_text_comes_with_roles_of_its_own(self, governed, policy, roles):
        governed("a", num_inference_steps=1, principal="editor@example.org", roles=roles)
        assert self.asked(policy)["roles"] == ["editor", "lead"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"principal": "editor@example.org", "roles": "editor"}, "no list of texts"),
            ({"principal": "editor@example.org", "roles": [1]}, "no list of texts"),
            ({"principal": Principal("editor@example.org"), "roles": ["editor"]}, "goes with a principal"),
            ({"roles": ["editor"]}, "goes with a principal"),
            ({"principal": 7}, "not a int"),
            ({"principal": None}, "not a NoneType"),
        ],
    )
    def test_what_names_nobody_is_refused_and_recorded(self, governed, policy, line, arguments, message):
        with pytest.raises(ConfigurationError, match=message):
            governed("a", num_inference_steps=1, **arguments)
        assert not policy.asked
        assert last(line, EntryKind.FAILED).body["error"] == "ConfigurationError"


class TestRefusedToWrap:
    def test_what_is_no_pipeline(self, line):
        with pytest.raises(ConfigurationError, match="no diffusers pipeline"):
            wrap(object(), line, PRINCIPAL, "marketing")

    def test_what_is_governed_already(self, governed, line):
        with pytest.raises(ConfigurationError, match="already"):
            wrap(governed, line, PRINCIPAL, "marketing")

    def test_what_makes_no_images(self, line):
        from diffusers import DiffusionPipeline

        class Prior(DiffusionPipeline):
            def __call__(self, prompt):
                return prompt

        with pytest.raises(ConfigurationError, match="generator"):
            wrap(Prior(), line, PRINCIPAL, "marketing")
