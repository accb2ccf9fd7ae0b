"""Callbacks of a governed call, under a policy that allows them: what they hear, and what they do not see."""

import pytest
import torch
from diffusers.callbacks import SDCFGCutoffCallback

from governance.entries import EntryKind
from governance.errors import ModelError, UnsupportedArgumentError
from governance.governor import Governor
from governance.testing import FakePolicyEngine, fake_parts
from governance.types import OpaqueKind, Stage
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.pipelines.diffusers import wrap
from governance_adapters.pipelines.sealing.callbacks import guarded_callback
from governance_adapters.pipelines.sealing.origins import check_loading
from governance_adapters.pipelines.sealing.running import is_running, running
from support.wrapped import PRINCIPAL, last, same_picture

ASKED = "callback_on_step_end_tensor_inputs"


@pytest.fixture
def policy():
    return FakePolicyEngine()


@pytest.fixture
def governed(pipe, policy):
    return wrap(pipe, Governor(fake_parts(encoder=ImageEncoder(), policy=policy)), PRINCIPAL, "marketing")


def opaque_of(policy):
    facts = [facts for asked, facts in policy.asked if asked is Stage.ADMISSION][-1]
    return {argument["parameter"]: argument["kind"] for argument in facts["opaque"]}


def painted(pipe, **keywords):
    return pipe("a", num_inference_steps=3, generator=torch.Generator().manual_seed(3), **keywords).images[0]


def test_it_hears_of_each_step_sees_no_tensor_and_changes_nothing(governed, policy):
    heard = []

    def callback(pipe, step, timestep, tensors):
        heard.append((step, int(timestep), dict(tensors), pipe is governed))
        return {"latents": torch.zeros(1, 4, 32, 32)}

    out = painted(governed, callback_on_step_end=callback)
    assert [(step, tensors, same) for step, _, tensors, same in heard] == [(n, {}, True) for n in range(3)]
    assert heard[0][1] > heard[2][1] > 0
    assert opaque_of(policy) == {"callback_on_step_end": OpaqueKind.CALLBACK}
    assert same_picture(out, painted(governed))


def test_the_tensors_it_asks_for_are_an_argument_that_policy_decides_on(governed, policy):
    def callback(_pipe, _step, _timestep, tensors):
        assert list(tensors) == ["latents"]
        return {"latents": tensors["latents"] * 2, "prompt_embeds": None}

    out = painted(governed, callback_on_step_end=callback, **{ASKED: ["latents"]})
    assert opaque_of(policy) == {"callback_on_step_end": OpaqueKind.CALLBACK, ASKED: OpaqueKind.LATENTS}
    assert not same_picture(out, painted(governed))


def test_what_diffusers_own_callbacks_want_is_asked_for(governed, policy):
    painted(governed, callback_on_step_end=SDCFGCutoffCallback(cutoff_step_ratio=0.5))
    assert opaque_of(policy)[ASKED] == OpaqueKind.LATENTS
    assert governed.guidance_scale == 0  # what it does at its step, when it finds the tensor that it wants


@pytest.mark.parametrize("asked", ["latents", [7], {"latents"}])
def test_names_of_tensors_are_a_list_of_texts(governed, asked):
    with pytest.raises(UnsupportedArgumentError, match="list of texts"):
        painted(governed, callback_on_step_end=lambda *_: {}, **{ASKED: asked})


def test_the_older_kind_gets_a_number_of_one_and_nothing_for_the_latents():
    heard = []
    guarded = guarded_callback(lambda *args: heard.append(args), ())
    guarded(3, torch.tensor(7), torch.ones(1, 4, 8, 8))
    guarded(3, torch.tensor(7), [torch.ones(4), torch.ones(4)])
    assert [(step, int(timestep), latents) for step, timestep, latents in heard] == [(3, 7, None), (3, 7, None)]


def test_the_modules_are_closed_while_it_runs_and_open_again_after():
    seen = []
    with running():
        guarded_callback(lambda: seen.append(is_running()), ())()
        seen.append(is_running())
    assert seen == [False, True]


def test_one_that_raises_fails_the_call_and_leaves_the_modules_closed(governed):
    def callback(*_):
        raise ValueError("no")

    with pytest.raises(Exception, match="ValueError: no"):
        painted(governed, callback_on_step_end=callback)
    assert not is_running()


@pytest.mark.parametrize(
    ("method", "args", "keywords"),
    [
        ("load_lora_weights", ("style.BIN",), {}),
        ("load_lora_weights", ("folder",), {"weight_name": "style"}),
        ("load_lora_weights", ("folder",), {"weight_name": "style.ckpt"}),
        ("load_textual_inversion", (["one.safetensors", "two.pt"],), {}),
        ("load_ip_adapter", ("folder",), {"weight_name": ["a.safetensors", "b.bin"]}),
        ("from_single_file", ("model.ckpt",), {}),
        ("from_pretrained", ("folder",), {"use_safetensors": False}),
        ("from_pretrained", ("folder",), {"custom_pipeline": "theirs"}),
        ("from_pipe", (), {"trust_remote_code": True}),
    ],
)
def test_pickles_and_remote_code_are_not_loaded(method, args, keywords):
    with pytest.raises(ModelError):
        check_loading(method, args, keywords)


def test_an_ip_adapter_comes_from_a_folder_without_pickles(tmp_path):
    assert check_loading("load_ip_adapter", (tmp_path,), {"weight_name": "a.safetensors"})
    (tmp_path / "image_encoder").mkdir()
    (tmp_path / "image_encoder" / "pytorch_model.bin").touch()
    with pytest.raises(ModelError, match=r"pytorch_model\.bin"):
        check_loading("load_ip_adapter", (tmp_path,), {"weight_name": "a.safetensors"})


def test_where_nothing_is_said_safetensors_are_asked_for():
    assert check_loading("load_lora_weights", ("folder",), {}) == {"use_safetensors": True}


def test_a_loader_that_is_refused_is_on_record(pipe, line):
    wrap(pipe, line, PRINCIPAL, "marketing")
    with pytest.raises(ModelError):
        pipe.load_lora_weights("style.bin")
    assert last(line, EntryKind.FAILED).body["error"] == "ModelError"
