"""How much a call asks for, as policy is told before anything is made: size, pictures, steps, frames."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from PIL import Image

from governance.errors import RequestError
from governance.types import InputImage
from governance_adapters.pipelines.arguments.binding import bind
from governance_adapters.pipelines.arguments.counts import counted_frames, counted_images, counted_steps
from governance_adapters.pipelines.arguments.sizes import generated_size
from support.wrapped import bound

PICTURE = Image.new("RGB", (70, 50))


def model(**config):
    """A pipeline as far as its size and length are read from it: what denoises, and how much its autoencoder compresses."""
    return SimpleNamespace(transformer=SimpleNamespace(config=SimpleNamespace(**config)), vae_scale_factor=8)


def spelt(value):
    """Keywords by their names and, where it is short, what they hold: no address, no numbers of a tensor."""
    if not isinstance(value, dict):
        return str(value)
    plain = {name: text if len(text := repr(each)) < 40 else type(each).__name__ for name, each in value.items()}
    return " ".join(f"{name}={text}" for name, text in plain.items())


def shown(parameter, width=70, height=50, count=1):
    return [InputImage(parameter, np.zeros((height, width, 3), np.uint8))] * count


class TestImages:
    @pytest.mark.parametrize(
        ("keywords", "images"),
        [
            ({"prompt": "a"}, 1),
            ({"prompt": ["a", "b"], "num_images_per_prompt": 3}, 6),
            ({"prompt": ["a", "b"], "num_videos_per_prompt": 2}, 4),
            ({"prompt": "a", "num_waveforms_per_prompt": 5}, 5),
            ({"prompt": "a", "editing_prompt": ["b", "c"]}, 1),
            ({"prompt": "a", "negative_prompt": ["b", "c"], "num_images_per_prompt": None}, 1),
            ({"prompt": None, "prompt_embeds": torch.ones(3, 2, 2)}, 3),
            ({"prompt": None, "prompt_embeds": [torch.ones(2, 2)] * 3}, 3),
            ({"prompt": None, "prompt_segments": [{"prompt": "a"}, {"prompt": "b"}]}, 1),
            ({"batch_size": 4}, 4),
            ({"class_labels": [1, 2, 3]}, 3),
            ({"class_labels": 7}, 1),
            ({"class_labels": torch.tensor([1, 2])}, 2),
            ({"image_embeds": torch.ones(2, 8), "num_images_per_prompt": 2}, 4),
            ({"image": [PICTURE, PICTURE]}, 2),
            ({"image": [PICTURE, PICTURE], "prompt": "a"}, 1),
            ({"image": PICTURE, "batch_size": 4}, 1),
            ({"image": np.zeros((2, 8, 8, 3))}, 2),
            ({"image": np.zeros((8, 8, 3))}, 1),
            ({"image": torch.zeros(3, 8, 8)}, 1),
        ],
        ids=spelt,
    )
    def test_prompts_embeddings_labels_and_pictures_say_how_many(self, keywords, images):
        assert counted_images(keywords) == images

    def test_more_than_anybody_could_be_told_of_are_refused(self):
        with pytest.raises(RequestError, match="1001 images are too many"):
            counted_images({"batch_size": 1001})


class TestSteps:
    @pytest.mark.parametrize(
        ("keywords", "steps"),
        [
            ({"num_inference_steps": 9}, 9),
            ({"num_inference_steps": 9, "timesteps": [3, 2, 1]}, 9),
            ({"num_inference_steps": 2, "timesteps": [3, 2, 1]}, 3),
            ({"num_inference_steps": None, "sigmas": [0.5, 0.2]}, 2),
            ({"num_inference_steps": 2, "timesteps": [torch.ones(3), torch.ones(4)]}, 7),
            ({"num_inference_steps": 10, "prior_num_inference_steps": 20, "prior_timesteps": [1.0] * 30}, 40),
            ({"num_inference_steps": 5, "pyramid_num_inference_steps_list": [10, 10, 10]}, 35),
            ({"num_inference_steps": 5, "jump_n_sample": 10}, 50),
            ({}, 1),
        ],
        ids=str,
    )
    def test_every_stage_counts_and_a_schedule_counts_as_long_as_it_is(self, keywords, steps):
        assert counted_steps(keywords) == steps

    @pytest.mark.parametrize("keywords", [{"num_inference_steps": None}, {"num_inference_steps": 0}], ids=str)
    def test_steps_that_nobody_says_are_refused(self, keywords):
        with pytest.raises(RequestError):
            counted_steps(keywords)


class TestFrames:
    def test_the_call_the_model_or_the_video_says_how_many(self):
        bare = model()
        assert counted_frames(bare, {"num_frames": 9}, []) == 9
        assert counted_frames(bare, {"video_length": 4}, []) == 4
        assert counted_frames(model(num_frames=14), {"num_frames": None}, []) == 14
        assert counted_frames(bare, {}, shown("video", count=5) + shown("image")) == 5
        assert counted_frames(bare, {"num_frames": 9}, [], said=3) == 3

    def test_what_the_autoencoder_makes_of_it_is_at_most_the_count(self):
        pipe = model()
        pipe.vae_scale_factor_temporal = 4
        assert [counted_frames(pipe, {"num_frames": n}, []) for n in (1, 4, 5, 80, 81, 82)] == [1, 5, 5, 81, 81, 82]

    def test_a_length_that_nobody_says_is_refused_and_how_to_say_it(self):
        with pytest.raises(RequestError, match="frame_count="):
            counted_frames(model(), {}, shown("image"))


class TestSize:
    def test_what_is_asked_for_is_told(self):
        assert generated_size(model(sample_size=8), {"width": 32, "height": 16}, shown("image")) == (32, 16)

    def test_where_model_or_picture_may_decide_the_larger_is_told(self):
        nothing = {"width": None, "height": None}
        assert generated_size(model(sample_size=8), nothing, []) == (64, 64)
        assert generated_size(model(sample_size=8), nothing, shown("control_image")) == (70, 64)
        assert generated_size(model(sample_size=8), nothing, shown("ip_adapter_image", 500, 500)) == (64, 64)
        assert generated_size(model(sample_height=6, sample_width=10), nothing, []) == (80, 48)

    def test_a_size_that_nobody_says_is_refused_and_how_to_say_it(self):
        with pytest.raises(RequestError, match="size="):
            generated_size(model(), {"width": None, "height": None}, [])
        assert generated_size(model(), {"width": None, "height": None}, [], (40, 30)) == (40, 30)

    @pytest.mark.parametrize("said", [7, (1, 2, 3), (0, 4), ("1", "2"), [4.0, 4]])
    def test_our_own_size_is_two_positive_integers(self, said):
        with pytest.raises(RequestError, match="size="):
            generated_size(model(), {}, [], said)


class TestOwnArguments:
    def test_they_are_no_arguments_of_the_pipeline_and_stand_in_the_record(self, pipe):
        arguments = bound(pipe, "a", size=(640, 480), frames_per_second=12.5, num_inference_steps=1)
        assert (arguments.width, arguments.height) == (640, 480)
        assert arguments.parameters["frames_per_second"] == 12.5
        assert arguments.keywords.keys().isdisjoint({"size", "frames_per_second"})
        assert arguments.arguments["size"] == {"tuple": [640, 480]}

    def test_a_picture_that_is_edited_says_the_size_unless_the_call_does(self, pipe):
        call = StableDiffusionImg2ImgPipeline.__call__
        assert bind(pipe, call, ("a", PICTURE), {}).width == 70
        assert bind(pipe, call, ("a", PICTURE), {"size": (90, 90)}).width == 90
