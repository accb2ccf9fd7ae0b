"""Attempts under a policy that allows callbacks."""

from diffusers import EulerDiscreteScheduler

from support.bypasses.target import LATENTS


class AttemptsWithCallbacks:
    """Attempts under a policy that allows callbacks, and no tensors."""

    def a_callback_that_decodes(self, t):
        got = []
        t.ask(callback_on_step_end=lambda pipe, *_: got.append(pipe.vae.decode(LATENTS).sample) or {})
        return got[0]

    def a_callback_that_edits(self, t):
        def swap(pipe, *_):
            pipe.scheduler = EulerDiscreteScheduler()
            return {}

        return t.ask(callback_on_step_end=swap).images[0]

    def a_callback_that_asks_for_latents(self, t):
        got = []
        t.ask(
            callback_on_step_end=lambda _pipe, _step, _time, tensors: got.append(tensors) or tensors,
            callback_on_step_end_tensor_inputs=["latents"],
        )
        return got[0]["latents"]
