"""Tensors and callbacks, which policy cannot read: it is told of them, and by default it lets none through."""

import dataclasses
import json

import pytest
import torch

from governance.entries import EntryKind
from governance.errors import ConfigurationError, DeniedError, RequestError, UnsupportedArgumentError
from governance.governor import Governor
from governance.testing import FakePolicyEngine, fake_parts
from governance.testing.policy import admission_facts
from governance.types import OpaqueKind, Stage
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.pipelines.description.describe import describe
from governance_adapters.pipelines.diffusers import wrap
from governance_adapters.policy.bundle import Bundle
from governance_adapters.wiring import open_policy
from support.allowed import allowed
from support.wrapped import PRINCIPAL, bound, same_picture

EMBEDDING = torch.ones(1, 77, 32)
LATENTS = torch.ones(1, 4, 32, 32)


@pytest.fixture
def policy():
    return FakePolicyEngine()


@pytest.fixture
def governed(pipe, policy):
    return wrap(pipe, Governor(fake_parts(encoder=ImageEncoder(), policy=policy)), PRINCIPAL, "marketing", ("EU",))


def facts_of(policy, stage=Stage.ADMISSION):
    return [facts for asked, facts in policy.asked if asked is stage][-1]


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("prompt_embeds", EMBEDDING, OpaqueKind.EMBEDDING),
        ("negative_prompt_embeds", EMBEDDING, OpaqueKind.EMBEDDING),
        ("ip_adapter_image_embeds", [EMBEDDING], OpaqueKind.EMBEDDING),
        ("latents", LATENTS, OpaqueKind.LATENTS),
        ("timesteps", torch.ones(2), OpaqueKind.OTHER),
        ("latents", LATENTS.numpy(), OpaqueKind.LATENTS),
        ("cross_attention_kwargs", {"ip_adapter_embeds": [EMBEDDING]}, OpaqueKind.EMBEDDING),
        ("cross_attention_kwargs", {"waveform": LATENTS.numpy()}, OpaqueKind.AUDIO),
        ("callback_on_step_end", lambda *_: {}, OpaqueKind.CALLBACK),
    ],
)
def test_policy_is_told_what_it_cannot_read(pipe, name, value, kind):
    (argument,) = bound(pipe, "a", **{name: value}).opaque
    assert (argument.parameter.partition(".")[0], argument.kind) == (name, kind)
    assert (argument.digest is None) is (kind is OpaqueKind.CALLBACK)


def test_the_digest_tells_tensors_apart(pipe):
    def digest(tensor):
        return bound(pipe, "a", latents=tensor).opaque[0].digest

    assert digest(LATENTS) == digest(LATENTS.clone())
    changed = [LATENTS * 2, LATENTS.double(), LATENTS.reshape(1, 4, 64, 16), LATENTS.bfloat16()]
    assert len({digest(tensor) for tensor in [LATENTS, *changed]}) == 5


def test_a_tensor_cannot_change_between_check_and_call(pipe):
    latents = LATENTS.clone()
    arguments = bound(pipe, "a", latents=latents)
    latents.zero_()
    assert torch.equal(arguments.keywords["latents"], LATENTS)


def test_a_batch_of_embeddings_counts_as_that_many_prompts(pipe):
    assert bound(pipe, prompt_embeds=EMBEDDING.repeat(3, 1, 1)).images == 3
    assert (
        bound(pipe, prompt_embeds=[EMBEDDING[0]] * 3).images == 3
    )  # as pipelines take it whose prompts differ in length


@pytest.mark.parametrize(
    "value", [LATENTS.to_sparse(), LATENTS.to("meta"), torch.nn.Parameter(LATENTS), [LATENTS, "a"]]
)
def test_what_has_no_bytes_of_its_own_is_refused(governed, value):
    with pytest.raises(UnsupportedArgumentError):
        governed("a", latents=value)


def test_a_tensor_that_cannot_be_copied_is_refused_on_record(pipe):
    line = Governor(fake_parts(encoder=ImageEncoder()))
    with pytest.raises(UnsupportedArgumentError, match="cannot be copied"):
        wrap(pipe, line, PRINCIPAL, "marketing")("a", latents=torch.zeros(1).expand(1 << 50))
    assert [record.entry.kind for record in line.parts.ledger.records] == [EntryKind.FAILED]


@pytest.mark.parametrize("schedule", [torch.ones(7), [torch.ones(3), torch.ones(4)]])
def test_a_schedule_counts_as_the_steps_that_it_makes(pipe, schedule):
    assert bound(pipe, "a", timesteps=schedule, num_inference_steps=2).steps == 7
    assert bound(pipe, "a", timesteps=schedule, num_inference_steps=9).steps == 9


def test_a_callback_cannot_wait_for_its_own_call(governed):
    caught = []

    def callback(pipe, _step, _timestep, tensors):
        with pytest.raises(RequestError, match="within its own call") as error:
            pipe("a")
        caught.append(error)
        return tensors

    for _ in range(2):  # and the turn is over when the call is
        governed("a", callback_on_step_end=callback, num_inference_steps=1)
    assert len(caught) == 2


def test_what_policy_allows_reaches_the_pipeline(governed, policy):
    seen = []

    def callback(_pipe, step, _timestep, tensors):
        seen.append(step)
        return tensors

    out = governed("a", latents=LATENTS, callback_on_step_end=callback, num_inference_steps=2)
    assert seen == [0, 1]
    kinds = [argument["kind"] for argument in facts_of(policy)["opaque"]]
    assert sorted(kinds) == ["callback", "latents"]
    assert facts_of(policy, Stage.RELEASE)["opaque"] == facts_of(policy)["opaque"]
    again = governed("a", latents=LATENTS, num_inference_steps=2)
    assert same_picture(out.images[0], again.images[0])


def test_other_latents_under_the_same_id_are_another_request(governed):
    from governance.errors import ConflictError

    governed("a", latents=LATENTS, num_inference_steps=1, request_id="one")
    with pytest.raises(ConflictError):
        governed("a", latents=LATENTS * 2, num_inference_steps=1, request_id="one")


def test_the_shipped_policy_denies_each_kind_on_record(pipe, settings, tmp_path):
    allowed(settings, describe(pipe), name="tiny", licence="Apache-2.0")
    line = Governor(fake_parts(encoder=ImageEncoder(), policy=open_policy(settings)))
    governed = wrap(pipe, line, PRINCIPAL, "marketing")
    for argument in (
        {"prompt_embeds": EMBEDDING},
        {"prompt": "a", "latents": LATENTS},
        {"prompt": "a", "callback_on_step_end": lambda *_: {}},
    ):
        with pytest.raises(DeniedError) as caught:
            governed(**argument)
        (decision,) = caught.value.result.items[0].decisions
        assert "argument.opaque" in {reason.code for reason in decision.reasons}
    assert len(line.parts.ledger.entries(kind=EntryKind.DENIED)) == 3


def test_an_allowed_kind_is_let_through_by_the_shipped_rules(settings):
    bundle_data = settings.bundle_path / "data.json"
    data = json.loads(bundle_data.read_text())
    for outcome in ("allow", "review", "deny"):
        bundle_data.write_text(json.dumps({**data, "opaque": {**data["opaque"], "latents": outcome}}))
        facts = admission_facts()
        facts["opaque"] = [{"parameter": "latents", "kind": "latents", "digest": "0" * 64}]
        bundle = Bundle.load(settings.bundle_path)
        from governance.testing.corpus import example_data
        from governance_adapters.policy.regorus import RegorusEngine

        engine = RegorusEngine(dataclasses.replace(bundle, data=example_data(bundle.data)), engines=1)
        assert engine.decide(Stage.ADMISSION, facts).outcome == outcome


def test_markets_are_facts_of_every_call(governed, policy):
    governed("a", num_inference_steps=1)
    assert facts_of(policy)["request"]["markets"] == ["EU"]
    governed("a", num_inference_steps=1, markets=["US", "CN", "US"])
    assert facts_of(policy)["request"]["markets"] == ["CN", "US"]
    governed("a", num_inference_steps=1, markets=())
    assert facts_of(policy)["request"]["markets"] == []


@pytest.mark.parametrize("markets", ["EU", {"EU"}, [7], None])
def test_markets_are_a_list_of_texts(governed, markets):
    with pytest.raises(ConfigurationError, match="markets"):
        governed("a", markets=markets)
