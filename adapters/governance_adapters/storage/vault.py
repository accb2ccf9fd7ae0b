"""`FsspecVault`: released bytes under their own digest, on any file system that fsspec knows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from governance.canonical import Digest, digest
from governance.errors import GovernanceError, StorageError
from governance.files import sync, write_atomically

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_STAGED_NAME = re.compile(r"([0-9a-f]{64})|\.([0-9a-f]{64})\.[0-9a-f]+\.tmp", re.ASCII)
"""What lies in `staged/`: a file, or what `write_atomically` left of one when its process was killed."""
_STAGED, _ASSETS = "staged", "assets"


class FsspecVault:
    """A folder or an fsspec URL (`memory://...`, `s3://...`) with `staged/` and `assets/` in it.

    On a local file system each step is durable when it returns: files and folders are synced, and publishing is one
    atomic rename. Elsewhere publishing is a copy and a delete, which a crash between them leaves safe to repeat;
    durability is what the store promises for a finished write.

    Raises:
        StorageError: the URL is of a kind that is not installed, or the folders cannot be made.
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        with _told(f"The vault {url} cannot be opened", "Check its address; install the fsspec backend it needs."):
            self._files, root = fsspec.core.url_to_fs(os.fspath(url))
            self._root = str(root).rstrip("/")
            self._local = isinstance(self._files, LocalFileSystem)
            for folder in (_STAGED, _ASSETS):
                if self._local:
                    Path(self._root, folder).mkdir(mode=0o700, parents=True, exist_ok=True)
                else:
                    self._files.makedirs(f"{self._root}/{folder}", exist_ok=True)

    def put(self, content_digest: Digest, content: bytes) -> None:
        """See `Vault.put`. Bytes that are published already stay as they are.

        Raises:
            StorageError: also when `content` has another digest.
        """
        staged, published = self._paths(content_digest)
        if digest(content) != content_digest:
            raise StorageError(f"The content is not that of {content_digest}.", remedy="Put it under its own digest.")
        with _told(f"{content_digest} cannot be kept"):
            if self._files.exists(published):
                return
            if self._local:
                write_atomically(Path(staged), content)
            else:
                self._files.pipe_file(staged, content)

    def publish(self, content_digest: Digest) -> None:
        """See `Vault.publish`."""
        staged, published = self._paths(content_digest)
        with _told(f"{content_digest} cannot be published"):
            if self._files.exists(staged):
                self._move(staged, published)
            elif not self._files.exists(published):
                raise StorageError(
                    f"{content_digest} is not in the vault.", remedy="Put it first, or restore a backup."
                )

    def discard(self, content_digest: Digest) -> None:
        """See `Vault.discard`.

        Raises:
            StorageError: it is staged and cannot be removed.
        """
        staged, _ = self._paths(content_digest)
        with _told(f"{content_digest} cannot be discarded"):
            with suppress(FileNotFoundError):
                self._files.rm_file(staged)
            if self._local:
                for leftover in Path(staged).parent.glob(f".{content_digest}.*.tmp"):
                    leftover.unlink(missing_ok=True)

    def erase(self, content_digest: Digest) -> None:
        """See `Vault.erase`.

        The file or object is deleted: old blocks of the disk, and older versions in a store that keeps them, go by the
        rules of whatever keeps them.
        """
        _, published = self._paths(content_digest)
        self.discard(content_digest)
        with _told(f"{content_digest} cannot be erased"), suppress(FileNotFoundError):
            self._files.rm_file(published)
            if self._local:
                sync(Path(published).parent)

    def get(self, content_digest: Digest) -> bytes:
        """See `Vault.get`."""
        _, published = self._paths(content_digest)
        with _told(f"{content_digest} cannot be read"):
            try:
                content = bytes(self._files.cat_file(published))
            except FileNotFoundError as error:
                raise StorageError(
                    f"{content_digest} is not published in the vault.", remedy="Check the digest, or restore a backup."
                ) from error
        if digest(content) != content_digest:
            raise StorageError(f"{content_digest} was altered in the vault.", remedy="Restore it from a backup.")
        return content

    def staged(self) -> Sequence[Digest]:
        """See `Vault.staged`.

        Raises:
            StorageError: the vault cannot be listed.
        """
        names = (_STAGED_NAME.fullmatch(name) for name in self._listed(_STAGED))
        return sorted({Digest(name[1] or name[2]) for name in names if name})

    def contents(self) -> Sequence[Digest]:
        """See `Vault.contents`. What lies there under another name than a digest is nobody's asset.

        Raises:
            StorageError: the vault cannot be listed.
        """
        return sorted(Digest(name) for name in self._listed(_ASSETS) if _DIGEST.fullmatch(name))

    def _listed(self, folder: str) -> Iterator[str]:
        with _told("The vault cannot be listed"):
            self._files.invalidate_cache()
            listed: list[Any] = self._files.ls(f"{self._root}/{folder}", detail=False)
        return (str(path).rstrip("/").rpartition("/")[2] for path in listed)

    def _paths(self, content_digest: Digest) -> tuple[str, str]:
        """Where it is staged and where it is published; anything but a digest never becomes a path."""
        if not _DIGEST.fullmatch(content_digest):
            raise StorageError(
                f"{content_digest!r} is no SHA-256 digest.", remedy="Use 64 lowercase hexadecimal digits."
            )
        return f"{self._root}/{_STAGED}/{content_digest}", f"{self._root}/{_ASSETS}/{content_digest}"

    def _move(self, staged: str, published: str) -> None:
        if not self._local:
            self._files.mv(staged, published)
            return
        Path(staged).replace(published)
        for path in (published, staged):
            sync(Path(path).parent)


@contextmanager
def _told(
    what: str, remedy: str = "Check that the vault is reachable, that this user may write to it, and that it has room."
) -> Iterator[None]:
    try:
        yield
    except GovernanceError:
        raise
    except Exception as error:  # fails closed: each fsspec backend has its vendor's errors, and all mean "not kept"
        raise StorageError(f"{what}: {error}.", remedy=remedy) from error
