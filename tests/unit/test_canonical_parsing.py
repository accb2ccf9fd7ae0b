"""The quick look at canonical bytes agrees with the slow one, whatever it is shown."""

from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import MAX_SAFE_INTEGER, canonical_bytes, is_canonical, parsed_canonical, parsed_json
from governance.entries import Entry, EntryKind, parsed_leaves
from governance.errors import CanonicalError, ProofError

TEXT = st.text(st.characters(codec="utf-8"))
PLAIN = st.text(st.characters(max_codepoint=127))
LEAVES = (
    st.none() | st.booleans() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | TEXT | PLAIN | st.just("\x7f\x00/\\")
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | PLAIN, inner, max_size=4), max_leaves=12
)


@given(VALUES)
def test_canonical_bytes_are_those_of_the_standard(value):
    assert canonical_bytes(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value", [1.0, [1.5], {"a": 2**53}, {1: "a"}, {"a": {None: 1}}, "\ud800", {"\ud800": 1}, {"a": b""}]
)
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(CanonicalError):
        canonical_bytes(value)


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


PLAIN_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN, inner, max_size=4),
    max_leaves=12,
)
SPELLINGS = st.sampled_from([(",", ":"), (", ", ":"), (",", ": ")])


@given(st.lists(PLAIN_VALUES, max_size=6))
def test_many_plain_canonical_values_are_parsed_together(values):
    assert parsed_canonical([canonical_bytes(value) for value in values]) == values


@given(st.lists(st.tuples(VALUES, st.booleans(), SPELLINGS), min_size=1, max_size=6))
def test_what_is_parsed_together_is_canonical_each_by_itself(spelt):
    contents = [
        json.dumps(value, ensure_ascii=False, sort_keys=in_order, separators=separators).encode()
        for value, in_order, separators in spelt
    ]
    values = parsed_canonical(contents)
    if values is not None:
        assert values == [parsed_json(content) for content in contents]
        assert all(map(is_canonical, contents, values))


@pytest.mark.parametrize(
    "contents",
    [
        [b'{"a":1', b'"b":2}'],
        [b'{"a":1},{"b":2}'],
        [b"[1", b"2]"],
        [b"1 ", b"2"],
        [b"-0"],
        [b'{"b":1,"a":2}'],
        [b'{"a":1,"a":1}'],
        [b""],
        [b"1.0"],
        [b"9007199254740992"],
        ["\u00e4".encode()],
        [b'"\\u0041"'],
    ],
)
def test_what_only_looks_right_together_is_not_taken_together(contents):
    assert parsed_canonical(contents) is None


ENTRIES = [Entry(EntryKind.DENIED, f"g{number}", {"version": 1, "item": number}) for number in range(4)]


@given(st.integers(0, 3), st.data())
def test_leaves_are_parsed_together_as_each_alone(position, data):
    leaves = [entry.leaf() for entry in ENTRIES]
    leaf = bytearray(leaves[position])
    at = data.draw(st.integers(0, len(leaf) - 1))
    leaf[at] = data.draw(st.integers(0, 255))
    leaves[position] = bytes(leaf)
    alone = []
    for each in leaves:
        try:
            alone.append(Entry.from_leaf(each))
        except ProofError as error:
            alone.append(str(error))
    together = parsed_leaves(leaves)
    assert [str(each) if isinstance(each, ProofError) else each for each in together] == alone


@pytest.mark.parametrize(
    "change", [{"version": True}, {"kind": "unknown"}, {"kind": []}, {"body": []}, {"id": 7}, {"more": 1}]
)
def test_what_is_no_entry_alone_is_none_among_others(change):
    leaf = canonical_bytes({**json.loads(ENTRIES[0].leaf()), **change})
    found = parsed_leaves([ENTRIES[1].leaf(), leaf])
    assert found[0] == ENTRIES[1]
    assert isinstance(found[1], ProofError)
