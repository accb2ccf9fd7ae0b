"""C2SP checkpoints: the size and root of the log as a signed note, and receipts verified against them.

Formats: c2sp.org/signed-note (Ed25519, signature type 0x01) and c2sp.org/tlog-checkpoint.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from governance.entries import Entry, Receipt
from governance.errors import ProofError
from governance.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from governance.notes import Note, NoteKey, decoded, refuse

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_VOUCHER_DOMAIN = b"diffusion-governance/voucher/v1"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says: the log's name, its number of leaves, its root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note text: what is signed, its last newline included."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class LogKey(NoteKey):
    """The public key of a log: its name (the origin of its checkpoints) and 32 bytes of Ed25519.

    Raises:
        ConfigurationError: the name is empty or holds a space, a plus or a control character, or the key is no key.
    """

    kind: ClassVar[bytes] = b"\x01"
    holder: ClassVar[str] = "log"


@dataclass(frozen=True, slots=True)
class LogSigner:
    """Signs the checkpoints of one log. `name` is both the origin and the key name; `key` is the public half.

    Raises:
        ConfigurationError: a note cannot carry this name.
    """

    name: str
    private_key: Ed25519PrivateKey = field(repr=False)
    key: LogKey = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", LogKey(self.name, self.private_key.public_key().public_bytes_raw()))

    @classmethod
    def generate(cls, name: str) -> LogSigner:
        """A signer with a fresh key."""
        return cls(name, Ed25519PrivateKey.generate())

    def vouch(self, content: bytes) -> bytes:
        """A code (32 bytes) for `content` that only holders of the private key can make and check: HMAC-SHA-256, its key
        the SHA-256 of a domain of its own and the private key.
        """
        key = hashlib.sha256(_VOUCHER_DOMAIN + b"\0" + self.private_key.private_bytes_raw()).digest()
        return hmac.digest(key, content, "sha256")

    def sign_checkpoint(self, size: int, root: bytes) -> str:
        """The signed note for a tree of `size` leaves with this root (32 bytes).

        Raises:
            ProofError: the size is negative or the root has another length.
        """
        if type(size) is not int or not _SIZE.fullmatch(str(size)) or len(root) != HASH_BYTES:
            refuse(f"there is no tree of {size!r} leaves with a root of {len(root)} bytes")
        text = Checkpoint(self.name, size, root).text()
        return f"{text}\n{self.key.line(self.private_key.sign(text.encode()))}"


def parse_checkpoint(note: str) -> Checkpoint:
    """What a checkpoint says, without asking who signed it: for display, never for trust.

    Raises:
        ProofError: the text is not a checkpoint.
    """
    return _parsed(note)[0]


def verify_checkpoint(note: str, key: LogKey) -> Checkpoint:
    """What a checkpoint says, once `key` is known to have signed it. Signatures of unknown keys are ignored.

    Raises:
        ProofError: malformed, another log's, not signed by `key`, or a signature of `key` is wrong.
    """
    checkpoint, parsed = _parsed(note)
    if checkpoint.origin != key.name:
        refuse(f"it is a checkpoint of {checkpoint.origin!r}, not of {key.name!r}")
    ours = key.signatures(parsed)
    if not ours:
        refuse(f"the key {key.name}+{key.id.hex()} has not signed it")
    public = Ed25519PublicKey.from_public_bytes(key.public)
    for signature in ours:
        try:
            public.verify(signature, parsed.text.encode())
        except InvalidSignature as error:
            raise ProofError(
                f"The signature of {key.name!r} on this checkpoint is wrong.",
                remedy="The checkpoint was altered; ask the log for it again.",
            ) from error
    return checkpoint


def verify_receipt(receipt: Receipt, key: LogKey) -> Entry:
    """The entry of a receipt, once the log with `key` is known to have committed to it.

    Raises:
        ProofError: the leaf is no canonical entry, the checkpoint does not verify or has another size, or the
            inclusion proof does not hold.
    """
    checkpoint = verify_checkpoint(receipt.checkpoint, key)
    if checkpoint.size != receipt.tree_size:
        refuse(f"the receipt is for a tree of {receipt.tree_size}, its checkpoint for one of {checkpoint.size}")
    verify_inclusion(leaf_hash(receipt.leaf), receipt.index, receipt.tree_size, receipt.proof, checkpoint.root)
    return receipt.entry


def _parsed(note: str) -> tuple[Checkpoint, Note]:
    """The checkpoint, and the note that says it."""
    parsed = Note.parse(note)
    lines = parsed.text.removesuffix("\n").split("\n")
    if len(lines) < 3 or not all(lines):
        refuse("it is not origin, size, root, an empty line and signatures")
    root = decoded(lines[2])
    if not _SIZE.fullmatch(lines[1]) or root is None or len(root) != HASH_BYTES:
        refuse("its size or its root is malformed")
    return Checkpoint(lines[0], int(lines[1]), root), parsed
