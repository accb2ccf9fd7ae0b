"""Attempts to get a picture out of a governed pipeline past the line: each takes a `Target` and gives what it got hold of."""

import asyncio
import contextvars
import copy
import functools
import io
import pickle
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import accelerate
import torch
from diffusers import (
    AutoPipelineForText2Image,
    DDPMScheduler,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
)
from peft import LoraConfig
from PIL import Image

from governance.governor import Governor
from governance_adapters.pipelines.diffusers import wrap
from support.tiny import stable_diffusion, vae
from support.wrapped import PRINCIPAL

SIDE, FACTOR = 256, 8
LATENTS = torch.ones(1, 4, SIDE // FACTOR, SIDE // FACTOR)
TOKENS = torch.ones(1, 77, dtype=torch.long)
EMBEDDED = torch.ones(1, 77, 32)


@dataclass
class Target:
    """A governed pipeline, and what was at hand before it was governed."""

    pipe: Any
    governor: Governor
    folder: Path
    unet_before: Any
    forward_before: Any

    def ask(self, pipe=None, **keywords):
        """An ordinary call."""
        return (pipe or self.pipe)(**{"prompt": "a", "num_inference_steps": 1, **keywords})


def target(folder, governor):
    """A fresh governed pipeline, 256 x 256."""
    pipe = stable_diffusion(folder, side=SIDE)
    unet, forward = pipe.unet, pipe.vae.decoder.forward
    return Target(wrap(pipe, governor, PRINCIPAL, "marketing"), governor, folder, unet, forward)


def style(pipe, scale=1.0):
    """Put a LoRA into the UNet."""
    pipe.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False), "style")
    pipe.unet.set_adapters(["style"], [scale])


def denoised(unet):
    return unet(LATENTS, 1, EMBEDDED).sample


def in_a_call(target, taken, **keywords):
    """Do something, in another thread, while a governed call runs; what came of it."""
    got, step = [], target.pipe.scheduler.step

    @functools.wraps(step)
    def meanwhile(*args, **kwargs):
        thread = threading.Thread(target=lambda: got.append(outcome(taken)))
        thread.start()
        thread.join()
        return step(*args, **kwargs)

    target.pipe.scheduler.step = meanwhile
    target.ask(**keywords)
    del target.pipe.scheduler.step
    (result,) = got
    if isinstance(result, Exception):
        raise result
    return result


def outcome(act):
    try:
        return act()
    except Exception as error:
        return error


class Attempts:
    """The attempts that are turned down: by their names, in the order of the table."""

    # A module is run without a call.

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

    # Copies, compilations, offloading.

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

    # Beside a call that runs.

    def another_thread_during_a_call(self, t):
        return in_a_call(t, lambda: t.pipe.vae.decode(LATENTS).sample)

    def a_thread_with_the_calls_context(self, t):
        contexts, step = [], t.pipe.scheduler.step

        @functools.wraps(step)
        def meanwhile(*args, **kwargs):
            contexts.append(contextvars.copy_context())
            thread = threading.Thread(
                target=lambda: contexts.append(
                    outcome(lambda: contexts[0].copy().run(t.pipe.vae.decode, LATENTS).sample)
                )
            )
            thread.start()
            thread.join()
            return step(*args, **kwargs)

        t.pipe.scheduler.step = meanwhile
        t.ask()
        assert isinstance(contexts[1], Exception)
        return contexts[0].run(t.pipe.vae.decode, LATENTS).sample

    def an_asyncio_task_during_a_call(self, t):
        async def both():
            call = asyncio.create_task(asyncio.to_thread(t.ask))
            decode = asyncio.create_task(asyncio.to_thread(t.pipe.vae.decode, LATENTS))
            await call
            return (await decode).sample

        return asyncio.run(both())

    def an_edit_during_a_call(self, t):
        def swap():
            t.pipe.scheduler = EulerDiscreteScheduler()

        return in_a_call(t, swap)

    def a_lora_during_a_call(self, t):
        return in_a_call(t, lambda: t.pipe.load_lora_weights({}))

    def offloading_during_a_call(self, t):
        return in_a_call(t, lambda: t.pipe.enable_model_cpu_offload(device="cpu"))

    def a_deep_copy_during_a_call(self, t):
        return in_a_call(t, lambda: copy.deepcopy(t.pipe))

    def a_forward_hook(self, t):
        got = []
        t.pipe.vae.decoder.register_forward_hook(lambda _module, _args, output: got.append(output))
        t.ask()
        return got[0]

    def a_forward_hook_on_everything(self, t):
        got = []
        with torch.nn.modules.module.register_module_forward_hook(lambda _m, _args, output: got.append(output)):
            t.ask()
        return got[-1]

    # Weights and code.

    def a_pickled_lora(self, t):
        torch.save({}, t.folder / "style.bin")
        return t.pipe.load_lora_weights(str(t.folder), weight_name="style.bin")

    def a_lora_without_safetensors(self, t):
        return t.pipe.load_lora_weights(str(t.folder), use_safetensors=False)

    def a_pickled_textual_inversion(self, t):
        torch.save({"<a>": torch.ones(32)}, t.folder / "learned.pt")
        return t.pipe.load_textual_inversion(t.folder / "learned.pt")

    def a_pickled_ip_adapter(self, t):
        return t.pipe.load_ip_adapter(str(t.folder), subfolder="", weight_name="ip-adapter.bin")

    def a_pickled_pipeline_folder(self, t):
        t.pipe.save_pretrained(t.folder / "saved")
        return type(t.pipe).from_pretrained(t.folder / "saved", use_safetensors=False)

    def remote_code(self, t):
        return type(t.pipe).from_pretrained(t.folder, custom_pipeline=str(t.folder), trust_remote_code=True)

    def a_part_of_remote_code(self, t):
        kind = type("Decoder", (type(t.pipe.vae),), {"__module__": "diffusers_modules.local.decoder"})
        t.pipe.vae.__class__ = kind
        return t.ask().images[0]

    # What a call is given.

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

    # Another model.

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


def attempts(kind):
    """(name, act) of every attempt of one class, in order."""
    return [(name, getattr(kind(), name)) for name in vars(kind) if not name.startswith("_")]
