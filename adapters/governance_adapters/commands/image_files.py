"""Image files that a command names, alone or by their folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from governance.errors import WorkError

MAX_FILE_BYTES: Final = 256 * 2**20
"""The largest file that is read."""


def image_files(given: Iterable[Path]) -> Iterator[Path]:
    """The files, and those in the folders and their folders; names that begin with a dot are left out there.

    Raises:
        WorkError: one does not exist, or a folder has no file.
    """
    for path in given:
        if path.is_dir():
            inside = sorted(found for found in path.rglob("*") if found.is_file() and not _hidden(found, path))
            if not inside:
                raise WorkError(f"There is no file in {path}.", remedy="Name a folder of images.")
            yield from inside
        elif path.exists():
            yield path
        else:
            raise WorkError(f"{path} does not exist.", remedy="Name image files, or folders of them.")


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def file_content(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        WorkError: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise WorkError(f"{path} cannot be read: {error.strerror or error}.", remedy="Make it readable.") from error
    if len(content) > MAX_FILE_BYTES:
        raise WorkError(f"{path} is larger than {MAX_FILE_BYTES} bytes.", remedy="Save it smaller.")
    return content
