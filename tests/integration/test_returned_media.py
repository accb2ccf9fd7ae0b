"""What pipelines return, as media or refused; and what governed pipelines hand out of clips and sounds."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.utils import BaseOutput
from PIL import Image

from governance.assets import GovernedResult, Verdict
from governance.entries import EntryKind
from governance.errors import DeniedError, GenerationError, GovernanceError, RequestError
from governance.governor import Governor
from governance.media import Clip, Sound
from governance.testing import FakePolicyEngine, example_clip, example_picture, example_sound, fake_parts
from governance.types import MediaKind, Outcome, Stage
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.pipelines.diffusers import wrap
from governance_adapters.pipelines.kinds import FIELDS
from governance_adapters.pipelines.outputs.output import Made, governed_output
from governance_adapters.pipelines.outputs.rates import frame_rate_of, sample_rate_of
from governance_adapters.pipelines.outputs.returned import (
    clips_of,
    field_of,
    media_of,
    pictures_of,
    shape_of,
    sounds_of,
)
from support.tiny_pipelines import TINY
from support.wrapped import PRINCIPAL, last

CLIP = example_clip(3, 16, 24)
FRAMES = CLIP.frames.astype(np.float32) / 255
PICTURES = np.stack([example_picture(16, 24, seed) for seed in (1, 2)])
FLOATS = PICTURES.astype(np.float32) / 255
SOUND = example_sound(2, 400)
SAMPLES = SOUND.samples.astype(np.float32) / 32767

# The libraries deprecate things of their own; those are no business of this test.
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@dataclass
class Video(BaseOutput):
    frames: Any


class TestPictures:
    @pytest.mark.parametrize(
        "value",
        [
            FLOATS,
            FLOATS.astype(np.float64),
            PICTURES,
            list(FLOATS),
            [Image.fromarray(each) for each in PICTURES],
            torch.from_numpy(FLOATS).permute(0, 3, 1, 2),
            [torch.from_numpy(each).permute(2, 0, 1) for each in FLOATS],
        ],
        ids=["floats", "doubles", "bytes", "list of arrays", "PIL", "tensor", "list of tensors"],
    )
    def test_every_form_gives_the_same_levels(self, value):
        assert np.array_equal(np.stack(pictures_of(value)), PICTURES)

    def test_a_black_picture_is_a_picture(self):
        (black,) = pictures_of(np.zeros((1, 16, 24, 3), np.float32))
        assert black.shape == (16, 24, 3)
        assert not black.any()

    def test_grey_becomes_rgb(self):
        grey = FLOATS[..., :1]
        for value in (grey, [Image.fromarray((each[..., 0] * 255).round().astype(np.uint8)) for each in grey]):
            made = np.stack(pictures_of(value))
            assert made.shape == (2, 16, 24, 3)
            assert (made[..., 0] == made[..., 2]).all()
            assert np.array_equal(made[..., 0], PICTURES[..., 0])

    def test_what_lies_outside_is_cut_off(self):
        (made,) = pictures_of(np.full((1, 4, 4, 3), [[-0.5, 0.5, 1.5]], np.float32))
        assert made[0, 0].tolist() == [0, 128, 255]

    @pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
    def test_values_that_are_no_numbers_are_refused(self, number):
        spoilt = FLOATS.copy()
        spoilt[1, 3, 4, 0] = number
        for value in (spoilt, list(spoilt), torch.from_numpy(spoilt).permute(0, 3, 1, 2)):
            with pytest.raises(GenerationError, match="not numbers"):
                pictures_of(value)

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (np.zeros((1, 8, 8, 4), np.float32), "transparent"),
            ([Image.new("RGBA", (8, 8))], "transparent"),
            (np.zeros((1, 8, 8, 3), np.uint16), "8 bits"),
            (np.zeros((1, 8, 8, 3), np.int64), "8 bits"),
            (np.zeros((1, 8, 8, 3), bool), "8 bits"),
            ([Image.new("I;16", (8, 8))], "8 bits"),
            (np.zeros((1, 8, 8, 2), np.float32), "2 channels"),
            (np.zeros((8, 8, 3), np.float32), "no batch"),
            (np.zeros((0, 8, 8, 3), np.float32), "no batch"),
            ([], "no batch"),
            (None, "no batch"),
            ("images", "no batch"),
            ([np.zeros((8, 8, 3)), np.zeros((8, 9, 3))], "different sizes"),
        ],
        ids=["rgba", "pil rgba", "16 bits", "integers", "bits", "pil 16 bits", "two channels", "one", "none", "empty",
             "nothing", "text", "sizes"],
    )  # fmt: skip
    def test_what_no_detector_would_see_is_refused(self, value, why):
        with pytest.raises(GenerationError, match=why):
            pictures_of(value)


class TestClips:
    @pytest.mark.parametrize(
        "value",
        [
            np.stack([FRAMES, FRAMES]),
            [FRAMES, FRAMES],
            [[Image.fromarray(each) for each in CLIP.frames]] * 2,
            torch.from_numpy(np.stack([FRAMES, FRAMES])).permute(0, 1, 4, 2, 3),
            np.stack([CLIP.frames, CLIP.frames]),
        ],
        ids=["array", "list of arrays", "PIL", "tensor", "bytes"],
    )
    def test_every_form_gives_the_same_frames(self, value):
        made = clips_of(value, 8000)
        assert len(made) == 2
        assert all(np.array_equal(each.frames, CLIP.frames) and each.frame_rate == 8000 for each in made)

    def test_one_clip_alone(self):
        for value in (FRAMES, [Image.fromarray(each) for each in CLIP.frames], list(FRAMES)):
            (made,) = clips_of(value, 1000)
            assert np.array_equal(made.frames, CLIP.frames)
            assert shape_of(value).dimensions == 4

    def test_a_black_frame_is_a_frame_and_one_that_is_no_number_is_none(self):
        frames = np.zeros((1, 3, 16, 24, 3), np.float32)
        assert len(clips_of(frames, 8000)[0].frames) == 3
        frames[0, 1, 0, 0, 0] = np.nan
        with pytest.raises(GenerationError, match="not numbers"):
            clips_of(frames, 8000)

    @pytest.mark.parametrize("value", [np.zeros((1, 3, 16, 24, 4)), np.zeros((1, 3, 16, 24, 3), np.uint16)])
    def test_transparency_and_deep_colours_are_refused(self, value):
        with pytest.raises(GenerationError, match="frames"):
            clips_of(value, 8000)


class TestSounds:
    @pytest.mark.parametrize(
        ("value", "channels"),
        [
            (SAMPLES[None], 2),
            (torch.from_numpy(SAMPLES[None]), 2),
            (SAMPLES[None].transpose(0, 2, 1), 2),
            ([SAMPLES], 2),
            (SAMPLES[:1], 1),
            (SAMPLES[0], 1),
            (torch.from_numpy(SAMPLES[:1]).half(), 1),
            (SOUND.samples[None], 2),
        ],
        ids=["array", "tensor", "samples first", "list", "one channel", "alone", "half", "16 bits"],
    )
    def test_every_form_gives_the_same_samples(self, value, channels):
        (made,) = sounds_of(value, 16_000, 1)
        assert made.sample_rate == 16_000
        tolerance = 16 if isinstance(value, torch.Tensor) and value.dtype == torch.float16 else 0
        assert np.abs(made.samples.astype(int) - SOUND.samples[:channels]).max() <= tolerance

    def test_a_batch_of_sounds_of_one_channel(self):
        made = sounds_of(SAMPLES, 16_000, 2)
        assert [each.samples.shape for each in made] == [(1, 400)] * 2

    def test_what_is_too_loud_is_cut_off_and_silence_is_a_sound(self):
        (made,) = sounds_of(np.array([[1.5, -1.5, 0.0]]), 8000, 1)
        assert made.samples.tolist() == [[32767, -32767, 0]]
        assert sounds_of(np.zeros((1, 9), np.float32), 8000, 1)[0].samples.shape == (1, 9)

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (np.array([[0.1, np.nan]]), "not numbers"),
            (np.zeros((1, 9), np.int32), "int32"),
            (np.zeros((1, 40, 50), np.float32), "no sounds"),
            (np.zeros((1, 0), np.float32), "no sounds"),
            (None, "no sounds"),
        ],
        ids=["no numbers", "32 bits", "spectrogram", "empty", "nothing"],
    )
    def test_what_is_none_is_refused(self, value, why):
        with pytest.raises(GenerationError, match=why):
            sounds_of([value] if value is None else value, 8000, 1)


class TestOutputs:
    def test_an_output_without_what_was_asked_for_is_refused(self):
        for output, kind in ((Video(FRAMES[None]), MediaKind.AUDIO), (Video(None), MediaKind.VIDEO)):
            with pytest.raises(GenerationError, match=f"returned no {kind.value}"):
                media_of(output, kind, 8000, 8000, 1)

    def test_frames_that_are_called_images(self):
        @dataclass
        class Zero(BaseOutput):
            images: Any

        (made,) = media_of(Zero(FRAMES), MediaKind.VIDEO, 4000, 0, 1)
        assert isinstance(made, Clip)
        assert made.frame_rate == 4000


class TestRates:
    @pytest.mark.parametrize(
        ("arguments", "rate"),
        [
            ({}, 8000),
            ({"frame_rate": 24.0}, 24_000),
            ({"fps": 7}, 7000),
            ({"frames_per_second": 29.97}, 29_970),
            ({"fps": None, "frames_per_second": 12}, 12_000),
            ({"frame_rate": 25, "frames_per_second": 12}, 25_000),
        ],
        ids=["none", "frame_rate", "fps", "ours", "ours after none", "own first"],
    )
    def test_the_pipelines_own_argument_then_ours_then_eight(self, arguments, rate):
        assert frame_rate_of(arguments) == rate

    @pytest.mark.parametrize("said", [0, -1, "8", True, float("nan"), float("inf"), 1e9, 0.0001, [8], 8.001, 23.999])
    def test_what_is_no_rate_is_refused(self, said):
        with pytest.raises(RequestError, match="frames a second"):
            frame_rate_of({"fps": said})

    def test_the_vocoder_knows_it_before_the_autoencoder(self):
        vae = SimpleNamespace(config={"sampling_rate": 44_100})
        assert sample_rate_of(SimpleNamespace(vae=vae)) == 44_100
        vocoder = SimpleNamespace(config=SimpleNamespace(sampling_rate=16_000))
        assert sample_rate_of(SimpleNamespace(vae=vae, vocoder=vocoder)) == 16_000
        assert sample_rate_of(SimpleNamespace(sample_rate=48_000)) == 48_000
        with pytest.raises(GenerationError, match="samples a second"):
            sample_rate_of(SimpleNamespace(vae=SimpleNamespace(config={"sampling_rate": 0})))


def lenient(**script):
    """Fakes that mark what can be marked; `script` says what becomes of an item of a kind."""
    engine = FakePolicyEngine()

    def release(stage, facts):
        kind = facts["draft"]["media"]
        outcome = script.get(kind, Outcome.ALLOW)
        if isinstance(outcome, dict):
            outcome = outcome.get(facts["draft"]["index"], Outcome.ALLOW)
        return engine.answer(stage, outcome, watermark=kind != "audio")

    return Governor(fake_parts(encoder=ImageEncoder(), policy=FakePolicyEngine({Stage.RELEASE: release})))


def governed(name, folder, line):
    return wrap(TINY[name].quiet(folder), line, PRINCIPAL, "marketing")


def ask(pipe, name, **changes):
    return pipe(**{**TINY[name].call, **changes}, generator=torch.Generator().manual_seed(7))


class TestGoverned:
    @pytest.mark.parametrize(
        ("output_type", "kind", "shape"),
        [("np", np.ndarray, (1, 5, 256, 256, 3)), ("pt", torch.Tensor, (1, 5, 3, 256, 256))],
    )
    def test_videos_come_in_their_usual_form_from_the_released_bytes(self, tmp_path, output_type, kind, shape):
        name, line = "AnimateDiffPipeline", lenient()
        pipe = governed(name, tmp_path, line)
        out = ask(pipe, name, output_type=output_type)
        assert isinstance(out.frames, kind)
        assert tuple(out.frames.shape) == shape
        (item,) = out.items
        released = line.parts.clips.decode(item.asset.content)
        assert released.frame_rate == 8000
        seen = np.asarray(out.frames if output_type == "np" else out.frames.permute(0, 1, 3, 4, 2))
        assert np.array_equal((seen[0] * 255).round().astype(np.uint8), released.frames)

    def test_pictures_of_pil_a_rate_of_our_own_and_a_tuple(self, tmp_path):
        name, line = "AnimateDiffPipeline", lenient()
        pipe = governed(name, tmp_path, line)
        (frames,) = ask(pipe, name, return_dict=False, frames_per_second=12.5)
        assert [image.size for image in frames[0]] == [(256, 256)] * 5
        entry = last(line, EntryKind.RELEASED)
        content = line.parts.vault.get(entry.body["asset"]["digest"])
        assert line.parts.clips.decode(content).frame_rate == 12_500

    @pytest.mark.parametrize("output_type", ["pil", "np", "pt"])
    def test_what_is_withheld_is_none_and_indices_stay(self, tmp_path, output_type):
        name = "AnimateDiffPipeline"
        pipe = governed(name, tmp_path, lenient(video={0: Outcome.DENY}))
        out = ask(pipe, name, prompt=["a fox", "a cat"], negative_prompt=None, output_type=output_type)
        assert out.frames[0] is None
        assert len(out.frames[1]) == 5
        assert [item.verdict for item in out.items] == [Verdict.DENIED, Verdict.RELEASED]

    def test_a_rate_that_is_none_is_refused_before_anything_is_made(self, tmp_path):
        name, line = "AnimateDiffPipeline", lenient()
        with pytest.raises(RequestError, match="frames a second"):
            ask(governed(name, tmp_path, line), name, frames_per_second=0)
        assert [entry.kind for _, entry in line.parts.ledger.entries()] == [EntryKind.FAILED]

    def test_sounds_come_as_the_pipeline_makes_them(self, tmp_path):
        name, line = "AudioLDMPipeline", lenient()
        bare = ask(TINY[name].quiet(tmp_path / "bare"), name)
        pipe = governed(name, tmp_path / "governed", line)
        out = ask(pipe, name)
        assert type(out) is type(bare)
        assert out.audios.shape == bare.audios.shape
        assert np.abs(out.audios - bare.audios.clip(-1, 1)).max() <= 1 / 32767
        released = line.parts.sounds.decode(out.items[0].asset.content)
        assert released.sample_rate == 16_000
        as_tensor = ask(pipe, name, output_type="pt", request_id="again")
        assert isinstance(as_tensor.audios, torch.Tensor)

    def test_a_video_and_its_sound_are_two_items(self, tmp_path):
        name, line = "LTX2Pipeline", lenient(audio=Outcome.DENY)
        bare = ask(TINY[name].quiet(tmp_path / "bare"), name)
        out = ask(governed(name, tmp_path / "governed", line), name)
        assert [item.verdict for item in out.items] == [Verdict.RELEASED, Verdict.DENIED]
        assert [image.size for image in out.frames[0]] == [image.size for image in bare.frames[0]]
        assert out.audio == [None]
        assert line.parts.clips.decode(out.items[0].asset.content).frame_rate == 24_000
        whole = ask(governed(name, tmp_path / "whole", lenient()), name)
        assert isinstance(whole.audio, torch.Tensor)
        assert whole.audio.shape == bare.audio.shape

    def test_nothing_comes_out_of_a_denied_call(self, tmp_path):
        name = "AudioLDMPipeline"
        with pytest.raises(DeniedError):
            ask(governed(name, tmp_path, lenient(audio=Outcome.DENY)), name)

    def test_a_recorded_result_comes_in_the_same_form_without_a_run(self, tmp_path):
        name, line = "AnimateDiffPipeline", lenient()
        first = ask(governed(name, tmp_path / "1", line), name, request_id="order", output_type="np")
        again = ask(governed(name, tmp_path / "2", line), name, request_id="order", output_type="np")
        assert np.array_equal(first.frames, again.frames)
        assert len(line.parts.ledger.entries(kind=EntryKind.INTENT)) == 1

    def test_frames_that_are_no_numbers_fail_the_call(self, tmp_path):
        name, line = "AnimateDiffPipeline", lenient()
        pipe = governed(name, tmp_path, line)
        with torch.no_grad():
            pipe.vae.decoder.conv_out.bias.fill_(float("nan"))
        with pytest.raises(GovernanceError, match="not numbers"):
            ask(pipe, name)
        assert [entry.kind for _, entry in line.parts.ledger.entries()] == [EntryKind.INTENT, EntryKind.FAILED]


def test_a_sound_is_one():
    assert isinstance(sounds_of(SAMPLES[None], 8000, 1)[0], Sound)


@pytest.mark.parametrize(("output_type", "kind"), [("pil", list), ("np", np.ndarray), ("pt", torch.Tensor)])
def test_a_recorded_clip_that_is_called_images_is_handed_out_alone(output_type, kind):
    @dataclass
    class Zero(BaseOutput):
        images: Any
        nsfw_content_detected: Any = None

    result = GovernedResult("r", "g", 1, ())
    made = Made((MediaKind.VIDEO,))
    out = governed_output(Zero, made, result, [CLIP], output_type, return_dict=True)
    assert isinstance(out.images, kind)
    assert len(out.images) == len(CLIP.frames)
    assert governed_output(Zero, made, result, [None], output_type, return_dict=False) == (None, None)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_makes_a_class_one_of_media_is_the_one_that_is_read(name):
    output = make_dataclass("Output", [("other", Any), (name, Any)], bases=(BaseOutput,))
    assert field_of(output, FIELDS[name]) == name
    assert field_of(output, MediaKind.VIDEO) == (None if FIELDS[name] is MediaKind.AUDIO else name)
