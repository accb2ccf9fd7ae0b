"""Errors of the line: no frame that they came through has a draft in its variables."""

import traceback
from dataclasses import replace

import pytest

from governance.errors import DeniedError, DetectorError, GenerationError, SigningError
from governance.forgotten_locals import forget_locals, forgetting_locals
from governance.governor import Governor
from governance.resumption import Resumption
from governance.testing import FailingAt, FakeDetector, FakePipeline, FakePolicyEngine, fake_parts
from governance.testing.examples import example_request
from governance.types import Draft, Outcome, Stage
from support.reviewing import ANN, BOB, CODES, held


def frames(error):
    """Every frame that an error, or what led to it, came through."""
    waiting, known = [error], set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in known:
            known.add(id(one))
            waiting += [one.__cause__, one.__context__]
            yield from (frame for frame, _ in traceback.walk_tb(one.__traceback__))


def drafts_in(value, depth=8):
    """The drafts in a variable, in what it holds, and in what a function closes over."""
    if isinstance(value, Draft):
        return [value]
    if depth == 0:
        return []
    inside = list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list | tuple) else []
    inside += [cell.cell_contents for cell in getattr(value, "__closure__", None) or () if cell.cell_contents]
    names = getattr(type(value), "__slots__", ()) if type(value).__module__.startswith("governance.governor") else ()
    inside += [getattr(value, name) for name in names]
    return [draft for item in inside for draft in drafts_in(item, depth - 1)]


def found(error):
    return [draft for frame in frames(error) for draft in drafts_in(dict(frame.f_locals))]


class Failing(FakeDetector):
    """Fails at the picture `at`, counted from 1; without it at every one."""

    def __init__(self, error, at=0):
        super().__init__()
        self.error, self.at, self.calls = error, at, 0

    def detect(self, images):
        self.calls += 1
        if self.calls == self.at or not self.at:
            raise self.error
        return super().detect(images)


def denying():
    engine = FakePolicyEngine()
    return FakePolicyEngine({Stage.RELEASE: lambda stage, _facts: engine.answer(stage, Outcome.DENY)})


def whole(governor, pipeline):
    return governor.generate(example_request(), pipeline)


def in_halves(governor, pipeline):
    return governor.begin(example_request(), pipeline).finish()


@pytest.mark.parametrize("run", [whole, in_halves])
@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (lambda: {"policy": denying()}, DeniedError),
        (lambda: {"detectors": (Failing(DetectorError("broken", remedy="mend it")),)}, DetectorError),
        (lambda: {"detectors": (Failing(KeyboardInterrupt()),)}, KeyboardInterrupt),
    ],
    ids=["denied", "detector", "ctrl-c"],
)
def test_what_is_raised_has_no_draft(run, parts, expected):
    governor = Governor(fake_parts(**parts()))
    with pytest.raises(expected) as raised:
        run(governor, FakePipeline())
    assert not found(raised.value)
    assert "governor.py" in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("begin", [Governor.generate, Governor.begin])
def test_drafts_that_are_not_what_was_asked_for_stay_inside(begin):
    pipeline = FakePipeline(spoil=lambda drafts: [*drafts, *drafts])
    with pytest.raises(GenerationError) as raised:
        begin(Governor(fake_parts()), example_request(), pipeline)
    assert not found(raised.value)


def test_the_error_of_an_item_beside_released_ones_has_no_draft():
    failing = Failing(DetectorError("broken", remedy="mend it"), at=2)
    governor = Governor(fake_parts(detectors=(failing,)))
    result = governor.generate(example_request(images=2, seeds=(1, 2)), FakePipeline())
    errors = [item.error for item in result.items if item.error is not None]
    assert [type(error) for error in errors] == [DetectorError]
    assert not found(errors[0])


def test_a_generation_that_is_finished_holds_no_draft():
    finished = []
    generation = Governor(fake_parts()).begin(example_request(), FakePipeline())
    finished += generation._unfinished
    assert drafts_in(finished)
    generation.finish()
    assert not drafts_in(finished)


def test_what_a_release_after_review_raises_has_no_draft():
    line = held()
    line.approve(ANN)
    line.desk.lease(BOB, line.record.id)
    signer = FailingAt(line.parts.signer, "sign", SigningError("No key.", remedy="Make one."))
    with pytest.raises(SigningError) as raised:
        line.over(signer=signer).approve(BOB, line.record.id, CODES)
    assert not found(raised.value)
    assert {"release", "_released"} <= {frame.f_code.co_name for frame in frames(raised.value)}
    signer = FailingAt(line.parts.signer, "sign", SigningError("No key.", remedy="Make one."))
    with pytest.raises(SigningError) as raised:
        Resumption(replace(line.parts, signer=signer), line.clock).release(line.record)
    assert not found(raised.value)


def test_what_the_caller_was_handling_keeps_its_variables():
    def callers():
        precious = "theirs"
        raise KeyError(precious)

    @forgetting_locals()
    def ours():
        draft = "ours"
        raise ValueError(draft)

    caught = []
    try:
        callers()
    except KeyError as theirs:
        with pytest.raises(ValueError, match="ours") as raised:
            ours()
        caught.append((theirs, raised.value))
    ((theirs, error),) = caught
    variables = {frame.f_code.co_name: dict(frame.f_locals) for frame in frames(error)}
    assert error.__context__ is theirs
    assert variables["callers"] == {"precious": "theirs"}
    assert variables["ours"] == {}


def test_a_group_of_errors_and_errors_that_lead_to_each_other_are_cleared():
    def failing(error):
        draft = error
        raise draft

    errors = []
    for each in (ValueError("one"), TypeError("two")):
        try:
            failing(each)
        except (ValueError, TypeError) as error:
            errors.append(error)
    errors[0].__cause__, errors[1].__cause__ = errors[1], errors[0]
    forget_locals(ExceptionGroup("both", errors))
    inner = [frame for error in errors for frame, _ in traceback.walk_tb(error.__traceback__)]
    assert [dict(frame.f_locals) for frame in inner if frame.f_code.co_name == "failing"] == [{}, {}]
