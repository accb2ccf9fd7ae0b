"""Attempts by copies, compilation and offloading."""

import copy
import io
import pickle

import accelerate
import torch

from support.bypasses.target import LATENTS, denoised, style


class ByCopies:
    """Attempts by copies, compilation and offloading."""

    def a_deep_copy_of_a_module(self, t):
        return copy.deepcopy(t.pipe.vae).decode(LATENTS).sample

    def a_pickled_module(self, t):
        return pickle.loads(pickle.dumps(t.pipe.vae)).decode(LATENTS).sample

    def a_module_through_torch_save(self, t):
        file = io.BytesIO()
        torch.save(t.pipe.vae, file)
        return torch.load(io.BytesIO(file.getvalue()), weights_only=False).decode(LATENTS).sample

    def a_pickled_pipeline(self, t):
        return pickle.loads(pickle.dumps(t.pipe))

    def another_dtype(self, t):
        t.pipe.to(torch.float64)
        return t.pipe.vae.decode(LATENTS.double()).sample

    def torch_compile(self, t):
        return torch.compile(t.pipe.vae.decoder, backend="eager")(LATENTS)

    def compiled_in_place(self, t):
        t.pipe.vae.decoder.compile(backend="eager")
        return t.pipe.vae.decode(LATENTS).sample

    def torch_export(self, t):
        return torch.export.export(t.pipe.vae.decoder, (LATENTS,)).module()(LATENTS)

    def offloaded_and_back(self, t):
        accelerate.cpu_offload_with_hook(t.pipe.vae.decoder, "cpu")
        accelerate.hooks.remove_hook_from_module(t.pipe.vae.decoder, recurse=True)
        return t.pipe.vae.decode(LATENTS).sample

    def offloaded(self, t):
        accelerate.cpu_offload_with_hook(t.pipe.vae.decoder, "cpu")
        return t.pipe.vae.decode(LATENTS).sample

    def a_lora_and_offloading(self, t):
        accelerate.cpu_offload_with_hook(t.pipe.unet, "cpu")
        style(t.pipe)
        t.pipe.remove_all_hooks()
        return denoised(t.pipe.unet)
