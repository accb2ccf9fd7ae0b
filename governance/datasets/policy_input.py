"""What policy sees of one record of a dataset: facts without a name, an id, a digest or a time in them.

Records that are alike in all of these are judged alike, so an audit asks once for each distinct combination.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from governance.canonical import Json, canonical_bytes
from governance.datasets.records import (
    NOT_LOOKED,
    Basis,
    Consent,
    DatasetRecord,
    OptOut,
    Problem,
    SourceKind,
    Synthetic,
)
from governance.errors import DatasetError
from governance.registers.standing import ContractState
from governance.types import Stage

TRAINING_INPUT_VERSION: Final = 1
"""Of the policy inputs of the stage `training`."""
_MOST_HUNDREDTHS: Final = 100


class Question(StrEnum):
    """What the stage `training` is asked about: one combination of a record's facts, or a run on whole datasets."""

    RECORD = "record"
    RUN = "run"


class Collected(StrEnum):
    """Whether a record says when it was collected; `future` is later than the audit."""

    KNOWN = "known"
    MISSING = "missing"
    FUTURE = "future"


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """The facts of a record that rights are judged by. Equal facts have equal decisions, and hash alike.

    `licence` is the SPDX expression, empty where none is stated or what is stated is none. `nsfw` and `similar` are in
    hundredths, 0 to 100, or `NOT_LOOKED`. `work_action` is what the register of works says of the most similar work: `deny`,
    `review`, `allow`, or empty. `opt_outs`, `personal` and `problems` are sorted, each named once. `near_duplicate`: another
    content of the dataset looks the same.
    """

    licence: str = ""
    source_kind: SourceKind = SourceKind.UNKNOWN
    consent: Consent = Consent.UNKNOWN
    contract: ContractState = ContractState.NONE
    collected: Collected = Collected.MISSING
    synthetic: Synthetic = Synthetic.UNKNOWN
    opt_outs: tuple[OptOut, ...] = ()
    nsfw: int = NOT_LOOKED
    similar: int = NOT_LOOKED
    work_action: str = ""
    personal: tuple[str, ...] = ()
    near_duplicate: bool = False
    problems: tuple[Problem, ...] = ()
    basis: Basis = Basis.NONE

    @classmethod
    def of(cls, record: DatasetRecord, *, contract: ContractState, collected: Collected) -> RecordFacts:
        """The facts of `record`; the states of its contract and of its time are for whoever knows the register and the clock."""
        return cls(
            licence=record.licence,
            source_kind=record.source_kind,
            consent=record.consent,
            contract=contract,
            collected=collected,
            synthetic=record.synthetic,
            opt_outs=record.opt_outs,
            nsfw=record.nsfw,
            similar=record.similar,
            work_action=record.work_action,
            personal=record.personal,
            near_duplicate=bool(record.near_duplicate),
            problems=record.problems,
            basis=record.basis,
        )

    def as_json(self) -> dict[str, Json]:
        """The facts as policy reads them: a score that no detector gave is null.

        Raises:
            DatasetError: a score is neither in hundredths nor `NOT_LOOKED`.
        """
        return {
            "licence": self.licence,
            "source_kind": self.source_kind.value,
            "consent": self.consent.value,
            "contract": self.contract.value,
            "collected": self.collected.value,
            "synthetic": self.synthetic.value,
            "opt_outs": [signal.value for signal in self.opt_outs],
            "nsfw_hundredths": _score("nsfw", self.nsfw),
            "similar_hundredths": _score("similar", self.similar),
            "work_action": self.work_action,
            "personal": list(self.personal),
            "near_duplicate": self.near_duplicate,
            "problems": [problem.value for problem in self.problems],
            "basis": self.basis.value,
        }

    @property
    def key(self) -> str:
        """Canonical JSON text of the facts: equal for equal facts, and an order among different ones."""
        return canonical_bytes(self.as_json()).decode()


def record_input(facts: RecordFacts, *, time: str, purpose: str) -> dict[str, Json]:
    """The policy input of the stage `training` for the records with these facts.

    `time` is the audit's, RFC 3339 in UTC; `purpose` is what whatever is trained would be used for, by policy's own name.

    Raises:
        DatasetError: a score is neither in hundredths nor `NOT_LOOKED`.
    """
    return {
        "version": TRAINING_INPUT_VERSION,
        "stage": Stage.TRAINING.value,
        "time": time,
        "question": Question.RECORD.value,
        "purpose": purpose,
        "record": facts.as_json(),
    }


def _score(name: str, hundredths: int) -> int | None:
    if hundredths == NOT_LOOKED:
        return None
    if not 0 <= hundredths <= _MOST_HUNDREDTHS:
        raise DatasetError(
            f"A score {name} of {hundredths} is not in hundredths from 0 to {_MOST_HUNDREDTHS}.",
            remedy="Audit the dataset again; if it recurs, the detector is broken: run `governance doctor`.",
        )
    return hundredths
