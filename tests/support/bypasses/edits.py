"""Attempts by another model."""

import torch

from support.bypasses.target import FACTOR, style
from support.tiny import vae


class ByEdits:
    """Attempts by another model."""

    def a_lora(self, t):
        style(t.pipe)
        return t.ask().images[0]

    def a_lora_fused_and_unloaded(self, t):
        style(t.pipe)
        t.pipe.unet.fuse_lora()
        t.pipe.unet.unload_lora()
        return t.ask().images[0]

    def a_textual_inversion(self, t):
        t.pipe.load_textual_inversion({"<a>": torch.ones(32)}, token="<a>")
        return t.ask(prompt="<a>").images[0]

    def another_component(self, t):
        t.pipe.vae = vae(seed=1, factor=FACTOR)
        return t.ask().images[0]

    def a_component_that_keeps_what_it_makes(self, t):
        class Keeping(type(t.pipe.vae)):
            def decode(self, *args, **keywords):
                self.kept = super().decode(*args, **keywords)
                return self.kept

        t.pipe.vae.__class__ = Keeping
        return t.ask().images[0]
