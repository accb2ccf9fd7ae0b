"""Pipelines that have a language model of their own rewrite the prompt: policy would see another text, so they are refused."""

import inspect
from types import CodeType, FunctionType

import numpy as np
import pytest

from governance.entries import EntryKind
from governance.errors import UnsupportedArgumentError
from governance.governor import Governor
from governance.testing import FakePolicyEngine, fake_parts
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.pipelines.arguments.binding import bind
from governance_adapters.pipelines.arguments.rewriting import SWITCHES, refuse_rewriting
from governance_adapters.pipelines.catalogue import pipeline_classes
from governance_adapters.pipelines.diffusers import wrap
from governance_adapters.pipelines.kinds import refusal
from support.markdown import ROOT
from support.tiny_pipelines import TINY
from support.wrapped import PRINCIPAL

NO_TEXT = {"GlmImagePipeline"}
"""Classes whose language model makes tokens of the picture, no text: what it reads is the prompt that policy saw."""
ON_BY_DEFAULT = {"LongCatImagePipeline": "enable_prompt_rewrite", "ErnieImagePipeline": "use_pe"}
CLASSES = pipeline_classes()
SWITCHED = {
    name: [each for each in inspect.signature(kind.__call__).parameters if each in SWITCHES]
    for name, kind in CLASSES.items()
    if refusal(kind) is None
}


def names(code):
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names(constant)


def reached(kind):
    """Every function of diffusers that the code of the class's call names, and those that they name in turn."""
    left, seen = [kind.__call__], set()
    while left:
        function = inspect.unwrap(left.pop())
        if function in seen or not function.__module__.startswith("diffusers"):
            continue
        seen.add(function)
        for name in names(function.__code__):
            for found in (inspect.getattr_static(kind, name, None), function.__globals__.get(name)):
                inner = getattr(found, "__func__", getattr(found, "fget", found))
                if isinstance(inner, FunctionType):
                    left.append(inner)
    return seen


def test_a_call_that_lets_a_language_model_speak_has_a_switch_that_is_known():
    """How a language model is made to speak is `generate`, whatever diffusers calls the parameter that asks for it."""
    speaking = {name for name in SWITCHED if any("generate" in names(each.__code__) for each in reached(CLASSES[name]))}
    assert speaking >= {"LongCatImagePipeline", "Ideogram4Pipeline", "LTX2Pipeline"}
    assert speaking - NO_TEXT == {name for name, switches in SWITCHED.items() if switches}
    assert speaking >= NO_TEXT
    assert {each for switches in SWITCHED.values() for each in switches} == SWITCHES.keys()


@pytest.mark.parametrize("name", [name for name, switches in SWITCHED.items() if switches])
def test_each_such_class_is_refused_with_its_switch_on(name):
    kind, (switch,) = CLASSES[name], SWITCHED[name]
    pipe = object.__new__(kind)  # it is refused before anything of it is looked at
    for on in (True, 1, 0.15, np.True_, np.float32(0.5)):
        with pytest.raises(UnsupportedArgumentError, match=f"`{switch}` on, {name} would rewrite") as refused:
            bind(pipe, kind.__call__, (), {"prompt": "a red fox", switch: on})
        assert f"`{switch}={SWITCHES[switch]}`" in refused.value.remedy


@pytest.mark.parametrize("name", ON_BY_DEFAULT)
def test_a_switch_that_is_on_by_default_is_on(name):
    with pytest.raises(UnsupportedArgumentError, match=ON_BY_DEFAULT[name]):
        bind(object.__new__(CLASSES[name]), CLASSES[name].__call__, ("a red fox",), {})


@pytest.mark.parametrize("switch", SWITCHES)
def test_off_is_what_is_said_to_be_off(switch):
    refuse_rewriting("Pipeline", {"prompt": "a red fox", switch: SWITCHES[switch]})
    assert f"| `{switch}` | {SWITCHES[switch]} |" in (ROOT / "docs" / "inputs.md").read_text()


def test_policy_is_not_asked_and_the_record_says_why(tmp_path):
    tiny = TINY["LongCatImagePipeline"]
    engine = FakePolicyEngine()
    line = Governor(fake_parts(encoder=ImageEncoder(), policy=engine))
    pipe = wrap(tiny.quiet(tmp_path), line, PRINCIPAL, "marketing")
    asked = {name: value for name, value in tiny.call.items() if name != "enable_prompt_rewrite"}
    with pytest.raises(UnsupportedArgumentError, match="enable_prompt_rewrite"):
        pipe(**asked)
    assert not engine.asked
    (entry,) = [entry for _, entry in line.parts.ledger.entries(kind=EntryKind.FAILED)]
    assert entry.body["error"] == "UnsupportedArgumentError"
    assert pipe(**asked, enable_prompt_rewrite=False).images
    assert engine.asked
