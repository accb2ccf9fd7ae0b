"""Clips and sounds as values, and what is done to a clip frame by frame."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import digest
from governance.errors import MarkError
from governance.facts import pixels_digest
from governance.frames import FRAME, MOST_WORKS, changed, inspected, readable, shown, spread, worst
from governance.media import Clip, Sound, form_of, frames_of, frozen, media_digest
from governance.testing import FakeWatermarker, example_clip, example_picture, example_sound
from governance.testing.media import not_clips, not_sounds
from governance.types import Finding, InputImage

CLIP, SOUND, PICTURE = example_clip(), example_sound(), example_picture()


class TestValues:
    def test_they_say_how_long_they_last(self):
        assert example_clip(4, frame_rate=8000).milliseconds == 500
        assert example_clip(1, frame_rate=29_970).milliseconds == 33
        assert example_sound(samples=4000, sample_rate=16_000).milliseconds == 250

    def test_the_digest_covers_shape_rate_and_values(self):
        assert media_digest(PICTURE) == digest(b"64x64x3\n" + PICTURE.tobytes())
        assert media_digest(PICTURE) == pixels_digest(InputImage("image", PICTURE))
        assert media_digest(CLIP) == digest(b"4x64x64x3@8000\n" + CLIP.frames.tobytes())
        assert media_digest(SOUND) == digest(b"2x4000@16000\n" + SOUND.samples.astype("<i2").tobytes())

    def test_another_rate_or_value_is_another_digest(self):
        louder = SOUND.samples.copy()
        louder[1, 7] += 1
        others = (
            replace(CLIP, frame_rate=8001),
            Clip(CLIP.frames ^ np.uint8(1), 8000),
            Clip(CLIP.frames[:, :32], 8000),
            replace(SOUND, sample_rate=16_001),
            Sound(louder, 16_000),
            Sound(SOUND.samples.reshape(4, 2000), 16_000),
        )
        assert len({media_digest(each) for each in (CLIP, SOUND, PICTURE, *others)}) == 9

    def test_their_form_in_words(self):
        assert [form_of(each) for each in (PICTURE, CLIP, SOUND)] == ["64x64x3", "4x64x64x3@8000", "2x4000@16000"]

    def test_a_private_copy_cannot_be_changed_and_does_not_change(self):
        frames, samples = CLIP.frames.copy(), SOUND.samples.copy()
        clip, sound = frozen(Clip(frames, 8000)), frozen(Sound(samples, 16_000))
        frames[:], samples[:] = 0, 0
        assert media_digest(clip) == media_digest(CLIP)
        assert media_digest(sound) == media_digest(SOUND)
        for values in (clip.frames, sound.samples, frozen(PICTURE)):
            with pytest.raises(ValueError, match="read-only"):
                values[...] = 0

    @pytest.mark.parametrize("wrong", range(len(not_clips()) + len(not_sounds())))
    def test_what_is_none_is_refused(self, wrong):
        media = (*not_clips(), *not_sounds())[wrong]
        if isinstance(media, np.ndarray) and media.dtype == np.uint8:
            return  # a frame alone is a picture
        with pytest.raises(MarkError):
            frozen(media)

    @pytest.mark.parametrize("rate", [0, -1, 1_000_001, 8.0, True, "8"])
    def test_a_rate_that_is_none_is_refused(self, rate):
        for media in (replace(CLIP, frame_rate=rate), replace(SOUND, sample_rate=rate)):
            with pytest.raises(MarkError):
                frozen(media)

    def test_more_channels_than_a_file_has_are_refused(self):
        with pytest.raises(MarkError, match="32 channels"):
            frozen(Sound(np.zeros((33, 10), np.int16), 8000))


class TestFrames:
    def test_a_picture_is_one_and_a_sound_has_none(self):
        assert [len(frames_of(each)) for each in (PICTURE, CLIP, SOUND)] == [1, 4, 0]

    def test_a_change_reaches_every_frame(self):
        turned = changed(CLIP, lambda frame: 255 - frame)
        assert np.array_equal(turned.frames, 255 - CLIP.frames)
        assert turned.frame_rate == CLIP.frame_rate
        assert np.array_equal(changed(PICTURE, lambda frame: 255 - frame), 255 - PICTURE)
        with pytest.raises(MarkError, match="neither label nor watermark"):
            changed(SOUND, lambda frame: frame)

    def test_the_middle_frame_stands_for_a_clip(self):
        assert np.array_equal(shown(CLIP), CLIP.frames[2])
        assert np.array_equal(shown(PICTURE), PICTURE)
        with pytest.raises(MarkError, match="shows nothing"):
            shown(SOUND)

    def test_frames_are_spread_over_all_of_a_clip(self):
        clip = example_clip(100, 16, 16)
        frames = spread(clip)
        assert len(frames) == 16
        assert np.array_equal(frames[0], clip.frames[0])
        assert np.array_equal(frames[-1], clip.frames[-1])
        assert len(spread(CLIP)) == 4

    @given(st.integers(1, 500), st.integers(1, 600))
    def test_each_so_manieth_frame_is_inspected_and_the_first_and_the_last(self, frames, every):
        places = inspected(frames, every)
        assert places[0] == 0
        assert places[-1] == frames - 1
        assert list(places) == sorted(set(places))
        assert all(after - before <= every for before, after in pairwise(places))

    @pytest.mark.parametrize(("lost", "reads"), [(0, True), (2, True), (3, False), (20, False)])
    def test_a_mark_must_read_back_from_nine_in_ten_of_all_frames(self, lost, reads):
        marker = FakeWatermarker()
        marked = changed(example_clip(20), lambda frame: marker.embed(frame, 77, 1.0))
        marked.frames[:lost] &= 0xFE
        assert readable(marker, marked, 77) is reads
        assert not readable(marker, marked, 78)

    def test_a_picture_and_a_short_clip_must_all_read_back(self):
        marker = FakeWatermarker()
        marked = changed(CLIP, lambda frame: marker.embed(frame, 77, 1.0))
        assert readable(marker, marked.frames[0], 77)
        marked.frames[3] &= 0xFE
        assert not readable(marker, marked, 77)
        assert not readable(marker, SOUND, 77)


class TestWorst:
    def finding(self, score, label="nsfw", **more):
        return Finding("d", digest(b"w"), label, score, **more)

    def test_the_highest_score_stands_with_its_frame(self):
        found = [(self.finding(0.1), self.finding(0.9, "gore")), (self.finding(0.7),), (self.finding(0.7),)]
        (nsfw, gore) = worst((0, 8, 11), found)
        assert (nsfw.label, nsfw.score, nsfw.evidence) == ("nsfw", 0.7, {FRAME: 8})
        assert (gore.label, gore.score, gore.evidence) == ("gore", 0.9, {FRAME: 0})

    def test_works_stand_beside_each_other_and_so_do_their_actions(self):
        found = [
            (self.finding(0.9, "copy", work="a", action="allow", evidence={"hamming": 3}),),
            (self.finding(0.5, "copy", work="b", action="deny"), self.finding(0.4, "copy", work="a", action="allow")),
        ]
        assert [(each.work, each.score) for each in worst((0, 1), found)] == [("a", 0.9), ("b", 0.5)]
        assert worst((0, 1), found)[0].evidence == {"hamming": 3, FRAME: 0}

    def test_of_many_works_those_with_the_highest_scores_stay(self):
        found = [(self.finding(place / 100, "copy", work=f"w{place}", action="deny"),) for place in range(40)]
        kept = worst(range(40), found)
        assert [each.work for each in kept] == [f"w{place}" for place in range(39, 39 - MOST_WORKS, -1)]

    def test_evidence_leaves_room_for_the_frame(self):
        evidence = {f"e{number}": number for number in range(8)}
        (kept,) = worst((5,), [(self.finding(0.1, evidence=evidence),)])
        assert len(kept.evidence) == 8
        assert kept.evidence[FRAME] == 5
