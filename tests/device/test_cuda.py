"""The same governed line on a CUDA device: described there, sealed, released, replayable; and no weights copied per call."""

import numpy as np
import pytest
import torch
from peft import LoraConfig
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

from governance.assets import Verdict
from governance.errors import SealedError
from governance.model_differences import ModelPart, model_differences
from governance_adapters.detectors.classifiers import ImageClassifier
from governance_adapters.detectors.devices import onnx_providers
from governance_adapters.detectors.weights import WeightsFolder
from governance_adapters.pipelines.description.checksums import memory_checksum
from governance_adapters.pipelines.description.describe import describe
from governance_adapters.pipelines.description.modules import describe_modules
from governance_adapters.pipelines.description.tensors import tensors_digest
from governance_adapters.reference import load_reference_pipeline
from governance_adapters.wiring import govern, open_verifier
from support.real import require
from support.wrapped import rearranged

DEVICE = "cuda"
PROMPT = "a red seven on a blue background"


@pytest.fixture(autouse=True)
def _cuda():
    require("cuda", torch.cuda.is_available(), "nothing is governed on an accelerator here")


@pytest.fixture
def pipe():
    return load_reference_pipeline().to(DEVICE)


class Transfers(TorchDispatchMode):
    """The bytes that operations copy from the device to the host."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        given = [each for each in args if isinstance(each, torch.Tensor)]
        for each in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(each, torch.Tensor) and each.device.type == "cpu":
                self.bytes += each.nbytes if any(one.device.type == "cuda" for one in given) else 0
        return made


def ask(governed, seed=7, **more):
    return governed(prompt=PROMPT, num_inference_steps=4, generator=torch.Generator(DEVICE).manual_seed(seed), **more)


def test_a_picture_goes_down_the_whole_line(pipe, settings, governor):
    governed = govern(pipe, purpose="marketing", settings=settings, governor=governor)
    (item,) = ask(governed).items
    assert item.verdict is Verdict.RELEASED
    verified = open_verifier(settings, governor.parts.ledger).verify(item.asset.content, item.asset.receipt)
    assert verified.exit_code == 0, verified.as_json()
    facts = describe(governed)
    assert torch.device(facts.device).type == DEVICE
    assert facts.environment["machine"]["accelerator"] == torch.cuda.get_device_name()
    with pytest.raises(SealedError):
        governed.vae.decode(torch.zeros(1, 4, 8, 8, device=DEVICE))


def test_without_generators_each_picture_has_its_own_and_repeats_itself(pipe, settings, governor):
    governed = govern(pipe, purpose="marketing", settings=settings, governor=governor)
    made = governed(prompt=PROMPT, num_inference_steps=4, num_images_per_prompt=2, output_type="np")
    assert [item.verdict for item in made.items] == [Verdict.RELEASED] * 2
    assert not np.array_equal(made.images[0], made.images[1])


def test_the_model_is_the_one_that_it_is_on_the_processor(pipe):
    here, there = describe(pipe), describe(load_reference_pipeline())
    assert (here.components, here.scheduler_config) == (there.components, there.scheduler_config)
    assert {each.part for each in model_differences(there.as_json(), here)} == {ModelPart.ENVIRONMENT}


def test_describing_again_copies_no_weights_to_the_host(pipe):
    weights = sum(each.nbytes for name in ("unet", "vae", "text_encoder") for each in getattr(pipe, name).parameters())
    describe(pipe)
    with Transfers() as transfers:
        describe(pipe)
    assert 0 < transfers.bytes < weights // 500


def test_digests_and_checksums_do_not_depend_on_the_device(pipe):
    tensors = sorted(pipe.unet.state_dict().items())
    on_host = [(key, tensor.cpu()) for key, tensor in tensors]
    assert tensors_digest(tensors) == tensors_digest(on_host)
    here, there = ([tensor.untyped_storage() for _, tensor in each] for each in (tensors, on_host))
    assert memory_checksum(here) == memory_checksum(there)


def test_moving_a_module_to_the_host_and_back_hashes_nothing(pipe):
    first = describe_modules({"unet": pipe.unet})["unet"]
    pipe.unet.to("cpu")
    assert describe_modules({"unet": pipe.unet})["unet"] is first
    pipe.unet.to(DEVICE)
    assert describe_modules({"unet": pipe.unet})["unet"] is first


def test_writes_that_torch_does_not_count_are_seen_there(pipe):
    seen = [describe(pipe).components["unet"]]
    for _ in range(3):
        pipe.unet.conv_in.weight.data = rearranged(pipe.unet.conv_in.weight)
        seen.append(describe(pipe).components["unet"])
    pipe.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False), "style")
    pipe.unet.fuse_lora()
    pipe.unet.unload_lora()
    seen.append(describe(pipe).components["unet"])
    assert len(set(seen)) == len(seen)


def test_a_classifier_scores_on_the_device(tmp_path):
    config = ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32)
    ViTForImageClassification(config).save_pretrained(tmp_path)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    detector = ImageClassifier("toy", tmp_path, digest=WeightsFolder.read(tmp_path).digest)
    assert detector._model.device.type == DEVICE
    (findings,) = detector.detect([np.zeros((64, 64, 3), np.uint8)])
    assert sum(finding.score for finding in findings) == pytest.approx(1)


def test_onnx_runtime_is_asked_for_the_device_where_it_knows_one():
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        assert onnx_providers()[0] == "CUDAExecutionProvider"
    assert onnx_providers()[-1] == "CPUExecutionProvider"
