"""Real diffusers pipelines, tiny and untrained: what is described, what is refused, what comes out."""

import json
import threading
from base64 import b64decode
from dataclasses import replace
from functools import wraps

import diffusers
import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    KandinskyCombinedPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)
from diffusers.pipelines.stable_diffusion import StableDiffusionPipelineOutput
from diffusers.pipelines.stable_diffusion_xl import StableDiffusionXLPipelineOutput
from PIL import Image
from tokenizers import normalizers
from transformers import CLIPImageProcessor, CLIPProcessor

from governance.errors import (
    ConfigurationError,
    DeniedError,
    GenerationError,
    HeldError,
    ModelError,
    RequestError,
    UnsupportedArgumentError,
)
from governance.governor import Governor
from governance.testing import FakePolicyEngine, PipelineContract, fake_parts
from governance.types import EntryKind, Outcome, Principal, Prompt, PromptKind, Stage, Verdict
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.pipelines.arguments import bind
from governance_adapters.pipelines.describe import describe
from governance_adapters.pipelines.diffusers import BoundPipeline, wrap
from governance_adapters.pipelines.loading import load_pipeline
from governance_adapters.pipelines.modules import describe_module
from governance_adapters.pipelines.output import named_output_class
from support.tiny import (
    SIDE,
    TalkativeOutput,
    TalkativePipeline,
    stable_diffusion,
    stable_diffusion_xl,
    talkative,
    tokenizer,
)

PRINCIPAL = Principal("designer@example.org", ("designer",))


@pytest.fixture
def pipe(tmp_path):
    return stable_diffusion(tmp_path)


@pytest.fixture
def line():
    """A governor of fakes that encodes real PNG."""
    return Governor(fake_parts(encoder=ImageEncoder()))


@pytest.fixture
def governed(pipe, line):
    return wrap(pipe, line, PRINCIPAL, "marketing")


def last(line, kind):
    return [entry for _, entry in line.parts.ledger.entries(kind=kind)][-1]


def denying_the_first(decided=Outcome.DENY):
    """A governor that withholds image 0 and releases the others."""
    engine = FakePolicyEngine()
    outcomes = {0: decided}
    policy = FakePolicyEngine(
        {
            Stage.RELEASE: lambda s, facts: engine.answer(
                s, outcomes.get(facts["draft"]["index"], Outcome.ALLOW), watermark=True
            )
        }
    )
    return Governor(fake_parts(encoder=ImageEncoder(), policy=policy))


def call_of(line, intent):
    return json.loads(line.parts.ledger.document(intent.body["call"]))


def states_in(line, intent):
    return [b64decode(state) for state in call_of(line, intent)["generators"]]


def state_of(generator):
    return generator.get_state().numpy().tobytes()


def fail_once(pipe):
    """Let the pipeline's next scheduler step fail, as one does that runs out of memory."""
    step, calls = pipe.scheduler.step, []

    def stumble(*args, **kwargs):
        calls.append(args)
        if len(calls) == 1:
            raise RuntimeError("out of memory")
        return step(*args, **kwargs)

    pipe.scheduler.step = stumble


def same_picture(one, other):
    """Whether two pictures are the same but for the fake watermark, which lives in the lowest bits."""
    return np.abs(np.asarray(one, int) - np.asarray(other, int)).max() <= 1


def rearranged(weight):
    """Other weights with the same checksum: the same 64-bit words, elsewhere."""
    return weight.detach().flatten().roll(2).reshape(weight.shape)


class Agreeable:
    """Equal to anything."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


class Moody(str):
    """A text that says something else each time it is printed."""

    __slots__ = ()

    def __str__(self):
        return "changed"


def bound(pipe, *args, **kwargs):
    return bind(pipe, type(pipe).__call__, args, kwargs)


class TestBoundPipeline(PipelineContract):
    @pytest.fixture(autouse=True)
    def _pipe(self, pipe):
        self.pipe = pipe

    def arguments(self, images):
        return bound(self.pipe, "a red seven", num_inference_steps=2, num_images_per_prompt=images)

    def pipeline(self, request):
        return BoundPipeline(self.pipe, type(self.pipe).__call__, self.arguments(request.images))

    def request(self, images):
        request = self.arguments(images).request("r", PRINCIPAL, "marketing", "tiny")
        return replace(request, seeds=tuple(range(7, 7 + images)))


class TestDescription:
    def test_a_saved_and_loaded_pipeline_is_the_same_model(self, pipe, tmp_path):
        pipe.save_pretrained(tmp_path / "saved")
        assert describe(load_pipeline(tmp_path / "saved")).digest == describe(pipe).digest

    def test_every_component_is_named(self, pipe):
        facts = describe(pipe)
        assert set(facts.components) == {"vae", "text_encoder", "tokenizer", "unet"}
        assert facts.scheduler == "DDIMScheduler"
        assert (facts.device, facts.dtype) == ("cpu", "float32")
        assert facts.versions["torch"] == torch.__version__

    def change_weight(self, pipe):
        with torch.no_grad():
            pipe.unet.conv_in.weight[0, 0, 0, 0] += 1e-3

    def replace_weight(self, pipe):
        pipe.vae.decoder.conv_out.weight = torch.nn.Parameter(pipe.vae.decoder.conv_out.weight * 2)

    def swap_scheduler(self, pipe):
        pipe.scheduler = EulerDiscreteScheduler()

    def configure_scheduler(self, pipe):
        pipe.scheduler = DDIMScheduler(clip_sample=False, steps_offset=1, beta_end=0.5)

    def configure_vae(self, pipe):
        pipe.vae.register_to_config(scaling_factor=0.5)

    def add_token(self, pipe):
        pipe.tokenizer.add_tokens(["sks"])

    def swap_normaliser(self, pipe):
        pipe.tokenizer.backend_tokenizer.normalizer = normalizers.Replace("a", "b")

    def swap_padding_token(self, pipe):
        pipe.tokenizer.pad_token = "a"

    def change_buffer_that_is_not_saved(self, pipe):
        assert not any("position_ids" in key for key in pipe.text_encoder.state_dict())
        pipe.text_encoder.get_buffer("embeddings.position_ids").add_(1)

    def lift_a_limit(self, pipe):
        pipe.scheduler = DPMSolverMultistepScheduler()

    def write_through_data(self, pipe):
        pipe.unet.conv_in.weight.data += 1

    def fuse_lora(self, pipe):
        from peft import LoraConfig

        pipe.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False), "style")
        pipe.unet.fuse_lora()
        pipe.unet.unload_lora()

    def change_dtype(self, pipe):
        pipe.to(torch.bfloat16)

    @pytest.mark.parametrize(
        "change",
        [
            change_weight,
            replace_weight,
            swap_scheduler,
            configure_scheduler,
            configure_vae,
            add_token,
            swap_normaliser,
            swap_padding_token,
            change_buffer_that_is_not_saved,
            lift_a_limit,
            write_through_data,
            fuse_lora,
            change_dtype,
        ],
    )
    def test_whatever_changes_the_model_changes_the_description(self, pipe, change):
        before = describe(pipe).digest
        change(self, pipe)
        assert describe(pipe).digest != before

    def assign(self, module):
        module.weight = torch.nn.Parameter(rearranged(module.weight))

    def assign_data(self, module):
        module.weight.data = rearranged(module.weight)

    def write_in_place(self, module):
        with torch.no_grad():
            module.weight.copy_(rearranged(module.weight))

    def load(self, module):
        state = {key: rearranged(value) for key, value in module.state_dict().items()}
        module.load_state_dict(state, assign=True)

    @pytest.mark.parametrize("change", [assign, assign_data, write_in_place, load])
    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_weights_that_come_to_lie_where_others_lay_are_still_other_weights(self, pipe, change, times):
        seen = [describe(pipe).components["unet"]]
        for _ in range(8):
            for _ in range(times):
                change(self, pipe.unet.conv_in)
            seen.append(describe(pipe).components["unet"])
        assert len(set(seen)) == len(seen)

    def test_what_did_not_change_is_not_hashed_again(self, pipe):
        assert describe_module("unet", pipe.unet) is describe_module("unet", pipe.unet)

    def test_weights_without_data_are_refused(self, pipe):
        pipe.vae.to("meta")
        with pytest.raises(ModelError, match="no data") as caught:
            describe(pipe)
        assert "enable_model_cpu_offload" in str(caught.value)

    def test_state_that_is_no_tensor_is_refused(self, pipe):
        class Stateful(torch.nn.Linear):
            def get_extra_state(self):
                return {"secret": 1}

            def set_extra_state(self, state):
                pass

        pipe.unet.extra = Stateful(1, 1)
        with pytest.raises(ModelError, match="not a tensor"):
            describe(pipe)

    def test_using_a_tokenizer_does_not_change_it(self, pipe):
        before = describe(pipe).digest
        pipe.tokenizer("abc", padding="max_length", truncation=True, max_length=7)
        assert describe(pipe).digest == before

    @pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # some warn when built
    @pytest.mark.parametrize("name", [name for name in dir(diffusers) if name.endswith("Scheduler")])
    def test_every_scheduler_can_be_described(self, pipe, name):
        try:
            pipe.scheduler = getattr(diffusers, name)()
        except (ImportError, TypeError) as error:  # a library that is not installed; an argument without default
            pytest.skip(str(error).strip().splitlines()[0])
        assert describe(pipe).scheduler == name

    def test_a_limit_that_is_infinite_is_written_as_text(self, pipe):
        pipe.scheduler = DPMSolverMultistepScheduler()
        assert describe(pipe).scheduler_config["lambda_min_clipped"] == "-inf"

    def test_a_processor_is_described_with_the_tokenizer_in_it(self, pipe, tmp_path):
        pipe.register_modules(feature_extractor=CLIPProcessor(CLIPImageProcessor(), tokenizer(tmp_path / "other")))
        before = describe(pipe).components["feature_extractor"]
        pipe.feature_extractor.tokenizer.backend_tokenizer.normalizer = normalizers.Replace("a", "b")
        between = describe(pipe).components["feature_extractor"]
        pipe.feature_extractor.image_processor.do_resize = False
        assert len({before, between, describe(pipe).components["feature_extractor"]}) == 3

    @pytest.mark.parametrize("hidden", [torch.ones(1), [torch.nn.Linear(1, 1)], {"a": np.ones(1)}])
    def test_weights_in_a_processor_are_refused(self, pipe, hidden):
        processor = CLIPImageProcessor()
        pipe.register_modules(feature_extractor=processor)
        describe(pipe)
        processor._hidden = hidden
        with pytest.raises(ModelError, match="cannot be described"):
            describe(pipe)

    def test_a_lora_is_an_adapter_with_a_scale_and_leaves_the_base_as_it_was(self, pipe):
        from peft import LoraConfig

        base = describe(pipe)
        pipe.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False), "style")
        adapted = describe(pipe)
        assert adapted.components == base.components
        ((name, scale),) = [(a.name, a.scale_thousandths) for a in adapted.adapters]
        assert (name, scale) == ("unet/style", adapted.adapters[0].scale_thousandths)
        pipe.unet.set_adapters(["style"], [0.25])
        assert describe(pipe).adapters[0].scale_thousandths == round(scale * 0.25)
        assert describe(pipe).adapters[0].digest == adapted.adapters[0].digest
        pipe.unet.disable_adapters()
        assert describe(pipe).digest != adapted.digest

    def test_a_component_of_an_unknown_kind_is_refused(self, pipe):
        class Oracle:
            pass

        pipe.register_modules(tokenizer=Oracle())
        with pytest.raises(ModelError, match="Oracle"):
            describe(pipe)


class TestLoading:
    def test_pickled_weights_are_refused(self, pipe, tmp_path):
        folder = tmp_path / "saved"
        pipe.save_pretrained(folder)
        torch.save(pipe.unet.state_dict(), folder / "unet" / "diffusion_pytorch_model.bin")
        with pytest.raises(ModelError, match="pickled"):
            load_pipeline(folder)

    def test_a_folder_that_does_not_load_is_refused(self, tmp_path):
        (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
        with pytest.raises(ModelError, match="does not load"):
            load_pipeline(tmp_path)

    @pytest.mark.parametrize(
        ("index", "files"),
        [
            ({"_class_name": ["own", "Own"]}, {}),
            ({"unet": ["own", "OwnUNet"]}, {}),
            ({"unet": ["os", "system"]}, {}),
            ({}, {"unet/own.py": "raise SystemExit"}),
            ({}, {"text_encoder/config.json": '{"auto_map": {"AutoModel": "own.Own"}}'}),
        ],
    )
    def test_code_of_the_folders_own_is_refused_in_our_words(self, pipe, tmp_path, index, files):
        folder = tmp_path / "saved"
        pipe.save_pretrained(folder)
        saved = json.loads((folder / "model_index.json").read_text())
        (folder / "model_index.json").write_text(json.dumps({**saved, **index}))
        for name, content in files.items():
            (folder / name).write_text(content)
        with pytest.raises(ModelError, match="wants to run code") as caught:
            load_pipeline(folder)
        assert "trust_remote_code" not in str(caught.value)

    def test_the_advice_of_another_library_is_not_repeated(self, pipe, tmp_path):
        folder = tmp_path / "saved"
        pipe.save_pretrained(folder)
        config = json.loads((folder / "unet" / "config.json").read_text())
        (folder / "unet" / "config.json").write_text(json.dumps({**config, "cross_attention_dim": 64}))
        with pytest.raises(ModelError, match=r"does not load.*expected shape") as caught:
            load_pipeline(folder)
        assert "low_cpu_mem_usage" in str(caught.value.__cause__)
        assert "low_cpu_mem_usage" not in str(caught.value)

    def test_an_unknown_dtype_is_refused(self, tmp_path):
        with pytest.raises(ModelError, match="float8"):
            load_pipeline(tmp_path, "float8")


class TestArguments:
    def test_texts_numbers_and_sizes_become_facts(self, pipe):
        arguments = bound(
            pipe, ["a", "b"], negative_prompt=["x", ""], num_images_per_prompt=2, guidance_scale=3.5, clip_skip=1
        )
        assert arguments.prompts == (
            Prompt("a"),
            Prompt("b", position=1),
            Prompt("x", PromptKind.NEGATIVE, "negative_prompt"),
        )
        assert arguments.images == 4
        assert arguments.parameters["guidance_scale"] == 3.5
        assert arguments.parameters["clip_skip"] == 1
        assert (arguments.width, arguments.height, arguments.steps) == (SIDE, SIDE, 50)

    def test_prompts_keep_their_place_in_the_batch(self, pipe):
        arguments = bound(pipe, ["a", "b", "c"], negative_prompt=["", "x", ""])
        assert [(p.text, p.position) for p in arguments.prompts] == [("a", 0), ("b", 1), ("c", 2), ("x", 1)]

    def test_numpy_scalars_are_the_numbers_they_stand_for(self, pipe):
        arguments = bound(
            pipe,
            "a",
            guidance_scale=np.float64(3.5),
            eta=np.float32(0.5),
            num_inference_steps=np.int64(3),
            width=np.uint16(SIDE),
            clip_skip=np.int8(1),
            num_images_per_prompt=np.int32(2),
            return_dict=np.False_,
        )
        assert (arguments.steps, arguments.width, arguments.images) == (3, SIDE, 2)
        assert arguments.return_dict is False
        names = ("guidance_scale", "eta", "clip_skip")
        assert [(type(arguments.parameters[n]), arguments.parameters[n]) for n in names] == [
            (float, 3.5),
            (float, 0.5),
            (int, 1),
        ]
        for name in (*names, "num_inference_steps", "num_images_per_prompt", "width"):
            assert type(arguments.keywords[name]) in (int, float)

    def test_a_numpy_number_runs(self, governed, line):
        assert governed("a", num_inference_steps=np.int64(1), guidance_scale=np.float64(3.5)).items
        assert call_of(line, last(line, EntryKind.INTENT))["floats"]["guidance_scale"] == "3.5"

    def test_texts_that_could_change_become_plain_texts(self, pipe):
        arguments = bound(pipe, [Moody("a"), "b"], negative_prompt=Moody("c"), output_type=Moody("np"))
        assert [p.text for p in arguments.prompts] == ["a", "b", "c"]
        assert {type(p.text) for p in arguments.prompts} == {str}
        assert [type(text) for text in arguments.keywords["prompt"]] == [str, str]
        assert type(arguments.keywords["negative_prompt"]) is str

    def test_a_default_that_is_a_list_is_passed_on_as_a_copy_of_the_default(self, pipe):
        given = ["latents"]
        arguments = bound(pipe, "a", callback_on_step_end_tensor_inputs=given)
        passed = arguments.keywords["callback_on_step_end_tensor_inputs"]
        given.append("prompt_embeds")
        assert passed == ["latents"]
        posing = bound(pipe, "a", callback_on_step_end_tensor_inputs=[Agreeable()])
        assert [type(name) for name in posing.keywords["callback_on_step_end_tensor_inputs"]] == [str]

    def test_a_second_text_encoders_prompt_is_seen(self, tmp_path):
        arguments = bound(stable_diffusion_xl(tmp_path), "a", prompt_2="b", negative_prompt_2="c")
        assert {(p.text, p.parameter) for p in arguments.prompts} == {
            ("a", "prompt"),
            ("b", "prompt_2"),
            ("c", "negative_prompt_2"),
        }

    def test_lists_are_copied_so_that_they_cannot_change_between_check_and_call(self, pipe):
        prompts = ["a", "b"]
        arguments = bound(pipe, prompts)
        prompts[0] = "changed"
        assert arguments.keywords["prompt"] == ["a", "b"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("prompt_embeds", torch.zeros(1, 77, 32)),
            ("latents", torch.zeros(1, 4, 32, 32)),
            ("callback_on_step_end", lambda *_: {}),
            ("ip_adapter_image", Image.new("RGB", (8, 8))),
            ("cross_attention_kwargs", {"scale": 0.5}),
            ("timesteps", [10, 5]),
            ("output_type", "latent"),
            ("callback_on_step_end_tensor_inputs", ["latents", "prompt_embeds"]),
            ("negative_prompt", type("Listing", (list,), {})(["a"])),
            ("guidance_scale", np.array([7.5])),
        ],
    )
    def test_what_policy_cannot_see_is_refused_and_recorded(self, governed, line, name, value):
        with pytest.raises(UnsupportedArgumentError) as caught:
            governed("a", **{name: value})
        assert caught.value.remedy
        assert last(line, EntryKind.FAILED).body["error"] == "UnsupportedArgumentError"

    @pytest.mark.parametrize(
        "arguments",
        [
            {"nonsense": 1},
            {"num_inference_steps": -3},
            {"num_inference_steps": 2.5},
            {"num_images_per_prompt": 0},
            {"width": "wide"},
            {"guidance_scale": float("nan")},
            {"generator": 7},
            {"generator": [torch.Generator(), torch.Generator()]},
            {"generator": [torch.Generator()] * 2, "num_images_per_prompt": 2},
        ],
        ids=" ".join,
    )
    def test_what_makes_no_sense_is_refused_and_recorded(self, governed, line, arguments):
        with pytest.raises(RequestError):
            governed("a", **arguments)
        assert [entry.kind for _, entry in line.parts.ledger.entries()] == [EntryKind.FAILED]


class TestGovernedCall:
    def test_the_same_object_and_class_name_and_isinstance(self, pipe, line):
        governed = wrap(pipe, line, PRINCIPAL, "marketing")
        assert governed is pipe
        assert isinstance(governed, StableDiffusionPipeline)
        assert type(governed).__name__ == "StableDiffusionPipeline"

    def test_images_are_decoded_from_the_released_bytes(self, governed, line):
        out = governed("a", num_inference_steps=1)
        assert isinstance(out.images[0], Image.Image)
        (item,) = out.items
        assert item.verdict is Verdict.RELEASED
        decoded = line.parts.encoder.decode(item.asset.content)
        assert (np.asarray(out.images[0]) == decoded).all()
        assert out[0] is out.images
        assert out.governance.items == tuple(out.items)

    def test_the_picture_is_the_one_the_bare_pipeline_makes(self, tmp_path, line):
        def paint(pipe):
            return pipe("a", num_inference_steps=2, generator=torch.Generator().manual_seed(3)).images[0]

        bare, governed = (stable_diffusion(tmp_path) for _ in range(2))
        wrap(governed, line, PRINCIPAL, "marketing")
        assert same_picture(paint(bare), paint(governed))

    @pytest.mark.parametrize(
        ("output_type", "kind", "shape"),
        [("np", np.ndarray, (2, SIDE, SIDE, 3)), ("pt", torch.Tensor, (2, 3, SIDE, SIDE))],
    )
    def test_arrays_and_tensors_come_in_their_usual_shape(self, governed, output_type, kind, shape):
        out = governed(["a", "b"], num_inference_steps=1, output_type=output_type)
        assert isinstance(out.images, kind)
        assert tuple(out.images.shape) == shape
        assert 0 <= out.images.min() <= out.images.max() <= 1

    def test_a_tuple_where_no_dictionary_is_wanted(self, governed):
        images, nsfw = governed("a", num_inference_steps=1, return_dict=False)
        assert isinstance(images[0], Image.Image)
        assert nsfw is None

    @pytest.mark.parametrize("output_type", ["pil", "np", "pt"])
    def test_withheld_images_are_none_and_indices_stay(self, pipe, output_type):
        out = wrap(pipe, denying_the_first(), PRINCIPAL, "")(
            ["a", "b"], num_inference_steps=1, output_type=output_type, purpose="marketing"
        )
        assert out.images[0] is None
        assert out.images[1] is not None
        assert [item.verdict for item in out.items] == [Verdict.DENIED, Verdict.RELEASED]

    def test_nothing_comes_out_of_a_denied_call(self, pipe):
        with pytest.raises(DeniedError):
            wrap(pipe, denying_the_first(), PRINCIPAL, "marketing")("a", num_inference_steps=1)

    def test_who_asks_what_for_and_under_which_id_may_be_said_per_call(self, governed, line):
        other = Principal("editor@example.org", ("editor",))
        first = governed("a", num_inference_steps=1, principal=other, purpose="press", request_id="order-1")
        again = governed("a", num_inference_steps=1, principal=other, purpose="press", request_id="order-1")
        assert again.items[0].asset.content == first.items[0].asset.content
        assert (np.asarray(again.images[0]) == np.asarray(first.images[0])).all()
        assert last(line, EntryKind.INTENT).body["purpose"] == "press"
        assert len(line.parts.ledger.entries()) == 2

    def test_each_image_has_its_own_seed_where_the_caller_gives_none(self, governed, line):
        out = governed("a", num_inference_steps=1, num_images_per_prompt=2)
        one, other = (np.asarray(image) for image in out.images)
        assert (one != other).any()

    def test_a_failing_pipeline_is_a_generation_error(self, governed, line):
        with pytest.raises(GenerationError, match="StableDiffusionPipeline failed"):
            governed("a", negative_prompt=["b", "c"], num_inference_steps=1)
        assert [entry.kind for _, entry in line.parts.ledger.entries()] == [EntryKind.INTENT, EntryKind.FAILED]

    def test_pixels_that_are_not_numbers_are_refused(self, governed):
        with torch.no_grad():
            governed.vae.decoder.conv_out.bias.fill_(float("nan"))
        with pytest.raises(GenerationError, match="not numbers"):
            governed("a", num_inference_steps=1)

    def test_a_model_changed_by_the_call_itself_releases_nothing(self, governed, line):
        step = governed.scheduler.step

        def meddle(*args, **kwargs):
            with torch.no_grad():
                governed.unet.conv_in.weight.mul_(1.01)
            return step(*args, **kwargs)

        governed.scheduler.step = meddle
        with pytest.raises(ModelError, match="not the model that was admitted"):
            governed("a", num_inference_steps=1)

    def test_sdxls_fixed_mark_is_dropped(self, tmp_path, line):
        pipe = stable_diffusion_xl(tmp_path, add_watermarker=True)
        assert pipe.watermark is not None
        wrap(pipe, line, PRINCIPAL, "marketing")("a", num_inference_steps=1)
        assert pipe.watermark is None
        assert last(line, EntryKind.RELEASED).body["watermark"]


class TestOutput:
    def test_only_released_images_and_flags_come_out(self, tmp_path):
        governed = wrap(talkative(tmp_path), denying_the_first(), PRINCIPAL, "marketing")
        out = governed(["a", "b"], num_inference_steps=1)
        assert type(out) is TalkativeOutput
        assert list(out) == ["images", "flags"]
        assert out.to_tuple() == (out.images, [True, True])
        assert (out.raw_images, out.notes) == (None, None)
        assert out.images[0] is None
        assert [item.verdict for item in out.items] == [Verdict.DENIED, Verdict.RELEASED]
        images, raw, flags, notes = governed(["a", "b"], num_inference_steps=1, return_dict=False)
        assert (images[0], raw, flags, notes) == (None, None, [True, True], None)

    def test_flags_that_are_not_one_plain_bool_an_image_stay_inside(self, tmp_path, line):
        class Encoded(TalkativePipeline):
            def __call__(self, prompt, num_inference_steps: int = 1, generator=None, output_type="pil"):
                return TalkativeOutput(np.zeros((1, SIDE, SIDE, 3)), [1], [True] * 100, [np.True_])

        pipe = stable_diffusion(tmp_path)
        pipe.__class__ = Encoded
        assert list(wrap(pipe, line, PRINCIPAL, "marketing")("a")) == ["images"]

    @pytest.mark.parametrize("build", [stable_diffusion, stable_diffusion_xl, talkative])
    def test_a_recorded_result_has_the_same_class_and_shape(self, tmp_path, line, build):
        def governed():
            return wrap(build(tmp_path), line, PRINCIPAL, "marketing")

        def run(pipe, **kwargs):
            return pipe("a", num_inference_steps=1, request_id="order-1", **kwargs)

        pipe = governed()
        first, again, elsewhere = run(pipe), run(pipe), run(governed())
        assert len(line.parts.ledger.entries(kind=EntryKind.INTENT)) == 1
        assert type(first) is type(again) is type(elsewhere)
        tuples = [run(made, return_dict=False) for made in (pipe, governed())]
        assert {len(found) for found in tuples} == {len(type(first).__dataclass_fields__)}
        for out in (again, elsewhere):
            assert (np.asarray(out.images[0]) == np.asarray(first.images[0])).all()
            assert out.items[0].asset == first.items[0].asset

    @pytest.mark.parametrize(
        ("pipeline", "kind"),
        [
            (StableDiffusionPipeline, StableDiffusionPipelineOutput),
            (StableDiffusionXLPipeline, StableDiffusionXLPipelineOutput),
            (TalkativePipeline, TalkativeOutput),
            (type("Heir", (StableDiffusionPipeline,), {}), StableDiffusionPipelineOutput),
            (KandinskyCombinedPipeline, diffusers.ImagePipelineOutput),
        ],
    )
    def test_the_class_of_the_output_is_known_without_a_run(self, pipeline, kind):
        assert named_output_class(pipeline) is kind


class TestGenerators:
    def test_the_callers_generator_is_used_and_its_state_recorded(self, governed, line):
        generator = torch.Generator().manual_seed(11)
        before = state_of(generator)
        governed("a", num_inference_steps=1, generator=generator)
        assert state_of(generator) != before
        intent = last(line, EntryKind.INTENT)
        assert call_of(line, intent)["seeds"] == ["11"]
        assert states_in(line, intent) == [before]

    def test_it_ends_where_the_bare_pipeline_leaves_it(self, tmp_path, line):
        def used(pipe, images):
            generators = [torch.Generator().manual_seed(seed) for seed in range(images)]
            pipe("a", num_inference_steps=2, num_images_per_prompt=images, generator=generators, eta=0.5)
            return [state_of(generator) for generator in generators]

        bare, governed = (stable_diffusion(tmp_path) for _ in range(2))
        wrap(governed, line, PRINCIPAL, "marketing")
        for images in (1, 2):
            assert used(governed, images) == used(bare, images)

    def test_after_a_failure_it_is_where_it_was_so_that_trying_again_is_the_same_request(self, governed, line):
        fail_once(governed)
        generator = torch.Generator().manual_seed(3)
        before = state_of(generator)
        with pytest.raises(GenerationError, match="out of memory"):
            governed("a", num_inference_steps=1, generator=generator, request_id="order-1")
        assert state_of(generator) == before
        out = governed("a", num_inference_steps=1, generator=generator, request_id="order-1")
        assert out.governance.attempt == 2
        assert state_of(generator) != before

    @pytest.mark.parametrize(("decided", "error"), [(Outcome.DENY, DeniedError), (Outcome.REVIEW, HeldError)])
    def test_images_that_were_withheld_were_made(self, pipe, decided, error):
        generator = torch.Generator().manual_seed(3)
        before = state_of(generator)
        with pytest.raises(error):
            wrap(pipe, denying_the_first(decided), PRINCIPAL, "marketing")(
                "a", num_inference_steps=1, generator=generator
            )
        assert state_of(generator) != before

    def test_a_call_that_is_not_admitted_draws_nothing(self, pipe):
        policy = FakePolicyEngine({Stage.ADMISSION: lambda s, _: FakePolicyEngine().answer(s, Outcome.DENY)})
        generator = torch.Generator().manual_seed(3)
        before = state_of(generator)
        with pytest.raises(DeniedError):
            wrap(pipe, Governor(fake_parts(policy=policy)), PRINCIPAL, "marketing")("a", generator=generator)
        assert state_of(generator) == before

    def test_a_generator_that_the_pipeline_shares_with_others_makes_what_was_recorded(self, governed, line):
        generator = torch.Generator().manual_seed(3)
        step = governed.scheduler.step

        @wraps(step)
        def meddle(*args, **kwargs):
            generator.manual_seed(99)
            return step(*args, **kwargs)

        governed.scheduler.step = meddle
        one = governed("a", num_inference_steps=2, generator=generator, eta=1.0)
        governed.scheduler.step = step
        other = governed("a", num_inference_steps=2, generator=torch.Generator().manual_seed(3), eta=1.0)
        assert same_picture(one.images[0], other.images[0])

    def test_two_threads_that_share_a_generator_have_two_true_records(self, tmp_path, governed, line):
        shared = torch.Generator().manual_seed(1)
        outs = []
        threads = [
            threading.Thread(target=lambda: outs.append(governed("a", num_inference_steps=2, generator=shared)))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        bare, recorded = stable_diffusion(tmp_path), []
        for out in outs:
            ((_, intent),) = line.parts.ledger.entries(kind=EntryKind.INTENT, subject=out.governance.generation_id)
            (state,) = states_in(line, intent)
            recorded.append(state)
            generator = torch.Generator()
            generator.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))
            assert same_picture(bare("a", num_inference_steps=2, generator=generator).images[0], out.images[0])
        assert len(set(recorded)) == 2


class TestPrincipal:
    def asked(self, policy):
        return policy.asked[0][1]["principal"]

    @pytest.fixture
    def policy(self):
        return FakePolicyEngine()

    @pytest.fixture
    def line(self, policy):
        return Governor(fake_parts(encoder=ImageEncoder(), policy=policy))

    def test_a_text_is_another_person_without_the_first_ones_roles(self, governed, policy):
        governed("a", num_inference_steps=1, principal="editor@example.org")
        assert (self.asked(policy)["id"], self.asked(policy)["roles"]) == ("editor@example.org", [])
        assert self.asked(policy)["assurance"] == "asserted"

    @pytest.mark.parametrize("roles", [("editor", "lead"), ["editor", "lead"]])
    def test_a_text_comes_with_roles_of_its_own(self, governed, policy, roles):
        governed("a", num_inference_steps=1, principal="editor@example.org", roles=roles)
        assert self.asked(policy)["roles"] == ["editor", "lead"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"principal": "editor@example.org", "roles": "editor"}, "no list of texts"),
            ({"principal": "editor@example.org", "roles": [1]}, "no list of texts"),
            ({"principal": Principal("editor@example.org"), "roles": ["editor"]}, "goes with a principal"),
            ({"roles": ["editor"]}, "goes with a principal"),
            ({"principal": 7}, "not a int"),
            ({"principal": None}, "not a NoneType"),
        ],
    )
    def test_what_names_nobody_is_refused_and_recorded(self, governed, policy, line, arguments, message):
        with pytest.raises(ConfigurationError, match=message):
            governed("a", num_inference_steps=1, **arguments)
        assert not policy.asked
        assert last(line, EntryKind.FAILED).body["error"] == "ConfigurationError"


class TestRefusedToWrap:
    def test_what_is_no_pipeline(self, line):
        with pytest.raises(ConfigurationError, match="no diffusers pipeline"):
            wrap(object(), line, PRINCIPAL, "marketing")

    def test_what_is_governed_already(self, governed, line):
        with pytest.raises(ConfigurationError, match="already"):
            wrap(governed, line, PRINCIPAL, "marketing")

    def test_what_makes_no_images(self, line):
        from diffusers import DiffusionPipeline

        class Prior(DiffusionPipeline):
            def __call__(self, prompt):
                return prompt

        with pytest.raises(ConfigurationError, match="generator"):
            wrap(Prior(), line, PRINCIPAL, "marketing")
