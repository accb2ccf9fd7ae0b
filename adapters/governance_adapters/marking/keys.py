"""The keys of one installation, in one folder: each for one purpose, each replaceable without the others.

| file | what |
|---|---|
| `c2pa-roots.pem` | roots that we trust to sign C2PA claims; old roots stay, new ones are appended |
| `c2pa-chain.pem`, `c2pa-key.pem` | the certificate chain (leaf first) and key that sign C2PA claims |
| `tsa-roots.pem` | optional: roots of the time-stamp authorities |
| `log-key.pem`, `log-key.pub` | the Ed25519 key that signs checkpoints; its public half as a C2SP signed-note key |
| `watermark-key.hex` | 32 bytes behind the watermark payloads |
| `quarantine-key.hex` | 32 bytes (AES-256) that wrap the keys of quarantined drafts |

The folder has mode 0700 and its files 0600; anything wider is refused.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.checkpoint import LogKey, LogSigner
from governance.errors import ConfigurationError, SigningError
from governance.files import sync
from governance.watermark import MarkKey
from governance_adapters.marking.authority import InsecureDevelopmentAuthority, warn_insecure
from governance_adapters.marking.certificates import TrustRoots
from governance_adapters.marking.credentials import PemCredentials

SECRET_BYTES: Final = 32

ROOTS: Final = "c2pa-roots.pem"
CHAIN: Final = "c2pa-chain.pem"
CLAIM_KEY: Final = "c2pa-key.pem"
_TSA_ROOTS: Final = "tsa-roots.pem"
_LOG_KEY: Final = "log-key.pem"
_LOG_PUBLIC: Final = "log-key.pub"
_WATERMARK: Final = "watermark-key.hex"
_QUARANTINE: Final = "quarantine-key.hex"

_RENEW: Final = "for the development authority `governance keys renew` makes a new certificate and key"
_WITHOUT_BACKUP: Final = {
    ROOTS: "remove it, and `governance keys renew` begins a new one for the development authority: what earlier roots "
    "signed then reads as untrusted here",
    CHAIN: _RENEW,
    CLAIM_KEY: _RENEW,
    _TSA_ROOTS: "remove it: time stamps then count only where `tsa_root` names their roots",
    _LOG_KEY: "what is recorded stays provable, but nothing can be added to this ledger: set GOVERNANCE_HOME to a new "
    "folder and run `governance init` for a new log",
    _LOG_PUBLIC: "whoever verifies your receipts has a copy: put it here",
    _WATERMARK: "the marks of files released so far cannot be read any more: `openssl rand -hex 32` in its place "
    "begins anew",
    _QUARANTINE: "the drafts held so far cannot be opened any more: `openssl rand -hex 32` in its place begins anew",
}
"""What is lost with each file, and how to go on."""
_NO_FOLDER: Final = (
    "For a new installation run `governance keys init`; where there is a ledger, restore the folder from its backup, "
    "because other keys do not open it."
)


@dataclass(frozen=True, slots=True)
class Keys:
    """Every key of an installation. `quarantine` is 32 bytes; `insecure` says that the development authority signs."""

    credentials: PemCredentials = field(repr=False)
    trust: TrustRoots = field(repr=False)
    log: LogSigner = field(repr=False)
    mark: MarkKey = field(repr=False)
    quarantine: bytes = field(repr=False)
    insecure: bool


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """A folder of keys. Each method reads one purpose, so that a key kept elsewhere (a KMS, say) may be absent here."""

    path: Path

    def load(self) -> Keys:
        """Every key, each checked, and checked to belong together.

        Raises:
            ConfigurationError: a file is missing, unreadable, garbled or open to others, or two do not fit.
        """
        credentials, trust = self.credentials(), self.trust()
        try:
            identity = credentials.identify()
            trust.path(identity.chain)
        except SigningError as error:
            raise ConfigurationError(
                f"The C2PA keys in {self.path} do not fit: {error}", remedy=_remedy(CHAIN)
            ) from error
        return Keys(credentials, trust, self.log(), self.mark(), self.quarantine(), identity.insecure)

    def credentials(self) -> PemCredentials:
        """The chain and key that sign C2PA claims; checked when a signer is built from them."""
        return PemCredentials(self._read(CHAIN), self._read(CLAIM_KEY))

    def trust(self) -> TrustRoots:
        """The roots that are trusted for C2PA claims and time-stamps.

        Raises:
            ConfigurationError: a bundle is missing or garbled.
        """
        stamps = self._read(_TSA_ROOTS) if (self.path / _TSA_ROOTS).exists() else None
        try:
            return TrustRoots(self._read(ROOTS), stamps)
        except SigningError as error:
            raise ConfigurationError(
                f"The trust roots in {self.path} are garbled: {error}", remedy=_remedy(ROOTS)
            ) from error

    def log(self) -> LogSigner:
        """The key that signs the ledger's checkpoints; its name is the log's origin.

        Raises:
            ConfigurationError: a half is missing or garbled, or the halves do not belong together.
        """
        public = self.log_public()
        try:
            private = serialization.load_pem_private_key(self._read(_LOG_KEY), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise self._garbled(_LOG_KEY, "an unencrypted PEM key") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise self._garbled(_LOG_KEY, "an Ed25519 key")
        signer = LogSigner(public.name, private)
        if signer.key != public:
            raise ConfigurationError(
                f"{_LOG_KEY} and {_LOG_PUBLIC} in {self.path} are not a pair.", remedy=_remedy(_LOG_KEY)
            )
        return signer

    def log_public(self) -> LogKey:
        """The public key of the log: what a stranger needs to verify receipts.

        Raises:
            ConfigurationError: it is missing or garbled.
        """
        try:
            return LogKey.parse(self._read(_LOG_PUBLIC).decode())
        except UnicodeDecodeError as error:
            raise self._garbled(_LOG_PUBLIC, "a signed-note key") from error

    def mark(self) -> MarkKey:
        """The key behind the watermark payloads.

        Raises:
            ConfigurationError: it is missing or garbled.
        """
        return MarkKey(self._secret(_WATERMARK))

    def quarantine(self) -> bytes:
        """The 32 bytes that wrap the data keys of quarantined drafts.

        Raises:
            ConfigurationError: they are missing or garbled.
        """
        return self._secret(_QUARANTINE)

    def _secret(self, name: str) -> bytes:
        try:
            value = bytes.fromhex(self._read(name).decode("ascii").strip())
        except ValueError as error:
            raise self._garbled(name, f"{2 * SECRET_BYTES} hexadecimal digits") from error
        if len(value) != SECRET_BYTES:
            raise self._garbled(name, f"{2 * SECRET_BYTES} hexadecimal digits")
        return value

    def _read(self, name: str) -> bytes:
        file = self.path / name
        try:
            for item in (self.path, file):
                check_private(item)
            return file.read_bytes()
        except FileNotFoundError as error:
            if not self.path.exists():
                raise ConfigurationError(f"There is no key folder {self.path}.", remedy=_NO_FOLDER) from error
            raise ConfigurationError(f"There is no {name} in {self.path}.", remedy=_remedy(name)) from error
        except OSError as error:
            raise ConfigurationError(
                f"{file} cannot be read: {error.strerror or error}.",
                remedy="Let this user own and read the key folder.",
            ) from error

    def _garbled(self, name: str, expected: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path / name} is not {expected}.", remedy=_remedy(name))


def create_insecure_keys(folder: Path, *, log_name: str | None = None) -> Keys:
    """Make every key of an installation, with a development authority for C2PA, and load them.

    The folder appears complete or not at all. `log_name` becomes the log's origin and must be unique to it; without
    one it is random, under `.invalid` (RFC 2606).

    Raises:
        ConfigurationError: the folder holds something already (keys are never overwritten), cannot be written, or the
            log name is unusable.

    Warns:
        InsecureKeyWarning: always.
    """
    certificates = InsecureDevelopmentAuthority().issue()
    log = LogSigner.generate(log_name or f"diffusion-governance.invalid/{secrets.token_hex(8)}")
    private = log.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write_folder(
        folder,
        {
            ROOTS: certificates.root,
            CHAIN: certificates.chain,
            CLAIM_KEY: certificates.private_key,
            _LOG_KEY: private,
            _LOG_PUBLIC: f"{log.key}\n".encode(),
            _WATERMARK: f"{secrets.token_hex(SECRET_BYTES)}\n".encode(),
            _QUARANTINE: f"{secrets.token_hex(SECRET_BYTES)}\n".encode(),
        },
    )
    warn_insecure(f"The new key folder {folder}")
    return KeyFolder(folder).load()


def _write_folder(folder: Path, files: dict[str, bytes]) -> None:
    temporary: Path | None = None
    try:
        if folder.exists() and any(folder.iterdir()):
            raise ConfigurationError(
                f"{folder} is not empty, and keys are never overwritten.",
                remedy="Name another folder, or move this one away: what it signed still needs its public halves.",
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))  # mode 0700
        for name, content in files.items():
            write_private(temporary / name, content)
        # Replaces at most an empty folder: one that was filled in between makes this fail, and stays as it is.
        temporary.rename(folder)
        sync(folder.parent)
    except OSError as error:
        raise ConfigurationError(
            f"The key folder {folder} cannot be made: {error.strerror or error}.",
            remedy="Check that its parent is writable, that it is not a file, and that the disk has room.",
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def write_private(file: Path, content: bytes) -> None:
    """Write a new file of mode 0600 durably; OSError if that cannot be done, or there is one."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _remedy(name: str) -> str:
    return f"Restore it from its backup. Without one: {_WITHOUT_BACKUP[name]}."


def check_private(item: Path) -> None:
    """Refuse what other users may read or write."""
    mode = stat.S_IMODE(item.stat().st_mode)
    if mode & 0o077:
        raise ConfigurationError(
            f"{item} is open to other users (mode {mode:04o}).",
            remedy=f"Run `chmod {'700' if item.is_dir() else '600'} {item}`; if others could read it, make new keys.",
        )
