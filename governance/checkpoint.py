"""C2SP checkpoints: the size and root of the log as a signed note, and receipts verified against them.

Formats: c2sp.org/signed-note (Ed25519, signature type 0x01) and c2sp.org/tlog-checkpoint.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from governance.entries import Entry, Receipt
from governance.errors import ConfigurationError, ProofError
from governance.merkle import HASH_BYTES, leaf_hash, verify_inclusion

MAX_NOTE_CHARACTERS = 256 * 1024
MAX_SIGNATURES = 64
_ED25519 = b"\x01"
_KEY_BYTES = 32
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_SIGNATURE = re.compile(r"\u2014 (?P<name>[^ ]+) (?P<blob>[^ ]+)")


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
class LogKey:
    """The public key of a log: its name (the origin of its checkpoints) and 32 bytes of Ed25519.

    Raises:
        ConfigurationError: the name is empty or holds a space, a plus or a control character, or the key is no key.
    """

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not self.name or any(c.isspace() or c == "+" or ord(c) < 0x20 or ord(c) == 0x7F for c in self.name):
            raise ConfigurationError(
                f"{self.name!r} is no name for a log.",
                remedy="Use a name without spaces and plus signs, such as example.org/log.",
            )
        try:
            self.name.encode()
            Ed25519PublicKey.from_public_bytes(self.public)
        except ValueError as error:
            raise ConfigurationError(
                f"The key of log {self.name!r} cannot be used: {error}.", remedy="Give 32 bytes of Ed25519."
            ) from error

    @property
    def id(self) -> bytes:
        """The key id: 4 bytes of `SHA-256(name || 0x0A || 0x01 || public key)`."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> LogKey:
        """Read `<name>+<8 hexadecimal digits>+<base64>`, the form that `str` writes.

        Raises:
            ConfigurationError: the text is not such a key, or its id belongs to another.
        """
        parts = text.strip().split("+", 2)
        blob = _decoded(parts[2]) if len(parts) == 3 else None
        if blob is None or len(blob) != 1 + _KEY_BYTES or blob[:1] != _ED25519:
            raise ConfigurationError(
                "This is not the public key of a log.", remedy="Expected <name>+<8 hexadecimal digits>+<base64>."
            )
        key = cls(parts[0], blob[1:])
        if parts[1] != key.id.hex():
            raise ConfigurationError(
                f"The key id {parts[1]!r} does not belong to this key of {key.name!r}.",
                remedy="Copy the whole line again.",
            )
        return key


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

    def sign_checkpoint(self, size: int, root: bytes) -> str:
        """The signed note for a tree of `size` leaves with this root (32 bytes).

        Raises:
            ProofError: the size is negative or the root has another length.
        """
        if type(size) is not int or not _SIZE.fullmatch(str(size)) or len(root) != HASH_BYTES:
            _refuse(f"there is no tree of {size!r} leaves with a root of {len(root)} bytes")
        text = Checkpoint(self.name, size, root).text()
        signature = self.key.id + self.private_key.sign(text.encode())
        return f"{text}\n\u2014 {self.name} {base64.b64encode(signature).decode()}\n"


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
    checkpoint, text, signatures = _parsed(note)
    if checkpoint.origin != key.name:
        _refuse(f"it is a checkpoint of {checkpoint.origin!r}, not of {key.name!r}")
    ours = [blob[4:] for name, blob in signatures if name == key.name and blob[:4] == key.id]
    if not ours:
        _refuse(f"the key {key.name}+{key.id.hex()} has not signed it")
    public = Ed25519PublicKey.from_public_bytes(key.public)
    for signature in ours:
        try:
            public.verify(signature, text.encode())
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
        _refuse(f"the receipt is for a tree of {receipt.tree_size}, its checkpoint for one of {checkpoint.size}")
    verify_inclusion(leaf_hash(receipt.leaf), receipt.index, receipt.tree_size, receipt.proof, checkpoint.root)
    return receipt.entry


def _parsed(note: str) -> tuple[Checkpoint, str, list[tuple[str, bytes]]]:
    """The checkpoint, the text that was signed, and the signatures as (key name, key id and signature)."""
    if len(note) > MAX_NOTE_CHARACTERS:
        _refuse("it is too long")
    if any((ord(c) < 0x20 and c != "\n") or 0xD800 <= ord(c) <= 0xDFFF for c in note):
        _refuse("it holds control characters or is not Unicode")
    text, separator, tail = note.rpartition("\n\n")
    lines, text = text.split("\n"), text + "\n"
    if not separator or not tail.endswith("\n") or len(lines) < 3 or not all(lines):
        _refuse("it is not origin, size, root, an empty line and signatures")
    root = _decoded(lines[2])
    if not _SIZE.fullmatch(lines[1]) or root is None or len(root) != HASH_BYTES:
        _refuse("its size or its root is malformed")
    return Checkpoint(lines[0], int(lines[1]), root), text, _signatures(tail)


def _signatures(tail: str) -> list[tuple[str, bytes]]:
    lines = tail.removesuffix("\n").split("\n")
    if len(lines) > MAX_SIGNATURES:
        _refuse(f"it has more than {MAX_SIGNATURES} signatures")
    signatures = []
    for line in lines:
        match = _SIGNATURE.fullmatch(line)
        blob = _decoded(match["blob"]) if match else None
        if match is None or blob is None or len(blob) <= 4:
            _refuse("a signature line is malformed")
        signatures.append((match["name"], blob))
    return signatures


def _decoded(text: str) -> bytes | None:
    """Strict base64 (RFC 4648, section 4): the one canonical spelling, or None."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if base64.b64encode(content).decode() == text else None


def _refuse(what: str) -> NoReturn:
    raise ProofError(f"This checkpoint does not hold: {what}.", remedy="Ask the log for it again.")
