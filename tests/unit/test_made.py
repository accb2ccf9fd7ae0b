"""Have we made this? Each look, in its order, over fakes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from governance.errors import LedgerError, MarkError
from governance.governor import Governor
from governance.made import MOST, Ground, PictureFinder
from governance.marks import MarkReader
from governance.testing import FakePipeline, example_picture, example_request, fake_parts


@pytest.fixture
def parts():
    return fake_parts()


@pytest.fixture
def finder(parts):
    marks = MarkReader((parts.watermarker,), parts.mark_key, parts.codecs, parts.fingerprinter)
    return PictureFinder(parts.ledger, marks)


def released(parts, number=0):
    (item,) = Governor(parts).generate(example_request(id=f"r{number}", seeds=(number,)), FakePipeline()).items
    return item


def encoded(parts, pixels):
    return parts.encoder.encode(pixels, "image/png")


def unmarked(pixels):
    """The same picture to the eye, without the lowest bits, in which the fake mark is."""
    return np.asarray(pixels & 0xFE, dtype=np.uint8)


def test_the_same_bytes_come_before_everything_else(parts, finder):
    item = released(parts)
    (match,) = finder.find(item.asset.content)
    assert (match.ground, match.entry, match.attribution) == (Ground.BYTES, item.entry, None)
    assert (match.asset_id, match.asset_digest) == (item.asset.id, item.asset.digest)
    assert match.as_json()["pdq_distance"] is None


def test_a_marked_copy_is_attributed(parts, finder):
    item = released(parts)
    pixels = parts.encoder.decode(item.asset.content)
    (match,) = finder.find(encoded(parts, pixels))
    assert (match.ground, match.grade, match.entry) == (Ground.MARK, "attributed", item.entry)
    assert match.as_json()["pdq_distance"] == 0


def test_a_mark_that_was_copied_onto_another_picture_says_so(parts, finder):
    item = released(parts)
    (payload,) = parts.watermarker.extract(parts.encoder.decode(item.asset.content))
    other = parts.watermarker.embed(255 - example_picture(256, 256, seed=9), payload, 1.0)
    (match,) = finder.find(encoded(parts, other))
    assert (match.ground, match.grade) == (Ground.MARK, "mark present, picture differs")
    assert match.attribution.pdq_distance > 31


def test_without_a_mark_the_nearest_come_first(parts, finder):
    items = [released(parts, number) for number in range(3)]
    marked = parts.encoder.decode(items[1].asset.content)
    plain = unmarked(marked)
    assert not list(parts.watermarker.extract(plain))
    found = finder.find(encoded(parts, plain))
    assert found
    assert {match.ground for match in found} == {Ground.LOOKS}
    assert found[0].entry == items[1].entry
    assert found[0].grade.startswith("shapes")
    distances = [match.attribution.pdq_distance for match in found]
    assert distances == sorted(distances)
    assert len(found) <= MOST


def test_the_same_shapes_in_other_colours_are_no_match_of_colours(parts, finder):
    item = released(parts)
    pixels = unmarked(parts.encoder.decode(item.asset.content))
    swapped = np.ascontiguousarray(pixels[:, :, [2, 0, 1]])
    grades = {match.grade for match in finder.find(encoded(parts, swapped)) if match.entry == item.entry}
    assert grades <= {"shapes match, colours differ", "shapes match, colours are similar"}
    assert grades


def test_nothing_alike_is_nothing(parts, finder):
    released(parts)
    assert finder.find(encoded(parts, example_picture(256, 256, seed=77))) == ()


def test_what_cannot_be_looked_at_is_an_error(parts, finder):
    with pytest.raises(MarkError):
        finder.find(b"no picture")
    parts.ledger.errors["find_asset"] = LedgerError("gone", remedy="none")
    with pytest.raises(LedgerError):
        finder.find(b"no picture")


def test_an_entry_that_is_gone_is_none(parts):
    item = released(parts)
    marks = MarkReader((parts.watermarker,), parts.mark_key, parts.codecs, parts.fingerprinter)
    match = PictureFinder(parts.ledger, marks).find(encoded(parts, parts.encoder.decode(item.asset.content)))[0]
    assert replace(match, entry=None).as_json()["released"] is None
