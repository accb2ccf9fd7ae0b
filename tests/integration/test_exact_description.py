"""Tiny real pipelines: each thing that somebody can change about one changes its description, in its part and no other."""

import json
import os

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    ClassifierFreeGuidance,
    DDIMPipeline,
    DDPMScheduler,
    EulerDiscreteScheduler,
    MultiControlNetModel,
    UNet2DModel,
)
from diffusers.hooks import apply_layerwise_casting
from diffusers.models.attention_processor import AttnProcessor
from peft import LoraConfig
from torch.testing._internal.two_tensor import TwoTensor
from transformers import BertTokenizerLegacy, ByT5Tokenizer, ClapFeatureExtractor, CLIPImageProcessor

from governance.errors import ModelError
from governance.model_differences import ModelPart, model_differences
from governance_adapters.pipelines.description import modules as described_modules
from governance_adapters.pipelines.description.describe import components_of, describe
from governance_adapters.pipelines.description.files import weight_files
from governance_adapters.pipelines.loading import load_pipeline
from support.tiny import stable_diffusion, vae
from support.tiny_pipelines import TINY
from support.wrapped import rearranged

STYLE = LoraConfig(r=2, lora_alpha=1, target_modules=["to_q", "to_k"], init_lora_weights=False)


def differences(before, pipe):
    return model_differences(before.as_json(), describe(pipe))


def words(before, pipe):
    return [each.text for each in differences(before, pipe)]


def parts(before, pipe):
    return {each.part for each in differences(before, pipe)}


def changed(before, pipe):
    """The components that differ."""
    found = [each.text for each in differences(before, pipe) if each.part is ModelPart.COMPONENTS]
    return {text.removeprefix("component ").partition(":")[0] for text in found}


def component_names(before, pipe):
    """The components that differ; nothing else may."""
    assert parts(before, pipe) == {ModelPart.COMPONENTS}
    return changed(before, pipe)


@pytest.fixture
def hashed(monkeypatch):
    """The tensors that are hashed from here on, by their keys."""
    keys, own = [], described_modules.tensors_digest

    def counted(tensors):
        named = list(tensors)
        keys.extend(key for key, _ in named)
        return own(named)

    monkeypatch.setattr(described_modules, "tensors_digest", counted)
    return keys


class TestWeights:
    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_words_that_changed_places_are_other_weights_though_torch_counts_no_write(self, pipe, count):
        before = describe(pipe)
        with torch.inference_mode():  # in which torch counts nothing
            weight = pipe.unet.conv_in.weight.data
            for _ in range(count):
                weight.copy_(rearranged(weight))
        assert component_names(before, pipe) == {"unet"}

    def test_a_fused_lora_is_the_component_that_it_was_fused_into(self, pipe):
        before = describe(pipe)
        pipe.unet.add_adapter(STYLE, "style")
        pipe.unet.fuse_lora()
        pipe.unet.unload_lora()
        assert describe(pipe).adapters == ()
        assert changed(before, pipe) == {"unet"}

    def test_a_lora_that_is_fused_and_still_loaded_is_refused(self, pipe):
        pipe.unet.add_adapter(STYLE, "style")
        pipe.unet.fuse_lora()
        with pytest.raises(ModelError, match="'style' is merged into unet"):
            describe(pipe)

    def test_another_dtype_is_other_components_in_another_place(self, pipe):
        before = describe(pipe)
        pipe.to(torch.bfloat16)
        assert parts(before, pipe) == {ModelPart.COMPONENTS, ModelPart.ENVIRONMENT}
        assert "dtype: float32 recorded, bfloat16 here" in words(before, pipe)

    def test_a_network_beside_the_components_is_one_of_them(self, pipe):
        pipe.helper = vae(seed=3)
        before = describe(pipe)
        pipe.helper.decoder.conv_out.bias.data += 1
        assert component_names(before, pipe) == {"helper"}

    def test_weights_inside_other_tensors_are_refused(self, pipe):
        outside = TwoTensor(torch.ones(2), torch.ones(2))
        pipe.unet.conv_in.register_buffer("outside", outside)
        with pytest.raises(ModelError, match="a TwoTensor, which keeps its weights in other tensors"):
            describe(pipe)


class TestHashedOnce:
    def test_unchanged_weights_are_not_hashed_again(self, pipe, hashed):
        describe(pipe)
        first = list(hashed)
        describe(pipe)
        assert "conv_in.weight" in first
        assert hashed == first

    def test_a_changed_component_is_hashed_alone(self, pipe, hashed):
        describe(pipe)
        hashed.clear()
        pipe.vae.decoder.conv_out.bias.data += 1
        describe(pipe)
        assert sorted(hashed) == sorted(pipe.vae.state_dict())

    def test_another_scale_hashes_nothing(self, pipe, hashed):
        pipe.unet.add_adapter(STYLE, "style")
        before = describe(pipe)
        hashed.clear()
        pipe.unet.set_adapters(["style"], [0.5])
        assert parts(before, pipe) == {ModelPart.ADAPTERS}
        assert hashed == []

    def test_the_same_files_loaded_again_are_not_hashed_again(self, pipe, tmp_path, hashed):
        pipe.save_pretrained(tmp_path / "saved")
        first = describe(load_pipeline(tmp_path / "saved"))
        hashed.clear()
        assert describe(load_pipeline(tmp_path / "saved")).digest == first.digest
        assert hashed == []

    def test_the_same_files_with_other_weights_in_memory_are_hashed(self, pipe, tmp_path, hashed):
        pipe.save_pretrained(tmp_path / "saved")
        first = describe(load_pipeline(tmp_path / "saved"))
        hashed.clear()
        edited = load_pipeline(tmp_path / "saved")
        edited.vae.decoder.conv_out.weight.data[0, 0, 0, 0] += 1e-3
        assert component_names(first, edited) == {"vae"}
        assert sorted(hashed) == sorted(edited.vae.state_dict())

    def test_files_that_were_written_again_are_other_files(self, pipe, tmp_path, hashed):
        pipe.save_pretrained(tmp_path / "saved")
        first = describe(load_pipeline(tmp_path / "saved"))
        hashed.clear()
        (weights,) = (tmp_path / "saved" / "vae").glob("*.safetensors")
        os.utime(weights, ns=(1, 1))
        again = load_pipeline(tmp_path / "saved")
        assert describe(again).digest == first.digest
        assert sorted(hashed) == sorted(again.vae.state_dict())

    def test_what_a_module_says_of_its_files_is_not_believed_against_its_memory(self, pipe, tmp_path):
        pipe.save_pretrained(tmp_path / "saved")
        loaded = load_pipeline(tmp_path / "saved")
        first = describe(loaded)
        (tmp_path / "other").mkdir()
        other = stable_diffusion(tmp_path / "other", seed=5)
        other.unet.register_to_config(_name_or_path=loaded.unet.config._name_or_path)
        assert weight_files(other.unet) == weight_files(loaded.unet) != ()
        assert describe(other).components["unet"] != first.components["unet"]


class TestAdapters:
    def test_each_module_has_its_own_scale_and_policy_sees_the_largest(self, pipe):
        pipe.unet.add_adapter(STYLE, "style")
        layers = {name: layer for name, layer in pipe.unet.named_modules() if hasattr(layer, "scaling")}
        for number, layer in enumerate(layers.values()):
            layer.scaling["style"] = [0.25, -0.75, 0.1][number % 3]
        (adapter,) = describe(pipe).adapters
        assert adapter.scales == {name: repr(layer.scaling["style"]) for name, layer in layers.items()}
        assert set(adapter.scales.values()) == {"0.25", "-0.75", "0.1"}
        assert adapter.scale_thousandths == -750
        assert describe(pipe).as_facts()["adapters"] == [
            {"name": "unet/style", "digest": adapter.digest, "scale_thousandths": -750}
        ]

    def test_one_scale_among_many_is_seen(self, pipe):
        pipe.unet.add_adapter(STYLE, "style")
        before = describe(pipe)
        name, layer = next((n, each) for n, each in pipe.unet.named_modules() if hasattr(each, "scaling"))
        layer.scaling["style"] -= 1e-9
        ((part, text),) = [(each.part, each.text) for each in differences(before, pipe)]
        assert part is ModelPart.ADAPTERS
        assert text.startswith(
            f"adapter unet/style: other scales in 1 of {len(before.adapters[0].scales)} modules ({name}"
        )
        assert describe(pipe).as_facts() == before.as_facts()
        assert describe(pipe).digest != before.digest

    def test_a_switched_off_adapter_has_no_strength_and_keeps_its_digest(self, pipe):
        pipe.unet.add_adapter(STYLE, "style")
        (on,) = describe(pipe).adapters
        pipe.unet.disable_adapters()
        (off,) = describe(pipe).adapters
        assert (on.scale_thousandths, off.scale_thousandths) == (500, 0)
        assert (on.digest, set(off.scales.values())) == (off.digest, {"0.0"})

    def test_the_name_that_an_adapter_is_loaded_under_is_no_part_of_its_digest(self, pipe):
        pipe.unet.add_adapter(STYLE, "style")
        state = {key: value for key, value in pipe.unet.state_dict().items() if "lora" in key}
        (before,) = describe(pipe).adapters
        pipe.unet.delete_adapters("style")
        pipe.unet.add_adapter(STYLE, "other")
        pipe.unet.load_state_dict({key.replace("style", "other"): value for key, value in state.items()}, strict=False)
        (after,) = describe(pipe).adapters
        assert (before.name, after.name) == ("unet/style", "unet/other")
        assert before.digest == after.digest

    def test_two_adapters_in_two_components(self, pipe):
        base = describe(pipe)
        pipe.unet.add_adapter(STYLE, "style")
        with pytest.warns(UserWarning, match="multiple adapters"):
            pipe.unet.add_adapter(STYLE, "light")
        pipe.text_encoder.add_adapter(LoraConfig(r=1, target_modules=["q_proj"]), "style")
        pipe.unet.set_adapters(["style", "light"], [0.5, 2.0])
        facts = describe(pipe)
        scales = {adapter.name: adapter.scale_thousandths for adapter in facts.adapters}
        assert scales == {"unet/style": 250, "unet/light": 1000, "text_encoder/style": 8000}
        assert len({adapter.digest for adapter in facts.adapters}) == 3
        assert facts.components == base.components

    def test_a_scale_that_is_no_number_is_refused(self, pipe):
        pipe.unet.add_adapter(STYLE, "style")
        next(each for each in pipe.unet.modules() if hasattr(each, "scaling")).scaling["style"] = float("nan")
        with pytest.raises(ModelError, match="no finite number"):
            describe(pipe)

    def test_an_ip_adapter_is_an_adapter_with_scales_and_leaves_the_network_as_it_was(self, tmp_path):
        pipe = TINY["StableDiffusionPipeline+ip_adapter"].build(tmp_path)
        with_it = describe(pipe)
        ((name, scale),) = [(adapter.name, adapter.scale_thousandths) for adapter in with_it.adapters]
        assert (name, scale) == ("unet/ip_adapter.0", 500)
        pipe.set_ip_adapter_scale(0.75)
        assert parts(with_it, pipe) == {ModelPart.ADAPTERS}
        pipe.unload_ip_adapter()
        without = describe(pipe)
        assert without.adapters == ()
        assert without.components["unet"] == with_it.components["unet"]

    def test_the_weights_of_an_ip_adapter_are_in_its_digest(self, tmp_path):
        pipe = TINY["StableDiffusionPipeline+ip_adapter"].build(tmp_path)
        before = describe(pipe)
        for change in (pipe.unet.encoder_hid_proj, next(m for m in pipe.unet.modules() if hasattr(m, "to_k_ip"))):
            next(change.parameters()).data += 1
            after = describe(pipe)
            assert after.components == before.components
            assert after.adapters[0].digest != before.adapters[0].digest
            before = after


class TestTokenizersAndEmbeddings:
    def test_a_textual_inversion_is_another_tokenizer_and_another_text_encoder(self, pipe):
        before = describe(pipe)
        pipe.load_textual_inversion({"<new>": torch.ones(32)})
        assert component_names(before, pipe) == {"text_encoder", "tokenizer"}

    def test_another_vector_for_the_same_word_is_another_text_encoder(self, tmp_path):
        one, other = (stable_diffusion(tmp_path) for _ in range(2))
        one.load_textual_inversion({"<new>": torch.ones(32)})
        other.load_textual_inversion({"<new>": torch.full((32,), 2.0)})
        assert component_names(describe(one), other) == {"text_encoder"}

    @pytest.fixture
    def plain(self, tmp_path):
        """A tokenizer in plain Python."""
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]
        (tmp_path / "words.txt").write_text("\n".join(words))
        return BertTokenizerLegacy(str(tmp_path / "words.txt"))

    def lengthen(self, tokenizer):
        tokenizer.model_max_length = 7

    def add(self, tokenizer):
        tokenizer.add_tokens(["sks"])

    def rename(self, tokenizer):
        tokenizer.vocab["c"] = tokenizer.vocab.pop("b")

    def renumber(self, tokenizer):
        tokenizer.ids_to_tokens[5] = "b"

    def keep_case(self, tokenizer):
        tokenizer.basic_tokenizer.do_lower_case = False

    @pytest.mark.parametrize("change", [lengthen, add, rename, renumber, keep_case])
    def test_a_tokenizer_in_plain_python_is_described_to_its_last_attribute(self, pipe, plain, change):
        pipe.tokenizer = plain
        before = describe(pipe)
        plain("a b sks", padding="max_length", truncation=True, max_length=5)
        assert describe(pipe).digest == before.digest
        change(self, plain)
        assert component_names(before, pipe) == {"tokenizer"}

    def test_where_a_plain_tokenizer_was_loaded_from_makes_no_difference(self, pipe, plain, tmp_path):
        pipe.tokenizer = plain
        before = describe(pipe)
        plain.save_pretrained(tmp_path / "elsewhere")
        pipe.tokenizer = BertTokenizerLegacy.from_pretrained(tmp_path / "elsewhere")
        assert words(before, pipe) == []

    def test_a_tokenizer_of_bytes(self, pipe):
        pipe.tokenizer = ByT5Tokenizer()
        before = describe(pipe)
        pipe.tokenizer = ByT5Tokenizer(extra_ids=7)
        assert component_names(before, pipe) == {"tokenizer"}

    def test_what_the_pipelines_own_call_sets_on_a_tokenizer_is_left_out(self, tmp_path):
        pipe = TINY["SanaPipeline"].build(tmp_path)
        pipe.tokenizer.padding_side = "left"
        before = describe(pipe)
        pipe.tokenizer.padding_side = "right"
        assert words(before, pipe) == []

    def test_what_it_does_not_set_is_not(self, pipe):
        before = describe(pipe)
        pipe.tokenizer.padding_side = "left"
        assert component_names(before, pipe) == {"tokenizer"}


class TestKindsOfComponents:
    def test_another_scheduler_is_the_scheduler_alone(self, pipe):
        before = describe(pipe)
        pipe.scheduler = EulerDiscreteScheduler()
        assert parts(before, pipe) == {ModelPart.SCHEDULER}
        before = describe(pipe)
        pipe.scheduler = EulerDiscreteScheduler(beta_end=0.5)
        assert words(before, pipe) == ["scheduler option beta_end: 0.02 recorded, 0.5 here"]

    def test_a_second_scheduler_is_a_component(self, tmp_path):
        pipe = TINY["KandinskyCombinedPipeline"].build(tmp_path)
        facts = describe(pipe)
        assert facts.scheduler == type(pipe.scheduler).__name__
        assert "prior_scheduler" in facts.components
        pipe.prior_scheduler.register_to_config(num_train_timesteps=7)
        assert component_names(facts, pipe) == {"prior_scheduler"}

    def test_no_component_of_that_name_and_none_at_all(self):
        class Sampler(DDIMPipeline):
            def __init__(self, unet, sampler):
                super(DDIMPipeline, self).__init__()
                self.register_modules(unet=unet, sampler=sampler)

        network = UNet2DModel(
            sample_size=8,
            block_out_channels=(8,),
            norm_num_groups=4,
            down_block_types=("DownBlock2D",),
            up_block_types=("UpBlock2D",),
        )
        facts = describe(Sampler(network, DDPMScheduler()))
        assert (facts.scheduler, set(facts.components)) == ("DDPMScheduler", {"unet"})
        facts = describe(Sampler(network, None))
        assert (facts.scheduler, facts.scheduler_config, set(facts.components)) == ("", {}, {"unet"})

    def test_a_pipeline_without_networks_is_refused(self, pipe):
        for name in ("vae", "unet", "text_encoder"):
            setattr(pipe, name, None)
        with pytest.raises(ModelError, match="no networks"):
            describe(pipe)

    def test_components_that_cannot_be_listed_are_refused_in_our_words(self, pipe):
        pipe.register_modules(unknown=vae())
        with pytest.raises(ModelError, match="cannot be listed"):
            describe(pipe)

    def change_filters(self, part):
        part.mel_filters = part.mel_filters * 2

    def change_rate(self, part):
        part.sampling_rate = 7

    def switch_off(self, part):
        part._enabled = False

    def reconfigure(self, part):
        part.register_to_config(guidance_scale=9.0)

    @pytest.mark.parametrize(
        ("make", "change"),
        [
            (ClapFeatureExtractor, change_filters),
            (ClapFeatureExtractor, change_rate),
            (ClassifierFreeGuidance, switch_off),
            (ClassifierFreeGuidance, reconfigure),
        ],
        ids=["filters", "rate", "guider-off", "guider-scale"],
    )
    def test_parts_that_are_no_networks(self, pipe, make, change):
        part = make()
        pipe.feature_extractor = part
        before = describe(pipe)
        if isinstance(part, ClassifierFreeGuidance):
            part._timestep = torch.ones(1)  # as a call leaves it
        assert words(before, pipe) == []
        change(self, part)
        assert component_names(before, pipe) == {"feature_extractor"}

    @pytest.mark.parametrize("value", [[1, 2.5, "a", None], {"a": (True, 1)}, 7, "text"], ids=repr)
    def test_plain_data(self, pipe, value):
        pipe.feature_extractor = value
        first = describe(pipe)
        pipe.feature_extractor = [value]
        assert component_names(first, pipe) == {"feature_extractor"}

    def test_a_class_from_elsewhere_is_not_taken_for_the_librarys_of_the_same_name(self, pipe):
        before = describe(pipe)
        pipe.vae.__class__ = type("AutoencoderKL", (AutoencoderKL,), {})
        assert component_names(before, pipe) == {"vae"}

    def test_several_control_networks_are_known_by_their_configurations(self, tmp_path):
        pipe = TINY["StableDiffusionControlNetPipeline"].build(tmp_path)
        pipe.controlnet = MultiControlNetModel([pipe.controlnet])
        before = describe(pipe)
        pipe.controlnet.nets[0].register_to_config(global_pool_conditions=True)
        assert component_names(before, pipe) == {"controlnet"}

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch imports what it deprecates
    def test_a_compiled_network_is_the_one_that_was_compiled(self, pipe):
        before, network = describe(pipe), pipe.unet
        pipe.unet = torch.compile(network)
        assert components_of(pipe)["unet"] is network
        assert describe(pipe).components == before.components

    def test_a_processor_keeps_no_secrets(self, pipe):
        pipe.feature_extractor = CLIPImageProcessor()
        pipe.feature_extractor.hidden = [torch.nn.Linear(1, 1)]
        with pytest.raises(ModelError, match=r"feature_extractor\.hidden"):
            describe(pipe)


class TestEnvironment:
    """None of it is a fact for policy; all of it is recorded, and compared."""

    def attention(self, pipe):
        pipe.unet.set_attn_processor(AttnProcessor())

    def sliced(self, pipe):
        pipe.enable_attention_slicing(1)

    def tiled(self, pipe):
        pipe.vae.enable_tiling()

    def tile(self, pipe):
        pipe.vae.tile_overlap_factor = 0.5

    def free(self, pipe):
        pipe.enable_freeu(s1=0.9, s2=0.2, b1=1.5, b2=1.6)

    def train(self, pipe):
        pipe.unet.eval()

    def last(self, pipe):
        pipe.unet.to(memory_format=torch.channels_last)

    def hook(self, pipe):
        pipe.unet.conv_in.register_forward_hook(lambda module, given, made: made * 0)

    def other_forward(self, pipe):
        pipe.unet.conv_in.forward = lambda given: given

    def cast(self, pipe):
        apply_layerwise_casting(pipe.unet, storage_dtype=torch.float32, compute_dtype=torch.float32)

    def process(self, pipe):
        pipe.image_processor.register_to_config(do_normalize=False)

    def setting(self, pipe):
        pipe.register_to_config(requires_safety_checker=True)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (attention, "computation.unet.attention.AttnProcessor: nothing recorded"),
            (sliced, "computation.unet.attention.SlicedAttnProcessor(slice_size=1): nothing recorded"),
            (tiled, "computation.vae.flags.use_tiling: false recorded, true here"),
            (tile, "computation.vae.flags.tile_overlap_factor: 0.25 recorded, 0.5 here"),
            (free, "computation.unet.flags.up_blocks.0.b1: nothing recorded, 1.5 here"),
            (train, "computation.unet.training:"),
            (last, "computation.unet.memory_format: nothing recorded"),
            (hook, "computation.unet.hooks: nothing recorded"),
            (other_forward, "computation.unet.hooks: nothing recorded"),
            (cast, "computation.unet.hooks: nothing recorded"),
            (process, "pipeline.processors.image_processor.config.do_normalize: true recorded, false here"),
            (setting, "pipeline.settings.requires_safety_checker: false recorded, true here"),
        ],
    )
    def test_what_is_switched_on_a_pipeline(self, pipe, change, said):
        before = describe(pipe)
        change(self, pipe)
        assert parts(before, pipe) == {ModelPart.ENVIRONMENT}
        assert any(text.startswith(said) for text in words(before, pipe)), words(before, pipe)
        assert describe(pipe).as_facts() == before.as_facts()
        assert describe(pipe).digest != before.digest

    def test_threads_and_switches_of_the_process(self, pipe):
        before = describe(pipe)
        threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        try:
            torch.set_num_threads(threads + 1)
            torch.use_deterministic_algorithms(not deterministic)
            assert words(before, pipe) == [
                f"switches.deterministic: {json.dumps(deterministic)} recorded, {json.dumps(not deterministic)} here",
                f"threads.intra: {threads} recorded, {threads + 1} here",
            ]
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic)

    def test_variables_that_choose_kernels(self, pipe, monkeypatch):
        before = describe(pipe)
        monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
        assert words(before, pipe) == ["variables.MKL_CBWR: nothing recorded, COMPATIBLE here"]

    def test_it_names_the_machine_and_no_path_of_it(self, pipe, tmp_path):
        pipe.save_pretrained(tmp_path / "saved")
        environment = describe(load_pipeline(tmp_path / "saved")).environment
        assert environment["machine"]["instructions"] == torch.backends.cpu.get_cpu_capability()
        assert environment["libraries"]["peft"]
        assert str(tmp_path) not in json.dumps(environment)

    def test_sealing_and_a_call_change_nothing(self, governed):
        before = describe(governed)
        governed(prompt="a", num_inference_steps=1)
        assert words(before, governed) == []
