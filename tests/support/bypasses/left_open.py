"""What one process cannot close."""

import functools

from diffusers import DiffusionPipeline

from support.bypasses.target import FACTOR, LATENTS
from support.tiny import vae


class Open:
    """What one process cannot close; docs/sealing.md names each in these words."""

    def the_weights_copied_into_a_fresh_module(self, t):
        fresh = vae(seed=1, factor=FACTOR)
        fresh.load_state_dict(t.pipe.vae.state_dict())
        return fresh.decode(LATENTS).sample

    def the_weights_loaded_again_without_govern(self, t):
        t.pipe.save_pretrained(t.folder / "saved")
        return DiffusionPipeline.from_pretrained(t.folder / "saved")("a", num_inference_steps=1).images[0]

    def the_seals_taken_off(self, t):
        for module in t.pipe.vae.modules():
            module.__dict__.pop("forward", None)
        return t.pipe.vae.decode(LATENTS).sample

    def the_seals_own_variable_set(self, t):
        from governance_adapters.pipelines.sealing.running import running

        with running():
            return t.pipe.vae.decode(LATENTS).sample

    def a_method_of_a_part_replaced(self, t):
        got, decode = [], t.pipe.vae.decode

        @functools.wraps(decode)
        def kept(*args, **keywords):
            got.append(decode(*args, **keywords))
            return got[-1]

        t.pipe.vae.decode = kept
        t.ask()
        return got[0][0]
