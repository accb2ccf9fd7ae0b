"""Submitted and streamed calls of a real, tiny diffusers pipeline."""

import threading

import pytest
import torch

from governance.entries import EntryKind
from governance.errors import DeniedError, GenerationError, RequestError
from governance.governor import Governor
from governance.testing import FakeDetector, FakePolicyEngine, fake_parts
from governance.types import Outcome, Stage
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.pipelines.diffusers import wrap
from support.wrapped import PRINCIPAL, fail_once, last, same_picture, state_of, states_in

WAIT_S = 60


def test_a_submitted_call_gives_what_a_call_gives(governed):
    called = governed("a", num_inference_steps=1, generator=torch.Generator().manual_seed(3))
    future = governed.submit("a", num_inference_steps=1, generator=torch.Generator().manual_seed(3))
    submitted = future.result(WAIT_S)
    assert type(submitted) is type(called)
    assert same_picture(submitted.images[0], called.images[0])
    assert submitted.items[0].asset is not None


def test_a_stream_keeps_the_order_and_loses_no_sibling_of_a_denied_call(pipe):
    engine = FakePolicyEngine()

    def admitted(stage, facts):
        denied = facts["prompts"][0]["text"] == "b"
        return engine.answer(stage, Outcome.DENY if denied else Outcome.ALLOW)

    line = Governor(fake_parts(encoder=ImageEncoder(), policy=FakePolicyEngine({Stage.ADMISSION: admitted})))
    governed = wrap(pipe, line, PRINCIPAL, "marketing")
    calls = ({"prompt": text, "num_inference_steps": 1, "request_id": f"order-{text}"} for text in "abcd")
    streamed = list(governed.stream(calls))
    assert [each.position for each in streamed] == [0, 1, 2, 3]
    assert [type(each.error) for each in streamed] == [type(None), DeniedError, type(None), type(None)]
    intended = [entry.subject for _, entry in line.parts.ledger.entries(kind=EntryKind.INTENT)]
    assert [each.get().items[0].entry.subject for each in streamed if each.error is None] == intended
    assert line.parts.ledger.open_claims() == 0


def test_a_pipeline_that_stumbles_fails_its_own_call_only(governed, line):
    fail_once(governed)
    streamed = list(governed.stream([{"prompt": "a", "num_inference_steps": 1}] * 3))
    assert [type(each.error) for each in streamed] == [GenerationError, type(None), type(None)]
    assert last(line, EntryKind.FAILED).body["step"] == "generate"


def test_one_call_is_checked_while_the_next_one_generates(pipe):
    next_generates = threading.Event()

    class Patient(FakeDetector):
        def detect(self, images):
            assert next_generates.wait(WAIT_S), "the next call never generated while this one was checked"
            return super().detect(images)

    governed = wrap(pipe, Governor(fake_parts(encoder=ImageEncoder(), detectors=(Patient(),))), PRINCIPAL, "marketing")
    step, runs = governed.scheduler.step, []

    def stepping(*args, **kwargs):
        runs.append(1)
        if len(runs) == 2:
            next_generates.set()
        return step(*args, **kwargs)

    governed.scheduler.step = stepping
    streamed = list(governed.stream([{"prompt": "a", "num_inference_steps": 1}] * 2))
    assert [each.error for each in streamed] == [None, None]


def test_calls_that_share_a_generator_draw_on_from_each_other(governed, line):
    generator, alone = torch.Generator().manual_seed(7), torch.Generator().manual_seed(7)
    for _ in range(2):
        governed("a", num_inference_steps=1, generator=alone)
    calls = [{"prompt": "a", "num_inference_steps": 1, "generator": generator}] * 2
    assert [each.error for each in governed.stream(calls)] == [None, None]
    assert state_of(generator) == state_of(alone)
    intents = [entry for _, entry in line.parts.ledger.entries(kind=EntryKind.INTENT)]
    assert [states_in(line, entry) for entry in intents[2:]] == [states_in(line, entry) for entry in intents[:2]]


def test_arguments_that_cannot_be_governed_fail_their_own_call(governed, line):
    wrong, fine = governed.stream([{"prompt": "a", "unheard_of": 1}, {"prompt": "a", "num_inference_steps": 1}])
    assert isinstance(wrong.error, RequestError)
    assert fine.error is None
    assert last(line, EntryKind.FAILED).body["error"] == type(wrong.error).__name__


@pytest.mark.parametrize("nested", ["submit", "stream"])
def test_a_callback_cannot_submit_to_its_own_pipeline(pipe, nested):
    governed = wrap(pipe, Governor(fake_parts(encoder=ImageEncoder())), PRINCIPAL, "marketing")
    seen = []

    def callback(pipeline, step, timestep, tensors):
        try:
            getattr(pipeline, nested)({"prompt": "b"} if nested == "submit" else [{"prompt": "b"}])
        except RequestError as error:
            seen.append(str(error))
        return tensors

    governed("a", num_inference_steps=1, callback_on_step_end=callback)
    assert len(seen) == 1
    assert "within its own call" in seen[0]
