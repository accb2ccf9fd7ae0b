"""`FileQuarantine`: drafts that wait for a person, encrypted, each under a key of its own."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from governance.errors import ConfigurationError, StorageError
from governance.files import sync, write_atomically

KEY_BYTES = 32
_NONCE_BYTES = 12
_FORMAT = b"DGQ1"
_DOMAIN = b"diffusion-governance/quarantine/v1\x00"
_HOLD = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}", re.ASCII)


class FileQuarantine:
    """A folder with two files per hold: `<id>.sealed`, the bytes, and `<id>.key`, their wrapped key.

    The bytes are AES-256-GCM under a fresh 256-bit key, with the hold id as associated data; that key is wrapped
    (RFC 3394) by `wrapping_key`, 32 bytes that live outside this folder. Destroying a hold overwrites and removes its
    wrapped key first, then the bytes. (On copy-on-write or flash storage old blocks may linger; backups certainly do.
    What makes them unreadable there is that the wrapping key is kept elsewhere and can be rotated.)

    Raises:
        ConfigurationError: the wrapping key has another length.
        StorageError: the folder cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str], wrapping_key: bytes) -> None:
        if len(wrapping_key) != KEY_BYTES:
            raise ConfigurationError(
                f"A quarantine key has {KEY_BYTES} bytes, not {len(wrapping_key)}.",
                remedy="Run `governance keys init`.",
            )
        self._folder = Path(folder)
        self._wrapping_key = wrapping_key
        with _told(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def seal(self, hold_id: str, content: bytes) -> None:
        """See `Quarantine.seal`. A hold is sealed once.

        Raises:
            StorageError: also when `hold_id` is in use.
        """
        sealed, key = self._paths(hold_id)
        if key.exists():
            raise StorageError(f"Hold {hold_id} is already sealed.", remedy="Use a fresh hold id.")
        data_key, nonce = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(_NONCE_BYTES)
        ciphertext = AESGCM(data_key).encrypt(nonce, content, _DOMAIN + hold_id.encode())
        # Bytes before key: what has a key is complete.
        write_atomically(sealed, _FORMAT + nonce + ciphertext)
        write_atomically(key, aes_key_wrap(self._wrapping_key, data_key))

    def open(self, hold_id: str) -> bytes:
        """See `Quarantine.open`."""
        sealed, key = self._paths(hold_id)
        with _told(sealed):
            try:
                wrapped, stored = key.read_bytes(), sealed.read_bytes()
            except FileNotFoundError as error:
                raise StorageError(
                    f"There is no hold {hold_id} in quarantine.", remedy="Check the id; it may have been destroyed."
                ) from error
        try:
            if not stored.startswith(_FORMAT):
                raise ValueError("unknown format")
            nonce, ciphertext = stored[len(_FORMAT) :][:_NONCE_BYTES], stored[len(_FORMAT) + _NONCE_BYTES :]
            data_key = aes_key_unwrap(self._wrapping_key, wrapped)
            return AESGCM(data_key).decrypt(nonce, ciphertext, _DOMAIN + hold_id.encode())
        except (InvalidUnwrap, InvalidTag, ValueError) as error:
            raise StorageError(
                f"Hold {hold_id} cannot be decrypted: it was altered, or sealed under another quarantine key.",
                remedy="Use the key it was sealed with, or destroy the hold.",
            ) from error

    def destroy(self, hold_id: str) -> None:
        """See `Quarantine.destroy`. Destroying what is not there does nothing.

        Raises:
            StorageError: it is there and cannot be destroyed.
        """
        sealed, key = self._paths(hold_id)
        with _told(key):
            if key.exists():
                with key.open("r+b") as file:
                    file.write(secrets.token_bytes(key.stat().st_size))
                    file.flush()
                    os.fsync(file.fileno())
            for path in (key, sealed):
                path.unlink(missing_ok=True)
                sync(self._folder)

    def holds(self) -> Sequence[str]:
        """See `Quarantine.holds`.

        Raises:
            StorageError: the folder cannot be read.
        """
        with _told(self._folder):
            return sorted({path.stem for path in self._folder.iterdir() if path.suffix in (".sealed", ".key")})

    def _paths(self, hold_id: str) -> tuple[Path, Path]:
        if not _HOLD.fullmatch(hold_id):
            raise StorageError(f"{hold_id!r} is no hold id.", remedy="Use letters, digits, '-' and '_' only.")
        return self._folder / f"{hold_id}.sealed", self._folder / f"{hold_id}.key"


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path} cannot be used: {error.strerror or error}.",
            remedy="Check that the folder is writable and has room.",
        ) from error
