"""What the tests of wrapped diffusers pipelines share."""

import json
from base64 import b64decode

import numpy as np

from governance.governor import Governor
from governance.testing import FakePolicyEngine, fake_parts
from governance.types import Outcome, Principal, Stage
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.pipelines.arguments.binding import bind

PRINCIPAL = Principal("designer@example.org", ("designer",))


def last(line, kind):
    return [entry for _, entry in line.parts.ledger.entries(kind=kind)][-1]


def denying_the_first(decided=Outcome.DENY):
    """A governor that withholds image 0 and releases the others."""
    engine = FakePolicyEngine()
    outcomes = {0: decided}
    policy = FakePolicyEngine(
        {
            Stage.RELEASE: lambda s, facts: engine.answer(
                s, outcomes.get(facts["draft"]["index"], Outcome.ALLOW), watermark=True
            )
        }
    )
    return Governor(fake_parts(encoder=ImageEncoder(), policy=policy))


def call_of(line, intent):
    return json.loads(line.parts.ledger.document(intent.body["call"]))


def states_in(line, intent):
    return [b64decode(state) for state in call_of(line, intent)["generators"]]


def state_of(generator):
    return generator.get_state().numpy().tobytes()


def fail_once(pipe):
    """Let the pipeline's next scheduler step fail, as one does that runs out of memory."""
    step, calls = pipe.scheduler.step, []

    def stumble(*args, **kwargs):
        calls.append(args)
        if len(calls) == 1:
            raise RuntimeError("out of memory")
        return step(*args, **kwargs)

    pipe.scheduler.step = stumble


def same_picture(one, other):
    """Whether two pictures are the same but for the fake watermark, which lives in the lowest bits."""
    return np.abs(np.asarray(one, int) - np.asarray(other, int)).max() <= 1


def rearranged(weight):
    """Other weights with the same checksum: the same 64-bit words, elsewhere."""
    return weight.detach().flatten().roll(2).reshape(weight.shape)


class Agreeable:
    """Equal to anything."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


class Moody(str):
    """A text that says something else each time it is printed."""

    __slots__ = ()

    def __str__(self):
        return "changed"


def bound(pipe, *args, **kwargs):
    return bind(pipe, type(pipe).__call__, args, kwargs)
