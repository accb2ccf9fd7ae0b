"""Addresses of tiles: one spelling each, and the one that others write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlog_scales import tiles

from governance.errors import LogSourceError
from governance.tile_paths import ENTRIES, MAX_NUMBER, TilePath

LEVELS = st.integers(ENTRIES, 63)
NUMBERS = st.integers(0, 2_000) | st.integers(0, MAX_NUMBER)


@given(LEVELS, NUMBERS, st.integers(1, 256))
def test_what_is_written_is_read_and_is_what_another_implementation_writes(level, number, width):
    path = TilePath(level, number, width)
    assert TilePath.parse(str(path)) == path
    assert str(path).split("/") == tiles.tile_path(level, number, width % 256)


def test_the_example_of_the_specification():
    assert str(TilePath(0, 1_234_067)) == "tile/0/x001/x234/067"
    assert str(TilePath(1, 7, 12)) == "tile/1/007.p/12"
    assert str(TilePath(ENTRIES, 1_000, 3)) == "tile/entries/x001/000.p/3"


@pytest.mark.parametrize(
    "text",
    [
        "", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/00/000", "tile/01/000",
        "tile/64/000", "tile/-1/000", "tile/x/000", "tile/Entries/000", "tile/0/x000/000", "tile/0/001/002", "tile/0/x001",
        "tile/0/000.p/0", "tile/0/000.p/00", "tile/0/000.p/01", "tile/0/000.p/256", "tile/0/000.p/257", "tile/0/000.p",
        "tile/0/000.p/", "tile/0/000/", "/tile/0/000", "tile/0/000\n", "tile/0/\u0660\u0660\u0660", "tile/0/../000",
        f"tile/0/{'x036/' * 6}000", "tile/0/x000/x000/x000/x001/x000/x000/000", "checkpoint",
    ],
)  # fmt: skip
def test_no_other_spelling_is_an_address(text):
    assert TilePath.parse(text) is None


@given(st.text(st.sampled_from("tile/0123x.p")))
def test_whatever_is_read_is_written_the_same(text):
    for address in (text, f"tile/{text}", f"tile/0/{text}"):
        path = TilePath.parse(address)
        assert path is None or str(path) == address


@pytest.mark.parametrize("arguments", [(-2, 0), (64, 0), (0, -1), (0, MAX_NUMBER + 1), (0, 0, 0), (0, 0, 257)])
def test_there_are_no_other_tiles(arguments):
    with pytest.raises(LogSourceError):
        TilePath(*arguments)
