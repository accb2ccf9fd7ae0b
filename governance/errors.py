"""Every error this project raises on purpose.

    GovernanceError
    |-- CanonicalError              a value has no canonical JSON form
    |-- ConfigurationError          something needed is missing, unreadable or contradictory
    |-- RequestError                the caller's request cannot be governed as it stands
    |   |-- UnsupportedArgumentError    an argument that policy could not see
    |   |-- ConflictError               this request id was used for other facts
    |   `-- InProgressError             this request is running now
    |-- WithheldError               nothing was released; carries the result
    |   |-- DeniedError
    |   `-- HeldError
    |-- PolicyError                 no usable decision: engine, bundle, schema, undefined
    |   `-- ObligationError             a decision obliges something that cannot be honoured
    |-- ModelError                  the model cannot be described, or changed between admission and generation
    |-- SealedError                 a part of a governed pipeline was used, or edited, past the line
    |-- GenerationError             the pipeline failed or returned something other than what was admitted
    |-- DetectorError               a detector could not load or could not score
    |-- MarkError                   a watermark, label or encoding failed
    |   `-- ImageTooSmallError
    |-- SigningError                a manifest could not be signed, or does not read back as Trusted
    |-- StorageError                vault or quarantine
    |-- ReviewError                 a reviewer's act cannot be done
    |   |-- NotPermittedError           policy does not let this person do this
    |   |-- NoHoldError                 there is no such hold
    |   |-- HoldClosedError             it was decided already, or its time is over
    |   `-- LeaseError                  somebody else has the lease, or it ran out
    |-- WorkError                   the register of protected works cannot be read or changed as asked
    |   |-- NoWorkError                 there is no such work
    |   `-- WorkExistsError             the register has this picture already
    |-- DatasetError                a dataset cannot be audited, read or proved as asked
    |   |-- NoDatasetError              there is no audit of this name
    |   `-- DatasetChangedError         the dataset is not what was audited, or changed while it was read
    |-- RegisterError                 the register of models, adapters, vendors and contracts cannot be changed as asked
    |   `-- NoRegisteredError             the register has no such item
    |-- TrainingError               a governed training run cannot go on
    |   `-- TrainingDeniedError         policy does not allow this run
    |-- RecallError                 what descends from something cannot be found or recalled as asked
    |   `-- RecalledError               this file was recalled: it is not handed out again
    |-- DocumentError               a document cannot be made, or does not fit its standard
    |-- QueryError                  a question to the ledger that cannot be asked
    |-- ReplayError                 a recorded call cannot be made again
    `-- LedgerError                 the ledger cannot be read or written
        |-- BudgetError                 an intent would exceed the day's budget; nothing was written
        |-- HoldChangedError            somebody else changed the hold meanwhile; nothing was written
        |-- ErasureError                this cannot be erased as asked, or not now; nothing was erased
        |   `-- LegalHoldError              a legal hold keeps it, or there is no such legal hold
        |-- NoEntryError                there is no such entry
        |-- LedgerTooNewError           the schema is newer than this code
        |-- EmptyLedgerError            there is a database, and nothing in it
        |-- LogSourceError              a log that is followed cannot be asked, or does not answer as a log does
        |-- PublicationError            a checkpoint could not be published or time-stamped
        `-- ProofError                  a leaf, proof, checkpoint or commitment does not verify
            |-- RollbackError               a log shows less than it showed before
            `-- SplitViewError              a log signed two trees that cannot both be its own

Every message says what went wrong and what to do about it. Adapters translate the errors of their vendors into these, once, at the
edge, with the cause attached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from governance.assets import GovernedResult
    from governance.types import Decision


class GovernanceError(Exception):
    """Base of all errors of this project.

    `remedy` says what the reader can do; it is part of the message.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        self.remedy = remedy
        super().__init__(f"{message} {remedy}".rstrip() if remedy else message)


class CanonicalError(GovernanceError):
    """A value has no canonical form: a float, an integer beyond 2^53-1, a lone surrogate, or a type that JSON lacks."""


class ConfigurationError(GovernanceError):
    """Something needed is missing, unreadable or contradictory."""


class RequestError(GovernanceError):
    """The caller's request cannot be governed as it stands."""


class UnsupportedArgumentError(RequestError):
    """An argument that policy could not see."""


class ConflictError(RequestError):
    """This request id was already used by this principal for other facts."""


class InProgressError(RequestError):
    """The same request is running now."""


class WithheldError(GovernanceError):
    """Nothing was released. `result` holds every item with its verdict, decisions and entry."""

    def __init__(self, message: str, result: GovernedResult, *, remedy: str = "") -> None:
        self.result = result
        super().__init__(message, remedy=remedy)


class DeniedError(WithheldError):
    """Policy denied the request, or every draft of it."""


class HeldError(WithheldError):
    """Policy wants a person to decide before anything is released."""


class PolicyError(GovernanceError):
    """There is no usable decision: the engine, the bundle or the decision itself is unsound."""


class ObligationError(PolicyError):
    """A decision obliges something unknown, or something that cannot be honoured here."""


class ModelError(GovernanceError):
    """The model cannot be described, or it changed between admission and generation."""


class SealedError(GovernanceError):
    """A part of a governed pipeline was run outside a governed call, edited while one runs, or tapped."""


class GenerationError(GovernanceError):
    """The pipeline failed, or returned something other than what was admitted."""


class DetectorError(GovernanceError):
    """A detector could not load, or could not score an image."""


class MarkError(GovernanceError):
    """A watermark, a visible label or an encoding could not be applied or read back."""


class ImageTooSmallError(MarkError):
    """The image has too few pixels to carry the watermark."""


class SigningError(GovernanceError):
    """A manifest could not be signed, or the signed file does not read back as Trusted."""


class StorageError(GovernanceError):
    """The vault or the quarantine could not be read or written."""


class ReviewError(GovernanceError):
    """A reviewer's act cannot be done."""


class NotPermittedError(ReviewError):
    """Policy does not let this person do this. `decision` says why."""

    def __init__(self, message: str, decision: Decision, *, remedy: str = "") -> None:
        self.decision = decision
        super().__init__(message, remedy=remedy)


class NoHoldError(ReviewError):
    """There is no such hold."""


class HoldClosedError(ReviewError):
    """The hold was decided already, or its time is over."""


class LeaseError(ReviewError):
    """Somebody else has the lease of this hold, or the caller has none that still lasts."""


class WorkError(GovernanceError):
    """The register of protected works cannot be read, or cannot be changed as asked."""


class NoWorkError(WorkError):
    """There is no such work in the register."""


class WorkExistsError(WorkError):
    """The register has this picture already: `work_id` names the work."""

    def __init__(self, message: str, work_id: str, *, remedy: str = "") -> None:
        self.work_id = work_id
        super().__init__(message, remedy=remedy)


class DatasetError(GovernanceError):
    """A dataset cannot be audited, read or proved as asked."""


class NoDatasetError(DatasetError):
    """There is no audit of this name."""


class DatasetChangedError(DatasetError):
    """The dataset is not what was audited, or changed while it was read."""


class RegisterError(GovernanceError):
    """The register of models, adapters, vendors and contracts cannot be read or changed as asked."""


class NoRegisteredError(RegisterError):
    """The register has no such item."""


class TrainingError(GovernanceError):
    """A governed training run cannot go on."""


class TrainingDeniedError(TrainingError):
    """Policy does not allow this run; the message names the reasons."""


class RecallError(GovernanceError):
    """What descends from something cannot be found or recalled as asked."""


class RecalledError(RecallError):
    """This file was recalled: it is not handed out again."""


class DocumentError(GovernanceError):
    """A document cannot be made, or does not fit its standard."""


class QueryError(GovernanceError):
    """A question to the ledger that cannot be asked: a filter that is empty, too long or not of its kind."""


class ReplayError(GovernanceError):
    """A recorded call cannot be made again. `obstacle` says why, as a code."""

    def __init__(self, message: str, obstacle: str, *, remedy: str = "") -> None:
        self.obstacle = obstacle
        super().__init__(message, remedy=remedy)


class LedgerError(GovernanceError):
    """The ledger cannot be read or written."""


class BudgetError(LedgerError):
    """An intent would exceed the budget of its principal for the day; nothing was written."""


class HoldChangedError(LedgerError):
    """Somebody else changed the hold since it was read; nothing was written."""


class ErasureError(LedgerError):
    """This cannot be erased as asked, or not now; nothing was erased."""


class LegalHoldError(ErasureError):
    """A legal hold keeps what was to be erased, or there is no such legal hold; nothing was written."""


class NoEntryError(LedgerError):
    """There is no such entry in the ledger."""


class LedgerTooNewError(LedgerError):
    """The ledger's schema is newer than this code."""


class LogSourceError(LedgerError):
    """A log that is followed cannot be asked, or does not answer as a log does."""


class PublicationError(LedgerError):
    """A checkpoint could not be published, or not be time-stamped."""


class EmptyLedgerError(LedgerError):
    """The ledger's database is there and holds nothing at all."""


class ProofError(LedgerError):
    """A leaf, an inclusion proof, a checkpoint or a commitment does not verify."""


class RollbackError(ProofError):
    """A log shows a checkpoint of fewer entries than one that it signed before: `found` after `known`, both signed notes."""

    def __init__(self, message: str, known: str, found: str, *, remedy: str = "") -> None:
        self.known, self.found = known, found
        super().__init__(message, remedy=remedy)


class SplitViewError(ProofError):
    """A log signed two trees of which neither extends the other: `known` and `found`, both signed notes.

    Where `found` is the larger, `proof` shows by RFC 9162 that the tree of `known`'s size in it has `prefix_root`, which
    is not the root that `known` says. Else both are of one size, and that they differ is the proof.
    """

    def __init__(
        self,
        message: str,
        known: str,
        found: str,
        *,
        prefix_root: bytes = b"",
        proof: tuple[bytes, ...] = (),
        remedy: str = "",
    ) -> None:
        self.known, self.found, self.prefix_root, self.proof = known, found, prefix_root, proof
        super().__init__(message, remedy=remedy)
