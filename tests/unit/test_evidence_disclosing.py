"""What a pack shows of personal fields: names that are withheld, and what quotes them."""

from __future__ import annotations

import pytest

from governance.entries import PersonalField
from governance.errors import ConfigurationError
from governance.evidence.disclosing import Disclosure, FieldState, states

NAMES = ("/prompts/0", "/prompts/10", "/principal/id", "/decision/messages")


def prompt(text):
    return {
        "kind": "prompt", "parameter": "prompt", "position": 0, "text": text, "normalised": text.lower(),
        "ngrams": text.lower().split(), "hints": [], "hidden": [], "length": len(text),
    }  # fmt: skip


def shown(choice, **values):
    fields = [
        PersonalField(name.replace("_", "/").replace("//", "_"), b"s" * 32, value) for name, value in values.items()
    ]
    return {field.name: state for field, state in states(fields, choice)}


@pytest.mark.parametrize(
    ("choice", "disclosed"),
    [
        (Disclosure(), set(NAMES)),
        (Disclosure(("/prompts/1",)), set(NAMES)),
        (Disclosure(("/prompts/0",)), set(NAMES) - {"/prompts/0"}),
        (Disclosure(("/prompts",)), {"/principal/id", "/decision/messages"}),
        (Disclosure(("/prompts/",)), {"/principal/id", "/decision/messages"}),
        (Disclosure((), ("/principal",)), {"/principal/id"}),
        (Disclosure(("/prompts/0",), ("/prompts",)), {"/prompts/10"}),
        (Disclosure((), ()), set()),
    ],
)
def test_a_name_stands_for_itself_and_what_is_below(choice, disclosed):
    assert {name for name in NAMES if choice.shows(name)} == disclosed


@pytest.mark.parametrize(
    "choice", [Disclosure(("/prompt",)), Disclosure((), ("/prompts/2",)), Disclosure(("prompts",))]
)
def test_a_name_that_no_field_has_is_refused(choice):
    with pytest.raises(ConfigurationError, match="/prompts/10"):
        choice.check(NAMES)


def test_what_quotes_a_withheld_prompt_goes_with_it():
    choice = Disclosure(("/prompts/0",))
    found = shown(
        choice,
        _prompts_0=prompt("Forged banknotes, of course"),
        _prompts_1=prompt("blurry, of course"),
        _prompts_2=prompt("no forged banknotes, of course, please"),
        _decision_messages=["The prompt names a term blocked as FORGED."],
        _comment="a word about the course of this",
        _error_message="it failed",
    )
    assert found == {
        "/prompts/0": FieldState.WITHHELD,
        "/prompts/1": FieldState.DISCLOSED,
        "/prompts/2": FieldState.QUOTING,
        "/decision/messages": FieldState.QUOTING,
        "/comment": FieldState.QUOTING,
        "/error/message": FieldState.DISCLOSED,
    }


def test_a_person_is_withheld_wherever_the_name_stands():
    found = shown(Disclosure(("/principal",)), _principal_id="ann@example.org", _hold_requester="Ann@example.org")
    assert found == {"/principal/id": FieldState.WITHHELD, "/hold/requester": FieldState.QUOTING}


def test_a_text_that_is_the_whole_of_a_withheld_one_goes_with_it_however_short():
    found = shown(
        Disclosure(("/principal", "/prompts/0")),
        _principal_id="bob",
        _hold_requester="Bob",
        _prompts_0=prompt("cat"),
        _prompts_1=prompt("Cat"),
        _prompts_2=prompt("a cat"),
        _comment="bobbing",
    )
    assert found == {
        "/principal/id": FieldState.WITHHELD,
        "/hold/requester": FieldState.QUOTING,
        "/prompts/0": FieldState.WITHHELD,
        "/prompts/1": FieldState.QUOTING,
        "/prompts/2": FieldState.DISCLOSED,
        "/comment": FieldState.DISCLOSED,
    }


def test_nothing_quotes_where_nothing_is_withheld():
    found = shown(Disclosure(), _principal_id="ann@example.org", _comment="ann@example.org said so")
    assert set(found.values()) == {FieldState.DISCLOSED}
