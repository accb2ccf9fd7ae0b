"""The core of governed training: what is asked, handed out, recorded and refused, over a ledger in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import Digest, digest
from governance.datasets.audit_entries import Audited, approved_record, audited_record, withdrawn_record
from governance.datasets.records import Basis, DatasetRecord
from governance.datasets.standing import DatasetStanding, dataset_standing
from governance.entries import Entry, EntryKind
from governance.errors import (
    DatasetChangedError,
    GovernanceError,
    LedgerError,
    ProofError,
    TrainingDeniedError,
    TrainingError,
)
from governance.registers.item_checks import RegisterName
from governance.registers.items import RegisteredAdapter, RegisteredModel
from governance.registers.register import Registers
from governance.testing import FakeLedger, FakePolicyEngine
from governance.training.data import TrainingRecord
from governance.training.entries import Trained, consumed_of, trained, trained_run
from governance.training.policy_input import LineageGrade
from governance.training.run import TrainingRun
from governance.training.runs import Consumed, DatasetUse, Method, ResultKind, RunPlan, TrainingResult
from governance.types import Outcome, Principal, Reason, Stage

COUNSEL = Principal("counsel@example.org", ("counsel",))
DESIGNER = Principal("designer@example.org", ("designer",))
MODEL = RegisteredModel(name="a base", components={"unet": digest(b"unet")}, licence="CC-BY-4.0")
RESULT = TrainingResult(ResultKind.ADAPTER, digest(b"adapter"), "a lora", digest(b"file"), "unet")
CONTENTS = (b"one", b"two", b"three")


@dataclass(frozen=True)
class _Place:
    index: int
    there: bool


@dataclass
class FakeDataset:
    """An opened dataset in memory: contents by digest, as records that policy allowed."""

    standing: DatasetStanding
    contents: dict[Digest, bytes]
    allowed: set[Digest]
    missing: set[Digest] = field(default_factory=set)

    @property
    def leaves(self) -> FakeDataset:
        return self

    def find(self, content: Digest | str) -> _Place:
        places = sorted(set(self.contents) - self.missing)
        return _Place(places.index(Digest(content)), True) if content in places else _Place(0, False)

    def records(self) -> Iterator[DatasetRecord]:
        for content in sorted(self.contents):
            if content in self.allowed:
                yield DatasetRecord(f"record {content[:8]}", content, Basis.COMPUTED, outcome=Outcome.ALLOW)

    def read(self, record: DatasetRecord) -> bytes:
        content = self.contents[Digest(record.content)]
        if digest(content) != record.content:
            raise DatasetChangedError("The bytes are others.", remedy="Audit again.")
        return content


@dataclass
class Installation:
    """A ledger with a registered base and one approved dataset, and a policy that follows its script."""

    ledger: FakeLedger = field(default_factory=FakeLedger)
    policy: FakePolicyEngine = field(default_factory=FakePolicyEngine)

    def __post_init__(self) -> None:
        self.registers = Registers(self.ledger)
        self.registers.add(MODEL, COUNSEL)

    def dataset(self, name: str = "digits", contents: Sequence[bytes] = CONTENTS) -> FakeDataset:
        audited = Audited(
            name,
            root=digest(b"root " + name.encode()),
            contents=len(contents),
            records=len(contents),
            outcomes={Outcome.ALLOW: len(contents)},
            report=b"{}",
            combinations=b"[]",
            bundle_revision=self.policy.bundle_revision,
        )
        record = audited_record(audited, COUNSEL)
        self.ledger.append(record)
        self.ledger.append(approved_record(record.entry, COUNSEL))
        kept = {digest(each): each for each in contents}
        return FakeDataset(dataset_standing(self.ledger, name), kept, set(kept))

    def run(
        self,
        *datasets: FakeDataset,
        lineage: LineageGrade = LineageGrade.WITNESSED,
        method: Method = Method.LORA,
    ) -> TrainingRun:
        uses = tuple(DatasetUse(each.standing.name, each.standing.audited.id, each.standing.root) for each in datasets)
        plan = RunPlan(
            DESIGNER, "marketing", method, lineage, MODEL.key, uses, {"steps": 3}, {"instance": "a sks seven"}
        )
        return TrainingRun(plan, ledger=self.ledger, policy=self.policy, registers=self.registers, datasets=datasets)

    def entries(self, run: TrainingRun) -> list[Entry]:
        return [entry for _, entry in self.ledger.entries(subject=run.id)]


@pytest.fixture
def here() -> Installation:
    return Installation()


def _deny(phase: str) -> FakePolicyEngine:
    """A policy that denies one phase of a run and allows the other."""
    engine = FakePolicyEngine()

    def answer(stage, facts):
        denied = facts["run"]["phase"] == phase
        reasons = [Reason("training.not_approved", "0 of 1 approvals are given.", "/run")] if denied else []
        return engine.answer(stage, Outcome.DENY if denied else Outcome.ALLOW, *reasons)

    return replace(engine, script={Stage.TRAINING: answer})


def test_a_run_commits_to_what_it_handed_out(here: Installation) -> None:
    data = here.dataset()
    with here.run(data) as run:
        given_out = list(run.records(limit=2))
        assert list(run.records(limit=2)) == given_out  # a second pass counts nothing twice
        made = run.finish(RESULT, {"method": "key", "file": digest(b"sig"), "key": digest(b"key")})
    assert [each.content for each in given_out] == [data.contents[key] for key in sorted(data.contents)[:2]]
    assert all(isinstance(each, TrainingRecord) and digest(each.content) == each.record.content for each in given_out)
    begun, ended = here.entries(run)
    assert (begun.kind, ended.kind) == (EntryKind.TRAINING, EntryKind.TRAINED)
    assert ended.body["started"]["id"] == begun.id
    assert made == Trained.of(ended) == trained_run(here.ledger, run.id)
    assert list(trained(here.ledger)) == [made]
    assert made.lineage is LineageGrade.WITNESSED
    assert made.base == MODEL.key
    assert made.result == RESULT
    (part,) = made.consumed
    assert (part.name, part.contents, part.records, part.root) == ("digits", 2, 2, data.standing.root)
    consumed = consumed_of(here.ledger, part)
    assert list(consumed.indices()) == [0, 1]
    assert [index in consumed for index in range(-1, 4)] == [False, True, True, False, False]


def test_policy_is_asked_before_and_after_with_what_stands(here: Installation) -> None:
    with here.run(here.dataset()) as run:
        list(run.records())
        run.finish(RESULT)
    (first, start), (second, finish) = here.policy.asked
    assert first is second is Stage.TRAINING
    assert [facts["run"]["phase"] for facts in (start, finish)] == ["start", "finish"]
    (dataset,) = finish["run"]["datasets"]
    assert dataset["consumed"] == len(CONTENTS)
    assert start["run"]["datasets"][0]["consumed"] == 0
    assert dataset["approvals"] == [{"person": 1, "roles": ["counsel"], "assurance": "asserted"}]
    assert start["run"]["base"] == {"key": MODEL.key, "state": "registered", "expires": "", "licence": "CC-BY-4.0"}


def test_who_asks_and_what_may_name_a_person_are_commitments(here: Installation) -> None:
    with here.run(here.dataset()) as run:
        list(run.records())
        run.finish(RESULT)
    begun, ended = here.entries(run)
    for entry in (begun, ended):
        assert DESIGNER.id.encode() not in entry.leaf()
        assert b"sks" not in entry.leaf()
    values = {each.name: each.value for each in here.ledger.fields(begun.id)}
    assert values["/texts"] == {"instance": "a sks seven"}
    assert values["/principal/id"] == DESIGNER.id


def test_what_policy_denies_does_not_begin(here: Installation) -> None:
    here.policy = _deny("start")
    run = here.run(here.dataset())
    with pytest.raises(TrainingDeniedError, match=r"training\.not_approved"), run:
        pytest.fail("the block was entered")
    (entry,) = here.entries(run)
    assert entry.kind is EntryKind.TRAINING_DENIED
    with pytest.raises(TrainingError, match="not begun"):
        next(run.records())


def test_what_policy_denies_at_the_end_has_no_result(here: Installation) -> None:
    here.policy = _deny("finish")
    run = here.run(here.dataset())
    with run:
        list(run.records())
        with pytest.raises(TrainingDeniedError):
            run.finish(RESULT)
    assert [entry.kind for entry in here.entries(run)] == [EntryKind.TRAINING, EntryKind.TRAINING_FAILED]
    assert here.entries(run)[1].body["decision"]["outcome"] == "deny"
    assert trained_run(here.ledger, run.id) is None


def test_a_withdrawal_is_seen_at_the_end(here: Installation) -> None:
    data = here.dataset()
    with here.run(data) as run:
        list(run.records())
        here.ledger.append(withdrawn_record(data.standing.audited, COUNSEL))
        run.finish(RESULT)
    assert [facts["run"]["datasets"][0]["state"] for _, facts in here.policy.asked] == ["approved", "withdrawn"]


def test_a_dataset_that_is_audited_again_meanwhile_ends_the_run(here: Installation) -> None:
    with here.run(here.dataset()) as run:
        list(run.records())
        here.dataset()
        with pytest.raises(DatasetChangedError, match="audited again"):
            run.finish(RESULT)
    assert here.entries(run)[-1].kind is EntryKind.TRAINING_FAILED


def test_changed_bytes_end_the_run(here: Installation) -> None:
    data = here.dataset()
    data.contents[max(data.contents)] = b"other bytes"
    with pytest.raises(DatasetChangedError), here.run(data) as run:
        list(run.records())
    failed = here.entries(run)[-1]
    assert (failed.kind, failed.body["step"], failed.body["error"]) == (
        EntryKind.TRAINING_FAILED,
        "train",
        "DatasetChangedError",
    )


def test_a_content_that_is_not_in_the_signed_list_is_not_handed_out(here: Installation) -> None:
    data = here.dataset()
    data.missing = {max(data.contents)}
    with pytest.raises(DatasetChangedError, match="not in the signed list"), here.run(data) as run:
        list(run.records())


def test_a_run_that_consumed_nothing_has_no_result(here: Installation) -> None:
    with pytest.raises(TrainingError, match="without having consumed"), here.run(here.dataset()) as run:
        run.finish(RESULT)
    assert here.entries(run)[-1].kind is EntryKind.TRAINING_FAILED


def test_a_run_that_is_not_finished_has_failed(here: Installation) -> None:
    with pytest.raises(TrainingError, match="without a result"), here.run(here.dataset()) as run:
        list(run.records())
    assert here.entries(run)[-1].kind is EntryKind.TRAINING_FAILED


def test_an_exception_inside_is_recorded_and_goes_on(here: Installation) -> None:
    with pytest.raises(ZeroDivisionError), here.run(here.dataset()) as run:
        raise ZeroDivisionError("a person's name")
    failed = here.entries(run)[-1]
    assert failed.body["error"] == "ZeroDivisionError"
    assert b"a person" not in failed.leaf()


def test_nothing_is_handed_out_once_a_run_is_over(here: Installation) -> None:
    with here.run(here.dataset()) as run:
        rest = run.records()
        next(rest)
        run.finish(RESULT)
        with pytest.raises(TrainingError, match="over"):
            next(rest)
        with pytest.raises(TrainingError, match="over"):
            run.finish(RESULT)


def test_a_described_loop_is_declared_and_never_witnessed(here: Installation) -> None:
    first, second = here.dataset(), here.dataset("others", (b"four",))
    wanted = sorted(first.contents)[1]
    with here.run(first, second, lineage=LineageGrade.DECLARED) as run:
        with pytest.raises(TrainingError, match="declared"):
            next(run.records())
        with pytest.raises(TrainingError, match="not allowed contents"):
            run.declare("digits", [digest(b"a stranger")])
        with pytest.raises(TrainingError, match="does not stand on"):
            run.declare("nothing")
        assert run.declare("digits", [wanted]) == 1
        made = run.finish(RESULT)
    assert made.lineage is LineageGrade.DECLARED
    (part,) = made.consumed  # nothing was declared of the other one
    assert list(consumed_of(here.ledger, part).indices()) == [1]
    with here.run(first) as witnessed:
        list(witnessed.records())
        with pytest.raises(TrainingError, match="witnessed"):
            witnessed.declare()
        witnessed.finish(RESULT)


def test_what_is_not_allowed_cannot_be_declared(here: Installation) -> None:
    data = here.dataset()
    refused = min(data.contents)
    data.allowed = set(data.contents) - {refused}
    with pytest.raises(TrainingError, match=refused), here.run(data, lineage=LineageGrade.DECLARED) as run:
        run.declare("digits", [refused])


def test_the_datasets_are_those_of_the_plan(here: Installation) -> None:
    data = here.dataset()
    plan = here.run(data).plan
    with pytest.raises(TrainingError, match="not those of the plan"):
        TrainingRun(plan, ledger=here.ledger, policy=here.policy, registers=here.registers, datasets=[])
    with pytest.raises(TrainingError, match="1 to 50"):
        replace(plan, datasets=())
    with pytest.raises(TrainingError, match="1 to 50"):
        replace(plan, datasets=plan.datasets * 2)


def test_nothing_is_handed_out_where_the_ledger_cannot_be_written(here: Installation) -> None:
    data = here.dataset()
    run = here.run(data)

    class Refusing:
        def __getattr__(self, name):
            return getattr(here.ledger, name)

        def append(self, record):
            raise LedgerError("The disk is full.", remedy="Make room.")

    run._ledger = Refusing()
    with pytest.raises(LedgerError), run:
        pytest.fail("the block was entered")
    with pytest.raises(TrainingError):
        next(run.records())


@given(st.data())
def test_what_was_consumed_reads_back(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    indices = data.draw(st.sets(st.integers(0, size - 1)))
    bitmap = bytearray((size + 7) // 8)
    for index in indices:
        bitmap[index // 8] |= 1 << index % 8
    consumed = Consumed("digits", digest(b"root"), size, len(indices), bytes(bitmap))
    again = Consumed.from_document(consumed.document().content)
    assert again == consumed
    assert list(again.indices()) == sorted(indices)
    assert again.contents == len(indices)
    cut = consumed.document().content.replace(b'"size":' + str(size).encode(), b'"size":' + str(size + 8).encode())
    with pytest.raises(ProofError):
        Consumed.from_document(cut)


def test_a_record_of_what_was_consumed_that_was_altered_is_refused(here: Installation) -> None:
    with here.run(here.dataset()) as run:
        list(run.records())
        made = run.finish(RESULT)
    (part,) = made.consumed
    with pytest.raises(ProofError, match="missing or was altered"):
        consumed_of(here.ledger, replace(part, document=digest(b"another")))
    with pytest.raises(ProofError, match="something else"):
        consumed_of(here.ledger, replace(part, contents=1))
    with pytest.raises(ProofError):
        Trained.of(here.entries(run)[0])
    for wrong in (b"", b"{}", b"[]", b'{"version":1}'):
        with pytest.raises(GovernanceError):
            Consumed.from_document(wrong)


@pytest.mark.parametrize(
    ("method", "result"),
    [
        (Method.LORA, TrainingResult(ResultKind.MODEL, digest(b"model"), components={"unet": digest(b"tuned")})),
        (Method.DREAMBOOTH, TrainingResult(ResultKind.MODEL, digest(b"model"))),
        (Method.FULL, RESULT),
        (Method.FULL, TrainingResult(ResultKind.MODEL, MODEL.key, components=MODEL.components)),
    ],
    ids=["a model of a LoRA run", "a model of DreamBooth", "a LoRA of a full run", "the base itself"],
)
def test_the_result_is_of_the_method_that_policy_was_asked_about(
    here: Installation, method: Method, result: TrainingResult
) -> None:
    data = here.dataset()
    run = here.run(data, method=method)
    with run:
        list(run.records())
        with pytest.raises(TrainingError, match="policy was asked about the method"):
            run.finish(result)
    assert [entry.kind for entry in here.entries(run)] == [EntryKind.TRAINING, EntryKind.TRAINING_FAILED]


def test_training_again_does_not_bring_back_what_was_withdrawn(here: Installation) -> None:
    data = here.dataset()
    here.registers.add(RegisteredAdapter(name="a lora", digest=RESULT.digest), COUNSEL)
    withdrawn = here.registers.withdraw(RegisterName.ADAPTERS, RESULT.digest, COUNSEL)
    run = here.run(data)
    with run:
        list(run.records())
        with pytest.raises(TrainingDeniedError, match=f"withdrawn before, by entry {withdrawn.id}"):
            run.finish(RESULT)
    assert trained_run(here.ledger, run.id) is None
