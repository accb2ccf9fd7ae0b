"""The sample of an audit: the same for the same seed, whole, in order, and of released files only."""

import pytest

from governance.errors import QueryError
from governance.replay_sample import sampled_releases
from governance.replays import Sampled
from governance.testing import FakeLedger, FakePolicyEngine, example_request, fake_parts
from governance.types import Outcome, Stage
from support.replaying import released_by


@pytest.fixture(scope="module")
def line():
    """Twelve calls of one to three images, with the entries that they released."""
    parts = fake_parts()
    requests = [
        example_request(id=f"r{number}", images=1 + number % 3, seeds=tuple(range(1 + number % 3)))
        for number in range(12)
    ]
    return parts.ledger, [entry for request in requests for entry in released_by(parts, request)]


def drawn(line, number, seed=7, since=""):
    ledger, _ = line
    return sampled_releases(ledger, Sampled(number, seed, since))


def test_the_same_seed_draws_the_same_files(line):
    assert drawn(line, 5) == drawn(line, 5)
    assert len({tuple(entry.id for group in drawn(line, 5, seed) for entry in group) for seed in range(10)}) > 5


def test_a_larger_sample_holds_the_smaller_one(line):
    few, more = ({entry.id for group in drawn(line, number) for entry in group} for number in (5, 9))
    assert len(few) == 5
    assert few < more


def test_files_of_one_generation_come_together_in_the_order_of_the_log(line):
    groups = drawn(line, 100)
    assert [entry for group in groups for entry in group] == line[1]
    assert all(len({entry.subject for entry in group}) == 1 for group in groups)
    assert len({group[0].subject for group in groups}) == len(groups) == 12


def test_every_file_is_drawn_sooner_or_later(line):
    seen = {entry.id for seed in range(200) for group in drawn(line, 1, seed) for entry in group}
    assert seen == {entry.id for entry in line[1]}


def test_only_files_since_a_time(line):
    since = line[1][-1].time
    found = [entry for group in drawn(line, 100, since=since) for entry in group]
    assert found == [entry for entry in line[1] if entry.time >= since]
    assert drawn(line, 5, since="2999-01-01T00:00:00Z") == ()


def test_nothing_withheld_is_drawn():
    engine = FakePolicyEngine()
    denying = FakePolicyEngine({Stage.RELEASE: lambda stage, _: engine.answer(stage, Outcome.REVIEW)})
    parts = fake_parts(policy=denying)
    with pytest.raises(Exception, match="holds"):
        released_by(parts)
    assert sampled_releases(parts.ledger, Sampled(5, 1)) == ()


def test_a_sample_of_none_is_refused():
    with pytest.raises(QueryError, match="sample"):
        sampled_releases(FakeLedger(), Sampled(0, 1))
