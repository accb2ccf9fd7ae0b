"""Cosignatures: a witness's word that a checkpoint extends every earlier one that it saw (c2sp.org/tlog-cosignature, v1).

Ed25519, signature type 0x04. A cosignature is one more signature line of the checkpoint's note, with the time at which it
was made; the log's own signature stays as it is, and a note verifies with the log's key as before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from governance.checkpoint import parse_checkpoint
from governance.errors import ProofError
from governance.notes import Note, NoteKey, refuse

MAX_TIME = 2**63 - 1
"""The last second, since the epoch, that a cosignature can bear."""
_TIME_BYTES = 8
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class WitnessKey(NoteKey):
    """The public key of a witness: its name and 32 bytes of Ed25519.

    One key is for one witness: what is signed does not name it.

    Raises:
        ConfigurationError: the name is empty or holds a space, a plus or a control character, or the key is no key.
    """

    kind: ClassVar[bytes] = b"\x04"
    holder: ClassVar[str] = "witness"


@dataclass(frozen=True, slots=True)
class Cosigner:
    """Cosigns checkpoints as the witness `name`; `key` is the public half.

    Raises:
        ConfigurationError: a note cannot carry this name.
    """

    name: str
    private_key: Ed25519PrivateKey = field(repr=False)
    key: WitnessKey = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", WitnessKey(self.name, self.private_key.public_key().public_bytes_raw()))

    @classmethod
    def generate(cls, name: str) -> Cosigner:
        """A cosigner with a fresh key."""
        return cls(name, Ed25519PrivateKey.generate())

    def cosign(self, note: str, time: int) -> str:
        """`note` with one more signature line: this witness's, made at `time` (whole seconds since the epoch).

        An earlier cosignature of this key is replaced. Whether the checkpoint may be cosigned is for the caller to know:
        see `governance.witness`.

        Raises:
            ProofError: the note is no checkpoint, holds too many signatures, or the time is out of range.
        """
        parse_checkpoint(note)
        if type(time) is not int or not 0 <= time <= MAX_TIME:
            refuse(f"no cosignature can be made at {time!r}")
        parsed = Note.parse(note)
        signature = time.to_bytes(_TIME_BYTES, "big") + self.private_key.sign(_statement(time, parsed.text))
        others = "".join(
            str(line) for line in parsed.signatures if (line.name, line.key_id) != (self.name, self.key.id)
        )
        cosigned = f"{parsed.text}\n{others}{self.key.line(signature)}"
        Note.parse(cosigned)
        return cosigned


def verify_cosignature(note: str, key: WitnessKey) -> int:
    """When the witness cosigned this checkpoint: seconds since the epoch, of the latest where it did so several times.

    What the log itself signed is for `governance.checkpoint.verify_checkpoint`.

    Raises:
        ProofError: the note is no checkpoint, `key` has not cosigned it, or a cosignature of `key` is wrong.
    """
    parse_checkpoint(note)
    parsed = Note.parse(note)
    ours = key.signatures(parsed)
    if not ours:
        refuse(f"the witness {key.name}+{key.id.hex()} has not cosigned it")
    return max(_verified(parsed.text, signature, key) for signature in ours)


def _verified(text: str, signature: bytes, key: WitnessKey) -> int:
    time = int.from_bytes(signature[:_TIME_BYTES], "big")
    if len(signature) != _TIME_BYTES + _SIGNATURE_BYTES or time > MAX_TIME:
        refuse(f"the cosignature of {key.name!r} is malformed")
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature[_TIME_BYTES:], _statement(time, text))
    except InvalidSignature as error:
        raise ProofError(
            f"The cosignature of {key.name!r} on this checkpoint is wrong.",
            remedy="The checkpoint was altered; ask the witness for it again.",
        ) from error
    return time


def _statement(time: int, text: str) -> bytes:
    """What is signed: the section "Ed25519 signed message"."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()
