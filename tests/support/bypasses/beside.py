"""Attempts beside a call that runs."""

import asyncio
import contextvars
import copy
import functools
import threading

import torch
from diffusers import EulerDiscreteScheduler

from support.bypasses.target import LATENTS, in_a_call, outcome


class BesideACall:
    """Attempts beside a call that runs."""

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
