"""Attempts to run a module without a call."""

import torch
from diffusers import AutoPipelineForText2Image, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image

from support.bypasses.target import EMBEDDED, LATENTS, SIDE, denoised


class ByModules:
    """Attempts to run a module without a call."""

    def a_new_pipeline_of_its_components(self, t):
        return StableDiffusionPipeline(**t.pipe.components)("a", num_inference_steps=1).images[0]

    def another_class_from_pipe(self, t):
        made = StableDiffusionImg2ImgPipeline.from_pipe(t.pipe)
        return made("a", image=Image.new("RGB", (SIDE, SIDE)), num_inference_steps=1).images[0]

    def an_auto_pipeline_from_pipe(self, t):
        return AutoPipelineForText2Image.from_pipe(t.pipe)("a", num_inference_steps=1).images[0]

    def the_original_classs_call(self, t):
        return type(t.pipe).__mro__[1].__call__(t.pipe, "a", num_inference_steps=1).images[0]

    def its_class_put_back(self, t):
        t.pipe.__class__ = StableDiffusionPipeline
        return t.pipe("a", num_inference_steps=1).images[0]

    def a_heir_of_the_governed_class(self, t):
        class Heir(type(t.pipe)):
            def __call__(self, *args, **keywords):
                return super(type(t.pipe).__mro__[1], self).__call__(*args, **keywords)

        t.pipe.__class__ = type("Heir", (Heir,), {"__call__": StableDiffusionPipeline.__call__})
        return t.pipe("a", num_inference_steps=1).images[0]

    def the_unet_called(self, t):
        return denoised(t.pipe.unet)

    def the_unets_forward(self, t):
        return t.pipe.unet.forward(LATENTS, 1, EMBEDDED).sample

    def the_unets_class_forward(self, t):
        return type(t.pipe.unet).forward(t.pipe.unet, LATENTS, 1, EMBEDDED).sample

    def vae_decode(self, t):
        return t.pipe.vae.decode(LATENTS).sample

    def the_vaes_decoder(self, t):
        return t.pipe.vae.decoder(LATENTS)

    def the_decoders_call_impl(self, t):
        return t.pipe.vae.decoder._call_impl(LATENTS)

    def the_decoders_class_forward(self, t):
        return type(t.pipe.vae.decoder).forward(t.pipe.vae.decoder, LATENTS)

    def the_decoders_forward_kept_from_before(self, t):
        return t.forward_before(LATENTS)

    def a_module_kept_from_before(self, t):
        return denoised(t.unet_before)

    def a_module_by_object_getattribute(self, t):
        return denoised(object.__getattribute__(t.pipe, "unet"))

    def encode_prompt(self, t):
        return t.pipe.encode_prompt("a", "cpu", 1, False)[0]

    def functional_call(self, t):
        return torch.func.functional_call(t.pipe.vae.decoder, dict(t.pipe.vae.decoder.named_parameters()), (LATENTS,))

    def hooks_cleared(self, t):
        for module in t.pipe.vae.modules():
            module._forward_pre_hooks.clear()
            module._forward_hooks.clear()
        return t.pipe.vae.decode(LATENTS).sample
