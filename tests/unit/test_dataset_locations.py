"""Names of files as locations: every name survives, whatever bytes it is made of."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import canonical_bytes
from governance.datasets.records import Problem
from governance.errors import DatasetError
from governance_adapters.datasets.sources.images import as_ignored, ending, is_image
from governance_adapters.datasets.sources.locations import Contents, cell, quoted, read_location, span, unquoted
from governance_adapters.datasets.sources.names import NAMES, checked_columns, checked_defaults, chosen, unread
from governance_adapters.datasets.sources.source import FIELDS


@given(st.binary(min_size=1, max_size=40))
def test_every_name_comes_back_and_is_text_that_a_record_can_hold(name):
    text = quoted(os.fsdecode(name))
    assert os.fsencode(unquoted(text)) == name
    assert b"#" not in canonical_bytes(text)
    assert unquoted(unquoted(quoted(text))) == os.fsdecode(name)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="%#"), min_size=1))
def test_plain_names_stay_as_they_are(name):
    assert quoted(name) == name


@given(st.binary(max_size=200), st.data())
def test_any_span_of_a_file_is_read_and_none_beyond_it(tmp_path_factory, content, data):
    folder = tmp_path_factory.mktemp("spans")
    (folder / "a#%.tar").write_bytes(content)
    offset = data.draw(st.integers(0, len(content)))
    size = data.draw(st.integers(0, len(content) - offset))
    name = quoted("a#%.tar")
    assert read_location(span(name, offset, size), str(folder)) == content[offset : offset + size]
    assert Contents(str(folder)).read(span(name, offset, len(content) - offset + 1)) is Problem.UNREADABLE


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "root-beside").mkdir()
    (tmp_path / "root-beside" / "secret").write_bytes(b"secret")
    (folder / "a").write_bytes(b"inside")
    (folder / "link").symlink_to(folder / "a")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "away").symlink_to(tmp_path / "root-beside")
    (folder / "sub" / "up").symlink_to("../../secret")
    (folder / "broken").symlink_to("nothing")
    (folder / "round").symlink_to("round")
    return folder


@pytest.mark.parametrize("location", ["a", "./a", "sub/../a", "link", "sub//../a"])
def test_what_lies_inside_is_read(root, location):
    assert read_location(location, str(root)) == b"inside"


@pytest.mark.parametrize(
    "location",
    [
        "../secret",
        "sub/../../secret",
        "/etc/passwd",
        "out",
        "away/secret",
        "sub/up",
        "../root-beside/secret",
        "..",
        "a%00",
    ],
)
def test_nothing_outside_is_read_whatever_a_name_or_a_link_says(root, location):
    assert Contents(str(root)).read(location) is Problem.BAD_VALUE
    with pytest.raises(DatasetError, match="bad_value"):
        read_location(location, str(root))


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("none", Problem.MISSING),
        ("a/b", Problem.MISSING),
        ("broken", Problem.MISSING),
        ("", Problem.MISSING),
        ("https://example.org/a.png", Problem.MISSING),
        ("round", Problem.UNREADABLE),
        ("sub", Problem.UNREADABLE),
        ("a#1", Problem.BAD_VALUE),
        ("a#-1,2", Problem.BAD_VALUE),
        ("a#1,x", Problem.BAD_VALUE),
        ("a#0,999999999999", Problem.TOO_LARGE),
        ("none.parquet#0,image", Problem.MISSING),
        ("none.parquet#x", Problem.BAD_VALUE),
    ],
)
def test_what_cannot_be_read_says_why(root, location, problem):
    assert Contents(str(root)).read(location) is problem


def test_a_file_that_is_too_large_is_not_read(root):
    with (root / "huge").open("wb") as file:
        file.truncate(300 << 20)
    assert Contents(str(root)).read("huge") is Problem.TOO_LARGE


def test_the_root_may_be_a_link_itself(root, tmp_path):
    (tmp_path / "alias").symlink_to(root)
    assert read_location("a", str(tmp_path / "alias")) == b"inside"


def test_columns_with_any_name_have_cells():
    assert cell("a.parquet", 3, "x#,%") == "a.parquet#3,x%23,%25"


def test_columns_are_found_by_the_names_that_datasets_use():
    there = ["URL", "TEXT", "License", "key", "SHA256", "width"]
    found = chosen(there, {}, "a.parquet")
    assert found == {"id": "key", "content": "SHA256", "caption": "TEXT", "licence": "License", "source": "URL"}
    assert unread(there, found) == ("width",)


def test_a_named_column_wins_and_must_be_there():
    assert chosen(["id", "uid"], {"id": "uid"}, "a.parquet") == {"id": "uid"}
    with pytest.raises(DatasetError, match=r"a\.parquet has no column 'nr', which is to be the id"):
        chosen(["id"], {"id": "nr"}, "a.parquet")


def test_every_field_has_names_and_every_name_one_field():
    assert list(NAMES) == list(FIELDS)
    names = [name for each in NAMES.values() for name in each]
    assert len(set(names)) == len(names)
    assert all(field == names[0] for field, names in NAMES.items())


def test_unknown_fields_and_values_are_refused():
    with pytest.raises(DatasetError, match="no field 'license'"):
        checked_columns({"license": "x"})
    with pytest.raises(DatasetError, match="consent is never 'maybe'"):
        checked_defaults({"consent": "maybe"})
    with pytest.raises(DatasetError, match="No two records share their id"):
        checked_defaults({"id": "1"})
    assert checked_defaults({"licence": "MIT", "consent": "given"}) == {"licence": "MIT", "consent": "given"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.PNG", True), ("b/c.jpeg", True), (".png", False), ("b.png/c", False), ("a.txt", False), ("png", False)],
)
def test_images_by_their_names(name, expected):
    assert is_image(name) is expected


def test_files_that_are_not_read_are_named_by_their_ending():
    assert [as_ignored("a/b.TXT"), as_ignored("README"), ending("a.b.c")] == ["*.txt", "*", "c"]
