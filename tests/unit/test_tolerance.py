"""How far two things are apart, and what still counts as the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import ConfigurationError
from governance.media import Clip, Sound
from governance.testing import example_picture
from governance.tolerance import Comparison, Tolerance, compare, tolerance_of
from governance.types import MediaKind


def picture(*values):
    """Three values a pixel, in one row."""
    return np.array(values, dtype=np.uint8).reshape(1, -1, 3)


def test_the_numbers_are_those_of_the_values():
    found = compare(picture(0, 10, 255), picture(3, 10, 254))
    assert found == Comparison(values=3, differing=2, largest=3, total=4)
    assert (found.share_millionths, found.mean_millionths) == (666_667, 1_333_334)
    assert found.as_json() == {
        "values": 3,
        "differing": 2,
        "largest": 3,
        "share_millionths": 666_667,
        "mean_millionths": 1_333_334,
    }


def test_differences_do_not_wrap_around():
    assert compare(picture(0, 255, 128), picture(255, 0, 128)).largest == 255
    loud = np.array([[-32768, 32767]], dtype=np.int16)
    assert compare(Sound(loud, 8000), Sound(-(loud + 1), 8000)).largest == 65535


def test_the_same_is_the_same():
    found = compare(example_picture(), example_picture())
    assert (found.differing, found.largest, found.total) == (0, 0, 0)
    assert found.within(Tolerance(0, 0))


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=1, max_size=60))
def test_it_counts_as_python_counts(pairs):
    first, second = (np.array([pair[side] for pair in pairs] * 3, np.uint8).reshape(1, -1, 3) for side in (0, 1))
    apart = [abs(a - b) for a, b in pairs] * 3
    found = compare(first, second)
    assert (found.values, found.differing, found.largest, found.total) == (
        len(apart),
        sum(each > 0 for each in apart),
        max(apart),
        sum(apart),
    )


def test_many_values_are_compared_in_pieces():
    frames = np.zeros((6, 512, 512, 3), np.uint8)
    other = frames.copy()
    other[0, 0, 0, 0], other[-1, -1, -1, -1] = 7, 9
    found = compare(Clip(frames, 8000), Clip(other, 8000))
    assert (found.values, found.differing, found.largest, found.total) == (frames.size, 2, 9, 16)


def test_what_has_another_shape_rate_or_kind_cannot_be_compared():
    frames = np.zeros((3, 4, 4, 3), np.uint8)
    sound = Sound(np.zeros((1, 8), np.int16), 8000)
    assert compare(example_picture(64, 64), example_picture(64, 32)) is None
    assert compare(Clip(frames, 8000), Clip(frames, 24000)) is None
    assert compare(Clip(frames, 8000), Clip(frames[:2], 8000)) is None
    assert compare(sound, Sound(sound.samples, 16000)) is None
    assert compare(frames[0], sound) is None


class TestWithin:
    seen = Comparison(values=1000, differing=50, largest=4, total=60)

    def test_both_limits_hold_to_the_last_value(self):
        assert self.seen.within(Tolerance(4, 50_000))
        assert not self.seen.within(Tolerance(3, 50_000))
        assert not self.seen.within(Tolerance(4, 49_999))

    def test_the_default_lets_rounding_pass_and_other_weights_not(self):
        threads_in_jpeg = Comparison(values=196_608, differing=361, largest=3, total=382)
        bfloat16 = Comparison(values=196_608, differing=89_000, largest=15, total=115_000)
        assert threads_in_jpeg.within(tolerance_of(MediaKind.IMAGE))
        assert not bfloat16.within(tolerance_of(MediaKind.IMAGE))

    def test_a_clip_loses_more_when_it_is_written(self):
        one_level_in_vp9 = Comparison(values=1_572_864, differing=52_693, largest=7, total=82_760)
        assert one_level_in_vp9.within(tolerance_of(MediaKind.VIDEO))
        assert not one_level_in_vp9.within(tolerance_of(MediaKind.IMAGE))

    def test_what_is_stated_goes_before_the_default(self):
        default = tolerance_of(MediaKind.IMAGE)
        assert tolerance_of(MediaKind.IMAGE, levels=0) == Tolerance(0, default.share_millionths)
        assert tolerance_of(MediaKind.IMAGE, share_millionths=0) == Tolerance(default.levels, 0)
        with pytest.raises(ConfigurationError):
            tolerance_of(MediaKind.IMAGE, levels=256)

    @pytest.mark.parametrize(("levels", "share"), [(-1, 0), (256, 0), (0, -1), (0, 1_000_001)])
    def test_limits_that_are_none_are_refused(self, levels, share):
        with pytest.raises(ConfigurationError, match="tolerance"):
            Tolerance(levels, share)
