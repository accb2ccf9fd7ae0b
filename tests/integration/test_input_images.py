"""Pictures given to real diffusers pipelines, tiny and untrained: what policy sees is what the model sees."""

import io

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from governance.assets import Verdict
from governance.entries import EntryKind
from governance.errors import GenerationError, HeldError, RequestError, UnsupportedArgumentError
from governance.facts import pixels_digest
from governance.governor import Governor
from governance.manifest import manifest_definition
from governance.testing import (
    FakeDetector,
    FakeManifestSigner,
    FakePolicyEngine,
    example_picture,
    fake_parts,
)
from governance.testing.manifest import example_statement
from governance.types import Outcome, Stage
from governance_adapters import open_image
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.pipelines.arguments import images
from governance_adapters.pipelines.arguments.binding import bind
from governance_adapters.pipelines.arguments.images import MAX_INPUTS, FileImage, hold_images
from governance_adapters.pipelines.diffusers import wrap
from support.tiny import SIDE
from support.wrapped import PRINCIPAL, last, same_picture

PIXELS = example_picture(67, 81)
PICTURE = Image.fromarray(PIXELS)
MASK = Image.fromarray(((PIXELS[..., 0] > 128) * 255).astype(np.uint8))


def file_of(pixels=PIXELS, kind="PNG", **options):
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(file, kind, **options)
    return file.getvalue()


def made(kind, pipe):
    other = kind(**pipe.components, requires_safety_checker=False)
    other.set_progress_bar_config(disable=True)
    return other


@pytest.fixture
def policy():
    return FakePolicyEngine()


@pytest.fixture
def line(policy):
    return Governor(fake_parts(encoder=ImageEncoder(), policy=policy))


@pytest.fixture
def edit(pipe, line):
    """A governed image-to-image pipeline."""
    return wrap(made(StableDiffusionImg2ImgPipeline, pipe), line, PRINCIPAL, "marketing")


@pytest.fixture
def paint(pipe, line):
    """A governed inpainting pipeline."""
    return wrap(made(StableDiffusionInpaintPipeline, pipe), line, PRINCIPAL, "marketing")


def shown(policy, stage=Stage.ADMISSION):
    return [facts for at, facts in policy.asked if at is stage][-1]


def named(value):
    """The name of a case: what it is, and no address that differs from one process to the next."""
    return value if isinstance(value, str) else type(value).__name__


class TestGoverned:
    def test_the_input_is_a_fact_of_its_own_size(self, edit, policy, line):
        out = edit("a", image=PICTURE, num_inference_steps=2)
        (facts,) = shown(policy)["inputs"]
        assert (facts["parameter"], facts["width"], facts["height"], facts["manifest"]) == ("image", 81, 67, "none")
        assert facts["digest"] == pixels_digest(hold_images("image", PICTURE).inputs[0])
        assert facts["findings"]
        # rounded down by the pipeline's own processor, as diffusers documents it
        assert (shown(policy)["parameters"]["width"], shown(policy)["parameters"]["height"]) == (80, 66)
        assert out.images[0].size == (80, 66)
        report = line.parts.signer.read(out.items[0].asset.content)
        assert ("image", "parentOf") in {(each.title, each.relationship) for each in report.ingredients}

    def test_governed_or_not_the_pipeline_makes_the_same_picture(self, pipe, line):
        bare = made(StableDiffusionImg2ImgPipeline, pipe)
        asked = {"image": PICTURE, "num_inference_steps": 2, "strength": 0.6}
        seeds = [torch.Generator().manual_seed(5) for _ in range(2)]
        alone = bare("a", **asked, generator=seeds[0]).images[0]
        edit = wrap(bare, line, PRINCIPAL, "marketing")
        assert same_picture(edit("a", **asked, generator=seeds[1]).images[0], alone)

    def test_another_input_makes_another_picture(self, edit):
        asked = {"num_inference_steps": 2, "strength": 0.6}
        one, other = (
            edit("a", image=image, generator=torch.Generator().manual_seed(5), **asked).images[0]
            for image in (PICTURE, Image.fromarray(example_picture(67, 81, seed=9)))
        )
        assert not same_picture(one, other)

    def test_a_mask_is_an_input_too(self, paint, policy):
        out = paint("a", image=PICTURE, mask_image=MASK, num_inference_steps=2)
        assert [facts["parameter"] for facts in shown(policy)["inputs"]] == ["image", "mask_image"]
        assert out.images[0].size == (SIDE, SIDE)
        out = paint("a", image=PICTURE, mask_image=MASK, num_inference_steps=2, width=80, height=48)
        assert out.images[0].size == (80, 48)

    def test_a_list_makes_a_batch(self, edit, policy):
        second = Image.fromarray(example_picture(67, 81, seed=3))
        out = edit(["a", "b"], image=[PICTURE, second], num_inference_steps=2)
        assert len(out.images) == 2
        digests = [facts["digest"] for facts in shown(policy)["inputs"]]
        assert len(set(digests)) == 2

    def test_findings_on_inputs_decide(self, pipe):
        engine = FakePolicyEngine()

        def careful(stage, facts):
            scores = [f["score_millionths"] for item in facts["inputs"] for f in item["findings"]]
            return engine.answer(stage, Outcome.REVIEW if max(scores) > 500_000 else Outcome.ALLOW)

        line = Governor(
            fake_parts(
                encoder=ImageEncoder(),
                policy=FakePolicyEngine({Stage.ADMISSION: careful}),
                detectors=(FakeDetector({"nsfw": 0.9}),),
            )
        )
        governed = wrap(made(StableDiffusionImg2ImgPipeline, pipe), line, PRINCIPAL, "marketing")
        with pytest.raises(HeldError) as caught:
            governed("a", image=PICTURE, num_inference_steps=2)
        assert caught.value.result.items[0].verdict is Verdict.HELD

    def test_a_picture_that_changes_in_the_meantime_stays_what_it_was(self, pipe):
        kind = StableDiffusionImg2ImgPipeline
        for given_ in (Image.fromarray(PIXELS.copy()), PIXELS.astype(np.float32) / 255, [PIXELS.copy()]):
            arguments = bind(pipe, kind.__call__, ("a",), {"image": given_})
            value = given_[0] if isinstance(given_, list) else given_
            (value.paste((0, 0, 0), (0, 0, 81, 67)) if isinstance(value, Image.Image) else value.fill(0))
            assert (arguments.inputs[0].pixels == PIXELS).all()
            passed = arguments.keywords["image"]
            passed = np.asarray(passed[0] if isinstance(passed, list) else passed)
            assert passed.max() > 0

    def test_a_picture_that_is_too_small_for_the_model_is_refused(self, edit, line):
        with pytest.raises(RequestError, match="1 x 1 px is too small"):
            edit("a", image=Image.new("RGB", (1, 1)))
        assert last(line, EntryKind.FAILED).body["error"] == "RequestError"

    def test_what_generates_another_size_than_was_admitted_is_refused(self, pipe, line):
        class Larger(StableDiffusionImg2ImgPipeline):
            """Makes its pictures twice as large, as an upscaler does."""

            def __call__(self, prompt, image=None, num_inference_steps=2, generator=None, output_type="pil"):
                twice = image.resize((image.width * 2, image.height * 2))
                return super().__call__(
                    prompt, twice, generator=generator, output_type=output_type, num_inference_steps=2
                )

        governed = wrap(made(Larger, pipe), line, PRINCIPAL, "marketing")
        with pytest.raises(GenerationError, match="80 x 66 pixels that were admitted"):
            governed("a", image=PICTURE)


class TestPictures:
    @pytest.mark.parametrize(
        "value",
        [
            PICTURE,
            PIXELS,
            PIXELS.astype(np.float64) / 255,
            (PIXELS / 255).astype(np.float32)[None],
            np.dstack([PIXELS, np.full(PIXELS.shape[:2], 255, np.uint8)]),
            PICTURE.convert("RGBA"),
            FileImage.of(PIXELS, b"", ""),
        ],
        ids=["pil", "bytes", "doubles", "batch", "four channels", "opaque", "file"],
    )
    def test_one_picture_has_one_digest_however_it_is_given(self, value):
        (image,) = hold_images("image", value).inputs
        assert (image.pixels == PIXELS).all()
        assert image.pixels.dtype == np.uint8

    @pytest.mark.parametrize(
        "value", [MASK, MASK.convert("1"), np.asarray(MASK), np.asarray(MASK)[..., None] > 0], ids=named
    )
    def test_grey_stays_grey_for_the_pipeline(self, value):
        held = hold_images("mask_image", value)
        assert (held.inputs[0].pixels == np.asarray(MASK)[..., None]).all()
        assert np.asarray(held.value).ndim == 2 or np.asarray(held.value).shape[-1] == 1

    def test_what_is_transparent_lies_over_white_for_both(self):
        clear = np.dstack([PIXELS, np.zeros(PIXELS.shape[:2], np.uint8)])
        palette = PICTURE.convert("P")
        palette.info["transparency"] = bytes(256)
        for value in (clear, clear[None] / 255, Image.fromarray(clear), palette):
            held = hold_images("image", value)
            assert (held.inputs[0].pixels == 255).all()
            passed = np.asarray(held.value)
            assert passed.shape[-1] == 3
            assert passed.min() == passed.max() == (255 if isinstance(value, Image.Image) else 1)

    @given(st.sampled_from([np.float16, np.float32, np.float64]), st.integers(0, 2**32 - 1))
    @settings(max_examples=25, deadline=None)
    def test_floats_reach_the_pipeline_as_the_levels_that_detectors_see(self, dtype, seed):
        value = np.random.default_rng(seed).random((5, 7, 3)).astype(dtype)
        held = hold_images("image", value)
        assert held.value.dtype == np.float32
        assert (np.round(held.value * 255) == held.inputs[0].pixels).all()
        assert np.abs(held.value - value).max() <= 0.5 / 255 + 1e-3

    def test_nothing_that_a_processor_could_turn_it_by_reaches_the_pipeline(self):
        exif = Image.Exif()
        exif[0x0112] = 6
        given = Image.open(io.BytesIO(file_of(exif=exif)))
        held = hold_images("image", given)
        assert np.array_equal(np.asarray(ImageOps.exif_transpose(held.value)), held.inputs[0].pixels)

    def test_a_stack_of_no_pictures_is_refused(self):
        with pytest.raises(RequestError, match="no pixels"):
            hold_images("image", np.zeros((0, 64, 64, 3), np.uint8))

    def test_lists_keep_their_shape(self, pipe):
        given_ = [[PICTURE, MASK], (PICTURE,)]
        arguments = bind(pipe, StableDiffusionImg2ImgPipeline.__call__, ("a", PICTURE), {"ip_adapter_image": given_})
        passed = arguments.keywords["ip_adapter_image"]
        assert [type(each) for each in passed] == [list, tuple]
        assert [image.parameter for image in arguments.inputs] == ["image", *["ip_adapter_image"] * 3]
        assert [image.size for group in passed for image in group] == [PICTURE.size] * 3
        assert arguments.arguments["ip_adapter_image"] == [
            [{"input": 1, "form": "RGB"}, {"input": 2, "form": "L"}],
            {"tuple": [{"input": 3, "form": "RGB"}]},
        ]

    def test_videos_are_inputs_frame_by_frame(self):
        held = hold_images("video", np.stack([np.stack([PIXELS] * 3)] * 2))
        assert [(image.parameter, image.pixels.shape) for image in held.inputs] == [("video", PIXELS.shape)] * 6
        assert (held.value == np.float32(PIXELS / 255)).all()

    def test_a_strangers_class_of_picture_is_not_what_runs(self):
        class Moody(Image.Image):
            """Another picture whenever it is converted."""

            def convert(self, *_args, **_kwargs):
                return Image.new("RGB", self.size)

        moody = PICTURE.copy()
        moody.__class__ = Moody
        held = hold_images("image", moody)
        assert type(held.value) is Image.Image
        assert (np.asarray(held.value) == PIXELS).all()

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (Image.new("I;16", (4, 4)), "more than 8 bits"),
            (Image.new("F", (4, 4)), "more than 8 bits"),
            (Image.new("RGB", (0, 4)), "no pixels"),
            (Image.new("1", (20_000, 20_000)), "more than 67108864"),
            (np.broadcast_to(np.uint8(0), (20_000, 20_000, 3)), "more than 67108864"),
            (np.zeros((4, 4, 3), np.uint16), "array of uint16"),
            (np.full((4, 4, 3), -1.0), "not from 0 to 1"),
            (np.full((4, 4, 3), 1.5), "not from 0 to 1"),
            (np.full((4, 4, 3), np.nan), "not from 0 to 1"),
            (np.zeros((MAX_INPUTS + 1, 2, 2, 3)), "more than 128 input images"),
            (np.zeros((2, MAX_INPUTS, 2, 2, 3)), "more than 128 input images"),
        ],
        ids=named,
    )
    def test_what_has_no_8_bit_form_is_refused(self, value, message):
        with pytest.raises(RequestError, match=message) as caught:
            hold_images("image", value)
        assert caught.value.remedy

    def test_a_file_that_pillow_reads_late_and_is_cut_short_is_refused(self):
        whole = file_of()
        late = Image.open(io.BytesIO(whole[: len(whole) // 2]))
        with pytest.raises(RequestError, match="cannot be read"):
            hold_images("image", late)

    @pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "LA", "P"])
    def test_other_modes_are_handled(self, mode):
        image = PICTURE.convert("L").convert("LA") if mode == "LA" else PICTURE.convert(mode)
        held = hold_images("image", image)
        assert held.value.mode == "RGB"
        assert held.inputs[0].pixels.shape == PIXELS.shape

    def test_a_long_narrow_picture_is_handled(self):
        assert hold_images("image", Image.new("RGB", (20_000, 2))).inputs[0].pixels.shape == (2, 20_000, 3)

    def test_too_many_over_all_parameters_are_refused(self, pipe):
        few = [PICTURE.resize((4, 4))] * 65
        with pytest.raises(RequestError, match="more than 128"):
            bind(pipe, StableDiffusionInpaintPipeline.__call__, ("a",), {"image": few, "mask_image": few})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("image", "photo.png"),
            ("image", [PICTURE, "photo.png"]),
            ("image", [PICTURE, b""]),
            ("image", np.array([PICTURE, None], dtype=object)),
        ],
        ids=named,
    )
    def test_what_is_no_picture_is_refused(self, edit, line, name, value):
        with pytest.raises(UnsupportedArgumentError):
            edit("a", **{name: value})
        assert last(line, EntryKind.FAILED).body["error"] == "UnsupportedArgumentError"

    def test_tensors_stay_opaque(self, pipe):
        kind = StableDiffusionInpaintPipeline
        arguments = bind(pipe, kind.__call__, ("a",), {"image": torch.zeros(1, 3, 64, 64), "mask_image": MASK})
        assert [argument.parameter for argument in arguments.opaque] == ["image"]
        assert [image.parameter for image in arguments.inputs] == ["mask_image"]


class TestFiles:
    @pytest.mark.parametrize(
        ("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]
    )
    def test_a_file_carries_its_bytes_to_the_line(self, tmp_path, kind, media_type):
        content = file_of(kind=kind)
        (tmp_path / "photo").write_bytes(content)
        for opened in (open_image(tmp_path / "photo"), open_image(str(tmp_path / "photo")), open_image(content)):
            (image,) = hold_images("image", opened).inputs
            assert (image.content, image.media_type) == (content, media_type)
            assert (image.pixels == ImageEncoder().decode(content)).all()

    def test_what_is_made_of_it_is_a_plain_picture(self):
        opened = open_image(file_of())
        for derived in (opened.copy(), opened.resize((64, 64)), opened.crop((0, 0, 9, 9)), opened.convert("L")):
            assert hold_images("image", derived).inputs[0].content == b""

    def test_a_trusted_file_is_a_fact_and_an_ingredient(self, edit, policy, line):
        parent = FakeManifestSigner().sign(file_of(), "image/png", manifest_definition(example_statement()))
        out = edit("a", image=open_image(parent.content), num_inference_steps=2)
        assert shown(policy)["inputs"][0]["manifest"] == "trusted"
        report = line.parts.signer.read(out.items[0].asset.content)
        assert parent.report.label in {each.label for each in report.ingredients}

    def test_swapped_pixels_are_refused(self, edit, policy):
        opened = open_image(file_of())
        opened.paste((0, 0, 0), (0, 0, 4, 4))
        other = FileImage.of(PIXELS, file_of(example_picture(67, 81, seed=4)), "image/png")
        for swapped in (opened, other):
            with pytest.raises(RequestError, match="are not those of the file"):
                edit("a", image=swapped)
        assert not policy.asked

    def test_an_upright_picture_is_what_its_orientation_says(self):
        turned = Image.Exif()
        turned[0x0112] = 6
        content = file_of(kind="JPEG", exif=turned)
        assert open_image(content).size == (67, 81)
        assert (hold_images("image", open_image(content)).inputs[0].pixels == ImageEncoder().decode(content)).all()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "no PNG, JPEG or WebP"),
            (b"GIF89a", "no PNG, JPEG or WebP"),
            (file_of(kind="TIFF"), "no PNG, JPEG or WebP"),
            (file_of()[:500], "cannot be opened as a picture"),
            (file_of(kind="JPEG")[:500], "cannot be opened as a picture"),
            (file_of(Image.new("1", (20_000, 20_000))), "cannot be opened as a picture"),
            (file_of(save_all=True, append_images=[MASK.convert("RGB")]), "animated"),
            (file_of(kind="WEBP", save_all=True, append_images=[MASK.convert("RGB")]), "animated"),
        ],
        ids=["empty", "gif", "tiff", "short png", "short jpeg", "bomb", "apng", "animated webp"],
    )
    @pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
    def test_what_is_no_single_picture_is_refused(self, content, message):
        with pytest.raises(RequestError, match=message) as caught:
            open_image(content)
        assert caught.value.remedy

    @pytest.mark.parametrize("mode", ["RGBA", "L", "LA", "P", "1", "I;16"])
    def test_other_kinds_of_png_agree_with_the_decoder(self, mode):
        image = (
            Image.fromarray(np.asarray(PICTURE.convert("L")).astype(np.uint16) << 8)
            if mode == "I;16"
            else PICTURE.convert(mode)
        )
        content = file_of(image)
        (held,) = hold_images("image", open_image(content)).inputs
        assert (held.pixels == ImageEncoder().decode(content)).all()

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        for path in (tmp_path / "nothing.png", tmp_path):
            with pytest.raises(RequestError, match="cannot be read"):
                open_image(path)

    def test_the_limits_are_the_decoders(self):
        from governance_adapters.marking.encoding import MAX_PIXELS

        assert images.MAX_PIXELS == MAX_PIXELS
