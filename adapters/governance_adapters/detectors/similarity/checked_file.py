"""Files that can be made again - a converted model, an index - and are never believed without their digests.

    line 1   SHA-256 of line 2, in hexadecimal
    line 2   RFC 8785 JSON: {"key": ..., "sections": [[name, length in bytes, SHA-256], ...]}
    then     the sections, one behind the other

That finds damage and leftovers of another key. It is no defence against somebody who can write in the home folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from governance.canonical import Json, canonical_bytes
from governance.errors import StorageError
from governance.files import write_atomically

logger = logging.getLogger(__name__)

Sections = Mapping[str, NDArray[np.uint8]]
_LONGEST_LINE: Final = 1 << 20


def write(path: Path, key: Json, sections: Mapping[str, bytes]) -> None:
    """Write the sections under `key`, or say in the log that the next start has to make them again.

    That is no error: what is in memory is whole.
    """
    listed: Json = [[name, len(content), _sha256(content)] for name, content in sections.items()]
    header = canonical_bytes({"key": key, "sections": listed})
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, b"\n".join([_sha256(header).encode(), header, b"".join(sections.values())]))
    except (StorageError, OSError) as error:
        logger.warning("%s is not kept, so it is made again next time: %s", path, error)


def read(path: Path, key: Json) -> Sections | None:
    """The sections under `key`, every digest checked; None where there is no such file, or one of another key.

    A damaged file is None too, and said once in the log: whoever asks makes it again.
    """
    try:
        content: NDArray[np.uint8] = np.memmap(path, np.uint8, mode="r")
        return _checked(content, key)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # numpy cannot map an empty file, and says so by a ValueError
        logger.warning("%s is damaged (%s): it is not used, and made again", path, error)
        return None


def _checked(content: NDArray[np.uint8], key: Json) -> Sections | None:
    """The sections; None under another key.

    Raises:
        ValueError: a digest does not fit.
    """
    lines = content[:_LONGEST_LINE].tobytes().split(b"\n", 2)
    if len(lines) != 3 or _sha256(lines[1]).encode() != lines[0]:
        raise ValueError("its header does not have its digest")
    header: dict[str, Any] = json.loads(lines[1])
    if canonical_bytes(header["key"]) != canonical_bytes(key):
        return None
    sections, start = {}, len(lines[0]) + len(lines[1]) + 2
    for name, length, expected in header["sections"]:
        section = content[start : start + length]
        start += length
        if len(section) != length or _sha256(section.data) != expected:
            raise ValueError(f"its part {name} does not have its digest")
        sections[name] = section
    if start != len(content):
        raise ValueError("something follows its last part")
    return sections


def _sha256(content: bytes | memoryview) -> str:
    return hashlib.sha256(content).hexdigest()
