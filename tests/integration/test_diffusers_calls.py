"""Real diffusers pipelines, tiny and untrained: what comes out of a governed call."""

import threading
from dataclasses import replace
from functools import wraps

import diffusers
import numpy as np
import pytest
import torch
from diffusers import (
    KandinskyCombinedPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)
from diffusers.pipelines.stable_diffusion import StableDiffusionPipelineOutput
from diffusers.pipelines.stable_diffusion_xl import StableDiffusionXLPipelineOutput
from PIL import Image

from governance.assets import Verdict
from governance.entries import EntryKind
from governance.errors import (
    DeniedError,
    GenerationError,
    HeldError,
    ModelError,
)
from governance.governor import Governor
from governance.testing import FakePolicyEngine, PipelineContract, fake_parts
from governance.types import Outcome, Principal, Stage
from governance_adapters.pipelines.bound import BoundPipeline
from governance_adapters.pipelines.diffusers import wrap
from governance_adapters.pipelines.outputs.output import named_output_class
from support.tiny import (
    SIDE,
    TalkativeOutput,
    TalkativePipeline,
    stable_diffusion,
    stable_diffusion_xl,
    talkative,
)
from support.wrapped import (
    PRINCIPAL,
    bound,
    call_of,
    denying_the_first,
    fail_once,
    last,
    same_picture,
    state_of,
    states_in,
)


class TestBoundPipeline(PipelineContract):
    @pytest.fixture(autouse=True)
    def _pipe(self, pipe):
        self.pipe = pipe

    def arguments(self, images):
        return bound(self.pipe, "a red seven", num_inference_steps=2, num_images_per_prompt=images)

    def pipeline(self, request):
        return BoundPipeline(self.pipe, type(self.pipe).__call__, self.arguments(request.images))

    def request(self, images):
        request = self.arguments(images).request("r", PRINCIPAL, "marketing", "tiny")
        return replace(request, seeds=tuple(range(7, 7 + images)))


class TestGovernedCall:
    def test_the_same_object_and_class_name_and_isinstance(self, pipe, line):
        governed = wrap(pipe, line, PRINCIPAL, "marketing")
        assert governed is pipe
        assert isinstance(governed, StableDiffusionPipeline)
        assert type(governed).__name__ == "StableDiffusionPipeline"

    def test_images_are_decoded_from_the_released_bytes(self, governed, line):
        out = governed("a", num_inference_steps=1)
        assert isinstance(out.images[0], Image.Image)
        (item,) = out.items
        assert item.verdict is Verdict.RELEASED
        decoded = line.parts.encoder.decode(item.asset.content)
        assert (np.asarray(out.images[0]) == decoded).all()
        assert out[0] is out.images
        assert out.governance.items == tuple(out.items)

    def test_the_picture_is_the_one_the_bare_pipeline_makes(self, tmp_path, line):
        def paint(pipe):
            return pipe("a", num_inference_steps=2, generator=torch.Generator().manual_seed(3)).images[0]

        bare, governed = (stable_diffusion(tmp_path) for _ in range(2))
        wrap(governed, line, PRINCIPAL, "marketing")
        assert same_picture(paint(bare), paint(governed))

    @pytest.mark.parametrize(
        ("output_type", "kind", "shape"),
        [("np", np.ndarray, (2, SIDE, SIDE, 3)), ("pt", torch.Tensor, (2, 3, SIDE, SIDE))],
    )
    def test_arrays_and_tensors_come_in_their_usual_shape(self, governed, output_type, kind, shape):
        out = governed(["a", "b"], num_inference_steps=1, output_type=output_type)
        assert isinstance(out.images, kind)
        assert tuple(out.images.shape) == shape
        assert 0 <= out.images.min() <= out.images.max() <= 1

    def test_a_tuple_where_no_dictionary_is_wanted(self, governed):
        images, nsfw = governed("a", num_inference_steps=1, return_dict=False)
        assert isinstance(images[0], Image.Image)
        assert nsfw is None

    @pytest.mark.parametrize("output_type", ["pil", "np", "pt"])
    def test_withheld_images_are_none_and_indices_stay(self, pipe, output_type):
        out = wrap(pipe, denying_the_first(), PRINCIPAL, "")(
            ["a", "b"], num_inference_steps=1, output_type=output_type, purpose="marketing"
        )
        assert out.images[0] is None
        assert out.images[1] is not None
        assert [item.verdict for item in out.items] == [Verdict.DENIED, Verdict.RELEASED]

    def test_nothing_comes_out_of_a_denied_call(self, pipe):
        with pytest.raises(DeniedError):
            wrap(pipe, denying_the_first(), PRINCIPAL, "marketing")("a", num_inference_steps=1)

    def test_who_asks_what_for_and_under_which_id_may_be_said_per_call(self, governed, line):
        other = Principal("editor@example.org", ("editor",))
        first = governed("a", num_inference_steps=1, principal=other, purpose="press", request_id="order-1")
        again = governed("a", num_inference_steps=1, principal=other, purpose="press", request_id="order-1")
        assert again.items[0].asset.content == first.items[0].asset.content
        assert (np.asarray(again.images[0]) == np.asarray(first.images[0])).all()
        assert last(line, EntryKind.INTENT).body["purpose"] == "press"
        assert len(line.parts.ledger.entries()) == 2

    def test_each_image_has_its_own_seed_where_the_caller_gives_none(self, governed, line):
        out = governed("a", num_inference_steps=1, num_images_per_prompt=2)
        one, other = (np.asarray(image) for image in out.images)
        assert (one != other).any()

    def test_a_failing_pipeline_is_a_generation_error(self, governed, line):
        with pytest.raises(GenerationError, match="StableDiffusionPipeline failed"):
            governed("a", negative_prompt=["b", "c"], num_inference_steps=1)
        assert [entry.kind for _, entry in line.parts.ledger.entries()] == [EntryKind.INTENT, EntryKind.FAILED]

    def test_pixels_that_are_not_numbers_are_refused(self, governed):
        with torch.no_grad():
            governed.vae.decoder.conv_out.bias.fill_(float("nan"))
        with pytest.raises(GenerationError, match="not numbers"):
            governed("a", num_inference_steps=1)

    def test_a_model_changed_by_the_call_itself_releases_nothing(self, governed, line):
        step = governed.scheduler.step

        def meddle(*args, **kwargs):
            with torch.no_grad():
                governed.unet.conv_in.weight.mul_(1.01)
            return step(*args, **kwargs)

        governed.scheduler.step = meddle
        with pytest.raises(ModelError, match="not the model that was admitted"):
            governed("a", num_inference_steps=1)

    def test_sdxls_fixed_mark_is_dropped(self, tmp_path, line):
        pipe = stable_diffusion_xl(tmp_path, add_watermarker=True)
        assert pipe.watermark is not None
        wrap(pipe, line, PRINCIPAL, "marketing")("a", num_inference_steps=1)
        assert pipe.watermark is None
        assert last(line, EntryKind.RELEASED).body["watermark"]


class TestOutput:
    def test_only_released_images_and_flags_come_out(self, tmp_path):
        governed = wrap(talkative(tmp_path), denying_the_first(), PRINCIPAL, "marketing")
        out = governed(["a", "b"], num_inference_steps=1)
        assert type(out) is TalkativeOutput
        assert list(out) == ["images", "flags"]
        assert out.to_tuple() == (out.images, [True, True])
        assert (out.raw_images, out.notes) == (None, None)
        assert out.images[0] is None
        assert [item.verdict for item in out.items] == [Verdict.DENIED, Verdict.RELEASED]
        images, raw, flags, notes = governed(["a", "b"], num_inference_steps=1, return_dict=False)
        assert (images[0], raw, flags, notes) == (None, None, [True, True], None)

    def test_flags_that_are_not_one_plain_bool_an_image_stay_inside(self, tmp_path, line):
        class Encoded(TalkativePipeline):
            def __call__(self, prompt, num_inference_steps: int = 1, generator=None, output_type="pil"):
                return TalkativeOutput(np.zeros((1, SIDE, SIDE, 3)), [1], [True] * 100, [np.True_])

        pipe = stable_diffusion(tmp_path)
        pipe.__class__ = Encoded
        assert list(wrap(pipe, line, PRINCIPAL, "marketing")("a")) == ["images"]

    @pytest.mark.parametrize("build", [stable_diffusion, stable_diffusion_xl, talkative])
    def test_a_recorded_result_has_the_same_class_and_shape(self, tmp_path, line, build):
        def governed():
            return wrap(build(tmp_path), line, PRINCIPAL, "marketing")

        def run(pipe, **kwargs):
            return pipe("a", num_inference_steps=1, request_id="order-1", **kwargs)

        pipe = governed()
        first, again, elsewhere = run(pipe), run(pipe), run(governed())
        assert len(line.parts.ledger.entries(kind=EntryKind.INTENT)) == 1
        assert type(first) is type(again) is type(elsewhere)
        tuples = [run(made, return_dict=False) for made in (pipe, governed())]
        assert {len(found) for found in tuples} == {len(type(first).__dataclass_fields__)}
        for out in (again, elsewhere):
            assert (np.asarray(out.images[0]) == np.asarray(first.images[0])).all()
            assert out.items[0].asset == first.items[0].asset

    @pytest.mark.parametrize(
        ("pipeline", "kind"),
        [
            (StableDiffusionPipeline, StableDiffusionPipelineOutput),
            (StableDiffusionXLPipeline, StableDiffusionXLPipelineOutput),
            (TalkativePipeline, TalkativeOutput),
            (type("Heir", (StableDiffusionPipeline,), {}), StableDiffusionPipelineOutput),
            (KandinskyCombinedPipeline, diffusers.ImagePipelineOutput),
        ],
    )
    def test_the_class_of_the_output_is_known_without_a_run(self, pipeline, kind):
        assert named_output_class(pipeline) is kind


class TestGenerators:
    def test_the_callers_generator_is_used_and_its_state_recorded(self, governed, line):
        generator = torch.Generator().manual_seed(11)
        before = state_of(generator)
        governed("a", num_inference_steps=1, generator=generator)
        assert state_of(generator) != before
        intent = last(line, EntryKind.INTENT)
        assert call_of(line, intent)["seeds"] == ["11"]
        assert states_in(line, intent) == [before]

    def test_it_ends_where_the_bare_pipeline_leaves_it(self, tmp_path, line):
        def used(pipe, images):
            generators = [torch.Generator().manual_seed(seed) for seed in range(images)]
            pipe("a", num_inference_steps=2, num_images_per_prompt=images, generator=generators, eta=0.5)
            return [state_of(generator) for generator in generators]

        bare, governed = (stable_diffusion(tmp_path) for _ in range(2))
        wrap(governed, line, PRINCIPAL, "marketing")
        for images in (1, 2):
            assert used(governed, images) == used(bare, images)

    def test_after_a_failure_it_is_where_it_was_so_that_trying_again_is_the_same_request(self, governed, line):
        fail_once(governed)
        generator = torch.Generator().manual_seed(3)
        before = state_of(generator)
        with pytest.raises(GenerationError, match="out of memory"):
            governed("a", num_inference_steps=1, generator=generator, request_id="order-1")
        assert state_of(generator) == before
        out = governed("a", num_inference_steps=1, generator=generator, request_id="order-1")
        assert out.governance.attempt == 2
        assert state_of(generator) != before

    @pytest.mark.parametrize(("decided", "error"), [(Outcome.DENY, DeniedError), (Outcome.REVIEW, HeldError)])
    def test_images_that_were_withheld_were_made(self, pipe, decided, error):
        generator = torch.Generator().manual_seed(3)
        before = state_of(generator)
        with pytest.raises(error):
            wrap(pipe, denying_the_first(decided), PRINCIPAL, "marketing")(
                "a", num_inference_steps=1, generator=generator
            )
        assert state_of(generator) != before

    def test_a_call_that_is_not_admitted_draws_nothing(self, pipe):
        policy = FakePolicyEngine({Stage.ADMISSION: lambda s, _: FakePolicyEngine().answer(s, Outcome.DENY)})
        generator = torch.Generator().manual_seed(3)
        before = state_of(generator)
        with pytest.raises(DeniedError):
            wrap(pipe, Governor(fake_parts(policy=policy)), PRINCIPAL, "marketing")("a", generator=generator)
        assert state_of(generator) == before

    def test_a_generator_that_the_pipeline_shares_with_others_makes_what_was_recorded(self, governed, line):
        generator = torch.Generator().manual_seed(3)
        step = governed.scheduler.step

        @wraps(step)
        def meddle(*args, **kwargs):
            generator.manual_seed(99)
            return step(*args, **kwargs)

        governed.scheduler.step = meddle
        one = governed("a", num_inference_steps=2, generator=generator, eta=1.0)
        governed.scheduler.step = step
        other = governed("a", num_inference_steps=2, generator=torch.Generator().manual_seed(3), eta=1.0)
        assert same_picture(one.images[0], other.images[0])

    def test_two_threads_that_share_a_generator_have_two_true_records(self, tmp_path, governed, line):
        shared = torch.Generator().manual_seed(1)
        outs = []
        threads = [
            threading.Thread(target=lambda: outs.append(governed("a", num_inference_steps=2, generator=shared)))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        bare, recorded = stable_diffusion(tmp_path), []
        for out in outs:
            ((_, intent),) = line.parts.ledger.entries(kind=EntryKind.INTENT, subject=out.governance.generation_id)
            (state,) = states_in(line, intent)
            recorded.append(state)
            generator = torch.Generator()
            generator.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))
            assert same_picture(bare("a", num_inference_steps=2, generator=generator).images[0], out.images[0])
        assert len(set(recorded)) == 2
