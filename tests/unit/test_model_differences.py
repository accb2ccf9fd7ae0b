"""What differs between a recorded model and one that is here, in words."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import digest
from governance.errors import LedgerError
from governance.hold_history import model_of
from governance.model_differences import ModelPart, model_differences
from governance.testing import EXAMPLE_MODEL
from governance.types import AdapterFacts, ModelFacts

LORA = AdapterFacts("unet/style", digest(b"lora"), 500, {"down.to_q": "0.5", "up.to_q": "0.25"})
WHOLE = replace(
    EXAMPLE_MODEL,
    adapters=(LORA,),
    environment={"threads": {"intra": 1, "inter": 2}, "computation": {"unet": {"attention": {"AttnProcessor2_0": 16}}}},
)

texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=8)
leaves = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
tables = st.dictionaries(texts, values, max_size=3)
digests = st.binary(max_size=2).map(digest)
adapters = st.builds(AdapterFacts, texts, digests, st.integers(-5000, 5000), st.dictionaries(texts, texts, max_size=3))
models = st.builds(
    ModelFacts,
    texts,
    st.dictionaries(texts, digests, min_size=1, max_size=3),
    texts,
    tables,
    texts,
    texts,
    st.lists(adapters, max_size=2, unique_by=lambda adapter: adapter.name).map(tuple),
    st.dictionaries(texts, texts, max_size=3),
    tables,
)


def differing(**changes):
    """The part and the words of each difference between the whole model and the same with `changes`."""
    return [(each.part, each.text) for each in model_differences(WHOLE.as_json(), replace(WHOLE, **changes))]


@given(models)
def test_a_model_does_not_differ_from_its_own_record(model):
    assert model_differences(model.as_json(), model) == ()


@given(models, models)
def test_two_models_differ_in_words_exactly_where_their_documents_do(one, other):
    assert bool(model_differences(one.as_json(), other)) == (one.digest != other.digest)


@given(models)
def test_what_was_written_is_read_back_as_it_was(model):
    read = model_of(model.as_json())
    assert (read.as_json(), read.as_facts()) == (model.as_json(), model.as_facts())
    assert model_of(model.as_facts()).as_facts() == model.as_facts()


def test_other_weights_are_a_component():
    components = {**WHOLE.components, "unet": digest(b"fused")}
    ((part, text),) = differing(components=components)
    assert part is ModelPart.COMPONENTS
    assert text.startswith("component unet: other weights, configuration or class (")
    assert digest(b"fused")[:12] in text


def test_a_component_that_came_and_one_that_went():
    components = {"unet": WHOLE.components["unet"], "vae": WHOLE.components["vae"], "checker": digest(b"x")}
    assert [text.partition(": ")[0] for _, text in differing(components=components)] == [
        "component checker",
        "component text_encoder",
    ]


def test_a_scale_says_what_it_was_and_what_it_is():
    scales = {"down.to_q": "0.8", "up.to_q": "0.25"}
    assert differing(adapters=(replace(LORA, scale_thousandths=800, scales=scales),)) == [
        (ModelPart.ADAPTERS, "adapter unet/style: scale 0.5 recorded, 0.8 here, in 1 of 2 modules")
    ]


def test_a_scale_below_the_largest_is_found_too():
    scales = {"down.to_q": "0.5", "up.to_q": "-0.25"}
    assert differing(adapters=(replace(LORA, scales=scales),)) == [
        (
            ModelPart.ADAPTERS,
            "adapter unet/style: other scales in 1 of 2 modules (up.to_q: 0.25 recorded, -0.25 here)",
        )
    ]


def test_adapters_that_came_went_or_have_other_weights():
    other = replace(LORA, name="unet/other")
    assert [text for _, text in differing(adapters=(other,))] == [
        "adapter unet/other: not in the record, in force here with scale 0.5",
        "adapter unet/style: recorded with scale 0.5, missing here",
    ]
    ((_, text),) = differing(adapters=(replace(LORA, digest=digest(b"retrained")),))
    assert text.startswith("adapter unet/style: other weights (")


def test_the_options_of_another_scheduler_are_no_differences_of_their_own():
    assert differing(scheduler="EulerDiscreteScheduler", scheduler_config={"beta_end": "0.1"}) == [
        (ModelPart.SCHEDULER, "scheduler: DDIMScheduler recorded, EulerDiscreteScheduler here")
    ]
    assert differing(scheduler_config={"num_train_timesteps": 500}) == [
        (ModelPart.SCHEDULER, "scheduler option num_train_timesteps: 1000 recorded, 500 here")
    ]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"device": "cuda:0"}, "device: cpu recorded, cuda:0 here"),
        ({"dtype": "float16"}, "dtype: float32 recorded, float16 here"),
        ({"versions": {"diffusers": "0.43.0"}}, "version of diffusers: 0.42.1 recorded, 0.43.0 here"),
        (
            {"environment": {**WHOLE.environment, "threads": {"intra": 2, "inter": 2}}},
            "threads.intra: 1 recorded, 2 here",
        ),
        (
            {"environment": {**WHOLE.environment, "computation": {"unet": {"attention": {"AttnProcessor": 16}}}}},
            "computation.unet.attention.AttnProcessor: nothing recorded, 16 here",
        ),
    ],
    ids=["device", "dtype", "version", "threads", "attention"],
)
def test_what_belongs_to_the_place(changes, text):
    assert (ModelPart.ENVIRONMENT, text) in differing(**changes)
    assert {part for part, _ in differing(**changes)} == {ModelPart.ENVIRONMENT}


def test_true_is_not_one_and_a_long_value_is_cut():
    assert differing(scheduler_config={"num_train_timesteps": True})
    ((_, text),) = differing(scheduler_config={"num_train_timesteps": list(range(1000))})
    assert len(text) < 160


def test_what_a_record_of_version_one_does_not_say_is_named_once():
    ((part, text),) = [(each.part, each.text) for each in model_differences(WHOLE.as_facts(), WHOLE)]
    assert (part, text) == (
        ModelPart.ENVIRONMENT,
        "the record does not say with which threads and switches it ran",
    )
    assert len(model_differences(WHOLE.as_json(), replace(WHOLE, environment={}))) == 1


def test_policy_sees_neither_the_environment_nor_single_scales():
    assert (
        WHOLE.as_facts()
        == replace(WHOLE, environment={"threads": 9}, adapters=(replace(LORA, scales={"down.to_q": "0.5"}),)).as_facts()
    )


@pytest.mark.parametrize("damaged", [{}, {"pipeline": "x"}, {**WHOLE.as_json(), "adapters": [{}]}])
def test_a_document_that_is_no_models_is_refused(damaged):
    with pytest.raises(LedgerError, match="cannot be read"):
        model_differences(damaged, WHOLE)
