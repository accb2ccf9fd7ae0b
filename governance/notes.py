"""Signed notes: a text, and Ed25519 signatures of it by named keys (c2sp.org/signed-note).

What a note says, and what exactly a key of a kind signs, is the business of those who read it: `governance.checkpoint`
for logs, `governance.cosignature` for witnesses.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import ClassVar, NoReturn, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from governance.errors import ConfigurationError, ProofError

MAX_NOTE_CHARACTERS = 256 * 1024
MAX_SIGNATURES = 64
KEY_ID_BYTES = 4
_KEY_BYTES = 32
_SIGNATURE = re.compile(r"\u2014 (?P<name>[^ ]+) (?P<blob>[^ ]+)")


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key that signs notes: a name, and 32 bytes of Ed25519. Each subclass signs one kind of statement.

    Raises:
        ConfigurationError: the name is empty or holds a space, a plus or a control character, or the key is no key.
    """

    name: str
    public: bytes

    kind: ClassVar[bytes]
    """The signature type, one byte."""
    holder: ClassVar[str]
    """Whose key this is, in messages: log, witness."""

    def __post_init__(self) -> None:
        if not self.name or any(c.isspace() or c == "+" or ord(c) < 0x20 or ord(c) == 0x7F for c in self.name):
            raise ConfigurationError(
                f"{self.name!r} is no name for a {self.holder}.",
                remedy=f"Use a name without spaces and plus signs, such as example.org/{self.holder}.",
            )
        try:
            self.name.encode()
            Ed25519PublicKey.from_public_bytes(self.public)
        except ValueError as error:
            raise ConfigurationError(
                f"The key of {self.holder} {self.name!r} cannot be used: {error}.", remedy="Give 32 bytes of Ed25519."
            ) from error

    @property
    def id(self) -> bytes:
        """The key id: 4 bytes of `SHA-256(name || 0x0A || signature type || public key)`."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.kind + self.public).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(self.kind + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `<name>+<8 hexadecimal digits>+<base64>`, the form that `str` writes.

        Raises:
            ConfigurationError: the text is not such a key of this kind, or its id belongs to another.
        """
        parts = text.strip().split("+", 2)
        blob = decoded(parts[2]) if len(parts) == 3 else None
        if blob is None or len(blob) != 1 + _KEY_BYTES or blob[:1] != cls.kind:
            raise ConfigurationError(
                f"This is not the public key of a {cls.holder}.",
                remedy="Expected <name>+<8 hexadecimal digits>+<base64>.",
            )
        key = cls(parts[0], blob[1:])
        if parts[1] != key.id.hex():
            raise ConfigurationError(
                f"The key id {parts[1]!r} does not belong to this key of {key.name!r}.",
                remedy="Copy the whole line again.",
            )
        return key

    def signatures(self, note: Note) -> tuple[bytes, ...]:
        """The signatures in `note` that bear this key's name and id, unverified."""
        return tuple(line.signature for line in note.signatures if (line.name, line.key_id) == (self.name, self.id))

    def line(self, signature: bytes) -> str:
        """The line of a note that holds this signature, its newline included."""
        return str(Signature(self.name, self.id, signature))


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note: whose it says it is, the id of the key, and what the key signed it with."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        """The line, its newline included."""
        return f"\u2014 {self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note taken apart, nothing of it verified. `text` is what was signed, its last newline included."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, note: str) -> Note:
        """Take a note apart.

        Raises:
            ProofError: it is no signed note.
        """
        if len(note) > MAX_NOTE_CHARACTERS:
            refuse("it is too long")
        if any((ord(c) < 0x20 and c != "\n") or 0xD800 <= ord(c) <= 0xDFFF for c in note):
            refuse("it holds control characters or is not Unicode")
        text, separator, tail = note.rpartition("\n\n")
        if not separator or not tail.endswith("\n"):
            refuse("it is not a text, an empty line and signatures")
        return cls(text + "\n", _signatures(tail))


def decoded(text: str) -> bytes | None:
    """Strict base64 (RFC 4648, section 4): the one canonical spelling, or None."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if base64.b64encode(content).decode() == text else None


def refuse(what: str) -> NoReturn:
    """A checkpoint that cannot be relied on.

    Raises:
        ProofError: always.
    """
    raise ProofError(f"This checkpoint does not hold: {what}.", remedy="Ask the log for it again.")


def _signatures(tail: str) -> tuple[Signature, ...]:
    lines = tail.removesuffix("\n").split("\n")
    if len(lines) > MAX_SIGNATURES:
        refuse(f"it has more than {MAX_SIGNATURES} signatures")
    signatures = []
    for line in lines:
        match = _SIGNATURE.fullmatch(line)
        blob = decoded(match["blob"]) if match else None
        if match is None or blob is None or len(blob) <= KEY_ID_BYTES:
            refuse("a signature line is malformed")
        signatures.append(Signature(match["name"], blob[:KEY_ID_BYTES], blob[KEY_ID_BYTES:]))
    return tuple(signatures)
