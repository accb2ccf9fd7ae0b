"""Which files a module's weights were loaded from, as the file system knows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

FileIdentity: TypeAlias = tuple[tuple[str, int, int, int, int, int], ...]
"""Of each file: path, device, inode, bytes, and the times (ns) of the last change of its content and of itself."""


def weight_files(module: Any) -> FileIdentity:
    """The safetensors files in the folder that `module` says it was loaded from; empty where it names none, or none is left.

    What a module says of itself proves nothing: this only narrows down which remembered digest could be meant.
    """
    config = getattr(module, "config", None)
    named = config.get("_name_or_path") if isinstance(config, dict) else getattr(config, "_name_or_path", None)
    if not isinstance(named, str) or not named:
        return ()
    try:
        files = sorted(Path(named).resolve().glob("*.safetensors"))
        return tuple(_identity(file) for file in files)
    except OSError:
        return ()


def _identity(file: Path) -> tuple[str, int, int, int, int, int]:
    known = file.stat()
    return str(file), known.st_dev, known.st_ino, known.st_size, known.st_mtime_ns, known.st_ctime_ns
