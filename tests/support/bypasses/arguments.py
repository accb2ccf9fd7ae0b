"""Attempts by what a call is given."""

from diffusers import StableDiffusionImg2ImgPipeline
from PIL import Image

from governance_adapters.pipelines.diffusers import wrap
from support.bypasses.target import EMBEDDED, LATENTS, SIDE
from support.wrapped import PRINCIPAL


class ByArguments:
    """Attempts by what a call is given."""

    def latents_as_output(self, t):
        return t.ask(output_type="latent").images

    def embedded_prompts(self, t):
        return t.ask(prompt=None, prompt_embeds=EMBEDDED, negative_prompt_embeds=EMBEDDED).images[0]

    def latents_of_the_callers(self, t):
        return t.ask(latents=LATENTS).images[0]

    def a_picture_of_the_callers(self, t):
        made = wrap(StableDiffusionImg2ImgPipeline.from_pipe(t.pipe), t.governor, PRINCIPAL, "marketing")
        return t.ask(made, image=Image.new("RGB", (SIDE, SIDE)), num_inference_steps=2).images[0]

    def a_picture_for_an_ip_adapter(self, t):
        return t.ask(ip_adapter_image=Image.new("RGB", (SIDE, SIDE))).images[0]

    def a_callback(self, t):
        got = []
        t.ask(callback_on_step_end=lambda *args: got.append(args) or {})
        return got
