"""What a call leaves in its pipeline: nothing of the picture, whether it was released, denied or failed."""

import numpy as np
import pytest
import torch
from diffusers import DDPMPipeline, DPMSolverMultistepScheduler, PNDMScheduler, UNet2DModel

from governance.errors import DeniedError, GenerationError
from governance.governor import Governor
from governance.testing import FakePolicyEngine, fake_parts
from governance.types import Outcome, Stage
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.pipelines.diffusers import wrap
from governance_adapters.pipelines.sealing.leftovers import left_as_found
from support.wrapped import PRINCIPAL, same_picture


def denying():
    engine = FakePolicyEngine()
    policy = FakePolicyEngine({Stage.RELEASE: lambda stage, _facts: engine.answer(stage, Outcome.DENY)})
    return Governor(fake_parts(encoder=ImageEncoder(), policy=policy))


def in_pixels():
    """A pipeline whose scheduler works on the picture itself."""
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=64,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )
    pipe = DDPMPipeline(unet, DPMSolverMultistepScheduler())
    pipe.set_progress_bar_config(disable=True)
    return pipe


def painted(pipe, seed=3):
    made = pipe("a", num_inference_steps=3, generator=torch.Generator().manual_seed(seed))
    return made.images[0]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_scheduler_does_not_keep_what_was_denied():
    pipe = in_pixels()
    before = {name: list(value) if isinstance(value, list) else value for name, value in vars(pipe.scheduler).items()}
    wrap(pipe, denying(), PRINCIPAL, "marketing")
    with pytest.raises(DeniedError):
        pipe(num_inference_steps=3)
    after = vars(pipe.scheduler)
    assert after["model_outputs"] == [None, None]
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] or after[name] == before[name] for name in before)


def test_nor_what_failed(governed):
    step, calls = governed.scheduler.step, []

    def stumble(*args, **keywords):
        governed.scheduler.last = step(*args, **keywords)
        calls.append(args)
        raise RuntimeError("no")

    governed.scheduler.step = stumble
    with pytest.raises(GenerationError):
        painted(governed)
    assert calls
    assert not hasattr(governed.scheduler, "last")


def test_calls_one_after_another_make_what_they_made(governed):
    governed.scheduler = PNDMScheduler(skip_prk_steps=True)  # which counts its steps, and keeps what it worked on
    first = painted(governed)
    assert not governed.scheduler.ets
    assert same_picture(painted(governed), first)
    assert not same_picture(painted(governed, seed=4), first)


class Holding:
    """An object that holds a picture."""

    def __init__(self):
        self.maps = {"attention": [np.ones((4, 4))]}


@pytest.mark.parametrize(
    "noted", [lambda: torch.ones(2), lambda: {"a": [torch.ones(2)]}, Holding], ids=["tensor", "inside", "object"]
)
def test_tensors_that_a_call_notes_on_its_pipeline_go(pipe, noted):
    held = pipe._mine = torch.zeros(2)
    listed = pipe._listed = [1]
    with left_as_found(pipe):
        pipe._new, pipe._mine = noted(), noted()
        pipe._listed.append(noted())
        pipe._guidance_scale, pipe._note = 3.0, {"a": "b"}
    assert not hasattr(pipe, "_new")
    assert pipe._mine is held
    assert pipe._listed is listed
    assert listed == [1]
    assert (pipe._guidance_scale, pipe._note) == (3.0, {"a": "b"})


def test_parts_stay_as_the_call_left_them(pipe):
    with left_as_found(pipe):
        pipe.scheduler = scheduler = PNDMScheduler()
    assert pipe.scheduler is scheduler
