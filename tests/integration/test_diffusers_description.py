"""Real diffusers pipelines, tiny and untrained: what they are, to the last tensor, and what is not loaded."""

import json

import diffusers
import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
)
from tokenizers import normalizers
from transformers import CLIPImageProcessor, CLIPProcessor

from governance.errors import (
    ModelError,
)
from governance_adapters.pipelines.description.describe import describe
from governance_adapters.pipelines.description.modules import describe_modules
from governance_adapters.pipelines.loading import load_pipeline
from support.tiny import (
    tokenizer,
)
from support.wrapped import (
    rearranged,
)


class TestDescription:
    def test_a_saved_and_loaded_pipeline_is_the_same_model(self, pipe, tmp_path):
        pipe.save_pretrained(tmp_path / "saved")
        loaded = load_pipeline(tmp_path / "saved")
        assert describe(loaded).as_facts() == describe(pipe).as_facts()
        for part in (*pipe.components.values(), *loaded.components.values()):
            if isinstance(part, torch.nn.Module):
                part.eval()  # what is built from its configuration is in training mode, what is loaded is not
        assert describe(loaded).digest == describe(pipe).digest

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
        assert describe_modules({"unet": pipe.unet})["unet"] is describe_modules({"unet": pipe.unet})["unet"]

    def test_weights_without_data_are_refused(self, pipe):
        pipe.vae.to("meta")
        with pytest.raises(ModelError, match="no data") as caught:
            describe(pipe)
        assert "enable_model_cpu_offload" in str(caught.value)

    @pytest.mark.parametrize("known", [True, False], ids=["described before", "never described"])
    @pytest.mark.parametrize("view", ["negated", "conjugated"])
    def test_weights_that_are_turned_over_when_they_are_read_are_refused(self, pipe, known, view):
        """Their bytes stay as they were, and so would the digest."""
        weight = pipe.unet.conv_in.weight
        numbers = torch.complex(torch.zeros_like(weight.data), weight.data)
        if view == "conjugated":
            pipe.unet.register_buffer("phase", numbers)
        else:
            weight.data = numbers.imag
        if known:
            describe(pipe)
        if view == "conjugated":
            pipe.unet.phase = numbers.conj()
        else:
            weight.data = numbers.conj().imag
        with pytest.raises(ModelError, match="negated or conjugated"):
            describe(pipe)

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
