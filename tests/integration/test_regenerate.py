"""Recorded calls of real, tiny pipelines made again: the same drafts to the last bit, or a reason why not."""

from dataclasses import replace

import diffusers
import numpy as np
import pytest
import torch
from diffusers import AutoPipelineForImage2Image
from peft import LoraConfig, get_peft_model_state_dict
from PIL import Image

from governance.errors import ConfigurationError, ModelError, ReplayError
from governance.media import media_digest
from governance.model_differences import model_differences
from governance.recorded_calls import Obstacle
from governance_adapters.pipelines.arguments.binding import bind
from governance_adapters.pipelines.description.components import config_of
from governance_adapters.pipelines.replay.devices import move
from governance_adapters.pipelines.replay.given_adapters import GivenAdapter
from governance_adapters.pipelines.replay.regenerate import DiffusersRegenerator
from governance_adapters.pipelines.replay.schedulers import rebuilt_scheduler
from support import tiny
from support.recalled import before_arguments, made
from support.tiny_pipelines import TINY

QUICK = {"num_inference_steps": 2}
PROMPT = "a red seven"


def seeded(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def used(seed):
    """A generator that something was drawn from already: its seed alone does not say where it is."""
    generator = torch.Generator().manual_seed(seed)
    torch.randn(7, generator=generator)
    return generator


@pytest.fixture
def pipe(tmp_path):
    return tiny.stable_diffusion(tmp_path)


@pytest.fixture
def fresh(tmp_path):
    """The same pipeline, made anew, as another process would load it."""
    return lambda dtype: tiny.stable_diffusion(tmp_path / "again").to(getattr(torch, dtype))


@pytest.fixture(autouse=True)
def folders(tmp_path):
    (tmp_path / "again").mkdir()


def same(drafts, regenerated):
    return [media_digest(each.media) for each in drafts] == [media_digest(each.media) for each in regenerated.drafts]


class TestExact:
    @pytest.mark.parametrize(
        "arguments",
        [
            {"prompt": PROMPT},
            {"prompt": [PROMPT, "a blue two", "another"], "negative_prompt": ["", "blurry", ""]},
            {"prompt": PROMPT, "num_images_per_prompt": 3, "guidance_scale": 3.3, "eta": 0.7},
            {"prompt": PROMPT, "negative_prompt": "blurry", "width": 64, "height": 96},
            {"prompt": PROMPT, "cross_attention_kwargs": {"scale": 0.5}, "guidance_rescale": 0.3},
        ],
        ids=["plain", "prompts", "images", "size", "mapping"],
    )
    def test_with_seeds_that_the_line_drew(self, pipe, fresh, arguments):
        call, drafts = made(pipe, **QUICK, **arguments)
        again = DiffusersRegenerator(fresh).regenerate(call, ())
        assert same(drafts, again)
        assert again.differences == ()
        assert model_differences(call.model, again.model) == ()

    @pytest.mark.parametrize("alone", [True, False], ids=["one for all", "one an image"])
    def test_with_the_states_of_the_callers_generators(self, pipe, fresh, alone):
        generator = used(5) if alone else [used(5), used(6)]
        call, drafts = made(pipe, prompt=PROMPT, num_images_per_prompt=2, generator=generator, **QUICK)
        assert same(drafts, DiffusersRegenerator(fresh).regenerate(call, ()))

    def test_with_the_pictures_that_were_given(self, pipe, fresh):
        pictured = AutoPipelineForImage2Image.from_pipe(pipe)
        pictured.set_progress_bar_config(disable=True)
        given = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
        call, drafts = made(pictured, prompt=PROMPT, image=Image.fromarray(given), strength=0.9, num_inference_steps=3)
        again = DiffusersRegenerator(fresh).regenerate(call, (given,))
        assert again.model.pipeline == "StableDiffusionImg2ImgPipeline"
        assert same(drafts, again)

    def test_in_the_dtype_of_the_record(self, tmp_path, fresh):
        call, drafts = made(fresh("bfloat16"), prompt=PROMPT, **QUICK)
        again = DiffusersRegenerator(fresh).regenerate(call, ())
        assert again.model.dtype == "bfloat16"
        assert same(drafts, again)

    def test_the_same_model_is_loaded_once(self, pipe, fresh):
        loads = []
        call, _ = made(pipe, prompt=PROMPT, **QUICK)
        again = DiffusersRegenerator(lambda dtype: loads.append(dtype) or fresh(dtype))
        for _ in range(3):
            again.regenerate(call, ())
        assert loads == ["float32"]

    @pytest.mark.parametrize(
        "name",
        [
            "ConsistencyModelPipeline",
            "DDPMPipeline",
            "FluxPipeline",
            "LatentConsistencyModelPipeline",
            "StableDiffusion3Pipeline",
            "StableDiffusionXLPipeline",
        ],
    )
    def test_of_pipelines_of_other_kinds(self, tmp_path, name):
        instance = TINY[name]
        pipe = instance.quiet(tmp_path / "tiny")
        call, drafts = made(pipe, **instance.call, **instance.said)
        again = DiffusersRegenerator(lambda _: pipe).regenerate(call, ())
        assert same(drafts, again)
        assert again.differences == ()


class TestWhatDiffers:
    def difference(self, call, again):
        return [each.part.value for each in model_differences(call.model, again.model)]

    def test_another_scheduler_is_seen_and_makes_something_else(self, pipe, fresh):
        pipe.scheduler = diffusers.LCMScheduler.from_config(pipe.scheduler.config)
        call, drafts = made(pipe, prompt=PROMPT, **QUICK)
        again = DiffusersRegenerator(fresh).regenerate(call, ())
        assert not same(drafts, again)
        assert self.difference(call, again) == ["scheduler"]

    def test_the_recorded_scheduler_runs_where_it_is_asked_for_and_only_then(self, pipe, fresh):
        own, own_drafts = made(pipe, prompt=PROMPT, **QUICK)
        pipe.scheduler = diffusers.LCMScheduler.from_config(pipe.scheduler.config)
        call, drafts = made(pipe, prompt=PROMPT, **QUICK)
        loaded = fresh("float32")
        again = DiffusersRegenerator(lambda _: loaded, recorded_scheduler=True).regenerate(call, ())
        assert same(drafts, again)
        assert self.difference(call, again) == []
        assert same(own_drafts, DiffusersRegenerator(lambda _: loaded).regenerate(own, ()))

    def test_other_threads_are_seen_or_set(self, pipe, fresh):
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            call, drafts = made(pipe, prompt=PROMPT, **QUICK)
            torch.set_num_threads(1)
            seen = DiffusersRegenerator(fresh).regenerate(call, ())
            again = DiffusersRegenerator(fresh, recorded_threads=True).regenerate(call, ())
            assert torch.get_num_threads() == 1
        finally:
            torch.set_num_threads(threads)
        (difference,) = model_differences(call.model, seen.model)
        assert difference.text == "threads.intra: 2 recorded, 1 here"
        assert same(drafts, again)
        assert self.difference(call, again) == []

    def test_other_weights_are_seen(self, pipe, fresh):
        call, drafts = made(pipe, prompt=PROMPT, **QUICK)
        other = fresh("float32")
        with torch.no_grad():
            next(other.unet.parameters()).add_(0.01)
        again = DiffusersRegenerator(lambda _: other).regenerate(call, ())
        assert self.difference(call, again) == ["components"]
        assert not same(drafts, again)

    def test_noise_that_the_pipeline_draws_elsewhere_is_said(self, pipe, fresh):
        def restless(own):
            return lambda *args, **keywords: own(*args, **keywords) + torch.randn(1) * 0

        loaded = fresh("float32")
        loaded.scheduler.scale_model_input = restless(loaded.scheduler.scale_model_input)
        call, drafts = made(pipe, prompt=PROMPT, **QUICK)
        again = DiffusersRegenerator(lambda _: loaded).regenerate(call, ())
        assert same(drafts, again)
        (difference,) = again.differences
        assert (difference.part, "own random generator" in difference.text) == ("call", True)

    def test_what_the_call_comes_to_otherwise_is_said(self, pipe, fresh):
        call, _ = made(pipe, prompt=PROMPT, **QUICK)
        changed = {**call.call, "floats": {**call.call["floats"], "guidance_scale": "9.5"}, "steps": 7}
        again = DiffusersRegenerator(fresh).regenerate(type(call)(**{**_fields(call), "call": changed}), ())
        assert [(each.part, each.text) for each in again.differences] == [
            ("call", "floats.guidance_scale: 9.5 recorded, 7.5 here"),
            ("call", "steps: 7 recorded, 2 here"),
        ]

    def test_true_is_not_1_there_and_what_is_long_says_that_it_goes_on(self, pipe, fresh):
        call, _ = made(pipe, prompt=PROMPT, **QUICK)
        changed = {**call.call, "images": True, "parameters": {"note": "x" * 61}}
        again = DiffusersRegenerator(fresh).regenerate(type(call)(**{**_fields(call), "call": changed}), ())
        told = [each.text for each in again.differences]
        assert "images: true recorded, 1 here" in told
        assert f"parameters.note: {'x' * 60}... recorded, nothing here" in told


def _fields(call):
    return {name: getattr(call, name) for name in call.__slots__}


class TestAdapters:
    @pytest.fixture
    def file(self, tmp_path, pipe):
        """A LoRA file, and the pipeline that has it on at 0.6."""
        torch.manual_seed(3)
        pipe.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False), "style")
        layers = get_peft_model_state_dict(pipe.unet, adapter_name="style")
        pipe.unet.delete_adapters("style")
        path = tmp_path / "style.safetensors"
        type(pipe).save_lora_weights(tmp_path, unet_lora_layers=layers, weight_name=path.name)
        pipe.load_lora_weights(str(tmp_path), weight_name=path.name, adapter_name="style")
        pipe.set_adapters("style", 0.6)
        return path

    def test_a_given_file_is_put_on_with_the_recorded_scale(self, pipe, fresh, file):
        call, drafts = made(pipe, prompt=PROMPT, **QUICK)
        again = DiffusersRegenerator(fresh, adapters=[GivenAdapter.parse(str(file))]).regenerate(call, ())
        assert model_differences(call.model, again.model) == ()
        assert same(drafts, again)

    def put_on(self, pipe, folder, scale, **weights):
        """The pipeline with another file on, by its name; rank and alpha stand in the file."""
        torch.manual_seed(3)
        config = LoraConfig(target_modules=["to_q", "to_v"], init_lora_weights=False, **weights)
        pipe.unet.add_adapter(config, "made")
        layers = get_peft_model_state_dict(pipe.unet, adapter_name="made")
        pipe.unet.delete_adapters("made")
        said = {name: list(value) if isinstance(value, set) else value for name, value in config.to_dict().items()}
        type(pipe).save_lora_weights(
            folder,
            unet_lora_layers=layers,
            weight_name="alpha.safetensors",
            unet_lora_adapter_metadata=said,
        )
        pipe.load_lora_weights(str(folder), weight_name="alpha.safetensors", adapter_name="alpha")
        pipe.set_adapters("alpha", scale)
        return GivenAdapter(folder / "alpha.safetensors")

    @pytest.mark.parametrize("version", [1, 2])
    def test_rank_and_alpha_count_once(self, tmp_path, pipe, fresh, version):
        given = self.put_on(pipe, tmp_path, 0.6, r=4, lora_alpha=16)
        call, drafts = made(pipe, prompt=PROMPT, **QUICK)
        assert call.model["adapters"][0]["scale_thousandths"] == 2400
        recorded = call if version == 2 else replace(call, model=_first_version(call.model))
        again = DiffusersRegenerator(fresh, adapters=[given]).regenerate(recorded, ())
        assert same(drafts, again)
        assert version == 1 or model_differences(call.model, again.model) == ()

    def test_the_scale_is_exact_in_each_module(self, pipe, fresh, file):
        pipe.set_adapters("style", {"unet": {"down": 2 / 3, "mid": -0.1234567, "up": 0.9}})
        call, drafts = made(pipe, prompt=PROMPT, **QUICK)
        again = DiffusersRegenerator(fresh, adapters=[GivenAdapter(file)]).regenerate(call, ())
        assert model_differences(call.model, again.model) == ()
        assert same(drafts, again)

    def test_each_record_of_an_audit_has_its_own_scales_and_names_and_files_load_once(self, pipe, fresh, file):
        recorded = []
        for scale in (0.6, 0.9, 0.6):
            pipe.set_adapters("style", scale)
            recorded.append(made(pipe, prompt=PROMPT, **QUICK))
        pipe.unload_lora_weights()
        without = made(pipe, prompt=PROMPT, **QUICK)
        recorded.append(without)
        pipe.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name="renamed")
        recorded.append(made(pipe, prompt=PROMPT, **QUICK))
        loaded, loads = fresh("float32"), []
        own = loaded.load_lora_weights
        loaded.load_lora_weights = lambda *args, **named: loads.append(named["adapter_name"]) or own(*args, **named)
        again = DiffusersRegenerator(lambda _: loaded, adapters=[GivenAdapter(file)])
        for call, drafts in recorded:
            answer = again.regenerate(call, ())
            differences = [each.text for each in model_differences(call.model, answer.model)]
            if call is without[0]:
                assert differences[0] == "adapter unet/style: not in the record, in force here with scale 0"
            else:
                assert differences == []
            assert same(drafts, answer)
        assert loads == ["style", "renamed"]

    def test_another_scale_and_none_at_all_are_seen(self, pipe, fresh, file):
        call, drafts = made(pipe, prompt=PROMPT, **QUICK)
        other = DiffusersRegenerator(fresh, adapters=[GivenAdapter.parse(f"{file}=0.1")]).regenerate(call, ())
        without = DiffusersRegenerator(fresh).regenerate(call, ())
        for again, word in ((other, "scale 0.6 recorded, 0.1 here"), (without, "missing here")):
            difference, *_ = model_differences(call.model, again.model)
            assert difference.part == "adapters"
            assert word in difference.text
            assert not same(drafts, again)

    def test_a_fused_one_is_seen_in_the_weights(self, pipe, fresh, file):
        pipe.fuse_lora()
        pipe.unload_lora_weights()
        call, drafts = made(pipe, prompt=PROMPT, **QUICK)
        again = DiffusersRegenerator(fresh).regenerate(call, ())
        difference, *_ = model_differences(call.model, again.model)
        assert (difference.part, "unet" in difference.text) == ("components", True)
        assert not same(drafts, again)

    @pytest.mark.parametrize("text", ["weights.bin", "missing.safetensors", "there.safetensors=much"])
    def test_a_file_that_is_none_is_refused(self, tmp_path, monkeypatch, text):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "weights.bin").touch()
        (tmp_path / "there.safetensors").touch()
        with pytest.raises(ConfigurationError):
            GivenAdapter.parse(text)

    def test_a_file_that_does_not_fit_is_an_error(self, tmp_path, pipe, fresh):
        (tmp_path / "other.safetensors").write_bytes(b"not safetensors")
        call, _ = made(pipe, prompt=PROMPT, **QUICK)
        given = GivenAdapter.parse(str(tmp_path / "other.safetensors"))
        with pytest.raises(ModelError, match=r"other\.safetensors"):
            DiffusersRegenerator(fresh, adapters=[given]).regenerate(call, ())


def _first_version(model):
    """A model's document as it was before it had the scale of each module."""
    adapters = [{name: value for name, value in each.items() if name != "scales"} for each in model["adapters"]]
    return {**model, "adapters": adapters, "version": 1}


class TestDevice:
    class Placed:
        """Where a pipeline is."""

        device = torch.device("cpu")

        def to(self, device):
            self.device = device

    def test_each_record_of_an_audit_has_its_own(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        pipe, places = self.Placed(), []
        for recorded in ("cuda:1", "cpu", "cuda", "cuda:2", "cuda:0", "nothing:0", "mps"):
            move(pipe, recorded)
            places.append(str(pipe.device))
        assert places == ["cuda:1", "cpu", "cuda:0", "cpu", "cuda:0", "cpu", "cpu"]

    def test_a_pipeline_is_moved_for_its_record(self, pipe, fresh):
        call, _ = made(pipe, prompt=PROMPT, **QUICK)
        loaded = fresh("float32").to("meta")
        with pytest.raises(ModelError, match="moved to cpu"):
            DiffusersRegenerator(lambda _: loaded).regenerate(call, ())

    def test_a_record_of_a_device_that_is_not_here_runs_on_the_processor(self, pipe, fresh):
        call, drafts = made(pipe, prompt=PROMPT, **QUICK)
        other = replace(call, model={**call.model, "device": "cuda:99"})
        again = DiffusersRegenerator(fresh).regenerate(other, ())
        assert same(drafts, again)
        assert [each.text for each in model_differences(other.model, again.model)] == [
            "device: cuda:99 recorded, cpu here"
        ]


class TestOlderRecords:
    @pytest.mark.parametrize(
        "arguments",
        [
            {"prompt": PROMPT, "guidance_scale": 3.25, "num_images_per_prompt": 2},
            {"prompt": [PROMPT, "a blue two"], "negative_prompt": ["", "blurry"]},
        ],
        ids=["images", "prompts"],
    )
    def test_without_arguments_they_are_put_together_and_that_is_said(self, pipe, fresh, arguments):
        call, drafts = made(pipe, generator=used(3), **arguments, **QUICK)
        again = DiffusersRegenerator(fresh).regenerate(before_arguments(call), ())
        assert same(drafts, again)
        (difference,) = again.differences
        assert "put together" in difference.text

    def test_with_pictures_they_cannot_be(self, pipe, fresh):
        pictured = AutoPipelineForImage2Image.from_pipe(pipe)
        given = np.zeros((64, 64, 3), np.uint8)
        call, _ = made(pictured, prompt=PROMPT, image=Image.fromarray(given), num_inference_steps=3)
        self.refused(fresh, before_arguments(call), Obstacle.ARGUMENTS_UNKNOWN, given)

    def test_with_parameters_that_the_pipeline_lacks_they_cannot_be(self, pipe, fresh):
        call, _ = made(pipe, prompt=PROMPT, **QUICK)
        older = before_arguments(call)
        strange = {**older.call, "parameters": {**older.call["parameters"], "unheard_of": 1}}
        self.refused(fresh, type(older)(**{**_fields(older), "call": strange}), Obstacle.ARGUMENTS_UNKNOWN)

    def refused(self, fresh, call, obstacle, *inputs):
        with pytest.raises(ReplayError) as refused:
            DiffusersRegenerator(fresh).regenerate(call, inputs)
        assert refused.value.obstacle == obstacle


class TestRefused:
    def obstacle(self, regenerator, call):
        with pytest.raises(ReplayError) as refused:
            regenerator.regenerate(call, ())
        return refused.value.obstacle

    def test_a_model_that_nobody_named_and_that_is_another(self, pipe, fresh):
        call, drafts = made(pipe, prompt=PROMPT, **QUICK)
        other = fresh("float32")
        assert same(drafts, DiffusersRegenerator(lambda _: other, only_recorded=True).regenerate(call, ()))
        with torch.no_grad():
            next(other.unet.parameters()).add_(0.01)
        assert self.obstacle(DiffusersRegenerator(lambda _: other, only_recorded=True), call) == Obstacle.MODEL_MISSING

    def test_arguments_that_do_not_fit_the_model(self, pipe, fresh):
        call, _ = made(pipe, prompt=PROMPT, **QUICK)
        strange = {**call.call, "arguments": {**call.call["arguments"], "unheard_of": 1}}
        other = type(call)(**{**_fields(call), "call": strange})
        assert self.obstacle(DiffusersRegenerator(fresh), other) == Obstacle.CALL_DIFFERS

    def test_arguments_of_a_form_that_nobody_wrote(self, pipe, fresh):
        call, _ = made(pipe, prompt=PROMPT, **QUICK)
        strange = {**call.call, "arguments": {"prompt": {"prompt": 9}}}
        other = type(call)(**{**_fields(call), "call": strange})
        assert self.obstacle(DiffusersRegenerator(fresh), other) == Obstacle.ARGUMENTS_UNKNOWN

    def test_a_generator_of_another_kind_of_device(self, pipe, fresh):
        call, _ = made(pipe, prompt=PROMPT, generator=used(1), **QUICK)
        other = type(call)(**{**_fields(call), "call": {**call.call, "generators": ["AAAAAAAAAAAAAAAAAAAAAA=="]}})
        assert self.obstacle(DiffusersRegenerator(fresh), other) == Obstacle.CALL_DIFFERS

    def test_a_pipeline_that_cannot_be_made_of_the_components(self, pipe, fresh):
        call, _ = made(pipe, prompt=PROMPT, **QUICK)
        other = type(call)(**{**_fields(call), "model": {**call.model, "pipeline": "FluxPipeline"}})
        assert self.obstacle(DiffusersRegenerator(fresh), other) == Obstacle.MODEL_MISSING


class TestScheduler:
    @pytest.mark.parametrize(
        "name",
        [
            "DDIMScheduler",
            "DPMSolverMultistepScheduler",
            "FlowMatchEulerDiscreteScheduler",
            "DPMSolverSinglestepScheduler",
            "LCMScheduler",
            "PNDMScheduler",
            "UniPCMultistepScheduler",
        ],
    )
    def test_is_the_recorded_one_to_the_last_option(self, name):
        kind = getattr(diffusers, name)
        options = {
            "beta_start": 0.00085,
            "shift": 1.7,
            "lambda_min_clipped": -5.1,
            "sigma_min": 0.03,
            "beta_end": 0.0123,
        }
        taken = {key: value for key, value in options.items() if key in kind().config}
        scheduler = kind(**taken)
        rebuilt = rebuilt_scheduler({"class": name, "config": config_of(scheduler)})
        assert type(rebuilt) is kind
        assert config_of(rebuilt) == config_of(scheduler)
        assert {key: rebuilt.config[key] for key in taken} == taken

    @pytest.mark.parametrize("name", ["NoSuchScheduler", "StableDiffusionPipeline", "os"])
    def test_that_does_not_exist_here_is_refused(self, name):
        with pytest.raises(ReplayError):
            rebuilt_scheduler({"class": name, "config": {}})


def test_its_modules_are_sealed(pipe, fresh):
    """What was loaded to replay with runs in replays only."""
    loaded = fresh("float32")
    call, _ = made(pipe, prompt=PROMPT, **QUICK)
    DiffusersRegenerator(lambda _: loaded).regenerate(call, ())
    with pytest.raises(Exception, match="governed call"):
        loaded.unet(torch.zeros(1, 4, 32, 32), 1, torch.zeros(1, 7, 32))
    assert bind(loaded, type(loaded).__call__, (), {"prompt": PROMPT}).images == 1
