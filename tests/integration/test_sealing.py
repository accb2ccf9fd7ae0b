"""Seals on real modules: what torch, accelerate, peft, threads, failures and copies do to them."""

import copy
import gc
import inspect
import threading
import weakref

import accelerate
import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image

from governance.entries import EntryKind
from governance.errors import ConfigurationError, GenerationError, ModelError, RequestError, SealedError
from governance.governor import Governor
from governance.testing import fake_parts
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.pipelines.diffusers import wrap
from governance_adapters.pipelines.sealing.running import is_running
from governance_adapters.pipelines.sealing.seals import SealedForward, modules_of
from support.bypasses import style
from support.tiny import SIDE, stable_diffusion, talkative
from support.wrapped import PRINCIPAL, last, same_picture

LATENTS = torch.ones(1, 4, SIDE // 2, SIDE // 2)


def painted(pipe, seed=3, **keywords):
    return pipe("a", num_inference_steps=2, generator=torch.Generator().manual_seed(seed), **keywords).images[0]


def depth(forward):
    """How many seals lie around one another."""
    layers = 0
    while forward is not None:
        layers += isinstance(forward, SealedForward)
        inner = forward.args[2] if isinstance(forward, SealedForward) else getattr(forward, "__wrapped__", None)
        forward = inner
    return layers


def raising(pipe, error):
    """Let the second scheduler step of the pipeline raise, once."""
    step, calls = pipe.scheduler.step, []

    def stumble(*args, **keywords):
        calls.append(args)
        if len(calls) == 2:
            raise error
        return step(*args, **keywords)

    pipe.scheduler.step = stumble


class TestModules:
    def test_every_module_is_sealed_and_says_what_it_takes(self, governed):
        forwards = [m.forward for m, _ in modules_of(governed) if type(m).forward is not torch.nn.Module.forward]
        assert len(forwards) > 100
        assert all(isinstance(forward, SealedForward) for forward in forwards)
        assert "encoder_hidden_states" in inspect.signature(governed.unet.forward).parameters

    @pytest.mark.parametrize("before", [True, False])
    def test_offloading_goes_around_the_seal_however_often(self, pipe, line, before):
        whole = painted(stable_diffusion_like(pipe))
        if before:
            accelerate.cpu_offload_with_hook(pipe.unet, "cpu")
        wrap(pipe, line, PRINCIPAL, "marketing")
        for _ in range(3):
            pipe.remove_all_hooks()
            accelerate.cpu_offload_with_hook(pipe.unet, "cpu")
            assert same_picture(painted(pipe), whole)
            assert depth(pipe.unet.forward) <= 2
            with pytest.raises(SealedError):
                pipe.unet(LATENTS, 1, torch.ones(1, 77, 32))

    @pytest.mark.parametrize("in_place", [True, False])
    def test_a_compiled_part_runs_whole_in_a_call_and_not_outside(self, pipe, line, in_place):
        torch._dynamo.reset()
        whole = painted(pipe)
        wrap(pipe, line, PRINCIPAL, "marketing")
        if in_place:
            pipe.unet.compile(backend="eager", fullgraph=True)
        else:
            pipe.unet = torch.compile(pipe.unet, backend="eager", fullgraph=True)
        assert same_picture(painted(pipe), whole)
        parts = [pipe.unet, *([] if in_place else [pipe.unet._orig_mod])]
        for part in parts:
            with pytest.raises(SealedError):
                part(LATENTS, 1, torch.ones(1, 77, 32))
        assert same_picture(painted(pipe), whole)

    def test_a_deep_copy_is_bound_to_the_copy(self, governed):
        copied = copy.deepcopy(governed.unet)
        for module in copied.modules():
            if "forward" in module.__dict__:
                assert module.forward.args[0] is module

    def test_lora_layers_are_sealed_when_they_are_loaded(self, pipe, line):
        style(pipe)
        weights = {f"unet.{key}": value for key, value in lora_of(pipe.unet).items()}
        pipe.unet.delete_adapters(["style"])
        wrap(pipe, line, PRINCIPAL, "marketing")
        pipe.load_lora_weights(weights, adapter_name="style")
        layers = [m for name, m in pipe.unet.named_modules() if "lora_" in name and isinstance(m, torch.nn.Linear)]
        assert layers
        for layer in layers:
            with pytest.raises(SealedError):
                layer(torch.ones(1, layer.in_features))

    def test_hooks_of_the_libraries_are_no_taps(self, pipe, line):
        torch.nn.utils.spectral_norm(pipe.vae.eval().decoder.conv_out)
        wrap(pipe, line, PRINCIPAL, "marketing")
        assert painted(pipe)

    def test_a_governor_whose_ledger_fails_refuses_all_the_same(self, governed, line):
        line.parts.ledger.append = None
        with pytest.raises(SealedError):
            governed.vae.decode(LATENTS)


def lora_of(unet):
    from peft import get_peft_model_state_dict

    return get_peft_model_state_dict(unet, adapter_name="style")


def stable_diffusion_like(pipe):
    """A bare pipeline of deep copies of the parts of `pipe`."""
    made = type(pipe)(**copy.deepcopy(pipe.components), requires_safety_checker=False)
    made.set_progress_bar_config(disable=True)
    return made


class TestTurns:
    def test_pipelines_that_share_parts_take_turns(self, pipe, line, tmp_path):
        bare = stable_diffusion(tmp_path)
        expected = [painted(bare, seed) for seed in range(4)]
        one = wrap(pipe, line, PRINCIPAL, "marketing")
        two = wrap(StableDiffusionPipeline(**pipe.components), line, PRINCIPAL, "marketing")
        two.set_progress_bar_config(disable=True)
        got = {}

        def work(seed):
            got[seed] = painted((one, two)[seed % 2], seed)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(same_picture(got[seed], expected[seed]) for seed in range(4))

    def test_one_cannot_be_called_from_within_the_other(self, pipe, line):
        other = wrap(StableDiffusionPipeline(**pipe.components), line, PRINCIPAL, "marketing")
        wrap(pipe, line, PRINCIPAL, "marketing")
        caught = []

        def callback(*_):
            with pytest.raises(RequestError, match="within") as error:
                other("a")
            caught.append(error)
            return {}

        painted(pipe, callback_on_step_end=callback)
        assert len(caught) == 2

    def test_two_edits_at_once_are_one_too_many(self, governed):
        caught = []

        class Slow(torch.nn.Module):
            def to(self, *_args, **_keywords):
                def swap():
                    try:
                        governed.scheduler = EulerDiscreteScheduler()
                    except SealedError as error:
                        caught.append(error)

                thread = threading.Thread(target=swap)
                thread.start()
                thread.join()
                return self

        governed.vae.to = Slow().to
        governed.to(torch.float32)
        assert len(caught) == 1

    def test_what_a_call_notes_about_itself_is_no_edit(self, governed):
        governed.note = 7
        del governed.note
        assert not hasattr(governed, "note")


class TestFailures:
    def test_ctrl_c_in_the_middle_of_a_batch_is_recorded_and_closes_the_modules(self, governed, line):
        raising(governed, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            governed(["a", "b"], num_inference_steps=3)
        assert last(line, EntryKind.FAILED).body["error"] == "KeyboardInterrupt"
        assert not is_running()
        with pytest.raises(SealedError):
            governed.vae.decode(LATENTS)
        assert len(governed(["a", "b"], num_inference_steps=1).images) == 2

    @pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
    def test_out_of_memory_gives_the_memory_back_and_the_line_goes_on(self, governed, line, error):
        kept = []
        step = governed.scheduler.step

        def stumble(output, *_args, **_keywords):
            kept.append(weakref.ref(output))
            raise error("tried to allocate 20.00 GiB")

        governed.scheduler.step = stumble
        with pytest.raises(GenerationError, match="ran out of memory: tried to allocate") as caught:
            painted(governed)
        gc.collect()
        assert kept[0]() is None
        assert "smaller" in caught.value.remedy
        assert last(line, EntryKind.FAILED).body["error"] == "GenerationError"
        governed.scheduler.step = step
        assert painted(governed)

    def test_a_subclass_that_overrides_the_call_is_the_one_that_runs(self, tmp_path, line):
        pipe = wrap(talkative(tmp_path), line, PRINCIPAL, "marketing")
        assert pipe("a").images[0].size == (SIDE, SIDE)

    def test_a_heir_of_a_governed_class_is_governed_already(self, governed, line):
        heir = type("Heir", (type(governed),), {})
        governed.__class__ = heir
        with pytest.raises(ConfigurationError, match="already"):
            wrap(governed, line, PRINCIPAL, "marketing")


class TestCopies:
    def test_a_deep_copy_has_a_line_of_its_own(self, governed):
        copied = copy.deepcopy(governed)
        results, step = [], governed.scheduler.step

        def meanwhile(*args, **keywords):
            if not results:
                thread = threading.Thread(target=lambda: results.append(painted(copied)))
                thread.start()
                thread.join()  # it would wait for ever if the two took turns
            return step(*args, **keywords)

        governed.scheduler.step = meanwhile
        assert painted(governed)
        assert len(results) == 1

    def test_an_inheriting_pipeline_refuses_until_it_is_governed(self, governed, line):
        made = StableDiffusionImg2ImgPipeline.from_pipe(governed)
        picture = Image.new("RGB", (SIDE, SIDE))
        with pytest.raises(SealedError):
            made("a", image=picture, num_inference_steps=2)
        out = wrap(made, line, PRINCIPAL, "marketing")("a", image=picture, num_inference_steps=2)
        assert out.items[0].asset

    def test_what_it_saves_loads_as_ever(self, governed, tmp_path):
        governed.save_pretrained(tmp_path / "saved")
        assert StableDiffusionPipeline.from_pretrained(tmp_path / "saved")("a", num_inference_steps=1).images

    def test_code_that_came_with_a_model_is_not_governed(self, pipe, line):
        pipe.__class__ = type("Custom", (type(pipe),), {"__module__": "diffusers_modules.local.pipeline"})
        with pytest.raises(ModelError, match="came with a model"):
            wrap(pipe, line, PRINCIPAL, "marketing")

    def test_nothing_is_left_of_a_pipeline_that_is_thrown_away(self, tmp_path):
        pipe = wrap(stable_diffusion(tmp_path), Governor(fake_parts(encoder=ImageEncoder())), PRINCIPAL, "marketing")
        painted(pipe)
        gone = weakref.ref(pipe), weakref.ref(pipe.unet)
        del pipe
        gc.collect()
        assert [reference() for reference in gone] == [None, None]
