"""Could this prompt, seed and model have made this file? The recorded call is made again, and what it makes is compared.

First by the digest of the draft: equal digests are the same picture to the last bit. Where they differ, or the record is of a
time when drafts had none, the new draft is labelled, marked and encoded as the old one was, and the decoded values are
compared with those of the file that was released. What was made again is compared and forgotten: nothing of it leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from governance.canonical import Digest, digest
from governance.checkpoint import LogKey, verify_receipt
from governance.entries import Entry, Receipt
from governance.errors import (
    GenerationError,
    GovernanceError,
    ModelError,
    ProofError,
    ReplayError,
    RequestError,
    StorageError,
)
from governance.media import Media, media_digest
from governance.merkle import leaf_hash
from governance.model_differences import model_differences
from governance.ports import Ledger, Vault
from governance.recorded_calls import GivenPicture, Obstacle, RecordedCall, fitting_pictures, recorded_call
from governance.records import asset_digest, intent_named
from governance.remarking import Remarker
from governance.replays import Compared, Difference, Replay, ReplayVerdict, Sampled
from governance.tolerance import Comparison, Tolerance, compare, tolerance_of
from governance.types import Draft, MediaKind, ModelFacts, Pixels


@dataclass(frozen=True, slots=True)
class Regenerated:
    """What a recorded call made this time, and with which model.

    `differences` are what is otherwise in the call itself, such as an argument that could only be guessed.
    """

    model: ModelFacts
    drafts: Sequence[Draft]
    differences: tuple[Difference, ...] = ()


class Regenerator(Protocol):
    """Makes recorded calls again."""

    def regenerate(self, call: RecordedCall, inputs: Sequence[Pixels]) -> Regenerated:
        """The drafts of the whole call. `inputs` are the pixels of `call.inputs`.

        Raises:
            ReplayError: this call cannot be made again, here or at all.
            ModelError: there is no model to make it with, or it cannot be described.
            GenerationError: the pipeline failed.
        """


class Replayer:
    """Replays what one ledger released, and compares. Nothing is written unless `recorded` is asked to."""

    def __init__(self, ledger: Ledger, log_key: LogKey, vault: Vault, remarker: Remarker) -> None:
        self._ledger, self._log_key, self._vault, self._remarker = ledger, log_key, vault, remarker

    def call_of(self, released: Sequence[Entry]) -> RecordedCall:
        """The one call that made all of some released files; each entry, and the intent, proved to be in the log.

        Raises:
            ReplayError: a document of it is not kept.
            ProofError: an entry, a document or a field was altered, or the files are not of one call.
            LedgerError: the ledger cannot be read.
        """
        for entry in released:
            if verify_receipt(self._ledger.receipt(entry.id), self._log_key) != entry:
                raise _unproven(entry.id)
        first = released[0]
        named = intent_named(first)
        if any((intent_named(entry), entry.subject) != (named, first.subject) for entry in released):
            raise ProofError(
                f"The files that were released with {first.id} are of several calls.",
                remedy="Replay the files of one generation together, others apart.",
            )
        intent = self._ledger.entry("" if named is None else named[0])
        if named is None or leaf_hash(intent.leaf()).hex() != named[1]:
            raise ProofError(f"Entry {first.id} names another intent.", remedy="Run `governance ledger verify`.")
        return recorded_call(self._ledger, self._log_key, intent)

    def replay(
        self,
        released: Sequence[Entry],
        regenerator: Regenerator,
        *,
        given: Sequence[GivenPicture] = (),
        tolerance: Callable[[MediaKind], Tolerance] = tolerance_of,
        content: bytes | None = None,
    ) -> tuple[Replay, ...]:
        """An answer for each of some `released` entries of one generation: its call is made again once, whole.

        `given` are the pictures that the call was given, `tolerance` what counts as the same for a kind of media. `content` is
        the released file, where it is at hand and may be gone from the vault; of `released` there is then only one.

        Raises:
            RequestError: what was given is not what the record says was given.
            ModelError: there is no model to make the call with.
            ProofError: the record was altered, or the entries are of several calls.
            LedgerError: the ledger cannot be read.
        """
        try:
            call = self.call_of(released)
            call.require_known()
            made = regenerator.regenerate(call, fitting_pictures(call, given))
            differences = (*made.differences, *_model_differences(call, made.model))
        except (ReplayError, GenerationError) as error:
            obstacle = error.obstacle if isinstance(error, ReplayError) else Obstacle.GENERATION_FAILED.value
            return _none_replayable(released, tolerance, obstacle, error)
        return tuple(self._judged(each, made, differences, tolerance(_kind(each)), content) for each in released)

    def audited(
        self,
        released: Sequence[Entry],
        regenerator: Regenerator,
        *,
        tolerance: Callable[[MediaKind], Tolerance] = tolerance_of,
    ) -> tuple[Replay, ...]:
        """As `replay`, of one call among many: that this one has no model or does not fit it is an answer, and ends nothing.

        Raises:
            ProofError: the record was altered, or the entries are of several calls.
            LedgerError: the ledger cannot be read.
        """
        try:
            return self.replay(released, regenerator, tolerance=tolerance)
        except ModelError as error:
            return _none_replayable(released, tolerance, Obstacle.MODEL_MISSING.value, error)
        except RequestError as error:
            return _none_replayable(released, tolerance, Obstacle.CALL_DIFFERS.value, error)

    def recorded(self, replay: Replay, sampled: Sampled | None = None) -> Receipt:
        """Write the `replayed` entry of an answer.

        Raises:
            LedgerError: it cannot be written, or the ledger answers with another receipt.
        """
        record = replay.record(sampled)
        receipt = self._ledger.append(record)
        if verify_receipt(receipt, self._log_key) != record.entry:
            raise _unproven(record.entry.id)
        return receipt

    def _judged(
        self,
        released: Entry,
        made: Regenerated,
        differences: tuple[Difference, ...],
        tolerance: Tolerance,
        content: bytes | None,
    ) -> Replay:
        body: Any = released.body
        draft = next((each for each in made.drafts if each.index == body["item"]), None)
        recorded = body.get("draft")
        answer = Replay(
            released,
            ReplayVerdict.MISMATCH,
            tolerance,
            recorded=None if recorded is None else Digest(recorded),
            regenerated=None if draft is None else media_digest(draft.media),
            differences=differences,
            model=made.model,
        )
        if draft is None:
            return replace(answer, explanation=f"this time the call made {len(made.drafts)} items")
        if recorded == answer.regenerated:
            return replace(answer, verdict=ReplayVerdict.EXACT, compared=Compared.DRAFT)
        try:
            kept, again = self._files(released, draft.media, content)
        except ReplayError as error:
            return replace(
                answer, verdict=ReplayVerdict.NOT_REPLAYABLE, obstacle=error.obstacle, explanation=str(error)
            )
        comparison = compare(kept, again)
        return replace(
            answer,
            compared=Compared.FILE,
            comparison=comparison,
            verdict=_verdict(comparison, tolerance, known=recorded is not None),
            explanation="" if comparison is not None else "it has another size or shape",
        )

    def _files(self, released: Entry, made: Media, content: bytes | None) -> tuple[Media, Media]:
        """The released file decoded, and what was made again, marked and encoded and decoded likewise.

        Raises:
            ReplayError: the file is gone, or what was done to it cannot be done again.
        """
        wanted = asset_digest(released)
        try:
            if content is None or digest(content) != wanted:
                content = self._vault.get(Digest(str(wanted)))
        except StorageError as error:
            raise ReplayError(
                f"The drafts differ, and the released file is not there to be compared: {error}",
                Obstacle.FILE_MISSING,
                remedy="Give the file itself in place of its id.",
            ) from error
        try:
            return self._remarker.decoded(content), self._remarker.again(released, made)
        except ReplayError:
            raise
        except GovernanceError as error:
            raise ReplayError(
                f"The drafts differ, and what was done to the released one cannot be done again: {error}",
                Obstacle.MARK_UNREPEATABLE,
                remedy="Without it only exact is a verdict.",
            ) from error


def _kind(released: Entry) -> MediaKind:
    """What was released; in an older record, which does not say it, a picture."""
    return MediaKind(str(released.body.get("media", MediaKind.IMAGE.value)))


def _unproven(entry_id: str) -> ProofError:
    return ProofError(f"The receipt of {entry_id} is one for another entry.", remedy="Run `governance ledger verify`.")


def _verdict(comparison: Comparison | None, tolerance: Tolerance, *, known: bool) -> ReplayVerdict:
    """`known`: the record has the digest of the draft, so that equal files alone are not the same draft."""
    if comparison is None or not comparison.within(tolerance):
        return ReplayVerdict.MISMATCH
    return ReplayVerdict.WITHIN_TOLERANCE if known or comparison.differing else ReplayVerdict.EXACT


def _model_differences(call: RecordedCall, model: ModelFacts) -> tuple[Difference, ...]:
    return tuple(Difference(each.part.value, each.text) for each in model_differences(call.model, model))


def _none_replayable(
    released: Sequence[Entry], tolerance: Callable[[MediaKind], Tolerance], obstacle: str, error: GovernanceError
) -> tuple[Replay, ...]:
    return tuple(_not_replayable(each, tolerance(_kind(each)), obstacle, str(error)) for each in released)


def _not_replayable(released: Entry, tolerance: Tolerance, obstacle: str, explanation: str) -> Replay:
    recorded: Any = released.body.get("draft")
    return Replay(
        released,
        ReplayVerdict.NOT_REPLAYABLE,
        tolerance,
        obstacle=obstacle,
        explanation=explanation,
        recorded=None if recorded is None else Digest(recorded),
    )
