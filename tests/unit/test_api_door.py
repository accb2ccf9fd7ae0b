"""What the door of the API remembers of a policy: for one person, one key and one revision of the bundle."""

from __future__ import annotations

import pytest

from governance.canonical import digest
from governance.errors import PolicyError
from governance.review_facts import Act
from governance.testing import FakePolicyEngine
from governance.types import Outcome, Principal, Reason, Stage
from governance_adapters.storage.api_keys import ApiKeyFile
from governance_adapters.web.access import Caller, Door
from governance_adapters.web.problems import ApiError


class Rules:
    """A policy that is replaced while the door stands."""

    def __init__(self):
        self.engine = FakePolicyEngine()
        self.engine.script = {Stage.REVIEW: self.decide}
        self.outcome = Outcome.ALLOW

    def decide(self, stage, facts):
        reasons = () if self.outcome is Outcome.ALLOW else (Reason("review.act", "not any more"),)
        return self.engine.answer(stage, self.outcome, *reasons)

    def replace(self, outcome):
        self.outcome = outcome
        self.engine.bundle_revision = digest(outcome.value.encode())


@pytest.fixture
def rules():
    return Rules()


@pytest.fixture
def door(rules, tmp_path):
    return Door(ApiKeyFile(tmp_path / "keys.sqlite3"), rules.engine)


def caller(name="a@example.org", roles=("auditor",), issuer="api-key:1"):
    return Caller(Principal(name, roles, issuer=issuer), frozenset({Act.LEDGER_READ, Act.WORKS_READ}))


def test_policy_is_asked_once_for_the_same_question(door, rules):
    for _ in range(3):
        door.check(caller(), Act.LEDGER_READ)
    assert len(rules.engine.asked) == 1
    assert door.remembers(caller(), Act.LEDGER_READ)


@pytest.mark.parametrize(
    ("other", "act"),
    [
        (caller(name="b@example.org"), Act.LEDGER_READ),
        (caller(roles=("designer",)), Act.LEDGER_READ),
        (caller(issuer="api-key:2"), Act.LEDGER_READ),
        (caller(), Act.WORKS_READ),
    ],
)
def test_another_person_role_key_or_act_is_another_question(door, rules, other, act):
    door.check(caller(), Act.LEDGER_READ)
    assert not door.remembers(other, act)
    rules.outcome = Outcome.DENY
    with pytest.raises(ApiError, match="Policy does not let"):
        door.check(other, act)


def test_a_new_bundle_is_asked_at_once(door, rules):
    door.check(caller(), Act.LEDGER_READ)
    rules.replace(Outcome.DENY)
    assert not door.remembers(caller(), Act.LEDGER_READ)
    with pytest.raises(ApiError) as refused:
        door.check(caller(), Act.LEDGER_READ)
    assert refused.value.reasons == ("review.act",)
    assert not door.remembers(caller(), Act.LEDGER_READ)
    rules.replace(Outcome.ALLOW)
    door.check(caller(), Act.LEDGER_READ)


@pytest.mark.parametrize("outcome", [Outcome.DENY, Outcome.REVIEW])
def test_only_allow_lets_in(door, rules, outcome):
    rules.outcome = outcome
    with pytest.raises(ApiError):
        door.check(caller(), Act.LEDGER_READ)


def test_no_decision_is_no_permission_and_not_remembered(door, rules):
    rules.engine.script = {Stage.REVIEW: PolicyError("It does not answer.", remedy="Ask again.")}
    with pytest.raises(PolicyError):
        door.check(caller(), Act.LEDGER_READ)
    assert not door.remembers(caller(), Act.LEDGER_READ)


def test_a_scope_that_a_key_lacks_is_refused_before_policy_is_asked(door, rules):
    with pytest.raises(ApiError, match="lacks the scope"):
        door.check(caller(), Act.WORKS_WRITE)
    assert rules.engine.asked == []
