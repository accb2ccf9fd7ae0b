"""One governed training run: asked for, begun by an entry, fed with audited records, and closed by an entry.

    ask         policy.decide(TRAINING, run, phase start)      not allowed -> entry `training_denied`, stop
    begin       ledger.append(training)                        durable BEFORE anything is handed out
    hand out    records whose digest and leaf are checked      each is noted before it is given
    ask again   policy.decide(TRAINING, run, phase finish)     not allowed -> entry `training_failed`, stop
    commit      ledger.append(trained)                         what was consumed, and the digest of what came of it

Whoever trains in the same process can always copy what is handed out, or train on something else beside it: a run says what it
handed out, never what else there was. So an entry says `witnessed`, or `declared` where the loop was only described.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from governance.bodies import Judged
from governance.canonical import Digest, Json
from governance.datasets.standing import DatasetStanding
from governance.entries import Receipt, Record
from governance.errors import DatasetChangedError, LedgerError, TrainingDeniedError, TrainingError
from governance.ports import Ledger, PolicyEngine
from governance.registers.item_checks import RegisterName
from governance.registers.register import Registers
from governance.registers.standing import State
from governance.training.asking import run_facts
from governance.training.data import AuditedDataset, TrainingRecord
from governance.training.entries import Trained, denied_record, failed_record, started_record, trained_record
from governance.training.policy_input import LineageGrade, Phase, run_input
from governance.training.runs import Consumed, DatasetUse, Method, ResultKind, RunPlan, TrainingResult
from governance.types import Outcome, Stage, utc_now

_REGISTERS: Final = {ResultKind.ADAPTER: RegisterName.ADAPTERS, ResultKind.MODEL: RegisterName.MODELS}


class _Taken:
    """What was taken of one dataset: a bit for each leaf, and for each record by its place among those that are allowed."""

    def __init__(self, standing: DatasetStanding) -> None:
        self._leaves, self._records = bytearray((standing.contents + 7) // 8), bytearray()
        self._size = standing.contents
        self.contents = self.records = 0

    def note(self, leaf: int, place: int) -> None:
        """Once for each leaf and each place, however often."""
        self._records.extend(bytes(max(0, place // 8 + 1 - len(self._records))))
        self.contents += _set(self._leaves, leaf)
        self.records += _set(self._records, place)

    def consumed(self, use: DatasetUse) -> Consumed:
        """As the entry says it."""
        return Consumed(use.name, use.root, self._size, self.records, bytes(self._leaves))


class TrainingRun:
    """A run over opened datasets. A context manager: entered it is begun, left without `finish` it has failed.

    Used from one thread at a time.
    """

    def __init__(
        self,
        plan: RunPlan,
        *,
        ledger: Ledger,
        policy: PolicyEngine,
        registers: Registers,
        datasets: Sequence[AuditedDataset],
    ) -> None:
        """`datasets` are those that the plan names, in its order.

        Raises:
            TrainingError: they are others.
        """
        opened = [(each.standing.name, each.standing.audited.id, each.standing.root) for each in datasets]
        if opened != [(use.name, use.audited, use.root) for use in plan.datasets]:
            raise TrainingError("The datasets are not those of the plan.", remedy="Open the datasets that it names.")
        self.plan = plan
        self._ledger, self._policy, self._registers = ledger, policy, registers
        self._datasets = {each.standing.name: each for each in datasets}
        self._taken = {name: _Taken(opened.standing) for name, opened in self._datasets.items()}
        self._started: Receipt | None = None
        self._ended = False

    @property
    def id(self) -> str:
        """The run's id: the subject of its entries."""
        return self.plan.id

    def begin(self) -> Receipt:
        """Ask policy, and write down that the run begins; returns the receipt of that entry.

        Raises:
            TrainingDeniedError: policy does not allow it; an entry says so.
            DatasetChangedError: a dataset was audited again since it was opened.
            TrainingError: it began already.
            LedgerError: the entry cannot be written, or what stands on record not be read: nothing is handed out.
            PolicyError: policy cannot decide.
        """
        if self._started is not None:
            raise TrainingError("This run began already.", remedy="Make a new run.")
        judged = self._asked(Phase.START)
        if judged.decision.outcome is not Outcome.ALLOW:
            self._append(denied_record(self.plan, judged))
            raise _denied(judged, "does not begin")
        self._started = self._append(started_record(self.plan, judged))
        return self._started

    def records(self, dataset: str = "", *, limit: int = 0) -> Iterator[TrainingRecord]:
        """Hand out the allowed records of one dataset, or of all: their bytes checked against the signed digests.

        The order is always the same, so that a second pass gives the same records; each counts once. `limit` is how many of
        each dataset are given at most, 0 for all.

        Raises:
            TrainingError: the run is not begun, is over, or is one that only declares; or it has no such dataset.
            DatasetChangedError: bytes, records or leaves are not those that were audited. The run has failed then.
        """
        self._require(LineageGrade.WITNESSED, "hands out records")
        for name in self._named(dataset):
            opened, taken = self._datasets[name], self._taken[name]
            for place, record in enumerate(opened.records()):
                if limit and place >= limit:
                    break
                content = opened.read(record)
                self._require(LineageGrade.WITNESSED, "hands out records")
                taken.note(_leaf(opened, record.content), place)
                yield TrainingRecord(name, record, content)

    def declare(self, dataset: str = "", contents: Iterable[Digest] | None = None) -> int:
        """Describe what a loop elsewhere consumes of one dataset, or of all: `contents` by their digests, None for all allowed.

        Returns how many records that are. Their bytes are not read: nobody here has seen what the loop did.

        Raises:
            TrainingError: the run is not begun, is over, or hands records out itself; it has no such dataset; or one of
                `contents` is not an allowed content of the dataset.
            DatasetChangedError: records or leaves are not those that were audited.
        """
        self._require(LineageGrade.DECLARED, "is only described")
        wanted = None if contents is None else set(contents)
        found: set[str] = set()
        count = 0
        for name in self._named(dataset):
            opened, taken = self._datasets[name], self._taken[name]
            for place, record in enumerate(opened.records()):
                if wanted is None or record.content in wanted:
                    found.add(record.content)
                    taken.note(_leaf(opened, record.content), place)
                    count += 1
        if missing := sorted((wanted or set()) - found):
            raise TrainingError(
                f"{len(missing)} of the contents that were declared are not allowed contents of {dataset or 'the datasets'}: "
                f"{', '.join(missing[:3])}.",
                remedy="Declare what the audit allows; `governance dataset contains` says of a file whether it is there.",
            )
        return count

    def finish(self, result: TrainingResult, signature: Mapping[str, Json] | None = None) -> Trained:
        """Ask policy again, and write down what was consumed and what came of it.

        Raises:
            TrainingDeniedError: policy does not allow it any more, or the result was recalled or withdrawn before; an entry says
                that the run failed.
            TrainingError: the run is not begun or is over, nothing was consumed, or the result is none of this method.
            DatasetChangedError: a dataset was audited again meanwhile.
            LedgerError: the entry cannot be written: the result has no lineage.
        """
        started = self._require()
        try:
            consumed = self._consumed()
            if not consumed:
                raise TrainingError(
                    "The run finishes without having consumed anything.",
                    remedy="Train with what `records()` hands out, or say what a loop elsewhere took with `declare()`.",
                )
            self._check_result(result)
            judged = self._asked(Phase.FINISH)
        except Exception as error:  # whatever it is: the run has failed, an entry says so, and it goes on
            self._fail("finish", error)
            raise
        if judged.decision.outcome is not Outcome.ALLOW:
            denied = _denied(judged, "may not finish")
            self._fail("finish", denied, judged)
            raise denied
        record = trained_record(self.plan, started, judged, consumed, result, signature)
        self._append(record)
        self._ended = True
        return Trained.of(record.entry)

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ended or self._started is None:
            return
        if error is not None:
            self._fail("train", error)
            return
        unfinished = TrainingError("The run ended without a result.", remedy="Call finish() with what was trained.")
        self._fail("train", unfinished)
        raise unfinished

    def _asked(self, phase: Phase) -> Judged:
        """The decision on the run as everything stands now."""
        now = utc_now()
        consumed = {name: taken.contents for name, taken in self._taken.items()}
        facts = run_facts(self.plan, phase, self._ledger, self._registers, consumed=consumed, now=now)
        policy_input = run_input(facts, time=now, bundle_revision=self._policy.bundle_revision)
        return Judged.of(self._policy.decide(Stage.TRAINING, policy_input), policy_input)

    def _consumed(self) -> list[Consumed]:
        taken = ((use, self._taken[use.name]) for use in self.plan.datasets)
        return [each.consumed(use) for use, each in taken if each.contents]

    def _check_result(self, result: TrainingResult) -> None:
        """Refuse what this run cannot have made, and what training again must not bring back."""
        whole = self.plan.method is Method.FULL
        if whole is not (result.kind is ResultKind.MODEL) or (whole and result.digest == self.plan.base):
            what = "the base itself" if result.digest == self.plan.base else f"of kind {result.kind.value}"
            raise TrainingError(
                f"The result is {what}, and policy was asked about the method {self.plan.method.value}.",
                remedy="A model comes of the method `full`, an adapter of the others; begin the run with the one that it is.",
            )
        standing = self._registers.standing(_REGISTERS[result.kind], result.digest, utc_now())
        if standing.state in (State.RECALLED, State.WITHDRAWN):
            raise TrainingDeniedError(
                f"The result {result.digest} was {standing.state.value} before, by entry {standing.entry}.",
                remedy="Train on other data, or from another base. What was withdrawn and reviewed again: "
                "`governance registers add`.",
            )

    def _named(self, dataset: str) -> tuple[str, ...]:
        if dataset and dataset not in self._datasets:
            raise TrainingError(
                f"This run does not stand on a dataset {dataset!r}.",
                remedy=f"It stands on {', '.join(self._datasets)}.",
            )
        return (dataset,) if dataset else tuple(self._datasets)

    def _require(self, lineage: LineageGrade | None = None, does: str = "") -> Receipt:
        if self._started is None or self._ended:
            raise TrainingError(
                "This run is over." if self._ended else "This run has not begun.",
                remedy="Use it inside its own `with` block, and finish it once.",
            )
        if lineage is not None and self.plan.lineage is not lineage:
            raise TrainingError(
                f"The lineage of this run is {self.plan.lineage.value}, and only a run that is {lineage.value} {does}.",
                remedy=f"Begin the run with lineage={lineage.value!r}.",
            )
        return self._started

    def _fail(self, step: str, error: BaseException, judged: Judged | None = None) -> None:
        assert self._started is not None  # only what was begun can fail
        self._ended = True
        self._append(failed_record(self.plan, self._started, step, error, judged))

    def _append(self, record: Record) -> Receipt:
        receipt = self._ledger.append(record)
        if receipt.leaf != record.entry.leaf():
            raise LedgerError(
                f"The ledger answered with a receipt for another entry than {record.entry.id}.",
                remedy="Run `governance ledger verify`.",
            )
        return receipt


def _set(bits: bytearray, index: int) -> bool:
    """Set a bit; whether it was not set before."""
    place, bit = index // 8, 1 << index % 8
    fresh = not bits[place] & bit
    bits[place] |= bit
    return fresh


def _leaf(opened: AuditedDataset, content: Digest | str) -> int:
    place = opened.leaves.find(content)
    if not place.there:
        raise DatasetChangedError(
            f"The content {content} is not in the signed list of {opened.standing.name!r}.",
            remedy="Run `governance dataset verify`, and audit the dataset again.",
        )
    return place.index


def _denied(judged: Judged, how: str) -> TrainingDeniedError:
    reasons = "; ".join(f"{reason.code} ({reason.message})" for reason in judged.decision.reasons)
    return TrainingDeniedError(
        f"This run {how}, policy says {judged.decision.outcome.value}: {reasons or 'no reason given'}.",
        remedy="`governance policy reasons` says what each reason asks for; see docs/training.md.",
    )
