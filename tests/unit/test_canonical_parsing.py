"""The quick look at canonical bytes agrees with the slow one, whatever it is shown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import MAX_SAFE_INTEGER, canonical_bytes, is_canonical, parsed_json

TEXT = st.text(st.characters(codec="utf-8"))
PLAIN = st.text(st.characters(max_codepoint=127))
LEAVES = (
    st.none() | st.booleans() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | TEXT | PLAIN | st.just("\x7f\x00/\\")
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | PLAIN, inner, max_size=4), max_leaves=12
)


@given(VALUES)
def test_canonical_bytes_are_canonical(value):
    content = canonical_bytes(value)
    assert parsed_json(content) == value
    assert is_canonical(content, parsed_json(content))


@given(VALUES, st.booleans(), st.booleans(), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_other_spellings_are_canonical_only_where_they_are_the_same_bytes(value, ascii_only, in_order, separators):
    spelt = json.dumps(value, ensure_ascii=ascii_only, sort_keys=in_order, separators=separators).encode()
    assert is_canonical(spelt, parsed_json(spelt)) == (spelt == canonical_bytes(value))


@pytest.mark.parametrize(
    "content",
    [b"1.0", b"1e3", b"NaN", b"[Infinity]", b'{"a":9007199254740992}', b'{"a":-9007199254740992}', b"", b"{", b"\xff"],
)
def test_what_has_no_canonical_form_is_not_parsed(content):
    with pytest.raises(ValueError):
        parsed_json(content)


@pytest.mark.parametrize("content", [b'{"a":1,"a":1}', b'{"b":1,"a":1}', b"-0", b'"\\u0041"', b'"\\/"', b' "a"'])
def test_other_spellings(content):
    assert not is_canonical(content, parsed_json(content))
