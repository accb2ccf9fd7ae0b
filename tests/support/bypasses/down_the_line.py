"""What looks like a bypass and is none."""

import copy

import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline

from governance_adapters.pipelines.diffusers import wrap
from support.bypasses.target import LATENTS
from support.wrapped import PRINCIPAL


class Governed:
    """What looks like a bypass and goes down the line: the picture that comes out is recorded."""

    def from_pipe_of_the_governed_class(self, t):
        return t.ask(type(t.pipe).from_pipe(t.pipe))

    def a_deep_copy_of_the_pipeline(self, t):
        return t.ask(copy.deepcopy(t.pipe))

    def a_shallow_copy_of_the_pipeline(self, t):
        return t.ask(copy.copy(t.pipe))

    def loaded_by_the_governed_class(self, t):
        t.pipe.save_pretrained(t.folder / "saved")
        return t.ask(type(t.pipe).from_pretrained(t.folder / "saved"))

    def a_pipeline_of_its_components_governed(self, t):
        return t.ask(wrap(StableDiffusionPipeline(**t.pipe.components), t.governor, PRINCIPAL, "marketing"))

    def another_scheduler(self, t):
        t.pipe.scheduler = DDPMScheduler()
        return t.ask()

    def a_call_that_a_callback_would_change(self, t):
        return t.ask(callback_on_step_end=lambda *_: {"latents": torch.zeros_like(LATENTS)})
