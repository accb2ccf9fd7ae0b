"""Arguments recorded as JSON come back as the arguments they were."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from governance.canonical import canonical_bytes
from governance.errors import RequestError, UnsupportedArgumentError
from governance_adapters.pipelines.arguments.recorded import (
    ArrayPlace,
    OpaquePlace,
    PicturePlace,
    PromptPlace,
    recorded,
)
from governance_adapters.pipelines.arguments.restored import restored

PROMPTS = ("a seven", "", "ein Pferd")
PICTURES = tuple(np.full((4, 6, 3), level, np.uint8) for level in (0, 7, 255, 128))
OPAQUE = (object(), object())

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts
_places = (
    st.builds(PromptPlace, st.integers(0, 2))
    | st.builds(PicturePlace, st.integers(0, 3), st.booleans())
    | st.builds(OpaquePlace, st.integers(0, 1))
    | st.sampled_from([ArrayPlace(0, (4, 6)), ArrayPlace(1, (4, 6, 1)), ArrayPlace(3, (4, 6, 3))])
    | st.sampled_from([ArrayPlace(1, (2, 4, 6, 3)), ArrayPlace(0, (2, 2, 4, 6, 1)), ArrayPlace(0, (4, 4, 6, 3))])
)
_keys = _texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_values = st.recursive(
    _plain | _places,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(_keys, inner, max_size=3)
    ),
    max_leaves=12,
)


def stood(value):
    """What stands in a place."""
    match value:
        case PromptPlace(index):
            return PROMPTS[index]
        case OpaquePlace(index):
            return OPAQUE[index]
        case PicturePlace(index, grey):
            return Image.fromarray(PICTURES[index][..., 0] if grey else PICTURES[index])
        case ArrayPlace(index, shape):
            channels = shape[-1] if len(shape) > 2 else 1
            levels = [picture[..., :channels] for picture in PICTURES[index : index + int(np.prod(shape[:-3]))]]
            return (np.stack(levels).astype(np.float32) / 255).reshape(shape)
    return value


def told(given_):
    """A restored value, written so that two of them compare exactly: types, floats and pixels too."""
    match value := stood(given_):
        case Image.Image():
            return value.mode, value.size, value.tobytes()
        case np.ndarray():
            return value.dtype.str, value.shape, value.tobytes()
        case list() | tuple():
            return type(value).__name__, [told(item) for item in value]
        case dict():
            return "dict", sorted(((told(key), told(item)) for key, item in value.items()), key=repr)
    return (type(value).__name__, repr(value)) if value not in OPAQUE else id(value)


@given(st.dictionaries(st.from_regex("[a-z_]{1,12}", fullmatch=True), _values, max_size=5))
def test_what_was_recorded_comes_back_as_it_was(arguments):
    written = canonical_bytes({name: recorded(value) for name, value in arguments.items()})
    assert told(restored(json.loads(written), PROMPTS, PICTURES, OPAQUE)) == told(arguments)


def test_no_text_that_a_person_wrote_stands_in_the_record():
    written = recorded([PromptPlace(0), {"scale": 0.5, "words": PromptPlace(2)}, PicturePlace(1)])
    assert json.dumps(written) == (
        '[{"prompt": 0}, {"mapping": {"scale": {"float": "0.5"}, "words": {"prompt": 2}}}, {"input": 1, "form": "RGB"}]'
    )


@dataclass
class Foreign:
    words: str


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")], object, {1, 2}, b"words", Foreign("a")])
def test_what_has_no_recorded_form_is_refused(value):
    with pytest.raises(UnsupportedArgumentError) as caught:
        recorded(value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "value", [{"prompt": 3}, {"prompt": -1}, {"input": 4, "form": "RGB"}, {"opaque": 2}, [{"tuple": [{"prompt": 9}]}]]
)
def test_what_is_not_known_any_more_is_said(value):
    with pytest.raises(RequestError, match="not known any more"):
        restored({"prompt": value}, PROMPTS, PICTURES, OPAQUE)


def test_an_erased_prompt_is_not_known_any_more():
    with pytest.raises(RequestError, match="'prompt' is not known"):
        restored({"prompt": {"prompt": 0}}, [None], [])


def test_a_picture_of_another_size_is_not_the_recorded_one():
    with pytest.raises(RequestError, match="another size"):
        restored({"image": {"input": 0, "form": "array", "shape": [6, 4, 3]}}, [], PICTURES)


@pytest.mark.parametrize(
    "value",
    [
        {"float": "much"},
        {"float": "0.5", "prompt": 0},
        {"prompt": "0"},
        {"tuple": 7},
        {"tuple": None},
        {"mapping": []},
        {"of": "os:environ", "member": "HOME"},
        {"of": "subprocess:Popen", "fields": {"args": "ls"}},
        {"of": "diffusers.nowhere:Any", "fields": {}},
        {"of": "diffusers.models.autoencoders.vae:DiagonalGaussianDistribution", "fields": {"parameters": 1}},
        {},
    ],
    ids=str,
)
def test_what_nobody_recorded_is_refused(value):
    with pytest.raises(RequestError, match="form that cannot be read"):
        restored({"prompt": value}, PROMPTS, PICTURES, OPAQUE)
