"""One call as its record has it: all that would make it again, and what of it is not known any more."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from governance.canonical import Digest, Json, digest, parsed_json
from governance.checkpoint import LogKey, verify_receipt
from governance.disclosure import recorded_input
from governance.entries import Entry
from governance.errors import LedgerError, ProofError, ReplayError, RequestError
from governance.facts import pixels_digest
from governance.ports import Ledger
from governance.types import InputImage, OpaqueKind, Pixels, Prompt, PromptKind

_VERIFY: Final = "Run `governance ledger verify`."


class Obstacle(StrEnum):
    """Why a recorded call cannot be made again, or what it made not be compared."""

    DOCUMENT_MISSING = "document_missing"
    PROMPT_ERASED = "prompt_erased"
    INPUT_ERASED = "input_erased"
    INPUT_MISSING = "input_missing"
    OPAQUE_ARGUMENT = "opaque_argument"
    CALLBACK = "callback"
    ARGUMENTS_UNKNOWN = "arguments_unknown"
    CALL_DIFFERS = "call_differs"
    MODEL_MISSING = "model_missing"
    GENERATION_FAILED = "generation_failed"
    FILE_MISSING = "file_missing"
    MARK_UNREPEATABLE = "mark_unrepeatable"


@dataclass(frozen=True, slots=True)
class RecordedPicture:
    """An input image as policy was shown it: its parameter, the digest of its pixels, its size in pixels."""

    parameter: str
    digest: Digest
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class RecordedOpaque:
    """An argument that nobody could read then, so that nobody has it now."""

    parameter: str
    kind: OpaqueKind


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """The call behind an intent. None stands for what was erased.

    `model` and `call` are the documents that the intent commits to. `prompts`, `inputs` and `opaque` keep their places.
    """

    intent: Entry
    model: Mapping[str, Json]
    call: Mapping[str, Json]
    prompts: tuple[Prompt | None, ...]
    inputs: tuple[RecordedPicture | None, ...]
    opaque: tuple[RecordedOpaque | None, ...]

    @property
    def arguments(self) -> Mapping[str, Json] | None:
        """The arguments as the call was filled with them; None where they were not written, as in older records."""
        found = self.call.get("arguments")
        return found if isinstance(found, Mapping) and (found or not self.prompts) else None

    @property
    def seeds(self) -> tuple[int, ...]:
        """One for each image."""
        value: Any = self.call["seeds"]
        return tuple(int(seed) for seed in value)

    @property
    def generators(self) -> tuple[bytes, ...]:
        """The states of the caller's random generators: none, one for all images, or one for each."""
        value: Any = self.call["generators"]
        return tuple(base64.b64decode(state) for state in value)

    def require_known(self) -> None:
        """Refuse a call of which a part is gone for good, whatever anybody still has.

        Raises:
            ReplayError: a prompt or an input was erased, a tensor was given that nobody kept, or a callback.
        """
        if None in self.prompts:
            raise ReplayError(
                "A prompt of this call was erased.", Obstacle.PROMPT_ERASED, remedy="Nothing brings it back."
            )
        if None in self.inputs or None in self.opaque:
            raise ReplayError(
                "What stands in the record of an input of this call was erased, so no file can be checked against it.",
                Obstacle.INPUT_ERASED,
                remedy="Nothing brings it back.",
            )
        for each in filter(None, self.opaque):
            callback = each.kind is OpaqueKind.CALLBACK
            raise ReplayError(
                f"The call was given {'a callback' if callback else 'tensors'} in {each.parameter!r}, and the record has "
                f"{'no code' if callback else 'their digest only'}.",
                Obstacle.CALLBACK if callback else Obstacle.OPAQUE_ARGUMENT,
                remedy="It can only be compared by whoever still has them.",
            )


@dataclass(frozen=True, slots=True)
class GivenPicture:
    """A picture that somebody says was given to the parameter then."""

    parameter: str
    pixels: Pixels


def recorded_call(ledger: Ledger, log_key: LogKey, intent: Entry) -> RecordedCall:
    """The call behind `intent`, proved to be in the log.

    Raises:
        ReplayError: a document that the intent commits to is not kept.
        ProofError: entry, document or field was altered.
        LedgerError: the ledger cannot be read, or the record is of another version.
    """
    if verify_receipt(ledger.receipt(intent.id), log_key) != intent:
        raise ProofError(f"The receipt of {intent.id} is one for another entry.", remedy=_VERIFY)
    policy_input = recorded_input(ledger, intent)
    if policy_input is None:
        raise _missing("policy input")
    value: Any = policy_input.value
    try:
        return RecordedCall(
            intent,
            _document(ledger, intent, "model"),
            _document(ledger, intent, "call"),
            tuple(_prompt(each) for each in value["prompts"]),
            tuple(_picture(each) for each in value["inputs"]),
            tuple(_opaque(each) for each in value["opaque"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LedgerError(
            f"The call of entry {intent.id} cannot be read: {error!r}.", remedy="Use the version that wrote it."
        ) from error


def fitting_pictures(call: RecordedCall, given: Sequence[GivenPicture]) -> tuple[Pixels, ...]:
    """The pixels of each input of `call`, in order, from what was `given`; each is the very picture of the record.

    Raises:
        RequestError: a given picture is not the recorded one, or none was recorded in its place.
        ReplayError: not all of them were given.
    """
    waiting: dict[str, list[Pixels]] = {}
    for each in given:
        waiting.setdefault(each.parameter, []).append(each.pixels)
    found = []
    for recorded in filter(None, call.inputs):
        if not waiting.get(recorded.parameter):
            raise ReplayError(
                f"The call was given a picture in {recorded.parameter!r}, of {recorded.width} x {recorded.height} px, and the "
                "record has its digest only.",
                Obstacle.INPUT_MISSING,
                remedy=f"Give it: --input {recorded.parameter}=FILE.",
            )
        pixels = waiting[recorded.parameter].pop(0)
        if pixels_digest(InputImage(recorded.parameter, pixels)) != recorded.digest:
            raise RequestError(
                f"The picture given for {recorded.parameter!r} is not the one of the record, whose pixels have the SHA-256 "
                f"{recorded.digest}.",
                remedy="Give the file that was given then, in the same order.",
            )
        found.append(pixels)
    if unused := sorted(name for name, pictures in waiting.items() if pictures):
        raise RequestError(
            f"More pictures were given for {', '.join(map(repr, unused))} than the call had.", remedy="Leave them out."
        )
    return tuple(found)


def _document(ledger: Ledger, intent: Entry, name: str) -> Mapping[str, Json]:
    wanted = Digest(str(intent.body[name]))
    content = ledger.document(wanted)
    if content is None:
        raise _missing(name)
    if digest(content) != wanted:
        raise ProofError(f"The document {wanted} was altered.", remedy=_VERIFY)
    value: Mapping[str, Json] = parsed_json(content)
    return value


def _missing(name: str) -> ReplayError:
    return ReplayError(
        f"The {name} of this call is not kept any more.",
        Obstacle.DOCUMENT_MISSING,
        remedy="Restore the ledger from a backup that has it.",
    )


def _prompt(value: Any) -> Prompt | None:
    """A prompt; of a field that was erased only the commitment is left."""
    if "text" not in value:
        return None
    return Prompt(value["text"], PromptKind(value["kind"]), value["parameter"], value["position"])


def _picture(value: Any) -> RecordedPicture | None:
    if "digest" not in value:
        return None
    return RecordedPicture(value["parameter"], Digest(value["digest"]), value["width"], value["height"])


def _opaque(value: Any) -> RecordedOpaque | None:
    return None if "kind" not in value else RecordedOpaque(value["parameter"], OpaqueKind(value["kind"]))
