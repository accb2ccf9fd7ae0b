"""The parts of the engine by themselves: facts as numbers, near-duplicates, and one decision for each combination."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.canonical import digest, parsed_json
from governance.datasets.combinations import judge
from governance.datasets.policy_input import Collected, RecordFacts
from governance.datasets.records import NOT_LOOKED, Basis, Consent, OptOut, Problem, SourceKind, Synthetic
from governance.errors import PolicyError
from governance.registers.standing import ContractState
from governance.types import Decision, Outcome, Reason, Stage
from governance_adapters.datasets.engine.codes import ACTIONS, Flag, columns_code, facts_of
from governance_adapters.datasets.engine.near import DISTANCE, near_duplicates

scores = st.integers(NOT_LOOKED, 100)


@st.composite
def facts(draw):
    """Any facts, as far as a record and its content say them: what the rights tables add stands in flags."""
    return RecordFacts(
        licence="MIT",
        source_kind=draw(st.sampled_from(SourceKind)),
        consent=draw(st.sampled_from(Consent)),
        contract=draw(st.sampled_from(ContractState)),
        collected=draw(st.sampled_from(Collected)),
        synthetic=draw(st.sampled_from(Synthetic)),
        opt_outs=tuple(sorted(draw(st.sets(st.sampled_from(OptOut))))),
        nsfw=draw(scores),
        similar=draw(scores),
        work_action=draw(st.sampled_from(ACTIONS)),
        personal=tuple(sorted(draw(st.sets(st.sampled_from(["exif_gps", "iptc_person", "email"]))))),
        problems=tuple(sorted(draw(st.sets(st.sampled_from(Problem))))),
        basis=draw(st.sampled_from(Basis)),
    )


@settings(deadline=None, max_examples=50)  # the first example imports Arrow
@given(st.lists(facts(), min_size=1, max_size=8))
def test_facts_become_numbers_and_facts_again(many):
    texts, lists = pa.string(), pa.list_(pa.string())
    said = columns_code(
        {
            name: pa.array([str(getattr(each, name)) for each in many], texts)
            for name in ("source_kind", "consent", "contract", "collected", "synthetic", "basis", "work_action")
        },
        {name: pa.array([list(getattr(each, name)) for each in many], lists) for name in ("opt_outs", "problems")},
        {name: pa.array([getattr(each, name) for each in many], pa.int32()) for name in ("nsfw", "similar")},
    )
    assert said.dtype == np.int64
    assert (said >= 0).all()
    assert [facts_of(int(n), ",".join(each.personal), "MIT", 0) for n, each in zip(said, many, strict=True)] == many


@pytest.mark.parametrize("flag", [flag for flag in Flag if flag is not Flag.WATCHED], ids=lambda flag: flag.name)
def test_each_flag_is_a_fact_of_its_own(flag):
    plain, flagged = facts_of(0, "", "", 0), facts_of(0, "", "", int(flag))
    differing = [name for name in plain.__slots__ if getattr(plain, name) != getattr(flagged, name)]
    assert len(differing) == 1
    assert differing[0] in ("opt_outs", "problems", "near_duplicate")


def test_a_value_that_is_none_is_refused():
    with pytest.raises(ValueError, match="sold"):
        columns_code({"consent": pa.array(["given", "sold"])}, {}, {})


def hashes_with(distances, rng):
    """Contents and their PDQ hashes: for each distance a pair that differs in so many bits, and nothing else near."""
    rows = []
    for distance in distances:
        bits = rng.integers(0, 2, 256, np.uint8)
        other = bits.copy()
        other[rng.choice(256, distance, replace=False)] ^= 1
        rows += [np.packbits(bits).tobytes(), np.packbits(other).tobytes()]
    return rows


def part_of(path, hashes, quality=100):
    contents = [digest(b"%d" % number) for number in range(len(hashes))]
    columns = {"content": contents, "pdq": pa.array(hashes, pa.binary(32)), "pdq_quality": [quality] * len(hashes)}
    pq.write_table(pa.table(columns), path)
    return contents


def test_near_duplicates_are_all_within_31_bits_and_no_other(tmp_path):
    distances = [0, 1, 8, 16, 30, DISTANCE, DISTANCE + 1, 40, 64]
    path = tmp_path / "part.parquet"
    contents = part_of(path, hashes_with(distances, np.random.default_rng(5)))
    found = near_duplicates([path], tmp_path).to_pylist()
    expected = {}
    for number, distance in enumerate(distances):
        pair = contents[2 * number : 2 * number + 2]
        if distance <= DISTANCE:
            expected |= dict.fromkeys(pair, min(pair))
    assert {row["content"]: row["near_duplicate"] for row in found} == expected


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_the_search_agrees_with_one_that_compares_everything(tmp_path_factory, seed):
    folder, rng = tmp_path_factory.mktemp("near"), np.random.default_rng(seed)
    hashes = hashes_with(rng.integers(0, 48, 12).tolist(), rng)
    contents = part_of(folder / "part.parquet", hashes)
    bits = np.unpackbits(np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32), axis=1)
    near = (bits[:, None] != bits[None]).sum(2) <= DISTANCE
    expected = {
        contents[row]: min(np.array(contents)[near[row]]) for row in range(len(contents)) if near[row].sum() > 1
    }
    found = near_duplicates([folder / "part.parquet"], folder).to_pylist()
    assert {row["content"]: row["near_duplicate"] for row in found} == expected


def test_flat_pictures_are_not_compared_by_chance(tmp_path):
    path = tmp_path / "part.parquet"
    part_of(path, hashes_with([0], np.random.default_rng(5)), quality=49)
    assert len(near_duplicates([path], tmp_path)) == 0


class _CountingPolicy:
    """Allows what has a licence; changes its revision after `changes` decisions."""

    def __init__(self, changes=1000):
        self.asked, self._changes = [], changes

    @property
    def bundle_revision(self):
        return digest(b"1") if len(self.asked) < self._changes else digest(b"2")

    def decide(self, stage, facts):
        revision = self.bundle_revision
        self.asked.append((stage, facts))
        allowed = bool(facts["record"]["licence"])
        reasons = () if allowed else (Reason("training.licence", "m"), Reason("training.licence", "n"))
        return Decision(stage, Outcome.ALLOW if allowed else Outcome.DENY, reasons, {}, "d", revision)


def test_policy_is_asked_once_for_each_combination():
    policy = _CountingPolicy()
    counted = {RecordFacts(): 7, RecordFacts(licence="MIT"): 5, RecordFacts(licence="MIT", near_duplicate=True): 2}
    judged = judge(counted, policy, time="2026-06-01T12:00:00.000Z", purpose="marketing")
    assert len(policy.asked) == 3
    assert {stage for stage, _ in policy.asked} == {Stage.TRAINING}
    assert all(facts["purpose"] == "marketing" for _, facts in policy.asked)
    assert judged.outcomes() == {Outcome.ALLOW: 7, Outcome.REVIEW: 0, Outcome.DENY: 7}
    assert judged.reasons() == {"training.licence": 7}
    document = parsed_json(judged.document())
    assert [each["records"] for each in document["combinations"]] == [counted[each.facts] for each in judged.judgements]
    again = judge(dict(reversed(counted.items())), policy, time="2026-06-01T12:00:00.000Z", purpose="marketing")
    assert again.document() == judged.document()


def test_one_audit_is_judged_by_one_bundle():
    counted = {RecordFacts(): 1, RecordFacts(licence="MIT"): 1}
    with pytest.raises(PolicyError, match="changed while the dataset was judged"):
        judge(counted, _CountingPolicy(changes=1), time="2026-06-01T12:00:00.000Z", purpose="")


def test_an_audit_is_judged_by_the_bundle_that_an_engine_loads_when_it_is_asked():
    class Reloading(_CountingPolicy):
        @property
        def bundle_revision(self):
            return digest(b"new" if self.asked else b"old")

        def decide(self, stage, facts):
            return replace(super().decide(stage, facts), bundle_revision=digest(b"new"))

    counted = {RecordFacts(): 1, RecordFacts(licence="MIT"): 1}
    judged = judge(counted, Reloading(), time="2026-06-01T12:00:00.000Z", purpose="")
    assert judged.bundle_revision == digest(b"new")
