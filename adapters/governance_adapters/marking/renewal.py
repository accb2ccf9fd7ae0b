"""`governance keys renew`: a new certificate from a new development authority; every other key stays as it is.

The log's key has to stay, because the ledger opens with no other; the watermark key, because released files carry its
marks. The new root is appended to the old ones, so that files signed before still read as trusted.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from cryptography import x509

from governance.errors import ConfigurationError, SigningError
from governance.files import sync
from governance_adapters.marking.authority import InsecureDevelopmentAuthority, warn_insecure
from governance_adapters.marking.certificates import is_insecure, read_certificates
from governance_adapters.marking.keys import CHAIN, CLAIM_KEY, ROOTS, check_private, write_private


def renew_insecure_credentials(folder: Path) -> datetime:
    """Replace the development authority's chain and key in `folder`, and append its root; returns when it expires, in UTC.

    Every new file is complete on disk before the first replaces an old one, roots first and chain last. A process killed
    between the last two leaves a key that does not fit its chain: nothing is signed until this has run again.

    Raises:
        ConfigurationError: the credentials there are not the development authority's, the roots cannot be read, or the
            folder cannot be written.

    Warns:
        InsecureKeyWarning: always.
    """
    try:
        with _locked(folder):
            roots = _known_roots(folder)
            _require_development(folder, roots)
            made = InsecureDevelopmentAuthority().issue()
            _replace(folder, {ROOTS: roots + made.root, CLAIM_KEY: made.private_key, CHAIN: made.chain})
    except OSError as error:
        raise ConfigurationError(
            f"The credentials in {folder} cannot be renewed: {error.strerror or error}.",
            remedy="Check that the key folder exists, that this user may write to it, and that the disk has room.",
        ) from error
    warn_insecure(f"The renewed certificate in {folder}")
    return x509.load_pem_x509_certificate(made.chain).not_valid_after_utc


def _known_roots(folder: Path) -> bytes:
    """The roots that are trusted now; none where the file is missing, never a garbled one: it may hold more."""
    if not (folder / ROOTS).exists():
        return b""
    content = (folder / ROOTS).read_bytes()
    try:
        read_certificates(content, "The trust root")
    except SigningError as error:
        raise ConfigurationError(
            f"{folder / ROOTS} is not PEM certificates.",
            remedy="Restore it from its backup, or remove it: what earlier roots signed then reads as untrusted here.",
        ) from error
    return content if content.endswith(b"\n") else content + b"\n"


def _require_development(folder: Path, roots: bytes) -> None:
    """Refuse to replace what somebody else issued. The chain says who did; where it is lost, all of the roots do."""
    try:
        ours = is_insecure(read_certificates(folder / CHAIN, "The certificate chain"))
    except SigningError:  # missing or garbled
        issuers = x509.load_pem_x509_certificates(roots) if roots else []
        nothing_there = not any((folder / name).exists() for name in (ROOTS, CHAIN, CLAIM_KEY))
        ours = nothing_there or (bool(issuers) and all(is_insecure([issuer]) for issuer in issuers))
    if not ours:
        raise ConfigurationError(
            f"The credentials in {folder} are not known to be the development authority's, and are left alone.",
            remedy="Have their authority renew them, or restore them from their backup.",
        )


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put `files` in place, in their order."""
    ready = {name: folder / f".{name}.{secrets.token_hex(4)}.tmp" for name in files}
    try:
        for name, content in files.items():
            write_private(ready[name], content)
        for name, temporary in ready.items():
            temporary.replace(folder / name)
        sync(folder)
    finally:
        for temporary in ready.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a second renewal out: it would append its root to the roots of before, and drop ours."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        check_private(folder)
        yield
    finally:
        os.close(descriptor)
