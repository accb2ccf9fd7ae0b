"""What a file says of itself: names, values, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import MarkError
from governance.metadata import (
    AIGC,
    AIGC_CHARACTERS,
    AIGC_MEMBERS,
    NAMESPACES,
    PNG_AIGC,
    PROMPT,
    require_writable,
)
from governance.testing.metadata import example_metadata

EXAMPLE = example_metadata()


def test_every_name_has_a_namespace_and_none_names_a_person():
    names = EXAMPLE.properties("image/jpeg")
    assert {name.partition(":")[0] for name in names} <= set(NAMESPACES)
    assert "Iptc4xmpExt:AIPromptWriterName" not in names
    assert PROMPT not in names
    assert PNG_AIGC not in names
    assert EXAMPLE.properties("image/png")[PNG_AIGC] == names[AIGC]


def test_the_aigc_text_has_seven_members_of_allowed_characters():
    members = json.loads(EXAMPLE.properties("image/png")[AIGC])
    assert tuple(members) == AIGC_MEMBERS
    assert members["Label"] == "1"
    assert members["ContentProducer"] == members["ContentPropagator"] == "Example%20Provider"
    assert members["ProduceID"] == members["PropagateID"] == EXAMPLE.asset_id


@given(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=40))
def test_any_providers_name_fits_annex_e(provider):
    members = json.loads(replace(EXAMPLE, provider=provider).properties("")[AIGC])
    assert all(AIGC_CHARACTERS.fullmatch(value) for value in members.values())


def test_what_is_empty_is_left_out():
    bare = replace(EXAMPLE, provider="", visible_label="", label_language="").properties("image/webp")
    assert all(bare.values())
    assert not any("Label" in name or "publisher" in name for name in bare)


@pytest.mark.parametrize(
    "wrong",
    [
        {"asset_id": ""},
        {"system": ""},
        {"version": "1\n2"},
        {"provider": "a\x00b"},
        {"visible_label": "two\nlines"},
        {"label_language": "\u202e"},
        {"created_at": "yesterday"},
        {"created_at": "2026-11-01T12:00:00"},
        {"source_type": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"},
        {"prompt": "a\x07b"},
        {"prompt": "\ud800"},
    ],
)
def test_what_cannot_stand_in_a_file_is_refused(wrong):
    with pytest.raises(MarkError):
        replace(EXAMPLE, **wrong)


@given(st.text())
def test_a_text_is_writable_or_refused(text):
    controls = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))} - set("\t\n\r\x85")
    try:
        require_writable(text)
    except MarkError:
        return
    assert not controls & set(text)


def test_the_record_says_all_but_the_prompt():
    told = replace(EXAMPLE, prompt="a red kite")
    assert set(told.properties("")) - set(told.as_record()) == {PROMPT}
