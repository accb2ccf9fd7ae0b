"""What an engine says instead of a decision."""

import pytest

from governance.errors import PolicyError
from governance.ports import PolicyEngine
from governance.testing.examples import example_request
from governance.testing.policy import admission_facts
from governance.types import Stage

TOKEN = "a-token-that-nobody-may-read"
PROMPT = "an unmistakable lighthouse"


def refusal(engine: PolicyEngine, where: str = "127.0.0.1:") -> str:
    """The message of the error that comes instead of a decision: it says where, what to do, and nothing secret."""
    with pytest.raises(PolicyError) as caught:
        engine.decide(Stage.ADMISSION, admission_facts(example_request(PROMPT)))
    assert caught.value.remedy
    assert where in str(caught.value)
    at: BaseException | None = caught.value
    while at is not None:
        assert PROMPT not in str(at)
        assert TOKEN not in str(at)
        at = at.__cause__ or at.__context__
    return str(caught.value)
