"""Code of the caller's in the middle of a governed call: what no argument names does not run, and answers are only tensors."""

import threading
from collections.abc import Mapping
from functools import partial, wraps

import pytest
import torch
from accelerate.hooks import ModelHook, SequentialHook, add_hook_to_module, remove_hook_from_module
from diffusers import AutoPipelineForText2Image
from diffusers.hooks import HookRegistry
from diffusers.hooks import ModelHook as DiffusersHook

from governance.entries import EntryKind
from governance.errors import SealedError
from governance_adapters.pipelines.diffusers import wrap
from governance_adapters.pipelines.sealing.callbacks import guarded_callback
from governance_adapters.pipelines.sealing.callers_code import pipelines_of, refuse_callers_code
from governance_adapters.pipelines.sealing.running import is_running, running
from governance_adapters.pipelines.sealing.taps import is_own
from support.tiny import stable_diffusion
from support.tiny_pipelines import TINY
from support.wrapped import PRINCIPAL, last, same_picture


def painted(pipe, seed=3, **keywords):
    keywords = {"negative_prompt": "b", "num_inference_steps": 2, **keywords}
    return pipe("a", generator=torch.Generator().manual_seed(seed), **keywords).images[0]


class Told(float):
    """A number that runs code of its own."""


class Spy:
    """A file, and a function, that notes whether modules are open to it."""

    def __init__(self):
        self.heard = []

    def write(self, _text):
        self.heard.append(is_running())

    def flush(self):
        """Nothing is buffered."""

    def __call__(self, *_args):
        self.heard.append(is_running())


class TestAnswers:
    """What a callback gives back."""

    @pytest.fixture(params=["dict", "mapping", "neither"])
    def answer(self, request):
        heard = []

        def listened(self, *args):
            heard.append(is_running())
            return args[1] if len(args) > 1 else ()

        members = dict.fromkeys(("pop", "get", "items", "keys", "__getitem__", "__iter__", "__del__"), listened)
        base = {"dict": dict, "mapping": Mapping, "neither": object}[request.param]
        return type("Answer", (base,), {**members, "__len__": lambda _self: 0}), heard

    @pytest.mark.parametrize("asked", [(), ("latents",)])
    def test_an_object_of_the_callbacks_own_never_runs_in_the_pipelines_code(self, answer, asked):
        kind, heard = answer
        with running():
            given = guarded_callback(kind, asked)()
            assert type(given) is dict
            assert given == {}
            del given
        assert heard
        assert not any(heard)

    def test_only_plain_tensors_are_taken(self):
        class Heard(torch.Tensor):
            pass

        for answer in (torch.ones(2).as_subclass(Heard), torch.nn.Parameter(torch.ones(2)), [1.0], Told(1)):
            assert guarded_callback(lambda answer=answer: {"latents": answer}, ("latents",))() == {}
        tensor = torch.ones(2)
        tensor.note = Spy()
        given = guarded_callback(lambda: {"latents": tensor, "other": tensor}, ("latents",))()
        assert list(given) == ["latents"]
        assert torch.equal(given["latents"], tensor)
        assert not hasattr(given["latents"], "note")

    def test_a_true_answer_is_no_answer(self):
        assert guarded_callback(lambda: True, ())() == {}


class TestProgressBars:
    @pytest.mark.parametrize(
        "settings",
        [
            lambda: {"file": Spy()},
            lambda: {"file": None},
            lambda: {"mininterval": Told(0)},
            lambda: {"postfix": [Spy()]},
        ],
        ids=["file", "no-file", "heir", "list"],
    )
    def test_one_that_runs_code_is_refused_on_record(self, governed, line, settings):
        governed.set_progress_bar_config(**settings())
        with pytest.raises(SealedError, match="progress bar"):
            painted(governed)
        assert last(line, EntryKind.FAILED).body["error"] == "SealedError"

    def test_settings_of_an_own_mapping_are_refused(self, governed):
        governed._progress_bar_config = type("Settings", (dict,), {})()
        with pytest.raises(SealedError, match="progress bar"):
            painted(governed)

    def test_plain_settings_work(self, governed):
        governed.set_progress_bar_config(disable=True, desc="painting", mininterval=1.5, ncols=None)
        assert painted(governed)

    def test_that_of_a_pipeline_inside_is_looked_at(self, pipe, tmp_path):
        inner = stable_diffusion(tmp_path)
        pipe.prior_pipe = [inner]
        assert list(pipelines_of(pipe)) == [pipe, inner]
        inner.set_progress_bar_config(file=Spy())
        with pytest.raises(SealedError, match="progress bar"):
            refuse_callers_code(pipe)


class TestFunctionsOnThePipeline:
    def test_an_interpolation_of_the_callers_is_refused(self, line, tmp_path):
        tiny, spy = TINY["AnimateDiffPipeline"], Spy()
        pipe = wrap(tiny.quiet(tmp_path / "tiny"), line, PRINCIPAL, "marketing")
        for given in (spy, lambda *_: None):
            pipe.enable_free_noise(context_length=2, context_stride=1, prompt_interpolation_callback=given)
            with pytest.raises(SealedError, match="_free_noise_prompt_interpolation_callback"):
                pipe(**tiny.call, **tiny.said)
        assert not spy.heard
        pipe.enable_free_noise(context_length=2, context_stride=1)
        refuse_callers_code(pipe)

    def test_a_method_that_was_replaced_is_refused(self, governed):
        governed.progress_bar = Spy()
        with pytest.raises(SealedError, match="progress_bar"):
            painted(governed)

    def test_a_function_is_known_by_where_it_is_written_whatever_it_says(self):
        @wraps(AutoPipelineForText2Image.from_pipe)
        def theirs():
            """Goes around a function of diffusers."""

        @torch.no_grad()
        def within():
            """Is gone around by a function of torch."""

        looped = lambda: None  # noqa: E731 - a function that says it goes around itself
        looped.__wrapped__, looped.__module__ = looped, "torch"
        for code in (theirs, within, partial(theirs), Spy().write, looped):
            assert not is_own(code)
        assert is_own(torch.no_grad)
        assert is_own(AutoPipelineForText2Image.from_pipe)


class TestOtherThreads:
    def test_guidance_stays_what_policy_was_told(self, governed, line):
        expected = painted(governed)
        errors = []

        def swap():
            for name, value in {"_guidance_scale": -7.5, "_progress_bar_config": {"file": Spy()}}.items():
                try:
                    setattr(governed, name, value)
                except SealedError as error:
                    errors.append(error)

        step = governed.scheduler.step

        def meanwhile(*args, **keywords):
            thread = threading.Thread(target=swap)
            thread.start()
            thread.join()
            return step(*args, **keywords)

        governed.scheduler.step = meanwhile
        assert same_picture(painted(governed), expected)
        assert len(errors) == 4
        assert last(line, EntryKind.FAILED).body["error"] == "SealedError"
        governed._guidance_scale = -7.5  # between calls it may be

    def test_a_callback_may_set_a_number_and_nothing_that_runs(self, governed):
        errors = []

        def callback(pipe, *_):
            pipe._guidance_scale = 1.0
            for value in (Told(1.0), Spy(), [Spy()]):
                try:
                    pipe._guidance_scale = value
                except SealedError as error:
                    errors.append(error)
            return {}

        painted(governed, callback_on_step_end=callback, num_inference_steps=1)
        assert governed.guidance_scale == 1.0
        assert len(errors) == 3


class Watching(ModelHook):
    """A hook of accelerate's kind that is not accelerate's."""


class WatchingToo(DiffusersHook):
    """A hook of diffusers' kind that is not diffusers'."""


class TestHooksOfTheLibrariesKinds:
    @pytest.mark.parametrize(
        "hook", [Watching, lambda: SequentialHook(ModelHook(), SequentialHook(Watching()))], ids=["one", "among"]
    )
    def test_anybodys_in_accelerates_place_is_refused(self, governed, hook):
        add_hook_to_module(governed.vae.decoder, hook())
        with pytest.raises(SealedError, match="hook on a Decoder"):
            painted(governed)
        remove_hook_from_module(governed.vae.decoder)
        assert painted(governed)

    def test_anybodys_in_diffusers_registry_is_refused(self, governed):
        registry = HookRegistry.check_if_exists_or_initialize(governed.vae.decoder)
        registry.register_hook(WatchingToo(), "watching")
        with pytest.raises(SealedError, match="hook on a Decoder"):
            painted(governed)
        registry.remove_hook("watching")
        assert painted(governed)

    def test_those_of_the_libraries_work(self, governed):
        add_hook_to_module(governed.vae.decoder, SequentialHook(ModelHook()))
        HookRegistry.check_if_exists_or_initialize(governed.vae.encoder).register_hook(DiffusersHook(), "own")
        assert painted(governed)
